#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/limits.h"
#include "estate/asking.h"
#include "estate/judging.h"

/* What turns votes into acts: the intent, the approval, the rejection. */

static enum outcome request_open(const struct estate *e, const struct request *r, struct fault *f)
{
    const struct state_request *known = state_request(&e->state, &r->id);
    struct digest_text id = digest_hex(&r->id);

    if (known == NULL)
        return fault_set(f, E_REFUSED, "the log knows no request %.12s", id.hex);
    switch (known->state) {
    case REQUEST_PENDING:
        break;
    case REQUEST_INTENT:
        return fault_set(f, E_BUSY, "request %.12s is being carried out", id.hex);
    case REQUEST_SPENT:
        return fault_set(f, E_REFUSED, "request %.12s is spent: what it asked for was done; ask again for another",
                         id.hex);
    case REQUEST_REJECTED:
        return fault_set(f, E_REFUSED, "request %.12s was rejected for good%s%s", id.hex,
                         known->why != NULL ? ": " : "", known->why != NULL ? known->why : "");
    case REQUEST_VOID:
        return fault_set(f, E_REFUSED, "request %.12s is void%s%s; ask again", id.hex, known->why != NULL ? ": " : "",
                         known->why != NULL ? known->why : "");
    }
    if (log_time(e->log) >= r->expires)
        return fault_set(f, E_REFUSED, "request %.12s expired at %s; ask again", id.hex,
                         moment_format(r->expires).text);
    return OK;
}

static bool seqs_put(json_t *object, const char *name, const struct votes *votes, enum vote_kind kind)
{
    json_t *seqs = json_array();
    bool good = seqs != NULL;

    for (size_t i = 0; good && i < votes->count; i++)
        if (votes->items[i].kind == kind)
            good = json_array_append_new(seqs, json_integer((json_int_t)votes->items[i].seq)) == 0;
    if (good)
        return json_put(object, name, seqs);
    json_decref(seqs);
    return false;
}

static enum outcome intent_body(const struct request *r, const struct verdict *v, const struct votes *votes, moment at,
                                const struct ceremony_fact *ceremony, const json_t *more, json_t **ret, struct fault *f)
{
    json_t *body = more != NULL ? json_deep_copy(more) : json_object(), *evidence = json_object();
    const struct subject *s = r->subject;
    bool good = json_put_moment(evidence, "at", at) && seqs_put(evidence, "approvals", votes, VOTE_APPROVAL) &&
                seqs_put(evidence, "rejections", votes, VOTE_REJECTION);

    if (good && ceremony != NULL)
        good = json_put_string(evidence, "ceremony", ceremony->id) && json_put_string(evidence, "step", ceremony->step);
    good = good && json_put(body, "evidence", json_incref(evidence)) && json_put_digest(body, "request", &r->id) &&
           json_put_string(body, "operation", operation_name(s->operation)) &&
           json_put(body, "verdict", verdict_json(v));
    if (good && s->token != NULL)
        good = json_put_string(body, "token", s->token);
    if (good && s->label != NULL && s->label[0] != '\0')
        good = json_put_string(body, "label", s->label);
    json_decref(evidence);
    if (!good) {
        json_decref(body);
        return fault_memory(f);
    }
    *ret = body;
    return OK;
}

static enum outcome verdict_fault(const struct verdict *v, const struct request *r, struct fault *f)
{
    struct buf text = BUF(1024);
    enum outcome result = v->decision == DECISION_PENDING ? E_PENDING : E_REFUSED;

    verdict_put_short(v, &text);
    fault_set(f, result, "request %.12s: %s", digest_hex(&r->id).hex, buf_str(&text));
    buf_free(&text);
    return result;
}

enum outcome estate_intend(struct estate *e, const struct request *r, const struct asking_context *c,
                           const json_t *more, uint64_t *ret_intent, struct fault *f)
{
    const struct policy *judge = c != NULL && c->judge != NULL ? c->judge : e->policy;
    const struct ceremony_fact *ceremony = c != NULL ? c->ceremony : NULL;
    struct votes votes = {0};
    struct verdict *verdict = NULL;
    json_t *body = NULL;
    moment at = 0;
    enum outcome result = log_begin(e->log, f);

    if (result != OK)
        return result;
    if (judge == NULL)
        result = fault_set(f, E_ABSENT, "no policy is in force yet");
    if (result == OK)
        result = request_open(e, r, f);
    if (result == OK)
        result = votes_gather(e, judge, r, true, &votes, f);
    if (result == OK) {
        at = log_time(e->log);
        result = verdict_reach(e, judge, r, ceremony, &votes, at, &verdict, f);
    }
    if (result == OK && verdict->decision != DECISION_ALLOW)
        result = verdict_fault(verdict, r, f);
    if (result == OK)
        result = intent_body(r, verdict, &votes, at, ceremony, more, &body, f);
    if (result == OK)
        result = log_append(e->log, ENTRY_INTENT, e->ceremony, body, ret_intent, f);
    log_end(e->log);
    json_decref(body);
    verdict_free(verdict);
    votes_clear(&votes);
    return result;
}

/* Writes the vote's files, then its entry. The file first: an entry without one would not count. Within the append
 * lock. */
static enum outcome vote_keep(struct estate *e, const struct request *r, const char *person, const struct vote *vote,
                              struct span document, struct span der, const json_t *body, struct fault *f)
{
    bool rejection = vote->kind == VOTE_REJECTION;
    const char *renews = json_string_or_null(body, "renews");
    char name[LIMIT_NAME + 96], *path = NULL;
    enum outcome result = OK;

