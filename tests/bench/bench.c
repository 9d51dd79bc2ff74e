#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <p11-kit/pkcs11.h>

/* Calls PKCS#11 modules, as an application that does nothing else.
 *
 *   bench LAYER TOKEN PIN time MS BARE BARETOKEN [ROW]    each row by the layer and by the module that lies below it, in one
 *       process on the same HSM and in turn (bare, layer, layer, bare): its name, threads, nanoseconds a call of the bare
 *       one and of the layer on the clock, then of a thread's processor time, then of that the layer's throughput as a
 *       part of the bare one's and what is added (medians of rounds)
 *   bench LAYER TOKEN PIN count ROW N    the row N times, for somebody who counts instructions
 *
 * TOKEN is a label. Keys named bench-ec and bench-rsa are made where they are not there yet. */

enum { ROUNDS = 15, DATA = 32, OBJECTS = 20 };

/* A module as the rows use it. */
struct layer {
    CK_FUNCTION_LIST *p11;
    CK_SLOT_ID slot;
    CK_OBJECT_HANDLE ec_key, rsa_key;
    CK_SESSION_HANDLE sessions[2][2]; /* for digests, thread */
};
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void must(CK_RV rv, const char *what)
{
    if (rv == CKR_OK)
        return;
    fprintf(stderr, "bench: %s: 0x%lx\n", what, rv);
    exit(1);
}

static void sign_with(const struct layer *l, CK_SESSION_HANDLE s, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = {type, NULL, 0};
    CK_BYTE data[DATA] = {1}, signature[512];
    CK_ULONG len = sizeof(signature);

    must(l->p11->C_SignInit(s, &mechanism, key), "C_SignInit");
    must(l->p11->C_Sign(s, data, sizeof(data), signature, &len), "C_Sign");
}

static void row_ecdsa(const struct layer *l, CK_SESSION_HANDLE s)
{
    sign_with(l, s, CKM_ECDSA, l->ec_key);
}

static void row_rsa(const struct layer *l, CK_SESSION_HANDLE s)
{
    sign_with(l, s, CKM_RSA_PKCS, l->rsa_key);
}

static void row_find(const struct layer *l, CK_SESSION_HANDLE s)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof(class)}};
    CK_OBJECT_HANDLE found[64];
    CK_ULONG count = 0;

    must(l->p11->C_FindObjectsInit(s, match, 1), "C_FindObjectsInit");
    must(l->p11->C_FindObjects(s, found, 64, &count), "C_FindObjects");
    must(l->p11->C_FindObjectsFinal(s), "C_FindObjectsFinal");
    if (count < OBJECTS)
        must(CKR_GENERAL_ERROR, "C_FindObjects found too few");
}

static void row_random(const struct layer *l, CK_SESSION_HANDLE s)
{
    CK_BYTE bytes[DATA];

    must(l->p11->C_GenerateRandom(s, bytes, sizeof(bytes)), "C_GenerateRandom");
}

static void row_digest(const struct layer *l, CK_SESSION_HANDLE s)
{
    CK_BYTE part[16] = {1};

    must(l->p11->C_DigestUpdate(s, part, sizeof(part)), "C_DigestUpdate");
}

static void row_attribute(const struct layer *l, CK_SESSION_HANDLE s)
{
    CK_KEY_TYPE type;
    CK_ATTRIBUTE item = {CKA_KEY_TYPE, &type, sizeof(type)};

    must(l->p11->C_GetAttributeValue(s, l->ec_key, &item, 1), "C_GetAttributeValue");
}

static const struct row {
    const char *name;
    void (*once)(const struct layer *l, CK_SESSION_HANDLE s);
    bool digests; /* on sessions with a digest begun, where no other operation may be */
} rows[] = {
    {"sign-ecdsa-p256", row_ecdsa, false}, {"sign-rsa-2048", row_rsa, false},   {"find-objects", row_find, false},
    {"random-32", row_random, false},      {"digest-update", row_digest, true}, {"get-attribute", row_attribute, false},
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static CK_SESSION_HANDLE session_open(const struct layer *l, bool digests)
{
    CK_MECHANISM digest = {CKM_SHA256, NULL, 0};
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;

    must(l->p11->C_OpenSession(l->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s), "C_OpenSession");
    if (digests)
        must(l->p11->C_DigestInit(s, &digest), "C_DigestInit");
    return s;
}

static void slot_find(struct layer *l, const char *label)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = 64;
    CK_TOKEN_INFO info;

    must(l->p11->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
    for (CK_ULONG i = 0; i < count; i++)
        if (l->p11->C_GetTokenInfo(slots[i], &info) == CKR_OK && memcmp(info.label, label, strlen(label)) == 0 &&
            (info.label[strlen(label)] == ' ')) {
            l->slot = slots[i];
            return;
        }
    must(CKR_TOKEN_NOT_PRESENT, label);
}

static CK_OBJECT_HANDLE key_find(const struct layer *l, CK_SESSION_HANDLE s, char *label)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_LABEL, label, strlen(label)}};
    CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
    CK_ULONG count = 0;

    must(l->p11->C_FindObjectsInit(s, match, 2), "C_FindObjectsInit");
    must(l->p11->C_FindObjects(s, &found, 1, &count), "C_FindObjects");
    must(l->p11->C_FindObjectsFinal(s), "C_FindObjectsFinal");
    return count ? found : CK_INVALID_HANDLE;
}

