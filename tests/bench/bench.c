#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <p11-kit/pkcs11.h>

/* Calls one PKCS#11 module, as an application that does nothing else.
 *
 *   bench MODULE TOKEN PIN time MS    each row: its name, threads, nanoseconds a call on the clock and of a thread's
 *                                     processor time (medians of batches)
 *   bench MODULE TOKEN PIN count ROW N    the row N times, for somebody who counts instructions
 *
 * TOKEN is a label. Keys named bench-ec and bench-rsa are made where they are not there yet. */

enum { BATCHES = 11, DATA = 32, OBJECTS = 20 };

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;
static CK_OBJECT_HANDLE ec_key, rsa_key;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void must(CK_RV rv, const char *what)
{
    if (rv == CKR_OK)
        return;
    fprintf(stderr, "bench: %s: 0x%lx\n", what, rv);
    exit(1);
}

static void sign_with(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = {type, NULL, 0};
    CK_BYTE data[DATA] = {1}, signature[512];
    CK_ULONG len = sizeof(signature);

    must(p11->C_SignInit(s, &mechanism, key), "C_SignInit");
    must(p11->C_Sign(s, data, sizeof(data), signature, &len), "C_Sign");
}

static void row_ecdsa(CK_SESSION_HANDLE s)
{
    sign_with(s, CKM_ECDSA, ec_key);
}

static void row_rsa(CK_SESSION_HANDLE s)
{
    sign_with(s, CKM_RSA_PKCS, rsa_key);
}

static void row_find(CK_SESSION_HANDLE s)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof(class)}};
    CK_OBJECT_HANDLE found[64];
    CK_ULONG count = 0;

    must(p11->C_FindObjectsInit(s, match, 1), "C_FindObjectsInit");
    must(p11->C_FindObjects(s, found, 64, &count), "C_FindObjects");
    must(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal");
    if (count < OBJECTS)
        must(CKR_GENERAL_ERROR, "C_FindObjects found too few");
}

static void row_random(CK_SESSION_HANDLE s)
{
    CK_BYTE bytes[DATA];

    must(p11->C_GenerateRandom(s, bytes, sizeof(bytes)), "C_GenerateRandom");
}

static void row_digest(CK_SESSION_HANDLE s)
{
    CK_BYTE part[16] = {1};

    must(p11->C_DigestUpdate(s, part, sizeof(part)), "C_DigestUpdate");
}

static void row_attribute(CK_SESSION_HANDLE s)
{
    CK_KEY_TYPE type;
    CK_ATTRIBUTE item = {CKA_KEY_TYPE, &type, sizeof(type)};

    must(p11->C_GetAttributeValue(s, ec_key, &item, 1), "C_GetAttributeValue");
}

static const struct row {
    const char *name;
    void (*once)(CK_SESSION_HANDLE s);
    bool digests; /* on sessions with a digest begun, where no other operation may be */
} rows[] = {
    {"sign-ecdsa-p256", row_ecdsa, false}, {"sign-rsa-2048", row_rsa, false},   {"find-objects", row_find, false},
    {"random-32", row_random, false},      {"digest-update", row_digest, true}, {"get-attribute", row_attribute, false},
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static CK_SESSION_HANDLE session_open(bool digests)
{
    CK_MECHANISM digest = {CKM_SHA256, NULL, 0};
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;

    must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s), "C_OpenSession");
    if (digests)
        must(p11->C_DigestInit(s, &digest), "C_DigestInit");
    return s;
}

static void slot_find(const char *label)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = 64;
    CK_TOKEN_INFO info;

    must(p11->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
    for (CK_ULONG i = 0; i < count; i++)
        if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK && memcmp(info.label, label, strlen(label)) == 0 &&
            (info.label[strlen(label)] == ' ')) {
            slot = slots[i];
            return;
        }
    must(CKR_TOKEN_NOT_PRESENT, label);
}

static CK_OBJECT_HANDLE key_find(CK_SESSION_HANDLE s, char *label)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_LABEL, label, strlen(label)}};
    CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
    CK_ULONG count = 0;

    must(p11->C_FindObjectsInit(s, match, 2), "C_FindObjectsInit");
    must(p11->C_FindObjects(s, &found, 1, &count), "C_FindObjects");
    must(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal");
    return count ? found : CK_INVALID_HANDLE;
}

static CK_OBJECT_HANDLE key_want(CK_SESSION_HANDLE s, char *label, CK_MECHANISM_TYPE type, CK_ATTRIBUTE kind)
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
    CK_OBJECT_HANDLE key = key_find(s, label), public_key = CK_INVALID_HANDLE;

    if (!key)
        must(p11->C_GenerateKeyPair(s, &mechanism, public, kind.type == CKA_MODULUS_BITS ? 5 : 4, private, 5,
                                    &public_key, &key),
             "C_GenerateKeyPair");
    return key;
}

