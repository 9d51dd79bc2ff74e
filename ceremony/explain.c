#include "ceremony/explain.h"

#include <stdlib.h>
#include <string.h>

#include "ceremony/describe.h"
#include "ceremony/policy_file.h"
#include "ceremony/tool.h"
#include "core/hardware.h"
#include "core/limits.h"
#include "estate/evidence.h"
#include "estate/serving.h"
#include "policy/evaluate.h"

struct explaining {
    struct estate *estate; /* NULL: sites as declared, enrolled and at home */
    struct policy *read;   /* --policy */
    const struct policy *policy;
    struct question question;
    moment at, first;
    struct vote *votes;
    size_t vote_count;
    struct evidence_base base;
    struct ceremony_fact ceremony;
    struct request *request;
};

/* With --policy an estate is welcome but not needed. */
static enum outcome policy_choose(const struct arguments *a, struct explaining *x, struct fault *f)
{
    const char *file = argument(a, "policy"), *bindings = argument(a, "bindings");
    struct fault absent = {.outcome = OK};
    enum outcome o = file ? policy_file_read(file, &x->read, f) : OK;

    if (o != OK)
        return o;
    o = estate_open(bindings, &x->estate, &absent);
    if (o == E_ABSENT && file && !bindings)
        o = OK;
    else if (o != OK)
        o = fault_set(f, o, "%s", absent.text);
    if (o != OK)
        return o;
    if (x->read && x->estate)
        promotions_apply(x->read, &x->estate->state);
    x->policy = x->read ? x->read : x->estate->policy;
    if (!x->policy)
        return fault_set(f, E_ABSENT, "no policy is in force yet; name a file with --policy FILE");
    return OK;
}

static enum outcome votes_read(const struct arguments *a, struct explaining *x, struct fault *f)
{
    enum outcome o = OK;

    x->first = x->at;
    x->votes = calloc(a->given_count + 1, sizeof *x->votes);
    if (!x->votes)
        return fault_memory(f);
    for (size_t i = 0; o == OK && i < a->given_count; i++) {
        const char *name = a->given[i].option->name;
        bool approval = strcmp(name, "approve") == 0;
        const struct person *who = NULL;
        moment when = 0;

        if (!approval && strcmp(name, "reject") != 0)
            continue;
        o = question_vote(a->given[i].value, x->policy, x->at, &who, &when, f);
        if (o != OK)
            break;
        /* No certificate is at hand: that two people have one key is refused elsewhere, so one by one stands in. */
        x->votes[x->vote_count] = (struct vote){.kind = approval ? VOTE_APPROVAL : VOTE_REJECTION,
                                                .fingerprint = who->fingerprint,
                                                .public_key = who->fingerprint,
                                                .at = when,
                                                .seq = x->vote_count,
                                                .what = approval ? NULL : "said on the command line"};
        x->vote_count++;
        x->first = when < x->first ? when : x->first;
    }
    return o;
}

/* Every site of every token as the policy declares it: enrolled, attested as well as it can be, at home. */
static enum outcome sites_declared(struct explaining *x, struct fault *f)
{
    const struct policy *p = x->policy;
    size_t count = 0;

    for (size_t i = 0; i < p->token_count; i++)
        count += 1 + p->tokens[i].replicas.count;
    x->base.sites = calloc(count + 1, sizeof *x->base.sites);
    if (!x->base.sites)
        return fault_memory(f);
    for (size_t i = 0; i < p->token_count; i++) {
        const struct token *t = &p->tokens[i];

        for (size_t j = 0; j <= t->replicas.count; j++) {
            const char *id = j == 0 ? t->primary : t->replicas.items[j - 1];
            const struct site *s = policy_site(p, id);

            x->base.sites[x->base.site_count++] =
                (struct site_fact){.token = t->id,
                                   .site = id,
                                   .enrolled = true,
                                   .placed = s != NULL,
                                   .latitude = s ? s->at.latitude : 0,
                                   .longitude = s ? s->at.longitude : 0,
                                   .country = s ? s->at.country : "",
                                   .tags = s ? &s->at.tags : NULL,
                                   .at_home = s != NULL,
                                   .hardware = s && s->root_count > 0 ? HARDWARE_BY_VENDOR : HARDWARE_BY_PEOPLE,
                                   .drilled = x->at};
        }
    }
    return OK;
}

