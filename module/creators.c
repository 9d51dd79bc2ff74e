#include <string.h>

#include "module/functions.h"
#include "module/made.h"
#include "module/mechanisms.h"
#include "module/use.h"

/* What brings objects into being other than by generation: C_CreateObject, C_CopyObject, C_UnwrapKey, C_DeriveKey. The
 * templates are read once; what was judged is what goes down. */

/* A template and what it says. */
static CK_RV creation_read(const CK_ATTRIBUTE *items, CK_ULONG count, CK_OBJECT_CLASS class_otherwise,
                           struct template *ret, struct asked *ret_asked)
{
    struct fault f = {0};

    if (template_snapshot(items, count, ret, &f) != OK || asked_read(ret, class_otherwise, ret_asked, &f) != OK)
        return gate_fault(&f);
    return CKR_OK;
}

/* The one question that needs no key. */
static CK_RV creation_ask(const struct question *q)
{
    struct world *w = NULL;
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    rv = gate_ask(w, q, NULL);
    gate_close(w);
    return rv;
}

CK_RV our_C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR items, CK_ULONG count, CK_OBJECT_HANDLE_PTR object)
{
    struct session_view view;
    struct template t = {0};
    struct asked asked;
    struct question q;
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!items || !object)
        return CKR_ARGUMENTS_BAD;
    rv = creation_read(items, count, CK_UNAVAILABLE_INFORMATION, &t, &asked);
    if (rv == CKR_OK) {
        q = asked_question(OP_IMPORT, "C_CreateObject", view.slot, NULL, &asked);
        rv = creation_ask(&q);
    }
    if (rv == CKR_OK)
        rv = view.below->C_CreateObject(view.lower, t.items, t.count, &lower);
    if (rv == CKR_OK)
        rv = made_show(&view, lower, CK_INVALID_HANDLE, "C_CreateObject", object);
    template_clear(&t);
    return rv;
}

/* A copy must be allowed as what it is copied from, and, where it gets another label or goes to the token, as what it
 * becomes. */
static CK_RV copy_ask(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE object,
                      const struct template *t, CK_OBJECT_HANDLE *ret_lower)
{
    struct object_facts from, to;
    struct asked asked;
    struct fault f = {0};
    CK_RV rv;

    if (!gate_object(w, view, object, &from, ret_lower))
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
    return rv;
}

CK_RV our_C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                       CK_OBJECT_HANDLE_PTR copied)
{
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE, made = CK_INVALID_HANDLE;
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
        rv = copy_ask(w, &view, object, &t, &lower);
        gate_close(w);
    }
    if (rv == CKR_OK)
        rv = view.below->C_CopyObject(view.lower, lower, t.items, t.count, &made);
    if (rv == CKR_OK)
        rv = made_show(&view, made, CK_INVALID_HANDLE, "C_CopyObject", copied);
    template_clear(&t);
    return rv;
}

/* Two keys are two operations: the one that unwraps or derives is used, the one that comes out is imported or derived. */
static CK_RV two_ask(const struct session_view *view, CK_OBJECT_HANDLE key, const struct question *q,
                     CK_OBJECT_HANDLE *ret_lower)
{
    struct world *w = NULL;
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    rv = use_judge_locked(w, view, key, q->function, q->mechanism, ret_lower);
    if (rv == CKR_OK)
        rv = gate_ask(w, q, NULL);
    gate_close(w);
    return rv;
}

CK_RV our_C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping,
                      CK_BYTE_PTR wrapped, CK_ULONG wrapped_len, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                      CK_OBJECT_HANDLE_PTR key)
{
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE, made = CK_INVALID_HANDLE;
    CK_MECHANISM unwrap;
    struct session_view view;
    struct template t = {0};
    struct asked asked;
    struct question q;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!mechanism || !wrapped || !key || (count && !items))
        return CKR_ARGUMENTS_BAD;
    unwrap = *mechanism; /* read once: what is checked is what goes down */
    if (mechanism_carries_handles(unwrap.mechanism))
        return CKR_MECHANISM_INVALID;
    rv = creation_read(items, count, CK_UNAVAILABLE_INFORMATION, &t, &asked);
    if (rv == CKR_OK) {
        q = asked_question(OP_IMPORT, "C_UnwrapKey", view.slot, &unwrap, &asked);
        rv = two_ask(&view, unwrapping, &q, &lower);
    }
    if (rv == CKR_KEY_HANDLE_INVALID)
        rv = CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    if (rv == CKR_OK)
        rv = view.below->C_UnwrapKey(view.lower, &unwrap, lower, wrapped, wrapped_len, t.items, t.count, &made);
    if (rv == CKR_OK)
        rv = made_show(&view, made, CK_INVALID_HANDLE, "C_UnwrapKey", key);
    template_clear(&t);
    return rv;
}

CK_RV our_C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base,
                      CK_ATTRIBUTE_PTR items, CK_ULONG count, CK_OBJECT_HANDLE_PTR key)
{
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE, made = CK_INVALID_HANDLE;
    CK_MECHANISM derivation;
    struct session_view view;
    struct template t = {0};
    struct asked asked;
    struct question q;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!mechanism || !key || (count && !items))
        return CKR_ARGUMENTS_BAD;
    derivation = *mechanism; /* read once: what is checked is what goes down */
    if (!mechanism_derives(derivation.mechanism))
        return CKR_MECHANISM_INVALID;
    rv = creation_read(items, count, CKO_SECRET_KEY, &t, &asked);
    if (rv == CKR_OK) {
        q = asked_question(OP_DERIVE, "C_DeriveKey", view.slot, &derivation, &asked);
        rv = two_ask(&view, base, &q, &lower);
    }
    if (rv == CKR_OK)
        rv = view.below->C_DeriveKey(view.lower, &derivation, lower, t.items, t.count, &made);
    if (rv == CKR_OK)
        rv = made_show(&view, made, CK_INVALID_HANDLE, "C_DeriveKey", key);
    template_clear(&t);
    return rv;
}
