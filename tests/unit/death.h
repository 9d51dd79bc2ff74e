#ifndef QUORATE_TESTS_DEATH_H
#define QUORATE_TESTS_DEATH_H

#include <signal.h>

#include "audit/log.h"

static unsigned death_steps_left;

static inline void death_step(const char *step)
{
    (void)step;
    if (--death_steps_left == 0)
        raise(SIGKILL);
}

/* From here on this process is killed at the step of that number that a log of its takes (log_step_hook), the first is 1. */
static inline void die_at_step(unsigned step)
{
    death_steps_left = step;
    log_step_hook = death_step;
}

#endif
