#include "module/retire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/recovery.h"
#include "module/replica.h"
#include "module/retire_inner.h"

/* Under the id that it had until its birth, or its way to this site, was completed: this HSM may never have been told. */
static enum outcome newborn_clear(const struct site_link *link, const struct state *s, const struct state_key *k,
                                  struct fault *f)
{
    struct buf id = BUF(32);
    enum outcome outcome = OK;
    for (size_t i = 0; i < s->intent_count && outcome == OK; i++) {
        const struct state_intent *n = &s->intents[i];
        bool brought = strcmp(n->operation, operation_name(OP_REPLICATE)) == 0 &&
                       (uint64_t)json_integer_value(json_object_get(n->body, "born")) == k->seq;
        if (n->seq != k->intent && !brought)
            continue;
        outcome = intent_key_id(&n->digest, &id, f);
        if (outcome == OK)
            outcome = site_destroy(link, buf_span(&id), f);
    }
    buf_free(&id);
    return outcome;
}

static enum outcome key_clear(const struct site_link *link, const struct state_key *k, struct fault *f)
{
    struct buf id = BUF(LIMIT_LABEL);
    enum outcome outcome = hex_parse_buf(k->id, &id, f);
    if (outcome == OK && id.len == 0)
        outcome = fault_set(f, E_REFUSED, "the key \"%s\" has no CKA_ID to find it by: destroy it with the HSM's tools",
                            k->label);
    if (outcome == OK)
        outcome = site_key_destroy(link, site_key_class(k->class_name), buf_span(&id), buf_span(&k->public_key), f);
    buf_free(&id);
    return outcome;
}

/* A site that judges by itself does that by itself, and signs it with the key that it was enrolled with. */
static enum outcome far_clear(struct world *w, uint64_t intent, const struct state_site *retired, struct fault *f)
{
    struct replicas at = {.count = 0};
    struct replica *r = NULL;
    struct digest digest = state_intent(&w->estate->state, intent)->digest;
    enum outcome outcome = replicas_want(&at, w, retired->token, retired->site, &r, f);

    if (outcome == OK)
        outcome = replica_was(r, retired, f);
    if (outcome == OK) {
        r->visit->end = (struct key_end){MESSAGE_WITHDRAW, intent, digest};
        r->visit->birth = digest;
    }
    if (outcome == OK)
        outcome = replica_visit(r, VISIT_DESTROY, f);
    replicas_end(&at);
    return outcome;
}

/* Destroys what stands at the retired HSM of keys that it held, and looks that nothing is left. No other HSM is touched. */
static enum outcome replicas_clear(struct world *w, uint64_t intent, const char *token, const char *site,
                                   struct fault *f)
{
    const struct state *s = &w->estate->state;
    const struct state_site *retired = state_site_before(s, token, site, intent);
    const struct binding *bound = NULL;
    struct site_link link = {0};
    if (retired != NULL && (replica_is_far(w, token, site) || site_carried(w, token, site, &bound)))
        return far_clear(w, intent, retired, f);
    enum outcome outcome = site_bound(w, token, site, &bound, f);

    if (outcome == OK)
        outcome = retired != NULL ? site_bound_was(bound, retired, f)
                                  : fault_set(f, E_INVALID, "no HSM of %s at %s was to retire", token, site);
    if (outcome == OK)
        outcome = site_open(w, token, site, SITE_MODULE, &link, f);
    for (size_t i = 0; i < s->key_count && outcome == OK; i++)
        if (strcmp(s->keys[i].token, token) == 0 && strings_have(&s->keys[i].retired, site)) {
            outcome = newborn_clear(&link, s, &s->keys[i], f);
            if (outcome == OK)
                outcome = key_clear(&link, &s->keys[i], f);
        }
    site_close(&link);
    return outcome;
}

static enum outcome cleared_log(struct world *w, uint64_t intent, const char *site, struct fault *f)
{
    json_t *body = json_object(), *sites = json_array();
    bool good = sites != NULL && json_array_append_new(sites, json_string(site)) == 0 &&
                json_put_integer(body, "intent", (int64_t)intent) && json_put(body, "sites", json_incref(sites));
    enum outcome outcome = good ? estate_append(w->estate, ENTRY_ACCEPTED, body, NULL, f) : fault_memory(f);
    json_decref(sites);
    json_decref(body);
    return outcome;
}

enum outcome retired_finish(struct world *w, uint64_t intent, struct fault *ret_text, struct fault *f)
{
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    if (i->orphans.count == 0)
        return OK;
    char *token = strdup(i->token), *site = strdup(i->orphans.items[0]);
    enum outcome outcome = token != NULL && site != NULL ? replicas_clear(w, intent, token, site, f) : fault_memory(f);
    if (outcome == OK)
        outcome = cleared_log(w, intent, site, f);
    if (outcome == OK)
        fault_set(ret_text, OK, "finished");
    free(token);
    free(site);
    return outcome;
}

const struct state_intent *retirement_left(const struct state *s, const char *token, const char *site)
{
    for (size_t i = s->intent_count; i-- > 0;) {
        const struct state_intent *n = &s->intents[i];
        if (strcmp(n->operation, operation_name(OP_RETIRE_SITE)) == 0 && n->token != NULL &&
            strcmp(n->token, token) == 0 && strings_have(&n->orphans, site))
            return n;
    }
    return NULL;
}

/* What can be known to fail before anybody is asked. */
enum outcome retirement_target(const struct retirement *r, struct fault *f)
{
    const struct state *s = &r->estate->state;
    const struct token *token = policy_token(r->estate->policy, r->token);
    const struct state_intent *other = retirement_open(s, r->token);
    const char *named = other != NULL ? json_string_or_null(other->body, "site") : NULL;