/* Data objects of the session, which every C_FindObjects finds. */
static void objects_make(CK_SESSION_HANDLE s)
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

        must(p11->C_CreateObject(s, items, 5, &made), "C_CreateObject");
    }
}

/* A thread calls the row `calls` times, having waited for the others. */
struct work {
    const struct row *row;
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
        w->row->once(w->session);
    w->processor = clock_ns(CLOCK_THREAD_CPUTIME_ID) - w->processor;
    w->ended = clock_ns(CLOCK_MONOTONIC);
    return NULL;
}

/* Nanoseconds from the first thread's first call to the last one's last, each thread making `calls`; ret_processor: what
 * the thread that needed most of it had of a processor. */
static double batch(const struct row *row, const CK_SESSION_HANDLE *sessions, unsigned threads, unsigned long calls,
                    double *ret_processor)
{
    pthread_t ids[2];
    struct work works[2];
    pthread_barrier_t start;
    double began = 0, ended = 0;

    *ret_processor = 0;
    pthread_barrier_init(&start, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        works[i] = (struct work){.row = row, .session = sessions[i], .calls = calls, .start = &start};
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

static void row_time(const struct row *row, const CK_SESSION_HANDLE *sessions, unsigned threads, double ns)
{
    unsigned long calls = 1;
    double took[BATCHES] = {0}, processor[BATCHES] = {0}, share;

    while (batch(row, sessions, threads, calls, &processor[0]) < ns / 4)
        calls *= 2;
    share = 1.0 / (double)calls / threads;
    for (int i = 0; i < BATCHES; i++) {
        took[i] = batch(row, sessions, threads, calls, &processor[i]) * share;
        processor[i] *= share;
    }
    qsort(took, BATCHES, sizeof(*took), ascending);
    qsort(processor, BATCHES, sizeof(*processor), ascending);
    printf("%s %u %.1f %.1f\n", row->name, threads, took[BATCHES / 2], processor[BATCHES / 2]);
}

static void module_load(const char *path)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol;
    CK_C_GetFunctionList get = NULL;

    if (!library) {
        fprintf(stderr, "bench: %s\n", dlerror());
        exit(1);
    }
    symbol = dlsym(library, "C_GetFunctionList");
    memcpy(&get, &symbol, sizeof(get));
    must(get ? get(&p11) : CKR_GENERAL_ERROR, "C_GetFunctionList");
    must(p11->C_Initialize(&args), "C_Initialize");
}

int main(int argc, char **argv)
{
    CK_BYTE p256[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
    CK_SESSION_HANDLE sessions[2][2]; /* for digests, thread */
    CK_ULONG bits = 2048;
    char ec_label[] = "bench-ec", rsa_label[] = "bench-rsa";
    bool count = argc == 7 && strcmp(argv[4], "count") == 0;

    if (!count && (argc != 6 || strcmp(argv[4], "time") != 0)) {
        fprintf(stderr, "usage: bench MODULE TOKEN PIN (time MS | count ROW N)\n");
        return 2;
    }
    module_load(argv[1]);
    slot_find(argv[2]);
    for (size_t i = 0; i < 4; i++)
        sessions[i / 2][i % 2] = session_open(i / 2 == 1);
    must(p11->C_Login(sessions[0][0], CKU_USER, (CK_UTF8CHAR_PTR)argv[3], strlen(argv[3])), "C_Login");
    ec_key = key_want(sessions[0][0], ec_label, CKM_EC_KEY_PAIR_GEN, (CK_ATTRIBUTE){CKA_EC_PARAMS, p256, sizeof(p256)});
    rsa_key = key_want(sessions[0][0], rsa_label, CKM_RSA_PKCS_KEY_PAIR_GEN,
                       (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof(bits)});
    objects_make(sessions[0][0]);
    for (size_t i = 0; i < ROWS; i++) {
        if (count && strcmp(argv[5], rows[i].name) == 0)
            for (unsigned long k = strtoul(argv[6], NULL, 10); k > 0; k--)
                rows[i].once(sessions[rows[i].digests][0]);
        for (unsigned threads = 1; !count && threads <= 2; threads++)
            row_time(&rows[i], sessions[rows[i].digests], threads, strtod(argv[5], NULL) * 1e6);
    }
    must(p11->C_Finalize(NULL), "C_Finalize");
    return 0;
}
