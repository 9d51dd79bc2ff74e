#include "ceremony/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "audit/log.h"

#define LONG_LOG 20000u /* entries; a shorter one is read before anybody could look */

static void progress_draw(uint64_t done, uint64_t total)
{
    static const char bar[] = "########################################";
    int width = (int)sizeof bar - 1, filled = 0;

    if (total < LONG_LOG)
        return;
    filled = (int)(done * (uint64_t)width / total);
    fprintf(stderr, "\r%3u %% [%-*.*s] %llu of %llu entries", (unsigned)(done * 100 / total), width, filled, bar,
            (unsigned long long)done, (unsigned long long)total);
    if (done == total)
        fputs("\r\033[K", stderr);
    fflush(stderr);
}

void progress_watch(void)
{
    if (isatty(STDERR_FILENO))
        log_progress_hook = progress_draw;
}