static CK_OBJECT_HANDLE key_want(const struct layer *l, CK_SESSION_HANDLE s, char *label, CK_MECHANISM_TYPE type,
                                 CK_ATTRIBUTE kind)
{
    CK_MECHANISM mechanism = {type, NULL, 0};
    CK_BYTE f4[] = {1, 0, 1};
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1},
                             {CKA_VERIFY, &yes, 1},
                             {CKA_LABEL, label, strlen(label)},
                             kind,
                             {CKA_PUBLIC_EXPONENT, f4, sizeof(f4)}},
                 private[] = {{CKA_TOKEN, &yes, 1},
                              {CKA_PRIVATE, &yes, 1},
                              {CKA_SENSITIVE, &yes, 1},
                              {CKA_SIGN, &yes, 1},
                              {CKA_LABEL, label, strlen(label)}};
    CK_OBJECT_HANDLE key = key_find(l, s, label), public_key = CK_INVALID_HANDLE;

    if (!key)
        must(l->p11->C_GenerateKeyPair(s, &mechanism, public, kind.type == CKA_MODULUS_BITS ? 5 : 4, private, 5,
                                       &public_key, &key),
             "C_GenerateKeyPair");
    return key;
}

/* Data objects of the session, which every C_FindObjects finds. */
static void objects_make(const struct layer *l, CK_SESSION_HANDLE s)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_OBJECT_HANDLE made;
    char value[32];

    for (int i = 0; i < OBJECTS; i++) {
        snprintf(value, sizeof(value), "bench %d", i);
        CK_ATTRIBUTE items[] = {{CKA_CLASS, &class, sizeof(class)},
                                {CKA_TOKEN, &no, 1},
                                {CKA_PRIVATE, &no, 1},
                                {CKA_LABEL, value, strlen(value)},
                                {CKA_VALUE, value, strlen(value)}};

        must(l->p11->C_CreateObject(s, items, 5, &made), "C_CreateObject");
    }
}

/* A thread calls the row `calls` times, having waited for the others. */
struct work {
    const struct row *row;
    const struct layer *layer;
    CK_SESSION_HANDLE session;
    unsigned long calls;
    pthread_barrier_t *start;
    double began, ended, processor;
};

static double clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *work(void *context)
{
    struct work *w = context;

    pthread_barrier_wait(w->start);
    w->began = clock_ns(CLOCK_MONOTONIC);
    w->processor = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned long i = 0; i < w->calls; i++)
        w->row->once(w->layer, w->session);
    w->processor = clock_ns(CLOCK_THREAD_CPUTIME_ID) - w->processor;
    w->ended = clock_ns(CLOCK_MONOTONIC);
    return NULL;
}

/* Nanoseconds from the first thread's first call to the last one's last, each thread making `calls`; ret_processor: what
 * the thread that needed most of it had of a processor. */
static double batch(const struct row *row, const struct layer *layer, unsigned threads, unsigned long calls,
                    double *ret_processor)
{
    pthread_t ids[2];
    struct work works[2];
    pthread_barrier_t start;
    double began = 0, ended = 0;

    *ret_processor = 0;
    pthread_barrier_init(&start, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        works[i] = (struct work){
            .row = row, .layer = layer, .session = layer->sessions[row->digests][i], .calls = calls, .start = &start};
        pthread_create(&ids[i], NULL, work, &works[i]);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        began = i == 0 || works[i].began < began ? works[i].began : began;
        ended = works[i].ended > ended ? works[i].ended : ended;
        *ret_processor = works[i].processor > *ret_processor ? works[i].processor : *ret_processor;
    }
    pthread_barrier_destroy(&start);
    return ended - began;
}

