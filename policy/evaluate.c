#include "policy/evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "policy/match.h"
#include "policy/quorum.h"
#include "policy/replicas.h"

static bool listed(const struct strings *list, const char *text)
{
    return list->count == 0 || (text != NULL && strings_have(list, text));
}

/* LABEL_BROKEN: no memory to find out; the rule in question may deny what a later one allows. */
static enum label_match rule_find(const struct policy *p, enum operation op, const char *token, const char *label,
                                  const char *class_name, int object, const struct rule **ret)
{
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct rule *r = &p->rules[i];
        enum label_match m = LABEL_MATCHES;

        if ((r->operations & UINT32_C(1) << op) == 0 || !listed(&r->tokens, token) ||
            !listed(&r->classes, class_name) || (r->object != -1 && r->object != object))
            continue;
        if (r->label != NULL)
            m = label_match(&r->label_regex, label == NULL ? "" : label);
        if (m == LABEL_MATCHES)
            *ret = r;
        if (m != LABEL_DIFFERS)
            return m;
    }
    return LABEL_DIFFERS;
}

const struct rule *policy_match(const struct policy *p, enum operation op, const char *token, const char *label,
                                const char *class_name, int object)
{
    const struct rule *rule = NULL;

    return rule_find(p, op, token, label, class_name, object, &rule) == LABEL_MATCHES ? rule : NULL;
}

const struct rule *policy_receipts(const struct policy *p, const struct rule *r, const struct subject *s)
{
    const struct rule *birth =
        s->operation == OP_REPLICATE ? policy_match(p, OP_GENERATE, s->token, s->label, s->class_name, 1) : NULL;

    return birth != NULL ? birth : r;
}

static bool lasts(struct span_of_time d)
{
    return d.seconds != 0 || d.months != 0;
}

bool policy_key_in_order(const struct policy *p, const char *token, const char *label, const char *class_name,
                         const struct evidence *e, const char **ret_code, struct buf *ret_text)
{
    bool secret = class_name != NULL && strcmp(class_name, "secret-key") == 0;
    const struct rule *birth = NULL;
    enum label_match m = rule_find(p, OP_GENERATE, token, label, secret ? "secret-key" : "private-key", 1, &birth);
    moment end = MOMENT_NEVER;

    if (m == LABEL_BROKEN) {
        buf_puts(ret_text, "out of memory while looking for the rule of the key's birth");
        *ret_code = "key";
        return false;
    }
    if (e->key == NULL || birth == NULL || birth->effect != EFFECT_REQUIRE)
        return true;
    if (lasts(birth->key.lifetime)) {
        end = moment_add(e->key->born, birth->key.lifetime);
        if (e->at >= end) {
            buf_putf(ret_text, "the key's lifetime ended on %s (rule \"%s\", line %u)", moment_format(end).text,
                     birth->id, birth->line);
            *ret_code = "lifetime";
            return false;
        }
    }
    if (lasts(birth->replicas.placed_within)) {
        end = moment_add(e->key->born, birth->replicas.placed_within);
        if (e->at > end && !replicas_in_place(p, &birth->replicas, token, e, e->key->sites)) {
            buf_putf(ret_text,
                     "the HSMs that hold the key had to be in their places by %s and are not (rule \"%s\", line %u); "
                     "record their arrival",
                     moment_format(end).text, birth->id, birth->line);
            *ret_code = "place";
            return false;
        }
    }
    return true;
}

/* Until it is born a key does no more than its rule says, in the ceremony that made it; whoever knows the bytes sees to it
 * that they are its own certificate's. */
static void judge_provisional(struct judge *j, const struct request *r)
{
    const struct key_fact *key = j->evidence->key;
    const struct ceremony_fact *c = j->evidence->ceremony;
    const struct subject *s = r->subject;
    const struct rule *birth = NULL;

    if (s->operation != OP_USE || key == NULL || !key->provisional)
        return;
    if (rule_find(j->policy, OP_GENERATE, s->token, s->label, s->class_name, 1, &birth) != LABEL_MATCHES ||
        birth->effect != EFFECT_REQUIRE || !birth->replicas.self_signs || key->ceremony == NULL)
        judge_deny(j, "provisional", "the key is provisional, and nothing lets it be used before it is born");
    else if (j->evidence->at > key->until)
        judge_deny(j, "provisional", "the key is provisional, and receipts were awaited until %s: it ends",
                   moment_format(key->until).text);
    else if (j->verdict->rule->effect != EFFECT_REQUIRE || j->verdict->rule->uses_at_most > 0)
        judge_deny(j, "provisional", "the key is provisional: until it is born each use has to be approved by itself");
    else if (c == NULL || strcmp(c->id, key->ceremony) != 0 || c->operation != OP_USE || r->ceremony == NULL ||
             strcmp(r->ceremony, c->id) != 0 || r->step == NULL || c->step == NULL || strcmp(r->step, c->step) != 0)
        judge_wait(j, "provisional",
                   "the key is provisional: until it is born it signs its own certificate alone, in %s", key->ceremony);
    else
        judge_note(j, FINDING_MET, "provisional", "the key is provisional, and may sign its own certificate in %s",
                   key->ceremony);
}

