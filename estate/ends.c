#include "estate/ends.h"

#include <string.h>

/* Of the intents that name this key, under its CKA_ID and label, those after its birth; the first that was not given up. */
static const struct state_intent *approved_end(const struct state *s, const struct state_key *k)
{
    for (size_t i = 0; i < s->intent_count; i++) {
        const struct state_intent *n = &s->intents[i];
        const char *class = json_string_or_null(n->body, "class"), *id = json_string_or_null(n->body, "id");

        if (n->seq > k->seq && n->state != INTENT_ROLLED_BACK &&
            strcmp(n->operation, operation_name(OP_DESTROY)) == 0 && class != NULL && id != NULL &&
            strcmp(class, k->class_name) == 0 && strcmp(id, k->id) == 0 && n->token != NULL &&
            strcmp(n->token, k->token) == 0 && strcmp(n->label != NULL ? n->label : "", k->label) == 0)
            return n;
    }
    return NULL;
}

/* The intent by which the key came to this site: to bring it there later, or that of its birth. NULL: none did. */
static const struct state_intent *way_of(const struct state *s, const struct state_key *k, const char *site)
{
    for (size_t i = s->intent_count; i-- > 0;) {
        const struct state_intent *n = &s->intents[i];
        const json_t *born = json_object_get(n->body, "born");
        const char *to = json_string_value(json_array_get(json_object_get(n->body, "sites"), 1));

        if (strcmp(n->operation, operation_name(OP_REPLICATE)) == 0 && n->state != INTENT_ROLLED_BACK &&
            json_is_integer(born) && (uint64_t)json_integer_value(born) == k->seq && to != NULL &&
            strcmp(to, site) == 0)
            return n;
    }
    return k->intent != 0 ? state_intent(s, k->intent) : NULL;
}

enum outcome key_end_find(const struct state *s, const struct state_key *k, const char *site, struct key_end *ret,
                          struct fault *f)
{
    const struct state_intent *end = approved_end(s, k), *way = way_of(s, k, site);

    if (way == NULL || (end == NULL && !k->destroyed))
        return fault_set(f, E_REFUSED,
                         "%s at %s judges by itself, and the log has nothing of this key's birth and end to show it: "
                         "destroy the key there",
                         k->token, site);
    *ret = (struct key_end){end != NULL ? MESSAGE_WITHDRAW : MESSAGE_END, end != NULL ? end->seq : k->seq, way->digest};
    return OK;
}

json_t *key_end_json(const struct key_end *e)
{
    json_t *json = json_object();

    if (json_put_integer(json, e->kind == MESSAGE_END ? "born" : "intent", (int64_t)e->number))
        return json;
    json_decref(json);
    return NULL;
}
