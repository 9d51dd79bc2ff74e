#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "estate/follower.h"
#include "estate/rejudge.h"

static enum outcome request_read(struct follower *w, const struct digest *id, struct request **ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_REQUEST);
    struct request *r = NULL;
    enum outcome result = follower_beside(w, id, "", "request.json", &bytes, f);

    if (result == OK)
        result = request_parse(buf_span(&bytes), &r, f);
    if (result == OK && !digest_equal(&r->id, id))
        result = fault_set(f, E_REFUSED, "the document is not the request that the entry names");
    if (result == OK) {
        *ret = r;
        r = NULL; /* taken by the caller */
    }
    request_free(r);
    buf_free(&bytes);
    return result;
}

static enum outcome judge_request(struct follower *w, const struct entry *e, const struct digest *id, struct fault *f)
{
    const struct policy *policy = NULL;
    struct request *r = NULL;
    enum outcome result = follower_policy(w, &policy, f);

    if (result == OK)
        result = request_read(w, id, &r, f);
    if (result == OK)
        result = rejudge_request(&w->copy->state, policy, e, r, f);
    if (result == OK && !digest_equal(&w->roots[r->log_size], &r->log_root))
        result = fault_set(f, E_REFUSED, "the log root in the request was never that of this log");
    request_free(r);
    return result;
}

static enum outcome judge_vote(struct follower *w, const struct entry *e, const struct digest *id, struct fault *f)
{
    bool rejection = e->type == ENTRY_REJECTION;
    const char *person = json_string_or_null(e->body, "person");
    const struct policy *policy = NULL;
    struct buf der = BUF(LIMIT_SIGNATURE), document = BUF(LIMIT_REQUEST), certificate = BUF(LIMIT_CERTIFICATE);
    struct span bytes = {NULL, 0};
    struct request *r = NULL;
    struct digest fingerprint;
    enum outcome result = follower_policy(w, &policy, f);

    if (result == OK)
        result = request_read(w, id, &r, f);
    if (result == OK)
        result = json_want_digest(e->body, "certificate", &fingerprint, f);
    if (result == OK && person == NULL)
        result = fault_set(f, E_REFUSED, "it names nobody");
    if (result == OK)
        result = follower_named(w, "people", &fingerprint, ".der", &certificate, f);
    if (result == OK)
        result = follower_beside(w, id, person, vote_suffix(e).text, &der, f);
    if (result == OK && rejection)
        result = follower_beside(w, id, person, ".reject.json", &document, f);
    if (result == OK)
        result = rejudge_document(e, r, &document, &bytes, f);
    if (result == OK)
        result = rejudge_vote(&w->copy->state, policy, e, bytes, buf_span(&der), buf_span(&certificate), f);
    request_free(r);
    buf_free(&der);
    buf_free(&document);
    buf_free(&certificate);
    return result;
}

/* The ceremony that an intent names is open in the log, and the entry is of it. That the script's step is of this operation is
 * for the transcript's verifier: scripts do not travel. */
static enum outcome ceremony_find(const struct follower *w, const struct entry *e, int operation,
                                  struct ceremony_fact *ret, const struct ceremony_fact **ret_fact, struct fault *f)
{
    const struct state *s = &w->copy->state;
    const json_t *evidence = json_object_get(e->body, "evidence");
    const char *ceremony = json_string_or_null(evidence, "ceremony");

    *ret_fact = NULL;
    if (ceremony == NULL)
        return OK;
    for (size_t i = 0; i < s->ceremony_count; i++) {
        const struct state_ceremony *c = &s->ceremonies[i];

        if (c->closed || strcmp(c->id, ceremony) != 0 || e->ceremony == NULL || strcmp(e->ceremony, ceremony) != 0)
            continue;
        *ret = (struct ceremony_fact){c->id, c->script, json_string_or_null(evidence, "step"), operation};
        *ret_fact = ret;
        return OK;
    }
    return fault_set(f, E_REFUSED, "it names a ceremony that is not running");
}

static enum outcome judge_intent(struct follower *w, const struct entry *e, const struct digest *id, struct fault *f)
{
    const struct policy *policy = NULL;
    const struct ceremony_fact *running = NULL;
    struct ceremony_fact fact = {0};
    struct request *r = NULL;
    json_t *verdict = NULL;
    enum outcome result = follower_policy(w, &policy, f);

