#include <string.h>

#include "module/functions.h"
#include "module/made.h"
#include "module/mechanisms.h"
#include "module/use.h"

/* What brings objects into being other than by generation: C_CreateObject, C_CopyObject, C_UnwrapKey, C_DeriveKey. The
 * templates are read once; what was judged is what goes down. */

/* A template, what it says, and the question about it. */
static CK_RV creation_read(const CK_ATTRIBUTE *items, CK_ULONG count, struct template *ret, struct asked *ret_asked)
{
    struct fault f = {0};

    if (template_snapshot(items, count, ret, &f) != OK ||
        asked_read(ret, CK_UNAVAILABLE_INFORMATION, ret_asked, &f) != OK)
        return gate_fault(&f);
    return CKR_OK;
}

static CK_RV create(struct world *w, const struct session_view *view, const struct template *t,
                    const struct asked *asked, CK_OBJECT_HANDLE *ret)
{
    struct question q = asked_question(OP_IMPORT, "C_CreateObject", view->slot, NULL, asked);
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    CK_RV rv = gate_ask(w, &q, NULL);

    if (rv == CKR_OK)
        rv = view->below->C_CreateObject(view->lower, t->items, t->count, &lower);
    return rv == CKR_OK ? made_show(w, view, lower, CK_INVALID_HANDLE, "C_CreateObject", ret) : rv;
}

CK_RV our_C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR items, CK_ULONG count, CK_OBJECT_HANDLE_PTR object)
{
    struct session_view view;
    struct template t = {0};
    struct asked asked;
    struct world *w = NULL;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!items || !object)
        return CKR_ARGUMENTS_BAD;
    rv = creation_read(items, count, &t, &asked);
    if (rv == CKR_OK)
        rv = gate_open(&w);
    if (rv == CKR_OK) {
        rv = create(w, &view, &t, &asked, object);
        gate_close(w);
    }
    template_clear(&t);
    return rv;
}

/* A copy must be allowed as what it is copied from, and, where it gets another label or goes to the token, as what it
 * becomes. */
static CK_RV copy(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE object, const struct template *t,
                  CK_OBJECT_HANDLE *ret)
{
    CK_OBJECT_HANDLE lower = object, made = CK_INVALID_HANDLE;
    struct object_facts from, to;
    struct asked asked;
    struct fault f = {0};
    CK_RV rv;

    if (!object_look(object, view->slot, &from) || !object_lower(&lower, view->slot))
        return CKR_OBJECT_HANDLE_INVALID;
    if (asked_read(t, from.class, &asked, &f) != OK)
        return gate_fault(&f);
    to = from;
    to.on_token = template_bool(t, CKA_TOKEN, from.on_token);
    if (template_find(t, CKA_LABEL))
        memcpy(to.label, asked.label, sizeof(to.label));
    rv = gate_ask_object(w, OP_COPY, "C_CopyObject", view->slot, &from);
    if (rv == CKR_OK && (to.on_token != from.on_token || strcmp(to.label, from.label) != 0)) {
        to.id[0] = '\0'; /* what it becomes is no key of the log yet */
        rv = gate_ask_object(w, OP_COPY, "C_CopyObject", view->slot, &to);
    }
    if (rv == CKR_OK)
        rv = view->below->C_CopyObject(view->lower, lower, t->items, t->count, &made);
    return rv == CKR_OK ? made_show(w, view, made, CK_INVALID_HANDLE, "C_CopyObject", ret) : rv;
}

CK_RV our_C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                       CK_OBJECT_HANDLE_PTR copied)
{
    struct session_view view;
    struct template t = {0};
    struct world *w = NULL;
    struct fault f = {0};
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!copied || (count && !items))
        return CKR_ARGUMENTS_BAD;
    rv = template_snapshot(items, count, &t, &f) == OK ? gate_open(&w) : gate_fault(&f);
    if (rv == CKR_OK) {
        rv = copy(w, &view, object, &t, copied);
        gate_close(w);
    }
    template_clear(&t);
    return rv;
}

