#ifndef QUORATE_TESTS_SCRATCH_FOLDER_H
#define QUORATE_TESTS_SCRATCH_FOLDER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A fresh folder for what a test writes; false: there is none. In TMPDIR where that is set; else in memory where there is room and
 * programs may run, for on a disk the syncs would take most of a test's time. */
static inline bool scratch_folder(char *ret, size_t size, const char *purpose)
{
    const char *chosen = getenv("TMPDIR");
    struct statvfs s;
    bool in_memory = access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &s) == 0 && (s.f_flag & ST_NOEXEC) == 0 &&
                     s.f_bavail >= (1u << 30) / s.f_frsize;

    if (chosen == NULL || chosen[0] == '\0')
        chosen = in_memory ? "/dev/shm" : "/tmp";
    snprintf(ret, size, "%s/quorate-%s-XXXXXX", chosen, purpose);
    return mkdtemp(ret) != NULL;
}

#endif