    if (result == OK)
        result = request_read(w, id, &r, f);
    if (result == OK)
        result = ceremony_find(w, e, (int)r->subject->operation, &fact, &running, f);
    if (result == OK)
        result = rejudge_intent(&w->copy->state, policy, e, r, running, &verdict, f);
    json_decref(verdict);
    request_free(r);
    return result;
}

/* What an entry that ends a decision must repeat of the subject. */
static const char *const *repeated(enum entry_type type)
{
    static const char *const policy[] = {"canonical", "digest", "version", NULL}, *const log_key[] = {"log-key", NULL},
                             *const site[] = {"site", "token", NULL}, /* and the rest by rejudge_enrolment */
                                 *const suspended[] = {"reason", "scope", NULL}, *const resumed[] = {"scope", NULL},
                             *const retired[] = {"site", "token", NULL},
                             *const opened[] = {"bindings", "ceremony", "people", "script", NULL};

    switch (type) {
    case ENTRY_POLICY:
        return policy;
    case ENTRY_LOG_KEY:
    case ENTRY_MOVED:
        return log_key;
    case ENTRY_SITE_ENROLLED:
        return site;
    case ENTRY_SUSPENDED:
        return suspended;
    case ENTRY_RESUMED:
        return resumed;
    case ENTRY_SITE_RETIRED:
    case ENTRY_PROMOTED:
        return retired;
    case ENTRY_CEREMONY_OPENED:
        return opened;
    default:
        return NULL;
    }
}

/* The entry carries out a request whose intent was judged, and says what that says. */
static enum outcome judge_end(struct follower *w, const struct entry *e, const struct digest *id,
                              const char *const *names, struct fault *f)
{
    const struct state *s = &w->copy->state;
    const struct state_request *known = state_request(s, id);
    const struct state_intent *intent =
        known != NULL && known->state == REQUEST_INTENT ? state_intent(s, known->intent) : NULL;
    const json_t *verdict = json_object_get(e->body, "verdict"), *subject = NULL;
    const struct policy *policy = NULL;
    struct request *r = NULL;
    enum outcome result = OK;

    if (intent == NULL || (verdict != NULL && !json_equal(verdict, json_object_get(intent->body, "verdict"))))
        return fault_set(f, E_REFUSED, "nothing that was decided says so");
    result = request_read(w, id, &r, f);
    if (result == OK) {
        subject = e->type == ENTRY_POLICY ? json_object_get(r->subject->json, "policy") : r->subject->json;
        result = rejudge_members(e->body, subject, names, f);
    }
    if (result == OK && e->type == ENTRY_SITE_ENROLLED)
        result = follower_policy(w, &policy, f);
    if (result == OK && e->type == ENTRY_SITE_ENROLLED)
        result = rejudge_enrolment(policy, e, r->subject, f);
    request_free(r);
    return result;
}

enum outcome follower_judge(struct follower *w, const struct entry *e, struct fault *f)
{
    const struct state_request *known = NULL;
    const char *operation = NULL, *const *names = repeated(e->type);
    struct digest id;

    if (e->type == ENTRY_TRANSPORT_RENEWED)
        return rejudge_renewal(&w->copy->state, e->body, json_string_or_null(e->body, "token"),
                               json_string_or_null(e->body, "site"), f);
    if (e->type != ENTRY_REQUEST && e->type != ENTRY_APPROVAL && e->type != ENTRY_REJECTION &&
        e->type != ENTRY_INTENT && names == NULL)
        return OK;
    if (json_want_digest(e->body, "request", &id, f) != OK)
        return fault_set(f, E_REFUSED, "it rests on no request");
    if (e->type == ENTRY_REQUEST) {
        operation = json_string_or_null(e->body, "operation");
    } else {
        known = state_request(&w->copy->state, &id);
        operation = known != NULL ? known->operation : NULL;
    }
    if (operation == NULL)
        return fault_set(f, E_REFUSED, "it is for a request that the log does not have");
    if (!message_carries(operation))
        return names == NULL ? OK : fault_set(f, E_REFUSED, "it rests on a request for another operation");
    switch (e->type) {
    case ENTRY_REQUEST:
        return judge_request(w, e, &id, f);
    case ENTRY_APPROVAL:
    case ENTRY_REJECTION:
        return judge_vote(w, e, &id, f);
    case ENTRY_INTENT:
        return judge_intent(w, e, &id, f);
    default:
        return judge_end(w, e, &id, names, f);
    }
}
