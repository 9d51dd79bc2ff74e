#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "estate/serving.h"
#include "module/birth.h"
#include "module/cloned.h"
#include "module/grant.h"
#include "module/key_sites.h"
#include "module/recovery.h"
#include "module/resolution.h"
#include "module/retire.h"

/* Recovery (design, section 7, end): a birth that died before its key was permanent on the primary is rolled back, one
 * that died after it is finished. */

#define SITES_CHANGED "a site retired meanwhile, or is no longer the primary"

static bool intent_is(const struct state_intent *i, enum operation op)
{
    return strcmp(i->operation, operation_name(op)) == 0;
}

static enum outcome outcome_report(json_t *report, uint64_t intent, const char *text, struct fault *f)
{
    if (report == NULL)
        return OK;
    json_t *line = json_object();
    if (json_put_integer(line, "intent", (int64_t)intent) && json_put_string(line, "outcome", text) &&
        json_array_append(report, line) == 0) {
        json_decref(line);
        return OK;
    }
    json_decref(line);
    return fault_memory(f);
}

/* A key is wrapped and offered under it: a birth, or one that is brought to a site. */
static bool intent_travels(const struct state_intent *i)
{
    return (intent_is(i, OP_GENERATE) && !state_intent_plain(i)) || intent_is(i, OP_REPLICATE);
}

/* Every site that the birth was for has answered with a receipt that is in the log (the primary needs none). */
static bool receipts_complete(const struct state_intent *i, const struct strings *sites)
{
    for (size_t k = 1; k < sites->count; k++)
        if (!strings_have(&i->receipted, sites->items[k]))
            return false;
    return true;
}

/* None of the sites has retired since, and applications would find the key: it can still be what people approved. */
static bool sites_stand(const struct estate *e, const struct state_intent *i, const struct strings *sites)
{
    for (size_t k = 0; k < sites->count; k++)
        if (state_site_gone(&e->state, i->token, sites->items[k], i->seq))
            return false;
    return intent_is(i, OP_REPLICATE) || strings_have(sites, token_primary(e, i->token));
}

/* The key is the one that was judged: its attributes are those of the request. E_REFUSED: it is not. */
static enum outcome key_as_judged(const struct estate *e, const struct state_intent *i, const struct site_link *link,
                                  CK_OBJECT_HANDLE key, bool pair, struct fault *f)
{
    struct request *r = NULL;
    struct template t = {0};
    json_t *templates = NULL, *json = NULL;
    enum outcome outcome = estate_request(e, &i->request, &r, f);
    if (outcome == OK)
        outcome = json_want_object(r->subject->json, "templates", &templates, f);
    if (outcome == OK)
        outcome = json_want_object(templates, pair ? "private" : "key", &json, f);
    if (outcome == OK)
        outcome = template_from_json(json, &t, f);
    if (outcome == OK)
        outcome = site_compare(link, key, &t, f);
    template_clear(&t);
    request_free(r);
    return outcome;
}

/* Whether the permanent key is there, whole: then the birth is past its point of no return. */
static enum outcome primary_holds(struct world *w, const struct state_intent *i, const char *primary, bool *ret,
                                  struct buf *ret_spki, struct fault *f)
{
    struct site_link link = {0};
    struct buf id = BUF(32);
    CK_OBJECT_HANDLE secret = CK_INVALID_HANDLE, public = CK_INVALID_HANDLE;
    const char *class = json_string_or_null(i->body, "class");
    bool pair = class != NULL && strcmp(class, "private-key") == 0;

    enum outcome outcome = intent_key_id(&i->digest, &id, f);
    if (outcome == OK)
        outcome = site_open(w, i->token, primary, SITE_EITHER, &link, f);
    if (outcome == OK)
        outcome = site_find_one(&link, pair ? CKO_PRIVATE_KEY : CKO_SECRET_KEY, buf_span(&id), &secret, f);
    if (outcome == OK && pair)
        outcome = site_find_one(&link, CKO_PUBLIC_KEY, buf_span(&id), &public, f);
    if (outcome == OK && pair)
        outcome = site_spki(&link, public, ret_spki, f);
    if (outcome == OK)
        outcome = key_as_judged(w->estate, i, &link, secret, pair, f);
    if (link.binding != NULL && (outcome == OK || outcome == E_ABSENT || outcome == E_REFUSED)) {
        *ret = outcome == OK;
        outcome = OK;
    }
    site_close(&link);
    buf_free(&id);
    return outcome;
}

