#include "estate/asking.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/limits.h"
#include "estate/judging.h"
#include "estate/votes.h"

json_t *asking_subject(const struct estate *e, enum operation op, const char *requester)
{
    json_t *subject = json_object();
    char uid[32];

    snprintf(uid, sizeof uid, "uid:%u", (unsigned)geteuid());
    if (json_put_string(subject, "environment", e->state.environment) &&
        json_put_digest(subject, "estate", &e->state.estate) &&
        json_put_string(subject, "operation", operation_name(op)) &&
        json_put_string(subject, "origin", e->state.origin) &&
        json_put_string(subject, "requester", requester != NULL ? requester : uid))
        return subject;
    json_decref(subject);
    return NULL;
}

void answer_clear(struct answer *a)
{
    request_free(a->request);
    verdict_free(a->verdict);
    *a = (struct answer){0};
}

enum outcome estate_request(const struct estate *e, const struct digest *id, struct request **ret, struct fault *f)
{
    enum outcome result = E_MEMORY;
    struct buf bytes = BUF(LIMIT_REQUEST);
    struct request *r = NULL;
    char *path = request_path(e, id, "request.json");

    if (path == NULL)
        return fault_memory(f);
    result = file_read(path, false, &bytes, f);
    if (result == OK)
        result = request_parse(buf_span(&bytes), &r, f);
    if (result == OK && !digest_equal(&r->id, id))
        result = fault_set(f, E_REFUSED, "%s is not the request that was made: its digest is %s", path,
                           digest_hex(&r->id).hex);
    if (result == OK) {
        *ret = r;
        r = NULL; /* taken by the caller */
    }
    request_free(r);
    buf_free(&bytes);
    free(path);
    return result;
}

enum outcome estate_request_find(const struct estate *e, const char *prefix, struct digest *ret, struct fault *f)
{
    size_t len = strlen(prefix);
    const struct state_request *found = NULL;

    if (len < 6 || len > 64 || strspn(prefix, "0123456789abcdef") != len)
        return fault_set(f, E_INVALID,
                         "\"%s\" is no request id: expected 6 to 64 hex digits, see `quorate request list`", prefix);
    for (size_t i = 0; i < e->state.request_count; i++) {
        const struct state_request *r = &e->state.requests[i];

        if (strncmp(digest_hex(&r->id).hex, prefix, len) != 0)
            continue;
        if (found != NULL)
            return fault_set(f, E_INVALID, "several requests begin with %s: give more digits", prefix);
        found = r;
    }
    if (found == NULL)
        return fault_set(f, E_ABSENT, "no request %s in this estate: see `quorate request list`", prefix);
    *ret = found->id;
    return OK;
}

/* The first policy is judged by itself: it is read where the bindings say, and must be the one that genesis names. */
enum outcome estate_judging(struct estate *e, const struct request *r, const struct policy **ret, struct fault *f)
{
    enum outcome result = OK;
    struct buf bytes = BUF(LIMIT_DOCUMENT);

    if (e->policy != NULL) {
        *ret = e->policy;
        return OK;
    }
    if (e->candidate == NULL) {
        result = file_read(e->bindings->policy, true, &bytes, f);
        if (result == OK)
            result = policy_parse(e->bindings->policy, buf_span(&bytes), &e->candidate, f);
    }
    if (result == OK && (!digest_equal(&e->candidate->digest, &e->state.genesis_policy) ||
                         !digest_equal(&e->candidate->digest, &r->policy)))
        result = fault_set(f, E_REFUSED, "%s is not the policy that this estate was made with (digest %s)",
                           e->bindings->policy, digest_hex(&e->state.genesis_policy).hex);
    if (result == OK)
        *ret = e->candidate;
    buf_free(&bytes);
    return result;
}

static const struct ceremony_fact *context_ceremony(const struct asking_context *c)
{
    return c != NULL ? c->ceremony : NULL;
}

static const struct policy *context_judge(const struct estate *e, const struct asking_context *c)
{
    return c != NULL && c->judge != NULL ? c->judge : e->policy;
}

static enum outcome request_write(const struct estate *e, const struct request *r, struct fault *f)
{
    enum outcome result = E_MEMORY;
    char *folder = request_path(e, &r->id, NULL), *path = request_path(e, &r->id, "request.json");

