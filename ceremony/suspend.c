#include <string.h>

#include "ceremony/describe.h"
#include "ceremony/tool.h"
#include "ceremony/waiting.h"
#include "estate/asking.h"

/* `quorate suspend` and `quorate resume`: request, then intent, then the entry that every process of the host acts on. */

struct suspension {
    struct estate *estate;
    const char *scope, *reason; /* reason: NULL for a resumption */
    enum operation operation;
    bool json;
};

/* "key:LABEL@TOKEN": a label may hold '@', a token's id does not. */
static enum outcome scope_check(const struct suspension *s, struct fault *f)
{
    const char *token = NULL;

    if (strcmp(s->scope, "estate") == 0)
        return OK;
    if (strncmp(s->scope, "token:", 6) == 0)
        token = s->scope + 6;
    else if (strncmp(s->scope, "key:", 4) == 0 && strrchr(s->scope, '@'))
        token = strrchr(s->scope, '@') + 1;
    if (!token || !*token)
        return fault_set(f, E_INVALID, "\"%s\" is no scope: expected estate, token:ID or key:LABEL@TOKEN", s->scope);
    if (s->estate->policy && !policy_token(s->estate->policy, token))
        return fault_set(f, E_INVALID, "%s: no token %s is in the policy %s", s->scope, token, s->estate->policy->file);
    return OK;
}

static bool scope_suspended(const struct suspension *s)
{
    const struct state *state = &s->estate->state;

    for (size_t i = 0; i < state->suspension_count; i++)
        if (strcmp(state->suspensions[i].scope, s->scope) == 0)
            return true;
    return false;
}

static json_t *suspension_subject(const struct suspension *s)
{
    json_t *subject = asking_subject(s->estate, s->operation, NULL);

    if (json_put_string(subject, "scope", s->scope) && (!s->reason || json_put_string(subject, "reason", s->reason)))
        return subject;
    json_decref(subject);
    return NULL;
}

static enum outcome suspension_tell(const struct suspension *s, const char *status, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    json_t *j = NULL;
    enum outcome o = OK;

    if (s->json) {
        j = json_object();
        if (json_put_string(j, "scope", s->scope) && json_put_string(j, "status", status))
            return print_json(j, f);
        json_decref(j);
        return fault_memory(f);
    }
    print_text(&b, s->scope);
    buf_puts(&b, ": ");
    print_toned(&b, s->operation == OP_SUSPEND ? TONE_BAD : TONE_GOOD, status);
    buf_puts(&b, "\n");
    o = print_out(&b, f);
    buf_free(&b);
    return o;
}

static enum outcome suspension_enter(const struct suspension *s, uint64_t seq, struct fault *f)
{
    const struct state_intent *intent = state_intent(&s->estate->state, seq);
    json_t *body = json_object();
    bool good = intent && json_put_digest(body, "request", &intent->request) &&
                json_put_string(body, "scope", s->scope) &&
                json_put(body, "verdict", json_deep_copy(json_object_get(intent->body, "verdict"))) &&
                (!s->reason || json_put_string(body, "reason", s->reason));
    enum outcome o =
        good ? estate_append(s->estate, s->operation == OP_SUSPEND ? ENTRY_SUSPENDED : ENTRY_RESUMED, body, NULL, f)
             : fault_memory(f);

    json_decref(body);
    return o;
}

/* The intent of this very request that a crash left open: the decision was taken, only the entry is missing. */
static enum outcome suspension_left(const struct suspension *s, const json_t *subject, uint64_t *ret, struct fault *f)
{
    const struct state *state = &s->estate->state;
    const struct state_request *known = NULL;
    struct digest digest;
    enum outcome o = json_digest(subject, &digest, f);

    if (o != OK)
        return o;
    known = state_request_by_subject(state, &digest);
    if (known && known->state == REQUEST_INTENT)
        *ret = known->intent;
    return OK;
}

static enum outcome suspension_ask(const struct suspension *s, json_t *subject_taken, uint64_t *ret, struct fault *f)
{
    struct asking_context context = {0};
    struct answer answer = {0};
    struct buf why = BUF(OUTPUT_MAX);
    enum outcome o = estate_ask(s->estate, subject_taken, &context, &answer, f);

    if (o != OK)
        goto out;
    if (answer.plain) {
        o = fault_set(f, E_REFUSED,
                      "a rule allows %s without anybody's approval; the entry would name no request: require a quorum "
                      "for it",
                      operation_name(s->operation));
        goto out;
    }
    verdict_put_short(answer.verdict, &why);
    if (answer.verdict->decision == DECISION_PENDING && answer.request)
        o = waiting_tell(s->json, s->operation == OP_SUSPEND ? "The suspension" : "The resumption",
                         digest_hex(&answer.request->id).hex, buf_str(&why), f);
    else if (answer.verdict->decision != DECISION_ALLOW || !answer.request)
        o = fault_set(f, E_REFUSED, "%s of %s: %s", operation_name(s->operation), s->scope, buf_str(&why));
    else
        o = estate_intend(s->estate, answer.request, &context, NULL, ret, f);
out:
    buf_free(&why);
    answer_clear(&answer);
    return o;
}

static enum outcome suspension_run(struct suspension *s, const struct arguments *args, struct fault *f)
{
    uint64_t intent = 0;
    json_t *subject = NULL;
    bool suspend = s->operation == OP_SUSPEND, already = false;
    enum outcome o = estate_open(argument(args, "bindings"), &s->estate, f);

    s->scope = args->operands[0];
    s->json = argument_flag(args, "json");
    if (o == OK)
        o = scope_check(s, f);
    if (o != OK)
        goto out;
    already = scope_suspended(s) == suspend;
    if (already) {
        o = suspend ? suspension_tell(s, "suspended already", f)
                    : fault_set(f, E_REFUSED, "%s is not suspended: see `quorate status`", s->scope);
        goto out;
    }
    subject = suspension_subject(s);
    o = subject ? suspension_left(s, subject, &intent, f) : fault_memory(f);
    if (o == OK && intent == 0) {
        o = suspension_ask(s, subject, &intent, f);
        subject = NULL; /* taken by the question */
    }
    if (o == OK)
        o = suspension_enter(s, intent, f);
    if (o == OK)
        o = suspension_tell(s, suspend ? "suspended" : "resumed", f);
out:
    json_decref(subject);
    estate_close(s->estate);
    return o;
}

enum outcome run_suspend(const struct arguments *args, struct fault *f)
{
    struct suspension s = {.operation = OP_SUSPEND};
    enum outcome o = argument_want(args, "reason", &s.reason, f);

    return o == OK ? suspension_run(&s, args, f) : o;
}

enum outcome run_resume(const struct arguments *args, struct fault *f)
{
    struct suspension s = {.operation = OP_RESUME};

    return suspension_run(&s, args, f);
}
