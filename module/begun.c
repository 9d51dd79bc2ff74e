#include "module/begun.h"

#include <stdlib.h>

#include "module/failover.h"
#include "module/parameter.h"

struct begun {
    atomic_uint holders; /* the session, and the threads that look at it */
    enum governed_kind kind;
    struct mechanism_copy mechanism;
    CK_OBJECT_HANDLE key; /* the application's handle */
    CK_ULONG place;       /* where it was begun */
    bool fed;             /* these two under the lock */
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the last of all: nothing else is taken under it */

static void begun_release(struct begun *b)
{
    if (!b || atomic_fetch_sub(&b->holders, 1) != 1)
        return;
    mechanism_copy_clear(&b->mechanism);
    free(b);
}

static void begun_set(struct session *s, struct begun *b)
{
    struct begun *before;

    pthread_mutex_lock(&lock);
    before = s->begun;
    s->begun = b;
    pthread_mutex_unlock(&lock);
    begun_release(before);
}

void begun_drop(struct session *s)
{
    begun_set(s, NULL);
}

void begun_forget(void)
{
    pthread_mutex_init(&lock, NULL); /* the parent's thread that held it does not exist here */
}

/* C_SignInit and its like succeeded. A mechanism that cannot be copied is not kept: its operation ends with its HSM. */
static void begun_keep(const struct session_view *view, enum governed_kind kind, const CK_MECHANISM *mechanism,
                       CK_OBJECT_HANDLE key)
{
    struct begun *b = calloc(1, sizeof(*b));
    struct fault ignored = {0};

    if (b && mechanism_copy(mechanism, &b->mechanism, &ignored) == OK) {
        atomic_init(&b->holders, 1);
        b->kind = kind;
        b->key = key;
        b->place = view->place;
    } else {
        free(b);
        b = NULL;
    }
    begun_set(view->session, b);
}

/* To be released; NULL: nothing of that kind. */
static struct begun *begun_hold(const struct session_view *view, enum governed_kind kind, bool *ret_here, bool *ret_fed)
{
    struct begun *b;

    pthread_mutex_lock(&lock);
    b = view->session->begun;
    if (b && b->kind == kind) {
        atomic_fetch_add(&b->holders, 1);
        *ret_here = b->place == view->place;
        *ret_fed = b->fed;
    } else {
        b = NULL;
    }
    pthread_mutex_unlock(&lock);
    return b;
}

static void begun_mark(const struct session_view *view, enum governed_kind kind, bool fed)
{
    pthread_mutex_lock(&lock);
    if (view->session->begun && view->session->begun->kind == kind) {
        view->session->begun->place = view->place;
        view->session->begun->fed |= fed;
    }
    pthread_mutex_unlock(&lock);
}

/* Begins on this HSM what was begun on another one. *ret_lost: what was fed is not here. */
static CK_RV begun_renew(const struct session_view *view, enum governed_kind kind, use_init_fn *init, bool *ret_lost)
{
    bool here = true, fed = false;
    struct begun *b = begun_hold(view, kind, &here, &fed);
    CK_RV rv = CKR_OK;

    if (!b || here)
        goto out;
    if (!governed_is(view->session, kind)) { /* else what was fed is kept by the module */
        if (fed)
            rv = CKR_DEVICE_REMOVED;
        else
            rv = init(view, &b->mechanism.m, b->key);
        *ret_lost = fed;
    }
    if (rv == CKR_OK)
        begun_mark(view, kind, false);
out:
    begun_release(b);
    return rv;
}

CK_RV watched_init(CK_SESSION_HANDLE session, use_init_fn *once, enum governed_kind kind, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE key)
{
    struct session_view view;
    unsigned turns = 0;
    CK_RV rv;

    if (session_view(session, &view))
        failover_follow(&view);
    do {
        if (!session_enter(session, &view))
            return session_unknown();
        rv = mechanism ? once(&view, mechanism, key) : CKR_ARGUMENTS_BAD;
        session_leave(&view);
    } while (failover_again(&view, rv, &turns));
    if (rv == CKR_OK)
        begun_keep(&view, kind, mechanism, key);
    return rv;
}

/* The caller comes again: with more room, or it only asked for a length. */
static bool goes_on(const struct governed_end *what, CK_RV rv)
{
    return rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && what->out_len && !what->out);
}

CK_RV watched_step(CK_SESSION_HANDLE session, use_step_fn *once, use_init_fn *init, enum governed_kind kind,
                   const struct governed_end *what, bool ends)
{
    struct session_view view;
    unsigned turns = 0;
    bool lost = false, renewed;
    CK_RV rv;

    do {
        if (!session_enter(session, &view))
            return session_unknown();
        rv = begun_renew(&view, kind, init, &lost);
        renewed = rv == CKR_OK;
        if (renewed)
            rv = once(&view, what);
        session_leave(&view);
    } while (!lost && failover_again(&view, rv, &turns));
    if (goes_on(what, rv))
        return rv;
    if (rv == CKR_OK && !ends)
        begun_mark(&view, kind, true);
    else
        begun_drop(view.session);
    return renewed ? rv : CKR_DEVICE_REMOVED; /* what was begun is not here, nor can be */
}
