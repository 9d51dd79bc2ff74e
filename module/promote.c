#include "module/promote.h"

#include <stdio.h>
#include <string.h>

#include "estate/serving.h"
#include "module/resolution.h"
#include "module/site_keys.h"

/* What can be known to fail before anybody is asked. The new primary must answer now; the old one need not. */
static enum outcome target_check(struct world *w, const char *token, const char *site, struct fault *f)
{
    const struct estate *e = w->estate;
    const struct token *named = policy_token(e->policy, token);
    const struct state_site *known = NULL;
    struct site_link link = {0};
    enum outcome outcome = OK;

    if (named == NULL)
        return fault_set(f, E_ABSENT, "the policy in force names no token %s", token);
    if (strcmp(named->primary, site) == 0)
        return fault_set(f, E_REFUSED, "%s is the primary of %s already", site, token);
    if (!strings_have(&named->replicas, site))
        return fault_set(f, E_ABSENT, "%s is no replica site of %s in the policy in force", site, token);
    known = state_site(&e->state, token, site);
    if (known != NULL && known->away)
        return fault_set(f, E_REFUSED, "%s at %s is on its way, in bag %s: `quorate arrive` ends that", token, site,
                         known->bag);
    outcome = site_answers(w, token, site, &link, f);
    site_close(&link);
    return outcome;
}

/* Living keys that the new primary does not hold: applications find them no more. */
static json_t *keys_missing(const struct state *s, const char *token, const char *site)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; i < s->key_count && good; i++)
        if (!s->keys[i].destroyed && strcmp(s->keys[i].token, token) == 0 && !strings_have(&s->keys[i].sites, site))
            good = json_array_append_new(list, json_string(s->keys[i].label)) == 0;
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

static enum outcome promote_decided(struct resolution *r, const char *token, const char *site, struct fault *f)
{
    json_t *more = json_object(), *body = json_object();
    enum outcome outcome = E_MEMORY;

    if (!json_put_string(more, "site", site) || !json_put_string(body, "site", site) ||
        !json_put_string(body, "token", token))
        outcome = fault_memory(f);
    else
        outcome = resolution_begin(r, more, f);
    if (outcome == OK)
        outcome = resolution_end(r, ENTRY_PROMOTED, json_incref(body), f);
    json_decref(body);
    json_decref(more);
    return outcome;
}

/* An earlier promotion of this token that a death ended: its approvals hold again. */
static enum outcome interrupted_settle(struct world *w, const char *token, struct fault *f)
{
    const struct state *s = &w->estate->state;
    const char *text = "";
    enum outcome outcome = OK;
    for (size_t i = s->intent_count; i-- > 0 && outcome == OK;)
        if (s->intents[i].state == INTENT_OPEN && strcmp(s->intents[i].operation, operation_name(OP_PROMOTE)) == 0 &&
            s->intents[i].token != NULL && strcmp(s->intents[i].token, token) == 0)
            outcome = resolution_settle(w, s->intents[i].seq, &text, f);
    return outcome;
}

enum outcome promote_run(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f)
{
    struct resolution r = {.world = w};
    json_t *report = json_object(), *subject = NULL;
    char what[2 * LIMIT_NAME + 32];
    bool go = false;

    enum outcome outcome = report != NULL ? estate_refresh(w->estate, f) : fault_memory(f);
    if (outcome == OK)
        outcome = interrupted_settle(w, token, f);
    if (outcome == OK)
        outcome = estate_policy_in_force(w->estate, f);
    if (outcome == OK)
        outcome = target_check(w, token, site, f);
    if (outcome == OK) {
        subject = asking_subject(w->estate, OP_PROMOTE, w->requester);
        if (!json_put_string(subject, "site", site) || !json_put_string(subject, "token", token) ||
            !json_put(report, "missing-keys", keys_missing(&w->estate->state, token, site)))
            outcome = fault_memory(f);
    }
    snprintf(what, sizeof what, "promoting %s to be the primary of %s", site, token);
    if (outcome == OK)
        outcome = resolution_ask(w, json_incref(subject), what, &r, report, &go, f);
    if (outcome == OK && go)
        outcome = promote_decided(&r, token, site, f);
    resolution_clear(&r, outcome == OK ? "" : f->text);
    if (outcome == OK && go && !json_put_string(report, "status", "promoted"))
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret = json_incref(report);
    json_decref(subject);
    json_decref(report);
    return outcome;
}