static void judge_key_age(struct judge *j, const struct subject *s)
{
    const char *code = NULL;
    struct buf text = BUF(2048);

    if (s->operation == OP_USE && j->evidence->key != NULL &&
        !policy_key_in_order(j->policy, s->token == NULL ? "" : s->token, s->label, s->class_name, j->evidence, &code,
                             &text))
        judge_deny(j, code, "%s", buf_str(&text));
    buf_free(&text);
}

/* The people signed the ceremony and the step too: another one does not stand for it. */
static void judge_ceremony(struct judge *j, const struct rule *rule, const struct request *r)
{
    const struct ceremony_fact *c = j->evidence->ceremony;
    struct buf wanted = BUF(LIMIT_DOCUMENT);

    names_put(&wanted, &rule->ceremony, "or");
    if (c == NULL)
        judge_wait(j, "ceremony", "needs an open ceremony %s; none is open here", buf_str(&wanted));
    else if (!strings_have(&rule->ceremony, c->script))
        judge_wait(j, "ceremony", "needs an open ceremony %s; %s is open", buf_str(&wanted), c->script);
    else if (c->operation != (int)r->subject->operation)
        judge_wait(j, "ceremony", "step %s of the ceremony is not the one for %s", c->step == NULL ? "none" : c->step,
                   operation_name(r->subject->operation));
    else if (r->ceremony == NULL || strcmp(r->ceremony, c->id) != 0 ||
             (r->step != NULL && (c->step == NULL || strcmp(r->step, c->step) != 0)))
        judge_wait(j, "ceremony", "the request was made outside of this ceremony or for another step; ask again here");
    else
        judge_note(j, FINDING_MET, "ceremony", "ceremony %s, step %s", c->id, c->step == NULL ? "none" : c->step);
    j->failed = j->failed || wanted.failed;
    buf_free(&wanted);
}

static void judge_usage(struct judge *j, const struct key_rule *k, const struct subject *s)
{
    const struct {
        bool asked;
        const char *name;
    } usages[] = {{s->can_sign, "sign"}, {s->can_decrypt, "decrypt"}, {s->can_derive, "derive"}, {s->can_wrap, "wrap"}};

    for (size_t i = 0; k->usage.count > 0 && i < sizeof usages / sizeof *usages; i++)
        if (usages[i].asked && !strings_have(&k->usage, usages[i].name))
            judge_deny(j, "key", "the key may %s, which the rule does not list under usage", usages[i].name);
}

static void judge_key(struct judge *j, const struct rule *rule, const struct subject *s)
{
    bool pair = s->class_name == NULL || strcmp(s->class_name, "secret-key") != 0;
    bool was = j->denied;
    struct buf types = BUF(LIMIT_DOCUMENT);

    names_put(&types, &rule->key.types, "or");
    if (rule->key.types.count > 0 && !strings_have(&rule->key.types, s->key_type))
        judge_deny(j, "key", "the key's type %s is not %s", *s->key_type == '\0' ? "is not known and" : s->key_type,
                   buf_str(&types));
    judge_usage(j, &rule->key, s);
    if (rule->replicas.present && rule->replicas.prove_signature && pair && !s->can_sign)
        judge_deny(j, "key", "a private key that may not sign cannot prove its replicas by signature");
    if (rule->extractable_closed && s->extractable)
        judge_deny(j, "key", "CKA_EXTRACTABLE is true, and the rule closes it");
    if (rule->trusted_wrap_only && !s->wrap_with_trusted)
        judge_deny(j, "key",
                   "CKA_WRAP_WITH_TRUSTED is not true, and the rule lets the key leave under trusted keys only");
    if (rule->key.present && j->denied == was)
        judge_note(j, FINDING_MET, "key", "the key's type and usage are as the rule asks");
    j->failed = j->failed || types.failed;
    buf_free(&types);
}

