#include <stdio.h>
#include <string.h>

#include "ceremony/status.h"
#include "estate/serving.h"

/* What somebody should do something about, and by which command: the part of the status that is read first. */

struct attention {
    const struct status *status;
    json_t *list;
    bool good;
};

static void attention_add(struct attention *a, const char *next, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* next: the command; "" where none helps. */
static void attention_add(struct attention *a, const char *next, const char *format, ...)
{
    struct buf text = BUF(OUTPUT_MAX);
    json_t *row = json_object();
    va_list ap;

    va_start(ap, format);
    buf_vputf(&text, format, ap);
    va_end(ap);
    a->good = a->good && !text.failed && json_put_string(row, "text", buf_str(&text)) &&
              (next[0] == '\0' || json_put_string(row, "next", next)) && json_array_append(a->list, row) == 0;
    json_decref(row);
    buf_free(&text);
}

static bool word_is(const char *word, const char *wanted)
{
    return word != NULL && strcmp(word, wanted) == 0;
}

/* It is among what waits for people, be it of a home of its own or of a site that is introduced. */
static bool adoption_waits(const struct status *s)
{
    const struct state *state = &s->estate->state;

    for (size_t i = 0; i < state->request_count; i++)
        if (status_waits(s, &state->requests[i]) &&
            word_is(state->requests[i].operation, operation_name(OP_ADOPT_POLICY)))
            return true;
    return false;
}

static void policy_look(struct attention *a)
{
    const struct estate *e = a->status->estate;
    struct buf next = BUF(OUTPUT_MAX);

    buf_putf(&next, "quorate policy adopt %s", e->bindings->policy);
    if (e->policy == NULL && !adoption_waits(a->status))
        attention_add(a, buf_str(&next), "no policy is in force yet");
    else if (e->policy != NULL && a->status->agreement.outcome != OK)
        attention_add(a, buf_str(&next), "the policy file is not the one in force");
    for (size_t i = 0; i < e->state.suspension_count; i++) {
        buf_clear(&next);
        buf_putf(&next, "quorate resume %s", e->state.suspensions[i].scope);
        attention_add(a, buf_str(&next), "%s is suspended", e->state.suspensions[i].scope);
    }
    a->good = a->good && !next.failed;
    buf_free(&next);
}

/* Without the names that stand before it anyhow; "": nothing is said. */
static const char *answer_why(const struct status *s, const char *token, const char *site)
{
    const char *why = json_string_or_null(status_answer(s, token, site), "why");
    char before[2 * LIMIT_NAME + 8];
    size_t len = (size_t)snprintf(before, sizeof before, "%s at %s: ", token, site);

    if (why == NULL)
        return "";
    return strncmp(why, before, len) == 0 ? why + len : why;
}

static void site_look(struct attention *a, const char *token, const char *site)
{
    const struct status *s = a->status;
    const struct state_site *known = state_site(&s->estate->state, token, site);
    const char *answer = json_string_or_null(status_answer(s, token, site), "state"), *why = answer_why(s, token, site);
    struct buf next = BUF(OUTPUT_MAX);

    if (known == NULL && state_site_retired(&s->estate->state, token, site) != NULL) {
        attention_add(a, "", "%s at %s retired, and the policy names it still", token, site);
    } else if (known == NULL) {
        buf_putf(&next, "quorate enrol %s --token %s", site, token);
        attention_add(a, buf_str(&next), "%s at %s is not enrolled", token, site);
    } else if (known->away) {
        buf_putf(&next, "quorate arrive %s %s --bag NUMBER", token, site);
        attention_add(a, buf_str(&next), "%s at %s is on its way", token, site);
    } else if (s->answering != NULL && !word_is(answer, "ready") && !word_is(answer, "elsewhere")) {
        attention_add(a, "", "%s at %s does not answer as the HSM that was enrolled: %s%s%s%s", token, site,
                      answer != NULL ? answer : "not seen", why[0] != '\0' ? " (" : "", why, why[0] != '\0' ? ")" : "");
    } else if (status_drill_due(s, known) <= s->now) {
        buf_putf(&next, "quorate drill %s %s", token, site);
        attention_add(a, buf_str(&next), "%s at %s is due for a drill", token, site);
    }
    a->good = a->good && !next.failed;
    buf_free(&next);
}

static void sites_look(struct attention *a)
{
    const struct policy *p = a->status->estate->policy;

    if (a->status->asking.outcome != OK)
        attention_add(a, "", "the HSMs were not asked: %s", a->status->asking.text);
    for (size_t i = 0; p != NULL && i < p->token_count; i++) {
        const struct token *t = &p->tokens[i];
        const char *serving = token_serving(a->status->estate, t->id);

        site_look(a, t->id, t->primary);
        for (size_t j = 0; j < t->replicas.count; j++)
            site_look(a, t->id, t->replicas.items[j]);
        if (strcmp(serving, token_primary(a->status->estate, t->id)) != 0)
            attention_add(a, "quorate settle", "uses of %s go to %s, all else waits", t->id, serving);
    }
}

static void people_look(struct attention *a)
{
    const struct state *state = &a->status->estate->state;
    size_t waiting = 0, approved = 0;

    for (size_t i = 0; i < state->request_count; i++) {
        bool waits = status_waits(a->status, &state->requests[i]);
        bool done = waits && request_approved(a->status->estate, &state->requests[i]);

        approved += done;
        waiting += waits && !done;
    }
    if (waiting > 0)
        attention_add(a, "quorate request list", "%zu %s for people", waiting,
                      waiting == 1 ? "request waits" : "requests wait");
    if (approved > 0)
        attention_add(a, "quorate request list", "%zu %s to be asked again", approved,
                      approved == 1 ? "approved request waits" : "approved requests wait");
    for (size_t i = 0; i < state->ceremony_count; i++)
        if (!state->ceremonies[i].closed)
            attention_add(a, "quorate run SCRIPT", "the ceremony %s is open", state->ceremonies[i].id);
}

/* Whether files about the key's end are to be carried. */
static bool end_carried(const struct status *s, const struct state_key *k)
{
    const json_t *row = NULL;
    size_t i = 0;

    json_array_foreach(s->carried, i, row) if (word_is(json_string_or_null(row, "label"), k->label) &&
                                               word_is(json_string_or_null(row, "token"), k->token)) return true;
    return false;
}

/* Nothing but time ends what waits for files: offers, and proofs for a retirement. */
static bool waits_for_files(const struct status *s, const struct state_intent *t)
{
    return status_intent_carried(s, t) || (t->state == INTENT_OPEN && t->until != 0);
}

/* What `quorate settle` may end. What waits for files is with those. */
static void unsettled_look(struct attention *a)
{
    const struct state *state = &a->status->estate->state;
    size_t open = 0;

    for (size_t i = 0; i < state->intent_count; i++)
        open += status_unsettled(&state->intents[i]) && !waits_for_files(a->status, &state->intents[i]);
    for (size_t i = 0; i < state->key_count; i++)
        open +=
            state->keys[i].destroyed && state->keys[i].retired.count > 0 && !end_carried(a->status, &state->keys[i]);
    if (open > 0)
        attention_add(a, "quorate settle", "%zu %s not settled", open, open == 1 ? "operation is" : "operations are");
}

static bool same_place(const json_t *one, const json_t *other)
{
    return word_is(json_string_or_null(one, "token"), json_string_or_null(other, "token")) &&
           word_is(json_string_or_null(one, "site"), json_string_or_null(other, "site"));
}

/* One line a site. */
static void carried_look(struct attention *a)
{
    const json_t *all = a->status->carried, *row = NULL;
    size_t i = 0;

    json_array_foreach((json_t *)(uintptr_t)all, i, row)
    {
        json_int_t files = 0;
        struct buf next = BUF(OUTPUT_MAX);

        if (i > 0 && same_place(row, json_array_get(all, i - 1)))
            continue;
        for (size_t k = i; k < json_array_size(all) && same_place(row, json_array_get(all, k)); k++)
            files += json_integer_value(json_object_get(json_array_get(all, k), "files"));
        buf_putf(&next, "quorate offer export %s DIR", json_string_or_null(row, "site"));
        attention_add(a, buf_str(&next), "%lld %s to %s", (long long)files,
                      files == 1 ? "file is to be carried" : "files are to be carried",
                      json_string_or_null(row, "site"));
        a->good = a->good && !next.failed;
        buf_free(&next);
    }
}

static void mirrors_look(struct attention *a)
{
    const struct estate *e = a->status->estate;

    for (size_t i = 0; i < e->bindings->mirrors.count; i++) {
        struct fault why = {.outcome = OK};
        const char *word = estate_mirror_look(e, i, &why);

        if (why.outcome != OK || strcmp(word, "level") != 0)
            attention_add(a, "quorate settle", "the mirror %s is %s", e->bindings->mirrors.items[i], word);
    }
}

enum outcome status_attend(const struct status *s, json_t **ret, struct fault *f)
{
    struct attention a = {.status = s, .list = json_array(), .good = true};
    const struct state_host *host = s->estate->state.host;

    a.good = a.list != NULL;
    policy_look(&a);
    if (host == NULL)
        sites_look(&a);
    else if (host->identity.len == 0)
        attention_add(&a, "quorate introduce FILE", "the HSM has no keys of this site yet");
    people_look(&a);
    unsettled_look(&a);
    carried_look(&a);
    mirrors_look(&a);
    if (!a.good) {
        json_decref(a.list);
        return fault_memory(f);
    }
    *ret = a.list;
    return OK;
}

static void headline(const struct status *s, struct buf *b)
{
    const struct state *state = &s->estate->state;
    size_t keys = 0, enrolled = 0, ready = 0, i = 0;
    const json_t *row = NULL;

    for (i = 0; i < state->key_count; i++)
        keys += !state->keys[i].destroyed;
    for (i = 0; i < state->site_count; i++)
        enrolled += !state->sites[i].retired;
    json_array_foreach(json_object_get(s->answering, "tokens"), i, row)
    {
        const char *word = json_string_or_null(row, "state");

        ready += word != NULL && strcmp(word, "ready") == 0;
    }
    print_toned(b, TONE_HEAD, state->name);
    buf_putf(b, " (%s): ", state->environment);
    if (state->host != NULL)
        buf_putf(b, "%s at %s, a site of another estate\n", state->host->token, state->host->site);
    else if (s->answering != NULL)
        buf_putf(b, "%zu %s, %zu of %zu HSMs ready\n", keys, keys == 1 ? "key" : "keys", ready, enrolled);
    else
        buf_putf(b, "%zu %s, %zu HSMs enrolled\n", keys, keys == 1 ? "key" : "keys", enrolled);
}

void status_attention_put(const struct status *s, struct buf *b)
{
    const json_t *row = NULL;
    size_t i = 0;

    headline(s, b);
    if (json_array_size(s->attention) == 0) {
        print_toned(b, TONE_GOOD, "Nothing needs attention.");
        buf_puts(b, "\n");
        return;
    }
    print_head(b, "Needs attention");
    json_array_foreach(s->attention, i, row)
    {
        const char *next = json_string_or_null(row, "next");

        buf_puts(b, "  ");
        if (next != NULL)
            print_cell(b, TONE_WAIT, json_string_or_null(row, "text"), 36);
        else
            print_toned(b, TONE_WAIT, json_string_or_null(row, "text"));
        print_text(b, next != NULL ? next : "");
        buf_puts(b, "\n");
    }
}
