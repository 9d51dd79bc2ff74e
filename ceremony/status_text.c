#include <inttypes.h>
#include <string.h>

#include "ceremony/columns.h"
#include "ceremony/status.h"
#include "core/encode.h"
#include "core/hardware.h"
#include "estate/serving.h"

/* How wide the widest of them is, so that what stands beside it begins as far left as it can. */
static unsigned wider(unsigned width, const char *text)
{
    size_t columns = columns_count(span_str(text));

    return columns > width ? (unsigned)columns : width;
}

/* Of a home of a site that is elsewhere: whose it is, and what it took in. */
static void host_put(const struct status *s, struct buf *b)
{
    static const char *const words[] = {[TAKEN_PENDING] = "pending",
                                        [TAKEN_BORN] = "born",
                                        [TAKEN_WITHDRAWN] = "withdrawn",
                                        [TAKEN_DESTROYED] = "destroyed"};
    const struct state *state = &s->estate->state;
    const struct state_host *h = state->host;
    size_t count[sizeof words / sizeof *words] = {0};
    struct buf taken = BUF(256);

    print_head(b, "Whose site it is");
    print_field(b, "site", "%s of %s", h->site, h->token);
    print_field(b, "estate", "%s", digest_hex(&h->estate).hex);
    print_field(b, "origin", "%s", h->origin);
    print_field(b, "its log", "known up to entry %" PRIu64, h->size);
    for (size_t i = 0; i < state->taken_count; i++)
        count[state->taken[i].state]++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (count[i] > 0)
            buf_putf(&taken, "%s%zu %s", taken.len > 0 ? ", " : "", count[i], words[i]);
    print_field(b, "taken in", "%s", taken.len > 0 ? buf_str(&taken) : "nothing yet");
    buf_free(&taken);
}

static void estate_put(const struct status *s, struct buf *b)
{
    const struct state *state = &s->estate->state;

    print_head(b, "Estate");
    print_field(b, "name", "%s", state->name);
    print_field(b, "environment", "%s", state->environment);
    print_field(b, "origin", "%s", state->origin);
    print_field(b, "estate", "%s", digest_hex(&state->estate).hex);
    print_field(b, "home", "%s", s->estate->bindings->home);
}

static void policy_put(const struct status *s, struct buf *b)
{
    const struct policy *p = s->estate->policy;

    print_head(b, "Policy");
    if (!p) {
        print_field(b, "in force", "none yet: quorate policy adopt %s", s->estate->bindings->policy);
        return;
    }
    print_field(b, "in force", "version %u", p->version);
    print_field(b, "digest", "%s", digest_hex(&p->digest).hex);
    if (s->agreement.outcome == OK)
        print_field(b, "file", "%s, the same", s->estate->bindings->policy);
    else
        print_field(b, "file", "%s", s->agreement.text);
}

static void answer_put(const struct status *s, const char *token, const char *site, struct buf *b)
{
    const json_t *answer = status_answer(s, token, site);
    const char *word = json_string_or_null(answer, "state");

    if (!s->answering)
        print_toned(b, TONE_FAINT, "not asked");
    else if (!answer)
        print_toned(b, TONE_BAD, "not seen");
    else
        print_text(b, word);
}

struct widths {
    unsigned token, site, state;
};

static void site_put(const struct status *s, const struct token *t, const char *site, const struct widths *w,
                     struct buf *b)
{
    const struct state_site *known = state_site(&s->estate->state, t->id, site);
    const char *place = known && known->placed ? known->place : known && known->away ? "on its way" : "-";

    buf_puts(b, "  ");
    print_cell(b, TONE_PLAIN, t->id, w->token);
    print_cell(b, TONE_PLAIN, site, w->site);
    print_cell(b, TONE_FAINT, strcmp(t->primary, site) == 0 ? "primary" : "replica", 7);
    print_cell(b, known ? TONE_GOOD : TONE_WAIT, known ? "enrolled" : "not enrolled", w->state);
    print_cell(b, TONE_PLAIN, known && strcmp(place, site) == 0 ? "at home" : place, 10);
    print_cell(b, TONE_PLAIN, known ? known->serial : "-", 16);
    answer_put(s, t->id, site, b);
    if (known && strcmp(known->hardware, HARDWARE_BY_VENDOR) == 0)
        buf_puts(b, ", attested by its vendor");
    if (known && known->drilled != 0)
        buf_putf(b, ", drilled %.10s", moment_format(known->drilled).text);
    buf_puts(b, "\n");
}

/* Uses that go to a replica, and since when. */
static void serving_put(const struct status *s, const struct token *t, struct buf *b)
{
    const struct state_token *known = state_token(&s->estate->state, t->id);
    const char *serving = token_serving(s->estate, t->id);

    if (!known || strcmp(serving, token_primary(s->estate, t->id)) == 0)
        return;
    buf_puts(b, "  ");
    print_toned(b, TONE_BAD, "failover");
    buf_putf(b, " of %s since entry %llu: %s serves its uses, all else waits (", t->id,
             (unsigned long long)known->serving_seq, serving);
    print_text(b, known->serving_reason);
    buf_puts(b, ")\n");
}

