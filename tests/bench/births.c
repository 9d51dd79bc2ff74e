#include <pthread.h>
#include <time.h>

#include "module/drill.h"
#include "module/errand.h"
#include "tests/unit/mock_sites_fixture.h"

/* A birth to two replicas (`make bench`).
 *
 *   births softhsm ROUNDS    ours: from the application's call to its handles, log and signatures of people included; bare:
 *                            the time in the HSMs' own functions that make, wrap, unwrap, sign, copy and destroy keys,
 *                            begin sessions and log in, of a birth that asks one site after the other
 *                            then: keys a second of a drill of all three sites, in all and in those functions alone
 *   births mock ROUNDS MS    every call takes MS in its HSM's library, whatever else is asked of it meanwhile; calls: all that the
 *                            library of the site got that was called most often, times MS, as if one waited for the other
 *
 *   births timeline MS       every call of a birth on those: when it began, and in the column of its site, what
 *
 * Medians in milliseconds, and what ours is of the other. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"
enum { MOST = 64 };

static struct depth d;
static CK_FUNCTION_LIST *real, between;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double in_calls; /* under the lock: milliseconds in the HSMs' functions */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static CK_RV took(double since, CK_RV rv)
{
    double ms = now_ms() - since;
    pthread_mutex_lock(&lock);
    in_calls += ms;
    pthread_mutex_unlock(&lock);
    return rv;
}

#define TIMED(name, params, args)                                                                                      \
    static CK_RV timed_##name params                                                                                   \
    {                                                                                                                  \
        double since = now_ms();                                                                                       \
        return took(since, real->name args);                                                                           \
    }
TIMED(C_OpenSession,
      (CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR data, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR session),
      (slot, flags, data, notify, session))
TIMED(C_CloseSession, (CK_SESSION_HANDLE s), (s))
TIMED(C_Login, (CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG len), (s, user, pin, len))
TIMED(C_Logout, (CK_SESSION_HANDLE s), (s))
TIMED(C_GenerateKey, (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR k),
      (s, m, t, n, k))
TIMED(C_GenerateKeyPair,
      (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR p, CK_ULONG pn, CK_ATTRIBUTE_PTR t, CK_ULONG tn,
       CK_OBJECT_HANDLE_PTR pk, CK_OBJECT_HANDLE_PTR k),
      (s, m, p, pn, t, tn, pk, k))
TIMED(C_WrapKey,
      (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE k, CK_BYTE_PTR b,
       CK_ULONG_PTR len),
      (s, m, with, k, b, len))
TIMED(C_UnwrapKey,
      (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE with, CK_BYTE_PTR b, CK_ULONG len, CK_ATTRIBUTE_PTR t,
       CK_ULONG n, CK_OBJECT_HANDLE_PTR k),
      (s, m, with, b, len, t, n, k))
TIMED(C_CreateObject, (CK_SESSION_HANDLE s, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR o), (s, t, n, o))
TIMED(C_CopyObject,
      (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE from, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR o),
      (s, from, t, n, o))
TIMED(C_DestroyObject, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o), (s, o))
TIMED(C_SignInit, (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k), (s, m, k))
TIMED(C_Sign, (CK_SESSION_HANDLE s, CK_BYTE_PTR data, CK_ULONG len, CK_BYTE_PTR out, CK_ULONG_PTR out_len),
      (s, data, len, out, out_len))

static void step_between(void)
{
    struct lower *l = world_lower(d.world, SOFTHSM);
    real = l->f;
    between = *real;
#define STEP(name) between.name = timed_##name
    STEP(C_OpenSession);
    STEP(C_CloseSession);
    STEP(C_Login);
    STEP(C_Logout);
    STEP(C_GenerateKey);
    STEP(C_GenerateKeyPair);
    STEP(C_WrapKey);
    STEP(C_UnwrapKey);
    STEP(C_CreateObject);
    STEP(C_CopyObject);
    STEP(C_DestroyObject);
    STEP(C_SignInit);
    STEP(C_Sign);
    l->f = &between;
}

/* Milliseconds of one birth, once people have approved it. */
static double birth(void)
{
    static unsigned number;
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    char label[32];
    snprintf(label, sizeof label, "app-%u", number++);
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, label, "");
    depth_forget(&q);
    in_calls = 0;
    double since = now_ms();
    depth_ask(&d, &q, CKM_EC_KEY_PAIR_GEN, label, "");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    double ms = now_ms() - since;
    depth_forget(&q);
    return ms;
}

