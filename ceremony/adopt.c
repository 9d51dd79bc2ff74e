#include <stdlib.h>
#include <string.h>

#include "ceremony/adopt.h"
#include "ceremony/describe.h"
#include "ceremony/heads.h"
#include "ceremony/policy_file.h"
#include "ceremony/tool.h"
#include "ceremony/waiting.h"
#include "core/file.h"
#include "estate/asking.h"

/* `quorate policy adopt` and `quorate introduce`: request, then intent, then the file in the home, then the entry. */

static enum outcome adoption_tell(const struct adoption *a, const char *status, struct fault *f)
{
    const struct policy *p = a->policy;
    struct buf b = BUF(OUTPUT_MAX);
    struct fault agree = {.outcome = OK};
    enum outcome o = OK;

    if (a->json) {
        json_t *j = json_object();

        if (json_put_digest(j, "digest", &p->digest) && json_put_string(j, "status", status) &&
            json_put_integer(j, "version", p->version)) {
            o = print_json(j, f);
        } else {
            json_decref(j);
            o = fault_memory(f);
        }
    } else {
        print_text(&b, "Policy ");
        print_text(&b, p->name);
        buf_putf(&b, " version %u: ", p->version);
        print_toned(&b, TONE_GOOD, status);
        buf_puts(&b, "\n");
        print_field(&b, "digest", "%s", digest_hex(&p->digest).hex);
        if (estate_policy_in_force(a->estate, &agree) != OK)
            print_field(&b, "beware", "%s", agree.text);
        o = print_out(&b, f);
    }
    buf_free(&b);
    return o;
}

/* What must be so before anybody is asked. */
static enum outcome adoption_fits(const struct adoption *a, struct fault *f)
{
    const struct state *s = &a->estate->state;
    const struct policy *p = a->policy;
    struct remarks remarks = {0};
    struct buf b = BUF(OUTPUT_MAX);
    bool unmet = false, first = a->estate->policy == NULL;
    enum outcome o = OK;

    if (first && !digest_equal(&p->digest, &s->genesis_policy))
        return fault_set(f, E_REFUSED,
                         "%s is not the policy that this estate was made with (its digest would be %s); the first "
                         "policy must be that one",
                         p->file, digest_hex(&s->genesis_policy).hex);
    if (first && a->succession)
        return fault_set(f, E_INVALID, "--succession replaces a policy in force; there is none yet");
    if (!first && p->version <= s->policy_version)
        return fault_set(f, E_REFUSED, "%s has version %u, but version %u is in force; a later version must be higher",
                         p->file, p->version, s->policy_version);
    o = policy_check(p, moment_now(), &remarks, f);
    if (o == OK && remarks_put(&remarks, &b, &unmet)) {
        print_aside(&b);
        o = fault_set(f, E_REFUSED, "%s cannot be adopted: an estate under it could not change it again", p->file);
    }
    buf_free(&b);
    remarks_free(&remarks);
    return o;
}

static json_t *adoption_subject(const struct adoption *a)
{
    json_t *subject = asking_subject(a->estate, OP_ADOPT_POLICY, NULL), *policy = json_object();
    bool good = json_put_digest(policy, "canonical", &a->policy->canonical) &&
                json_put_digest(policy, "digest", &a->policy->digest) &&
                json_put_integer(policy, "version", a->policy->version);

    if (!good) {
        json_decref(policy);
    } else {
        good = json_put(subject, "policy", policy);
    }
    if (good && a->succession)
        good = json_put_string(subject, "succession", "true");
    if (good && a->host != NULL)
        good = json_put(subject, "host", json_deep_copy(a->host));
    if (good)
        return subject;
    json_decref(subject);
    return NULL;
}

/* home/policies/DIGEST.yaml, before the log says that it is in force. */
static enum outcome adoption_keep(const struct adoption *a, struct fault *f)
{
    char name[80], *path = NULL;
    enum outcome o = E_MEMORY;

    snprintf(name, sizeof name, "%s.yaml", digest_hex(&a->policy->digest).hex);
    path = estate_path(a->estate, "policies", name);
    o = path ? file_replace(path, buf_span(&a->policy->source), 0644, f) : fault_memory(f);
    free(path);
    return o;
}

/* Whose site this home is, from here on: before the policy's entry, which spends the request. */
static enum outcome host_enter(const struct adoption *a, const struct state_intent *intent, struct fault *f)
{
    json_t *body = json_deep_copy(a->host);
    bool good = json_put_digest(body, "request", &intent->request) &&
                json_put(body, "verdict", json_deep_copy(json_object_get(intent->body, "verdict")));
    enum outcome o = good ? estate_append(a->estate, ENTRY_INTRODUCED, body, NULL, f) : fault_memory(f);

    json_decref(body);
    return o;
}

static enum outcome adoption_enter(const struct adoption *a, const struct state_intent *intent, struct fault *f)
{
    json_t *body = json_object();
    enum outcome o = E_MEMORY;
    bool good = json_put_digest(body, "canonical", &a->policy->canonical) &&
                json_put_digest(body, "digest", &a->policy->digest) &&
                json_put_digest(body, "request", &intent->request) &&
                json_put(body, "verdict", json_deep_copy(json_object_get(intent->body, "verdict"))) &&
                json_put_integer(body, "version", a->policy->version);

