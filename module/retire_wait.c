#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/drill.h"
#include "module/retire_inner.h"
#include "module/site.h"

/* A retirement from its intent on: what the other sites prove, at once or by files that people carry. */

const struct state_intent *retirement_open(const struct state *s, const char *token)
{
    for (size_t n = s->intent_count; n-- > 0;) {
        const struct state_intent *i = &s->intents[n];
        if (i->state == INTENT_OPEN && i->until != 0 && i->token != NULL && strcmp(i->token, token) == 0 &&
            strcmp(i->operation, operation_name(OP_RETIRE_SITE)) == 0)
            return i;
    }
    return NULL;
}

enum outcome retirement_take(struct retirement *r, uint64_t intent, struct fault *f)
{
    struct digest request = state_intent(&r->estate->state, intent)->request;
    struct lock *lock = NULL;
    enum outcome outcome = birth_lock(r->estate, &request, &lock, f);
    if (outcome == OK)
        outcome = estate_refresh(r->estate, f);
    if (outcome != OK) {
        lock_release(lock);
        return outcome;
    }
    r->resolution = (struct resolution){.world = r->world, .request = request, .lock = lock, .intent = intent};
    r->resolution.open = state_intent(&r->estate->state, intent)->state == INTENT_OPEN;
    return OK;
}

static bool is_other(const struct retirement *r, const struct state_site *s)
{
    return !s->retired && strcmp(s->token, r->token) == 0 && strcmp(s->site, r->site) != 0;
}

bool retirement_carried(const struct retirement *r)
{
    const struct state *s = &r->estate->state;
    const struct binding *b = NULL;
    bool carried = false;
    for (size_t i = 0; i < s->site_count && !carried; i++)
        carried = is_other(r, &s->sites[i]) && site_carried(r->world, r->token, s->sites[i].site, &b);
    return carried;
}

/* What may have changed since people decided. *ret_waits: it may still be done, later. */
static enum outcome retirement_stands(const struct retirement *r, bool *ret_waits, struct fault *f)
{
    const struct state *s = &r->estate->state;
    const struct state_intent *i = state_intent(s, r->resolution.intent);
    const struct rule *rule = NULL;
    struct request *request = NULL;
    enum outcome outcome = estate_request(r->estate, &i->request, &request, f);
    if (outcome == OK && moment_now() > i->until)
        outcome = fault_set(f, E_REFUSED, "what other sites were to prove was awaited until %s",
                            moment_format(i->until).text);
    if (outcome == OK && !digest_equal(&s->policy, &request->policy))
        outcome = fault_set(f, E_REFUSED, "another policy was adopted since people decided that %s retires", r->site);
    if (outcome == OK)
        outcome = retirement_target(r, f);
    if (outcome == OK)
        rule = policy_rule(r->estate->policy, request->rule);
    if (outcome == OK && (rule == NULL || !rule->while_suspended) && state_suspended(s, r->token, NULL)) {
        *ret_waits = true;
        outcome = fault_set(f, E_REFUSED, "%s is suspended: come back to this when it is resumed", r->token);
    }
    request_free(request);
    return outcome;
}

static enum outcome proven_line(const struct retirement *r, const char *site, json_t *line, struct fault *f)
{
    const struct state *s = &r->estate->state;
    int64_t keys = 0;
    for (size_t i = 0; i < s->key_count; i++)
        keys += state_key_at(&s->keys[i], r->token, site);
    if (json_put_integer(line, "attested", 0) && json_put(line, "failed", json_array()) &&
        json_put_integer(line, "proven", keys) && json_put_string(line, "site", site) &&
        json_put_string(line, "state", "proven") && json_put_string(line, "token", r->token))
        return OK;
    return fault_memory(f);
}

/* *ret_state as the vendor verb "drill" has it; points into the line. */
static enum outcome site_prove(struct retirement *r, const char *site, json_t *line, const char **ret_state,
                               struct fault *f)
{
    const struct state *s = &r->estate->state;
    struct digest challenge;
    bool whole = false;
    enum outcome outcome = OK;
    if (state_retirement_proven(s, state_intent(s, r->resolution.intent), site))
        outcome = proven_line(r, site, line, f);
    else if (!state_retirement_challenge(s, state_intent(s, r->resolution.intent), site, &challenge))
        outcome = fault_memory(f);
    else
        outcome = drill_site(r->world, r->token, site, &challenge, line, &whole, f);
    if (outcome == OK && r->drills != NULL && json_array_append(r->drills, line) != 0)
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret_state = json_string_or_null(line, "state");
    return outcome;
}

/* Where a key comes to a site while it is drilled, it is to prove that one too. */
static enum outcome others_prove(struct retirement *r, struct fault *f)
{
    const struct state *s = &r->estate->state;
    struct strings sites = {0};
    struct buf failed = BUF(600);
    bool carried = retirement_carried(r);
    enum outcome outcome = OK;

    for (size_t i = 0; i < s->site_count && outcome == OK; i++)
        if (is_other(r, &s->sites[i]) && !strings_add(&sites, s->sites[i].site))
            outcome = fault_memory(f);
    for (size_t i = 0; i < sites.count && outcome == OK; i++) {
        const char *state = NULL;
        json_t *line = json_object();
        outcome = line != NULL ? site_prove(r, sites.items[i], line, &state, f) : fault_memory(f);
        if (outcome == OK && (strcmp(state, "failed") == 0 || (strcmp(state, "absent") == 0 && !carried)))
            buf_putf(&failed, "%s%s", failed.len > 0 ? ", " : "", sites.items[i]);
        else if (outcome == OK && !state_retirement_proven(s, state_intent(s, r->resolution.intent), sites.items[i]))
            buf_putf(&r->awaited, "%s%s", r->awaited.len > 0 ? ", " : "", sites.items[i]);
        json_decref(line);
    }
    if (outcome == OK && failed.len > 0)
        outcome =
            fault_set(f, E_REFUSED,
                      "%s at %s cannot retire: not every key was proven at %s; the log says which (`quorate drill`)",
                      r->token, r->site, buf_str(&failed));
    if (outcome != OK)
        buf_clear(&r->awaited);
    buf_free(&failed);
    strings_free(&sites);
    return outcome;
}

