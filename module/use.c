#include "module/use.h"

#include "estate/evidence.h"
#include "module/functions.h"
#include "module/mechanisms.h"
#include "module/sign.h"

/* Lifetime and places of a born key count under every rule, also one that plainly allows. */
static CK_RV key_in_order(const struct world *w, const struct question *q, const struct state_key *key)
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

    if (!gate_object(w, view, handle, &facts, NULL))
        return CKR_KEY_HANDLE_INVALID;
    *ret_way = USE_WAY_PLAIN;
    if (!object_is_secret(&facts))
        return CKR_OK;
    if (facts.label_bad) {
        fault_set(&f, E_REFUSED, "%s: the key's label is too long or holds a NUL, so no rule can name it", function);
        return gate_refuse(OP_USE, &f);
    }
    key = object_key(w, view->slot, &facts);
    struct question q = {.operation = OP_USE,
                         .slot = view->slot,
                         .function = function,
                         .mechanism = mechanism,
                         .label = key ? key->label : facts.label,
                         .class_name = class_name(facts.class),
                         .object = facts.on_token,
                         .key = key};
    rule = gate_rule(w, &q, &plain);
    if (plain)
        return key ? key_in_order(w, &q, key) : CKR_OK;
    if (governable && key && rule && rule->effect == EFFECT_REQUIRE) {
        *ret_way = USE_WAY_GOVERNED;
        return CKR_OK;
    }
    return gate_ask(w, &q, NULL);
}

CK_RV use_judge_locked(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE key, const char *function,
                       const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE *ret_lower)
{
    enum use_way way = USE_WAY_GOVERNED;
    CK_RV rv = use_decide(w, view, key, function, mechanism, false, &way);

    *ret_lower = key;
    if (rv == CKR_OK && !object_lower(ret_lower, view->slot))
        rv = CKR_KEY_HANDLE_INVALID;
    return rv;
}

CK_RV use_judge(const struct session_view *view, CK_OBJECT_HANDLE key, const char *function,
                const CK_MECHANISM *mechanism, bool governable, CK_OBJECT_HANDLE *ret_lower, enum use_way *ret_way)
{
    uint64_t generation = gate_generation();
    struct world *w = NULL;
    CK_RV rv;

    *ret_lower = key;
    if (mechanism && mechanism_carries_handles(mechanism->mechanism))
        return CKR_MECHANISM_INVALID;
    if (!object_lower(ret_lower, view->slot))
        return CKR_KEY_HANDLE_INVALID;
    if (gate_fresh() && object_use_known(key, generation) == USE_FREE) {
        *ret_way = USE_WAY_PLAIN;
        return CKR_OK;
    }
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = use_decide(w, view, key, function, mechanism, governable, ret_way);
    if (rv == CKR_OK && *ret_way == USE_WAY_PLAIN)
        object_judged(key, gate_generation(), USE_FREE);
    gate_close(w);
    return rv;
}

/* C_EncryptInit and its like: nothing but the question, then down. */
#define USE_INIT(name, function)                                                                                       \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)                      \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
        CK_MECHANISM once; /* what is checked is what goes down */                                                     \
        CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;                                                                    \
        enum use_way way = USE_WAY_GOVERNED;                                                                           \
        CK_RV rv;                                                                                                      \
                                                                                                                       \
        if (!session_view(session, &view))                                                                             \
            return session_unknown();                                                                                  \
        if (!mechanism)                                                                                                \
            return CKR_ARGUMENTS_BAD;                                                                                  \
        once = *mechanism;                                                                                             \
        rv = use_judge(&view, key, function, &once, false, &lower, &way);                                              \
        return rv == CKR_OK ? view.below->name(view.lower, &once, lower) : rv;                                         \
    }

USE_INIT(C_EncryptInit, "C_Encrypt")
USE_INIT(C_DecryptInit, "C_Decrypt")
USE_INIT(C_SignRecoverInit, "C_SignRecover")
USE_INIT(C_VerifyInit, "C_Verify")
USE_INIT(C_VerifyRecoverInit, "C_VerifyRecover")

CK_RV our_C_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    struct session_view view;
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    enum use_way way = USE_WAY_GOVERNED;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    rv = use_judge(&view, key, "C_DigestKey", NULL, false, &lower, &way);
    return rv == CKR_OK ? view.below->C_DigestKey(view.lower, lower) : rv;
}
