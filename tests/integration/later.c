/* Preloaded: an hour later than it is. */
#include <time.h>

#include <sys/syscall.h>
#include <unistd.h>

int clock_gettime(clockid_t which, struct timespec *ret)
{
    int rc = (int)syscall(SYS_clock_gettime, which, ret);

    if (rc == 0 && which == CLOCK_REALTIME)
        ret->tv_sec += 3600;
    return rc;
}
