#ifndef QUORATE_TESTS_SCRATCH_H
#define QUORATE_TESTS_SCRATCH_H

/* A folder for one test, and its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scratch_folder.h"

static char scratch[64];

static int scratch_make(void **state)
{
    (void)state;
    umask(022);
    return scratch_folder(scratch, sizeof scratch, "test") ? 0 : -1;
}

static int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static int scratch_remove(void **state)
{
    (void)state;
    return nftw(scratch, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path in the folder; of the last call only. */
static inline const char *in(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

/* A shell's command in the folder. */
static inline void scratch_run(const char *command)
{
    char text[512];

    snprintf(text, sizeof text, "cd '%s' && %s", scratch, command);
    assert_int_equal(system(text), 0);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

#endif