static void site_measure(const struct status *s, const struct token *t, const char *site, struct widths *w)
{
    w->token = wider(w->token, t->id);
    w->site = wider(w->site, site);
    w->state = wider(w->state, state_site(&s->estate->state, t->id, site) ? "enrolled" : "not enrolled");
}

static void sites_put(const struct status *s, struct buf *b)
{
    const struct policy *p = s->estate->policy;
    struct widths w = {0};

    if (!p || s->estate->state.host != NULL)
        return;
    for (size_t i = 0; i < p->token_count; i++) {
        site_measure(s, &p->tokens[i], p->tokens[i].primary, &w);
        for (size_t j = 0; j < p->tokens[i].replicas.count; j++)
            site_measure(s, &p->tokens[i], p->tokens[i].replicas.items[j], &w);
    }
    print_head(b, "Tokens and sites");
    for (size_t i = 0; i < p->token_count; i++) {
        site_put(s, &p->tokens[i], p->tokens[i].primary, &w, b);
        for (size_t j = 0; j < p->tokens[i].replicas.count; j++)
            site_put(s, &p->tokens[i], p->tokens[i].replicas.items[j], &w, b);
        serving_put(s, &p->tokens[i], b);
    }
    if (s->asking.outcome != OK)
        print_field(b, "not asked", "%s", s->asking.text);
}

static void keys_put(const struct status *s, struct buf *b)
{
    const struct state *state = &s->estate->state;
    unsigned token = 0, label = 0, type = 0;
    size_t shown = 0;

    for (size_t i = 0; i < state->key_count; i++) {
        token = wider(token, state->keys[i].token);
        label = wider(label, state->keys[i].label);
        type = wider(type, state->keys[i].type);
    }
    print_head(b, "Keys");
    for (size_t i = 0; i < state->key_count; i++) {
        const struct state_key *k = &state->keys[i];
        moment until = status_key_until(s, k);

        if (k->destroyed)
            continue;
        shown++;
        buf_puts(b, "  ");
        print_cell(b, TONE_PLAIN, k->token, token);
        print_cell(b, TONE_PLAIN, k->label, label);
        print_cell(b, TONE_PLAIN, k->type, type);
        buf_putf(b, "%.10s", moment_format(k->born).text);
        if (until != MOMENT_NEVER)
            buf_putf(b, " until %.10s", moment_format(until).text);
        for (size_t j = 0; j < k->sites.count; j++) {
            buf_puts(b, j == 0 ? "  " : ", ");
            print_text(b, k->sites.items[j]);
        }
        buf_puts(b, "\n");
    }
    if (shown == 0)
        buf_puts(b, "  none\n");
}

static void waiting_put(const struct status *s, struct buf *b)
{
    size_t shown = 0;

    print_head(b, "Waiting for people");
    for (size_t i = 0; i < s->estate->state.request_count; i++) {
        const struct state_request *r = &s->estate->state.requests[i];

        if (!status_waits(s, r))
            continue;
        shown++;
        buf_puts(b, "  ");
        request_row_put(s->estate, r, s->now, b);
    }
    if (shown == 0)
        buf_puts(b, "  nothing\n");
}

/* What is awaited, from where, until when. */
static void awaited_put(const struct state *s, const struct state_intent *t, struct buf *b)
{
    bool retires = t->state == INTENT_OPEN;
    struct strings awaited = {0};

    if (!status_awaited(s, t, &awaited))
        b->failed = true;
    buf_puts(b, "  ");
    print_toned(b, TONE_WAIT, retires ? "waiting" : "provisional");
    buf_putf(b, "  intent %" PRIu64 "  ", t->seq);
    headline_put(b, t->operation, NULL, t->label, t->token);
    if (retires) {
        buf_puts(b, " at ");
        print_text(b, json_string_or_null(t->body, "site"));
    }
    for (size_t i = 0; i < awaited.count; i++) {
        buf_puts(b, i > 0 ? ", " : retires ? "  proofs awaited from " : "  receipt awaited from ");
        print_text(b, awaited.items[i]);
    }
    buf_putf(b, " until %s\n", moment_format(t->until).text);
    strings_free(&awaited);
}

static void intent_put(const struct status *s, const struct state_intent *t, struct buf *b)
{
    if (t->state == INTENT_PROVISIONAL || (t->state == INTENT_OPEN && t->until != 0)) {
        awaited_put(&s->estate->state, t, b);
        return;
    }
    buf_puts(b, "  ");
    print_toned(b, TONE_WAIT, t->state == INTENT_OPEN ? "open" : t->state == INTENT_BORN ? "not all told" : "settled");
    buf_putf(b, "  intent %" PRIu64 "  ", t->seq);
    headline_put(b, t->operation, NULL, t->label, t->token);
    for (size_t i = 0; i < t->orphans.count; i++) {
        buf_puts(b, i == 0 ? "  orphans at " : ", ");
        print_text(b, t->orphans.items[i]);
    }
    buf_puts(b, status_intent_carried(s, t) ? "  (quorate offer export)\n" : "  (quorate settle)\n");
}