/* There once the log says so. */
static enum outcome replication_settle(struct world *w, uint64_t intent, const struct strings *sites,
                                       struct replicas *at, bool *ret_there, struct fault *f)
{
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    bool wanted = replica_wanted(&w->estate->state, i), stands = sites_stand(w->estate, i, sites);
    if (i->state == INTENT_PROVISIONAL && wanted && stands && receipts_complete(i, sites)) {
        *ret_there = true;
        return intent_replicated(w->estate, intent, f);
    }
    return intent_withdraw(w, intent,
                           i->state == INTENT_OPEN
                               ? "it was interrupted before the log said that the site holds the key"
                           : !stands ? SITES_CHANGED
                           : wanted  ? "the receipt that was awaited did not come in time"
                                     : "the key ended, or became another, while its receipt was awaited",
                           at, f);
}

static enum outcome birth_settle(struct world *w, uint64_t intent, struct replicas *at, const char **ret_text,
                                 struct fault *f)
{
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    struct strings sites = {0};
    struct buf spki = BUF(4096);
    bool holds = false;
    enum outcome outcome = intent_sites(i, &sites, f);
    if (outcome != OK)
        goto out;
    bool begun = i->state == INTENT_OPEN || i->state == INTENT_PROVISIONAL;
    if (begun && intent_is(i, OP_REPLICATE)) {
        *ret_text = "rolled back";
        outcome = replication_settle(w, intent, &sites, at, &holds, f);
        if (!holds)
            goto out;
    } else if (begun) {
        bool stands = sites_stand(w->estate, i, &sites);
        if (stands)
            outcome = primary_holds(w, i, sites.items[0], &holds, &spki, f);
        if (outcome == E_DEVICE || outcome == E_ABSENT)
            outcome = primary_was(w, i->token, sites.items[0]) ? OK : outcome; /* it may be lost for good */
        if (outcome != OK)
            goto out;
        if (!holds || !receipts_complete(i, &sites)) {
            *ret_text = "rolled back";
            outcome = intent_withdraw(w, intent,
                                      !stands ? SITES_CHANGED
                                      : i->state == INTENT_PROVISIONAL
                                          ? "receipts that were awaited did not come in time"
                                          : "the birth was interrupted before its key was permanent",
                                      at, f);
            goto out;
        }
        outcome = intent_born(w->estate, intent, buf_span(&spki), f);
    }
    *ret_text = "finished";
    if (outcome == OK)
        outcome = intent_complete(w, intent, at, f);
    i = state_intent(&w->estate->state, intent);
    if (outcome == OK && i->state == INTENT_BORN)
        *ret_text = intent_is(i, OP_REPLICATE)
                        ? "replicated; the site that files are carried to is yet to be told (`quorate offer export`)"
                        : "born; a site that files are carried to is yet to be told (`quorate offer export`)";
out:
    strings_free(&sites);
    buf_free(&spki);
    return outcome;
}

/* One intent, where nobody is at it. The state may have moved on by the time the lock is ours. */
static enum outcome intent_settle(struct world *w, uint64_t intent, json_t *report, struct fault *f)
{
    struct lock *lock = NULL;
    struct replicas at = {.count = 0};
    const char *text = "";
    struct digest request = state_intent(&w->estate->state, intent)->request;

