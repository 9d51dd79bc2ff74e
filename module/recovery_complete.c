#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/recovery.h"

/* After `born`: what is still to be done at the sites. */

char *told_path(const struct estate *e, uint64_t intent, const char *site)
{
    char name[LIMIT_NAME + 40];
    snprintf(name, sizeof name, "%llu.%.64s.told", (unsigned long long)intent, site);
    return estate_path(e, "offers", name);
}

/* Whether a site that files are carried to is yet to be told; where none is, what said so is removed. */
static enum outcome sites_untold(const struct world *w, const struct state_intent *i, const struct strings *sites,
                                 bool remove, bool *ret, struct fault *f)
{
    const struct binding *b = NULL;
    enum outcome outcome = OK;
    for (size_t k = 1; k < sites->count && outcome == OK; k++) {
        if (!site_carried(w, i->token, sites->items[k], &b) ||
            state_site_gone(&w->estate->state, i->token, sites->items[k], i->seq))
            continue;
        char *path = told_path(w->estate, i->seq, sites->items[k]);
        if (path == NULL)
            outcome = fault_memory(f);
        else if (remove)
            outcome = file_remove(path, f);
        else
            *ret = *ret || !file_exists(path);
        free(path);
    }
    return outcome;
}

/* What the sites are told of a key, or do with it, once it is born. */
struct naming {
    struct world *world;
    const struct state_intent *intent;
    const char *label; /* that it has now */
    struct buf id;     /* that it has at the sites until they are told */
    struct buf wanted; /* that it gets; empty: it keeps that one */
    bool ended;        /* it was destroyed meanwhile: what still has the first id goes */
};

/* The key that came of it, destroyed or not. */
static const struct state_key *key_of(const struct state *s, const struct state_intent *i)
{
    const struct state_key *key = NULL;
    if (strcmp(i->operation, operation_name(OP_REPLICATE)) == 0)
        return state_key_ever(s, (uint64_t)json_integer_value(json_object_get(i->body, "born")));
    for (size_t k = s->key_count; k-- > 0 && key == NULL;)
        if (s->keys[k].intent == i->seq)
            key = &s->keys[k];
    return key;
}

static enum outcome naming_read(struct naming *n, struct fault *f)
{
    const struct state_intent *i = n->intent;
    const struct state_key *key = key_of(&n->world->estate->state, i);
    if (key == NULL)
        return fault_set(f, E_ABSENT, "no key of the log came of intent %llu", (unsigned long long)i->seq);
    n->label = key->label;
    n->ended = key->destroyed;
    enum outcome outcome = intent_key_id(&i->digest, &n->id, f);
    return outcome == OK && json_string_or_null(i->body, "caller-id") != NULL ? hex_parse_buf(key->id, &n->wanted, f)
                                                                              : outcome;
}

static enum outcome primary_name_key(const struct naming *n, const char *site, struct fault *f)
{
    struct site_link link = {0};
    enum outcome outcome = site_open(n->world, n->intent->token, site, SITE_EITHER, &link, f);
    if (outcome == OK)
        outcome = n->ended ? site_destroy(&link, buf_span(&n->id), f)
                           : site_rename(&link, buf_span(&n->id), buf_span(&n->wanted), n->label, f);
    site_close(&link);
    return outcome;
}

static enum outcome name_begin(struct replica *r, const struct naming *n, struct fault *f)
{
    struct visit *v = r->visit;
    if (v != NULL) {
        v->intent = n->intent->seq;
        v->birth = n->intent->digest;
        buf_clear(&v->id);
        buf_clear(&v->wanted);
        buf_put(&v->id, n->id.data, n->id.len);
        buf_put(&v->wanted, n->wanted.data, n->wanted.len);
        free(v->label);
        v->label = strdup(n->label);
        if (v->id.failed || v->wanted.failed || v->label == NULL)
            return fault_memory(f);
    }
    return replica_begin(r, n->ended && !r->far ? VISIT_WITHDRAW : VISIT_NAME, f);
}

/* The caller's CKA_ID, where there is one, at every site that has not retired, and word to those that judge by themselves; the
 * primary's turn comes while the others are at it. */
static enum outcome sites_name_key(const struct naming *n, const struct strings *sites, struct replicas *at,
                                   struct fault *f)
{
    struct world *w = n->world;
    const struct state_intent *i = n->intent;
    const struct state *s = &w->estate->state;
    struct replica *r = NULL;
    struct fault why = {0};
    enum outcome outcome = OK, visit = OK;
    for (size_t k = 1; k < sites->count && outcome == OK; k++) {
        if ((n->wanted.len == 0 && !replica_is_far(w, i->token, sites->items[k])) ||
            state_site_gone(s, i->token, sites->items[k], i->seq))
            continue;
        outcome = replicas_want(at, w, i->token, sites->items[k], &r, f);
        if (outcome == OK && !r->carried)
            outcome = name_begin(r, n, f);
    }
    if (outcome == OK && n->wanted.len > 0 && sites->count > 0 &&
        strcmp(i->operation, operation_name(OP_REPLICATE)) != 0 &&
        !state_site_gone(s, i->token, sites->items[0], i->seq))
        outcome = primary_name_key(n, sites->items[0], f);
    while ((r = replicas_next(at, &visit, &why)) != NULL)
        if (visit != OK && outcome == OK) {
            outcome = visit;
            *f = why;
        }
    return outcome;
}

enum outcome intent_complete(struct world *w, uint64_t intent, struct replicas *at, struct fault *f)
{
    struct estate *e = w->estate;
    struct naming n = {.world = w, .intent = state_intent(&e->state, intent), .id = BUF(32), .wanted = BUF(255)};
    struct strings sites = {0};
    struct replicas own = {.count = 0};

    if (n.intent == NULL)
        return fault_set(f, E_ABSENT, "the log knows no intent %llu", (unsigned long long)intent);
    enum outcome outcome = intent_sites(n.intent, &sites, f);
    if (outcome == OK)
        outcome = naming_read(&n, f);
    /* Nothing is appended before the end: the intent stays good. */
    if (outcome == OK)
        outcome = sites_name_key(&n, &sites, at != NULL ? at : &own, f);
    if (outcome == OK)
        outcome = offers_remove(e, n.intent, f);
    bool untold = false;
    if (outcome == OK)
        outcome = sites_untold(w, n.intent, &sites, false, &untold, f);
    if (outcome == OK && !untold)
        outcome = intent_accept(e, intent, f);
    if (outcome == OK && !untold)
        outcome = sites_untold(w, state_intent(&e->state, intent), &sites, true, &untold, f);
    replicas_end(&own);
    strings_free(&sites);
    buf_free(&n.id);
    buf_free(&n.wanted);
    return outcome;
}
