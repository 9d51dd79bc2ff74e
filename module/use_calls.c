#include <stdint.h>

#include "module/begun.h"
#include "module/failover.h"
#include "module/functions.h"
#include "module/governed.h"
#include "module/grant.h"
#include "module/mechanisms.h"
#include "module/use.h"

/* C_SignInit, C_Encrypt and their like: judged at the beginning. What a rule plainly allows goes down as it came; what
 * needs people is carried out by governed.c. */

static CK_RV use_begin(const struct session_view *view, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                       enum governed_kind kind, CK_OBJECT_HANDLE *ret_lower, enum use_way *ret_way)
{
    CK_RV rv;

    if (governed_is(view->session, kind))
        return CKR_OPERATION_ACTIVE;
    rv = use_judge(view, key, governed_function(kind), mechanism, true, ret_lower, ret_way);
    return rv == CKR_OK && *ret_way == USE_WAY_GOVERNED ? governed_begin(view->handle, kind, mechanism, key) : rv;
}

/* Each once_C_NAME does the call; on a watched session it may be done again (module/begun.h). Public keys verify and
 * recover. */
#define USE_INIT(name, kind)                                                                                           \
    static CK_RV once_##name(const struct session_view *view, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)     \
    {                                                                                                                  \
        CK_MECHANISM once = *mechanism; /* what is judged is what goes down */                                         \
        CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;                                                                    \
        enum use_way way = USE_WAY_GOVERNED;                                                                           \
        CK_RV rv = use_begin(view, &once, key, kind, &lower, &way);                                                    \
                                                                                                                       \
        return rv == CKR_OK && way == USE_WAY_PLAIN ? view->below->name(view->lower, &once, lower) : rv;               \
    }                                                                                                                  \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)                      \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
                                                                                                                       \
        if (!session_plain(session, &view))                                                                            \
            return watched_init(session, once_##name, kind, mechanism, key);                                           \
        return mechanism ? once_##name(&view, mechanism, key) : CKR_ARGUMENTS_BAD;                                     \
    }

USE_INIT(C_SignInit, GOVERNED_SIGN)
USE_INIT(C_SignRecoverInit, GOVERNED_RECOVER)
USE_INIT(C_VerifyInit, GOVERNED_VERIFY)
USE_INIT(C_EncryptInit, GOVERNED_ENCRYPT)
USE_INIT(C_DecryptInit, GOVERNED_DECRYPT)

/* Only public keys recover. */
static CK_RV once_C_VerifyRecoverInit(const struct session_view *view, const CK_MECHANISM *mechanism,
                                      CK_OBJECT_HANDLE key)
{
    CK_MECHANISM once = *mechanism;
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    enum use_way way = USE_WAY_GOVERNED;
    CK_RV rv = use_judge(view, key, "C_VerifyRecover", &once, false, &lower, &way);

    return rv == CKR_OK ? view->below->C_VerifyRecoverInit(view->lower, &once, lower) : rv;
}

CK_RV our_C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    struct session_view view;

    if (!session_plain(session, &view))
        return watched_init(session, once_C_VerifyRecoverInit, GOVERNED_NONE, mechanism, key);
    return mechanism ? once_C_VerifyRecoverInit(&view, mechanism, key) : CKR_ARGUMENTS_BAD;
}

