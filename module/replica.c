#include "module/replica.h"

#include <stdlib.h>
#include <string.h>

#include "module/replica_message.h"

/* By way: a module here, a courier. */
static visit_fn *const visits[][2] = {
    [VISIT_THERE] = {visit_open, NULL},
    [VISIT_READY] = {visit_ready, courier_ready},
    [VISIT_WRAP_OPEN] = {visit_wrap_open, visit_wrap_open},
    [VISIT_WRAP] = {visit_wrap, visit_wrap},
    [VISIT_WRAP_END] = {visit_wrap_end, visit_wrap_end},
    [VISIT_TAKE] = {visit_take, courier_take},
    [VISIT_CLONE] = {visit_clone, NULL},
    [VISIT_NAME] = {visit_name, courier_born},
    [VISIT_HOLDS] = {visit_holds, courier_ready},
    [VISIT_CHANGE] = {visit_change, NULL},
    [VISIT_DRILL] = {visit_drill, courier_drill},
    [VISIT_LIST] = {NULL, courier_list},
    [VISIT_HEADS] = {visit_heads, NULL},
    [VISIT_HEAD_PUT] = {visit_head_put, NULL},
    [VISIT_CLOSE] = {visit_close, NULL},
    [VISIT_WITHDRAW] = {visit_withdraw, courier_withdraw},
    [VISIT_DESTROY] = {visit_destroy, courier_destroy},
};

/* These visits are for the site, and take place at the primary. */
static bool at_primary(enum visit_kind kind)
{
    return kind == VISIT_WRAP_OPEN || kind == VISIT_WRAP || kind == VISIT_WRAP_END;
}

unsigned site_answers_within(const struct world *w, const char *site)
{
    const struct site *s = w->estate->policy != NULL ? policy_site(w->estate->policy, site) : NULL;
    return s != NULL && s->answer_within > 0 ? s->answer_within : LIMIT_WAIT;
}

bool replica_is_far(const struct world *w, const char *token, const char *site)
{
    const struct binding *b = bindings_site(w->estate->bindings, token, site);
    return b != NULL && b->reach == REACH_COURIER;
}

