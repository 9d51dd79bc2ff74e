#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sweep/sweep.h"

/* sweep crash|fault|hang|race [--every N] [OPERATION]...: see crash.c, fault.c, race.c; sweep crowd [--every N]: see crowd.c;
 * sweep courier: see courier_operations.c. Prints "ok …" or "FAIL …" for each; ends with 1 where anything failed. */

typedef int sweep_fn(const struct deed *o, unsigned every);

static char **names;
static int name_count;

static bool wanted(const char *name)
{
    for (int i = 0; i < name_count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return name_count == 0;
}

static const struct deed *const logs[] = {log_operations, NULL};
static const struct deed *const estates[] = {estate_operations, replicate_operations, NULL};
static const struct deed *const homes[] = {home_operations, courier_operations, NULL};

static int all(const struct deed *const *tables, sweep_fn *sweep, unsigned every)
{
    int rc = 0;
    for (; *tables; tables++)
        for (const struct deed *o = *tables; o->name; o++)
            if (wanted(o->name))
                rc |= sweep(o, every);
    return rc;
}

static int run(const char *what, unsigned every)
{
    if (strcmp(what, "crash") == 0)
        return all(logs, sweep_crashes, every) | all(estates, sweep_crashes, every) | all(homes, sweep_crashes, every);
    if (strcmp(what, "fault") == 0)
        return all(estates, sweep_faults, every);
    if (strcmp(what, "hang") == 0)
        return all(estates, sweep_hangs, every);
    if (strcmp(what, "race") == 0)
        return all(estates, sweep_races, every);
    return crowd_appends(every > 20 ? 1 : 20 / every) | crowd_births(every > 10 ? 10 : 100 / every);
}

static bool known(const char *what)
{
    static const char *const sweeps[] = {"crash", "fault", "hang", "race", "crowd"};
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++)
        if (strcmp(sweeps[i], what) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    unsigned every = 1;
    if (strcmp(what, "courier") == 0)
        return courier_end(argc, argv);
    names = argv + 2;
    name_count = argc - 2;
    if (argc > 3 && strcmp(argv[2], "--every") == 0) {
        every = (unsigned)strtoul(argv[3], NULL, 10);
        names += 2;
        name_count -= 2;
    }
    if (every == 0 || !known(what))
        return 2;
    room_make();
    int rc = run(what, every);
    room_end();
    return rc;
}
