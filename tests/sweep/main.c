#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sweep/sweep.h"

/* sweep crash [--every N] [OPERATION]... : see crash.c. Prints "ok …" or "FAIL …" for each; ends with 1 where anything failed. */

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 0;
}

static int table(const struct operation *o, unsigned every, int argc, char **argv)
{
    int rc = 0;
    for (; o->name; o++)
        if (wanted(o->name, argc, argv))
            rc |= sweep_crashes(o, every);
    return rc;
}

int main(int argc, char **argv)
{
    unsigned every = 1;
    int rc = 0;
    if (argc < 2 || strcmp(argv[1], "crash") != 0)
        return 2;
    argc -= 2;
    argv += 2;
    if (argc > 1 && strcmp(argv[0], "--every") == 0) {
        every = (unsigned)strtoul(argv[1], NULL, 10);
        argc -= 2;
        argv += 2;
    }
    room_make();
    rc |= table(log_operations, every, argc, argv);
    room_end();
    return rc;
}
