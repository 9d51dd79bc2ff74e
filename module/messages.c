#include <string.h>

#include "module/functions.h"
#include "module/governed.h"
#include "module/use.h"

/* What 3.0 adds to the use of keys: messages, and the end of an operation that was begun. */

/* Of C_EncryptMessage, C_DecryptMessage, C_SignMessage, C_VerifyMessage and what begins like them. */
static size_t message_kind(const char *function)
{
    static const char kinds[] = "EDSV";
    const char *kind = strchr(kinds, function[2]); /* the first letter of what it does */

    return kind ? (size_t)(kind - kinds) : 0;
}

CK_RV message_goes_on(const struct session_view *view, const char *function)
{
    CK_OBJECT_HANDLE key = atomic_load(&view->session->messages[message_kind(function)]), lower;
    enum use_way way = USE_WAY_GOVERNED;
    CK_RV rv;

    if (!key)
        return CKR_OK; /* nothing was begun: the HSM's to say */
    rv = use_judge(view, key, function, NULL, false, &lower, &way);
    return rv == CKR_KEY_HANDLE_INVALID ? CKR_OPERATION_NOT_INITIALIZED : rv;
}

/* C_MessageEncryptInit and its like: the question, then down. Without a mechanism they end what was begun (3.0, section
 * 5.9.1), which asks nobody. */
#define MESSAGE_INIT(name, function)                                                                                   \
    CK_RV our_##name(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)                      \
    {                                                                                                                  \
        const CK_FUNCTION_LIST_3_0 *below = NULL;                                                                      \
        struct session_view view;                                                                                      \
        CK_MECHANISM once; /* what is checked is what goes down */                                                     \
        CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;                                                                    \
        enum use_way way = USE_WAY_GOVERNED;                                                                           \
        CK_RV rv;                                                                                                      \
                                                                                                                       \
        if (!session_view(session, &view) || !(below = session_below_3_0(&view)))                                      \
            return session_unknown();                                                                                  \
        if (!mechanism)                                                                                                \
            return below->name(view.lower, NULL, CK_INVALID_HANDLE);                                                   \
        once = *mechanism;                                                                                             \
        rv = use_judge(&view, key, function, &once, false, &lower, &way);                                              \
        if (rv == CKR_OK)                                                                                              \
            rv = below->name(view.lower, &once, lower);                                                                \
        if (rv == CKR_OK)                                                                                              \
            atomic_store(&view.session->messages[message_kind(function)], key);                                        \
        return rv;                                                                                                     \
    }

MESSAGE_INIT(C_MessageEncryptInit, "C_EncryptMessage")
MESSAGE_INIT(C_MessageDecryptInit, "C_DecryptMessage")
MESSAGE_INIT(C_MessageSignInit, "C_SignMessage")
MESSAGE_INIT(C_MessageVerifyInit, "C_VerifyMessage")

static CK_FLAGS kind_flag(int kind)
{
    static const CK_FLAGS flags[] = {0, CKF_SIGN, CKF_SIGN_RECOVER, CKF_VERIFY, CKF_ENCRYPT, CKF_DECRYPT};

    return flags[kind];
}

CK_RV our_C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags)
{
    const CK_FUNCTION_LIST_3_0 *below = NULL;
    struct session_view view;
    struct world *w = NULL;
    CK_FLAGS ours;
    CK_RV rv = CKR_OK;

    if (!session_view(session, &view))
        return session_unknown();
    ours = kind_flag(atomic_load_explicit(&view.session->governed, memory_order_acquire));
    if (flags & ours) {
        rv = gate_open(&w);
        if (rv != CKR_OK)
            return rv;
        if (session_view(session, &view))
            governed_end(view.session);
        gate_close(w);
        flags &= ~ours; /* below nothing was begun */
    }
    below = session_view(session, &view) ? session_below_3_0(&view) : NULL;
    if (!below)
        return session_unknown();
    return flags ? below->C_SessionCancel(view.lower, flags) : CKR_OK;
}
