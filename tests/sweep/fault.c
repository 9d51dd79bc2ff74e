#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/return_codes.h"
#include "tests/sweep/sweep.h"

/* Each call of an operation to the HSMs goes wrong, one after the other: answered with an error before or after it was done, with
 * CKR_OK and nothing done, with lengths that cannot be, with all sessions gone. The application gets a return code that
 * PKCS#11 allows for its function, and another process finds nothing that the log does not account for. Or it hangs, longer
 * than the policy lets a site take: then that process ends while it hangs, or after it. */

/* Of every call. */
static const struct hsm_turn always[] = {
    {HSM_ANSWERS, CKR_DEVICE_ERROR, 0},
    {HSM_DOES, CKR_DEVICE_ERROR, 0},
    {HSM_ANSWERS, CKR_SESSION_HANDLE_INVALID, 0},
    {HSM_ANSWERS, CKR_OK, 0},
    {HSM_LIES, 0, 0},
    {HSM_LIES, 0, (CK_ULONG)-1},
    {HSM_LIES, 0, 1UL << 20},
    {HSM_RESETS, 0, 0},
};
#define ALWAYS (sizeof always / sizeof *always)
static const char *const faults[] = {"", "answers", "does and answers", "lies", "resets", "hangs"};

static const struct deed *swept;
static unsigned long position;
static struct hsm_turn turn;

/* The processes share these: how many calls there were, and which one it was. */
struct calls {
    atomic_ulong count;
    atomic_bool hung; /* since that process began */
    atomic_int by;    /* thread id of the one that hung */
    char function[40];
};
static struct calls *calls;
static pthread_t application;

static bool comes_back(void)
{
    return position % 2 == 1;
}

/* What was tried, of each call in each way; where SWEEP_TRIED names a folder, what runs before this one tried too (a file there for
 * each operation), and only the rest is tried. It is of the program that was built: another one calls the HSMs at other places. */
#define CALLS_MAX 4096u
#define WAYS (ALWAYS + CODES)
static struct tried {
    bool ways[CALLS_MAX][128];
} * tried;
_Static_assert(WAYS <= 128, "each way has a place");

static void tried_open(const char *operation)
{
    const char *folder = getenv("SWEEP_TRIED");
    char path[256];
    if (!folder) {
        tried = room_shared(sizeof *tried);
        return;
    }
    snprintf(path, sizeof path, "%s/%s", folder, operation);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, sizeof *tried) != 0)
        exit(3);
    tried = mmap(NULL, sizeof *tried, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (tried == MAP_FAILED)
        exit(3);
}

/* How many there are of what was tried, as far as its last call. */
static unsigned long tried_count(unsigned long *ret_all)
{
    unsigned long count = 0, last = 0;
    for (size_t p = 1; p < CALLS_MAX; p++)
        for (size_t w = 0; w < WAYS; w++)
            if (tried->ways[p][w]) {
                last = p;
                count++;
            }
    *ret_all = last * WAYS;
    return count;
}

/* Whoever asks an HSM for the application itself hangs with it: nobody can say when to leave it alone. */
static void hang(void)
{
    if (pthread_equal(pthread_self(), application))
        return;
    atomic_store(&calls->by, gettid());
    atomic_store(&calls->hung, true);
    sleep(comes_back() ? ANSWER_WITHIN + 1 : 3600);
}

static void hook(const char *function, struct hsm_turn *ret)
{
    if (atomic_fetch_add(&calls->count, 1) + 1 != position)
        return;
    snprintf(calls->function, sizeof calls->function, "%s", function);
    *ret = turn;
    if (turn.fault == HSM_HANGS)
        hang();
}

/* An HSM carries out a call whole or not at all; SoftHSM is ended with its process, also in the middle of one. */
static void await_return(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d", atomic_load(&calls->by));
    while (access(path, F_OK) == 0)
        usleep(10000);
}

static int life(void)
{
    int rc = swept->begin();
    if (rc)
        return 100 + rc;
    atomic_store(&calls->count, 0);
    atomic_store(&calls->hung, false);
    atomic_store(&told->answer, CKR_OK);
    application = pthread_self();
    atomic_store(&hook_armed, true);
    rc = swept->run();
    if (comes_back() && atomic_load(&calls->hung))
        await_return();
    return rc;
}

