#include "module/standing.h"

#include <stdlib.h>
#include <string.h>

static void step_clear(struct world *w)
{
    w->context.ceremony = NULL;
    w->tbs = (struct digest){{0}};
    w->fact = (struct ceremony_fact){.operation = -1};
    free(w->step);
    w->step = NULL;
    free(w->requester);
    w->requester = NULL;
}

void standing_clear(struct world *w)
{
    step_clear(w);
    free(w->ceremony);
    free(w->script);
    w->ceremony = w->script = NULL;
    if (w->estate != NULL) {
        free(w->estate->ceremony);
        w->estate->ceremony = NULL;
    }
    lock_release(w->ceremony_lock);
    w->ceremony_lock = NULL;
}

static const struct state_ceremony *ceremony_open(const struct state *s, const char *id)
{
    for (size_t i = 0; i < s->ceremony_count; i++)
        if (!s->ceremonies[i].closed && strcmp(s->ceremonies[i].id, id) == 0)
            return &s->ceremonies[i];
    return NULL;
}

static enum outcome ceremony_lock(const struct estate *e, const char *id, struct lock **ret, struct fault *f)
{
    char *all = estate_path(e, "ceremonies", NULL), *folder = estate_path(e, "ceremonies", id), *path = NULL;
    enum outcome outcome = E_MEMORY;
    if (all == NULL || folder == NULL || (path = path_join(folder, "lock")) == NULL) {
        outcome = fault_memory(f);
        goto out;
    }
    outcome = folder_make(all, 0700, f);
    if (outcome == OK)
        outcome = folder_make(folder, 0700, f);
    if (outcome == OK)
        outcome = lock_take(path, false, ret, f);
    if (outcome == E_BUSY)
        fault_set(f, E_BUSY, "the ceremony %s is run by another process", id);
out:
    free(all);
    free(folder);
    free(path);
    return outcome;
}

enum outcome world_ceremony(struct world *w, const char *ceremony, struct fault *f)
{
    struct lock *lock = NULL;
    standing_clear(w);
    if (ceremony == NULL)
        return OK;
    enum outcome outcome = estate_refresh(w->estate, f);
    if (outcome != OK)
        return outcome;
    /* Only ids that the log has ever become part of a path. */
    if (ceremony_open(&w->estate->state, ceremony) == NULL)
        return fault_set(f, E_ABSENT, "no ceremony %s is open", ceremony);
    outcome = ceremony_lock(w->estate, ceremony, &lock, f);
    if (outcome == OK)
        outcome = estate_refresh(w->estate, f);
    const struct state_ceremony *open = outcome == OK ? ceremony_open(&w->estate->state, ceremony) : NULL;
    if (outcome == OK && open == NULL)
        outcome = fault_set(f, E_ABSENT, "the ceremony %s was closed meanwhile", ceremony);
    if (outcome == OK) {
        w->ceremony = strdup(open->id);
        w->script = strdup(open->script);
        w->estate->ceremony = strdup(open->id);
        w->ceremony_lock = lock;
        lock = NULL; /* taken by w */
        if (w->ceremony == NULL || w->script == NULL || w->estate->ceremony == NULL) {
            standing_clear(w);
            outcome = fault_memory(f);
        }
    }
    lock_release(lock);
    return outcome;
}

enum outcome world_step(struct world *w, const char *step, int operation, const char *actor, const struct digest *tbs,
                        struct fault *f)
{
    if (w->ceremony_lock == NULL)
        return fault_set(f, E_REFUSED, "this process runs no ceremony");
    step_clear(w);
    w->step = strdup(step);
    w->requester = actor != NULL ? strdup(actor) : NULL;
    if (w->step == NULL || (actor != NULL && w->requester == NULL)) {
        step_clear(w);
        return fault_memory(f);
    }
    w->fact = (struct ceremony_fact){.id = w->ceremony, .script = w->script, .step = w->step, .operation = operation};
    w->tbs = tbs != NULL ? *tbs : (struct digest){{0}};
    w->context.ceremony = &w->fact;
    return OK;
}
