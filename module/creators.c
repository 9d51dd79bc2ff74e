#include "module/creation.h"
#include "module/functions.h"
#include "module/mechanisms.h"

/* What brings objects into being other than by generation. Templates and mechanisms are read once; what was judged is
 * what goes down. */

static CK_RV make_create(const struct creation *c, CK_OBJECT_HANDLE base, CK_OBJECT_HANDLE *ret)
{
    (void)base;
    return c->view.below->C_CreateObject(c->view.lower, c->template.items, c->template.count, ret);
}

static CK_RV make_copy(const struct creation *c, CK_OBJECT_HANDLE base, CK_OBJECT_HANDLE *ret)
{
    return c->view.below->C_CopyObject(c->view.lower, base, c->template.items, c->template.count, ret);
}

static CK_RV make_unwrap(const struct creation *c, CK_OBJECT_HANDLE base, CK_OBJECT_HANDLE *ret)
{
    CK_MECHANISM m = *c->mechanism;

    /* PKCS#11 2.40 has no const; nobody writes through it. */
    return c->view.below->C_UnwrapKey(c->view.lower, &m, base, (CK_BYTE_PTR)(uintptr_t)c->wrapped.data, c->wrapped.len,
                                      c->template.items, c->template.count, ret);
}

static CK_RV make_derive(const struct creation *c, CK_OBJECT_HANDLE base, CK_OBJECT_HANDLE *ret)
{
    CK_MECHANISM m = *c->mechanism;

    return c->view.below->C_DeriveKey(c->view.lower, &m, base, c->template.items, c->template.count, ret);
}

/* What the caller gave, read once; then the questions and the act. mechanism: NULL where the function has none. */
static CK_RV create(struct creation *c, const CK_MECHANISM *mechanism, const CK_ATTRIBUTE *items, CK_ULONG count,
                    CK_OBJECT_CLASS class_otherwise, CK_OBJECT_HANDLE *ret)
{
    struct mechanism_copy copy = {.parameter = NULL};
    struct fault f = {0};
    enum outcome outcome = OK;
    CK_RV rv;

    if (mechanism) {
        outcome = mechanism_copy(mechanism, &copy, &f);
        c->opaque = outcome == E_REFUSED;
        if (outcome == E_INVALID)
            return CKR_MECHANISM_PARAM_INVALID;
        if (outcome == E_MEMORY)
            return CKR_HOST_MEMORY;
        c->mechanism = c->opaque ? mechanism : &copy.m;
    }
    f = (struct fault){0};
    if (template_snapshot(items, count, &c->template, &f) != OK ||
        asked_read(&c->template, class_otherwise, &c->asked, &f) != OK)
        rv = gate_unfit(c->view.slot, c->operation, c->function, f.text, gate_fault(&f));
    else
        rv = creation_run(c, ret);
    template_clear(&c->template);
    mechanism_copy_clear(&copy);
    c->mechanism = NULL;
    return rv;
}

CK_RV our_C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR items, CK_ULONG count, CK_OBJECT_HANDLE_PTR object)
{
    struct creation c = {.operation = OP_IMPORT, .function = "C_CreateObject", .make = make_create};

    if (!session_view(session, &c.view))
        return session_unknown();
    if (!items || !object)
        return CKR_ARGUMENTS_BAD;
    return create(&c, NULL, items, count, CK_UNAVAILABLE_INFORMATION, object);
}

CK_RV our_C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                       CK_OBJECT_HANDLE_PTR copied)
{
    struct creation c = {.operation = OP_COPY, .function = "C_CopyObject", .base = object, .make = make_copy};

    if (!session_view(session, &c.view))
        return session_unknown();
    if (!copied || (count && !items))
        return CKR_ARGUMENTS_BAD;
    return create(&c, NULL, items, count, CK_UNAVAILABLE_INFORMATION, copied);
}

CK_RV our_C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping,
                      CK_BYTE_PTR wrapped, CK_ULONG wrapped_len, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                      CK_OBJECT_HANDLE_PTR key)
{
    struct creation c = {.operation = OP_IMPORT, .function = "C_UnwrapKey", .base = unwrapping, .make = make_unwrap};
    struct buf blob = BUF(LIMIT_DOCUMENT);
    CK_MECHANISM once;
    CK_RV rv;

    if (!session_view(session, &c.view))
        return session_unknown();
    if (!mechanism || !wrapped || !key || (count && !items))
        return CKR_ARGUMENTS_BAD;
    once = *mechanism;
    if (mechanism_carries_handles(&once))
        return gate_unfit(c.view.slot, c.operation, c.function, STRAY_MECHANISM, CKR_MECHANISM_INVALID);
    buf_put(&blob, wrapped, wrapped_len);
    c.wrapped = buf_span(&blob);
    rv = blob.failed ? CKR_WRAPPED_KEY_LEN_RANGE : create(&c, &once, items, count, CK_UNAVAILABLE_INFORMATION, key);
    buf_free(&blob);
    return rv;
}

CK_RV our_C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base,
                      CK_ATTRIBUTE_PTR items, CK_ULONG count, CK_OBJECT_HANDLE_PTR key)
{
    struct creation c = {.operation = OP_DERIVE, .function = "C_DeriveKey", .base = base, .make = make_derive};
    CK_MECHANISM once;

    if (!session_view(session, &c.view))
        return session_unknown();
    if (!mechanism || !key || (count && !items))
        return CKR_ARGUMENTS_BAD;
    once = *mechanism;
    if (!mechanism_derives(once.mechanism))
        return gate_unfit(c.view.slot, c.operation, c.function, STRAY_MECHANISM, CKR_MECHANISM_INVALID);
    return create(&c, &once, items, count, CKO_SECRET_KEY, key);
}