/* false: there is no such call. */
static bool once(void)
{
    stage_copy(swept->stage, strrchr(spot.folder, '/') + 1);
    int rc = child(life);
    CK_RV rv = atomic_load(&told->answer);
    if (atomic_load(&calls->count) < position)
        return false;
    if (turn.fault == HSM_HANGS && !atomic_load(&calls->hung))
        return true;
    char said[512], what[160];
    snprintf(said, sizeof said, "%.500s", child_said());
    snprintf(what, sizeof what, "%s, call %lu: %s %s 0x%lx", swept->name, position, calls->function, faults[turn.fault],
             turn.fault == HSM_LIES ? turn.length : turn.rv);
    if (rc > 1)
        complain("%s: ended with %d: %s", what, rc, said);
    bool own = turn.fault == HSM_ANSWERS && turn.rv == rv && strcmp(calls->function, told->answering) == 0;
    /* What the HSM answers to that very function is passed on as it is. */
    if (swept->answers && !own && !answer_allowed(told->answering, rv))
        complain("%s: %s answered 0x%lx: %s", what, told->answering, rv, said);
    told_good = rc == 0;
    rc = child(swept->check);
    if (rc)
        complain("%s: %s (%d), after 0x%lx: %s", what, child_said(), rc, rv, said);
    atomic_fetch_add(&tally->runs, 1);
    return true;
}

unsigned long sweep_seed(void)
{
    const char *text = getenv("SWEEP_SEED");
    return text ? strtoul(text, NULL, 10) : 0;
}

/* false: there is no such call. */
static bool way_try(size_t way)
{
    if (tried->ways[position][way])
        return true;
    turn = way < ALWAYS ? always[way] : (struct hsm_turn){HSM_ANSWERS, codes[way - ALWAYS], 0};
    bool any = once();
    if (any)
        tried->ways[position][way] = true;
    return any;
}

/* Every call gets all of `always`, and SWEEP_CODES of the codes, others than the calls before it and than with the seed before:
 * each function meets each code where it is called often enough, and each call in so many seeds as there are codes. Where
 * calls are left out, a seed takes others than the one before; of a few in many it takes the same, for there may be no other. */
static void work(unsigned worker, unsigned every)
{
    const char *text = getenv("SWEEP_CODES");
    size_t each = text ? strtoul(text, NULL, 10) : 3, next = worker * CODES / WORKERS + sweep_seed() % CODES * each;
    unsigned shift = every < 10 ? (unsigned)(sweep_seed() % every) : 0;
    bool any = true;
    calls = room_shared(sizeof *calls);
    hook_between = hook;
    for (position = 1 + shift + worker * every; any && position < CALLS_MAX; position += WORKERS * every) {
        for (size_t way = 0; any && way < ALWAYS; way++)
            any = way_try(way);
        for (size_t i = 0, left = each; any && left > 0 && i < CODES; i++) {
            size_t way = ALWAYS + (next + i) % CODES;
            left -= !tried->ways[position][way];
            any = way_try(way);
        }
        next += each;
        if (any)
            atomic_fetch_add(&tally->positions, 1);
    }
}

int sweep_faults(const struct deed *o, unsigned every)
{
    swept = o;
    shown_count = 0;
    tried_open(o->name);
    workers_run(o, work, every);
    unsigned long bad = atomic_load(&tally->bad);
    printf("%s %s, each of %lu calls to the HSMs went wrong, in %lu ways together, seed %lu%s\n", bad ? "FAIL" : "ok  ",
           o->name, atomic_load(&tally->positions), atomic_load(&tally->runs), sweep_seed(),
           bad ? "" : ": nothing half done");
    if (getenv("SWEEP_TRIED")) {
        unsigned long ways = 0, count = tried_count(&ways);
        printf("     %s: %lu of %lu have been tried\n", o->name, count, ways);
    }
    munmap(tried, sizeof *tried);
    return bad != 0 || atomic_load(&tally->positions) == 0;
}

static void work_hangs(unsigned worker, unsigned every)
{
    bool any = true;
    calls = room_shared(sizeof *calls);
    hook_between = hook;
    turn = (struct hsm_turn){.fault = HSM_HANGS};
    for (position = 1 + worker * every; any; position += WORKERS * every) {
        any = once();
        atomic_fetch_add(&tally->positions, any && atomic_load(&calls->hung));
    }
}

int sweep_hangs(const struct deed *o, unsigned every)
{
    swept = o;
    shown_count = 0;
    workers_run(o, work_hangs, every);
    unsigned long bad = atomic_load(&tally->bad);
    printf("%s %s, %lu calls to replicas hung%s\n", bad ? "FAIL" : "ok  ", o->name, atomic_load(&tally->positions),
           bad ? "" : ": nothing half done");
    return bad != 0;
}
