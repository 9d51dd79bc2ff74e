#include "module/sessions.h"

#include "module/begun.h"
#include "module/failover.h"
#include "module/functions.h"
#include "module/governed.h"
#include "module/messages.h"
#include "module/objects.h"
#include "module/slots.h"

struct table session_table = TABLE(struct session);
static pthread_cond_t making_moved = PTHREAD_COND_INITIALIZER; /* with the table's lock */
static _Thread_local unsigned making_here;

/* A lower module calls back with its own handle; the application knows ours. */
static CK_RV session_notified(CK_SESSION_HANDLE lower, CK_NOTIFICATION event, CK_VOID_PTR context)
{
    const struct session *s = context;
    CK_SESSION_HANDLE handle = atomic_load(&s->entry.handle);

    (void)lower;
    return handle ? s->notify(handle, event, s->application) : CKR_OK;
}

bool session_enter_watched(CK_SESSION_HANDLE handle, struct session_view *ret)
{
    while (session_view(handle, ret)) {
        if (!ret->watched)
            return true;
        atomic_fetch_add(session_busy(ret->session, ret->place), 1);
        /* Who moves it looks at the count after the place: one of us sees the other. */
        if ((atomic_load(&ret->session->place) & ~PLACE_WATCHED) == ret->place)
            return true;
        session_leave(ret);
    }
    return false;
}

static struct session *session_take(void)
{
    struct handle_entry *e;

    pthread_mutex_lock(&session_table.lock);
    e = table_take(&session_table);
    if (e)
        ((struct session *)e)->making = 0;
    pthread_mutex_unlock(&session_table.lock);
    return (struct session *)e;
}

/* With what it keeps. */
static void session_drop(struct session *s)
{
    governed_end(s);
    governed_idle_end(s);
    messages_end(s, ~0U);
    begun_drop(s);
    pthread_mutex_lock(&session_table.lock);
    table_drop(&session_table, &s->entry);
    pthread_mutex_unlock(&session_table.lock);
}

static uint32_t sessions_used(void)
{
    uint32_t used;

    pthread_mutex_lock(&session_table.lock);
    used = session_table.used;
    pthread_mutex_unlock(&session_table.lock);
    return used;
}

static struct session *session_at(uint32_t index)
{
    struct session *s = table_at(&session_table, index, sizeof(*s));

    return s && atomic_load(&s->entry.handle) ? s : NULL;
}

void sessions_idle_end(CK_SLOT_ID slot)
{
    struct session *s;

    for (uint32_t i = 1, n = sessions_used(); i <= n; i++) {
        s = session_at(i);
        if (s && session_slot(s) == slot)
            governed_idle_end(s);
    }
}

CK_RV session_reopen(struct session *s, CK_FUNCTION_LIST *below, CK_SLOT_ID slot, CK_SESSION_HANDLE *ret)
{
    return below->C_OpenSession(slot, s->flags, s->notify ? s : NULL, s->notify ? session_notified : NULL, ret);
}

static CK_RV session_open_locked(struct world *w, CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                                 CK_SESSION_HANDLE *ret)
{
    struct shown_token *t = NULL;
    CK_SESSION_HANDLE lower = CK_INVALID_HANDLE;
    struct session *s = NULL;
    struct fault ignored = {0};
    CK_RV rv = slot_token(w, slot, &t);

    if (rv == CKR_TOKEN_NOT_PRESENT &&
        (world_look(w, &w->tokens[slot], &ignored) == OK || failover_find(w, slot, "it does not answer")))
        rv = slot_token(w, slot, &t); /* it came back, or a replica serves */
    if (rv != CKR_OK)
        return rv;
    s = session_take();
    if (!s)
        return CKR_HOST_MEMORY;
    s->notify = notify;
    s->application = application;
    s->work = s->idle = NULL;
    messages_new(s);
    s->flags = flags;
    rv = session_reopen(s, t->lower->f, t->lower_slot, &lower);
    if (rv == CKR_SESSION_COUNT) {
        sessions_idle_end(slot);
        rv = session_reopen(s, t->lower->f, t->lower_slot, &lower);
    }
    if (rv != CKR_OK) {
        session_drop(s);
        return rv;
    }
    atomic_store(&s->below, t->lower->f);
    atomic_store(&s->below_3_0, &t->lower->list_3_0);
    atomic_store(&s->lower, lower);
    atomic_store(&s->place, failover_place(w, slot));
    atomic_store(&s->governed, GOVERNED_NONE);
    *ret = table_show(&s->entry);
    return CKR_OK;
}