    if (good && a->succession)
        good = json_put_string(body, "succession", "true");
    o = good ? adoption_keep(a, f) : fault_memory(f);
    if (o == OK && a->host != NULL && a->estate->state.host == NULL)
        o = host_enter(a, intent, f);
    if (o == OK)
        o = estate_append(a->estate, ENTRY_POLICY, body, NULL, f);
    json_decref(body);
    return o;
}

static bool json_same(const json_t *left, const json_t *right)
{
    return left == NULL || right == NULL ? left == right : json_equal(left, right);
}

/* An intent of this very adoption that a crash left open: the decision was taken, only the entry is missing. */
static enum outcome adoption_left(const struct adoption *a, const struct state_intent **ret, struct fault *f)
{
    const struct state *s = &a->estate->state;
    json_t *wanted = adoption_subject(a);
    enum outcome o = wanted ? OK : fault_memory(f);

    for (size_t i = 0; o == OK && i < s->intent_count; i++) {
        const struct state_intent *intent = &s->intents[i];
        struct request *r = NULL;

        if (intent->state != INTENT_OPEN || strcmp(intent->operation, operation_name(OP_ADOPT_POLICY)) != 0)
            continue;
        o = estate_request(a->estate, &intent->request, &r, f);
        if (o == OK && json_equal(json_object_get(r->subject->json, "policy"), json_object_get(wanted, "policy")) &&
            json_same(json_object_get(r->subject->json, "host"), a->host) && r->subject->succession == a->succession)
            *ret = intent;
        request_free(r);
    }
    json_decref(wanted);
    return o;
}

/* Whom it waits for, or why not, in one line. */
static enum outcome adoption_wait(const struct adoption *a, const struct answer *answer, struct fault *f)
{
    struct buf why = BUF(OUTPUT_MAX);
    enum outcome o = E_REFUSED;

    verdict_put_short(answer->verdict, &why);
    if (answer->verdict->decision == DECISION_PENDING && answer->request)
        o = waiting_tell(a->json, a->host != NULL ? "The introduction" : "The policy",
                         digest_hex(&answer->request->id).hex, buf_str(&why), f);
    else
        fault_set(f, E_REFUSED, "%s may not be adopted: %s", a->policy->file, buf_str(&why));
    buf_free(&why);
    return o;
}

enum outcome adoption_run(const struct adoption *a, struct fault *f)
{
    struct answer answer = {0};
    const struct state_intent *intent = NULL;
    uint64_t seq = 0;
    json_t *subject = NULL;
    enum outcome o = adoption_left(a, &intent, f);

    if (o != OK)
        goto out;
    if (!intent) {
        subject = adoption_subject(a);
        o = subject ? estate_ask(a->estate, subject, &a->context, &answer, f) : fault_memory(f);
        if (o != OK)
            goto out;
        if (answer.plain) {
            o = fault_set(f, E_REFUSED,
                          "a rule allows adopt-policy without anybody's approval; the entry would name no "
                          "request: require a quorum for it");
            goto out;
        }
        if (answer.verdict->decision != DECISION_ALLOW || !answer.request) {
            o = adoption_wait(a, &answer, f);
            goto out;
        }
        o = estate_intend(a->estate, answer.request, &a->context, NULL, &seq, f);
        if (o != OK)
            goto out;
        intent = state_intent(&a->estate->state, seq);
    }
    o = intent ? adoption_enter(a, intent, f) : fault_set(f, E_IO, "the log does not show the intent just written");
    if (o == OK && a->host == NULL)
        o = adoption_tell(a, "in force", f);
out:
    answer_clear(&answer);
    return o;
}

enum outcome run_policy_adopt(const struct arguments *args, struct fault *f)
{
    struct adoption a = {.succession = argument_flag(args, "succession"), .json = argument_flag(args, "json")};
    char *folder = NULL;
    enum outcome o = estate_open(argument(args, "bindings"), &a.estate, f);

    if (o == OK)
        o = policy_file_read(args->operands[0], &a.policy, f);
    if (o != OK)
        goto out;
    if (a.estate->policy && digest_equal(&a.policy->digest, &a.estate->state.policy)) {
        o = adoption_tell(&a, "in force already", f);
        goto out;
    }
    o = adoption_fits(&a, f);
    if (o != OK)
        goto out;
    folder = path_folder(args->operands[0]);
    o = folder ? estate_roster_import(a.estate, a.policy, folder, f) : fault_memory(f);
    if (o != OK)
        goto out;
    a.context.judge = a.estate->policy ? NULL : a.policy;
    o = adoption_run(&a, f);
    if (o == OK)
        heads_bring_by(a.estate, argument(args, "module"), argument(args, "bindings"));
out:
    free(folder);
    policy_free(a.policy);
    estate_close(a.estate);
    return o;
}