    if (folder == NULL || path == NULL)
        result = fault_memory(f);
    else
        result = folder_make(folder, 0700, f);
    if (result == OK)
        result = file_create(path, buf_span(&r->bytes), 0644, f);
    free(path);
    free(folder);
    return result;
}

static enum outcome request_log(struct estate *e, const struct request *r, struct fault *f)
{
    const struct subject *s = r->subject;
    json_t *body = json_object();
    bool good = json_put_digest(body, "request", &r->id) && json_put_digest(body, "subject", &r->subject_digest) &&
                json_put_string(body, "operation", operation_name(s->operation)) &&
                json_put_string(body, "rule", r->rule) && json_put_moment(body, "expires", r->expires);
    enum outcome result = E_MEMORY;

    if (good && s->token != NULL)
        good = json_put_string(body, "token", s->token);
    if (good && s->label != NULL && s->label[0] != '\0')
        good = json_put_string(body, "label", s->label);
    result = good ? log_append(e->log, ENTRY_REQUEST, e->ceremony, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return result;
}

/* A new request around the subject, as of now. rule: NULL for otherwise and succession. */
static enum outcome request_make(struct estate *e, const struct subject *s, const struct rule *rule,
                                 const struct asking_context *c, struct request **ret, struct fault *f)
{
    const struct policy *judge = context_judge(e, c);
    moment now = log_time(e->log);
    struct request_frame frame = {.rule = s->succession ? "succession" : "otherwise",
                                  .policy = judge->digest,
                                  .policy_version = judge->version,
                                  .made = now,
                                  .log_size = log_size(e->log)};

    if (rule != NULL)
        frame.rule = rule->id;
    frame.expires = request_expires(rule, now);
    if (c != NULL && c->ceremony != NULL) {
        frame.ceremony = c->ceremony->id;
        frame.step = c->ceremony->step;
    }
    log_root(e->log, &frame.log_root);
    if (!random_bytes(frame.nonce, sizeof frame.nonce))
        return fault_set(f, E_IO, "no random bytes from libcrypto");
    return request_compose(s->json, &frame, ret, f);
}

static bool text_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A request belongs to the step of a ceremony that it was made at, or to none. */
static bool request_stands_at(const struct request *r, const struct ceremony_fact *ceremony)
{
    return ceremony == NULL ? r->ceremony == NULL
                            : text_equal(r->ceremony, ceremony->id) && text_equal(r->step, ceremony->step);
}

/* The pending request with this subject, judged; NULL in *ret where there is none that still lives. Within the append
 * lock. */
static enum outcome pending_find(struct estate *e, const struct digest *subject, const struct asking_context *c,
                                 struct answer *ret, struct fault *f)
{
    const struct state_request *known = state_request_by_subject(&e->state, subject);
    enum outcome result = OK;
    const char *closed = NULL;

    if (known == NULL)
        return OK;
    if (known->state == REQUEST_INTENT) {
        const struct state_intent *i = state_intent(&e->state, known->intent);

        if (i != NULL && i->state == INTENT_PROVISIONAL)
            return fault_set(f, E_BUSY, "request %.12s: its key is provisional; receipts are awaited until %s",
                             digest_hex(&known->id).hex, moment_format(i->until).text);
    }
    if (known->state == REQUEST_INTENT)
        return fault_set(f, E_BUSY,
                         "request %.12s is being carried out; where its process died, `quorate settle` clears it",
                         digest_hex(&known->id).hex);
    result = estate_request(e, &known->id, &ret->request, f);
    if (result == OK && !request_stands_at(ret->request, context_ceremony(c))) {
        answer_clear(ret); /* asked at another place: a ceremony's rule wants its own */
        return OK;
    }
    if (result == OK)
        result = pending_judge(e, context_judge(e, c), ret->request, context_ceremony(c), &ret->verdict, &closed, f);
    if (result == OK && closed != NULL && strcmp(closed, "expired") == 0)
        answer_clear(ret); /* the question may be asked anew */
    return result;
}

/* An application that asks for ever other things fills neither the home nor what people have to read. What an officer or a
 * ceremony asks for is never in its way. Within the append lock. */
static enum outcome pending_room(const struct estate *e, const struct subject *s, const struct asking_context *c,
                                 struct fault *f)
{
    size_t living = 0;

