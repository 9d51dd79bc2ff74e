#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "module/errand.h"

/* Threads that come back, and one that does not. */

enum { MANY = 16, PATIENT = 600 };

struct work {
    pthread_mutex_t gate; /* held: the errand hangs */
    atomic_uint runs, lates;
    pthread_t by;
    bool unmasked, left;
};

static void work_make(struct work *w, bool hangs)
{
    *w = (struct work){.runs = 0};
    pthread_mutex_init(&w->gate, NULL);
    if (hangs)
        pthread_mutex_lock(&w->gate);
}

static void run(void *work)
{
    struct work *w = work;
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    w->unmasked = sigismember(&now, SIGTERM) == 0 || sigismember(&now, SIGCHLD) == 0;
    w->by = pthread_self();
    pthread_mutex_lock(&w->gate);
    pthread_mutex_unlock(&w->gate);
    w->left = errand_left();
    atomic_fetch_add(&w->runs, 1);
}

static void late(void *work)
{
    struct work *w = work;
    atomic_fetch_add(&w->lates, 1);
}

static struct errand *begun(struct work *w, unsigned seconds)
{
    struct fault f;
    struct errand *e = NULL;
    assert_int_equal(errand_begin(run, late, w, seconds, &e, &f), OK);
    assert_non_null(e);
    return e;
}

static void all_come_back(void **state)
{
    struct work works[MANY];
    struct errand *list[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        work_make(&works[i], false);
        list[i] = begun(&works[i], PATIENT);
    }
    for (size_t left = MANY; left > 0; left--) {
        size_t i = errands_wait(list, MANY);
        assert_true(i < MANY);
        assert_true(errand_end(list[i]));
        list[i] = NULL;
        assert_int_equal(atomic_load(&works[i].runs), 1);
        assert_int_equal(atomic_load(&works[i].lates), 0);
        assert_false(works[i].unmasked);
        assert_false(pthread_equal(works[i].by, pthread_self()));
    }
    assert_int_equal(errands_wait(list, MANY), MANY);
}

static void one_that_hangs_keeps_nobody(void **state)
{
    struct work hung, quick;
    (void)state;
    work_make(&hung, true);
    work_make(&quick, false);
    struct errand *list[] = {begun(&hung, 0), NULL, begun(&quick, PATIENT)};
    for (int left = 2; left > 0; left--) {
        size_t i = errands_wait(list, 3);
        assert_true(i == 0 || i == 2);
        assert_int_equal(errand_end(list[i]), i == 2);
        list[i] = NULL;
    }
    assert_int_equal(atomic_load(&hung.runs), 0);
    pthread_mutex_unlock(&hung.gate);
    while (atomic_load(&hung.lates) == 0)
        usleep(1000);
    assert_int_equal(atomic_load(&hung.runs), 1);
    assert_int_equal(atomic_load(&quick.lates), 0);
    assert_true(hung.left);
    assert_false(quick.left);
    assert_false(errand_left());
}

static void no_thread_where_none_may_be(void **state)
{
    struct work w;
    (void)state;
    work_make(&w, false);
    errands_without_threads(true);
    struct errand *e = begun(&w, 0);
    errands_without_threads(false);
    assert_true(pthread_equal(w.by, pthread_self()));
    assert_int_equal(errands_wait(&e, 1), 0);
    assert_true(errand_end(e));
    assert_int_equal(atomic_load(&w.lates), 0);
}

#ifndef __SANITIZE_THREAD__ /* which begins no thread in the child of a process with several */
/* The parent's errand is out; the child has ones of its own. */
static void a_child_begins_anew(void **state)
{
    struct work hung, quick;
    int status = -1;
    (void)state;
    work_make(&hung, true);
    struct errand *out = begun(&hung, PATIENT);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        errands_forget();
        work_make(&quick, false);
        struct errand *e = NULL;
        struct fault f;
        if (errand_begin(run, late, &quick, PATIENT, &e, &f) != OK)
            _exit(1);
        errands_wait(&e, 1);
        _exit(errand_end(e) && quick.runs == 1 ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    pthread_mutex_unlock(&hung.gate);
    errands_wait(&out, 1);
    assert_true(errand_end(out));
}

#ifndef __SANITIZE_ADDRESS__ /* which needs room of its own */
/* No room for another thread's stack: nothing is begun, and whoever asked hears it. */
static void no_thread_to_be_had(void **state)
{
    struct work w;
    int status = -1;
    (void)state;
    work_make(&w, false);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit none = {1, 1};
        struct errand *e = NULL;
        struct fault f = {OK, ""};
        if (setrlimit(RLIMIT_AS, &none) != 0)
            _exit(1);
        enum outcome outcome = errand_begin(run, late, &w, PATIENT, &e, &f);
        _exit(outcome == E_MEMORY && e == NULL && w.runs == 0 && w.lates == 0 && f.text[0] != '\0' ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}
#endif
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
        cmocka_unit_test(no_thread_to_be_had), /* first: the stack of an earlier thread would do */
#endif
        cmocka_unit_test(all_come_back),
        cmocka_unit_test(one_that_hangs_keeps_nobody),
        cmocka_unit_test(no_thread_where_none_may_be),
#ifndef __SANITIZE_THREAD__
        cmocka_unit_test(a_child_begins_anew),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
