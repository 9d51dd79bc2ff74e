#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "module/world.h"
#include "tests/sweep/sweep.h"

/* Births from four threads and two processes at once: all complete, none doubled. */

#define PROCESSES 2u
#define THREADS 4u
#define LATE_MAX (PROCESSES * THREADS)

static unsigned births;
static struct line {
    atomic_uint next, failed, ready, again, late_count;
    unsigned late[LATE_MAX]; /* left for a process of its own, whose SoftHSM sees all */
    char why[1024];          /* the first one that failed */
} * line;

/* SoftHSM now and then shows one process nothing of what another has put on the token, until something is put there once
 * more, or not all of its tokens, or fails to log in: the log's head is then said to be missing, or an HSM, and nothing is born.
 * Asked again. */
static bool softhsm_looked_away(CK_RV rv)
{
    return (rv == CKR_FUNCTION_REJECTED && strstr(refusal_text(), "head on the HSM")) ||
           (rv == CKR_DEVICE_ERROR && (strstr(refusal_text(), "no token with serial number") ||
                                       strstr(refusal_text(), "C_Login: CKR_GENERAL_ERROR")));
}

static CK_RV bear(CK_SESSION_HANDLE session, unsigned n)
{
    CK_RV rv = estate_crowd_birth(session, n);
    for (unsigned again = 0; again < 20 && softhsm_looked_away(rv); again++) {
        atomic_fetch_add(&line->again, 1);
        usleep(20000);
        rv = estate_crowd_birth(session, n);
    }
    return rv;
}

static void *bearing(void *unused)
{
    CK_SESSION_HANDLE session = estate_crowd_session();
    (void)unused;
    for (unsigned n; (n = atomic_fetch_add(&line->next, 1)) < births;) {
        CK_RV rv = bear(session, n);
        if (softhsm_looked_away(rv)) {
            line->late[atomic_fetch_add(&line->late_count, 1) % LATE_MAX] = n;
        } else if (rv != CKR_OK) {
            if (atomic_fetch_add(&line->failed, 1) == 0)
                snprintf(line->why, sizeof line->why, "%u: 0x%lx: %s", n, rv, refusal_text());
        }
    }
    return NULL;
}

static int living(void)
{
    pthread_t threads[THREADS];
    int rc = estate_begin();
    atomic_fetch_add(&line->ready, 1);
    while (!rc && atomic_load(&line->ready) < PROCESSES)
        usleep(1000);
    for (unsigned t = 0; !rc && t < THREADS; t++)
        rc = pthread_create(&threads[t], NULL, bearing, NULL);
    for (unsigned t = 0; !rc && t < THREADS; t++)
        rc = pthread_join(threads[t], NULL);
    return estate_finish(rc);
}

static int asking(void)
{
    int rc = estate_begin();
    return estate_finish(rc ? rc : estate_crowd_ask(births + 1));
}

/* Those that were left, and one more, alone: in the crowd a head may have been left as it was, now each HSM has the log's
 * newest. */
static int bear_alone(void)
{
    CK_SESSION_HANDLE session = estate_crowd_session();
    unsigned late = atomic_load(&line->late_count);
    CK_RV rv = late <= LATE_MAX ? CKR_OK : CKR_GENERAL_ERROR;
    for (unsigned i = 0; i < late && rv == CKR_OK; i++)
        rv = bear(session, line->late[i]);
    if (rv == CKR_OK)
        rv = bear(session, births);
    if (rv != CKR_OK)
        fprintf(stderr, "%u left and one more, alone: 0x%lx: %s\n", late, rv, refusal_text());
    return rv != CKR_OK;
}

static int checking(void)
{
    struct fault f;
    size_t busy = 0;
    int rc = estate_begin();
    if (!rc)
        rc = bear_alone();
    if (!rc)
        rc = estate_heads_check();
    if (!rc && (estate_settle(&busy) != OK || shown_check(&f)))
        rc = 1;
    if (!rc)
        rc = estate_crowd_check(births + 1) || estate_inventory();
    return estate_finish(rc);
}

int crowd_births(unsigned count)
{
    int pids[PROCESSES], rc = 0;
    births = count;
    line = room_shared(sizeof *line);
    shown_count = 0;
    tally_clear();
    stage_copy(&stage_three, "crowd-births");
    if (child(asking) != 0)
        complain("asking: %s", child_said());
    for (unsigned p = 0; p < PROCESSES; p++) {
        /* SoftHSM does not always see its tokens where two processes open them in the same instant. */
        pids[p] = child_begin(living, p == 0 ? "one" : "other");
        while (atomic_load(&line->ready) <= p)
            usleep(1000);
    }
    for (unsigned p = 0; p < PROCESSES; p++)
        if ((rc = child_end(pids[p])) != 0)
            complain("process %u ended with %d", p, rc);
    if (atomic_load(&line->failed) != 0)
        complain("%u of %u births failed, first %s", atomic_load(&line->failed), count, line->why);
    if (child(checking) != 0)
        complain("afterwards: %s", child_said());
    printf("%s %u births from %u threads and %u processes at once, asked again %u times\n",
           atomic_load(&tally->bad) ? "FAIL" : "ok  ", count, THREADS * PROCESSES, PROCESSES,
           atomic_load(&line->again));
    return atomic_load(&tally->bad) != 0;
}
