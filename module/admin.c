#include "module/functions.h"
#include "module/gate.h"
#include "module/made.h"
#include "module/slots.h"

/* Whole tokens and their PINs. No PIN of an application is looked at, kept or logged. */

static CK_RV token_ask(struct world *w, CK_SLOT_ID slot, enum operation operation, const char *function)
{
    struct question q = {.operation = operation, .slot = slot, .function = function, .label = "", .object = -1};

    return gate_ask(w, &q, NULL);
}

/* The question, with the lock given back: a PIN pad may take minutes. */
static CK_RV session_ask(const struct session_view *view, enum operation operation, const char *function)
{
    struct world *w = NULL;
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    rv = token_ask(w, view->slot, operation, function);
    gate_close(w);
    return rv;
}

CK_RV our_C_InitToken(CK_SLOT_ID slot, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len, CK_UTF8CHAR_PTR label)
{
    struct shown_token *t = NULL;
    struct world *w = NULL;
    CK_RV rv;

    if (!label)
        return CKR_ARGUMENTS_BAD;
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = slot_token(w, slot, &t);
    if (rv == CKR_OK)
        rv = token_ask(w, slot, OP_INITIALISE, "C_InitToken");
    if (rv == CKR_OK)
        rv = t->lower->f->C_InitToken(t->lower_slot, pin, pin_len, label);
    gate_close(w);
    return rv;
}

CK_RV our_C_InitPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
    struct session_view view;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    rv = session_ask(&view, OP_INITIALISE, "C_InitPIN");
    return rv == CKR_OK ? view.below->C_InitPIN(view.lower, pin, pin_len) : rv;
}

CK_RV our_C_SetPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR old_pin, CK_ULONG old_len, CK_UTF8CHAR_PTR new_pin,
                   CK_ULONG new_len)
{
    struct session_view view;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    rv = session_ask(&view, OP_SET_PIN, "C_SetPIN");
    return rv == CKR_OK ? view.below->C_SetPIN(view.lower, old_pin, old_len, new_pin, new_len) : rv;
}

/* The user's login asks nobody. That of the SO does, and so does one of a kind that only a vendor knows, as it may be
 * the SO by another name. */
static CK_RV login_ask(const struct session_view *view, CK_USER_TYPE user, const char *function)
{
    return user == CKU_USER || user == CKU_CONTEXT_SPECIFIC ? CKR_OK : session_ask(view, OP_INITIALISE, function);
}

/* `login: module` in the bindings: whatever the application gives as a PIN is not looked at. */
static CK_RV login_by_module(CK_SESSION_HANDLE session, CK_USER_TYPE user, bool *ret_done)
{
    struct world *w = world_current();
    struct session_view view;
    struct fault f = {0};
    CK_RV rv = CKR_SESSION_HANDLE_INVALID, answered = CKR_OK;

    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    if (session_view(session, &view)) {
        struct site_link link = made_link(w, &view);

        rv = CKR_OK;
        *ret_done = user != CKU_SO && link.binding && link.binding->login_by_module;
        if (*ret_done && site_log_in(&link, user, &answered, &f) != OK) {
            rv = gate_fault(&f);
            rv = answered == CKR_OK ? rv : answered;
        } else if (*ret_done) {
            rv = answered;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return rv;
}

CK_RV our_C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
    struct session_view view;
    bool done = false;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    rv = login_ask(&view, user, "C_Login");
    if (rv == CKR_OK)
        rv = login_by_module(session, user, &done);
    return rv == CKR_OK && !done ? view.below->C_Login(view.lower, user, pin, pin_len) : rv;
}

CK_RV our_C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len,
                      CK_UTF8CHAR_PTR name, CK_ULONG name_len)
{
    const CK_FUNCTION_LIST_3_0 *below = NULL;
    struct session_view view;
    bool done = false;
    CK_RV rv;

    if (!session_view(session, &view) || !(below = session_below_3_0(&view)))
        return session_unknown();
    rv = login_ask(&view, user, "C_LoginUser");
    if (rv == CKR_OK)
        rv = login_by_module(session, user, &done);
    return rv == CKR_OK && !done ? below->C_LoginUser(view.lower, user, pin, pin_len, name, name_len) : rv;
}
