#ifndef QUORATE_MODULE_SESSIONS_H
#define QUORATE_MODULE_SESSIONS_H

#include "module/handles.h"
#include "module/life.h"
#include "module/world.h"

/* The application's sessions: virtual handles over sessions of the primary's module. They are opened and closed with
 * the world's lock held, and read without. */
struct governed;
struct begun;

/* Where a session or an object is: its slot, and how often that slot went over to another HSM (module/failover.h). Both
 * are of one HSM exactly where their places are equal. */
#define PLACE_SLOT_MASK 0x3fffffffUL
#define PLACE_MOVING (1UL << 30)  /* what it leads to is being written */
#define PLACE_WATCHED (1UL << 31) /* of sessions: a loss of the HSM is looked into */
#define PLACE_TURN_SHIFT 32

struct session {
    struct handle_entry entry;
    _Atomic(CK_FUNCTION_LIST *) below;
    _Atomic(const CK_FUNCTION_LIST_3_0 *) below_3_0;
    _Atomic CK_SESSION_HANDLE lower;
    _Atomic CK_ULONG place;
    _Atomic CK_OBJECT_HANDLE messages[4]; /* keys of the application's that messages are under way with (messages.c) */
    atomic_int governed;                  /* enum governed_kind of `work`: its functions are ours */
    struct governed *work;                /* from here on under the world's lock */
    struct governed *idle; /* the last use on a lease, with its session below, for the next one like it */
    CK_FLAGS flags;        /* as it was opened */
    atomic_uint busy[2];   /* of a watched session: calls that are below, by the last bit of its turn */
    struct begun *begun;   /* on a watched session: what was begun on it; under failover.c's lock */
    CK_NOTIFY notify;
    void *application;
    unsigned making;                   /* keys that are being made on it; under the table's lock */
    atomic_uint spoken;                /* bits by enum message_kind: such messages are under approvals */
    struct governed *messages_kept[4]; /* those; under the world's lock */
};
extern struct table session_table;

struct session_view {
    struct session *session;
    CK_FUNCTION_LIST *below;
    CK_SESSION_HANDLE handle, lower;
    CK_SLOT_ID slot;
    CK_ULONG place; /* without PLACE_WATCHED: comparable with an object's */
    bool watched;
};

/* What a handle stands for; false where it stands for nothing. Takes no lock. */
static inline bool session_view(CK_SESSION_HANDLE handle, struct session_view *ret)
{
    struct session *s = table_get(&session_table, handle, sizeof(*s));
    CK_ULONG place;

    if (!s)
        return false;
    ret->session = s;
    ret->handle = handle;
    do { /* again where it went over to another HSM in between: a few stores */
        place = atomic_load_explicit(&s->place, memory_order_acquire);
        ret->below = atomic_load_explicit(&s->below, memory_order_acquire);
        ret->lower = atomic_load_explicit(&s->lower, memory_order_acquire);
        if (!table_holds(&s->entry, handle))
            return false;
    } while (place & PLACE_MOVING || atomic_load_explicit(&s->place, memory_order_relaxed) != place);
    ret->slot = place & PLACE_SLOT_MASK;
    ret->place = place & ~PLACE_WATCHED;
    ret->watched = (place & PLACE_WATCHED) != 0;
    return true;
}

static inline atomic_uint *session_busy(struct session *s, CK_ULONG place)
{
    return &s->busy[place >> PLACE_TURN_SHIFT & 1];
}
static inline void session_leave(const struct session_view *view)
{
    if (view->watched)
        atomic_fetch_sub(session_busy(view->session, view->place), 1);
}

/* The same for what passes straight down: false for a watched session too. */
static inline bool session_plain(CK_SESSION_HANDLE handle, struct session_view *ret)
{
    struct session *s = table_get(&session_table, handle, sizeof(*s));

    if (!s)
        return false;
    ret->session = s;
    ret->handle = handle;
    ret->place = atomic_load_explicit(&s->place, memory_order_acquire);
    ret->slot = ret->place & PLACE_SLOT_MASK;
    ret->watched = false;
    ret->below = atomic_load_explicit(&s->below, memory_order_acquire);
    ret->lower = atomic_load_explicit(&s->lower, memory_order_acquire);
    return table_holds(&s->entry, handle) && !(ret->place & (PLACE_WATCHED | PLACE_MOVING));
}

/* A call on the session begins: a view that counts as long as it lasts, so that nobody closes a lower session under it. */
bool session_enter_watched(CK_SESSION_HANDLE handle, struct session_view *ret);
static inline bool session_enter(CK_SESSION_HANDLE handle, struct session_view *ret)
{
    return session_plain(handle, ret) || session_enter_watched(handle, ret);
}

/* The functions that 3.0 added, of the module of a session_view; NULL where the session is gone or moved meanwhile. */
static inline const CK_FUNCTION_LIST_3_0 *session_below_3_0(const struct session_view *view)
{
    const CK_FUNCTION_LIST_3_0 *below = atomic_load_explicit(&view->session->below_3_0, memory_order_acquire);

    CK_ULONG place = atomic_load_explicit(&view->session->place, memory_order_relaxed);

    return table_holds(&view->session->entry, view->handle) && (place & ~PLACE_WATCHED) == view->place ? below : NULL;
}

static inline CK_SLOT_ID session_slot(const struct session *s)
{
    return atomic_load_explicit(&s->place, memory_order_acquire) & PLACE_SLOT_MASK;
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
bool session_making(const struct session *s);

/* The living sessions of a slot, by index from *at on (0 first; it moves); NULL: no more. With the world's lock held. */
struct session *sessions_next(CK_SLOT_ID slot, uint32_t *at);

/* Opens a session below as this one was opened. */
CK_RV session_reopen(struct session *s, CK_FUNCTION_LIST *below, CK_SLOT_ID slot, CK_SESSION_HANDLE *ret);

void sessions_close_all(struct world *w); /* C_Finalize: takes the world's lock */
/* The HSM was taken away, and its sessions with it (PKCS#11 2.40, section 5.5): their handles die. Nothing is closed below,
 * where a thread may be in a call; a login that the library keeps ends before the token is shown again. With the world's
 * lock held. */
void sessions_lost(struct world *w, CK_SLOT_ID slot);
void sessions_idle_end(CK_SLOT_ID slot); /* what sessions keep below for later: with the world's lock held */
/* Another HSM is meant: their handles die, what a thread may be in stays open below. */
void sessions_leave(CK_SLOT_ID slot);
void sessions_blind(void);  /* at the process's exit: no handle leads down any more */
void sessions_forget(void); /* in a forked child */

#endif
