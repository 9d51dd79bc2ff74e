#include "module/token_keys.h"

#include <stdlib.h>
#include <string.h>

void token_keys_clear(struct token_keys *t)
{
    for (size_t i = 0; i < t->count; i++)
        key_sites_clear(&t->items[i]);
    free(t->items);
    *t = (struct token_keys){0};
}

/* At other sites than the primary nothing happens to it. */
static bool leave_replicas(struct key_sites *k)
{
    for (size_t i = 1; i < k->sites.count; i++) {
        if (!strings_add(&k->left, k->sites.items[i]))
            return false;
        free(k->sites.items[i]);
    }
    k->sites.count = 1;
    return true;
}

enum outcome token_keys_of(const struct world *w, const char *token, struct token_keys *ret, struct fault *f)
{
    const struct state *s = &w->estate->state;
    const struct shown_token *shown = world_token(w, token);
    struct token_keys t = {.items = calloc(s->key_count + 1, sizeof(*t.items))};
    enum outcome outcome = t.items && shown ? OK : fault_memory(f);

    for (size_t i = 0; i < s->key_count && outcome == OK; i++) {
        const struct state_key *key = &s->keys[i];

        if (key->destroyed || strcmp(key->token, token) != 0 || !strings_have(&key->sites, shown->primary))
            continue;
        outcome = key_sites_of(w, key, &t.items[t.count], f);
        if (outcome == OK && !leave_replicas(&t.items[t.count++]))
            outcome = fault_memory(f);
        t.replicated = t.replicated || !key_alone(key);
    }
    if (outcome == OK) {
        *ret = t;
        t = (struct token_keys){0}; /* taken by *ret */
    }
    token_keys_clear(&t);
    return outcome;
}

static bool lives(const struct world *w, const struct key_sites *k)
{
    return state_key(&w->estate->state, k->token, k->class_name, k->id, k->label) != NULL;
}

static enum outcome key_gone(struct world *w, const struct key_sites *k, const uint64_t *intent, struct fault *f)
{
    json_t *body = destroyed_body(k);
    enum outcome outcome = body && (!intent || json_put_integer(body, "intent", (int64_t)*intent))
                               ? estate_append(w->estate, ENTRY_DESTROYED, body, NULL, f)
                               : fault_memory(f);

    json_decref(body);
    return outcome;
}

enum outcome token_keys_gone(struct world *w, const struct token_keys *t, const uint64_t *intent, struct fault *f)
{
    enum outcome outcome = OK;

    for (size_t i = 0; i < t->count && outcome == OK; i++)
        if (lives(w, &t->items[i]))
            outcome = key_gone(w, &t->items[i], intent, f);
    return outcome;
}

/* A new token has no user's PIN yet, and thus nothing of a user's. */
static enum outcome token_is_new(struct world *w, const char *token, bool *ret, struct fault *f)
{
    struct shown_token *t = world_token(w, token);
    CK_TOKEN_INFO info;
    CK_RV rv;

    if (!t || (!t->lower && world_look(w, t, f) != OK))
        return fault_set(f, E_DEVICE, "%s: its HSM is not there; connect it and settle again", token);
    rv = t->lower->f->C_GetTokenInfo(t->lower_slot, &info);
    if (rv != CKR_OK)
        return rv_fault(f, "C_GetTokenInfo", rv);
    *ret = !(info.flags & CKF_USER_PIN_INITIALIZED);
    return OK;
}

enum outcome token_keys_settle(struct world *w, const char *token, uint64_t intent, struct fault *f)
{
    struct token_keys t = {.items = NULL};
    bool is_new = false, there = true;
    enum outcome outcome = token_is_new(w, token, &is_new, f);

    if (outcome == OK)
        outcome = token_keys_of(w, token, &t, f);
    for (size_t i = 0; i < t.count && outcome == OK; i++) {
        if (!is_new)
            outcome = key_there(w, &t.items[i], &there, f);
        if (outcome == OK && (is_new || !there))
            outcome = key_gone(w, &t.items[i], &intent, f);
    }
    token_keys_clear(&t);
    return outcome;
}
