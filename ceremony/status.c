#include "ceremony/status.h"

#include <string.h>

#include "ceremony/client.h"
#include "ceremony/summary.h"
#include "core/limits.h"
#include "estate/evidence.h"

static enum outcome refusals_read(struct status *s, struct fault *f)
{
    struct log *log = s->estate->log;
    uint64_t size = log_size(log), stop = size > STATUS_REFUSALS_READ ? size - STATUS_REFUSALS_READ : 0;
    enum outcome o = OK;

    for (uint64_t seq = size; o == OK && seq > stop && s->refusals.count < STATUS_REFUSALS; seq--) {
        struct buf bytes = BUF(LIMIT_ENTRY), line = BUF(OUTPUT_MAX);
        struct entry e = {0};

        o = log_entry_bytes(log, seq - 1, &bytes, f);
        if (o == OK)
            o = entry_parse(buf_span(&bytes), &e, f);
        if (o == OK && e.type == ENTRY_REFUSED) {
            buf_puts(&line, moment_format(e.time).text);
            buf_puts(&line, "  ");
            summary_put(&line, e.type, e.body);
            if (line.failed || !strings_add(&s->refusals, buf_str(&line)))
                o = fault_memory(f);
        }
        entry_clear(&e);
        buf_free(&line);
        buf_free(&bytes);
    }
    return o;
}

static enum outcome due_add(struct status *s, struct buf *text, struct fault *f)
{
    enum outcome o = !text->failed && strings_add(&s->due, buf_str(text)) ? OK : fault_memory(f);

    buf_free(text);
    return o;
}

static enum outcome due_people(struct status *s, struct fault *f)
{
    const struct policy *p = s->estate->policy;
    moment soon = s->now + (moment)STATUS_DUE_DAYS * 86400;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < p->person_count; i++) {
        const struct person *who = &p->people[i];
        struct buf text = BUF(4096);

        if (who->until == MOMENT_NEVER || who->until > soon)
            continue;
        buf_putf(&text, "%s %s on %s", who->id, who->until <= s->now ? "left" : "leaves",
                 moment_format(who->until).text);
        o = due_add(s, &text, f);
    }
    return o;
}

static enum outcome due_keys(struct status *s, struct fault *f)
{
    moment soon = s->now + (moment)STATUS_DUE_DAYS * 86400;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < s->estate->state.key_count; i++) {
        const struct state_key *k = &s->estate->state.keys[i];
        moment until = k->destroyed ? MOMENT_NEVER : status_key_until(s, k);
        struct buf text = BUF(4096);

        if (until == MOMENT_NEVER || until > soon)
            continue;
        buf_putf(&text, "key \"%s\" of %s: its lifetime %s on %s", k->label, k->token,
                 until <= s->now ? "ended" : "ends", moment_format(until).text);
        o = due_add(s, &text, f);
    }
    return o;
}

static enum outcome due_drills(struct status *s, struct fault *f)
{
    moment soon = s->now + (moment)STATUS_DUE_DAYS * 86400;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < s->estate->state.site_count; i++) {
        const struct state_site *k = &s->estate->state.sites[i];
        moment until = k->retired ? MOMENT_NEVER : status_drill_due(s, k);
        struct buf text = BUF(4096);

        if (until == MOMENT_NEVER || until > soon)
            continue;
        buf_putf(&text, "drill of %s at %s: ", k->token, k->site);
        if (until == 0)
            buf_puts(&text, "it has passed none, or its last one failed");
        else
            buf_putf(&text, "%s %s", until < s->now ? "overdue since" : "due by", moment_format(until).text);
        buf_putf(&text, "; quorate drill %s %s", k->token, k->site);
        o = due_add(s, &text, f);
    }
    return o;
}

/* Rules that the sites cannot meet as they stand: retired, on their way, not drilled in time. */
static enum outcome risks_now(struct status *s, struct fault *f)
{
    const struct subject asks = {.operation = OP_GENERATE};
    struct evidence_base base = {0};
    struct remarks remarks = {0};
    enum outcome o = evidence_gather(&s->estate->state, s->estate->policy, &asks, &base, f);

    if (o == OK)
        o = policy_check_sites(s->estate->policy, base.sites, base.site_count, s->now, &remarks, f);
    for (size_t i = 0; o == OK && i < remarks.count; i++)
        if (remarks.items[i].kind == REMARK_UNMET && !strings_add(&s->risks, remarks.items[i].text))
            o = fault_memory(f);
    remarks_free(&remarks);
    evidence_clear(&base);
    return o;
}

static enum outcome due_gather(struct status *s, struct fault *f)
{
    struct remarks remarks = {0};
    enum outcome o = due_people(s, f);

    if (o == OK)
        o = due_keys(s, f);
    if (o == OK)
        o = due_drills(s, f);
    if (o == OK)
        o = policy_check(s->estate->policy, s->now, &remarks, f);
    for (size_t i = 0; o == OK && i < remarks.count; i++)
        if (!strings_add(&s->risks, remarks.items[i].text))
            o = fault_memory(f);
    remarks_free(&remarks);
    return o == OK ? risks_now(s, f) : o;
}