static enum outcome retired_log(struct retirement *r, struct fault *f)
{
    json_t *body = json_object();
    enum outcome outcome =
        json_put_string(body, "site", r->site) && json_put_string(body, "token", r->token) ? OK : fault_memory(f);
    if (outcome == OK)
        outcome = resolution_end(&r->resolution, ENTRY_SITE_RETIRED, json_incref(body), f);
    json_decref(body);
    return outcome;
}

enum outcome retirement_carry_on(struct retirement *r, struct fault *f)
{
    bool waits = false;
    enum outcome outcome = retirement_stands(r, &waits, f);
    if (outcome == OK)
        outcome = others_prove(r, f);
    if (outcome == OK && r->awaited.len > 0) {
        const struct state_intent *i = state_intent(&r->estate->state, r->resolution.intent);
        buf_putf(&r->awaited, ": awaited until %s is the proof there of every key, for this retirement",
                 moment_format(i->until).text);
        r->resolution.open = false;
        return OK;
    }
    if (outcome == OK)
        outcome = retired_log(r, f);
    /* What stopped it may pass: its time, or settle, ends it. */
    if (outcome != OK && (waits || (outcome != E_REFUSED && outcome != E_ABSENT && retirement_carried(r))))
        r->resolution.open = false;
    return outcome;
}

void retirement_clear(struct retirement *r, enum outcome outcome, struct fault *f)
{
    struct fault why = outcome != OK ? *f : (struct fault){.text = ""};
    bool undone = r->resolution.open;
    struct digest request = r->resolution.request;
    resolution_clear(&r->resolution, why.text);
    const struct state_request *known = undone ? state_request(&r->estate->state, &request) : NULL;
    if (known == NULL || outcome == OK)
        return;
    if (known->state == REQUEST_PENDING && moment_now() < known->expires)
        fault_set(f, outcome,
                  "%.700s; it is rolled back, and the approval stands until %s: `quorate retire` begins again",
                  why.text, moment_format(known->expires).text);
    else
        fault_set(f, outcome, "%.700s; it is rolled back, and the approval is over: `quorate retire` asks people anew",
                  why.text);
}

/* An open one: on with it, or back. */
static enum outcome open_settle(struct retirement *r, struct fault *ret_text, struct fault *f)
{
    json_t *report = json_object();
    enum outcome outcome = OK;
    if (report == NULL)
        outcome = fault_memory(f);
    else if (state_intent(&r->estate->state, r->resolution.intent)->until == 0 || !retirement_carried(r))
        outcome = fault_set(f, E_REFUSED, "the retirement was interrupted");
    else
        outcome = retirement_carry_on(r, f);
    if (outcome == OK && r->awaited.len > 0)
        fault_set(ret_text, OK, "%s", buf_str(&r->awaited));
    else if (outcome == OK && (outcome = retired_clear(r, report, f)) == OK)
        fault_set(ret_text, OK, "retired%s%.600s",
                  json_object_get(report, "left") ? ", its replicas not destroyed yet: " : "",
                  json_object_get(report, "left") ? json_string_or_null(report, "left") : "");
    json_decref(report);
    return outcome;
}

enum outcome retirement_settle(struct world *w, uint64_t intent, struct fault *ret_text, struct fault *f)
{
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    const char *named = json_string_or_null(i->body, "site");
    char *token = i->token != NULL ? strdup(i->token) : NULL, *site = named != NULL ? strdup(named) : NULL;
    struct retirement r = {
        .world = w, .estate = w->estate, .token = token, .site = site, .awaited = BUF(RETIREMENT_AWAITED)};
    enum outcome outcome = token != NULL && site != NULL ? retirement_take(&r, intent, f) : fault_memory(f);

    *ret_text = (struct fault){.outcome = OK};
    if (outcome == E_BUSY) {
        fault_set(ret_text, OK, "being carried out by another process");
        outcome = OK;
    } else if (outcome == OK && r.resolution.open) {
        outcome = open_settle(&r, ret_text, f);
    } else if (outcome == OK) {
        outcome = retired_finish(w, intent, ret_text, f);
    }
    retirement_clear(&r, outcome, f);
    buf_free(&r.awaited);
    free(token);
    free(site);
    return outcome;
}

void retirement_answered(struct world *w, const char *token, const char *site, bool failed, struct fault *ret_text)
{
    const struct state_intent *i = retirement_open(&w->estate->state, token);
    const char *named = i != NULL ? json_string_or_null(i->body, "site") : NULL;
    struct retirement r = {.world = w, .estate = w->estate, .token = token, .site = named};
    struct fault f = {.outcome = OK};
    enum outcome outcome = OK;

    *ret_text = f;
    if (i == NULL)
        return;
    if (!failed) {
        outcome = retirement_settle(w, i->seq, ret_text, &f);
    } else if ((outcome = retirement_take(&r, i->seq, &f)) == OK && r.resolution.open) {
        outcome = fault_set(&f, E_REFUSED, "not every key was proven at %s", site);
        retirement_clear(&r, outcome, &f);
    }
    if (outcome != OK)
        *ret_text = f;
}