static enum outcome request_make(struct explaining *x, struct fault *f)
{
    struct digest zero = {{0}};
    struct asker asker = {.environment = x->estate ? x->estate->state.environment : "rehearsal",
                          .origin = x->estate ? x->estate->state.origin : "explain",
                          .policy = x->policy};
    struct digest_text estate = digest_hex(x->estate ? &x->estate->state.estate : &zero);
    struct request_frame frame = {.policy = x->policy->digest,
                                  .policy_version = x->policy->version,
                                  .made = x->first,
                                  .ceremony = x->ceremony.script ? x->ceremony.id : NULL,
                                  .step = x->ceremony.script ? x->ceremony.step : NULL};
    const struct rule *rule = NULL;
    struct subject *s = NULL;
    json_t *json = NULL;
    enum outcome o = OK;

    asker.estate_hex = estate.hex;
    o = question_subject(&x->question, &asker, &json, f);
    if (o == OK)
        o = subject_read(json, &s, f);
    if (o != OK)
        return o;
    rule = s->succession ? NULL : policy_match(x->policy, s->operation, s->token, s->label, s->class_name, s->object);
    frame.rule = rule ? rule->id : s->succession ? "succession" : "otherwise";
    frame.expires = request_expires(rule, x->first);
    o = request_compose(s->json, &frame, &x->request, f);
    subject_free(s);
    return o;
}

static enum outcome verdict_find(struct explaining *x, struct verdict **ret, struct fault *f)
{
    struct evidence e = {.at = x->at, .votes = x->votes, .vote_count = x->vote_count};
    enum outcome o = x->estate ? evidence_gather(&x->estate->state, x->policy, x->request->subject, &x->base, f)
                               : sites_declared(x, f);

    if (o != OK)
        return o;
    e.sites = x->base.sites;
    e.site_count = x->base.site_count;
    e.ceremony = x->ceremony.script ? &x->ceremony : NULL;
    e.key = x->base.has_key ? &x->base.key : NULL;
    e.suspended = x->base.suspended;
    e.cosigned = x->base.cosigned;
    return policy_evaluate(x->policy, x->request, &e, ret, f);
}

static enum outcome explain_tell(const struct explaining *x, const struct verdict *v, bool json, struct fault *f)
{
    const struct subject *s = x->request->subject;
    struct buf b = BUF(OUTPUT_MAX), text = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    if (json)
        return print_json(verdict_details(v), f);
    headline_put(&b, operation_name(s->operation), s->key_type, s->label, s->token);
    buf_puts(&b, x->estate ? "\n" : ", the sites as declared\n");
    verdict_put(v, &text);
    print_lines(&b, &text);
    o = print_out(&b, f);
    buf_free(&text);
    buf_free(&b);
    return o;
}

static enum outcome question_read(const struct arguments *a, struct explaining *x, struct fault *f)
{
    int operation = operation_parse(a->operands[0]);
    const char *at = argument(a, "at");

    if (operation < 0)
        return fault_set(f, E_INVALID,
                         "there is no operation \"%s\"; expected generate, use, adopt-policy and so on "
                         "(quorate-policy(1) lists them)",
                         a->operands[0]);
    x->question = (struct question){.operation = (enum operation)operation,
                                    .token = argument(a, "token"),
                                    .label = argument(a, "label"),
                                    .type = argument(a, "type"),
                                    .usage = argument(a, "usage"),
                                    .class_name = argument(a, "class"),
                                    .succession = argument_flag(a, "succession")};
    x->ceremony = (struct ceremony_fact){
        .id = "explained", .script = argument(a, "script"), .step = "explained", .operation = operation};
    x->at = moment_now();
    return at ? moment_parse_loose(at, &x->at, f) : OK;
}

enum outcome run_policy_explain(const struct arguments *a, struct fault *f)
{
    struct explaining x = {0};
    struct verdict *v = NULL;
    enum outcome o = question_read(a, &x, f);

    if (o == OK)
        o = policy_choose(a, &x, f);
    if (o == OK)
        o = votes_read(a, &x, f);
    if (o == OK)
        o = request_make(&x, f);
    if (o == OK)
        o = verdict_find(&x, &v, f);
    if (o == OK)
        o = explain_tell(&x, v, argument_flag(a, "json"), f);
    if (o == OK && v->decision != DECISION_ALLOW)
        o = print_said(v->decision == DECISION_PENDING ? E_PENDING : E_REFUSED, f);
    verdict_free(v);
    request_free(x.request);
    evidence_clear(&x.base);
    free(x.votes);
    policy_free(x.read);
    estate_close(x.estate);
    return o;
}