    if (s->function == NULL || context_ceremony(c) != NULL)
        return OK;
    for (size_t i = 0; i < e->state.request_count; i++) {
        const struct state_request *r = &e->state.requests[i];

        living += r->state == REQUEST_PENDING && r->expires > log_time(e->log);
    }
    if (living < LIMIT_PENDING)
        return OK;
    return fault_set(f, E_REFUSED,
                     "%zu requests wait for people already, and no application may add to them: they end as they are "
                     "decided (`quorate request list`) or expire",
                     living);
}

/* A new request, judged; filed where people can still decide it. Within the append lock. */
static enum outcome pending_make(struct estate *e, const struct subject *s, const struct rule *rule,
                                 const struct asking_context *c, struct answer *ret, struct fault *f)
{
    struct votes none = {0};
    enum outcome result = request_make(e, s, rule, c, &ret->request, f);

    if (result == OK)
        result = verdict_reach(e, context_judge(e, c), ret->request, context_ceremony(c), &none, log_time(e->log),
                               &ret->verdict, f);
    if (result != OK)
        return result;
    if (ret->verdict->decision == DECISION_DENY) {
        if (!state_was_refused(&e->state, &ret->request->subject_digest))
            result = refusal_log(e, ret->request, false, ret->verdict, NULL, f);
        request_free(ret->request);
        ret->request = NULL;
        return result;
    }
    if (ret->verdict->decision == DECISION_PENDING)
        result = pending_room(e, s, c, f);
    if (result == OK)
        result = request_write(e, ret->request, f);
    if (result == OK)
        result = request_log(e, ret->request, f);
    if (result == OK && ret->verdict->decision == DECISION_PENDING && s->function != NULL)
        result = refusal_log(e, ret->request, true, ret->verdict, NULL, f);
    return result;
}

enum outcome estate_ask(struct estate *e, json_t *subject, const struct asking_context *c, struct answer *ret,
                        struct fault *f)
{
    enum outcome result = E_INVALID;
    struct subject *s = NULL;
    struct answer answer = {0};
    struct digest digest;
    const struct rule *rule = NULL;
    const struct policy *judge = NULL;

    result = subject_read(subject, &s, f);
    if (result == OK)
        result = estate_refresh(e, f);
    if (result != OK)
        goto out;
    judge = context_judge(e, c);
    if (judge == NULL) {
        result =
            fault_set(f, E_ABSENT, "no policy is in force yet: run `quorate policy adopt %s`", e->bindings->policy);
        goto out;
    }
    if (!s->succession)
        rule = policy_match(judge, s->operation, s->token, s->label, s->class_name, s->object);
    if (rule != NULL && rule->effect == EFFECT_ALLOW && !(c != NULL && c->written) &&
        (rule->while_suspended || !state_suspended(&e->state, s->token, s->label))) {
        *ret = (struct answer){.plain = true};
        goto out;
    }
    result = json_digest(s->json, &digest, f);
    if (result == OK)
        result = log_begin(e->log, f);
    if (result != OK)
        goto out;
    if (c == NULL || !c->anew)
        result = pending_find(e, &digest, c, &answer, f);
    if (result == OK && answer.request == NULL)
        result = pending_make(e, s, rule, c, &answer, f);
    log_end(e->log);
    if (result == OK) {
        *ret = answer;
        answer = (struct answer){0}; /* taken by the caller */
    }
out:
    answer_clear(&answer);
    subject_free(s);
    return result;
}

enum outcome estate_judge(struct estate *e, const struct request *r, const struct asking_context *c,
                          struct verdict **ret, struct fault *f)
{
    const struct policy *judge = NULL;
    struct votes votes = {0};
    enum outcome result = estate_refresh(e, f);

    if (result == OK)
        result = estate_judging(e, r, &judge, f);
    if (result != OK)
        return result;
    result = votes_gather(e, judge, r, false, &votes, f);
    if (result == OK)
        result = verdict_reach(e, judge, r, context_ceremony(c), &votes, log_time(e->log), ret, f);
    votes_clear(&votes);
    return result;
}
