#include <stdlib.h>
#include <string.h>

#include "core/hardware.h"
#include "policy/evaluate.h"
#include "policy/quorum.h"
#include "policy/replicas.h"

/* What the declared people and sites can and cannot satisfy. */
struct check {
    const struct policy *policy;
    moment at;
    const struct site_fact *sites; /* as they stand; NULL: as they are declared */
    size_t site_count;
    struct remarks remarks;
    bool *marked; /* by person */
    bool failed;  /* out of memory */
};

static void remark_add(struct check *c, enum remark_kind kind, const struct rule *rule, unsigned line,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

/* rule NULL: the succession, or the document itself where line is 0. */
static void remark_add(struct check *c, enum remark_kind kind, const struct rule *rule, unsigned line,
                       const char *format, ...)
{
    struct buf text = BUF(LIMIT_DOCUMENT);
    struct remark *grown = NULL;
    char *taken = NULL;
    va_list ap;

    if (line == 0)
        buf_putf(&text, "%s: ", c->policy->file);
    else if (rule == NULL)
        buf_putf(&text, "%s:%u: succession: ", c->policy->file, line);
    else
        buf_putf(&text, "%s:%u: rule \"%s\": ", c->policy->file, line, rule->id);
    va_start(ap, format);
    buf_vputf(&text, format, ap);
    va_end(ap);
    taken = buf_take(&text);
    grown = taken == NULL ? NULL : realloc(c->remarks.items, (c->remarks.count + 1) * sizeof *grown);
    if (grown == NULL) {
        c->failed = true;
        free(taken);
    } else {
        c->remarks.items = grown;
        c->remarks.items[c->remarks.count++] = (struct remark){.kind = kind, .line = line, .text = taken};
        taken = NULL; /* taken by the remarks */
    }
    buf_free(&text);
}

/* What the people of that day bring together, without the one of index `lost` (person_count: nobody is lost). */
static struct capacity bring(struct check *c, const struct quorum *q, size_t lost)
{
    const struct policy *p = c->policy;
    struct capacity found = {0};

    for (size_t i = 0; i < p->person_count; i++)
        c->marked[i] = i != lost && quorum_standing(p, q, &p->people[i], NULL, c->at) == STANDING_COUNTS;
    if (!quorum_capacity(p, c->marked, c->at, &found))
        c->failed = true;
    return found;
}

static bool can_form(struct check *c, const struct quorum *q)
{
    struct capacity found = bring(c, q, c->policy->person_count);

    return quorum_reached(q, &found);
}

static void remark_short(struct check *c, enum remark_kind kind, const struct quorum *q, const struct rule *rule,
                         unsigned line, const struct capacity *found)
{
    struct buf roles = BUF(LIMIT_DOCUMENT);
    const struct moment_text day = moment_format(c->at);

    names_put(&roles, &q->of, "or");
    if (found->people < q->at_least)
        remark_add(c, kind, rule, line, "needs %u people who are %s; the policy has %zu on %s", q->at_least,
                   buf_str(&roles), found->people, day.text);
    else
        remark_add(c, kind, rule, line, "needs people of %u organisations who are %s; the policy has %zu on %s",
                   q->organisations, buf_str(&roles), found->organisations, day.text);
    c->failed = c->failed || roles.failed;
    buf_free(&roles);
}

static void check_quorum(struct check *c, const struct quorum *q, const struct rule *rule, unsigned line,
                         enum remark_kind unmet)
{
    const struct policy *p = c->policy;
    struct capacity found = bring(c, q, p->person_count);
    struct strings losses = {0};
    struct buf text = BUF(LIMIT_DOCUMENT);

    if (!quorum_reached(q, &found)) {
        remark_short(c, unmet, q, rule, line, &found);
        goto out;
    }
    for (size_t i = 0; i < p->person_count; i++) {
        found = bring(c, q, i);
        if (!quorum_reached(q, &found) && !strings_add(&losses, p->people[i].id))
            c->failed = true;
    }
    if (losses.count > 0) {
        names_put(&text, &losses, "or");
        remark_add(c, REMARK_FRAIL, rule, line, "could not be met any more without %s", buf_str(&text));
    }
out:
    c->failed = c->failed || text.failed;
    strings_free(&losses);
    buf_free(&text);
}

/* As far as the log knows: the site's HSM is enrolled and attested as asked, not on its way, and drilled in time. */
static bool site_counts(const struct check *c, const struct replica_rule *r, const char *token, const char *site)
{
    bool asks_fresh = r->fresh.seconds != 0 || r->fresh.months != 0;

    for (size_t i = 0; i < c->site_count; i++) {
        const struct site_fact *s = &c->sites[i];

        if (strcmp(s->token, token) == 0 && strcmp(s->site, site) == 0)
            return s->enrolled && !s->away && replicas_hardware_fits(r, s->hardware) &&
                   (!asks_fresh || (s->drilled != 0 && c->at <= moment_add(s->drilled, r->fresh)));
    }
    return c->sites == NULL;
}

/* No vendor can attest an HSM whose roots the policy does not list. */
static bool site_attestable(const struct replica_rule *r, const struct site *s)
{
    return replicas_hardware_fits(r, s->root_count > 0 ? HARDWARE_BY_VENDOR : HARDWARE_BY_PEOPLE);
}

/* The replica sites of a token that the rule accepts by where the policy says they are, without one. */
static size_t replicas_possible(const struct check *c, const struct replica_rule *r, const struct token *t, size_t lost)
{
    const struct site *primary = policy_site(c->policy, t->primary);
    struct spot at = {0}, spots[LIMIT_SITES - 1] = {0};

    if (primary == NULL)
        return 0;
    at = (struct spot){.usable = true, .latitude = primary->at.latitude, .longitude = primary->at.longitude};
    for (size_t i = 0; i < t->replicas.count; i++) {
        const struct site *s = policy_site(c->policy, t->replicas.items[i]);

        if (i != lost && s != NULL && site_counts(c, r, t->id, s->id) && (c->sites != NULL || site_attestable(r, s)) &&
            (r->sites.count == 0 || strings_have(&r->sites, s->id)) &&
            replicas_place_fits(r, s->at.country, &s->at.tags))
            spots[i] = (struct spot){.usable = true, .latitude = s->at.latitude, .longitude = s->at.longitude};
    }
    return (size_t)__builtin_popcount(replicas_best(&at, spots, t->replicas.count, r->apart_km));
}

static void check_replicas(struct check *c, const struct rule *rule, const struct token *t)
{
    const struct replica_rule *r = &rule->replicas;
    bool by_vendor = r->hardware != NULL && strcmp(r->hardware, HARDWARE_BY_VENDOR) == 0;
    size_t found = replicas_possible(c, r, t, t->replicas.count);
    struct strings losses = {0};
    struct buf text = BUF(LIMIT_DOCUMENT);

    if (found < r->at_least && c->sites != NULL) {
        remark_add(
            c, REMARK_UNMET, rule, rule->line,
            "no key of token %s can be born now: %zu of %u replica sites are enrolled, %sthere, and drilled in time",
            t->id, found, r->at_least, r->hardware != NULL ? "attested, " : "");
        goto out;
    }
    if (found < r->at_least) {
        remark_add(c, REMARK_UNMET, rule, rule->line,
                   "needs %u replicas of token %s; %zu of its declared sites lie as the rule asks%s", r->at_least,
                   t->id, found, by_vendor ? " and list a vendor's roots (`attested-by`)" : "");
        goto out;
    }
    for (size_t i = 0; i < t->replicas.count; i++)
        if (replicas_possible(c, r, t, i) < r->at_least && !strings_add(&losses, t->replicas.items[i]))
            c->failed = true;
    if (losses.count > 0) {
        names_put(&text, &losses, "or");
        remark_add(c, REMARK_FRAIL, rule, rule->line, "no key of token %s could be born any more without site %s",
                   t->id, buf_str(&text));
    }
out:
    c->failed = c->failed || text.failed;
    strings_free(&losses);
    buf_free(&text);
}

static bool tokens_meet(const struct rule *a, const struct rule *b)
{
    if (a->tokens.count == 0 || b->tokens.count == 0)
        return true;
    for (size_t i = 0; i < a->tokens.count; i++)
        if (strings_have(&b->tokens, a->tokens.items[i]))
            return true;
    return false;
}

/* Some rule could have one use of such a rule's private keys approved by itself, whatever they are called. */
static bool use_can_be_approved(const struct policy *p, const struct rule *birth)
{
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct rule *r = &p->rules[i];

        if ((r->operations & UINT32_C(1) << OP_USE) != 0 && r->effect == EFFECT_REQUIRE && r->uses_at_most == 0 &&
            r->object != 0 && (r->classes.count == 0 || strings_have(&r->classes, "private-key")) &&
            tokens_meet(r, birth))
            return true;
    }
    return false;
}