bool session_hold(const struct session_view *view)
{
    bool living;

    pthread_mutex_lock(&session_table.lock);
    living = table_holds(&view->session->entry, view->handle);
    if (living) {
        view->session->making++;
        making_here++;
    }
    pthread_mutex_unlock(&session_table.lock);
    return living;
}

void session_release(const struct session_view *view)
{
    pthread_mutex_lock(&session_table.lock);
    if (table_holds(&view->session->entry, view->handle))
        view->session->making--;
    making_here--;
    pthread_cond_broadcast(&making_moved);
    pthread_mutex_unlock(&session_table.lock);
}

bool session_making(const struct session *s)
{
    bool making;

    pthread_mutex_lock(&session_table.lock);
    making = s->making > 0;
    pthread_mutex_unlock(&session_table.lock);
    return making;
}

/* On that session, or, for CK_INVALID_HANDLE, on any of the slot. With the table's lock held. */
static bool making_on(CK_SESSION_HANDLE session, CK_SLOT_ID slot)
{
    const struct session *s;

    for (uint32_t i = 1; i <= session_table.used; i++) {
        s = session_at(i);
        if (s && s->making && (session ? atomic_load(&s->entry.handle) == session : session_slot(s) == slot))
            return true;
    }
    return false;
}

/* Waits for keys that other threads are making there; the world's lock is held, but not while it waits. False where the
 * calling thread makes one itself, being in a notification, and would wait for ever. */
static bool making_wait(struct world *w, CK_SESSION_HANDLE session, CK_SLOT_ID slot)
{
    bool idle;

    pthread_mutex_lock(&session_table.lock);
    while (making_on(session, slot) && !making_here) {
        pthread_mutex_unlock(&w->lock);
        pthread_cond_wait(&making_moved, &session_table.lock);
        pthread_mutex_unlock(&session_table.lock);
        pthread_mutex_lock(&w->lock);
        pthread_mutex_lock(&session_table.lock);
    }
    idle = !making_on(session, slot);
    pthread_mutex_unlock(&session_table.lock);
    return idle;
}

static bool slot_has_other(CK_SLOT_ID slot, const struct session *than)
{
    const struct session *s;

    for (uint32_t i = 1, n = sessions_used(); i <= n; i++) {
        s = session_at(i);
        if (s && s != than && session_slot(s) == slot)
            return true;
    }
    return false;
}

/* A session of ours for a moment, to log out on when the application's last is closed. */
static CK_SESSION_HANDLE session_spare(const struct world *w, const struct session *s)
{
    const struct shown_token *t = &w->tokens[session_slot(s)];

    return t->lower ? lower_spare(t->lower, t->lower_slot) : CK_INVALID_HANDLE;
}

/* With the last one the application is logged out (PKCS#11 2.40, section 5.6, C_CloseSession): the lower module would not
 * see that it was the last where somebody else in the process has sessions there. Closed first, so that who stays is
 * still logged in; only where there is no room for a spare session the logout comes first. A session that the lower
 * module has lost is lost here too; one that it failed to close and still answers for stays the application's, to close
 * again, unless ours must go. */
static CK_RV session_close_locked(struct world *w, struct session *s, bool must)
{
    CK_SESSION_HANDLE handle = atomic_load(&s->entry.handle), lower = atomic_load(&s->lower), spare = CK_INVALID_HANDLE;
    CK_FUNCTION_LIST *below = atomic_load(&s->below);
    CK_SLOT_ID slot = session_slot(s);
    bool last = !slot_has_other(slot, s);
    CK_SESSION_INFO info;
    CK_RV rv;

    governed_idle_end(s);
    if (last && !must)
        spare = session_spare(w, s);
    if (last && !spare) {
        objects_forget_private(slot);
        below->C_Logout(lower);
        failover_logged(slot, false);
    }
    rv = below->C_CloseSession(lower);
    if (rv == CKR_OK || must || below->C_GetSessionInfo(lower, &info) != CKR_OK) {
        if (spare) {
            below->C_Logout(spare);
            failover_logged(slot, false);
        }
        session_drop(s);
        objects_forget_session(handle);
        if (last)
            objects_forget_slot(slot);
    }
    if (spare)
        below->C_CloseSession(spare);
    return rv;
}

CK_RV our_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
                        CK_SESSION_HANDLE_PTR session)
{
    struct world *w = world_current();
    CK_RV rv;

    if (!session)
        return CKR_ARGUMENTS_BAD;
    if (flags & CKF_ASYNC_SESSION)
        return CKR_SESSION_ASYNC_NOT_SUPPORTED;
    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    rv = session_open_locked(w, slot, flags, application, notify, session);
    pthread_mutex_unlock(&w->lock);
    return rv;
}