static enum outcome visit_make(struct world *w, const char *token, const char *site, struct visit **ret,
                               struct fault *f)
{
    const struct binding *binding = NULL;
    const struct state_site *enrolled = state_site(&w->estate->state, token, site);
    struct lower *lower = NULL;
    struct visit *v = NULL;
    enum outcome outcome = OK;
    if (replica_is_far(w, token, site))
        binding = bindings_site(w->estate->bindings, token, site);
    else if (!site_carried(w, token, site, &binding))
        outcome = site_bound(w, token, site, &binding, f);
    if (outcome == OK && binding->reach == REACH_MODULE)
        outcome = world_lower_want(w, binding->module, &lower, f);
    if (outcome != OK)
        return fault_context(f, "%s at %s", token, site);
    if ((v = calloc(1, sizeof *v)) == NULL)
        return fault_memory(f);
    v->pinned = SITE_KEYS;
    v->id = BUF(LIMIT_LABEL);
    v->wanted = BUF(LIMIT_LABEL);
    v->public_key = BUF(LIMIT_ATTRIBUTE);
    v->estate = w->estate->state.estate;
    v->lock = lock_share(w->carried);
    v->how = SITE_MODULE;
    v->message = BUF(LIMIT_MESSAGE);
    v->answer = BUF(2048);
    v->note = BUF(LIMIT_NOTE);
    v->within = site_answers_within(w, site);
    v->lower = lower;
    if (lower != NULL)
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
    wrapping_place_free(r->place);
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
    r.world = w;
    r.far = replica_is_far(w, token, site);
    r.carried = !r.far && r.visit != NULL && r.visit->lower == NULL;
    r.cloned = r.far || r.carried ? NULL : bindings_site(w->estate->bindings, token, site)->cloned;
    r.then = VISIT_NONE;
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

enum outcome replica_was(struct replica *r, const struct state_site *then, struct fault *f)
{
    struct visit *v = r->visit;
    enum outcome outcome = v == NULL || r->far || r->carried ? OK : site_bound_was(&v->bound, then, f);
    if (outcome != OK || v == NULL)
        return outcome;
    site_keys_clear(&v->pinned);
    v->pinned = SITE_KEYS;
    free(v->serial);
    v->serial = strdup(then->serial);
    return v->serial != NULL ? site_keys_pinned(then, &v->pinned, f) : fault_memory(f);
}

static void visit_go(void *work)
{
    struct visit *v = work;
    v->fault = (struct fault){0};
    v->outcome = v->run(v, &v->fault);
}

/* A killed courier is back a moment after its time. */
enum { COURIER_MARGIN = 10 };

static enum outcome visit_begin(struct replica *r, enum visit_kind kind, struct fault *f)
{
    struct visit *v = r->visit;
    unsigned within = at_primary(kind) ? r->wrap_within : r->answer_within + (r->far ? COURIER_MARGIN : 0);
    enum outcome outcome = OK;
    if (v == NULL)
        return fault_set(f, E_DEVICE, "%s at %s: it did not answer in time before", r->token, r->site);
    if (r->carried && !at_primary(kind))
        return fault_set(f, E_REFUSED,
                         "%s at %s: files are carried there by people: `quorate offer export %s`, and `quorate receipt "
                         "import` what comes back",
                         r->token, r->site, r->site);
    if (visits[kind][r->far] == NULL)
        return fault_set(f, E_REFUSED, "%s at %s is reached %s: not yet", r->token, r->site,
                         r->far ? "by a courier" : "as a module");
    v->run = visits[kind][r->far];
    v->in = v->lower;
    if (at_primary(kind)) {
        v->in = r->place->lower;
        v->place = r->place;
        r->place = NULL; /* taken by v */
    }
    r->kind = kind;
    if (r->far && !at_primary(kind))
        outcome = replica_message(r, kind, f);
    if (outcome == OK)
        outcome = errand_begin(visit_go, visit_late, v, within, &r->out, f);
    if (outcome != OK && v->place != NULL) {
        r->place = v->place;
        v->place = NULL; /* taken by r */
    }
    return outcome == OK ? OK : fault_context(f, "%s at %s", r->token, r->site);
}

enum outcome replica_begin(struct replica *r, enum visit_kind kind, struct fault *f)
{
    bool first = r->far && !r->known && kind != VISIT_READY && !at_primary(kind);
    enum outcome outcome = visit_begin(r, first ? VISIT_READY : kind, f);
    r->then = outcome == OK && first ? kind : VISIT_NONE;
    return outcome;
}

/* The visit that is over, one way or the other. */
static enum outcome visit_over(struct replica *r, struct fault *f)
{
    struct visit *v = r->visit;
    if (v == NULL)
        return fault_set(f, E_DEVICE, "%s at %s: it did not answer in time before", r->token, r->site);
    struct lower *in = v->in;
    struct errand *out = r->out;
    r->out = NULL;
    /* What is back is not overdue, not for a moment: the visits beside it ask. */
    bool overdue = in != NULL && !errand_back(out);
    if (overdue)
        lower_overdue(in, true);
    if (errand_end(out)) {
        if (overdue)
            lower_overdue(in, false);
        if (v->place != NULL)
            r->place = v->place;
        v->place = NULL; /* taken by r */
        if (r->visit->outcome != OK)
            *f = r->visit->fault;
        else if (r->far && !at_primary(r->kind))
            return replica_seen(r, f);
        return r->visit->outcome;
    }
    r->visit = NULL; /* taken by its thread */
    if (at_primary(r->kind) && in != NULL)
        return fault_set(f, E_DEVICE, "%s: the primary did not wrap the key for %s within %s (%s)", r->token, r->site,
                         duration_format(r->wrap_within).text, in->path);
    return fault_set(f, E_DEVICE, "%s at %s: no answer within %s (%s); it counts as absent", r->token, r->site,
                     duration_format(r->answer_within).text, in != NULL ? in->path : "its courier");
}

/* False: what was wanted goes on, now that the site has said how much of our log it has. */
static bool replica_over(struct replica *r, enum outcome *ret_outcome, struct fault *f)
{
    enum visit_kind then = r->then;
    *ret_outcome = visit_over(r, f);
    r->then = VISIT_NONE;
    if (then == VISIT_NONE)
        return true;
    if (*ret_outcome == OK)
        *ret_outcome = visit_begin(r, then, f);
    r->kind = then;
    return *ret_outcome != OK;
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
    size_t i = 0;
    do {
        for (size_t k = 0; k < all->count; k++)
            out[k] = all->items[k].out;
        i = errands_wait(out, all->count);
    } while (i < all->count && !replica_over(&all->items[i], ret_outcome, f));
    return i < all->count ? &all->items[i] : NULL;
}

enum outcome replica_visit(struct replica *r, enum visit_kind kind, struct fault *f)
{
    enum outcome outcome = replica_begin(r, kind, f);
    if (outcome != OK)
        return outcome;
    do
        errands_wait(&r->out, 1);
    while (!replica_over(r, &outcome, f));
    return outcome;
}

void replicas_close(struct replicas *all)
{
    struct fault ignored = {0};
    enum outcome outcome = OK;
    while (replicas_next(all, &outcome, &ignored) != NULL)
        ;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].visit != NULL && all->items[i].place != NULL && all->items[i].place->open)
            replica_begin(&all->items[i], VISIT_WRAP_END, &ignored);
    while (replicas_next(all, &outcome, &ignored) != NULL)
        ;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].visit != NULL && all->items[i].visit->link.binding != NULL)
            replica_begin(&all->items[i], VISIT_CLOSE, &ignored);
}

void replicas_end(struct replicas *all)
{
    struct fault ignored = {0};
    enum outcome outcome = OK;
    replicas_close(all);
    while (replicas_next(all, &outcome, &ignored) != NULL)
        ;
    for (size_t i = 0; i < all->count; i++)
        replica_forget(&all->items[i]);
    all->count = 0;
}
