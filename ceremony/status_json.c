#include <string.h>

#include "ceremony/status.h"
#include "estate/serving.h"

/* Adds a row that its maker may have failed to make. */
static bool row_add(json_t *list, json_t *row, bool good)
{
    if (good)
        return json_array_append_new(list, row) == 0;
    json_decref(row);
    return false;
}

static json_t *list_done(json_t *list, bool good)
{
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

static bool site_add(const struct status *s, json_t *list, const char *token, const char *site)
{
    const struct state_site *known = state_site(&s->estate->state, token, site);
    const json_t *answer = status_answer(s, token, site);
    const char *state = json_string_or_null(answer, "state");
    json_t *row = json_object();
    bool good = json_put_string(row, "site", site) && json_put_string(row, "token", token) &&
                json_put_string(row, "status", known ? "enrolled" : "not enrolled");

    if (good && strcmp(token_serving(s->estate, token), site) == 0)
        good = json_put_string(row, "serves", "true");
    if (good && known)
        good = json_put_string(row, "serial", known->serial) && json_put_string(row, "hardware", known->hardware) &&
               (!known->placed || json_put_string(row, "place", known->place)) &&
               (!known->away || json_put_string(row, "bag", known->bag));
    moment due = good && known ? status_drill_due(s, known) : MOMENT_NEVER;
    if (good && known && known->drilled != 0)
        good = json_put_moment(row, "drilled", known->drilled);
    if (good && due != MOMENT_NEVER)
        good = due == 0 ? json_put_string(row, "drill-due", "now") : json_put_moment(row, "drill-due", due);
    if (good && s->answering)
        good = json_put_string(row, "answers", state ? state : "not seen");
    return row_add(list, row, good);
}

static json_t *sites_json(const struct status *s)
{
    const struct policy *p = s->estate->policy;
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && p && i < p->token_count; i++) {
        good = site_add(s, list, p->tokens[i].id, p->tokens[i].primary);
        for (size_t j = 0; good && j < p->tokens[i].replicas.count; j++)
            good = site_add(s, list, p->tokens[i].id, p->tokens[i].replicas.items[j]);
    }
    return list_done(list, good);
}

static json_t *strings_json(const struct strings *strings)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < strings->count; i++)
        good = json_array_append_new(list, json_string(strings->items[i])) == 0;
    return list_done(list, good);
}

static json_t *keys_json(const struct status *s)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < s->estate->state.key_count; i++) {
        const struct state_key *k = &s->estate->state.keys[i];
        moment until = status_key_until(s, k);
        json_t *row = NULL;

        if (k->destroyed)
            continue;
        row = json_object();
        good = json_put_moment(row, "born", k->born) && json_put_string(row, "class", k->class_name) &&
               json_put_digest(row, "fingerprint", &k->fingerprint) && json_put_string(row, "id", k->id) &&
               json_put_string(row, "label", k->label) && json_put(row, "sites", strings_json(&k->sites)) &&
               json_put_string(row, "token", k->token) && json_put_string(row, "type", k->type) &&
               (until == MOMENT_NEVER || json_put_moment(row, "until", until));
        good = row_add(list, row, good);
    }
    return list_done(list, good);
}

static json_t *waiting_json(const struct status *s)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < s->estate->state.request_count; i++)
        if (status_waits(s, &s->estate->state.requests[i]))
            good = json_array_append_new(list, request_row_json(s->estate, &s->estate->state.requests[i], s->now)) == 0;
    return list_done(list, good);
}

static const char *intent_word(const struct state_intent *t)
{
    switch (t->state) {
    case INTENT_OPEN:
        return "open";
    case INTENT_BORN:
        return "born";
    case INTENT_SETTLED:
        return "settled";
    case INTENT_PROVISIONAL:
        return "provisional";
    case INTENT_ROLLED_BACK:
        break;
    }
    return "rolled back";
}

static json_t *unsettled_json(const struct status *s)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < s->estate->state.intent_count; i++) {
        const struct state_intent *t = &s->estate->state.intents[i];
        struct strings awaited = {0};
        json_t *row = NULL;

        if (!status_unsettled(t))
            continue;
        row = json_object();
        good = status_awaited(&s->estate->state, t, &awaited) &&
               (awaited.count == 0 || json_put(row, "awaited", strings_json(&awaited))) &&
               json_put_integer(row, "intent", (int64_t)t->seq) && json_put_string(row, "operation", t->operation) &&
               json_put(row, "orphans", strings_json(&t->orphans)) && json_put_string(row, "state", intent_word(t)) &&
               ((t->state != INTENT_PROVISIONAL && t->state != INTENT_OPEN) || t->until == 0 ||
                json_put_moment(row, "until", t->until));
        good = row_add(list, row, good);
        strings_free(&awaited);
    }
    return list_done(list, good);
}

