#ifndef QUORATE_TESTS_CLOCK_OFF_H
#define QUORATE_TESTS_CLOCK_OFF_H

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* This program's clock, as many seconds off. */
static time_t clock_off;
int clock_gettime(clockid_t which, struct timespec *ret)
{
    int rc = (int)syscall(SYS_clock_gettime, which, ret);
    if (rc == 0 && which == CLOCK_REALTIME)
        ret->tv_sec += clock_off;
    return rc;
}

#endif
