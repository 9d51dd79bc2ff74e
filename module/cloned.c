#include "module/cloned.h"

#include <stdio.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/birth.h"
#include "module/carried.h"
#include "module/recovery.h"

struct collection {
    struct world *world;
    uint64_t intent;
    struct replicas at;
    bool prove_signature;
    bool awaited; /* somebody's answer still is */
    bool wrong;   /* what lies at a site is not the key */
    struct fault reason;
    struct buf todo;
};

void cloned_todo(struct buf *ret, struct span id, const char *primary, const char *site, const char *vendor)
{
    struct buf hex = BUF(2 * LIMIT_LABEL);
    hex_put(&hex, id);
    buf_putf(ret, "; clone CKA_ID %s from %s to %s with %s, then ask again", buf_str(&hex), primary, site, vendor);
    buf_free(&hex);
}

/* Keys are cloned to this site, and it has not answered. */
static const char *vendor_awaited(const struct world *w, const struct state_intent *i, const char *site)
{
    const struct binding *b = bindings_site(w->estate->bindings, i->token, site);
    return b != NULL && !strings_have(&i->receipted, site) && strings_have(&i->offered, site) ? b->cloned : NULL;
}

bool cloned_awaited(const struct world *w, uint64_t intent)
{
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    for (size_t k = 0; i != NULL && i->state == INTENT_PROVISIONAL && k < i->offered.count; k++)
        if (vendor_awaited(w, i, i->offered.items[k]) != NULL)
            return true;
    return false;
}

/* As it was written when the key was made. */
static enum outcome offer_take(const struct collection *c, const struct state_intent *i, struct visit *v,
                               struct fault *f)
{
    struct buf bytes = BUF(LIMIT_OFFER);
    enum outcome outcome = E_ABSENT;
    fault_set(f, E_ABSENT, "the log has no offer to %s", v->bound.site);
    for (size_t k = 0; k < i->offer_count && outcome == E_ABSENT; k++) {
        if (strcmp(i->offers[k].site, v->bound.site) != 0)
            continue;
        outcome = estate_kept(c->world->estate, "offers", ".json", &i->offers[k].offer, &bytes, f);
        if (outcome == OK) {
            offer_clear(&v->offer);
            v->offer_digest = i->offers[k].offer;
            outcome = offer_parse(buf_span(&bytes), &v->offer, f);
        }
        if (outcome == OK && !offer_is_clone(v->offer.mechanism))
            outcome = fault_set(f, E_REFUSED, "%s was offered the key by %s, and is bound as cloned now", v->bound.site,
                                v->offer.mechanism);
    }
    buf_free(&bytes);
    return outcome;
}

static enum outcome visits_begin(struct collection *c, struct fault *f)
{
    const struct state_intent *i = state_intent(&c->world->estate->state, c->intent);
    struct replica *r = NULL;
    enum outcome outcome = OK;
    for (size_t k = 0; k < i->offered.count && outcome == OK; k++) {
        if (vendor_awaited(c->world, i, i->offered.items[k]) == NULL)
            continue;
        outcome = replicas_want(&c->at, c->world, i->token, i->offered.items[k], &r, f);
        if (outcome == OK)
            outcome = offer_take(c, i, r->visit, f);
        if (outcome == OK)
            outcome = intent_id_at(c->world, i, r->site, &r->visit->id, f);
        if (outcome == OK)
            outcome = replica_begin(r, VISIT_CLONE, f);
    }
    return outcome;
}

/* A key pair that was approved to sign; a rule for what is brought to a site says nothing of proofs. */
static bool signs_as_offered(const struct offer *o)
{
    const char *sign = json_string_or_null(o->attributes, "CKA_SIGN");
    return o->public_attributes != NULL && sign != NULL && strcmp(sign, "true") == 0;
}

static enum outcome answer_check(const struct collection *c, const struct replica *r, struct fault *f)
{
    const struct visit *v = r->visit;
    enum outcome outcome =
        receipt_verify(&v->receipt, &v->offer, &v->offer_digest, buf_span(&v->pinned.identity), v->serial, f);
    bool signs = (c->prove_signature && v->offer.public_attributes != NULL) || signs_as_offered(&v->offer);
    if (outcome == OK && signs && strcmp(v->receipt.proof, "signature") != 0)
        outcome = fault_set(f, E_REFUSED, "the replica at %s did not sign, and the rule asks for that proof", r->site);
    return outcome == OK ? OK : fault_context(f, "what lies at %s is not the key that was made", r->site);
}

/* One site has answered, or has not. */
static enum outcome answer_take(struct collection *c, struct replica *r, enum outcome visit, struct fault *f)
{
    const struct state_intent *i = state_intent(&c->world->estate->state, c->intent);
    const char *primary = json_string_value(json_array_get(json_object_get(i->body, "sites"), 0));
    struct buf id = BUF(LIMIT_LABEL);
    enum outcome outcome = visit == OK ? answer_check(c, r, f) : visit;
    if (visit == OK ? outcome != OK : r->visit != NULL && r->visit->clone_wrong) {
        c->wrong = true;
        c->reason = *f;
        return OK;
    }
    if (visit == OK)
        return receipt_log(c->world->estate, c->intent, r->site, &r->visit->offer_digest, &r->visit->receipt, f);
    c->awaited = true;
    buf_putf(&c->todo, "; %s", f->text);
    outcome = intent_id_at(c->world, i, r->site, &id, f);
    if (outcome == OK && visit == E_ABSENT)
        cloned_todo(&c->todo, buf_span(&id), primary != NULL ? primary : "", r->site, r->cloned);
    buf_free(&id);
    return outcome;
}