static int ascending(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static double median(double *list, size_t count)
{
    qsort(list, count, sizeof *list, ascending);
    return list[count / 2];
}

static double drill(void)
{
    struct fault f;
    json_t *report = NULL;
    in_calls = 0;
    double since = now_ms();
    assert_good(drill_run(d.world, NULL, NULL, &report, &f));
    double ms = now_ms() - since;
    assert_int_equal(json_integer_value(json_object_get(report, "unproven")), 0);
    json_decref(report);
    return ms;
}

/* Every key that was born, at all three sites, proves itself again: how many in a second. The calls are those of a drill that
 * asks one site after the other. */
static void drills(size_t rounds)
{
    double ours[MOST] = {0}, bare[MOST] = {0};
    double keys = 3.0 * (double)d.world->estate->state.key_count * 1e3; /* in a millisecond's units */
    for (size_t i = 0; i < rounds; i++) {
        errands_without_threads(true);
        drill();
        bare[i] = in_calls;
        errands_without_threads(false);
        ours[i] = drill();
    }
    double a = median(ours, rounds), b = median(bare, rounds);
    printf("drill softhsm: ours %.0f keys a second, the HSMs' own calls %.0f, ours/bare time %.2f\n", keys / a,
           keys / b, a / b);
}

static void on_softhsm(size_t rounds)
{
    double ours[MOST] = {0}, bare[MOST] = {0};
    depth_begin(&d, RULES);
    step_between();
    for (size_t i = 0; i < rounds; i++) {
        errands_without_threads(true);
        birth();
        bare[i] = in_calls;
        errands_without_threads(false);
        ours[i] = birth();
    }
    double a = median(ours, rounds), b = median(bare, rounds);
    printf("birth-two-replicas softhsm: ours %.1f ms, bare calls %.1f ms, ours/bare %.2f\n", a, b, a / b);
    drills(rounds);
}

static void on_mock(size_t rounds, unsigned ms)
{
    double ours[MOST] = {0}, calls[MOST] = {0};
    char line[64];
    mock_sites_make(&d, RULES);
    for (size_t i = 0; i < rounds; i++) {
        unsigned long before[3], most = 0;
        snprintf(line, sizeof line, "all delay=%u", ms * 1000);
        for (size_t k = 0; k < 3; k++) {
            hsm_steer(k, line);
            before[k] = hsm[k].calls("all");
        }
        ours[i] = birth();
        for (size_t k = 0; k < 3; k++) {
            unsigned long made = hsm[k].calls("all") - before[k];
            if (i == 0)
                printf("birth-two-replicas mock: %lu calls at %s\n", made, depth_sites[k]);
            most = made > most ? made : most;
        }
        calls[i] = (double)most * ms;
    }
    double a = median(ours, rounds), b = median(calls, rounds);
    printf("birth-two-replicas mock, %u ms a call: ours %.0f ms, the busiest site's calls %.0f ms, ours/calls %.2f\n",
           ms, a, b, a / b);
}

struct traced {
    double begin, end;
    unsigned long slot;
    char function[40];
};

static int earlier(const void *a, const void *b)
{
    const struct traced *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Every call of one birth, in the order in which they began: when, how long, and in the column of its site what. */
static void timeline(unsigned ms)
{
    static struct traced calls[1024];
    char line[128];
    size_t count = 0;
    FILE *file = tmpfile();
    assert_non_null(file);
    mock_sites_make(&d, RULES);
    snprintf(line, sizeof line, "all delay=%u", ms * 1000);
    for (size_t k = 0; k < 3; k++)
        hsm_steer(k, line);
    birth();
    snprintf(line, sizeof line, "trace %d", fileno(file));
    for (size_t k = 0; k < 3; k++)
        hsm_steer(k, line);
    double since = now_ms(), took_ms = birth();
    assert_int_equal(fseek(file, 0, SEEK_SET), 0);
    while (count < sizeof calls / sizeof *calls && fgets(line, sizeof line, file)) {
        struct traced *c = &calls[count++];
        char *rest = NULL;
        c->begin = strtod(line, &rest);
        c->end = strtod(rest, &rest);
        c->slot = strtoul(rest, &rest, 10);
        snprintf(c->function, sizeof c->function, "%.*s", (int)strcspn(rest + 1, "\n"), rest + 1);
    }
    fclose(file);
    qsort(calls, count, sizeof *calls, earlier);
    printf("%8s %6s   %-26s%-26s%s\n", "ms", "took", depth_sites[0], depth_sites[1], depth_sites[2]);
    for (size_t i = 0; i < count; i++)
        printf("%8.1f %6.1f   %*s%s\n", calls[i].begin - since, calls[i].end - calls[i].begin,
               calls[i].slot < 3 ? (int)calls[i].slot * 26 : 0, "", calls[i].function);
    printf("in all %.1f ms\n", took_ms);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    if (rounds == 0 || rounds > MOST || (argc != 3 && argc != 4)) {
        fprintf(stderr, "usage: births softhsm ROUNDS | births mock ROUNDS MS | births timeline MS\n");
        return 2;
    }
    if (strcmp(argv[1], "softhsm") == 0)
        on_softhsm(rounds);
    else if (strcmp(argv[1], "timeline") == 0)
        timeline((unsigned)rounds);
    else
        on_mock(rounds, argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 50);
    depth_end(&d);
    return 0;
}
