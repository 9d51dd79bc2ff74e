#include "module/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "estate/serving.h"

#define LEFT_BEHIND "what a birth left on %s at %s could not be destroyed (%s); "
#define LEFT_BLOCKS "no key is born on %s until `quorate settle` has cleared it"

static enum outcome lock_named(const struct estate *e, const char *name, const char *busy, struct lock **ret,
                               struct fault *f)
{
    enum outcome outcome = E_MEMORY;
    char *folder = estate_path(e, "births", NULL), *path = estate_path(e, "births", name);
    if (folder == NULL || path == NULL)
        outcome = fault_memory(f);
    else
        outcome = folder_make(folder, 0700, f);
    if (outcome == OK)
        outcome = lock_take(path, false, ret, f);
    if (outcome == E_BUSY)
        fault_set(f, E_BUSY, "%s", busy);
    free(folder);
    free(path);
    return outcome;
}

enum outcome birth_lock(const struct estate *e, const struct digest *request, struct lock **ret, struct fault *f)
{
    char name[80], busy[128];
    snprintf(name, sizeof name, "%s.lock", digest_hex(request).hex);
    snprintf(busy, sizeof busy, "request %.12s is being carried out by another process", digest_hex(request).hex);
    return lock_named(e, name, busy, ret, f);
}

enum outcome enrol_lock(const struct estate *e, const char *token, const char *site, struct lock **ret, struct fault *f)
{
    char name[2 * LIMIT_NAME + 32], busy[2 * LIMIT_NAME + 64];
    if (strlen(token) > LIMIT_NAME || strlen(site) > LIMIT_NAME || strchr(token, '/') != NULL ||
        strchr(site, '/') != NULL)
        return fault_set(f, E_INVALID, "the names of token and site are too long, or hold a '/'");
    snprintf(name, sizeof name, "enrol.%s.%s.lock", token, site);
    snprintf(busy, sizeof busy, "another process enrols %s at %s, or takes an answer of it in", token, site);
    return lock_named(e, name, busy, ret, f);
}

