#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "audit/log_inner.h"

void (*log_step_hook)(const char *step) = NULL;

#ifdef QUORATE_CRASH_TEST
/* QUORATE_CRASH_AT=N: this process ends as by kill -9 at the Nth step, from 1, of all its appends together;
 * NAME:N: at the Nth step of that name. Built for the crash sweep alone. */
static void crash_perhaps(const char *step)
{
    static unsigned long all, named;
    const char *at = secure_getenv("QUORATE_CRASH_AT"), *colon = at ? strrchr(at, ':') : NULL;
    if (!at)
        return;
    all++;
    if (colon && strlen(step) == (size_t)(colon - at) && !strncmp(at, step, (size_t)(colon - at)))
        named++;
    else if (colon)
        return;
    if (strtoul(colon ? colon + 1 : at, NULL, 10) == (colon ? named : all))
        raise(SIGKILL);
}
#endif

void log_step(const char *step)
{
    if (log_step_hook)
        log_step_hook(step);
#ifdef QUORATE_CRASH_TEST
    crash_perhaps(step);
#endif
}