/* Destroyed keys that may still lie somewhere. */
static json_t *left_json(const struct status *s)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < s->estate->state.key_count; i++) {
        const struct state_key *k = &s->estate->state.keys[i];
        json_t *row = NULL;

        if (!k->destroyed || k->retired.count == 0)
            continue;
        row = json_object();
        good = json_put_string(row, "label", k->label) && json_put(row, "sites", strings_json(&k->retired)) &&
               json_put_string(row, "token", k->token);
        good = row_add(list, row, good);
    }
    return list_done(list, good);
}

static json_t *ceremonies_json(const struct status *s)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < s->estate->state.ceremony_count; i++) {
        const struct state_ceremony *c = &s->estate->state.ceremonies[i];
        json_t *row = NULL;

        if (c->closed)
            continue;
        row = json_object();
        good = json_put_string(row, "ceremony", c->id) && json_put_string(row, "script", c->script);
        good = row_add(list, row, good);
    }
    return list_done(list, good);
}

static json_t *suspensions_json(const struct status *s)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < s->estate->state.suspension_count; i++)
        good = json_array_append_new(list, json_string(s->estate->state.suspensions[i].scope)) == 0;
    return list_done(list, good);
}

static json_t *policy_json(const struct status *s)
{
    const struct policy *p = s->estate->policy;
    json_t *j = json_object();
    bool good = json_put_digest(j, "digest", &p->digest) &&
                json_put_string(j, "file", s->agreement.outcome == OK ? "same" : "differs") &&
                json_put_integer(j, "version", p->version);

    return list_done(j, good);
}

/* Of a site that is elsewhere: whose it is. */
static json_t *host_json(const struct state_host *h)
{
    json_t *j = json_object();

    return list_done(j, json_put_digest(j, "estate", &h->estate) && json_put_string(j, "origin", h->origin) &&
                            json_put_integer(j, "seen", (int64_t)h->size) && json_put_string(j, "site", h->site) &&
                            json_put_string(j, "token", h->token));
}

static json_t *log_json(const struct status *s)
{
    struct digest root;
    json_t *j = json_object();

    log_root(s->estate->log, &root);
    return list_done(j, json_put_digest(j, "root", &root) &&
                            json_put_integer(j, "size", (int64_t)log_size(s->estate->log)));
}

static json_t *mirrors_json(const struct status *s)
{
    const struct strings *all = &s->estate->bindings->mirrors;
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < all->count; i++) {
        struct fault why = {.outcome = OK};
        json_t *row = json_object();

        good = json_put_string(row, "path", all->items[i]) &&
               json_put_string(row, "state", estate_mirror_look(s->estate, i, &why)) &&
               (why.outcome == OK || json_put_string(row, "why", why.text));
        good = row_add(list, row, good);
    }
    return list_done(list, good);
}

json_t *status_json(const struct status *s)
{
    const struct state *state = &s->estate->state;
    json_t *j = json_object();
    bool good = json_put(j, "attention", json_incref(s->attention)) &&
                json_put(j, "carried", json_incref(s->carried)) && json_put(j, "ceremonies", ceremonies_json(s)) &&
                json_put(j, "due", strings_json(&s->due)) && json_put_string(j, "environment", state->environment) &&
                json_put_digest(j, "estate", &state->estate) && json_put(j, "keys", keys_json(s)) &&
                json_put(j, "left", left_json(s)) && json_put(j, "log", log_json(s)) &&
                json_put(j, "mirrors", mirrors_json(s)) && json_put_string(j, "name", state->name) &&
                json_put_string(j, "origin", state->origin) && json_put(j, "refusals", strings_json(&s->refusals)) &&
                json_put(j, "requests", waiting_json(s)) && json_put(j, "risks", strings_json(&s->risks)) &&
                json_put(j, "sites", sites_json(s)) && json_put(j, "suspended", suspensions_json(s)) &&
                json_put(j, "unsettled", unsettled_json(s));

    if (good && s->estate->policy)
        good = json_put(j, "policy", policy_json(s));
    if (good && state->host != NULL)
        good = json_put(j, "host", host_json(state->host));
    if (good && s->asking.outcome != OK)
        good = json_put_string(j, "not-asked", s->asking.text);
    return list_done(j, good);
}
