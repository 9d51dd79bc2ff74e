#include "module/functions.h"
#include "module/governed.h"
#include "module/grant.h"
#include "module/mechanisms.h"
#include "module/use.h"

/* C_SignInit, C_Encrypt and their like: judged at the beginning. What a rule plainly allows goes down as it came; what
 * needs people is carried out by governed.c. */

static CK_RV use_begin(const struct session_view *view, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                       enum governed_kind kind, CK_OBJECT_HANDLE *ret_lower, enum use_way *ret_way)
{
    CK_RV rv;

    if (governed_is(view->session, kind))
        return CKR_OPERATION_ACTIVE;
    rv = use_judge(view, key, governed_function(kind), mechanism, true, ret_lower, ret_way);
    return rv == CKR_OK && *ret_way == USE_WAY_GOVERNED ? governed_begin(view->handle, kind, mechanism, key) : rv;
}

#define USE_INIT(name, kind)                                                                                           \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)                      \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
        CK_MECHANISM once; /* what is judged is what goes down */                                                      \
        CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;                                                                    \
        enum use_way way = USE_WAY_GOVERNED;                                                                           \
        CK_RV rv;                                                                                                      \
                                                                                                                       \
        if (!session_view(session, &view))                                                                             \
            return session_unknown();                                                                                  \
        if (!mechanism)                                                                                                \
            return CKR_ARGUMENTS_BAD;                                                                                  \
        once = *mechanism;                                                                                             \
        rv = use_begin(&view, &once, key, kind, &lower, &way);                                                         \
        return rv == CKR_OK && way == USE_WAY_PLAIN ? view.below->name(view.lower, &once, lower) : rv;                 \
    }

USE_INIT(C_SignInit, GOVERNED_SIGN)
USE_INIT(C_SignRecoverInit, GOVERNED_RECOVER)
USE_INIT(C_VerifyInit, GOVERNED_VERIFY)
USE_INIT(C_EncryptInit, GOVERNED_ENCRYPT)
USE_INIT(C_DecryptInit, GOVERNED_DECRYPT)

/* Only public keys recover. */
CK_RV our_C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    struct session_view view;
    CK_MECHANISM once;
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    enum use_way way = USE_WAY_GOVERNED;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!mechanism)
        return CKR_ARGUMENTS_BAD;
    once = *mechanism;
    rv = use_judge(&view, key, "C_VerifyRecover", &once, false, &lower, &way);
    return rv == CKR_OK ? view.below->C_VerifyRecoverInit(view.lower, &once, lower) : rv;
}

/* C_Sign, C_SignRecover, C_Encrypt, C_Decrypt. */
#define USE_ONCE(name, kind, data, out)                                                                                \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data##_len, CK_BYTE_PTR out,                \
                     CK_ULONG_PTR out##_len)                                                                           \
    {                                                                                                                  \
        struct governed_end end = {data, data##_len, NULL, 0, out, out##_len, true};                                   \
        struct session_view view;                                                                                      \
                                                                                                                       \
        if (!session_view(session, &view))                                                                             \
            return session_unknown();                                                                                  \
        if (!governed_is(view.session, kind))                                                                          \
            return view.below->name(view.lower, data, data##_len, out, out##_len);                                     \
        return (!data && data##_len) || !out##_len ? CKR_ARGUMENTS_BAD : governed_finish(session, kind, &end);         \
    }

USE_ONCE(C_Sign, GOVERNED_SIGN, data, signature)
USE_ONCE(C_SignRecover, GOVERNED_RECOVER, data, signature)
USE_ONCE(C_Encrypt, GOVERNED_ENCRYPT, data, encrypted)
USE_ONCE(C_Decrypt, GOVERNED_DECRYPT, encrypted, data)

/* C_SignUpdate, C_VerifyUpdate. */
#define USE_FEED(name, kind)                                                                                           \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_len)                                   \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
                                                                                                                       \
        if (!session_view(session, &view))                                                                             \
            return session_unknown();                                                                                  \
        if (!governed_is(view.session, kind))                                                                          \
            return view.below->name(view.lower, part, part_len);                                                       \
        return !part && part_len ? CKR_ARGUMENTS_BAD : governed_update(session, kind, part, part_len, NULL, NULL);     \
    }

USE_FEED(C_SignUpdate, GOVERNED_SIGN)
USE_FEED(C_VerifyUpdate, GOVERNED_VERIFY)

/* C_EncryptUpdate, C_DecryptUpdate. */
#define USE_THROUGH(name, kind, part, out)                                                                             \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part##_len, CK_BYTE_PTR out,                \
                     CK_ULONG_PTR out##_len)                                                                           \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
                                                                                                                       \
        if (!session_view(session, &view))                                                                             \
            return session_unknown();                                                                                  \
        if (!governed_is(view.session, kind))                                                                          \
            return view.below->name(view.lower, part, part##_len, out, out##_len);                                     \
        return (!part && part##_len) || !out##_len ? CKR_ARGUMENTS_BAD                                                 \
                                                   : governed_update(session, kind, part, part##_len, out, out##_len); \
    }

USE_THROUGH(C_EncryptUpdate, GOVERNED_ENCRYPT, part, encrypted)
USE_THROUGH(C_DecryptUpdate, GOVERNED_DECRYPT, encrypted, part)

/* C_SignFinal, C_EncryptFinal, C_DecryptFinal. */
#define USE_FINAL(name, kind)                                                                                          \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_len)                                 \
    {                                                                                                                  \
        struct governed_end end = {.out = out, .out_len = out_len};                                                    \
        struct session_view view;                                                                                      \
                                                                                                                       \
        if (!session_view(session, &view))                                                                             \
            return session_unknown();                                                                                  \
        if (!governed_is(view.session, kind))                                                                          \
            return view.below->name(view.lower, out, out_len);                                                         \
        return !out_len ? CKR_ARGUMENTS_BAD : governed_finish(session, kind, &end);                                    \
    }

USE_FINAL(C_SignFinal, GOVERNED_SIGN)
USE_FINAL(C_EncryptFinal, GOVERNED_ENCRYPT)
USE_FINAL(C_DecryptFinal, GOVERNED_DECRYPT)

CK_RV our_C_Verify(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
                   CK_ULONG signature_len)
{
    struct governed_end end = {
        .data = data, .data_len = data_len, .signature = signature, .signature_len = signature_len, .single = true};
    struct session_view view;

    if (!session_view(session, &view))
        return session_unknown();
    if (!governed_is(view.session, GOVERNED_VERIFY))
        return view.below->C_Verify(view.lower, data, data_len, signature, signature_len);
    if ((!data && data_len) || !signature)
        return CKR_ARGUMENTS_BAD;
    return governed_finish(session, GOVERNED_VERIFY, &end);
}

CK_RV our_C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_len)
{
    struct governed_end end = {.signature = signature, .signature_len = signature_len};
    struct session_view view;

    if (!session_view(session, &view))
        return session_unknown();
    if (!governed_is(view.session, GOVERNED_VERIFY))
        return view.below->C_VerifyFinal(view.lower, signature, signature_len);
    return signature ? governed_finish(session, GOVERNED_VERIFY, &end) : CKR_ARGUMENTS_BAD;
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