/* A destroyed key that may still lie somewhere. */
static void left_put(const struct state_key *k, struct buf *b)
{
    buf_puts(b, "  ");
    print_toned(b, TONE_WAIT, "destroyed");
    buf_puts(b, "  \"");
    print_text(b, k->label);
    buf_puts(b, "\" of ");
    print_text(b, k->token);
    for (size_t i = 0; i < k->retired.count; i++) {
        buf_puts(b, i == 0 ? ", left at " : ", ");
        print_text(b, k->retired.items[i]);
    }
    buf_puts(b, "  (quorate settle)\n");
}

static void unsettled_put(const struct status *s, struct buf *b)
{
    const struct state *state = &s->estate->state;
    bool headed = false;

    for (size_t i = 0; i < state->intent_count; i++) {
        const struct state_intent *t = &state->intents[i];

        if (!status_unsettled(t))
            continue;
        if (!headed)
            print_head(b, "Unsettled");
        headed = true;
        intent_put(s, t, b);
    }
    for (size_t i = 0; i < state->key_count; i++) {
        const struct state_key *k = &state->keys[i];

        if (!k->destroyed || k->retired.count == 0)
            continue;
        if (!headed)
            print_head(b, "Unsettled");
        headed = true;
        left_put(k, b);
    }
    for (size_t i = 0; i < state->suspension_count; i++) {
        if (i == 0)
            print_head(b, "Suspended");
        print_field(b, "scope", "%s", state->suspensions[i].scope);
    }
}

static void ceremonies_put(const struct status *s, struct buf *b)
{
    const struct state *state = &s->estate->state;
    bool headed = false;

    for (size_t i = 0; i < state->ceremony_count; i++) {
        if (state->ceremonies[i].closed)
            continue;
        if (!headed)
            print_head(b, "Open ceremonies");
        headed = true;
        print_field(b, state->ceremonies[i].id, "%s", state->ceremonies[i].script);
    }
}

static void lines_put(const char *head, const struct strings *lines, struct buf *b)
{
    if (lines->count > 0)
        print_head(b, head);
    for (size_t i = 0; i < lines->count; i++) {
        buf_puts(b, "  ");
        print_text(b, lines->items[i]);
        buf_puts(b, "\n");
    }
}

/* What stands behind `: rule "ID": ` of a remark; else all of it. */
static const char *risk_text(const char *remark)
{
    const char *rule = strstr(remark, ": rule \""), *end = rule != NULL ? strstr(rule, "\": ") : NULL;

    return end != NULL ? end + 3 : remark;
}

/* Rules of which the same is said stand below it. */
static void risks_put(const struct strings *risks, struct buf *b)
{
    if (risks->count > 0)
        print_head(b, "At risk");
    for (size_t i = 0; i < risks->count; i++) {
        const char *text = risk_text(risks->items[i]);
        bool said = false;

        for (size_t k = 0; k < i && !said; k++)
            said = strcmp(risk_text(risks->items[k]), text) == 0;
        if (said)
            continue;
        buf_puts(b, "  ");
        print_text(b, text);
        buf_puts(b, "\n");
        for (size_t k = i; k < risks->count && text != risks->items[i]; k++) {
            const char *one = risks->items[k], *other = risk_text(one);

            if (strcmp(other, text) != 0)
                continue;
            buf_puts(b, "    ");
            printable_put(b, span_of(one, (size_t)(other - one) - 2));
            buf_puts(b, "\n");
        }
    }
}

static void mirrors_put(const struct status *s, struct buf *b)
{
    const struct strings *all = &s->estate->bindings->mirrors;

    if (all->count > 0)
        print_head(b, "Mirrors of the home");
    for (size_t i = 0; i < all->count; i++) {
        struct fault why = {.outcome = OK};
        const char *word = estate_mirror_look(s->estate, i, &why);

        buf_puts(b, "  ");
        print_cell(b, why.outcome != OK ? TONE_BAD : strcmp(word, "level") == 0 ? TONE_GOOD : TONE_WAIT, word, 14);
        print_text(b, all->items[i]);
        buf_puts(b, "\n");
        if (why.outcome != OK)
            print_field(b, "  why", "%s", why.text);
    }
}

void status_put(const struct status *s, struct buf *b)
{
    struct digest root;

    status_attention_put(s, b);
    estate_put(s, b);
    if (s->estate->state.host != NULL)
        host_put(s, b);
    policy_put(s, b);
    sites_put(s, b);
    if (s->estate->state.host == NULL)
        keys_put(s, b);
    waiting_put(s, b);
    ceremonies_put(s, b);
    unsettled_put(s, b);
    status_carried_put(s, b);
    lines_put("Last refusals", &s->refusals, b);
    lines_put("Falls due", &s->due, b);
    risks_put(&s->risks, b);
    mirrors_put(s, b);
    print_head(b, "Log");
    log_root(s->estate->log, &root);
    print_field(b, "size", "%" PRIu64, log_size(s->estate->log));
    print_field(b, "root", "%s", digest_hex(&root).hex);
}