static enum outcome sites_ask(struct collection *c, struct fault *f)
{
    struct replica *r = NULL;
    struct fault why = {0};
    enum outcome visit = OK, outcome = visits_begin(c, f);
    while ((r = replicas_next(&c->at, &visit, &why)) != NULL) {
        enum outcome one = outcome == OK ? answer_take(c, r, visit, &why) : OK;
        if (one != OK) {
            outcome = one;
            *f = why;
        }
    }
    return outcome;
}

static enum outcome rule_read(struct collection *c, struct fault *f)
{
    struct request *r = NULL;
    const struct rule *rule = NULL;
    enum outcome outcome =
        estate_request(c->world->estate, &state_intent(&c->world->estate->state, c->intent)->request, &r, f);
    if (outcome == OK)
        rule = policy_rule(c->world->estate->policy, r->rule);
    c->prove_signature = rule == NULL || rule->replicas.prove_signature;
    request_free(r);
    return outcome;
}

/* With the birth's lock. */
static enum outcome collect_locked(struct collection *c, struct fault *f)
{
    struct world *w = c->world;
    enum outcome outcome = estate_refresh(w->estate, f);
    if (outcome != OK || !cloned_awaited(w, c->intent) ||
        moment_now() > state_intent(&w->estate->state, c->intent)->until)
        return outcome;
    outcome = provisional_stands(w, c->intent, f);
    if (outcome == OK)
        outcome = rule_read(c, f);
    if (outcome == OK)
        outcome = sites_ask(c, f);
    if (outcome == OK && c->wrong) {
        outcome = intent_withdraw(w, c->intent, c->reason.text, &c->at, f);
        if (outcome == OK)
            outcome = fault_set(f, E_REFUSED, "it is rolled back: %.480s", c->reason.text);
    } else if (outcome == OK && c->awaited) {
        outcome = fault_set(f, E_PENDING, "the key is provisional until %s%s",
                            moment_format(state_intent(&w->estate->state, c->intent)->until).text, buf_str(&c->todo));
    }
    return outcome;
}

enum outcome cloned_collect(struct world *w, uint64_t intent, struct fault *f)
{
    struct collection c = {.world = w, .intent = intent, .todo = BUF(900)};
    struct lock *lock = NULL;
    char token[LIMIT_NAME + 1];
    struct digest request = state_intent(&w->estate->state, intent)->request;
    snprintf(token, sizeof token, "%s", state_intent(&w->estate->state, intent)->token);
    enum outcome outcome = birth_lock(w->estate, &request, &lock, f);
    if (outcome == OK) {
        w->carried = lock;
        outcome = collect_locked(&c, f);
        replicas_end(&c.at);
        w->carried = NULL;
        lock_release(lock);
    }
    buf_free(&c.todo);
    /* Where that was the last one, the birth ends as one that died just before its end. */
    return outcome == OK ? settle_token(w, token, NULL, f) : outcome;
}

enum outcome cloned_key(struct world *w, uint64_t intent, CK_OBJECT_HANDLE *ret_secret, CK_OBJECT_HANDLE *ret_public,
                        struct fault *f)
{
    const struct state *s = &w->estate->state;
    const struct state_key *key = NULL;
    struct site_link link = {0};
    struct buf id = BUF(LIMIT_LABEL);
    for (size_t k = s->key_count; k-- > 0 && key == NULL;)
        if (s->keys[k].intent == intent && !s->keys[k].destroyed)
            key = &s->keys[k];
    if (key == NULL)
        return fault_set(f, E_PENDING, "the birth of entry %llu has not ended: ask again", (unsigned long long)intent);
    bool pair = strcmp(key->class_name, "private-key") == 0;
    enum outcome outcome = hex_parse_buf(key->id, &id, f);
    if (outcome == OK)
        outcome = site_open(w, key->token, key->sites.items[0], SITE_EITHER, &link, f);
    if (outcome == OK)
        outcome = site_find_one(&link, pair ? CKO_PRIVATE_KEY : CKO_SECRET_KEY, buf_span(&id), ret_secret, f);
    if (outcome == OK && pair)
        outcome = site_find_one(&link, CKO_PUBLIC_KEY, buf_span(&id), ret_public, f);
    site_close(&link);
    buf_free(&id);
    return outcome;
}

enum outcome cloned_settle(struct world *w, json_t *report, struct fault *f)
{
    enum outcome outcome = estate_refresh(w->estate, f);
    for (size_t k = 0; k < w->estate->state.intent_count && outcome == OK; k++) {
        struct fault why = {0};
        uint64_t seq = w->estate->state.intents[k].seq;
        if (!cloned_awaited(w, seq))
            continue;
        enum outcome one = cloned_collect(w, seq, &why);
        if (report != NULL && json_array_append_new(report, json_pack("{sIss}", "intent", (json_int_t)seq, "outcome",
                                                                      one == OK ? "finished" : why.text)) != 0)
            outcome = fault_memory(f);
    }
    return outcome;
}
