#include "module/use.h"

#include "estate/evidence.h"
#include "module/lease.h"
#include "module/mechanisms.h"
#include "module/provisional.h"

CK_RV use_key_in_order(const struct world *w, const struct question *q, const struct state_key *key)
{
    const struct estate *e = w->estate;
    struct subject subject = {.operation = OP_USE, .token = key->token, .label = key->label};
    struct evidence_base base = {0};
    struct buf text = BUF(sizeof(((struct fault *)0)->text));
    struct fault f = {0};
    const char *code = NULL;
    CK_RV rv = CKR_OK;

    if (evidence_gather(&e->state, e->policy, &subject, &base, &f) != OK) {
        rv = gate_fault(&f);
        goto out;
    }
    struct key_fact fact = {.born = key->born, .sites = &key->sites};
    struct evidence evidence = {
        .at = log_time(e->log), .sites = base.sites, .site_count = base.site_count, .key = &fact};
    if (!policy_key_in_order(e->policy, key->token, key->label, key->class_name, &evidence, &code, &text)) {
        fault_set(&f, E_REFUSED, "%s with \"%s\" on %s: %s", q->function, key->label, key->token, buf_str(&text));
        rv = gate_refuse(OP_USE, &f);
    }
out:
    evidence_clear(&base);
    buf_free(&text);
    return rv;
}

/* One judgement, with the world's lock held. */
static CK_RV use_decide(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE handle, const char *function,
                        const CK_MECHANISM *mechanism, bool governable, enum use_way *ret_way)
{
    const struct state_key *key = NULL;
    const struct rule *rule = NULL;
    struct object_facts facts;
    struct fault f = {0};
    bool plain = false;
    CK_RV rv;

    if (!use_object(w, view, handle, &facts, NULL, &key)) {
        gate_log_unfit(w, view->slot, OP_USE, function, STRAY_HANDLE);
        return CKR_KEY_HANDLE_INVALID;
    }
    *ret_way = USE_WAY_PLAIN;
    if (!object_is_secret(&facts))
        return CKR_OK;
    if (facts.label_bad) {
        fault_set(&f, E_REFUSED, "%s: the key's label is too long or holds a NUL, so no rule can name it", function);
        return gate_refuse(OP_USE, &f);
    }
    struct question q = {.operation = OP_USE,
                         .slot = view->slot,
                         .function = function,
                         .mechanism = mechanism,
                         .label = key ? key->label : facts.label,
                         .class_name = class_name(facts.class),
                         .object = facts.on_token,
                         .key = key};
    rule = gate_rule(w, &q, &plain);
    rv = provisional_judge(w, &q, rule);
    if (rv != CKR_OK)
        return rv;
    if (plain)
        return key ? use_key_in_order(w, &q, key) : CKR_OK;
    if (governable && key && rule && rule->effect == EFFECT_REQUIRE) {
        *ret_way = USE_WAY_GOVERNED;
        return CKR_OK;
    }
    if (rule && rule->effect == EFFECT_REQUIRE) { /* nobody is asked in vain */
        fault_set(&f, E_REFUSED,
                  "%s under rule \"%s\": %s is not carried out under approvals; the rule must allow or deny it",
                  function, rule->id, key ? "this function" : "a use of a session's own key");
        gate_log_finding(w, &q, f.text);
        return gate_refuse(OP_USE, &f);
    }
    return gate_ask(w, &q, NULL);
}

CK_RV use_judge(const struct session_view *view, CK_OBJECT_HANDLE key, const char *function,
                const CK_MECHANISM *mechanism, bool governable, CK_OBJECT_HANDLE *ret_lower, enum use_way *ret_way)
{
    uint64_t generation = gate_generation();
    enum object_use known = USE_UNKNOWN;
    struct world *w = NULL;
    CK_RV rv;

    *ret_lower = key;
    if (mechanism && mechanism_carries_handles(mechanism))
        return gate_unfit(view->slot, OP_USE, function, STRAY_MECHANISM, CKR_MECHANISM_INVALID);
    if (!object_lower(ret_lower, view->place))
        return gate_unfit(view->slot, OP_USE, function, STRAY_HANDLE, CKR_KEY_HANDLE_INVALID);
    known = gate_fresh() ? object_use_known(key, generation) : USE_UNKNOWN;
    if (known == USE_FREE || (known == USE_GOVERNED && governable)) {
        *ret_way = known == USE_FREE ? USE_WAY_PLAIN : USE_WAY_GOVERNED;
        return CKR_OK;
    }
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    known = object_use_known(key, gate_generation()); /* it looked, and nothing has changed */
    if (known == USE_FREE || (known == USE_GOVERNED && governable))
        *ret_way = known == USE_FREE ? USE_WAY_PLAIN : USE_WAY_GOVERNED;
    else
        rv = use_decide(w, view, key, function, mechanism, governable, ret_way);
    if (rv == CKR_OK)
        object_judged(key, gate_generation(), *ret_way == USE_WAY_PLAIN ? USE_FREE : USE_GOVERNED);
    gate_close(w);
    return rv;
}

CK_RV use_ask(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE handle, const struct use_asked *asked,
              struct use_grant *ret)
{
    struct use_grant u = {.grant = {.operation = OP_USE, .answer = {.plain = true}}};
    struct lease_want want = {handle, GOVERNED_NONE, asked->mechanism ? asked->mechanism->mechanism : 0, true};
    enum use_way way = USE_WAY_GOVERNED;
    const struct rule *rule = NULL;
    struct object_facts facts;
    bool plain = false;
    CK_RV rv = use_decide(w, view, handle, asked->function, asked->mechanism, true, &way);

    if (rv == CKR_OK && !gate_object(w, view, handle, &facts, &u.lower))
        rv = CKR_KEY_HANDLE_INVALID;
    if (rv != CKR_OK)
        return rv;
    if (way == USE_WAY_GOVERNED) {
        const struct state_key *key = object_key(w, view->slot, &facts);

        if (!key)
            return CKR_KEY_HANDLE_INVALID;
        struct question q = {.operation = OP_USE,
                             .slot = view->slot,
                             .function = asked->function,
                             .mechanism = asked->mechanism,
                             .label = key->label,
                             .class_name = class_name(facts.class),
                             .object = 1,
                             .key = key};
        rule = gate_rule(w, &q, &plain);
        if (rule_leases(rule))
            rv = lease_use(w, &q, rule, &want);
        else {
            q.data = asked->data;
            q.with = asked->with;
            rv = grant_ask(w, &q, &u.grant);
        }
    }
    if (rv == CKR_OK)
        *ret = u;
    return rv;
}
