#include "module/key_sites.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"

void key_sites_clear(struct key_sites *k)
{
    free(k->token);
    free(k->label);
    free(k->class_name);
    free(k->id);
    strings_free(&k->sites);
    strings_free(&k->left);
    *k = (struct key_sites){0};
}

bool key_alone(const struct state_key *key)
{
    return key->sites.count <= 1;
}

static const char *primary_of(const struct world *w, const char *token)
{
    const struct shown_token *t = world_token(w, token);

    return t ? t->primary : "";
}

enum outcome key_sites_of(const struct world *w, const struct state_key *key, struct key_sites *ret, struct fault *f)
{
    struct key_sites k = {.token = strdup(key->token),
                          .label = strdup(key->label),
                          .class_name = strdup(key->class_name),
                          .id = strdup(key->id)};
    const char *primary = primary_of(w, key->token);
    bool good = k.token && k.label && k.class_name && k.id && strings_add(&k.sites, primary);

    for (size_t i = 0; good && i < key->sites.count; i++) {
        const char *site = key->sites.items[i];
        const struct binding *bound = NULL;
        struct fault ignored = {0};

        if (strcmp(site, primary) == 0)
            continue;
        good = strings_add(site_bound(w, key->token, site, &bound, &ignored) == OK ? &k.sites : &k.left, site);
    }
    if (good) {
        *ret = k;
        return OK;
    }
    key_sites_clear(&k);
    return fault_memory(f);
}

static json_t *list_json(const struct strings *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->count && list; i++)
        if (json_array_append_new(list, json_string(s->items[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

json_t *key_sites_more(const struct key_sites *k)
{
    json_t *more = json_object();

    if (!k->token || !k->id[0])
        return more; /* nothing that recovery could find it by */
    if (json_put_string(more, "class", k->class_name) && json_put_string(more, "id", k->id) &&
        json_put(more, "sites", list_json(&k->sites)))
        return more;
    json_decref(more);
    return NULL;
}

json_t *key_sites_body(const struct key_sites *k)
{
    json_t *body = json_object();

    if (json_put_string(body, "class", k->class_name) && json_put_string(body, "id", k->id) &&
        json_put_string(body, "label", k->label) && json_put_string(body, "token", k->token))
        return body;
    json_decref(body);
    return NULL;
}

json_t *destroyed_body(const struct key_sites *k)
{
    json_t *body = key_sites_body(k), *sites = json_array(), *left = json_array();
    bool good = body && sites && left;

    for (size_t i = 0; good && i < k->sites.count; i++)
        good = json_array_append_new(sites, json_string(k->sites.items[i])) == 0;
    for (size_t i = 0; good && i < k->left.count; i++)
        good = json_array_append_new(left, json_string(k->left.items[i])) == 0;
    good = good && json_put(body, "sites", json_incref(sites)) &&
           (k->left.count == 0 || json_put(body, "left", json_incref(left)));
    json_decref(sites);
    json_decref(left);
    if (good)
        return body;
    json_decref(body);
    return NULL;
}

static enum outcome key_open(struct world *w, const struct key_sites *k, const char *site, struct site_link *ret,
                             struct fault *f)
{
    bool primary = strcmp(site, primary_of(w, k->token)) == 0;

    return site_open(w, k->token, site, primary ? SITE_EITHER : SITE_MODULE, ret, f);
}

static CK_OBJECT_CLASS key_class(const struct key_sites *k)
{
    return strcmp(k->class_name, "private-key") == 0 ? CKO_PRIVATE_KEY : CKO_SECRET_KEY;
}

/* The key by the id that it had, else by the one that it may have got already. */
static enum outcome key_find(const struct site_link *link, const struct key_sites *k, const struct template *t,
                             CK_OBJECT_HANDLE *ret, struct fault *f)
{
    struct buf id = BUF(LIMIT_LABEL);
    const CK_ATTRIBUTE *other = t ? template_find(t, CKA_ID) : NULL;
    enum outcome outcome = hex_parse_buf(k->id, &id, f);

    if (outcome == OK)
        outcome = site_find_one(link, key_class(k), buf_span(&id), ret, f);
    if (outcome == E_ABSENT && other)
        outcome = site_find_one(link, key_class(k), span_of(other->pValue, other->ulValueLen), ret, f);
    buf_free(&id);
    return outcome;
}

enum outcome key_sites_ready(struct world *w, const struct key_sites *k, struct fault *f)
{
    enum outcome outcome = OK;

    /* One that is here alone answers for itself in a moment. */
    for (size_t i = 0; k->sites.count > 1 && i < k->sites.count && outcome == OK; i++) {
        struct site_link link = {0};
        CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;

        outcome = key_open(w, k, k->sites.items[i], &link, f);
        if (outcome == OK)
            outcome = key_find(&link, k, NULL, &key, f);
        site_close(&link);
    }
    return outcome;
}

enum outcome key_set_at(struct world *w, const struct key_sites *k, const char *site, const struct template *t,
                        struct fault *f)
{
    struct site_link link = {0};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    enum outcome outcome = key_open(w, k, site, &link, f);
    CK_RV rv;

    if (outcome == OK)
        outcome = key_find(&link, k, t, &key, f);
    if (outcome == OK) {
        rv = link.f->C_SetAttributeValue(link.session, key, t->items, t->count);
        if (rv != CKR_OK)
            outcome = site_fault(&link, "C_SetAttributeValue", rv, f);
    }
    if (outcome == OK)
        outcome = site_compare(&link, key, t, f);
    site_close(&link);
    return outcome;
}

enum outcome key_holds(struct world *w, const struct key_sites *k, const struct template *t, bool *ret, struct fault *f)
{
    struct site_link link = {0};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    enum outcome outcome = key_open(w, k, k->sites.items[0], &link, f);

    if (outcome == OK)
        outcome = key_find(&link, k, t, &key, f);
    if (outcome == OK) {
        outcome = site_compare(&link, key, t, f);
        *ret = outcome == OK;
        if (outcome == E_REFUSED)
            outcome = OK;
    }
    site_close(&link);
    return outcome;
}

enum outcome key_there(struct world *w, const struct key_sites *k, bool *ret, struct fault *f)
{
    struct site_link link = {0};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    enum outcome outcome = k->id[0] ? key_open(w, k, k->sites.items[0], &link, f) : OK;

    if (outcome == OK && k->id[0])
        outcome = key_find(&link, k, NULL, &key, f);
    if (outcome == OK || outcome == E_ABSENT) {
        *ret = outcome == OK;
        outcome = OK;
    }
    site_close(&link);
    return outcome;
}

enum outcome key_destroy_at(struct world *w, const struct key_sites *k, const char *site, struct fault *f)
{
    struct site_link link = {0};
    struct buf id = BUF(LIMIT_LABEL);
    enum outcome outcome = hex_parse_buf(k->id, &id, f);

    if (outcome == OK && id.len == 0)
        outcome = fault_set(f, E_REFUSED, "the key \"%s\" has no CKA_ID to find it by", k->label);
    if (outcome == OK)
        outcome = key_open(w, k, site, &link, f);
    if (outcome == OK)
        outcome = site_destroy(&link, buf_span(&id), f);
    site_close(&link);
    buf_free(&id);
    return outcome;
}