/* What a birth that waits for receipts counts on, as far as the policy says it: how a site is reached stands elsewhere. */
static void check_deferred(struct check *c, const struct rule *rule)
{
    const struct replica_rule *r = &rule->replicas;

    if (r->deferred.seconds == 0 && r->deferred.months == 0)
        return;
    if (r->self_signs && !use_can_be_approved(c->policy, rule))
        remark_add(c, REMARK_UNMET, rule, rule->line,
                   "`provisional-use` has no effect: such a use is approved by itself, and no rule for use requires "
                   "anything without `uses`");
}

static bool ceremony_can_open(struct check *c)
{
    const struct rule *r = policy_match(c->policy, OP_OPEN_CEREMONY, NULL, "", NULL, -1);

    return r != NULL && r->effect != EFFECT_DENY && (!r->has_quorum || can_form(c, &r->quorum));
}

static void check_rule(struct check *c, const struct rule *rule)
{
    if (rule->has_quorum)
        check_quorum(c, &rule->quorum, rule, rule->line, REMARK_UNMET);
    if (rule->ceremony.count > 0 && !ceremony_can_open(c))
        remark_add(c, REMARK_UNMET, rule, rule->line, "needs a ceremony, and nobody can open one under this policy");
    for (size_t i = 0; rule->replicas.present && i < c->policy->token_count; i++) {
        const struct token *t = &c->policy->tokens[i];

        if (rule->tokens.count == 0 || strings_have(&rule->tokens, t->id))
            check_replicas(c, rule, t);
    }
    check_deferred(c, rule);
}