/* What does not answer is a line of the status, not its end. */
static void answering_ask(struct status *s, const struct arguments *a)
{
    struct client *c = NULL;
    enum outcome o = OK;

    if (argument_flag(a, "offline"))
        return;
    o = client_open(argument(a, "module"), argument(a, "bindings"), &c, &s->asking);
    if (o == OK)
        o = client_call(c, "tokens", json_object(), &s->answering, &s->asking);
    s->asking.outcome = o;
    client_close(c);
}

static void status_clear(struct status *s)
{
    json_decref(s->answering);
    json_decref(s->carried);
    json_decref(s->attention);
    strings_free(&s->refusals);
    strings_free(&s->due);
    strings_free(&s->risks);
    estate_close(s->estate);
    *s = (struct status){0};
}

static enum outcome status_gather(const struct arguments *a, struct status *ret, struct fault *f)
{
    struct status s = {.now = moment_now(), .agreement = {.outcome = OK}, .asking = {.outcome = OK}};
    enum outcome o = estate_open(argument(a, "bindings"), &s.estate, f);

    if (o != OK)
        goto out;
    s.agreement.outcome = estate_policy_in_force(s.estate, &s.agreement);
    o = refusals_read(&s, f);
    if (o == OK && s.estate->policy && s.estate->state.host == NULL)
        o = due_gather(&s, f);
    if (o == OK)
        o = status_carried(s.estate, &s.carried, f);
    if (o == OK)
        answering_ask(&s, a);
    if (o == OK)
        o = status_attend(&s, &s.attention, f);
out:
    if (o == OK)
        *ret = s;
    else
        status_clear(&s);
    return o;
}

const json_t *status_answer(const struct status *s, const char *token, const char *site)
{
    const json_t *list = json_object_get(s->answering, "tokens");
    size_t i = 0;
    json_t *item = NULL;

    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        const char *t = json_string_or_null(item, "token"), *where = json_string_or_null(item, "site");

        if (t && where && strcmp(t, token) == 0 && strcmp(where, site) == 0)
            return item;
    }
    return NULL;
}

moment status_key_until(const struct status *s, const struct state_key *k)
{
    const struct policy *p = s->estate->policy;
    const struct rule *rule = p ? policy_match(p, OP_GENERATE, k->token, k->label, k->class_name, 1) : NULL;

    if (!rule || (rule->key.lifetime.seconds == 0 && rule->key.lifetime.months == 0))
        return MOMENT_NEVER;
    return moment_add(k->born, rule->key.lifetime);
}

moment status_drill_due(const struct status *s, const struct state_site *site)
{
    const struct policy *p = s->estate->policy;
    const struct token *t = p ? policy_token(p, site->token) : NULL;
    moment due = MOMENT_NEVER;

    for (size_t i = 0; t && strings_have(&t->replicas, site->site) && i < p->rule_count; i++) {
        const struct rule *rule = &p->rules[i];
        const struct replica_rule *r = &rule->replicas;

        if (!r->present || (r->fresh.seconds == 0 && r->fresh.months == 0) ||
            (rule->tokens.count > 0 && !strings_have(&rule->tokens, t->id)) ||
            (r->sites.count > 0 && !strings_have(&r->sites, site->site)))
            continue;
        moment until = site->drilled == 0 ? 0 : moment_add(site->drilled, r->fresh);
        due = until < due ? until : due;
    }
    return due;
}

bool status_unsettled(const struct state_intent *t)
{
    return t->state == INTENT_OPEN || t->state == INTENT_BORN || t->state == INTENT_PROVISIONAL || t->orphans.count > 0;
}

bool status_awaited(const struct state *s, const struct state_intent *t, struct strings *ret)
{
    const char *retires = t->state == INTENT_OPEN && t->until != 0 ? json_string_or_null(t->body, "site") : NULL;
    bool good = true;

    for (size_t i = 0; t->state == INTENT_PROVISIONAL && good && i < t->offered.count; i++)
        if (!strings_have(&t->receipted, t->offered.items[i]))
            good = strings_add(ret, t->offered.items[i]);
    for (size_t i = 0; retires != NULL && good && i < s->site_count; i++) {
        const struct state_site *k = &s->sites[i];

        if (!k->retired && strcmp(k->token, t->token) == 0 && strcmp(k->site, retires) != 0 &&
            !state_retirement_proven(s, t, k->site))
            good = strings_add(ret, k->site);
    }
    return good;
}

bool status_waits(const struct status *s, const struct state_request *r)
{
    return r->state == REQUEST_PENDING && s->now < r->expires;
}

enum outcome run_status(const struct arguments *a, struct fault *f)
{
    struct status s = {0};
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = status_gather(a, &s, f);

    if (o == OK && argument_flag(a, "json")) {
        o = print_json(status_json(&s), f);
    } else if (o == OK) {
        status_put(&s, &b);
        o = print_out(&b, f);
    }
    if (o == OK && s.estate->policy && s.agreement.outcome != OK)
        o = print_said(E_REFUSED, f); /* nothing governed happens until the file is the one in force */
    buf_free(&b);
    status_clear(&s);
    return o;
}
