#include <stdio.h>
#include <string.h>

#include "tests/sweep/disk.h"
#include "tests/sweep/sweep.h"

/* An operation ends at its Nth call, for every N: by kill -9, in the middle of a write, by a disk that fails; and the power fails
 * at that moment. Or the courier is gone at that call of its other end, which goes on. Each time another process looks. */

static const struct deed *swept;
static unsigned long position;
static enum disk_fate fate;

static const char *const fates[] = {"goes well", "dies", "tears", "EIO", "ENOSPC", "EINTR", "short", "parts"};

static int life(void)
{
    int rc = swept->begin ? swept->begin() : 0;
    if (rc)
        return 100 + rc;
    if (swept->elsewhere)
        disk_arm_others(spot.home, position, fate);
    else
        disk_arm(spot.home, position, fate);
    rc = swept->run();
    disk_disarm();
    return rc;
}

static void check(const char *how)
{
    int rc = child(swept->check);
    atomic_fetch_add(&tally->runs, 1);
    if (rc)
        complain("%s, call %lu (%s) %s, %s: %s (%d)", swept->name, position, disk_hit_what(), fates[fate], how,
                 child_said(), rc);
}

/* The power failed at that call: what is in memory is gone. `left` is what the HSMs and the disk were left with. */
static void lose(const struct image *before, const char *left)
{
    char how[64];
    for (unsigned n = 0; n < 2; n++) {
        unsigned seed = n == 0 ? (unsigned)position % 3 : 100 + (unsigned)position;
        snprintf(how, sizeof how, "power failed (%u)", seed);
        tree_copy(left, spot.folder);
        image_lose(before, spot.home, seed);
        check(how);
    }
}

/* false: there is no such call any more. */
static bool once(enum disk_fate which)
{
    char left[160];
    fate = which;
    snprintf(left, sizeof left, "%s.left", spot.folder);
    stage_copy(swept->stage, strrchr(spot.folder, '/') + 1);
    if (swept->elsewhere)
        spot_elsewhere();
    struct image *before = image_scan(spot.home);
    int rc = child(life);
    orphans_end();
    disk_disarm_others();
    bool hit = disk_hit(), died = which == DISK_DIES || which == DISK_TEARS;
    if (!hit ? rc != 0 : died && !swept->elsewhere ? rc != 128 + 9 : rc > 1)
        complain("%s, call %lu (%s) %s: ended with %d: %s", swept->name, position, disk_hit_what(), fates[which], rc,
                 child_said());
    if (hit) {
        told_good = rc == 0;
        shown_read();
        image_play(before);
        if (died)
            tree_copy(spot.folder, left);
        check("then looked at");
        if (died)
            lose(before, left);
    }
    image_free(before);
    return hit;
}

/* What can happen to it beside death depends on what it is: a write can be cut short, a call to the HSM is another sweep's. */
static void position_sweep(bool *ret_any)
{
    *ret_any = once(DISK_DIES);
    if (!*ret_any)
        return;
    atomic_fetch_add(&tally->positions, 1);
    bool call = strncmp(disk_hit_what(), "call", 4) == 0, write = strncmp(disk_hit_what(), "write", 5) == 0;
    if (swept->elsewhere)
        once(DISK_PARTS);
    if (write) {
        once(DISK_TEARS);
        once(DISK_EINTR);
        once(DISK_SHORT);
    }
    if (!call) {
        once(DISK_EIO);
        once(DISK_ENOSPC);
    }
}

static void work(unsigned worker, unsigned every)
{
    bool any = true;
    for (position = 1 + worker * every; any; position += WORKERS * every)
        position_sweep(&any);
}

int sweep_crashes(const struct deed *o, unsigned every)
{
    swept = o;
    workers_run(o, work, every);
    unsigned long bad = atomic_load(&tally->bad);
    printf("%s %s ended at each of %lu calls, looked at %lu times%s\n", bad ? "FAIL" : "ok  ", o->name,
           atomic_load(&tally->positions), atomic_load(&tally->runs), bad ? "" : ": nothing lost");
    return bad != 0 || atomic_load(&tally->positions) == 0;
}
