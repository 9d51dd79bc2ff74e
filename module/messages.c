#include "module/messages.h"

#include "module/functions.h"
#include "module/use.h"

/* What 3.0 adds to the use of keys: messages, and the end of an operation that was begun. */

CK_RV message_goes_on(const struct session_view *view, const char *function)
{
    CK_OBJECT_HANDLE key = atomic_load(&view->session->messages[message_kind(function)]), lower;
    enum use_way way = USE_WAY_GOVERNED;
    struct fault f = {0};
    CK_RV rv;

    if (!key)
        return CKR_OK; /* nothing was begun: the HSM's to say */
    rv = use_judge(view, key, function, NULL, true, &lower, &way);
    if (rv != CKR_OK || way == USE_WAY_PLAIN)
        return rv == CKR_KEY_HANDLE_INVALID ? CKR_OPERATION_NOT_INITIALIZED : rv;
    fault_set(&f, E_REFUSED, "%s: its rule requires something now, and plainly allowed when it was begun; begin again",
              function);
    return gate_refuse(OP_USE, &f);
}

/* Where the mechanism is NULL, and at the end: what is kept here ends here. False: it is below, if anywhere. */
static bool message_ended(CK_SESSION_HANDLE session, enum message_kind kind, CK_RV *ret_rv)
{
    struct session_view view;
    struct world *w = NULL;

    if (!session_view(session, &view) || !message_kept(&view, kind))
        return false;
    *ret_rv = gate_open(&w);
    if (*ret_rv != CKR_OK)
        return true;
    if (session_view(session, &view))
        messages_end(view.session, 1U << kind);
    gate_close(w);
    return true;
}

/* C_MessageEncryptInit and its like: the question, then down, or kept here. Without a mechanism they end what was begun
 * (3.0, section 5.9.1), which asks nobody. */
#define MESSAGE_INIT(name, function)                                                                                   \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)                      \
    {                                                                                                                  \
        const enum message_kind kind = message_kind(function);                                                         \
        const CK_FUNCTION_LIST_3_0 *below = NULL;                                                                      \
        struct session_view view;                                                                                      \
        CK_MECHANISM once; /* what is checked is what goes down */                                                     \
        CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;                                                                    \
        enum use_way way = USE_WAY_GOVERNED;                                                                           \
        CK_RV rv = CKR_OK;                                                                                             \
                                                                                                                       \
        if (!session_view(session, &view) || !(below = session_below_3_0(&view)))                                      \
            return session_unknown();                                                                                  \
        if (!mechanism)                                                                                                \
            return message_ended(session, kind, &rv) ? rv : below->name(view.lower, NULL, CK_INVALID_HANDLE);          \
        if (message_kept(&view, kind))                                                                                 \
            return CKR_OPERATION_ACTIVE;                                                                               \
        once = *mechanism;                                                                                             \
        rv = use_judge(&view, key, function, &once, true, &lower, &way);                                               \
        if (rv == CKR_OK && way == USE_WAY_GOVERNED)                                                                   \
            return message_begin(session, kind, &once, key);                                                           \
        if (rv == CKR_OK)                                                                                              \
            rv = below->name(view.lower, &once, lower);                                                                \
        if (rv == CKR_OK)                                                                                              \
            atomic_store(&view.session->messages[kind], key);                                                          \
        return rv;                                                                                                     \
    }

MESSAGE_INIT(C_MessageEncryptInit, "C_EncryptMessage")
MESSAGE_INIT(C_MessageDecryptInit, "C_DecryptMessage")
MESSAGE_INIT(C_MessageSignInit, "C_SignMessage")
MESSAGE_INIT(C_MessageVerifyInit, "C_VerifyMessage")

