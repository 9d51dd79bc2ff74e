#include "module/failover.h"
#include "module/functions.h"
#include "module/grant.h"
#include "module/head.h"
#include "module/made.h"
#include "module/slots.h"
#include "module/token_keys.h"

/* Whole tokens and their PINs. No PIN of an application is looked at, kept or logged. */

/* One operation on a whole token or its PINs. Under approvals the lock is held to the end: the intent, the HSM, the entry. */
struct administration {
    struct world *world;
    CK_SLOT_ID slot;
    enum operation operation;
    const char *function;
    struct grant grant;
    bool locked;
};

/* CKR_OK: it may go on. Where a rule plainly allows, the lock was given back: a PIN pad may take minutes. */
static CK_RV admin_begin(struct administration *a)
{
    struct question q = {
        .operation = a->operation, .slot = a->slot, .function = a->function, .label = "", .object = -1};
    CK_RV rv = grant_ask(a->world, &q, &a->grant);

    if (rv == CKR_OK)
        rv = grant_begin(a->world, &a->grant, NULL);
    if (rv == CKR_OK && a->grant.answer.plain) {
        gate_close(a->world);
        a->locked = false;
    }
    return rv;
}

static CK_RV admin_end(struct administration *a, CK_RV rv)
{
    if (!a->locked)
        return rv;
    if (rv == CKR_OK)
        rv = grant_end(a->world, &a->grant, ENTRY_USED, grant_used(&a->grant, (struct span){NULL, 0}));
    else
        grant_undo(a->world, &a->grant, a->function, rv);
    grant_clear(&a->grant);
    gate_close(a->world);
    return rv;
}

static CK_RV session_begin(CK_SESSION_HANDLE session, struct session_view *ret_view, struct administration *a)
{
    CK_RV rv;

    if (!session_view(session, ret_view))
        return session_unknown();
    a->slot = ret_view->slot;
    rv = gate_open(&a->world);
    if (rv != CKR_OK)
        return rv;
    a->locked = true;
    sessions_idle_end(a->slot); /* a R/O session would keep the SO out */
    rv = admin_begin(a);
    return rv == CKR_OK ? rv : admin_end(a, rv);
}

/* What the token holds before it is made new. Replicas elsewhere outlive it, which people must want. */
static CK_RV token_read(const struct administration *a, struct token_keys *ret)
{
    const char *token = a->world->tokens[a->slot].bound->id;
    const struct question q = {
        .operation = a->operation, .slot = a->slot, .function = a->function, .label = "", .object = -1};
    struct token_keys keys = {.items = NULL};
    struct fault f = {0};
    bool plain = false;

    gate_rule(a->world, &q, &plain);
    if (token_keys_of(a->world, token, &keys, &f) != OK)
        return gate_fault(&f);
    if (plain && keys.replicated) {
        token_keys_clear(&keys);
        fault_set(&f, E_REFUSED,
                  "C_InitToken: keys on %s have replicas at other sites; to end them here its rule must require "
                  "something",
                  token);
        return gate_refuse(OP_INITIALISE, &f);
    }
    *ret = keys;
    return CKR_OK;
}

/* The keys' ends stand in the log before that of the operation: whoever comes after a death goes on from there. */
static CK_RV token_end(struct administration *a, const struct token_keys *keys, CK_RV rv)
{
    struct fault f = {0};

    if (rv != CKR_OK)
        return admin_end(a, rv);
    if (!a->locked) {
        rv = gate_open(&a->world);
        if (rv != CKR_OK)
            return rv;
        a->locked = true;
    }
    if (token_keys_gone(a->world, keys, a->grant.open ? &a->grant.intent : NULL, &f) == OK)
        return admin_end(a, CKR_OK);
    rv = gate_fault(&f);
    grant_clear(&a->grant); /* its intent stays open */
    gate_close(a->world);
    return rv;
}

/* The log's head went with the rest. Where people approved that, a new one is put there; else they have to be asked. */
static void token_head(CK_SLOT_ID slot)
{
    struct world *w = NULL;
    struct fault ignored = {0};

    if (gate_open(&w) != CKR_OK)
        return;
    heads_renew(w, w->tokens[slot].bound->id, &ignored);
    gate_close(w);
}

CK_RV our_C_InitToken(CK_SLOT_ID slot, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len, CK_UTF8CHAR_PTR label)
{
    struct administration a = {.slot = slot, .operation = OP_INITIALISE, .function = "C_InitToken"};
    struct token_keys keys = {.items = NULL};
    struct shown_token *t = NULL;
    CK_FUNCTION_LIST *below = NULL;
    CK_SLOT_ID lower = 0;
    CK_RV rv;

    if (!label)
        return CKR_ARGUMENTS_BAD;
    rv = gate_open(&a.world);
    if (rv != CKR_OK)
        return rv;
    a.locked = true;
    rv = slot_token(a.world, slot, &t);
    if (rv == CKR_OK) {
        below = t->lower->f;
        lower = t->lower_slot;
        rv = token_read(&a, &keys);
    }
    if (rv == CKR_OK)
        rv = admin_begin(&a);
    if (rv == CKR_OK)
        rv = below->C_InitToken(lower, pin, pin_len, label);
    rv = token_end(&a, &keys, rv);
    if (rv == CKR_OK)
        token_head(slot);
    token_keys_clear(&keys);
    return rv;
}