/* Two keys are two operations: the key that unwraps is used, the one that comes out is imported. */
static CK_RV unwrap(struct world *w, const struct session_view *view, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
                    const struct span wrapped, const struct template *t, const struct asked *asked,
                    CK_OBJECT_HANDLE *ret)
{
    struct question q = asked_question(OP_IMPORT, "C_UnwrapKey", view->slot, mechanism, asked);
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE, made = CK_INVALID_HANDLE;
    CK_RV rv = use_judge_locked(w, view, with, "C_UnwrapKey", mechanism, &lower);

    if (rv == CKR_KEY_HANDLE_INVALID)
        return CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    if (rv == CKR_OK)
        rv = gate_ask(w, &q, NULL);
    if (rv == CKR_OK)
        rv = view->below->C_UnwrapKey(view->lower, mechanism, lower, (CK_BYTE_PTR)(uintptr_t)wrapped.data, wrapped.len,
                                      t->items, t->count, &made);
    return rv == CKR_OK ? made_show(w, view, made, CK_INVALID_HANDLE, "C_UnwrapKey", ret) : rv;
}

CK_RV our_C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping,
                      CK_BYTE_PTR wrapped, CK_ULONG wrapped_len, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                      CK_OBJECT_HANDLE_PTR key)
{
    struct session_view view;
    struct template t = {0};
    struct asked asked;
    struct world *w = NULL;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!mechanism || !wrapped || !key || (count && !items))
        return CKR_ARGUMENTS_BAD;
    if (mechanism_carries_handles(mechanism->mechanism))
        return CKR_MECHANISM_INVALID;
    rv = creation_read(items, count, &t, &asked);
    if (rv == CKR_OK)
        rv = gate_open(&w);
    if (rv == CKR_OK) {
        rv = unwrap(w, &view, mechanism, unwrapping, span_of(wrapped, wrapped_len), &t, &asked, key);
        gate_close(w);
    }
    template_clear(&t);
    return rv;
}

/* The base key is used, and the new one is derived. */
static CK_RV derive(struct world *w, const struct session_view *view, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                    const struct template *t, const struct asked *asked, CK_OBJECT_HANDLE *ret)
{
    struct question q = asked_question(OP_DERIVE, "C_DeriveKey", view->slot, mechanism, asked);
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE, made = CK_INVALID_HANDLE;
    CK_RV rv = use_judge_locked(w, view, base, "C_DeriveKey", mechanism, &lower);

    if (rv == CKR_OK)
        rv = gate_ask(w, &q, NULL);
    if (rv == CKR_OK)
        rv = view->below->C_DeriveKey(view->lower, mechanism, lower, t->items, t->count, &made);
    return rv == CKR_OK ? made_show(w, view, made, CK_INVALID_HANDLE, "C_DeriveKey", ret) : rv;
}

CK_RV our_C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base,
                      CK_ATTRIBUTE_PTR items, CK_ULONG count, CK_OBJECT_HANDLE_PTR key)
{
    struct session_view view;
    CK_MECHANISM derivation;
    struct template t = {0};
    struct asked asked;
    struct world *w = NULL;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!mechanism || !key || (count && !items))
        return CKR_ARGUMENTS_BAD;
    derivation = *mechanism; /* read once: what is checked is what goes down */
    if (!mechanism_derives(derivation.mechanism))
        return CKR_MECHANISM_INVALID;
    rv = creation_read(items, count, &t, &asked);
    if (asked.class == CK_UNAVAILABLE_INFORMATION)
        asked.class = CKO_SECRET_KEY;
    if (rv == CKR_OK)
        rv = gate_open(&w);
    if (rv == CKR_OK) {
        rv = derive(w, &view, &derivation, base, &t, &asked, key);
        gate_close(w);
    }
    template_clear(&t);
    return rv;
}
