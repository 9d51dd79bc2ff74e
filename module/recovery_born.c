#include <string.h>

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

enum outcome intent_replicated(struct estate *e, uint64_t intent, struct fault *f)
{
    const struct state_intent *i = state_intent(&e->state, intent);
    json_t *body = json_object();
    const char *site = i != NULL ? json_string_value(json_array_get(json_object_get(i->body, "sites"), 1)) : NULL;
    bool good = site != NULL && i->token != NULL &&
                json_put(body, "born", json_incref(json_object_get(i->body, "born"))) &&
                json_put_integer(body, "intent", (int64_t)intent) &&
                json_put_string(body, "label", i->label != NULL ? i->label : "") &&
                json_put_string(body, "site", site) && json_put_string(body, "token", i->token);
    enum outcome outcome = good ? estate_append(e, ENTRY_REPLICATED, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return outcome;
}

bool replica_wanted(const struct state *s, const struct state_intent *i)
{
    const char *id = json_string_or_null(i->body, "caller-id");
    int64_t born = json_integer_value(json_object_get(i->body, "born"));
    const struct state_key *k = born > 0 ? state_key_born(s, (uint64_t)born) : NULL;
    return k != NULL && id != NULL && strcmp(k->id, id) == 0 && i->label != NULL && strcmp(k->label, i->label) == 0;
}