CK_RV our_C_InitPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
    struct administration a = {.operation = OP_INITIALISE, .function = "C_InitPIN"};
    struct session_view view = {0};
    CK_RV rv = session_begin(session, &view, &a);

    return rv == CKR_OK ? admin_end(&a, view.below->C_InitPIN(view.lower, pin, pin_len)) : rv;
}

CK_RV our_C_SetPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR old_pin, CK_ULONG old_len, CK_UTF8CHAR_PTR new_pin,
                   CK_ULONG new_len)
{
    struct administration a = {.operation = OP_SET_PIN, .function = "C_SetPIN"};
    struct session_view view = {0};
    CK_RV rv = session_begin(session, &view, &a);

    return rv == CKR_OK ? admin_end(&a, view.below->C_SetPIN(view.lower, old_pin, old_len, new_pin, new_len)) : rv;
}

/* The user's login asks nobody. That of the SO does, and so does one of a kind that only a vendor knows, as it may be
 * the SO by another name. */
static CK_RV login_begin(CK_SESSION_HANDLE session, CK_USER_TYPE user, struct session_view *ret_view,
                         struct administration *a)
{
    if (user != CKU_USER && user != CKU_CONTEXT_SPECIFIC)
        return session_begin(session, ret_view, a);
    return session_view(session, ret_view) ? CKR_OK : session_unknown();
}

/* `login: module` in the bindings: whatever the application gives as a PIN is not looked at. Nor does it reach a replica. */
static CK_RV login_by_module(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len,
                             bool *ret_done)
{
    struct world *w = world_current();
    struct session_view view = {0};
    struct fault f = {0};
    CK_RV rv = CKR_SESSION_HANDLE_INVALID, answered = CKR_OK;

    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    if (session_view(session, &view)) {
        struct site_link link = made_link(w, &view);

        rv = CKR_OK;
        *ret_done = link.binding && (link.binding->login_by_module || failover_away(w, view.slot));
        if (*ret_done && failover_away(w, view.slot)) {
            rv = failover_login(w, &view, user, pin, pin_len);
        } else if (*ret_done && site_log_in(&link, user, &answered, &f) != OK) {
            rv = gate_fault(&f);
            rv = answered == CKR_OK ? rv : answered;
        } else if (*ret_done) {
            rv = answered;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return rv;
}

static CK_RV login_done(const struct session_view *view, CK_USER_TYPE user, CK_RV rv)
{
    if (rv == CKR_OK && user == CKU_USER)
        failover_logged(view->slot, true);
    return rv;
}

static CK_RV login_below(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
    struct session_view view;
    CK_RV rv;

    if (!session_enter(session, &view))
        return session_unknown();
    rv = view.below->C_Login(view.lower, user, pin, pin_len);
    session_leave(&view);
    return rv;
}

static CK_RV login_once(struct session_view *view, CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin,
                        CK_ULONG pin_len)
{
    struct administration a = {.operation = OP_INITIALISE, .function = "C_Login"};
    bool done = false;
    CK_RV rv = login_begin(session, user, view, &a);

    if (rv == CKR_OK && !a.locked)
        rv = login_by_module(session, user, pin, pin_len, &done);
    if (rv == CKR_OK && !done)
        rv = admin_end(&a, login_below(session, user, pin, pin_len));
    return login_done(view, user, rv);
}

CK_RV our_C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
    struct session_view view = {0};
    unsigned turns = 0;
    CK_RV rv;

    do
        rv = login_once(&view, session, user, pin, pin_len);
    while (failover_again(&view, rv, &turns));
    return rv;
}

CK_RV our_C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len,
                      CK_UTF8CHAR_PTR name, CK_ULONG name_len)
{
    struct administration a = {.operation = OP_INITIALISE, .function = "C_LoginUser"};
    const CK_FUNCTION_LIST_3_0 *below = NULL;
    struct session_view view = {0};
    bool done = false;
    CK_RV rv;

    if (!session_view(session, &view) || !(below = session_below_3_0(&view)))
        return session_unknown();
    rv = login_begin(session, user, &view, &a);
    if (rv == CKR_OK && !a.locked)
        rv = login_by_module(session, user, pin, pin_len, &done);
    if (rv == CKR_OK && !done)
        rv = admin_end(&a, below->C_LoginUser(view.lower, user, pin, pin_len, name, name_len));
    return login_done(&view, user, rv);
}
