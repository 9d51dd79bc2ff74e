#include "module/world.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "estate/serving.h"
#include "module/failover_move.h"
#include "module/standing.h"

static _Atomic(struct world *) current;
static _Thread_local char refusal[sizeof((struct fault *)0)->text];
static _Thread_local struct digest_text refused_request;

struct world *world_current(void)
{
    return atomic_load(&current);
}

void world_set_current(struct world *w)
{
    atomic_store(&current, w);
}

void refusal_set(const struct fault *f)
{
    refusal[0] = '\0';
    refused_request.hex[0] = '\0';
    if (f != NULL)
        memcpy(refusal, f->text, sizeof refusal);
}

void refusal_name(const struct digest *request)
{
    refused_request = digest_hex(request);
}

const char *refusal_request(void)
{
    return refused_request.hex;
}

const char *refusal_text(void)
{
    return refusal;
}

struct lower *world_lower(const struct world *w, const char *path)
{
    for (size_t i = 0; i < w->lower_count; i++)
        if (strcmp(w->lowers[i]->path, path) == 0)
            return w->lowers[i];
    return NULL;
}

enum outcome world_lower_want(struct world *w, const char *path, struct lower **ret, struct fault *f)
{
    struct lower *l = world_lower(w, path);
    if (l == NULL) {
        if (w->lower_count == sizeof w->lowers / sizeof *w->lowers)
            return fault_set(f, E_MEMORY, "the bindings name more than %zu different HSM modules",
                             sizeof w->lowers / sizeof *w->lowers);
        enum outcome outcome = lower_load(path, bindings_remote(w->estate->bindings, path), &l, f);
        if (outcome != OK)
            return outcome;
        w->lowers[w->lower_count++] = l;
    }
    *ret = l;
    return OK;
}

struct shown_token *world_token(const struct world *w, const char *id)
{
    for (size_t i = 0; i < w->token_count; i++)
        if (strcmp(w->tokens[i].bound->id, id) == 0)
            return &w->tokens[i];
    return NULL;
}

void world_name(const struct world *w, struct shown_token *t)
{
    t->primary_name[0] = '\0';
    t->primary = t->primary_name;
    strncat(t->primary_name, token_primary(w->estate, t->bound->id), LIMIT_NAME);
    t->binding = bindings_site(w->estate->bindings, t->bound->id, t->primary);
    if (t->binding != NULL && t->binding->reach != REACH_MODULE)
        t->binding = NULL;
}

static void login_end(const struct lower *l, CK_SLOT_ID slot)
{
    CK_SESSION_HANDLE spare = lower_spare(l, slot);

    if (spare == CK_INVALID_HANDLE)
        return;
    l->f->C_Logout(spare);
    l->f->C_CloseSession(spare);
}

enum outcome world_look(struct world *w, struct shown_token *t, struct fault *f)
{
    const char *serving = token_serving(w->estate, t->bound->id);
    struct lower *lower = NULL;
    CK_SLOT_ID slot = 0;

    t->lower = NULL;
    t->serving = NULL;
    world_name(w, t);
    if (t->primary[0] == '\0')
        return fault_set(f, E_ABSENT, "no policy in force names the token %s: `quorate policy adopt` comes first",
                         t->bound->id);
    if (t->binding == NULL)
        return fault_set(f, E_ABSENT, "%s, the primary of %s, is not bound as a module in %s", t->primary, t->bound->id,
                         w->estate->bindings->path);
    /* A replica must answer a challenge before it serves (module/failover.h). */
    if (strcmp(serving, t->primary) != 0)
        return fault_set(f, E_ABSENT, "%s is served by %s, not by its primary %s", t->bound->id, serving, t->primary);
    enum outcome outcome = world_lower_want(w, t->binding->module, &lower, f);
    if (outcome == OK)
        outcome = lower_find(lower, t->binding->serial, &slot, f);
    if (outcome != OK)
        return fault_context(f, "%s, the primary of %s", t->primary, t->bound->id);
    if (t->left_in)
        login_end(lower, slot);
    t->left_in = false;
    t->lower = lower;
    t->lower_slot = slot;
    t->serving = t->binding;
    t->turn++; /* no handle of an HSM that was there before leads to this one */
    t->follows[0] = '\0';
    strncat(t->follows, serving, LIMIT_NAME);
    return OK;
}

static void world_load_all(struct world *w)
{
    const struct bindings *b = w->estate->bindings;
    struct fault ignored = {0};
    /* What is not there shows as an empty slot; whoever needs it by name hears why. */
    for (size_t i = 0; i < b->token_count; i++)
        for (size_t j = 0; j < b->tokens[i].site_count; j++) {
            struct lower *lower = NULL;
            if (b->tokens[i].sites[j].reach == REACH_MODULE)
                world_lower_want(w, b->tokens[i].sites[j].module, &lower, &ignored);
        }
    for (size_t i = 0; i < w->token_count; i++)
        w->tokens[i].noticed = world_look(w, &w->tokens[i], &ignored) == OK;
}

static bool bindings_offer_3_0(const struct bindings *b)
{
    const struct binding *site;
    bool any = false;
    for (size_t i = 0; i < b->token_count; i++)
        for (size_t j = 0; j < b->tokens[i].site_count; j++) {
            site = &b->tokens[i].sites[j];
            if (site->reach != REACH_MODULE)
                continue;
            if (!lower_peek_3_0(site->module))
                return false;
            any = true;
        }
    return any;
}

bool world_offers_3_0(void)
{
    struct world *w = world_current();
    struct bindings *b = NULL;
    struct fault ignored = {0};
    bool offers = false;
    if (w == NULL) {
        offers = bindings_load(NULL, &b, &ignored) == OK && bindings_offer_3_0(b);
        bindings_free(b);
        return offers;
    }
    pthread_mutex_lock(&w->lock);
    offers = w->lower_count > 0;
    for (size_t i = 0; i < w->lower_count; i++)
        offers = offers && w->lowers[i]->has_3_0;
    pthread_mutex_unlock(&w->lock);
    return offers;
}

enum outcome world_open(const char *given, struct world **ret, struct fault *f)
{
    enum outcome outcome = E_MEMORY;
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL)
        return fault_memory(f);
    pthread_mutex_init(&w->lock, NULL);
    outcome = estate_open(given, &w->estate, f);
    if (outcome != OK)
        goto out;
    const struct bindings *b = w->estate->bindings;
    w->tokens = calloc(b->token_count + 1, sizeof *w->tokens);
    if (w->tokens == NULL) {
        outcome = fault_memory(f);
        goto out;
    }
    w->token_count = b->token_count;
    for (size_t i = 0; i < b->token_count; i++)
        w->tokens[i].bound = &b->tokens[i];
    world_load_all(w);
    *ret = w;
    w = NULL; /* taken by *ret */
out:
    world_close(w);
    return outcome;
}

void world_close(struct world *w)
{
    if (w == NULL)
        return;
    standing_clear(w);
    for (size_t i = 0; i < w->lower_count; i++)
        lower_release(w->lowers[i]);
    for (size_t i = 0; i < w->token_count; i++)
        left_forget(&w->tokens[i]);
    free(w->tokens);
    estate_close(w->estate);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
