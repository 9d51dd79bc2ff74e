#include "module/replica.h"

#include <stdlib.h>
#include <string.h>

static visit_fn *const visits[] = {
    [VISIT_READY] = visit_ready,       [VISIT_WRAP] = visit_wrap,   [VISIT_TAKE] = visit_take,
    [VISIT_NAME] = visit_name,         [VISIT_HOLDS] = visit_holds, [VISIT_CHANGE] = visit_change,
    [VISIT_WITHDRAW] = visit_withdraw, [VISIT_CLOSE] = visit_close,
};

unsigned site_answers_within(const struct world *w, const char *site)
{
    const struct site *s = w->estate->policy != NULL ? policy_site(w->estate->policy, site) : NULL;
    return s != NULL && s->answer_within > 0 ? s->answer_within : LIMIT_WAIT;
}

static enum outcome visit_make(struct world *w, const char *token, const char *site, struct visit **ret,
                               struct fault *f)
{
    const struct binding *binding = NULL;
    const struct state_site *enrolled = state_site(&w->estate->state, token, site);
    struct lower *lower = NULL;
    struct visit *v = NULL;
    enum outcome outcome = site_bound(w, token, site, &binding, f);
    if (outcome != OK)
        return outcome;
    outcome = world_lower_want(w, binding->module, &lower, f);
    if (outcome != OK)
        return fault_context(f, "%s at %s", token, site);
    if ((v = calloc(1, sizeof *v)) == NULL)
        return fault_memory(f);
    v->pinned = SITE_KEYS;
    v->id = BUF(LIMIT_LABEL);
    v->wanted = BUF(LIMIT_LABEL);
    v->estate = w->estate->state.estate;
    v->lock = lock_share(w->carried);
    v->lower = lower;
    lower_hold(lower);
    outcome = binding_copy(binding, &v->bound, f);
    if (outcome == OK && (v->token = strdup(token)) == NULL)
        outcome = fault_memory(f);
    if (outcome == OK && enrolled != NULL) {
        outcome = site_keys_pinned(enrolled, &v->pinned, f);
        if (outcome == OK && (v->serial = strdup(enrolled->serial)) == NULL)
            outcome = fault_memory(f);
    }
    if (outcome == OK) {
        *ret = v;
        v = NULL; /* taken by *ret */
    }
    visit_free(v);
    return outcome;
}

static void replica_forget(struct replica *r)
{
    visit_free(r->visit);
    free(r->token);
    free(r->site);
    *r = (struct replica){.token = NULL};
}

enum outcome replicas_want(struct replicas *all, struct world *w, const char *token, const char *site,
                           struct replica **ret, struct fault *f)
{
    struct replica r = {.token = NULL};
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].token, token) == 0 && strcmp(all->items[i].site, site) == 0) {
            *ret = &all->items[i];
            return OK;
        }
    if (all->count == LIMIT_SITES)
        return fault_set(f, E_MEMORY, "more than %d replicas", LIMIT_SITES);
    enum outcome outcome = visit_make(w, token, site, &r.visit, f);
    if (outcome != OK)
        return outcome;
    r.token = strdup(token);
    r.site = strdup(site);
    r.answer_within = site_answers_within(w, site);
    if (r.token == NULL || r.site == NULL) {
        replica_forget(&r);
        return fault_memory(f);
    }
    all->items[all->count] = r;
    *ret = &all->items[all->count++];
    return OK;
}

static void visit_go(void *work)
{
    struct visit *v = work;
    v->fault = (struct fault){0};
    v->outcome = v->run(v, &v->fault);
}

enum outcome replica_begin(struct replica *r, enum visit_kind kind, struct fault *f)
{
    struct visit *v = r->visit;
    if (v == NULL)
        return fault_set(f, E_DEVICE, "%s at %s: it did not answer in time before", r->token, r->site);
    v->run = visits[kind];
    v->in = kind == VISIT_WRAP ? v->primary : v->lower;
    r->kind = kind;
    unsigned within = kind == VISIT_WRAP ? r->wrap_within : r->answer_within;
    enum outcome outcome = errand_begin(visit_go, visit_late, v, within, &r->out, f);
    return outcome == OK ? OK : fault_context(f, "%s at %s", r->token, r->site);
}

/* The visit that is over, one way or the other. */
static enum outcome replica_end(struct replica *r, struct fault *f)
{
    struct lower *in = r->visit->in;
    struct errand *out = r->out;
    r->out = NULL;
    lower_overdue(in, true);
    if (errand_end(out)) {
        lower_overdue(in, false);
        if (r->kind == VISIT_WRAP) {
            lower_drop(in);
            r->visit->primary = NULL;
        }
        if (r->visit->outcome != OK)
            *f = r->visit->fault;
        return r->visit->outcome;
    }
    r->visit = NULL; /* taken by its thread */
    if (r->kind == VISIT_WRAP)
        return fault_set(f, E_DEVICE, "%s: the primary did not wrap the key for %s within %s (%s)", r->token, r->site,
                         duration_format(r->wrap_within).text, in->path);
    return fault_set(f, E_DEVICE, "%s at %s: no answer within %s (%s); it counts as absent", r->token, r->site,
                     duration_format(r->answer_within).text, in->path);
}

void replica_drop(struct replicas *all, size_t i)
{
    struct fault ignored = {0};
    struct replica *r = &all->items[i];
    if (r->visit != NULL && r->visit->link.binding != NULL)
        replica_visit(r, VISIT_CLOSE, &ignored);
    replica_forget(r);
    all->count--;
    memmove(r, r + 1, (all->count - i) * sizeof *r);
}

struct replica *replicas_next(struct replicas *all, enum outcome *ret_outcome, struct fault *f)
{
    struct errand *out[LIMIT_SITES];
    for (size_t i = 0; i < all->count; i++)
        out[i] = all->items[i].out;
    size_t i = errands_wait(out, all->count);
    if (i == all->count)
        return NULL;
    *ret_outcome = replica_end(&all->items[i], f);
    return &all->items[i];
}

enum outcome replica_visit(struct replica *r, enum visit_kind kind, struct fault *f)
{
    enum outcome outcome = replica_begin(r, kind, f);
    if (outcome != OK)
        return outcome;
    errands_wait(&r->out, 1);
    return replica_end(r, f);
}

void replicas_end(struct replicas *all)
{
    struct fault ignored = {0};
    enum outcome outcome = OK;
    while (replicas_next(all, &outcome, &ignored) != NULL)
        ;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].visit != NULL && all->items[i].visit->link.binding != NULL)
            replica_begin(&all->items[i], VISIT_CLOSE, &ignored);
    while (replicas_next(all, &outcome, &ignored) != NULL)
        ;
    for (size_t i = 0; i < all->count; i++)
        replica_forget(&all->items[i]);
    all->count = 0;
}
