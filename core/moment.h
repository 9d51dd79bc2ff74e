#ifndef QUORATE_CORE_MOMENT_H
#define QUORATE_CORE_MOMENT_H

#include <stdint.h>

#include "core/fault.h"

/* Seconds since 1970-01-01T00:00:00Z. In documents "2026-11-22T13:03:00Z" and nothing else; where a person writes,
 * a date alone means its midnight, UTC. */
typedef int64_t moment;
#define MOMENT_NEVER INT64_MAX

struct moment_text {
    char text[24];
};

struct span_of_time { /* "15 minutes", "24 months": months are calendar months, the rest seconds */
    int64_t seconds;
    int months;
};

moment moment_now(void); /* CLOCK_REALTIME */
struct moment_text moment_format(moment t);
enum outcome moment_parse(const char *text, moment *ret, struct fault *f);       /* strict: with time and Z */
enum outcome moment_parse_loose(const char *text, moment *ret, struct fault *f); /* or a date alone */
enum outcome duration_parse(const char *text, struct span_of_time *ret,
                            struct fault *f); /* second(s) minute hour day week month year */
/* "15 minutes", "2 hours", "90 seconds": in the largest unit that fits without a rest. */
struct moment_text duration_format(int64_t seconds);
moment moment_add(moment t, struct span_of_time d);

#endif