/* Whoever rewrites the record would have to persuade the cosigners too. */
static void judge_cosigned(struct judge *j)
{
    const struct key_fact *key = j->evidence->key;

    if (key == NULL || key->provisional)
        judge_wait(j, "cosigned", "needs a key whose birth is in the log and cosigned");
    else if (j->evidence->cosigned <= key->seq)
        judge_wait(j, "cosigned",
                   "needs the record of the key's birth (entry %llu) cosigned, and %llu entries are (quorate cosign "
                   "collect)",
                   (unsigned long long)key->seq, (unsigned long long)j->evidence->cosigned);
    else
        judge_note(j, FINDING_MET, "cosigned", "the record of the key's birth is cosigned");
}

static void judge_requirements(struct judge *j, const struct rule *rule, const struct request *r)
{
    const struct subject *s = r->subject;

    if (s->operation == OP_GENERATE)
        judge_key(j, rule, s);
    if (rule->ceremony.count > 0)
        judge_ceremony(j, rule, r);
    if (rule->has_quorum)
        quorum_judge(j, &rule->quorum, s->requester);
    if (rule->replicas.present)
        replicas_judge(j, &rule->replicas, s->token);
    if (rule->cosigned)
        judge_cosigned(j);
}

static bool succeeds(const struct request *r)
{
    return r->subject->operation == OP_ADOPT_POLICY && r->subject->succession;
}

/* What ends the question before any rule is asked. */
static bool judge_frame(struct judge *j, const struct request *r)
{
    const struct verdict *v = j->verdict;
    enum operation op = r->subject->operation;
    /* Suspension must not be what keeps an estate suspended. */
    bool free_of_it =
        op == OP_SUSPEND || op == OP_RESUME || succeeds(r) || (v->rule != NULL && v->rule->while_suspended);

    if (!digest_equal(&r->policy, &j->policy->digest))
        judge_deny(j, "voided", "the request was made under version %u of the policy and version %u judges; ask again",
                   r->policy_version, j->policy->version);
    else if (j->evidence->at >= r->expires)
        judge_deny(j, "expired", "the request expired on %s; ask again", moment_format(r->expires).text);
    else if (j->evidence->suspended && !free_of_it)
        judge_deny(j, "suspended", "%s is suspended here", operation_name(op));
    else if (strcmp(r->rule, v->rule_id) != 0 && strcmp(v->rule_id, "otherwise") != 0)
        judge_deny(j, "rule", "the request says that rule \"%s\" decides; ask again", r->rule);
    return j->denied;
}

static void judge_request(struct judge *j, const struct request *r)
{
    const struct rule *rule = j->verdict->rule;

    if (judge_frame(j, r))
        return;
    if (succeeds(r) && j->policy->succession.at_least == 0) {
        judge_deny(j, "succession", "the policy has no succession");
    } else if (succeeds(r)) {
        quorum_judge(j, &j->policy->succession, r->subject->requester);
    } else if (rule == NULL) {
        judge_deny(j, "otherwise", "no rule allows %s", operation_name(r->subject->operation));
    } else if (rule->effect == EFFECT_REQUIRE) {
        judge_requirements(j, rule, r);
        judge_key_age(j, r->subject);
        judge_provisional(j, r);
    } else if (rule->effect == EFFECT_ALLOW) {
        judge_note(j, FINDING_MET, "rule", "the rule allows it");
        judge_provisional(j, r);
        judge_key_age(j, r->subject);
    } else {
        judge_deny(j, "rule", "the rule denies it");
    }
}

static enum outcome verdict_make(const struct policy *p, const struct request *r, struct verdict **ret, struct fault *f)
{
    const struct subject *s = r->subject;
    const char *id = "otherwise";
    struct verdict *v = calloc(1, sizeof *v);

    if (v == NULL)
        return fault_memory(f);
    v->file = p->file;
    v->line = p->otherwise_line;
    if (succeeds(r)) {
        id = "succession";
        v->line = p->succession.line;
    } else {
        v->rule = policy_match(p, s->operation, s->token, s->label, s->class_name, s->object);
    }
    if (v->rule != NULL) {
        id = v->rule->id;
        v->line = v->rule->line;
    }
    v->rule_id = strdup(id);
    if (v->rule_id == NULL) {
        verdict_free(v);
        return fault_memory(f);
    }
    *ret = v;
    return OK;
}

enum outcome policy_evaluate(const struct policy *p, const struct request *r, const struct evidence *e,
                             struct verdict **ret, struct fault *f)
{
    struct judge j = {.policy = p, .evidence = e};
    enum outcome o = verdict_make(p, r, &j.verdict, f);

    if (o != OK)
        return o;
    judge_request(&j, r);
    if (j.failed) {
        verdict_free(j.verdict);
        return fault_memory(f);
    }
    j.verdict->decision = j.denied ? DECISION_DENY : j.waiting ? DECISION_PENDING : DECISION_ALLOW;
    *ret = j.verdict;
    j.verdict = NULL; /* taken by the caller */
    return OK;
}
