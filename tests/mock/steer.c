#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/mock/inner.h"

#define EXPORT __attribute__((visibility("default")))

static const char *const names[] = {
#define FUNCTION_2_40(name, kind, note, params, args) #name,
#define FUNCTION_3_0(name, kind, note, params, args) #name,
#include "module/functions.def"
};
#define ROWS (sizeof(names) / sizeof(*names))

struct steering {
    bool answers, done, lies, hangs, there; /* there: only calls of slot `slot` */
    CK_SLOT_ID slot;
    CK_RV rv;
    CK_ULONG len;
    unsigned delay;
    int die;
    unsigned long skip, times; /* what is left of both; times ULONG_MAX: for ever */
};
static struct steering rows[ROWS];
static unsigned long calls[ROWS], calls_at[MOCK_TOKENS + 1];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards them */
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static unsigned long releases, hanging; /* under the lock */
static int trace = -1;                  /* under the lock */
atomic_bool mock_steered, mock_shows_3_0;

static _Thread_local bool lying;
static _Thread_local CK_ULONG lie;

CK_ULONG mock_length(CK_ULONG len)
{
    return atomic_load_explicit(&mock_steered, memory_order_relaxed) && lying ? lie : len;
}

/* With the lock held. */
static void hang(void)
{
    unsigned long before = releases;

    hanging++;
    while (releases == before)
        pthread_cond_wait(&released, &lock);
    hanging--;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

bool mock_turn_begin(size_t row, CK_SLOT_ID slot, struct mock_turn *ret)
{
    struct steering now = {0};
    double began = now_ms();

    pthread_mutex_lock(&lock);
    int tell = trace;
    calls[row]++;
    calls_at[slot]++;
    if (rows[row].there && rows[row].slot != slot) {
        now.times = 0;
    } else if (rows[row].skip > 0) {
        rows[row].skip--;
    } else if (rows[row].times > 0) {
        now = rows[row];
        if (rows[row].times != (unsigned long)-1)
            rows[row].times--;
    }
    if (now.hangs)
        hang();
    pthread_mutex_unlock(&lock);
    if (now.delay)
        usleep(now.delay);
    if (now.die)
        kill(getpid(), now.die);
    if (tell >= 0)
        dprintf(tell, "%.3f %.3f %lu %s\n", began, now_ms(), slot, names[row]);
    lying = now.lies;
    lie = now.len;
    *ret = (struct mock_turn){.answer = now.answers, .rv = now.rv};
    return now.answers && !now.done;
}

CK_RV mock_turn_end(const struct mock_turn *turn, CK_RV rv)
{
    lying = false;
    return turn->answer ? turn->rv : rv;
}

/* One word after the function's name. */
static bool word_read(const char *word, struct steering *s)
{
    const char *value = strchr(word, '=');
    size_t len = value ? (size_t)(value - word) : strlen(word);
    char *end = NULL;
    unsigned long number = value ? strtoul(value + 1, &end, 0) : 0;

    if (value && (end == value + 1 || *end))
        return false;
    if (!value && strcmp(word, "done") == 0)
        s->done = true;
    else if (!value && strcmp(word, "hang") == 0)
        s->hangs = true;
    else if (value && strncmp(word, "slot", len) == 0)
        s->there = true, s->slot = number;
    else if (value && strncmp(word, "rv", len) == 0)
        s->answers = true, s->rv = number;
    else if (value && strncmp(word, "delay", len) == 0)
        s->delay = (unsigned)number;
    else if (value && strncmp(word, "len", len) == 0)
        s->lies = true, s->len = number;
    else if (value && strncmp(word, "die", len) == 0)
        s->die = (int)number;
    else if (value && strncmp(word, "skip", len) == 0)
        s->skip = number;
    else if (value && strncmp(word, "times", len) == 0)
        s->times = number;
    else
        return false;
    return true;
}

static bool token_steer(const char *what, const char *number)
{
    unsigned long slot = number ? strtoul(number, NULL, 10) : MOCK_TOKENS;

    if (slot >= MOCK_TOKENS)
        return false;
    if (strcmp(what, "notify") == 0) {
        atomic_store(&mock_tokens[slot].notifies, true);
        return true;
    }
    atomic_store(&mock_tokens[slot].present, strcmp(what, "present") == 0);
    mock_slot_event();
    return true;
}

static bool function_steer(const char *name, char **rest)
{
    struct steering s = {.times = (unsigned long)-1};
    const char *word;
    size_t row = 0;

    bool all = strcmp(name, "all") == 0;
    while (!all && row < ROWS && strcmp(names[row], name) != 0)
        row++;
    if (row == ROWS)
        return false;
    while ((word = strtok_r(NULL, " \t\n", rest)))
        if (!word_read(word, &s))
            return false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ROWS; i++)
        if (all || i == row)
            rows[i] = s;
    pthread_mutex_unlock(&lock);
    return true;
}