    if (rejection) {
        snprintf(name, sizeof name, "%s.reject.json", person);
        path = request_path(e, &r->id, name);
        result = path != NULL ? file_replace(path, document, 0644, f) : fault_memory(f);
        free(path);
    }
    snprintf(name, sizeof name, "%s%s%s.p7s", person,
             rejection        ? ".reject"
             : renews != NULL ? "."
                              : "",
             renews != NULL ? renews : "");
    path = result == OK ? request_path(e, &r->id, name) : NULL;
    if (result == OK)
        result = path != NULL ? file_create(path, der, 0644, f) : fault_memory(f);
    if (result == E_BUSY)
        fault_set(f, E_REFUSED, "%s has %s this request already (%s)", person, rejection ? "rejected" : "approved",
                  path);
    if (result == OK)
        result = log_append(e->log, rejection ? ENTRY_REJECTION : ENTRY_APPROVAL, vote_ceremony(e, r), body, NULL, f);
    else
        result = f->outcome;
    free(path);
    return result;
}

static enum outcome vote_given(const struct estate *e, const struct request *r, const char *person, bool rejection,
                               struct fault *f)
{
    const struct state_request *known = state_request(&e->state, &r->id);

    for (size_t i = 0; known != NULL && i < known->vote_count; i++)
        if (known->votes[i].rejection == rejection && strcmp(known->votes[i].person, person) == 0)
            return fault_set(f, E_REFUSED, "%s has %s request %.12s already, at %s", person,
                             rejection ? "rejected" : "approved", digest_hex(&r->id).hex,
                             moment_format(known->votes[i].at).text);
    return OK;
}

/* What the person gave last; E_REFUSED where nothing can be renewed. */
static enum outcome vote_before(const struct estate *e, const struct policy *judge, const struct request *r,
                                const char *person, struct digest *ret, struct fault *f)
{
    const struct state_request *known = state_request(&e->state, &r->id);
    const struct person *who = policy_person(judge, person);
    const struct rule *rule = policy_rule(judge, r->rule);
    const struct state_vote *last = known != NULL && who != NULL ? state_approval(known, &who->fingerprint) : NULL;

    if (last == NULL)
        return fault_set(f, E_REFUSED, "%s has not approved request %.12s yet: there is nothing to renew", person,
                         digest_hex(&r->id).hex);
    if (rule != NULL && rule->quorum.within == 0)
        return fault_set(f, E_REFUSED,
                         "%s has approved request %.12s already, at %s, and rule \"%s\" lets no approval go "
                         "stale: it has no `within`",
                         person, digest_hex(&r->id).hex, moment_format(last->at).text, r->rule);
    *ret = last->signature;
    return OK;
}

enum outcome estate_renewal(struct estate *e, const struct request *r, const char *person, struct buf *ret,
                            struct fault *f)
{
    const struct policy *judge = NULL;
    struct digest renews;
    enum outcome result = estate_judging(e, r, &judge, f);

    if (result == OK)
        result = vote_before(e, judge, r, person, &renews, f);
    return result == OK ? renewal_compose(&r->id, &renews, ret, f) : result;
}

/* document: of what renews, composed here again. */
static enum outcome estate_vote(struct estate *e, const struct request *r, const char *person, bool again,
                                struct span document, struct span der, struct fault *f)
{
    const struct policy *judge = NULL;
    struct vote vote = {.kind = VOTE_UNUSABLE};
    struct buf renewal = BUF(LIMIT_REQUEST);
    struct digest renews;
    json_t *body = NULL;
    enum outcome result = estate_judging(e, r, &judge, f);

    if (result != OK)
        return result;
    if (policy_person(judge, person) == NULL)
        return fault_set(f, E_REFUSED, "%s is nobody in the policy %s", person, judge->file);
    result = log_begin(e->log, f);
    if (result != OK)
        return result;
    result = request_open(e, r, f);
    if (result == OK && again) {
        result = vote_before(e, judge, r, person, &renews, f);
        if (result == OK)
            result = renewal_compose(&r->id, &renews, &renewal, f);
        document = buf_span(&renewal);
    }
    if (result == OK)
        result = vote_verify(e, judge, r, person, again ? &renews : NULL, document, der, &body, &vote, f);
    if (result == OK && !again)
        result = vote_given(e, r, person, vote.kind == VOTE_REJECTION, f);
    if (result == OK)
        result = vote_keep(e, r, person, &vote, document, der, body, f);
    log_end(e->log);
    json_decref(body);
    buf_free(&renewal);
    return result;
}

enum outcome estate_approve(struct estate *e, const struct request *r, const char *person, struct span der,
                            struct fault *f)
{
    return estate_vote(e, r, person, false, buf_span(&r->bytes), der, f);
}

enum outcome estate_approve_again(struct estate *e, const struct request *r, const char *person, struct span der,
                                  struct fault *f)
{
    return estate_vote(e, r, person, true, (struct span){NULL, 0}, der, f);
}

enum outcome estate_reject(struct estate *e, const struct request *r, const char *person, struct span document,
                           struct span der, struct fault *f)
{
    const struct policy *judge = NULL;
    struct verdict *verdict = NULL;
    const char *closed = NULL;
    enum outcome result = OK;

    if (span_equal(document, buf_span(&r->bytes)))
        return fault_set(f, E_INVALID, "a rejection signs its own document, not the request");
    result = estate_vote(e, r, person, false, document, der, f);
    if (result == OK)
        result = estate_judging(e, r, &judge, f);
    if (result == OK)
        result = log_begin(e->log, f);
    if (result != OK)
        return result;
    if (state_request(&e->state, &r->id)->state == REQUEST_PENDING)
        result = pending_judge(e, judge, r, NULL, &verdict, &closed, f);
    log_end(e->log);
    verdict_free(verdict);
    return result;
}