    enum outcome outcome = birth_lock(w->estate, &request, &lock, f);
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    /* Whoever lost an orphan to a call that does not come back keeps the lock until it is. */
    if (outcome == E_BUSY && i->orphans.count > 0)
        return fault_set(f, E_BUSY,
                         "what a birth left on %s at %s is not cleared: a call to that HSM has not come back", i->token,
                         i->orphans.items[0]);
    if (outcome == E_BUSY)
        return outcome_report(report, intent, "being carried out by another process", f);
    w->carried = lock;
    if (outcome == OK)
        outcome = estate_refresh(w->estate, f);
    if (outcome != OK)
        goto out;
    enum intent_state state = state_intent(&w->estate->state, intent)->state;
    if (state == INTENT_OPEN || state == INTENT_BORN || state == INTENT_PROVISIONAL)
        outcome = birth_settle(w, intent, &at, &text, f);
    if (outcome == OK && state_intent(&w->estate->state, intent)->orphans.count > 0) {
        text = "rolled back";
        outcome = intent_clear_orphans(w, intent, &at, f);
    }
    if (outcome == OK && text[0] != '\0')
        outcome = outcome_report(report, intent, text, f);
out:
    replicas_end(&at);
    w->carried = NULL;
    lock_release(lock);
    return outcome;
}

static enum outcome enrolment_settle(struct world *w, uint64_t intent, json_t *report, struct fault *f)
{
    struct lock *lock = NULL;
    char *token = NULL, *site = NULL;
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    const char *named = json_string_or_null(i->body, "site");
    enum outcome outcome = OK;

    if (i->token == NULL || named == NULL)
        return fault_set(f, E_INVALID, "the intent %llu names no site", (unsigned long long)intent);
    token = strdup(i->token);
    site = strdup(named);
    outcome = token != NULL && site != NULL ? enrol_lock(w->estate, token, site, &lock, f) : fault_memory(f);
    if (outcome == E_BUSY)
        outcome = outcome_report(report, intent, "being carried out by another process", f);
    else if (outcome == OK && (outcome = estate_refresh(w->estate, f)) == OK)
        outcome = enrol_recover(w->estate, token, site, report, f);
    lock_release(lock);
    free(token);
    free(site);
    return outcome;
}

enum outcome enrol_recover(struct estate *e, const char *token, const char *site, json_t *report, struct fault *f)
{
    enum outcome outcome = OK;
    for (size_t k = 0; k < e->state.intent_count && outcome == OK; k++) {
        const struct state_intent *i = &e->state.intents[k];
        const char *named = json_string_or_null(i->body, "site");
        uint64_t seq = i->seq;
        if (i->state != INTENT_OPEN || !intent_is(i, OP_ENROL_SITE) || i->token == NULL || named == NULL ||
            strcmp(i->token, token) != 0 || strcmp(named, site) != 0)
            continue;
        outcome = intent_roll_back(e, seq, "the enrolment was interrupted", f);
        if (outcome == OK)
            outcome = outcome_report(report, seq, "rolled back", f);
    }
    return outcome;
}

/* Nobody is awaited any more, or in vain. */
static bool provisional_ended(const struct estate *e, const struct state_intent *i)
{
    struct strings sites = {0};
    struct fault ignored = {0}; /* what cannot be read is looked at by whoever ends it */
    bool ended = i->state == INTENT_PROVISIONAL && intent_sites(i, &sites, &ignored) == OK &&
                 (receipts_complete(i, &sites) || !sites_stand(e, i, &sites) || moment_now() > i->until ||
                  (intent_is(i, OP_REPLICATE) && !replica_wanted(&e->state, i)));
    strings_free(&sites);
    return ended;
}

/* Something may be left at an HSM that has not retired. */
static bool orphans_stand(const struct state *s, const struct state_intent *i)
{
    for (size_t k = 0; k < i->orphans.count; k++)
        if (!state_site_gone(s, i->token, i->orphans.items[k], i->seq))
            return true;
    return false;
}

/* Only an HSM that has retired, and may never be seen again, keeps it from being done with. */
static bool only_waits(const struct state *s, const struct state_intent *i)
{
    return (i->state == INTENT_ROLLED_BACK || i->state == INTENT_SETTLED) && i->orphans.count > 0 &&
           !orphans_stand(s, i);
}