CK_RV our_C_CloseSession(CK_SESSION_HANDLE session)
{
    struct world *w = world_current();
    struct session_view view;
    CK_RV rv = CKR_SESSION_HANDLE_INVALID;

    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    if (session_view(session, &view) && !making_wait(w, session, view.slot))
        rv = CKR_FUNCTION_FAILED;
    else if (session_view(session, &view))
        rv = session_close_locked(w, view.session, false);
    pthread_mutex_unlock(&w->lock);
    return rv;
}

/* One by one, never C_CloseAllSessions below: that would close sessions which are not the application's. The answer is
 * the first failure of one that stays. */
static CK_RV sessions_close_slot(struct world *w, CK_SLOT_ID slot)
{
    CK_RV rv = CKR_OK, one;
    struct session *s;

    for (uint32_t i = 1, n = sessions_used(); i <= n; i++) {
        s = session_at(i);
        if (!s || session_slot(s) != slot)
            continue;
        one = session_close_locked(w, s, false);
        if (rv == CKR_OK && session_at(i))
            rv = one;
    }
    return rv;
}

CK_RV our_C_CloseAllSessions(CK_SLOT_ID slot)
{
    struct world *w = world_current();
    struct shown_token *t = NULL;
    CK_RV rv, closed = CKR_OK;

    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    rv = slot_token(w, slot, &t);
    if (rv != CKR_SLOT_ID_INVALID && !making_wait(w, CK_INVALID_HANDLE, slot))
        closed = CKR_FUNCTION_FAILED;
    else if (rv != CKR_SLOT_ID_INVALID)
        closed = sessions_close_slot(w, slot);
    pthread_mutex_unlock(&w->lock);
    return rv == CKR_OK ? closed : rv;
}

struct session *sessions_next(CK_SLOT_ID slot, uint32_t *at)
{
    struct session *s;
    uint32_t used = sessions_used();

    while (++*at <= used) {
        s = session_at(*at);
        if (s && session_slot(s) == slot)
            return s;
    }
    return NULL;
}

void sessions_close_all(struct world *w)
{
    struct session *s;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->token_count; i++)
        making_wait(w, CK_INVALID_HANDLE, i);
    for (uint32_t i = 1, n = sessions_used(); i <= n; i++)
        if ((s = session_at(i)))
            session_close_locked(w, s, true);
    pthread_mutex_unlock(&w->lock);
}

void sessions_lost(struct world *w, CK_SLOT_ID slot)
{
    sessions_leave(slot);
    w->tokens[slot].left_in = true;
}

void sessions_leave(CK_SLOT_ID slot)
{
    struct session *s;
    uint32_t at = 0;

    while ((s = sessions_next(slot, &at))) {
        session_drop(s);
    }
    objects_forget_slot(slot);
    failover_logged(slot, false);
}

void sessions_blind(void)
{
    struct session *s;

    pthread_mutex_lock(&session_table.lock);
    for (uint32_t i = 1; i <= session_table.used; i++) {
        s = table_at(&session_table, i, sizeof(*s));
        atomic_store(&s->entry.handle, CK_INVALID_HANDLE);
    }
    pthread_mutex_unlock(&session_table.lock);
}

void sessions_forget(void)
{
    table_forget(&session_table);
    pthread_cond_init(&making_moved, NULL); /* the parent's threads that waited do not exist here */
    making_here = 0;
}

CK_RV our_C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info)
{
    struct session_view view;
    unsigned turns = 0;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!info)
        return CKR_ARGUMENTS_BAD;
    do {
        if (!session_enter(session, &view))
            return session_unknown();
        rv = view.below->C_GetSessionInfo(view.lower, info);
        session_leave(&view);
    } while (failover_again(&view, rv, &turns));
    if (rv == CKR_OK)
        info->slotID = view.slot;
    return rv;
}

CK_RV our_C_Logout(CK_SESSION_HANDLE session)
{
    struct world *w = world_current();
    struct session_view view;
    CK_RV rv = CKR_SESSION_HANDLE_INVALID;

    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    if (session_view(session, &view) && !making_wait(w, CK_INVALID_HANDLE, view.slot)) {
        rv = CKR_FUNCTION_FAILED;
    } else if (session_view(session, &view)) {
        sessions_idle_end(view.slot); /* a R/O session would keep the SO out */
        rv = view.below->C_Logout(view.lower);
        if (rv == CKR_OK) {
            objects_forget_private(view.slot);
            failover_logged(view.slot, false);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return rv;
}
