#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/log.h"
#include "tests/sweep/disk.h"
#include "tests/sweep/sweep.h"

/* Eight processes append to one log at once; half of them die at some call. What any of them acknowledged is there. */

#define PROCESSES 8u
#define APPENDS 24u

static struct acknowledged {
    atomic_ulong count[PROCESSES];
    struct checkpoint all[PROCESSES][APPENDS];
} * acknowledged;

static unsigned self, chance;

static enum outcome say(struct log *l, unsigned i, struct fault *f)
{
    json_t *body = json_object();
    enum outcome rc = log_begin(l, f);
    if (!rc)
        rc = json_put_integer(body, "said", i) ? log_append(l, ENTRY_STEP, NULL, body, NULL, f) : fault_memory(f);
    if (!rc) {
        struct checkpoint *c = &acknowledged->all[self][i];
        c->size = log_size(l);
        log_root(l, &c->root);
        atomic_fetch_add(&acknowledged->count[self], 1);
    }
    log_end(l);
    json_decref(body);
    return rc;
}

static int appending(void)
{
    struct fault f;
    struct log *l = NULL;
    disk_share();
    if (self % 2)
        disk_arm(spot.home, 1 + chance % (APPENDS * 7), self % 4 == 1 ? DISK_DIES : DISK_TEARS);
    enum outcome rc = log_open(spot.log, NULL, NULL, &l, &f);
    for (unsigned i = 0; !rc && i < APPENDS; i++)
        rc = say(l, i, &f);
    log_close(l);
    if (rc)
        fprintf(stderr, "%s\n", f.text);
    return rc != OK;
}

static int check(void)
{
    struct fault f;
    if (!shown_check(&f))
        return 0;
    fprintf(stderr, "%s\n", f.text);
    return 1;
}

static void round_run(unsigned number)
{
    int pids[PROCESSES], rc = 0;
    unsigned long done = 0;
    memset(acknowledged, 0, sizeof *acknowledged);
    stage_copy(log_operations[0].stage, "crowd");
    for (self = 0; self < PROCESSES; self++) {
        chance = (number * PROCESSES + self + 1) * 2654435761u >> 8;
        pids[self] = child_begin(appending, "appending");
    }
    shown_count = 0;
    for (unsigned p = 0; p < PROCESSES; p++) {
        unsigned long count = (rc = child_end(pids[p]), atomic_load(&acknowledged->count[p]));
        if (rc != 0 && !(p % 2 && rc == 128 + 9))
            complain("round %u: process %u ended with %d", number, p, rc);
        if (rc == 0 && count != APPENDS)
            complain("round %u: process %u appended %lu times", number, p, count);
        atomic_fetch_add(&tally->positions, rc != 0);
        for (unsigned i = 0; i < count; i++)
            shown[shown_count++] = acknowledged->all[p][i];
        done += count;
    }
    atomic_fetch_add(&tally->runs, done);
    rc = child(check);
    if (rc)
        complain("round %u: %s", number, child_said());
}

int crowd_appends(unsigned rounds)
{
    acknowledged = room_shared(sizeof *acknowledged);
    tally_clear();
    for (unsigned n = 0; n < rounds; n++)
        round_run(n);
    unsigned long bad = atomic_load(&tally->bad), killed = atomic_load(&tally->positions);
    printf("%s %u processes at once, %u times, of which %lu died: %lu appends acknowledged, %s\n",
           bad ? "FAIL" : "ok  ", PROCESSES, rounds, killed, atomic_load(&tally->runs),
           bad ? "not all there" : "all there");
    return bad != 0 || killed == 0;
}
