#include "module/inventory.h"

#include <string.h>
#include <time.h>

#include "core/limits.h"
#include "estate/inquiry.h"
#include "module/far.h"
#include "module/replica.h"
#include "module/shelf.h"

/* The HSM of a site that is a module here, as it is now. */
static enum outcome module_look(struct shelf *h, bool primary, struct fault *f)
{
    struct site_link link = {0};
    struct things things = {.items = NULL};
    enum outcome outcome = site_open(h->world, h->token, h->site, primary ? SITE_EITHER : SITE_MODULE, &link, f);
    if (outcome == OK)
        outcome = things_read(&link, LIMIT_OBJECTS, &things, f);
    if (outcome == OK)
        outcome = shelf_judge(h, &things, f);
    site_close(&link);
    things_clear(&things);
    return outcome;
}

/* The same of one that a courier reaches: it lists, we judge. */
static enum outcome courier_look(struct shelf *h, struct replicas *at, struct fault *f)
{
    struct replica *r = NULL;
    enum outcome outcome = replicas_want(at, h->world, h->token, h->site, &r, f);
    if (outcome == OK)
        outcome = replica_visit(r, VISIT_LIST, f);
    return outcome == OK ? shelf_judge_listing(h, &r->visit->listing, f) : outcome;
}

/* Another process may be at work there, and a search and the reading of what it found are several calls: something is wrong
 * only where it stays so. */
static enum outcome shelf_look(struct shelf *h, const struct binding *b, bool primary, struct fault *f)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    struct replicas at = {.count = 0};
    enum outcome outcome = OK;
    for (unsigned looks = 1; looks <= LIMIT_SHELF_LOOKS; looks++) {
        outcome = b->reach == REACH_MODULE ? module_look(h, primary, f) : courier_look(h, &at, f);
        if (outcome != OK || h->differences == 0)
            break;
        if (looks < LIMIT_SHELF_LOOKS)
            nanosleep(&pause, NULL);
    }
    if (outcome != OK)
        shelf_empty(h);
    replicas_end(&at);
    return outcome;
}

/* Whether it can be asked at all: nothing that an HSM says counts before the log has pinned its identity key. */
static bool site_asked(const struct world *w, const char *token, const struct binding *b)
{
    return b->reach == REACH_MODULE ||
           (b->reach == REACH_COURIER && state_site(&w->estate->state, token, b->site) != NULL);
}

/* What the HSMs are held against. In the home of a site that is elsewhere it is what that site knows of its host's log, and which
 * transport keys are its own. */
struct stocktaking {
    struct world *world;
    const struct state *state;
    struct host *host; /* owned; NULL: this home has a log of its own estate */
    json_t *transports, *list;
    uint64_t differences;
};

static void stocktaking_end(struct stocktaking *k)
{
    host_close(k->host);
    json_decref(k->transports);
    json_decref(k->list);
}

static enum outcome stocktaking_begin(struct world *w, struct stocktaking *ret, struct fault *f)
{
    struct stocktaking k = {.world = w, .state = &w->estate->state, .list = json_array()};
    const struct state_host *host = NULL;
    enum outcome outcome = k.list != NULL ? estate_refresh(w->estate, f) : fault_memory(f);
    host = w->estate->state.host;
    if (outcome == OK && host != NULL && host->identity.len > 0) {
        k.transports = far_transports(host);
        outcome = k.transports != NULL ? host_open(w->estate, &k.host, f) : fault_memory(f);
        k.state = outcome == OK ? &k.host->copy->state : NULL;
    }
    if (outcome == OK)
        *ret = k;
    else
        stocktaking_end(&k);
    return outcome;
}

/* A site that could not be looked at is a difference: nothing can be said of it. */
static enum outcome site_list(struct stocktaking *k, const struct bound_token *t, const struct binding *b,
                              bool named_site, struct fault *f)
{
    struct world *w = k->world;
    const struct token *named = w->estate->policy != NULL ? policy_token(w->estate->policy, t->id) : NULL;
    struct shelf h = {.world = NULL};
    struct fault why = {0};
    const char *state = "elsewhere";
    enum outcome outcome = shelf_make(w, k->state, t->id, b->site, &h, f);

    h.transports = k->transports;
    if (outcome == OK && site_asked(w, t->id, b)) {
        bool looked = shelf_look(&h, b, named != NULL && strcmp(named->primary, b->site) == 0, &why) == OK;
        state = looked ? "looked-at" : "absent";
        k->differences += looked ? h.differences : 1;
    } else if (outcome == OK && named_site && b->reach == REACH_CARRIED &&
               state_site(&w->estate->state, t->id, b->site) != NULL) {
        state = "asked";
        outcome = inquiry_want(w->estate, MESSAGE_INVENTORY, t->id, b->site, NULL, NULL, &why, f);
    } else if (outcome == OK && b->reach == REACH_CARRIED) {
        fault_set(&why, E_PENDING, "files are carried there: `quorate inventory %s %s` asks for its list", t->id,
                  b->site);
    }
    if (outcome == OK &&
        json_array_append_new(k->list, shelf_line(&h, state, why.text[0] != '\0' ? why.text : NULL)) != 0)
        outcome = fault_memory(f);
    shelf_clear(&h);
    return outcome;
}

enum outcome inventory_run(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f)
{
    json_t *report = json_object();
    const struct bindings *b = w->estate->bindings;
    struct stocktaking k = {.host = NULL};
    bool any = false;
    enum outcome outcome = report != NULL ? stocktaking_begin(w, &k, f) : fault_memory(f);
    for (size_t i = 0; i < b->token_count && outcome == OK; i++) {
        if (token != NULL && strcmp(token, b->tokens[i].id) != 0)
            continue;
        for (size_t j = 0; j < b->tokens[i].site_count && outcome == OK; j++) {
            if (site != NULL && strcmp(site, b->tokens[i].sites[j].site) != 0)
                continue;
            any = true;
            outcome = site_list(&k, &b->tokens[i], &b->tokens[i].sites[j], site != NULL, f);
        }
    }
    if (outcome == OK && !any)
        outcome = fault_set(f, E_ABSENT, "the bindings %s name no token \"%s\"%s%s", b->path,
                            token != NULL ? token : "", site != NULL ? " at " : "", site != NULL ? site : "");
    if (outcome == OK && (!json_put_integer(report, "differences", (int64_t)k.differences) ||
                          !json_put(report, "sites", json_incref(k.list))))
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret = json_incref(report);
    stocktaking_end(&k);
    json_decref(report);
    return outcome;
}
