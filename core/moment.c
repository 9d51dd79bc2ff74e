#include "core/moment.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY 86400
#define ERA_DAYS 146097 /* 400 years of the Gregorian calendar */

/* A calendar of our own: gmtime would read TZ from the environment of the host process. */
struct civil {
    int64_t year;
    int month, day; /* from 1 */
};

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int64_t year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01; year at least 1. */
static int64_t civil_days(struct civil c)
{
    int64_t before = c.year - 1, days = before * 365 + before / 4 - before / 100 + before / 400;

    for (int m = 1; m < c.month; m++)
        days += month_days(c.year, m);
    return days + c.day - 1 - 719162; /* days from 0001-01-01 to 1970-01-01 */
}

static struct civil civil_of(int64_t days)
{
    struct civil c = {.month = 1};
    int64_t left = days + 719162;

    c.year = 1 + left / ERA_DAYS * 400;
    left %= ERA_DAYS;
    while (left >= (leap(c.year) ? 366 : 365)) {
        left -= leap(c.year) ? 366 : 365;
        c.year++;
    }
    while (left >= month_days(c.year, c.month)) {
        left -= month_days(c.year, c.month);
        c.month++;
    }
    c.day = (int)left + 1;
    return c;
}

moment moment_now(void)
{
    struct timespec now = {0};

    return clock_gettime(CLOCK_REALTIME, &now) == 0 ? (moment)now.tv_sec : 0;
}

struct moment_text moment_format(moment t)
{
    static const moment first = (moment)-719162 * DAY;    /* 0001-01-01T00:00:00Z */
    static const moment last = (moment)2932897 * DAY - 1; /* 9999-12-31T23:59:59Z */
    struct moment_text ret = {"never"}, shown = {"0000-00-00T00:00:00Z"};
    struct civil c;
    int64_t days, rest;

    if (t == MOMENT_NEVER)
        return ret;
    t = t < first ? first : t > last ? last : t;
    days = (t - first) / DAY - 719162;
    rest = (t - first) % DAY;
    c = civil_of(days);
    const struct {
        unsigned at, count;
        int64_t value;
    } parts[] = {{0, 4, c.year},       {5, 2, c.month},         {8, 2, c.day},
                 {11, 2, rest / 3600}, {14, 2, rest / 60 % 60}, {17, 2, rest % 60}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (int64_t n = (int64_t)parts[i].count, left = parts[i].value; n-- > 0; left /= 10)
            shown.text[parts[i].at + (unsigned)n] = (char)('0' + left % 10);
    return shown;
}

/* `count` decimal digits at text, or -1. */
static int digits(const char *text, int count)
{
    int value = 0;

    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* "YYYY-MM-DD" at the start of at least ten characters. */
static bool date_read(const char *text, moment *ret)
{
    struct civil c = {.year = digits(text, 4), .month = digits(text + 5, 2), .day = digits(text + 8, 2)};

    if (text[4] != '-' || text[7] != '-' || c.year < 1 || c.month < 1 || c.month > 12 || c.day < 1 ||
        c.day > month_days(c.year, c.month))
        return false;
    *ret = civil_days(c) * DAY;
    return true;
}

/* "HH:MM:SSZ" of exactly nine characters. */
static bool time_read(const char *text, moment *ret)
{
    int hour = digits(text, 2), minute = digits(text + 3, 2), second = digits(text + 6, 2);

    if (text[2] != ':' || text[5] != ':' || text[8] != 'Z' || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 59)
        return false;
    *ret = (moment)hour * 3600 + minute * 60 + second;
    return true;
}

enum outcome moment_parse(const char *text, moment *ret, struct fault *f)
{
    moment date = 0, time = 0;

    if (strlen(text) != 20 || !date_read(text, &date) || text[10] != 'T' || !time_read(text + 11, &time))
        return fault_set(f, E_INVALID, "\"%.40s\" is no time; one like 2026-11-22T13:03:00Z was expected", text);
    *ret = date + time;
    return OK;
}

enum outcome moment_parse_loose(const char *text, moment *ret, struct fault *f)
{
    moment date = 0;

    if (strlen(text) == 10 && date_read(text, &date)) {
        *ret = date;
        return OK;
    }
    if (moment_parse(text, ret, f) != OK)
        return fault_set(f, E_INVALID, "\"%.40s\" is no date; one like 2026-11-22 or 2026-11-22T13:03:00Z was expected",
                         text);
    return OK;
}

enum outcome duration_parse(const char *text, struct span_of_time *ret, struct fault *f)
{
    static const struct {
        const char *name;
        int seconds, months;
    } units[] = {{"second", 1, 0},     {"minute", 60, 0}, {"hour", 3600, 0}, {"day", DAY, 0},
                 {"week", 7 * DAY, 0}, {"month", 0, 1},   {"year", 0, 12}};
    const char *unit = strchr(text, ' ');
    size_t figures = unit == NULL ? 0 : (size_t)(unit - text);
    int count = figures >= 1 && figures <= 6 && text[0] != '0' ? digits(text, (int)figures) : -1;

    /* zero is refused: it would read as "no bound" */
    for (size_t i = 0; count > 0 && i < sizeof units / sizeof units[0]; i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(unit + 1, units[i].name, len) != 0)
            continue;
        if (strcmp(unit + 1 + len, "s") != 0 && unit[1 + len] != '\0')
            continue;
        *ret = (struct span_of_time){.seconds = (int64_t)count * units[i].seconds, .months = count * units[i].months};
        return OK;
    }
    return fault_set(f, E_INVALID,
                     "\"%.40s\" is no length of time; a number from 1 to 999999 and seconds, minutes, hours, days, "
                     "weeks, months or years were expected",
                     text);
}

moment moment_add(moment t, struct span_of_time d)
{
    static const moment last = (moment)2932897 * DAY - 1;
    moment moved = t;

    if (t == MOMENT_NEVER || t > last || t < (moment)-719162 * DAY)
        return MOMENT_NEVER;
    if (d.months > 0) {
        int64_t days = (t + (moment)719162 * DAY) / DAY - 719162, rest = t - days * DAY;
        struct civil c = civil_of(days);
        int64_t month = c.year * 12 + c.month - 1 + d.months;

        c.year = month / 12;
        c.month = (int)(month % 12) + 1;
        if (c.day > month_days(c.year, c.month))
            c.day = month_days(c.year, c.month);
        moved = civil_days(c) * DAY + rest;
    }
    return __builtin_add_overflow(moved, d.seconds, &moved) || moved > last ? MOMENT_NEVER : moved;
}

struct moment_text duration_format(int64_t seconds)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
    struct moment_text t = {""};
    size_t i = 0;

    while (units[i].seconds > 1 && (seconds < units[i].seconds || seconds % units[i].seconds != 0))
        i++;
    snprintf(t.text, sizeof t.text, "%lld %s%s", (long long)(seconds / units[i].seconds), units[i].name,
             seconds / units[i].seconds == 1 ? "" : "s");
    return t;
}
