#include "core/encode.h"
#include "module/recovery.h"

json_t *strings_json(const struct strings *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->count && list != NULL; i++)
        if (json_array_append_new(list, json_string(s->items[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static bool public_key_put(json_t *body, struct span spki)
{
    struct digest fingerprint = {0};
    return digest_one(&fingerprint, spki) && json_put_digest(body, "fingerprint", &fingerprint) &&
           json_put_bytes_hex(body, "public-key", spki);
}

enum outcome intent_provisional(struct estate *e, uint64_t intent, const struct strings *sites, moment until,
                                struct span spki, struct fault *f)
{
    const struct state_intent *i = state_intent(&e->state, intent);
    json_t *body = json_object();
    char id[41];
    bool good = i != NULL && json_put_integer(body, "intent", (int64_t)intent) &&
                json_put(body, "sites", strings_json(sites)) && json_put_moment(body, "until", until);
    if (good && spki.len > 0) {
        estate_key_id(&i->digest, id);
        good = json_put_string(body, "id", id) && public_key_put(body, spki);
    }
    enum outcome outcome = good ? estate_append(e, ENTRY_PROVISIONAL, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return outcome;
}

enum outcome intent_born(struct estate *e, uint64_t intent, struct span spki, struct fault *f)
{
    const struct state_intent *i = state_intent(&e->state, intent);
    char derived[41];
    json_t *body = json_object();
    enum outcome outcome = E_MEMORY;

    if (i == NULL || body == NULL) {
        outcome = fault_memory(f);
        goto out;
    }
    static const char *const copied[] = {"class", "function", "label", "sites", "token", "type"};
    estate_key_id(&i->digest, derived);
    const char *caller = json_string_or_null(i->body, "caller-id");
    bool good = json_put_string(body, "id", caller != NULL ? caller : derived) &&
                json_put_integer(body, "intent", (int64_t)intent);
    for (size_t k = 0; k < sizeof copied / sizeof *copied && good; k++) {
        json_t *value = json_object_get(i->body, copied[k]);
        good = value == NULL || json_put(body, copied[k], json_incref(value));
    }
    if (good && json_object_get(body, "label") == NULL)
        good = json_put_string(body, "label", "");
    if (good && spki.len > 0)
        good = public_key_put(body, spki);
    outcome = good ? estate_append(e, ENTRY_BORN, body, NULL, f) : fault_memory(f);
out:
    json_decref(body);
    return outcome;
}
