#include "module/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

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
    snprintf(busy, sizeof busy, "%s at %s is being enrolled by another process", token, site);
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

/* Calls for every `offer` entry of this intent. */
typedef enum outcome offer_visitor(void *context, const json_t *body, struct fault *f);
static enum outcome offers_visit(const struct estate *e, uint64_t intent, offer_visitor *visit, void *context,
                                 struct fault *f)
{
    enum outcome outcome = OK;
    struct buf bytes = BUF(LIMIT_ENTRY);
    for (uint64_t seq = intent + 1; seq < log_size(e->log) && outcome == OK; seq++) {
        struct entry entry = {0};
        int64_t of = -1;
        buf_clear(&bytes);
        outcome = log_entry_bytes(e->log, seq, &bytes, f);
        if (outcome != OK)
            break;
        outcome = entry_parse(buf_span(&bytes), &entry, f);
        if (outcome == OK && entry.type == ENTRY_OFFER)
            outcome = json_want_integer(entry.body, "intent", &of, f);
        if (outcome == OK && of == (int64_t)intent)
            outcome = visit(context, entry.body, f);
        entry_clear(&entry);
    }
    buf_free(&bytes);
    return outcome;
}

static enum outcome offer_remove(void *context, const json_t *body, struct fault *f)
{
    const struct estate *e = context;
    const char *digest = NULL;
    char name[80];
    enum outcome outcome = json_want_string(body, "offer", &digest, f);
    if (outcome != OK)
        return outcome;
    snprintf(name, sizeof name, "%.64s.json", digest);
    char *path = estate_path(e, "offers", name);
    outcome = path != NULL ? file_remove(path, f) : fault_memory(f);
    free(path);
    return outcome;
}

static enum outcome site_withdraw(struct world *w, const char *token, const char *site, bool primary, struct span id,
                                  struct fault *f)
{
    struct site_link link = {0};
    enum outcome outcome = site_open(w, token, site, primary ? SITE_EITHER : SITE_MODULE, &link, f);
    if (outcome == OK)
        outcome = site_destroy(&link, id, f);
    site_close(&link);
    return outcome;
}

/* One site; one that is not cleaned becomes an orphan, once. */
static enum outcome withdraw_or_orphan(struct world *w, uint64_t intent, const char *token, const char *site,
                                       bool primary, struct span id, bool *ret_orphan, struct fault *f)
{
    struct fault why = {0};
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    bool touched = primary || (i != NULL && strings_have(&i->offered, site));
    bool known = i != NULL && strings_have(&i->orphans, site);
    enum outcome outcome = site_withdraw(w, token, site, primary, id, &why);
    if (outcome == OK || !touched)
        return OK;
    *ret_orphan = true;
    if (!known)
        outcome = intent_append(w->estate, ENTRY_ORPHAN, intent, "site", json_string(site), f);
    else
        outcome = OK;
    if (outcome == OK)
        fault_set(f, E_DEVICE,
                  "what a birth left on %s at %s could not be destroyed (%s); no key is born on %s until "
                  "`quorate settle` has cleared it",
                  token, site, why.text, token);
    return outcome;
}

enum outcome intent_withdraw(struct world *w, uint64_t intent, const char *reason, struct fault *f)
{
    struct estate *e = w->estate;
    struct strings sites = {0};
    struct buf id = BUF(32);
    char *token = NULL;
    bool orphans = false;
    const struct state_intent *i = state_intent(&e->state, intent);
    enum outcome outcome = OK;

    if (i == NULL)
        return fault_set(f, E_ABSENT, "the log knows no intent %llu", (unsigned long long)intent);
    outcome = intent_sites(i, &sites, f);
    if (outcome == OK)
        outcome = intent_key_id(&i->digest, &id, f);
    if (outcome == OK && (token = strdup(i->token)) == NULL)
        outcome = fault_memory(f);
    for (size_t k = 0; k < sites.count && outcome == OK; k++)
        outcome = withdraw_or_orphan(w, intent, token, sites.items[k], k == 0, buf_span(&id), &orphans, f);
    if (outcome == OK)
        outcome = offers_visit(e, intent, offer_remove, e, f);
    if (outcome == OK && orphans)
        outcome = E_DEVICE; /* f names the last of them */
    else if (outcome == OK)
        outcome = intent_roll_back(e, intent, reason, f);
    strings_free(&sites);
    buf_free(&id);
    free(token);
    return outcome;
}

enum outcome intent_born(struct estate *e, uint64_t intent, struct span spki, struct fault *f)
{
    const struct state_intent *i = state_intent(&e->state, intent);
    struct digest fingerprint = {0};
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
        good = digest_one(&fingerprint, spki) && json_put_digest(body, "fingerprint", &fingerprint) &&
               json_put_bytes_hex(body, "public-key", spki);
    outcome = good ? estate_append(e, ENTRY_BORN, body, NULL, f) : fault_memory(f);
out:
    json_decref(body);
    return outcome;
}

static enum outcome site_name_key(struct world *w, const char *token, const char *site, bool primary, struct span id,
                                  struct span wanted, const char *label, struct fault *f)
{
    struct site_link link = {0};
    enum outcome outcome = site_open(w, token, site, primary ? SITE_EITHER : SITE_MODULE, &link, f);
    if (outcome == OK)
        outcome = site_rename(&link, id, wanted, label, f);
    site_close(&link);
    return outcome;
}

static json_t *strings_json(const struct strings *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->count && list != NULL; i++)
        if (json_array_append_new(list, json_string(s->items[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

enum outcome intent_complete(struct world *w, uint64_t intent, struct fault *f)
{
    struct estate *e = w->estate;
    const struct state_intent *i = state_intent(&e->state, intent);
    struct strings sites = {0};
    struct buf id = BUF(32), wanted = BUF(255);

    if (i == NULL)
        return fault_set(f, E_ABSENT, "the log knows no intent %llu", (unsigned long long)intent);
    const char *caller = json_string_or_null(i->body, "caller-id");
    enum outcome outcome = intent_sites(i, &sites, f);
    if (outcome == OK)
        outcome = intent_key_id(&i->digest, &id, f);
    if (outcome == OK && caller != NULL)
        outcome = hex_parse_buf(caller, &wanted, f);
    /* Nothing is appended before the end: i stays good. */
    for (size_t k = 0; k < sites.count && outcome == OK && caller != NULL; k++)
        outcome = site_name_key(w, i->token, sites.items[k], k == 0, buf_span(&id), buf_span(&wanted),
                                i->label != NULL ? i->label : "", f);
    if (outcome == OK)
        outcome = offers_visit(e, intent, offer_remove, e, f);
    if (outcome == OK)
        outcome = intent_append(e, ENTRY_ACCEPTED, intent, "sites", strings_json(&sites), f);
    strings_free(&sites);
    buf_free(&id);
    buf_free(&wanted);
    return outcome;
}
