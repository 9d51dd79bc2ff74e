#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/key_sites.h"
#include "module/retire.h"

/* What a key leaves behind at sites that could not be reached when it ended. */

static json_t *sites_json(const struct strings *one, const struct strings *two)
{
    json_t *list = json_array();
    bool good = list != NULL;
    for (size_t i = 0; i < one->count && good; i++)
        good = json_array_append_new(list, json_string(one->items[i])) == 0;
    for (size_t i = 0; two != NULL && i < two->count && good; i++)
        good = json_array_append_new(list, json_string(two->items[i])) == 0;
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

enum outcome key_end_log(struct world *w, const struct key_sites *k, struct fault *f)
{
    json_t *body = key_sites_body(k);
    bool good = json_put(body, "sites", json_array()) && json_put(body, "left", sites_json(&k->sites, &k->left));
    enum outcome outcome = good ? estate_append(w->estate, ENTRY_DESTROYED, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return outcome;
}

enum outcome key_cleared_log(struct world *w, uint64_t born, const struct strings *sites, struct fault *f)
{
    json_t *body = json_object();
    bool good = json_put_integer(body, "born", (int64_t)born) && json_put(body, "sites", sites_json(sites, NULL));
    enum outcome outcome = OK;
    if (sites->count > 0)
        outcome = good ? estate_append(w->estate, ENTRY_CLEARED, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return outcome;
}

enum outcome site_id_free(const struct state *s, const char *token, const char *id_hex, struct fault *f)
{
    const struct state_site *site = state_site_of_id(s, token, id_hex);

    if (site == NULL)
        return OK;
    return fault_set(f, E_INVALID, "CKA_ID %s is that of a key of its own that %s at %s has: choose another, or none",
                     id_hex, token, site->site);
}

/* One whose birth waits for receipts: it will have it. */
static enum outcome awaited_id_free(const struct state *s, const char *token, const char *id_hex, struct fault *f)
{
    for (size_t i = 0; i < s->intent_count; i++) {
        const struct state_intent *n = &s->intents[i];
        const char *id = json_string_or_null(n->body, "caller-id");
        if (n->state == INTENT_PROVISIONAL && id != NULL && strcmp(id, id_hex) == 0 && strcmp(n->token, token) == 0 &&
            strcmp(n->operation, operation_name(OP_GENERATE)) == 0)
            return fault_set(f, E_INVALID,
                             "CKA_ID %s is that of the key \"%s\" on %s, whose birth waits for receipts: choose "
                             "another, or none, or run `quorate settle` when its time is over",
                             id_hex, n->label != NULL ? n->label : "", token);
    }
    return OK;
}

enum outcome key_id_free(const struct state *s, const char *token, const char *id_hex, struct fault *f)
{
    for (size_t i = 0; i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];
        if (!k->destroyed || strcmp(k->id, id_hex) != 0 || strcmp(k->token, token) != 0)
            continue;
        for (size_t n = 0; n < k->retired.count; n++)
            if (state_site(s, token, k->retired.items[n]) != NULL)
                return fault_set(
                    f, E_INVALID,
                    "CKA_ID %s is that of \"%s\" on %s, which is destroyed but left at %s: choose another, "
                    "or none, or run `quorate settle`",
                    id_hex, k->label, token, k->retired.items[n]);
    }
    if (site_id_free(s, token, id_hex, f) != OK)
        return f->outcome;
    return awaited_id_free(s, token, id_hex, f);
}

static bool line_add(json_t *report, const char *label, const char *site, const char *why)
{
    struct buf text = BUF(1200);
    json_t *line = json_object();
    if (why != NULL)
        buf_putf(&text, "left at %s: %s", site, why);
    else
        buf_putf(&text, "destroyed at %s", site);
    bool good =
        report == NULL || (!text.failed && json_put_string(line, "key", label) &&
                           json_put_string(line, "outcome", buf_str(&text)) && json_array_append(report, line) == 0);
    json_decref(line);
    buf_free(&text);
    return good;
}

static enum outcome key_clear(struct world *w, const struct key_sites *k, json_t *report, struct fault *f)
{
    struct strings cleared = {0};
    enum outcome outcome = OK;
    for (size_t i = 0; i < k->sites.count && outcome == OK; i++) {
        struct fault why = {0};
        bool gone = key_destroy_at(w, k, k->sites.items[i], &why) == OK;
        if ((gone && !strings_add(&cleared, k->sites.items[i])) ||
            !line_add(report, k->label, k->sites.items[i], gone ? NULL : why.text))
            outcome = fault_memory(f);
    }
    if (outcome == OK)
        outcome = key_cleared_log(w, k->born, &cleared, f);
    strings_free(&cleared);
    return outcome;
}

/* The HSM that is there now is the one where it was left: an earlier one's are destroyed with all that it held. */
static bool left_here(const struct state *s, const struct state_key *key, const char *site)
{
    const struct state_site *now = state_site(s, key->token, site);
    return now != NULL && (now->seq < key->seq || retirement_left(s, key->token, site) == NULL);
}

/* A destroyed key and the sites, still enrolled and reached from here, that may hold it. */
static enum outcome left_of(const struct world *w, const struct state_key *key, struct key_sites *ret, struct fault *f)
{
    struct key_sites k;
    bool good = key_sites_name(key, &k);
    for (size_t i = 0; good && i < key->retired.count; i++) {
        const char *site = key->retired.items[i];
        const struct binding *bound = NULL;
        struct fault ignored = {0};
        if (left_here(&w->estate->state, key, site) &&
            (site_bound(w, key->token, site, &bound, &ignored) == OK || replica_is_far(w, key->token, site) ||
             site_carried(w, key->token, site, &bound)))
            good = strings_add(&k.sites, site);
    }
    if (good) {
        *ret = k;
        return OK;
    }
    key_sites_clear(&k);
    return fault_memory(f);
}

enum outcome keys_left_settle(struct world *w, json_t *report, struct fault *f)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < w->estate->state.key_count && outcome == OK; i++) {
        const struct state_key *key = &w->estate->state.keys[i]; /* keys stay in their places */
        struct key_sites k = {0};
        if (!key->destroyed || key->retired.count == 0)
            continue;
        outcome = left_of(w, key, &k, f);
        if (outcome == OK && k.sites.count > 0)
            outcome = key_clear(w, &k, report, f);
        key_sites_clear(&k);
    }
    return outcome;
}
