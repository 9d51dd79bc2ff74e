#include <string.h>

#include "module/creation.h"
#include "module/functions.h"
#include "module/mechanisms.h"

/* C_WrapKey: wrap of the key that leaves, use of the key that wraps. */
struct wrapping {
    struct session_view view;
    struct mechanism_copy mechanism;
    bool opaque; /* its parameter may hold pointers: cannot be approved */
    CK_OBJECT_HANDLE by, key, lower_by, lower_key;
    struct object_facts facts; /* of the key that leaves */
    struct use_grant use;
    struct grant wrap;
    bool governed; /* either needs people */
};

static struct question wrap_question(const struct world *w, const struct wrapping *g)
{
    const struct state_key *key = object_key(w, g->view.slot, &g->facts);

    return (struct question){.operation = OP_WRAP,
                             .slot = g->view.slot,
                             .function = "C_WrapKey",
                             .label = key ? key->label : g->facts.label,
                             .class_name = class_name(g->facts.class),
                             .object = g->facts.on_token,
                             .key = key};
}

/* A key that was born to leave under trusted keys alone leaves for replicas, by Quorate's own hand. */
static CK_RV wrap_trusted(struct world *w, const struct wrapping *g)
{
    const struct state_key *key = object_key(w, g->view.slot, &g->facts);
    CK_BBOOL trusted = CK_FALSE;
    CK_ATTRIBUTE a = {CKA_WRAP_WITH_TRUSTED, &trusted, sizeof(trusted)};
    struct question q = wrap_question(w, g);
    struct fault f = {0};
    CK_RV rv;

    const struct state_intent *birth = key ? state_intent(&w->estate->state, key->intent) : NULL;

    if (!birth || state_intent_plain(birth))
        return CKR_OK;
    rv = g->view.below->C_GetAttributeValue(g->view.lower, g->lower_key, &a, 1);
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || (rv == CKR_OK && a.ulValueLen == sizeof(trusted) && !trusted))
        return CKR_OK;
    if (rv != CKR_OK)
        return rv_inner(rv);
    fault_set(&f, E_REFUSED, "C_WrapKey: \"%s\" leaves its HSM for replica sites only, never for an application",
              key->label);
    gate_log_finding(w, &q, f.text);
    gate_refuse(OP_WRAP, &f);
    return CKR_KEY_NOT_WRAPPABLE;
}

/* Whether both may be, people's approval aside; asks nobody who could approve. */
static CK_RV wrap_look(struct world *w, struct wrapping *g, const CK_MECHANISM *mechanism, bool use_governed)
{
    const struct rule *rule = NULL;
    bool plain = false;

    if (!gate_object(w, &g->view, g->key, &g->facts, &g->lower_key) || g->facts.label_bad) {
        gate_log_unfit(w, g->view.slot, OP_WRAP, "C_WrapKey", STRAY_HANDLE);
        return CKR_KEY_HANDLE_INVALID;
    }
    struct question q = wrap_question(w, g);
    CK_RV rv = wrap_trusted(w, g);
    if (rv != CKR_OK)
        return rv;
    rule = gate_rule(w, &q, &plain);
    g->governed = use_governed || !plain;
    if (!plain && (!rule || rule->effect != EFFECT_REQUIRE)) {
        q.mechanism = mechanism;
        return gate_ask(w, &q, NULL);
    }
    return CKR_OK;
}

/* Each request names the other key. */
static CK_RV wrap_ask(struct world *w, struct wrapping *g)
{
    json_t *by = NULL, *key = NULL;
    struct fault f = {0};
    CK_RV use, wrap;

    if (g->opaque)
        fault_set(&f, E_REFUSED, "C_WrapKey: a mechanism with this parameter is not carried out under approvals");
    if (f.outcome != OK || other_key_json(w, &g->view, g->by, &by, &f) != OK ||
        other_key_json(w, &g->view, g->key, &key, &f) != OK) {
        json_decref(by);
        return gate_refuse(OP_WRAP, &f);
    }
    use = use_ask(w, &g->view, g->by,
                  &(struct use_asked){.function = "C_WrapKey", .mechanism = &g->mechanism.m, .with = key}, &g->use);
    struct question q = wrap_question(w, g);
    q.mechanism = &g->mechanism.m;
    q.with = by;
    wrap = use == CKR_OK || use == CKR_FUNCTION_REJECTED ? grant_ask(w, &q, &g->wrap) : CKR_OK;
    json_decref(by);
    json_decref(key);
    return use != CKR_OK ? use : wrap;
}