/* What goes on with an operation. PKCS#11 2.40 has no const; nobody writes through what goes in. */
static CK_BYTE_PTR in(const unsigned char *bytes)
{
    return (CK_BYTE_PTR)(uintptr_t)bytes;
}
#define USE_STEP(session, name, init, kind, what, ends)                                                                \
    struct session_view view;                                                                                          \
                                                                                                                       \
    if (!session_plain(session, &view))                                                                                \
        return watched_step(session, once_##name, once_##init, kind, &what, ends);                                     \
    return once_##name(&view, &what)

/* C_Sign, C_SignRecover, C_Encrypt, C_Decrypt. */
#define USE_ONCE(name, kind, from, to)                                                                                 \
    static CK_RV once_##name(const struct session_view *view, const struct governed_end *what)                         \
    {                                                                                                                  \
        if (!governed_is(view->session, kind))                                                                         \
            return view->below->name(view->lower, in(what->data), what->data_len, what->out, what->out_len);           \
        return (!what->data && what->data_len) || !what->out_len ? CKR_ARGUMENTS_BAD                                   \
                                                                 : governed_finish(view->handle, kind, what);          \
    }                                                                                                                  \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR from, CK_ULONG from##_len, CK_BYTE_PTR to,                 \
                     CK_ULONG_PTR to##_len)                                                                            \
    {                                                                                                                  \
        struct governed_end what = {from, from##_len, NULL, 0, to, to##_len, true};                                    \
                                                                                                                       \
        USE_STEP(session, name, name##Init, kind, what, true);                                                         \
    }

USE_ONCE(C_Sign, GOVERNED_SIGN, data, signature)
USE_ONCE(C_SignRecover, GOVERNED_RECOVER, data, signature)
USE_ONCE(C_Encrypt, GOVERNED_ENCRYPT, data, encrypted)
USE_ONCE(C_Decrypt, GOVERNED_DECRYPT, encrypted, data)

/* C_SignUpdate, C_VerifyUpdate. */
#define USE_FEED(name, init, kind)                                                                                     \
    static CK_RV once_##name(const struct session_view *view, const struct governed_end *what)                         \
    {                                                                                                                  \
        if (!governed_is(view->session, kind))                                                                         \
            return view->below->name(view->lower, in(what->data), what->data_len);                                     \
        return !what->data && what->data_len                                                                           \
                   ? CKR_ARGUMENTS_BAD                                                                                 \
                   : governed_update(view->handle, kind, what->data, what->data_len, NULL, NULL);                      \
    }                                                                                                                  \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_len)                                   \
    {                                                                                                                  \
        struct governed_end what = {.data = part, .data_len = part_len};                                               \
                                                                                                                       \
        USE_STEP(session, name, init, kind, what, false);                                                              \
    }

USE_FEED(C_SignUpdate, C_SignInit, GOVERNED_SIGN)
USE_FEED(C_VerifyUpdate, C_VerifyInit, GOVERNED_VERIFY)

/* C_EncryptUpdate, C_DecryptUpdate. */
#define USE_THROUGH(name, init, kind, from, to)                                                                        \
    static CK_RV once_##name(const struct session_view *view, const struct governed_end *what)                         \
    {                                                                                                                  \
        if (!governed_is(view->session, kind))                                                                         \
            return view->below->name(view->lower, in(what->data), what->data_len, what->out, what->out_len);           \
        return (!what->data && what->data_len) || !what->out_len                                                       \
                   ? CKR_ARGUMENTS_BAD                                                                                 \
                   : governed_update(view->handle, kind, what->data, what->data_len, what->out, what->out_len);        \
    }                                                                                                                  \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR from, CK_ULONG from##_len, CK_BYTE_PTR to,                 \
                     CK_ULONG_PTR to##_len)                                                                            \
    {                                                                                                                  \
        struct governed_end what = {.data = from, .data_len = from##_len, .out = to, .out_len = to##_len};             \
                                                                                                                       \
        USE_STEP(session, name, init, kind, what, false);                                                              \
    }

USE_THROUGH(C_EncryptUpdate, C_EncryptInit, GOVERNED_ENCRYPT, part, encrypted)
USE_THROUGH(C_DecryptUpdate, C_DecryptInit, GOVERNED_DECRYPT, encrypted, part)

/* C_SignFinal, C_EncryptFinal, C_DecryptFinal. */
#define USE_FINAL(name, init, kind)                                                                                    \
    static CK_RV once_##name(const struct session_view *view, const struct governed_end *what)                         \
    {                                                                                                                  \
        if (!governed_is(view->session, kind))                                                                         \
            return view->below->name(view->lower, what->out, what->out_len);                                           \
        return !what->out_len ? CKR_ARGUMENTS_BAD : governed_finish(view->handle, kind, what);                         \
    }                                                                                                                  \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_len)                                 \
    {                                                                                                                  \
        struct governed_end what = {.out = out, .out_len = out_len};                                                   \
                                                                                                                       \
        USE_STEP(session, name, init, kind, what, true);                                                               \
    }

USE_FINAL(C_SignFinal, C_SignInit, GOVERNED_SIGN)
USE_FINAL(C_EncryptFinal, C_EncryptInit, GOVERNED_ENCRYPT)
USE_FINAL(C_DecryptFinal, C_DecryptInit, GOVERNED_DECRYPT)

static CK_RV once_C_Verify(const struct session_view *view, const struct governed_end *what)
{
    if (!governed_is(view->session, GOVERNED_VERIFY))
        return view->below->C_Verify(view->lower, in(what->data), what->data_len, in(what->signature),
                                     what->signature_len);
    if ((!what->data && what->data_len) || !what->signature)
        return CKR_ARGUMENTS_BAD;
    return governed_finish(view->handle, GOVERNED_VERIFY, what);
}

CK_RV our_C_Verify(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
                   CK_ULONG signature_len)
{
    struct governed_end what = {
        .data = data, .data_len = data_len, .signature = signature, .signature_len = signature_len, .single = true};

    USE_STEP(session, C_Verify, C_VerifyInit, GOVERNED_VERIFY, what, true);
}

static CK_RV once_C_VerifyFinal(const struct session_view *view, const struct governed_end *what)
{
    if (!governed_is(view->session, GOVERNED_VERIFY))
        return view->below->C_VerifyFinal(view->lower, in(what->signature), what->signature_len);
    return what->signature ? governed_finish(view->handle, GOVERNED_VERIFY, what) : CKR_ARGUMENTS_BAD;
}

CK_RV our_C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_len)
{
    struct governed_end what = {.signature = signature, .signature_len = signature_len};

    USE_STEP(session, C_VerifyFinal, C_VerifyInit, GOVERNED_VERIFY, what, true);
}

static CK_RV digest_begin(const struct session_view *view, CK_MECHANISM *mechanism)
{
    CK_MECHANISM once;

    if (!mechanism)
        return view->below->C_DigestInit(view->lower, NULL);
    once = *mechanism;
    if (mechanism_carries_handles(&once))
        return gate_unfit(view->slot, OP_USE, "C_DigestInit", STRAY_MECHANISM, CKR_MECHANISM_INVALID);
    return view->below->C_DigestInit(view->lower, &once);
}

CK_RV our_C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism)
{
    struct session_view view;
    unsigned turns = 0;
    CK_RV rv;

    if (session_plain(session, &view))
        return digest_begin(&view, mechanism);
    do {
        if (!session_enter(session, &view))
            return session_unknown();
        rv = digest_begin(&view, mechanism);
        session_leave(&view);
    } while (failover_again(&view, rv, &turns));
    return rv;
}

/* The digest that the key flows into is the application's own; the approval is for the key, whatever else is digested. */
CK_RV our_C_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    struct session_view view;
    struct use_grant use = {.grant = {.lock = NULL}};
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    enum use_way way = USE_WAY_GOVERNED;
    struct world *w = NULL;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    rv = use_judge(&view, key, "C_DigestKey", NULL, true, &lower, &way);
    if (rv != CKR_OK || way == USE_WAY_PLAIN)
        return rv == CKR_OK ? view.below->C_DigestKey(view.lower, lower) : rv;
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = use_ask(w, &view, key, &(struct use_asked){.function = "C_DigestKey"}, &use);
    if (rv == CKR_OK)
        rv = grant_begin(w, &use.grant, NULL);
    if (rv == CKR_OK)
        rv = view.below->C_DigestKey(view.lower, use.lower);
    if (rv == CKR_OK)
        rv = grant_end(w, &use.grant, ENTRY_USED, grant_used(&use.grant, (struct span){NULL, 0}));
    grant_undo(w, &use.grant, "C_DigestKey", rv);
    grant_clear(&use.grant);
    gate_close(w);
    return rv;
}
