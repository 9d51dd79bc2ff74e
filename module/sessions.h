#ifndef QUORATE_MODULE_SESSIONS_H
#define QUORATE_MODULE_SESSIONS_H

#include "module/handles.h"
#include "module/life.h"
#include "module/world.h"

/* The application's sessions: virtual handles over sessions of the primary's module. They are opened and closed with
 * the world's lock held, and read without. */
struct governed;

struct session {
    struct handle_entry entry;
    _Atomic(CK_FUNCTION_LIST *) below;
    _Atomic(const CK_FUNCTION_LIST_3_0 *) below_3_0;
    _Atomic CK_SESSION_HANDLE lower;
    _Atomic CK_SLOT_ID slot;
    atomic_int governed;   /* enum governed_kind of `work`: its functions are ours */
    struct governed *work; /* from here on under the world's lock */
    struct governed *idle; /* the last use on a lease, with its session below, for the next one like it */
    CK_NOTIFY notify;
    void *application;
    unsigned making; /* keys that are being made on it; under the table's lock */
};
extern struct table session_table;

struct session_view {
    struct session *session;
    CK_FUNCTION_LIST *below;
    CK_SESSION_HANDLE handle, lower;
    CK_SLOT_ID slot;
};

/* What a handle stands for; false where it stands for nothing. Takes no lock. */
static inline bool session_view(CK_SESSION_HANDLE handle, struct session_view *ret)
{
    struct session *s = table_get(&session_table, handle, sizeof(*s));

    if (!s)
        return false;
    ret->session = s;
    ret->handle = handle;
    ret->below = atomic_load_explicit(&s->below, memory_order_acquire);
    ret->lower = atomic_load_explicit(&s->lower, memory_order_acquire);
    ret->slot = atomic_load_explicit(&s->slot, memory_order_acquire);
    return table_holds(&s->entry, handle);
}

/* The functions that 3.0 added, of the module of a session_view; NULL where the session is gone meanwhile. */
static inline const CK_FUNCTION_LIST_3_0 *session_below_3_0(const struct session_view *view)
{
    const CK_FUNCTION_LIST_3_0 *below = atomic_load_explicit(&view->session->below_3_0, memory_order_acquire);

    return table_holds(&view->session->entry, view->handle) ? below : NULL;
}

/* CKR_SESSION_HANDLE_INVALID, or CKR_CRYPTOKI_NOT_INITIALIZED where that is why. */
static inline CK_RV session_unknown(void)
{
    return life_going() ? CKR_SESSION_HANDLE_INVALID : CKR_CRYPTOKI_NOT_INITIALIZED;
}

/* A key is being made on it without the world's lock: until that is logged, or destroyed again, no other thread closes
 * the session or logs out. Hold with the world's lock held (false: the session is gone), release without. */
bool session_hold(const struct session_view *view);
void session_release(const struct session_view *view);

void sessions_close_all(struct world *w);             /* C_Finalize: takes the world's lock */
void sessions_lost(struct world *w, CK_SLOT_ID slot); /* the HSM was taken away: with the world's lock held */
void sessions_idle_end(CK_SLOT_ID slot); /* what sessions keep below for later: with the world's lock held */
void sessions_blind(void);               /* at the process's exit: no handle leads down any more */
void sessions_forget(void);              /* in a forked child */

#endif