/* What is to be settled now; the state changes under whoever walks it. */
static enum outcome intents_list(const struct estate *e, const char *token, uint64_t **ret, size_t *ret_count,
                                 struct fault *f)
{
    const struct state *s = &e->state;
    size_t count = 0;
    uint64_t *list = calloc(s->intent_count + 1, sizeof *list);
    if (list == NULL)
        return fault_memory(f);
    for (size_t k = 0; k < s->intent_count; k++) {
        const struct state_intent *i = &s->intents[k];
        bool left = token == NULL ? i->orphans.count > 0 : orphans_stand(s, i);
        bool birth = intent_travels(i) &&
                     (i->state == INTENT_OPEN || i->state == INTENT_BORN || provisional_ended(e, i) || left);
        bool enrolment = token == NULL && intent_is(i, OP_ENROL_SITE) && i->state == INTENT_OPEN;
        bool retirement =
            token == NULL && intent_is(i, OP_RETIRE_SITE) && (i->state == INTENT_OPEN || i->orphans.count > 0);
        bool promotion = token == NULL && intent_is(i, OP_PROMOTE) && i->state == INTENT_OPEN;
        if ((birth || enrolment || retirement || promotion) && i->token != NULL &&
            (token == NULL || strcmp(i->token, token) == 0))
            list[count++] = i->seq;
    }
    *ret = list;
    *ret_count = count;
    return OK;
}

/* What a retired site still holds waits there without harm: why is said, and nothing is kept from beginning. */
static enum outcome retirement_end(struct world *w, uint64_t intent, json_t *report, struct fault *f)
{
    struct fault text = {0}, why = {0};
    enum outcome outcome = retirement_settle(w, intent, &text, &why);
    if (outcome == OK && text.text[0] == '\0')
        return OK;
    return outcome_report(report, intent, outcome == OK ? text.text : why.text, f);
}

static enum outcome promotion_end(struct world *w, uint64_t intent, json_t *report, struct fault *f)
{
    const char *text = "";
    enum outcome outcome = resolution_settle(w, intent, &text, f);
    return outcome == OK && text[0] != '\0' ? outcome_report(report, intent, text, f) : outcome;
}

static enum outcome settle_one(struct world *w, uint64_t intent, json_t *report, struct fault *f)
{
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    if (intent_travels(i))
        return intent_settle(w, intent, report, f);
    if (intent_is(i, OP_RETIRE_SITE))
        return retirement_end(w, intent, report, f);
    if (intent_is(i, OP_PROMOTE))
        return promotion_end(w, intent, report, f);
    return enrolment_settle(w, intent, report, f);
}

enum outcome settle_token(struct world *w, const char *token, json_t *report, struct fault *f)
{
    uint64_t *list = NULL;
    size_t count = 0, left = 0;
    struct fault first = {0};
    enum outcome outcome = estate_refresh(w->estate, f);
    if (outcome == OK)
        outcome = intents_list(w->estate, token, &list, &count, f);
    for (size_t k = 0; k < count && outcome == OK; k++) {
        struct fault one = {0};
        if (settle_one(w, list[k], report, &one) == OK)
            continue;
        if (!only_waits(&w->estate->state, state_intent(&w->estate->state, list[k])) && left++ == 0)
            first = one;
        outcome = outcome_report(report, list[k], one.text, f);
    }
    if (outcome == OK && left > 0)
        outcome = fault_set(f, E_REFUSED, "an earlier birth is not settled: %s", first.text);
    free(list);
    return outcome;
}

enum outcome settle_run(struct world *w, json_t *report, struct fault *f)
{
    struct fault grants = {0};
    enum outcome left = grants_settle(w, NULL, report, &grants), outcome = cloned_settle(w, report, f);
    if (outcome == OK)
        outcome = settle_token(w, NULL, report, f);

    if (outcome == OK)
        outcome = keys_left_settle(w, report, f);
    if (outcome == OK && left != OK)
        outcome = fault_set(f, E_REFUSED, "what was interrupted is not settled: %s", grants.text);
    return outcome;
}
