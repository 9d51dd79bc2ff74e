#include <stdio.h>
#include <unistd.h>

#include "tests/sweep/sweep.h"

/* A recovery races a living operation: at each of its calls to the HSMs, one after the other, it stands still while another
 * process settles what it finds. That one must leave it alone, and it must go through. */

#define PATIENCE 60u /* seconds, for a recovery that waits for what stands still */

static const struct deed *swept;
static unsigned long position;

static struct meeting {
    atomic_ulong calls, busy;
    atomic_bool here, go;
} * meeting;

static void hook(const char *function, struct hsm_turn *ret)
{
    (void)function;
    (void)ret;
    if (atomic_fetch_add(&meeting->calls, 1) + 1 != position)
        return;
    atomic_store(&meeting->here, true);
    for (unsigned n = 0; !atomic_load(&meeting->go) && n < PATIENCE * 5000; n++)
        usleep(200);
}

static int living(void)
{
    int rc = swept->begin();
    if (rc)
        return 100 + rc;
    atomic_store(&meeting->calls, 0);
    atomic_store(&hook_armed, true);
    rc = swept->run();
    atomic_store(&meeting->here, true); /* there was no such call: nobody waits for it */
    return rc;
}

static int recovering(void)
{
    size_t busy = 0;
    int rc = estate_begin();
    if (!rc && estate_settle(&busy) != OK)
        rc = 1;
    atomic_store(&meeting->busy, busy);
    return estate_finish(rc);
}

static bool once(void)
{
    atomic_store(&meeting->here, false);
    atomic_store(&meeting->go, false);
    stage_copy(swept->stage, "race");
    int pid = child_begin(living, "living");
    while (!atomic_load(&meeting->here))
        usleep(200);
    bool there = atomic_load(&meeting->calls) >= position;
    int other = there ? child(recovering) : 0;
    if (other)
        complain("%s, call %lu: the recovery ended with %d: %s", swept->name, position, other, child_said());
    atomic_store(&meeting->go, true);
    int rc = child_end(pid);
    if (rc)
        complain("%s, call %lu: a recovery beside it made it end with %d", swept->name, position, rc);
    if (!there)
        return false;
    told_good = rc == 0;
    rc = child(swept->check);
    if (rc)
        complain("%s, call %lu, after a recovery beside it: %s (%d)", swept->name, position, child_said(), rc);
    atomic_fetch_add(&tally->positions, 1);
    atomic_fetch_add(&tally->runs, atomic_load(&meeting->busy) > 0);
    return true;
}

int sweep_races(const struct deed *o, unsigned every)
{
    swept = o;
    shown_count = 0;
    meeting = room_shared(sizeof *meeting);
    hook_between = hook;
    tally_clear();
    for (position = 1; once(); position += every)
        ;
    unsigned long bad = atomic_load(&tally->bad), left = atomic_load(&tally->runs);
    if (left == 0)
        complain("%s: no recovery ever met a living one", o->name);
    printf("%s %s, beside a recovery at each of %lu calls, which left it alone %lu times\n",
           bad || !left ? "FAIL" : "ok  ", o->name, atomic_load(&tally->positions), left);
    return bad != 0 || left == 0;
}