static bool clone_steer(const char *what, char **rest)
{
    const char *slot = strtok_r(NULL, " \t\n", rest), *path = strtok_r(NULL, " \t\n", rest);
    const char *id = strtok_r(NULL, " \t\n", rest), *how = strtok_r(NULL, " \t\n", rest);

    if (!path || (strcmp(what, "clone-in") == 0) != (id != NULL))
        return false;
    return id ? mock_clone_in(strtoul(slot, NULL, 10), path, id, how ? how : "")
              : mock_clone_out(strtoul(slot, NULL, 10), path);
}

EXPORT bool mock_steer(const char *line);
EXPORT unsigned long mock_calls(const char *function);

bool mock_steer(const char *line)
{
    char copy[256], *rest = NULL;
    const char *what;

    if (strlen(line) >= sizeof(copy))
        return false;
    memcpy(copy, line, strlen(line) + 1);
    what = strtok_r(copy, " \t\n", &rest);
    if (!what || *what == '#')
        return true;
    if (strcmp(what, "wipe") == 0) {
        mock_wipe();
        return true;
    }
    if (strcmp(what, "reset") == 0) {
        pthread_mutex_lock(&lock);
        memset(rows, 0, sizeof(rows));
        memset(calls, 0, sizeof(calls));
        memset(calls_at, 0, sizeof(calls_at));
        releases++;
        pthread_cond_broadcast(&released);
        pthread_mutex_unlock(&lock);
        for (size_t i = 0; i < MOCK_TOKENS; i++) {
            atomic_store(&mock_tokens[i].present, true);
            atomic_store(&mock_tokens[i].notifies, false);
        }
        mock_real_reset();
        atomic_store(&mock_steered, false);
        return true;
    }
    if (strcmp(what, "release") == 0) {
        pthread_mutex_lock(&lock);
        releases++;
        pthread_cond_broadcast(&released);
        pthread_mutex_unlock(&lock);
        return true;
    }
    if (strcmp(what, "real") == 0) {
        atomic_store(&mock_real, true);
        return true;
    }
    if (strcmp(what, "lacks") == 0 || strcmp(what, "refuses") == 0) {
        const char *slot = strtok_r(NULL, " \t\n", &rest);
        return slot && mock_real_steer(what, strtoul(slot, NULL, 10), strtok_r(NULL, " \t\n", &rest));
    }
    if (strcmp(what, "trace") == 0) {
        pthread_mutex_lock(&lock);
        trace = rest && *rest ? (int)strtol(rest, NULL, 10) : -1;
        pthread_mutex_unlock(&lock);
        return true;
    }
    if (strcmp(what, "clone-out") == 0 || strcmp(what, "clone-in") == 0)
        return clone_steer(what, &rest);
    if (strcmp(what, "version") == 0) {
        atomic_store(&mock_shows_3_0, strcmp(rest, "3.0") == 0);
        return true;
    }
    if (strcmp(what, "absent") == 0 || strcmp(what, "present") == 0 || strcmp(what, "notify") == 0)
        return token_steer(what, strtok_r(NULL, " \t\n", &rest));
    if (strcmp(what, "count") != 0 && !function_steer(what, &rest))
        return false;
    atomic_store(&mock_steered, true);
    return true;
}

unsigned long mock_calls(const char *function)
{
    unsigned long count = 0;

    pthread_mutex_lock(&lock);
    if (strcmp(function, "hanging") == 0)
        count = hanging;
    for (size_t i = 0; i < MOCK_TOKENS; i++)
        if (strncmp(function, "slot ", 5) == 0 && strtoul(function + 5, NULL, 10) == i)
            count = calls_at[i];
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(function, "all") == 0)
            count += calls[i];
        else if (strcmp(names[i], function) == 0)
            count = calls[i];
    pthread_mutex_unlock(&lock);
    return count;
}

void mock_steer_file(void)
{
    const char *path = getenv("MOCK_HSM");
    char line[256];
    FILE *file = path ? fopen(path, "re") : NULL;

    if (!file)
        return;
    while (fgets(line, sizeof(line), file))
        if (!mock_steer(line))
            fprintf(stderr, "mock-hsm: not understood: %s", line);
    fclose(file);
}