static int ascending(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static double median(const double of[ROUNDS])
{
    double sorted[ROUNDS];

    memcpy(sorted, of, sizeof(sorted));
    qsort(sorted, ROUNDS, sizeof(*sorted), ascending);
    return sorted[ROUNDS / 2];
}

/* layers: bare, and what lies over it. */
static void row_time(const struct row *row, const struct layer layers[2], unsigned threads, double ns)
{
    static const size_t turns[] = {0, 1, 1, 0};
    unsigned long calls[2] = {1, 1};
    double clocks[2][ROUNDS] = {{0}}, processors[2][ROUNDS] = {{0}}, ratios[ROUNDS], added[ROUNDS], processor;

    for (size_t l = 0; l < 2; l++)
        while (batch(row, &layers[l], threads, calls[l], &processor) < ns / 2)
            calls[l] *= 2;
    for (int i = 0; i < ROUNDS; i++) {
        for (size_t t = 0; t < sizeof(turns) / sizeof(*turns); t++) {
            size_t l = turns[t];
            double share = 0.5 / (double)calls[l] / threads;

            clocks[l][i] += batch(row, &layers[l], threads, calls[l], &processor) * share;
            processors[l][i] += processor * share;
        }
        ratios[i] = processors[0][i] / processors[1][i];
        added[i] = processors[1][i] - processors[0][i];
    }
    printf("%s %u %.1f %.1f %.1f %.1f %.4f %.1f\n", row->name, threads, median(clocks[0]), median(clocks[1]),
           median(processors[0]), median(processors[1]), median(ratios), median(added));
}

/* Whoever lies below was begun, and logged in, by the layer before. */
static void must_or(CK_RV rv, CK_RV good, const char *what)
{
    if (rv != good)
        must(rv, what);
}

static void layer_load(struct layer *l, const char *path, const char *token, const char *pin)
{
    CK_BYTE p256[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    char ec_label[] = "bench-ec", rsa_label[] = "bench-rsa";
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol;
    CK_C_GetFunctionList get = NULL;
    CK_ULONG bits = 2048;
    CK_SESSION_HANDLE s;

    if (!library) {
        fprintf(stderr, "bench: %s\n", dlerror());
        exit(1);
    }
    symbol = dlsym(library, "C_GetFunctionList");
    memcpy(&get, &symbol, sizeof(get));
    must(get ? get(&l->p11) : CKR_GENERAL_ERROR, "C_GetFunctionList");
    must_or(l->p11->C_Initialize(&args), CKR_CRYPTOKI_ALREADY_INITIALIZED, "C_Initialize");
    slot_find(l, token);
    for (size_t i = 0; i < 4; i++)
        l->sessions[i / 2][i % 2] = session_open(l, i / 2 == 1);
    s = l->sessions[0][0];
    must_or(l->p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)pin, strlen(pin)), CKR_USER_ALREADY_LOGGED_IN,
            "C_Login");
    l->ec_key = key_want(l, s, ec_label, CKM_EC_KEY_PAIR_GEN, (CK_ATTRIBUTE){CKA_EC_PARAMS, p256, sizeof(p256)});
    l->rsa_key =
        key_want(l, s, rsa_label, CKM_RSA_PKCS_KEY_PAIR_GEN, (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof(bits)});
}

int main(int argc, char **argv)
{
    struct layer layers[2] = {{.p11 = NULL}}; /* bare, if there is one, and what lies over it */
    bool count = argc == 7 && strcmp(argv[4], "count") == 0;

    if (!count && (argc < 8 || argc > 9 || strcmp(argv[4], "time") != 0)) {
        fprintf(stderr, "usage: bench LAYER TOKEN PIN (time MS BARE BARETOKEN [ROW] | count ROW N)\n");
        return 2;
    }
    layer_load(&layers[1], argv[1], argv[2], argv[3]);
    if (!count)
        layer_load(&layers[0], argv[6], argv[7], argv[3]);
    objects_make(&layers[1], layers[1].sessions[0][0]);
    for (size_t i = 0; i < ROWS; i++) {
        if (count && strcmp(argv[5], rows[i].name) == 0)
            for (unsigned long k = strtoul(argv[6], NULL, 10); k > 0; k--)
                rows[i].once(&layers[1], layers[1].sessions[rows[i].digests][0]);
        if (count || (argc == 9 && strcmp(argv[8], rows[i].name) != 0))
            continue;
        for (unsigned threads = 1; threads <= 2; threads++)
            row_time(&rows[i], layers, threads, strtod(argv[5], NULL) * 1e6);
    }
    must(layers[1].p11->C_Finalize(NULL), "C_Finalize");
    return 0;
}