static enum outcome intent_append(struct estate *e, enum entry_type type, uint64_t intent, const char *name,
                                  json_t *value_taken, struct fault *f)
{
    json_t *body = json_object();
    bool good = json_put(body, name, value_taken) && json_put_integer(body, "intent", (int64_t)intent);
    enum outcome outcome = good ? estate_append(e, type, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return outcome;
}

enum outcome intent_roll_back(struct estate *e, uint64_t intent, const char *reason, struct fault *f)
{
    return intent_append(e, ENTRY_ROLLED_BACK, intent, "reason", json_string(reason), f);
}

enum outcome intent_sites(const struct state_intent *i, struct strings *ret, struct fault *f)
{
    struct strings sites = {0};
    json_t *list = NULL, *item = NULL;
    size_t at = 0;
    enum outcome outcome = json_want_array(i->body, "sites", &list, f);
    if (outcome == OK && (json_array_size(list) == 0 || json_array_size(list) > LIMIT_SITES))
        outcome = fault_set(f, E_INVALID, "the intent %llu names no sites", (unsigned long long)i->seq);
    json_array_foreach(list, at, item)
    {
        if (outcome == OK && !json_is_string(item))
            outcome =
                fault_set(f, E_INVALID, "the intent %llu names a site that is no text", (unsigned long long)i->seq);
        if (outcome == OK && !strings_add(&sites, json_string_value(item)))
            outcome = fault_memory(f);
    }
    if (outcome == OK) {
        *ret = sites;
        sites = (struct strings){0}; /* taken by *ret */
    }
    strings_free(&sites);
    return outcome;
}

enum outcome intent_key_id(const struct digest *intent, struct buf *ret, struct fault *f)
{
    char hex[41];
    estate_key_id(intent, hex);
    buf_clear(ret);
    return hex_parse_buf(hex, ret, f);
}

enum outcome intent_accept(struct estate *e, uint64_t intent, struct fault *f)
{
    const struct state_intent *i = state_intent(&e->state, intent);
    struct strings sites = {0}, told = {0};
    enum outcome outcome = i != NULL
                               ? intent_sites(i, &sites, f)
                               : fault_set(f, E_ABSENT, "the log knows no intent %llu", (unsigned long long)intent);
    for (size_t k = 0; k < sites.count && outcome == OK; k++)
        if (!state_site_gone(&e->state, i->token, sites.items[k], i->seq) && !strings_add(&told, sites.items[k]))
            outcome = fault_memory(f);
    if (outcome == OK)
        outcome = intent_append(e, ENTRY_ACCEPTED, intent, "sites", strings_json(&told), f);
    strings_free(&sites);
    strings_free(&told);
    return outcome;
}

enum outcome intent_id_at(const struct world *w, const struct state_intent *i, const char *site, struct buf *ret,
                          struct fault *f)
{
    const struct binding *b = bindings_site(w->estate->bindings, i->token, site);
    const char *own = json_string_or_null(i->body, "caller-id");
    bool clone = b != NULL && b->cloned != NULL && strcmp(i->operation, operation_name(OP_REPLICATE)) == 0;
    buf_clear(ret);
    return clone && own != NULL ? hex_parse_buf(own, ret, f) : intent_key_id(&i->digest, ret, f);
}

enum outcome offers_remove(const struct estate *e, const struct state_intent *i, struct fault *f)
{
    enum outcome outcome = OK;
    for (size_t k = 0; k < i->offer_count && outcome == OK; k++) {
        char name[80];
        snprintf(name, sizeof name, "%s.json", digest_hex(&i->offers[k].offer).hex);
        char *path = estate_path(e, "offers", name);
        outcome = path != NULL ? file_remove(path, f) : fault_memory(f);
        free(path);
    }
    return outcome;
}

bool primary_was(const struct world *w, const char *token, const char *site)
{
    return strcmp(token_primary(w->estate, token), site) != 0;
}

/* Of a site that has retired since it concerns nobody else. */
static enum outcome left_behind(const struct world *w, const struct state_intent *i, const char *site, const char *why,
                                struct fault *f)
{
    if (state_site_gone(&w->estate->state, i->token, site, i->seq))
        return fault_set(f, E_DEVICE, LEFT_BEHIND "that HSM has retired", i->token, site, why);
    return fault_set(f, E_DEVICE, LEFT_BEHIND LEFT_BLOCKS, i->token, site, why, i->token);
}

static enum outcome primary_withdraw(struct world *w, const struct state_intent *i, const char *site, struct span id,
                                     struct fault *f)
{
    struct site_link link = {0};
    struct fault why = {0};
    const struct binding *bound = NULL;
    const struct state_site *then = state_site_before(&w->estate->state, i->token, site, i->seq);
    enum outcome outcome = site_bound(w, i->token, site, &bound, &why);
    if (outcome == OK && then != NULL && then->retired)
        outcome = site_bound_was(bound, then, &why);
    if (outcome == OK)
        outcome = site_open(w, i->token, site, SITE_EITHER, &link, &why);
    if (outcome == OK)
        outcome = site_destroy(&link, id, &why);
    site_close(&link);
    return outcome == OK ? OK : left_behind(w, i, site, why.text, f);
}

/* One more of the sites that could not be cleaned; the last of them is what f says. */
static enum outcome orphan_add(const struct world *w, const struct state_intent *i, const char *site,
                               const struct fault *why, struct strings *orphans, struct fault *f)
{
    left_behind(w, i, site, why->text, f);
    return strings_add(orphans, site) ? OK : fault_memory(f);
}

/* At the HSM that the key went to, whichever is at that site now. */
static enum outcome withdraw_begin(struct replica *r, const struct state_intent *i, struct fault *f)
{
    const struct state_site *then = state_site_before(&r->world->estate->state, i->token, r->site, i->seq);
    enum outcome outcome = OK;
    if (r->visit != NULL) {
        r->visit->intent = i->seq;
        r->visit->birth = i->digest;
        outcome = intent_id_at(r->world, i, r->site, &r->visit->id, f);
        if (outcome == OK && then != NULL && then->retired)
            outcome = replica_was(r, then, f);
    }
    return outcome == OK ? replica_begin(r, VISIT_WITHDRAW, f) : outcome;
}

/* A site that judges by itself withdraws nothing before the log says that the birth was rolled back. */
static bool waits_for_log(const struct world *w, const struct state_intent *i, const char *site, struct fault *f)
{
    if (i->state == INTENT_ROLLED_BACK || !replica_is_far(w, i->token, site))
        return false;
    fault_set(f, E_REFUSED, "it has to be told");
    return true;
}

/* Destroys what lies of it at the replica sites, side by side; those where that failed are added to *left. */
static enum outcome replicas_withdraw(struct world *w, const struct state_intent *i, const struct strings *sites,
                                      struct replicas *at, struct strings *left, struct fault *f)
{
    struct replica *r = NULL;
    struct fault why = {0};
    enum outcome outcome = OK, visit = OK;
    for (size_t k = 0; k < sites->count && outcome == OK; k++) {
        const struct binding *carried = NULL;
        if (i->state == INTENT_OPEN && site_carried(w, i->token, sites->items[k], &carried))
            continue; /* only what is provisional is ever carried away */
        if (waits_for_log(w, i, sites->items[k], &why) ||
            replicas_want(at, w, i->token, sites->items[k], &r, &why) != OK || withdraw_begin(r, i, &why) != OK)
            outcome = orphan_add(w, i, sites->items[k], &why, left, f);
    }
    while ((r = replicas_next(at, &visit, &why)) != NULL)
        if (visit != OK && outcome == OK)
            outcome = orphan_add(w, i, r->site, &why, left, f);
    return outcome;
}

enum outcome intent_withdraw(struct world *w, uint64_t intent, const char *reason, struct replicas *at, struct fault *f)
{
    struct estate *e = w->estate;
    struct strings left = {0}, orphans = {0};
    struct replicas own = {.count = 0};
    struct fault last = {0};
    struct buf id = BUF(32);
    bool tell = false;
    const struct state_intent *i = state_intent(&e->state, intent);

    if (i == NULL)
        return fault_set(f, E_ABSENT, "the log knows no intent %llu", (unsigned long long)intent);
    const char *primary = json_string_value(json_array_get(json_object_get(i->body, "sites"), 0));
    if (primary == NULL)
        return fault_set(f, E_INVALID, "the intent %llu names no sites", (unsigned long long)intent);
    enum outcome outcome = intent_key_id(&i->digest, &id, f);
    if (outcome == OK)
        outcome = primary_withdraw(w, i, primary, buf_span(&id), f);
    if (outcome == E_DEVICE && primary_was(w, i->token, primary)) {
        last = *f;
        outcome = strings_add(&left, primary) ? OK : fault_memory(f);
    }
    /* To all others nothing has gone. */
    if (outcome == OK)
        outcome = replicas_withdraw(w, i, &i->offered, at != NULL ? at : &own, &left, &last);
    for (size_t k = 0; k < left.count && outcome == OK; k++)
        if (!strings_have(&i->orphans, left.items[k]) && !strings_add(&orphans, left.items[k]))
            outcome = fault_memory(f);
    if (outcome == OK)
        outcome = offers_remove(e, i, f);
    for (size_t k = 0; k < left.count && outcome == OK; k++)
        tell = tell || replica_is_far(w, i->token, left.items[k]);
    /* From here on the state moves: i is not looked at any more. */
    for (size_t k = 0; k < orphans.count && outcome == OK; k++)
        outcome = intent_append(e, ENTRY_ORPHAN, intent, "site", json_string(orphans.items[k]), f);
    if (outcome == OK)
        outcome = intent_roll_back(e, intent, reason, f);
    if (outcome == OK && tell) {
        outcome = intent_clear_orphans(w, intent, at != NULL ? at : &own, f);
    } else if (outcome == OK && left.count > 0) {
        *f = last;
        outcome = E_DEVICE;
    }
    replicas_end(&own);
    strings_free(&left);
    strings_free(&orphans);
    buf_free(&id);
    return outcome;
}

enum outcome intent_clear_orphans(struct world *w, uint64_t intent, struct replicas *at, struct fault *f)
{
    struct strings cleared = {0}, left = {0};
    struct fault last = {0};
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    enum outcome outcome = replicas_withdraw(w, i, &i->orphans, at, &left, &last);
    for (size_t k = 0; k < i->orphans.count && outcome == OK; k++)
        if (!strings_have(&left, i->orphans.items[k]) && !strings_add(&cleared, i->orphans.items[k]))
            outcome = fault_memory(f);
    if (outcome == OK && cleared.count > 0)
        outcome = intent_append(w->estate, ENTRY_ACCEPTED, intent, "sites", strings_json(&cleared), f);
    if (outcome == OK && left.count > 0) {
        *f = last;
        outcome = E_DEVICE;
    }
    strings_free(&cleared);
    strings_free(&left);
    return outcome;
}

enum outcome receipt_log(struct estate *e, uint64_t intent, const char *site, const struct digest *offer,
                         const struct receipt *r, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_OFFER);
    struct digest digest = {0};
    json_t *body = json_object();
    enum outcome outcome = receipt_compose(r, &bytes, f);
    if (outcome == OK)
        outcome = estate_keep(e, "receipts", ".json", buf_span(&bytes), &digest, f);
    if (outcome == OK) {
        bool good = json_put_integer(body, "intent", (int64_t)intent) && json_put_digest(body, "offer", offer) &&
                    json_put_digest(body, "receipt", &digest) && json_put_string(body, "site", site);
        outcome = good ? estate_append(e, ENTRY_RECEIPT, body, NULL, f) : fault_memory(f);
    }
    json_decref(body);
    buf_free(&bytes);
    return outcome;
}