static CK_RV wrap_below(struct wrapping *g, CK_BYTE *out, CK_ULONG *len)
{
    return g->view.below->C_WrapKey(g->view.lower, &g->mechanism.m, g->lower_by, g->lower_key, out, len);
}

/* Both intents, the HSM, both entries, and only then the application. */
static CK_RV wrap_carry(struct world *w, struct wrapping *g, CK_BYTE *out, CK_ULONG *len, CK_ULONG need)
{
    struct buf blob = BUF(need);
    CK_RV rv = grant_begin(w, &g->use.grant, NULL);

    buf_zeros(&blob, need);
    if (rv == CKR_OK)
        rv = grant_begin(w, &g->wrap, NULL);
    if (rv == CKR_OK)
        rv = blob.failed ? CKR_HOST_MEMORY : wrap_below(g, blob.data, &need);
    if (rv == CKR_OK)
        rv = grant_end(w, &g->use.grant, ENTRY_USED, grant_used(&g->use.grant, (struct span){NULL, 0}));
    if (rv == CKR_OK)
        rv = grant_end(w, &g->wrap, ENTRY_USED, grant_used(&g->wrap, span_of(blob.data, need)));
    if (rv == CKR_OK) {
        memcpy(out, blob.data, need);
        *len = need;
    }
    grant_undo(w, &g->use.grant, "C_WrapKey", rv);
    grant_undo(w, &g->wrap, "C_WrapKey", rv);
    buf_free(&blob);
    return rv;
}

/* A question for the length makes no request. */
static CK_RV wrap_governed(struct world *w, struct wrapping *g, CK_BYTE *out, CK_ULONG *len)
{
    CK_ULONG need = 0;
    CK_RV rv = wrap_below(g, NULL, &need);

    if (rv != CKR_OK)
        return rv;
    if (!out || *len < need) {
        *len = need;
        return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    }
    g->use.grant.answer.plain = g->wrap.answer.plain = true;
    rv = wrap_ask(w, g);
    return rv == CKR_OK ? wrap_carry(w, g, out, len, need) : rv;
}

static CK_RV wrap_run(struct wrapping *g, const CK_MECHANISM *mechanism, CK_BYTE *out, CK_ULONG *len)
{
    enum use_way way = USE_WAY_GOVERNED;
    struct world *w = NULL;
    CK_RV rv = use_judge(&g->view, g->by, "C_WrapKey", mechanism, true, &g->lower_by, &way);

    if (rv == CKR_KEY_HANDLE_INVALID)
        return CKR_WRAPPING_KEY_HANDLE_INVALID;
    if (rv == CKR_OK)
        rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = wrap_look(w, g, mechanism, way == USE_WAY_GOVERNED);
    if (rv == CKR_OK && g->governed)
        rv = wrap_governed(w, g, out, len);
    else if (rv == CKR_OK)
        rv = wrap_below(g, out, len);
    grant_clear(&g->use.grant);
    grant_clear(&g->wrap);
    gate_close(w);
    return rv;
}

CK_RV our_C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping,
                    CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_len)
{
    struct wrapping g = {.by = wrapping, .key = key};
    CK_MECHANISM once; /* what is checked is what goes down */
    struct fault f = {0};
    enum outcome outcome;
    CK_RV rv;

    if (!session_view(session, &g.view))
        return session_unknown();
    if (!mechanism || !wrapped_len)
        return CKR_ARGUMENTS_BAD;
    once = *mechanism;
    if (mechanism_carries_handles(&once))
        return gate_unfit(g.view.slot, OP_WRAP, "C_WrapKey", STRAY_MECHANISM, CKR_MECHANISM_INVALID);
    outcome = mechanism_copy(&once, &g.mechanism, &f);
    g.opaque = outcome == E_REFUSED;
    if (g.opaque)
        g.mechanism.m = once; /* goes down where both keys are plainly allowed */
    if (outcome == OK || g.opaque)
        rv = wrap_run(&g, &once, wrapped, wrapped_len);
    else
        rv = outcome == E_INVALID ? CKR_MECHANISM_PARAM_INVALID : CKR_HOST_MEMORY;
    mechanism_copy_clear(&g.mechanism);
    return rv;
}