/* The rest of them, of messages that are kept here (functions.c sends all others down). */
#define MESSAGE_FINAL(name)                                                                                            \
    CK_RV our_##name(CK_SESSION_HANDLE session)                                                                        \
    {                                                                                                                  \
        CK_RV rv = CKR_OK;                                                                                             \
                                                                                                                       \
        return message_ended(session, message_kind(#name), &rv) ? rv : CKR_OPERATION_NOT_INITIALIZED;                  \
    }

MESSAGE_FINAL(C_MessageEncryptFinal)
MESSAGE_FINAL(C_MessageDecryptFinal)
MESSAGE_FINAL(C_MessageSignFinal)
MESSAGE_FINAL(C_MessageVerifyFinal)

/* C_EncryptMessage, C_DecryptMessage. */
#define MESSAGE_CRYPT(name, begin, next, message)                                                                      \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len, CK_BYTE_PTR associated, \
                     CK_ULONG associated_len, CK_BYTE_PTR from, CK_ULONG from_len, CK_BYTE_PTR to,                     \
                     CK_ULONG_PTR to_len)                                                                              \
    {                                                                                                                  \
        struct message_part part = {                                                                                   \
            message,       true,       true,           parameter,                                                      \
            parameter_len, associated, associated_len, {from, from_len, NULL, 0, to, to_len, true}};                   \
                                                                                                                       \
        return to_len ? message_part(session, &part) : CKR_ARGUMENTS_BAD;                                              \
    }                                                                                                                  \
    CK_RV our_##begin(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len,                        \
                      CK_BYTE_PTR associated, CK_ULONG associated_len)                                                 \
    {                                                                                                                  \
        struct message_part part = {.kind = message,                                                                   \
                                    .begins = true,                                                                    \
                                    .parameter = parameter,                                                            \
                                    .parameter_len = parameter_len,                                                    \
                                    .associated = associated,                                                          \
                                    .associated_len = associated_len};                                                 \
                                                                                                                       \
        return message_part(session, &part);                                                                           \
    }                                                                                                                  \
    CK_RV our_##next(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len, CK_BYTE_PTR from,       \
                     CK_ULONG from_len, CK_BYTE_PTR to, CK_ULONG_PTR to_len, CK_FLAGS flags)                           \
    {                                                                                                                  \
        struct message_part part = {.kind = message,                                                                   \
                                    .ends = (flags & CKF_END_OF_MESSAGE) != 0,                                         \
                                    .parameter = parameter,                                                            \
                                    .parameter_len = parameter_len,                                                    \
                                    .end = {from, from_len, NULL, 0, to, to_len, true}};                               \
                                                                                                                       \
        return to_len ? message_part(session, &part) : CKR_ARGUMENTS_BAD;                                              \
    }

MESSAGE_CRYPT(C_EncryptMessage, C_EncryptMessageBegin, C_EncryptMessageNext, MESSAGE_ENCRYPT)
MESSAGE_CRYPT(C_DecryptMessage, C_DecryptMessageBegin, C_DecryptMessageNext, MESSAGE_DECRYPT)

static CK_RV begin_plain(CK_SESSION_HANDLE session, enum message_kind kind, const void *parameter,
                         CK_ULONG parameter_len)
{
    struct message_part part = {.kind = kind, .begins = true, .parameter = parameter, .parameter_len = parameter_len};

    return message_part(session, &part);
}

/* A signature made or verified: C_SignMessage and C_VerifyMessage, and C_SignMessageNext and C_VerifyMessageNext, whose last
 * part is the one that has a place for a length, or a signature (3.0, sections 5.14.4 and 5.16.4). */
static CK_RV signed_part(CK_SESSION_HANDLE session, enum message_kind kind, bool begins, const void *parameter,
                         CK_ULONG parameter_len, struct governed_end end)
{
    struct message_part part = {.kind = kind,
                                .begins = begins,
                                .ends = kind == MESSAGE_SIGN ? end.out_len != NULL : end.signature != NULL,
                                .parameter = parameter,
                                .parameter_len = parameter_len,
                                .end = end};

    return begins && !part.ends ? CKR_ARGUMENTS_BAD : message_part(session, &part);
}

