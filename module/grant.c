#include "module/grant.h"

#include <stdio.h>

#include "module/head.h"
#include "module/recovery.h"

CK_RV grant_ask(struct world *w, const struct question *q, struct grant *ret)
{
    struct grant g = {.operation = q->operation};
    struct fault ignored = {0}; /* what cannot be settled keeps its request busy, and that is said */
    bool plain = false;
    CK_RV rv;

    gate_rule(w, q, &plain);
    if (!plain || q->written)
        grants_settle(w, w->tokens[q->slot].bound->id, NULL, &ignored);
    rv = gate_ask(w, q, &g.answer);
    if (rv == CKR_OK)
        *ret = g;
    return rv;
}

/* The log must be the one that the HSM remembers. */
static enum outcome grant_head(struct world *w, const struct grant *g, struct fault *f)
{
    const char *token = g->answer.request->subject->token;
    const struct shown_token *shown = token ? world_token(w, token) : NULL;

    return shown ? heads_check(w, token, shown->primary, f) : OK;
}

CK_RV grant_begin(struct world *w, struct grant *g, const json_t *more)
{
    struct fault f = {0};

    if (g->answer.plain)
        return CKR_OK;
    if (grant_head(w, g, &f) != OK || birth_lock(w->estate, &g->answer.request->id, &g->lock, &f) != OK ||
        estate_intend(w->estate, g->answer.request, &w->context, more, &g->intent, &f) != OK)
        return gate_fault(&f);
    g->open = true;
    return CKR_OK;
}

void grant_undo(struct world *w, struct grant *g, const char *function, CK_RV why)
{
    char reason[96];
    struct fault ignored = {0}; /* where it cannot be written, recovery says it */

    if (!g->open)
        return;
    g->open = false;
    snprintf(reason, sizeof(reason), "%s: %s", function, rv_name(why));
    intent_roll_back(w->estate, g->intent, reason, &ignored);
}

/* What was changed or ended stays so; whatever else would come out does not. */
static bool grant_suspended(const struct world *w, const struct grant *g)
{
    const struct subject *s = g->answer.request->subject;
    const struct rule *rule = policy_rule(w->estate->policy, g->answer.request->rule);

    if (g->operation >= OP_DESTROY || g->operation == OP_MODIFY)
        return false;
    return state_suspended(&w->estate->state, s->token, s->label) && !(rule && rule->while_suspended);
}

static enum outcome end_append(struct world *w, const struct grant *g, enum entry_type type, const json_t *body,
                               bool *ret_suspended, struct fault *f)
{
    struct estate *e = w->estate;
    enum outcome outcome = log_begin(e->log, f);

    if (outcome != OK)
        return outcome;
    *ret_suspended = grant_suspended(w, g); /* the state is as new as the lock */
    if (*ret_suspended)
        outcome = fault_set(f, E_REFUSED, "the scope was suspended meanwhile: nothing comes out");
    else
        outcome = log_append(e->log, type, e->ceremony, body, NULL, f);
    log_end(e->log);
    return outcome;
}

CK_RV grant_end(struct world *w, struct grant *g, enum entry_type type, json_t *body)
{
    struct fault f = {0};
    bool suspended = false;
    enum outcome outcome = E_MEMORY;

    if (g->answer.plain) {
        json_decref(body);
        return CKR_OK;
    }
    if (json_put_integer(body, "intent", (int64_t)g->intent) &&
        (type == ENTRY_BORN || json_put_digest(body, "request", &g->answer.request->id)))
        outcome = end_append(w, g, type, body, &suspended, &f);
    else
        fault_memory(&f);
    json_decref(body);
    if (suspended)
        grant_undo(w, g, g->answer.request->subject->function, CKR_FUNCTION_REJECTED);
    g->unknown = outcome == E_IO;
    if (outcome != OK)
        return gate_fault(&f);
    g->open = false;
    return CKR_OK;
}

json_t *grant_used(const struct grant *g, struct span result)
{
    const struct subject *s = g->answer.plain ? NULL : g->answer.request->subject;
    json_t *body = json_object(), *mechanism = NULL;
    const char *data = NULL;
    struct digest digest = {0};
    bool good = s && json_put_string(body, "function", s->function) && json_put_string(body, "label", s->label) &&
                json_put_string(body, "token", s->token);

    if (good) {
        data = json_string_or_null(json_object_get(s->json, "data"), "sha256");
        mechanism = json_object_get(s->json, "mechanism");
        good = (!data || json_put_string(body, "data", data)) &&
               (!mechanism || json_put(body, "mechanism", json_deep_copy(mechanism)));
    }
    if (good && s->operation != OP_USE)
        good = json_put_string(body, "operation", operation_name(s->operation));
    if (good && result.len)
        good = digest_one(&digest, result) && json_put_digest(body, "signature", &digest);
    if (good)
        return body;
    json_decref(body);
    return NULL;
}

void grant_clear(struct grant *g)
{
    answer_clear(&g->answer);
    lock_release(g->lock);
    *g = (struct grant){0};
}
