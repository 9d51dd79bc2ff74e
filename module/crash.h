#ifndef QUORATE_MODULE_CRASH_H
#define QUORATE_MODULE_CRASH_H

/* For the crash sweep (builds with QUORATE_CRASH_TEST only): with QUORATE_CRASH_AT=N in the environment the process
 * dies by SIGKILL at the N-th durable step of its log, counted from 1. In any other build this does nothing. */
#ifdef QUORATE_CRASH_TEST
void crash_arm(void);
#else
static inline void crash_arm(void)
{
}
#endif

#endif