/* An estate must not brick itself, nor be anyone's. */
static void check_adoption(struct check *c)
{
    const struct rule *r = policy_match(c->policy, OP_ADOPT_POLICY, NULL, "", NULL, -1);

    if (r == NULL)
        remark_add(c, REMARK_BROKEN, NULL, 0, "no rule for adopt-policy: this policy could never be replaced");
    else if (r->effect == EFFECT_DENY)
        remark_add(c, REMARK_BROKEN, r, r->line, "denies adopt-policy: this policy could never be replaced");
    else if (r->effect == EFFECT_ALLOW || !r->has_quorum)
        remark_add(c, REMARK_BROKEN, r, r->line, "lets anyone replace the policy; adopt-policy needs a quorum");
    else if (!can_form(c, &r->quorum))
        remark_add(c, REMARK_BROKEN, r, r->line,
                   "the declared people cannot bring its quorum together: this policy could never be replaced");
    else if (r->ceremony.count > 0 && !ceremony_can_open(c))
        remark_add(c, REMARK_BROKEN, r, r->line,
                   "adopt-policy needs a ceremony that nobody can open: this policy could never be replaced");
    if (c->policy->succession.at_least == 0)
        remark_add(c, REMARK_BROKEN, NULL, 0,
                   "no succession: say who decides when the quorum for adopt-policy is lost");
    else
        check_quorum(c, &c->policy->succession, NULL, c->policy->succession.line, REMARK_BROKEN);
}

enum outcome policy_check(const struct policy *p, moment at, struct remarks *ret, struct fault *f)
{
    struct check c = {.policy = p, .at = at};
    enum outcome o = OK;

    c.marked = calloc(p->person_count + 1, sizeof *c.marked);
    if (c.marked == NULL) {
        o = fault_memory(f);
        goto out;
    }
    check_adoption(&c);
    for (size_t i = 0; i < p->rule_count; i++)
        check_rule(&c, &p->rules[i]);
    if (c.failed) {
        o = fault_memory(f);
        goto out;
    }
    *ret = c.remarks;
    c.remarks = (struct remarks){0}; /* taken by the caller */
out:
    free(c.marked);
    remarks_free(&c.remarks);
    return o;
}

enum outcome policy_check_sites(const struct policy *p, const struct site_fact *sites, size_t count, moment at,
                                struct remarks *ret, struct fault *f)
{
    struct check c = {.policy = p, .at = at, .sites = sites, .site_count = count};

    for (size_t i = 0; i < p->rule_count; i++)
        for (size_t k = 0; p->rules[i].replicas.present && k < p->token_count; k++)
            if (p->rules[i].tokens.count == 0 || strings_have(&p->rules[i].tokens, p->tokens[k].id))
                check_replicas(&c, &p->rules[i], &p->tokens[k]);
    if (c.failed) {
        remarks_free(&c.remarks);
        return fault_memory(f);
    }
    *ret = c.remarks;
    return OK;
}

void remarks_free(struct remarks *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->items[i].text);
    free(r->items);
    *r = (struct remarks){0};
}
