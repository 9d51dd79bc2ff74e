#include "module/crash.h"

#ifdef QUORATE_CRASH_TEST

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/log.h"

static unsigned long steps_left;

static void crash_step(const char *step)
{
    (void)step;
    if (steps_left > 0 && --steps_left == 0) {
        kill(getpid(), SIGKILL);
        _exit(137);
    }
}

void crash_arm(void)
{
    const char *at = secure_getenv("QUORATE_CRASH_AT");
    if (at == NULL)
        return;
    steps_left = strtoul(at, NULL, 10);
    log_step_hook = crash_step;
}

#endif