    if (state_site(s, r->token, r->site) == NULL)
        return fault_set(f, E_ABSENT, "%s at %s is not enrolled: see `quorate status`", r->token, r->site);
    if (token != NULL && strcmp(token->primary, r->site) == 0)
        return fault_set(f, E_REFUSED, "%s is the primary of %s by the policy: promote another site first", r->site,
                         r->token);
    if (named != NULL && strcmp(named, r->site) != 0)
        return fault_set(f, E_REFUSED, "%s at %s is retiring since entry %llu: one site after the other", r->token,
                         named, (unsigned long long)other->seq);
    for (size_t i = 0; i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];
        size_t elsewhere = 0;
        for (size_t n = 0; n < k->sites.count; n++)
            elsewhere += strcmp(k->sites.items[n], r->site) != 0 && state_site(s, r->token, k->sites.items[n]) != NULL;
        if (state_key_at(k, r->token, r->site) && elsewhere == 0)
            return fault_set(f, E_REFUSED, "the key \"%s\" is at %s alone: it would be lost; destroy it first",
                             k->label, r->site);
    }
    return OK;
}

static enum outcome retire_decided(struct retirement *r, struct fault *f)
{
    json_t *more = json_object();
    moment until = moment_now() + (moment)LIMIT_INQUIRY;
    enum outcome outcome = json_put_string(more, "site", r->site) && json_put_moment(more, "until", until)
                               ? resolution_begin(&r->resolution, more, f)
                               : fault_memory(f);
    json_decref(more);
    return outcome == OK ? retirement_carry_on(r, f) : outcome;
}

/* The site is retired; its replicas are destroyed now, or `left` says why they wait. */
enum outcome retired_clear(struct retirement *r, json_t *report, struct fault *f)
{
    const struct state_intent *left = retirement_left(&r->estate->state, r->token, r->site);
    struct fault why = {0};
    enum outcome outcome = OK;

    if (left != NULL) {
        uint64_t intent = left->seq;
        if (replicas_clear(r->world, intent, r->token, r->site, &why) == OK)
            outcome = cleared_log(r->world, intent, r->site, f);
        else if (!json_put_string(report, "left", why.text))
            outcome = fault_memory(f);
    }
    if (outcome == OK && !json_put_string(report, "status", "retired"))
        outcome = fault_memory(f);
    return outcome;
}

static enum outcome retire_ask(struct retirement *r, json_t *report, bool *ret_go, struct fault *f)
{
    char what[2 * LIMIT_NAME + 32];
    json_t *subject = asking_subject(r->estate, OP_RETIRE_SITE, r->world->requester);
    enum outcome outcome = retirement_target(r, f);
    if (outcome == OK && (!json_put_string(subject, "site", r->site) || !json_put_string(subject, "token", r->token)))
        outcome = fault_memory(f);
    snprintf(what, sizeof what, "retiring %s at %s", r->token, r->site);
    if (outcome == OK)
        outcome = resolution_ask(r->world, json_incref(subject), what, &r->resolution, report, ret_go, f);
    json_decref(subject);
    return outcome;
}

/* People decided it before, and what other sites are to prove is awaited, or the process died that was at it. */
static enum outcome retire_resume(struct retirement *r, bool *ret_go, struct fault *f)
{
    const struct state_intent *i = retirement_open(&r->estate->state, r->token);
    const char *named = i != NULL ? json_string_or_null(i->body, "site") : NULL;
    if (named == NULL || strcmp(named, r->site) != 0)
        return OK;
    enum outcome outcome = retirement_take(r, i->seq, f);
    if (outcome == E_BUSY)
        return fault_set(f, E_BUSY, "%s at %s is being retired by another process", r->token, r->site);
    *ret_go = outcome == OK && r->resolution.open;
    return outcome;
}

static enum outcome waiting_report(const struct retirement *r, json_t *report, struct fault *f)
{
    if (json_put_string(report, "missing", buf_str(&r->awaited)) &&
        json_put_digest(report, "request", &r->resolution.request) && json_put_string(report, "status", "waiting"))
        return OK;
    return fault_memory(f);
}

static enum outcome retire(struct retirement *r, json_t *report, struct fault *f)
{
    bool go = false, resumed = false;
    enum outcome outcome = estate_refresh(r->estate, f);
    if (outcome == OK)
        outcome = estate_policy_in_force(r->estate, f);
    const struct state *s = &r->estate->state;
    /* Not where another HSM came in its place: that one is to retire now. */
    bool before =
        outcome == OK && state_site(s, r->token, r->site) == NULL && retirement_left(s, r->token, r->site) != NULL;
    if (outcome == OK && !before)
        outcome = retire_resume(r, &resumed, f);
    if (outcome == OK && resumed)
        outcome = retirement_carry_on(r, f);
    if (outcome == OK && !before && !resumed)
        outcome = retire_ask(r, report, &go, f);
    if (outcome == OK && go)
        outcome = retire_decided(r, f);
    if (outcome == OK && r->awaited.len > 0)
        return waiting_report(r, report, f);
    if (outcome == OK && (go || before || resumed))
        outcome = retired_clear(r, report, f);
    return outcome;
}

enum outcome retire_run(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f)
{
    struct retirement r = {.world = w,
                           .estate = w->estate,
                           .token = token,
                           .site = site,
                           .drills = json_array(),
                           .awaited = BUF(RETIREMENT_AWAITED)};
    json_t *report = json_object();

    enum outcome outcome = report != NULL && r.drills != NULL ? retire(&r, report, f) : fault_memory(f);
    retirement_clear(&r, outcome, f);
    if (outcome == OK && !json_put(report, "drills", json_incref(r.drills)))
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret = json_incref(report);
    json_decref(r.drills);
    buf_free(&r.awaited);
    json_decref(report);
    return outcome;
}
