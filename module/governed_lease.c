#include "module/governed_inner.h"
#include "module/grant.h"
#include "module/lease.h"
#include "module/use.h"

bool rule_leases(const struct rule *rule)
{
    return rule && rule->effect == EFFECT_REQUIRE && rule->uses_at_most;
}

/* All that people granted stands as used before the first is drawn. */
static CK_RV lease_ask(struct world *w, const struct question *q, const struct lease_want *want,
                       const struct digest *subject)
{
    struct grant grant = {.lock = NULL};
    const struct rule *rule = NULL;
    struct fault f = {0};
    json_t *body = NULL;
    unsigned count = 0;
    int64_t seconds = 0;
    CK_RV rv = grant_ask(w, q, &grant);

    if (rv != CKR_OK)
        return rv;
    if (!grant.answer.plain)
        rule = policy_rule(w->estate->policy, grant.answer.request->rule);
    if (!rule || !rule->uses_at_most) {
        fault_set(&f, E_BUSY, "the policy changed during the call: call again");
        rv = gate_refuse(OP_USE, &f);
        goto out;
    }
    count = rule->uses_at_most;
    seconds = rule->uses_within;
    rv = grant_begin(w, &grant, NULL);
    if (rv != CKR_OK)
        goto out;
    body = grant_used(&grant, (struct span){NULL, 0});
    if (!json_put_integer(body, "count", count)) {
        json_decref(body);
        body = NULL;
    }
    rv = grant_end(w, &grant, ENTRY_USED, body);
    if (rv == CKR_OK && !lease_add(want, subject, gate_generation(), count, seconds)) {
        fault_set(&f, E_BUSY, "%s: this process holds too many grants of uses", q->function);
        rv = gate_refuse(OP_USE, &f);
    }
out:
    grant_clear(&grant);
    return rv;
}

CK_RV lease_use(struct world *w, const struct question *q, const struct rule *rule, const struct lease_want *want)
{
    struct digest subject;
    CK_RV rv = use_key_in_order(w, q, q->key);

    if (rv != CKR_OK)
        return rv;
    if (!gate_subject_digest(w, q, &subject))
        return CKR_HOST_MEMORY;
    if (!gate_suspended(w, q, rule) && lease_draw(want, &subject, gate_generation()))
        return CKR_OK;
    return lease_ask(w, q, want, &subject);
}

CK_RV lease_goes_on(struct world *w, const struct session_view *view, struct governed *g)
{
    struct governed_target t;
    struct fault f = {0};
    uint64_t generation = gate_generation();
    CK_RV rv;

    if (g->generation == generation)
        return CKR_OK;
    rv = governed_target(w, view, g, &t);
    if (rv == CKR_OK && !t.plain && (!rule_leases(t.rule) || gate_suspended(w, &t.question, t.rule))) {
        fault_set(&f, E_REFUSED, "%s with \"%s\" on %s: suspended, or under another rule now", t.question.function,
                  t.key->label, t.key->token);
        rv = gate_refuse(OP_USE, &f);
    }
    if (rv == CKR_OK)
        rv = use_key_in_order(w, &t.question, t.key);
    if (rv == CKR_OK)
        g->generation = generation;
    return rv;
}

struct governed *lease_again(const struct session_view *view, enum governed_kind kind, const CK_MECHANISM *mechanism,
                             CK_OBJECT_HANDLE key)
{
    struct governed *g = view->session->idle;
    CK_OBJECT_HANDLE lower = key;

    if (!g || g->key != key || g->kind != kind || g->mechanism.m.mechanism != mechanism->mechanism ||
        g->mechanism.m.ulParameterLen || mechanism->ulParameterLen)
        return NULL;
    view->session->idle = NULL; /* taken by g */
    if (object_lower(&lower, view->place) && below_init(g->below, g->own, kind, &g->mechanism.m, lower) == CKR_OK)
        return g;
    governed_free(g);
    return NULL;
}

/* Without the lock: the HSM may take its time. The operation is nobody's meanwhile. */
CK_RV lease_finish(struct world *w, const struct session_view *view, struct governed *g, const struct governed_end *end)
{
    struct session_view again;
    CK_RV rv = lease_goes_on(w, view, g);

    if (rv != CKR_OK) {
        governed_end(view->session);
        gate_close(w);
        return rv;
    }
    view->session->work = NULL; /* taken by g */
    atomic_store(&view->session->governed, GOVERNED_NONE);
    gate_close(w);
    rv = end->single ? below_once(g->below, g->own, g->kind, end) : below_final(g->below, g->own, g->kind, end);
    if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL) {
        governed_free(g); /* what it left below is not known */
        return rv;
    }
    pthread_mutex_lock(&w->lock);
    if (session_view(view->handle, &again) && again.place == view->place && !again.session->work) {
        if (comes_again(rv, end)) {
            governed_attach(again.session, g);
        } else {
            governed_idle_end(again.session);
            again.session->idle = g;
        }
        g = NULL; /* taken by the session */
    }
    pthread_mutex_unlock(&w->lock);
    governed_free(g);
    return rv;
}