CK_RV our_C_SignMessage(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len, CK_BYTE_PTR data,
                        CK_ULONG data_len, CK_BYTE_PTR signature, CK_ULONG_PTR signature_len)
{
    return signed_part(session, MESSAGE_SIGN, true, parameter, parameter_len,
                       (struct governed_end){data, data_len, NULL, 0, signature, signature_len, true});
}

CK_RV our_C_SignMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len)
{
    return begin_plain(session, MESSAGE_SIGN, parameter, parameter_len);
}

CK_RV our_C_SignMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len, CK_BYTE_PTR data,
                            CK_ULONG data_len, CK_BYTE_PTR signature, CK_ULONG_PTR signature_len)
{
    return signed_part(session, MESSAGE_SIGN, false, parameter, parameter_len,
                       (struct governed_end){data, data_len, NULL, 0, signature, signature_len, true});
}

CK_RV our_C_VerifyMessage(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len, CK_BYTE_PTR data,
                          CK_ULONG data_len, CK_BYTE_PTR signature, CK_ULONG signature_len)
{
    return signed_part(session, MESSAGE_VERIFY, true, parameter, parameter_len,
                       (struct governed_end){data, data_len, signature, signature_len, NULL, NULL, true});
}

CK_RV our_C_VerifyMessageBegin(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len)
{
    return begin_plain(session, MESSAGE_VERIFY, parameter, parameter_len);
}

CK_RV our_C_VerifyMessageNext(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                              CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature, CK_ULONG signature_len)
{
    return signed_part(session, MESSAGE_VERIFY, false, parameter, parameter_len,
                       (struct governed_end){data, data_len, signature, signature_len, NULL, NULL, true});
}

static CK_FLAGS kind_flag(int kind)
{
    static const CK_FLAGS flags[] = {0, CKF_SIGN, CKF_SIGN_RECOVER, CKF_VERIFY, CKF_ENCRYPT, CKF_DECRYPT};

    return flags[kind];
}

/* The flags of the messages that are kept here, of those given. */
static CK_FLAGS kept_flags(const struct session_view *view, CK_FLAGS flags, unsigned *ret_kinds)
{
    static const CK_FLAGS of[MESSAGE_KINDS] = {CKF_MESSAGE_ENCRYPT, CKF_MESSAGE_DECRYPT, CKF_MESSAGE_SIGN,
                                               CKF_MESSAGE_VERIFY};
    CK_FLAGS kept = 0;

    *ret_kinds = 0;
    for (unsigned kind = 0; kind < MESSAGE_KINDS; kind++)
        if (flags & of[kind] && message_kept(view, (enum message_kind)kind)) {
            kept |= of[kind];
            *ret_kinds |= 1U << kind;
        }
    return kept;
}

CK_RV our_C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags)
{
    const CK_FUNCTION_LIST_3_0 *below = NULL;
    struct session_view view;
    struct world *w = NULL;
    CK_FLAGS work, kept;
    unsigned kinds = 0;
    CK_RV rv = CKR_OK;

    if (!session_view(session, &view))
        return session_unknown();
    work = flags & kind_flag(atomic_load_explicit(&view.session->governed, memory_order_acquire));
    kept = kept_flags(&view, flags, &kinds);
    if (work | kept) {
        rv = gate_open(&w);
        if (rv != CKR_OK)
            return rv;
        if (session_view(session, &view)) {
            messages_end(view.session, kinds);
            if (work)
                governed_end(view.session);
        }
        gate_close(w);
        flags &= ~(work | kept); /* below nothing was begun */
    }
    below = session_view(session, &view) ? session_below_3_0(&view) : NULL;
    if (!below)
        return session_unknown();
    return flags ? below->C_SessionCancel(view.lower, flags) : CKR_OK;
}
