#include <stdlib.h>

#include "module/governed_inner.h"
#include "module/lease.h"
#include "module/provisional.h"

void governed_free(struct governed *g)
{
    if (!g)
        return;
    if (g->own)
        g->below->C_CloseSession(g->own);
    mechanism_copy_clear(&g->mechanism);
    buf_free(&g->data);
    buf_free(&g->associated);
    free(g);
}

void governed_end(struct session *s)
{
    struct governed *g = s->work;

    atomic_store(&s->governed, GOVERNED_NONE);
    s->work = NULL;
    governed_free(g);
}

void governed_idle_end(struct session *s)
{
    struct governed *g = s->idle;

    s->idle = NULL;
    governed_free(g);
}

void governed_moved(struct session *s, CK_FUNCTION_LIST *below)
{
    struct governed *g = s->work;

    if (s->idle)
        s->idle->own = CK_INVALID_HANDLE; /* with the HSM that it was on */
    governed_idle_end(s);
    if (!g)
        return;
    g->below = below;
    if (!g->own)
        return;
    g->own = CK_INVALID_HANDLE;
    governed_end(s);
}

void governed_attach(struct session *s, struct governed *g)
{
    s->work = g;
    atomic_store(&s->governed, (int)g->kind);
}

CK_RV governed_own(const struct world *w, const struct session_view *view, const struct governed *g,
                   CK_SESSION_HANDLE *ret)
{
    CK_OBJECT_HANDLE key = g->key;
    CK_MECHANISM mechanism = g->mechanism.m;
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_RV rv;

    if (!object_lower(&key, view->place))
        return CKR_KEY_HANDLE_INVALID;
    rv = view->below->C_OpenSession(w->tokens[view->slot].lower_slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
    if (rv != CKR_OK)
        return rv_inner(rv);
    if (g->kind < GOVERNED_ENCRYPT_MESSAGE)
        rv = below_init(view->below, session, g->kind, &mechanism, key);
    else
        rv = below_message_init(session_below_3_0(view), session, g->kind, &mechanism, key);
    if (rv == CKR_OK)
        *ret = session;
    else
        view->below->C_CloseSession(session);
    return rv;
}

CK_RV governed_target(struct world *w, const struct session_view *view, const struct governed *g,
                      struct governed_target *ret)
{
    struct governed_target t = {.key = NULL};
    CK_RV rv;

    if (!use_object(w, view, g->key, &t.facts, NULL, &t.key) || !t.key)
        return CKR_KEY_HANDLE_INVALID;
    t.question = (struct question){.operation = OP_USE,
                                   .slot = view->slot,
                                   .function = governed_function(g->kind),
                                   .mechanism = &g->mechanism.m,
                                   .label = t.key->label,
                                   .class_name = class_name(t.facts.class),
                                   .object = 1,
                                   .key = t.key};
    t.rule = gate_rule(w, &t.question, &t.plain);
    rv = provisional_judge(w, &t.question, t.rule);
    if (rv == CKR_OK)
        *ret = t;
    return rv;
}

struct governed *governed_make(const struct session_view *view, enum governed_kind kind, const CK_MECHANISM *mechanism,
                               CK_OBJECT_HANDLE key, CK_RV *ret_rv)
{
    struct governed *g = calloc(1, sizeof(*g));
    struct fault f = {0};

    *ret_rv = CKR_HOST_MEMORY;
    if (!g)
        return NULL;
    *g = (struct governed){
        .kind = kind, .below = view->below, .key = key, .data = BUF(LIMIT_ARTIFACT), .associated = BUF(LIMIT_ARTIFACT)};
    if (mechanism_copy(mechanism, &g->mechanism, &f) != OK) {
        free(g);
        refusal_set(&f);
        *ret_rv = f.outcome == E_INVALID ? CKR_MECHANISM_PARAM_INVALID : gate_fault(&f);
        return NULL;
    }
    *ret_rv = CKR_OK;
    return g;
}

/* On a lease the session of its own is kept; else it only showed that key and mechanism go together, which is the HSM's
 * to say. */
static CK_RV governed_prepare(struct world *w, const struct session_view *view, struct governed *g)
{
    struct lease_want want = {g->key, g->kind, g->mechanism.m.mechanism, g->mechanism.m.ulParameterLen != 0};
    struct governed_target t;
    CK_RV rv = g->own ? CKR_OK : governed_own(w, view, g, &g->own);

    if (rv != CKR_OK)
        return rv;
    g->generation = gate_generation();
    if (lease_draw_known(&want, g->generation))
        return CKR_OK;
    rv = governed_target(w, view, g, &t);
    if (rv != CKR_OK)
        return rv;
    if (rule_leases(t.rule)) {
        rv = lease_use(w, &t.question, t.rule, &want);
        g->generation = gate_generation();
        return rv;
    }
    view->below->C_CloseSession(g->own);
    g->own = CK_INVALID_HANDLE;
    return CKR_OK;
}

CK_RV governed_begin(CK_SESSION_HANDLE session, enum governed_kind kind, const CK_MECHANISM *mechanism,
                     CK_OBJECT_HANDLE key)
{
    struct session_view view;
    struct governed *g = NULL;
    struct world *w = NULL;
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    if (!session_view(session, &view))
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (view.session->work)
        rv = CKR_OPERATION_ACTIVE;
    else
        g = lease_again(&view, kind, mechanism, key);
    if (rv == CKR_OK && !g)
        g = governed_make(&view, kind, mechanism, key, &rv);
    if (g)
        rv = governed_prepare(w, &view, g);
    if (g && rv == CKR_OK) {
        governed_attach(view.session, g);
        g = NULL; /* taken by the session */
    }
    governed_free(g);
    gate_close(w);
    return rv;
}

/* The session's operation of that kind, with the world's lock held. */
static CK_RV governed_find(CK_SESSION_HANDLE session, enum governed_kind kind, struct session_view *ret_view,
                           struct governed **ret)
{
    if (!session_view(session, ret_view))
        return CKR_SESSION_HANDLE_INVALID;
    if (!ret_view->session->work || ret_view->session->work->kind != kind)
        return CKR_OPERATION_NOT_INITIALIZED;
    *ret = ret_view->session->work;
    return CKR_OK;
}

CK_RV governed_update(CK_SESSION_HANDLE session, enum governed_kind kind, const unsigned char *part, CK_ULONG part_len,
                      unsigned char *out, CK_ULONG *out_len)
{
    struct session_view view;
    struct governed *g = NULL;
    struct world *w = NULL;
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    rv = governed_find(session, kind, &view, &g);
    if (rv != CKR_OK)
        goto out;
    if (g->own) {
        rv = lease_goes_on(w, &view, g);
        if (rv == CKR_OK)
            rv = below_update(view.below, g->own, kind, part, part_len, out, out_len);
    } else {
        if (!out_len || out)
            buf_put(&g->data, part, part_len); /* a question for the length is no part */
        rv = g->data.failed ? CKR_DATA_LEN_RANGE : CKR_OK;
        if (rv == CKR_OK && out_len)
            *out_len = 0;
    }
    if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL)
        governed_end(view.session);
out:
    gate_close(w);
    return rv;
}

bool comes_again(CK_RV rv, const struct governed_end *end)
{
    return rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && end->out_len && !end->out);
}

CK_RV governed_finish(CK_SESSION_HANDLE session, enum governed_kind kind, const struct governed_end *end)
{
    struct session_view view;
    struct governed *g = NULL;
    struct world *w = NULL;
    bool again = false;
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    rv = governed_find(session, kind, &view, &g);
    if (rv != CKR_OK)
        goto out;
    if (g->own)
        return lease_finish(w, &view, g, end);
    rv = approved_finish(w, &view, g, end, &again);
    if (!again)
        governed_end(view.session);
out:
    gate_close(w);
    return rv;
}
