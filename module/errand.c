#include "module/errand.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/limits.h"

struct errand {
    errand_fn *run, *late;
    void *work;
    struct timespec until; /* CLOCK_MONOTONIC */
    bool done, left;       /* under the lock */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t back = PTHREAD_COND_INITIALIZER;
static atomic_bool threads_forbidden;
static _Thread_local struct errand *own; /* that this thread runs */

void errands_without_threads(bool forbidden)
{
    atomic_store(&threads_forbidden, forbidden);
}

void errands_forget(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&back, NULL);
}

static void *errand_thread(void *argument)
{
    struct errand *e = argument;
    own = e;
    e->run(e->work);
    own = NULL;
    pthread_mutex_lock(&lock);
    bool left = e->left;
    e->done = true;
    pthread_cond_broadcast(&back);
    pthread_mutex_unlock(&lock);
    if (left) {
        e->late(e->work);
        free(e);
    }
    return NULL;
}

/* A detached thread that no signal of the application's reaches. */
static int thread_begin(struct errand *e)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int rc = pthread_attr_init(&attributes);
    if (rc != 0)
        return rc;
    sigfillset(&all);
    rc = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (rc == 0)
        rc = pthread_attr_setstacksize(&attributes, LIMIT_STACK);
    if (rc == 0)
        rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc == 0) {
        rc = pthread_create(&thread, &attributes, errand_thread, e);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return rc;
}

enum outcome errand_begin(errand_fn *run, errand_fn *late, void *work, unsigned seconds, struct errand **ret,
                          struct fault *f)
{
    struct errand *e = calloc(1, sizeof *e);
    if (e == NULL)
        return fault_memory(f);
    *e = (struct errand){.run = run, .late = late, .work = work};
    clock_gettime(CLOCK_MONOTONIC, &e->until);
    e->until.tv_sec += (time_t)seconds;
    if (atomic_load(&threads_forbidden)) {
        run(work);
        e->done = true;
    } else if (thread_begin(e) != 0) {
        free(e);
        return fault_set(f, E_MEMORY, "the system gives no further thread: close what is not needed and try again");
    }
    *ret = e;
    return OK;
}

static bool earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* With the lock held. */
static size_t errand_over(struct errand *const *list, size_t count, const struct errand **ret_next)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *ret_next = NULL;
    for (size_t i = 0; i < count; i++)
        if (list[i] != NULL && list[i]->done)
            return i;
    for (size_t i = 0; i < count; i++) {
        if (list[i] == NULL)
            continue;
        if (!earlier(&now, &list[i]->until))
            return i;
        if (*ret_next == NULL || earlier(&list[i]->until, &(*ret_next)->until))
            *ret_next = list[i];
    }
    return count;
}

size_t errands_wait(struct errand *const *list, size_t count)
{
    const struct errand *next = NULL;
    pthread_mutex_lock(&lock);
    size_t over = errand_over(list, count, &next);
    while (over == count && next != NULL) {
        pthread_cond_clockwait(&back, &lock, CLOCK_MONOTONIC, &next->until);
        over = errand_over(list, count, &next);
    }
    pthread_mutex_unlock(&lock);
    return over;
}

bool errand_back(const struct errand *e)
{
    pthread_mutex_lock(&lock);
    bool done = e->done;
    pthread_mutex_unlock(&lock);
    return done;
}

bool errand_end(struct errand *e)
{
    pthread_mutex_lock(&lock);
    bool done = e->done;
    e->left = !done;
    pthread_mutex_unlock(&lock);
    if (done)
        free(e);
    return done;
}

bool errand_left(void)
{
    if (own == NULL)
        return false;
    pthread_mutex_lock(&lock);
    bool left = own->left;
    pthread_mutex_unlock(&lock);
    return left;
}
