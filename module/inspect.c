#include <string.h>

#include "module/birth.h"
#include "module/replica.h"
#include "module/site_keys.h"

/* One word for programs, then what is wrong. */
static enum outcome site_state(struct world *w, const char *token, const struct binding *b, bool primary,
                               const char **ret_state, struct fault *why)
{
    struct site_link link = {0};
    struct site_keys pinned = SITE_KEYS;
    const struct state *s = &w->estate->state;
    const struct state_site *enrolled = state_site(s, token, b->site);

    *ret_state = "absent";
    enum outcome outcome = site_open(w, token, b->site, primary ? SITE_EITHER : SITE_MODULE, &link, why);
    if (outcome == OK && enrolled == NULL) {
        *ret_state = "not-enrolled";
    } else if (outcome == OK) {
        *ret_state = "refused";
        outcome = site_keys_pinned(enrolled, &pinned, why);
        if (outcome == OK)
            outcome = site_ready(&link, &s->estate, enrolled->serial, &pinned, why);
        if (outcome == OK)
            *ret_state = "ready";
    }
    site_close(&link);
    site_keys_clear(&pinned);
    return outcome;
}

/* The same of a site that is reached by a courier. */
static enum outcome far_state(struct world *w, const char *token, const char *site, const char **ret_state,
                              struct fault *why)
{
    struct replicas at = {.count = 0};
    struct replica *r = NULL;
    enum outcome outcome = replicas_want(&at, w, token, site, &r, why);
    if (outcome == OK)
        outcome = replica_visit(r, VISIT_READY, why);
    replicas_end(&at);
    *ret_state = outcome == OK                                        ? "ready"
                 : state_site(&w->estate->state, token, site) == NULL ? "not-enrolled"
                 : outcome == E_REFUSED                               ? "refused"
                                                                      : "absent";
    return outcome;
}

static enum outcome site_line(struct world *w, const struct bound_token *t, const struct binding *b, json_t *list,
                              struct fault *f)
{
    const struct policy *policy = w->estate->policy;
    const struct token *named = policy != NULL ? policy_token(policy, t->id) : NULL;
    bool primary = named != NULL && strcmp(named->primary, b->site) == 0;
    struct fault why = {0};
    const char *state = "elsewhere"; /* reached by hand: nothing answers here */
    json_t *line = json_object();
    bool good = line != NULL;

    if (b->reach == REACH_COURIER && far_state(w, t->id, b->site, &state, &why) != OK)
        good = good && json_put_string(line, "why", why.text);
    if (b->reach == REACH_MODULE && site_state(w, t->id, b, primary, &state, &why) != OK)
        good = good && json_put_string(line, "why", why.text);
    good = good && json_put_string(line, "serial", b->serial != NULL ? b->serial : "") &&
           json_put_string(line, "site", b->site) && json_put_string(line, "state", state) &&
           json_put_string(line, "token", t->id) && json_array_append(list, line) == 0;
    json_decref(line);
    return good ? OK : fault_memory(f);
}

enum outcome inspect_run(struct world *w, json_t **ret, struct fault *f)
{
    json_t *report = json_object(), *list = json_array();
    const struct bindings *b = w->estate->bindings;
    enum outcome outcome = report != NULL && list != NULL ? estate_refresh(w->estate, f) : fault_memory(f);
    for (size_t i = 0; i < b->token_count && outcome == OK; i++)
        for (size_t j = 0; j < b->tokens[i].site_count && outcome == OK; j++)
            outcome = site_line(w, &b->tokens[i], &b->tokens[i].sites[j], list, f);
    if (outcome == OK && !json_put(report, "tokens", json_incref(list)))
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret = json_incref(report);
    json_decref(list);
    json_decref(report);
    return outcome;
}
