#include "module/slot_events.h"

#include <pthread.h>
#include <time.h>

#include "module/functions.h"
#include "module/life.h"
#include "module/slots.h"

/* Lower modules have no call that waits for all of them: they are asked again after this time. */
#define LOOK_AGAIN_MS 200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;  /* guards waiting; never held with the world's */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER; /* the life is over, or somebody left */
static unsigned waiting;

static CK_RV event_look(CK_SLOT_ID *ret)
{
    struct world *w = world_current();
    CK_RV rv = CKR_NO_EVENT;

    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    slots_look(w);
    for (CK_SLOT_ID i = 0; i < w->token_count && rv == CKR_NO_EVENT; i++) {
        if (w->tokens[i].noticed == (w->tokens[i].lower != NULL))
            continue;
        w->tokens[i].noticed = !w->tokens[i].noticed;
        *ret = i;
        rv = CKR_OK;
    }
    pthread_mutex_unlock(&w->lock);
    return rv;
}

static void pause_locked(void)
{
    struct timespec until = {0};

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_AGAIN_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&changed, &lock, &until);
}

CK_RV our_C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID_PTR slot, CK_VOID_PTR reserved)
{
    CK_RV rv = CKR_NO_EVENT;

    if (!slot || reserved)
        return CKR_ARGUMENTS_BAD;
    pthread_mutex_lock(&lock);
    waiting++;
    for (;;) {
        if (!life_going()) {
            rv = CKR_CRYPTOKI_NOT_INITIALIZED;
            break;
        }
        pthread_mutex_unlock(&lock);
        rv = event_look(slot);
        pthread_mutex_lock(&lock);
        if (rv != CKR_NO_EVENT || flags & CKF_DONT_BLOCK)
            break;
        if (life_going())
            pause_locked();
    }
    waiting--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return rv;
}

void slot_events_end(void)
{
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&changed);
    while (waiting > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

void slot_events_forget(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&changed, NULL);
    waiting = 0;
}
