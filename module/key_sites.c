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
    buf_free(&k->public_key);
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

bool key_sites_name(const struct state_key *key, struct key_sites *ret)
{
    *ret = (struct key_sites){.token = strdup(key->token),
                              .label = strdup(key->label),
                              .class_name = strdup(key->class_name),
                              .id = strdup(key->id),
                              .born = key->seq,
                              .public_key = BUF(LIMIT_ATTRIBUTE)};
    buf_put(&ret->public_key, key->public_key.data, key->public_key.len);
    return ret->token && ret->label && ret->class_name && ret->id && !ret->public_key.failed;
}

enum outcome key_sites_of(const struct world *w, const struct state_key *key, struct key_sites *ret, struct fault *f)
{
    struct key_sites k;
    const char *primary = primary_of(w, key->token);
    bool good = key_sites_name(key, &k) && strings_add(&k.sites, primary);

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

static bool is_primary(const struct world *w, const struct key_sites *k, const char *site)
{
    return strcmp(site, primary_of(w, k->token)) == 0;
}

/* What a visit needs to know of the key. t may be NULL. */
static enum outcome key_describe(const struct key_sites *k, const struct template *t, struct visit *v, struct fault *f)
{
    v->class = site_key_class(k->class_name);
    template_clear(&v->attributes);
    buf_clear(&v->public_key);
    buf_put(&v->public_key, k->public_key.data, k->public_key.len);
    enum outcome outcome = v->public_key.failed ? fault_memory(f) : hex_parse_buf(k->id, &v->id, f);
    if (outcome == OK && t != NULL)
        outcome = template_copy(t->items, t->count, &v->attributes, f);
    return outcome;
}

/* The same at the primary, by the calling thread on a session of its own. */
static enum outcome primary_visit(struct world *w, const struct key_sites *k, const char *site,
                                  const struct template *t, visit_fn *run, struct fault *f)
{
    struct visit v = {.token = k->token, .id = BUF(LIMIT_LABEL), .public_key = BUF(LIMIT_ATTRIBUTE)};
    enum outcome outcome = key_describe(k, t, &v, f);

    if (outcome == OK)
        outcome = site_open(w, k->token, site, SITE_EITHER, &v.link, f);
    if (outcome == OK)
        outcome = run(&v, f);
    site_close(&v.link);
    template_clear(&v.attributes);
    buf_free(&v.public_key);
    buf_free(&v.id);
    return outcome;
}

/* What a site that judges by itself is to be told: which end this is, and which key it is there. */
static enum outcome key_end_describe(const struct world *w, const struct key_sites *k, struct visit *v, struct fault *f)
{
    const struct state_key *key = state_key_ever(&w->estate->state, k->born);
    struct key_end end;
    enum outcome outcome =
        key != NULL ? key_end_find(&w->estate->state, key, v->bound.site, &end, f)
                    : fault_set(f, E_INVALID, "no key of the log was born in entry %llu", (unsigned long long)k->born);

    if (outcome == OK) {
        v->end = end;
        v->birth = end.way;
    }
    return outcome;
}

static enum outcome replica_begin_key(struct replicas *at, struct world *w, const struct key_sites *k, const char *site,
                                      const struct template *t, enum visit_kind kind, struct fault *f)
{
    struct replica *r = NULL;
    enum outcome outcome = replicas_want(at, w, k->token, site, &r, f);

    if (outcome == OK && r->visit != NULL)
        outcome = key_describe(k, t, r->visit, f);
    if (outcome == OK && r->visit != NULL && r->far && kind == VISIT_DESTROY)
        outcome = key_end_describe(w, k, r->visit, f);
    return outcome == OK ? replica_begin(r, kind, f) : outcome;
}

static enum outcome key_visit(struct world *w, const struct key_sites *k, const char *site, const struct template *t,
                              enum visit_kind kind, visit_fn *run, struct fault *f)
{
    struct replicas at = {.count = 0};
    enum outcome outcome = OK, visit = OK;

    if (is_primary(w, k, site))
        return primary_visit(w, k, site, t, run, f);
    outcome = replica_begin_key(&at, w, k, site, t, kind, f);
    if (outcome == OK && replicas_next(&at, &visit, f) != NULL)
        outcome = visit;
    replicas_end(&at);
    return outcome;
}

enum outcome key_sites_ready(struct world *w, const struct key_sites *k, struct fault *f)
{
    struct replicas at = {.count = 0};
    struct fault why = {0};
    enum outcome outcome = OK, visit = OK;

    /* One that is here alone answers for itself in a moment. */
    if (k->sites.count <= 1)
        return OK;
    for (size_t i = 0; i < k->sites.count && outcome == OK; i++)
        if (!is_primary(w, k, k->sites.items[i]))
            outcome = replica_begin_key(&at, w, k, k->sites.items[i], NULL, VISIT_HOLDS, f);
    if (outcome == OK)
        outcome = primary_visit(w, k, primary_of(w, k->token), NULL, visit_holds, f);
    while (replicas_next(&at, &visit, &why) != NULL)
        if (visit != OK && outcome == OK) {
            outcome = visit;
            *f = why;
        }
    replicas_end(&at);
    return outcome;
}

enum outcome key_set_at(struct world *w, const struct key_sites *k, const char *site, const struct template *t,
                        struct fault *f)
{
    return key_visit(w, k, site, t, VISIT_CHANGE, visit_change, f);
}

enum outcome key_holds(struct world *w, const struct key_sites *k, const struct template *t, bool *ret, struct fault *f)
{
    enum outcome outcome = primary_visit(w, k, k->sites.items[0], t, visit_compare, f);

    if (outcome == OK || outcome == E_REFUSED) {
        *ret = outcome == OK;
        outcome = OK;
    }
    return outcome;
}

enum outcome key_there(struct world *w, const struct key_sites *k, bool *ret, struct fault *f)
{
    enum outcome outcome = k->id[0] ? primary_visit(w, k, k->sites.items[0], NULL, visit_holds, f) : OK;

    if (outcome == OK || outcome == E_ABSENT) {
        *ret = outcome == OK;
        outcome = OK;
    }
    return outcome;
}

enum outcome key_destroy_at(struct world *w, const struct key_sites *k, const char *site, struct fault *f)
{
    if (!k->id[0])
        return fault_set(f, E_REFUSED, "the key \"%s\" has no CKA_ID to find it by", k->label);
    return key_visit(w, k, site, NULL, VISIT_DESTROY, visit_destroy, f);
}

enum outcome key_destroy_far(struct world *w, struct key_sites *k, struct fault *f)
{
    struct replicas at = {.count = 0};
    struct replica *r = NULL;
    struct strings left = {0}, gone = {0};
    struct fault why = {0};
    enum outcome outcome = OK, visit = OK;

    for (size_t i = 0; i < k->left.count && k->id[0]; i++)
        if (replica_is_far(w, k->token, k->left.items[i]))
            replica_begin_key(&at, w, k, k->left.items[i], NULL, VISIT_DESTROY, &why);
    while ((r = replicas_next(&at, &visit, &why)) != NULL)
        if (visit == OK && !strings_add(&gone, r->site))
            outcome = fault_memory(f);
    replicas_end(&at);
    for (size_t i = 0; i < k->left.count && outcome == OK; i++)
        if (!strings_add(strings_have(&gone, k->left.items[i]) ? &k->sites : &left, k->left.items[i]))
            outcome = fault_memory(f);
    if (outcome == OK) {
        strings_free(&k->left);
        k->left = left;
        left = (struct strings){0}; /* taken by k */
    }
    strings_free(&left);
    strings_free(&gone);
    return outcome;
}
