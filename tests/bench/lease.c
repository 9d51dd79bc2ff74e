#include <stdlib.h>
#include <time.h>

#include "module/governed.h"
#include "tests/unit/mock_fixture.h"

/* What a use on a lease costs on the mock HSM, beside a signature that a rule plainly allows, in turn: prints the medians of
 * ROUNDS, "plain-ns lease-ns", as thread time of the processor. Run by tests/bench/run.sh. */

enum { ROUNDS = 21, CALLS = 20000 };

#define LEASES                                                                                                         \
    "  - {id: births, when: {operation: generate}, allow: true}\n"                                                     \
    "  - {id: plain, when: {operation: use, label: \"^plain\"}, allow: true}\n"                                        \
    "  - {id: leased, when: {operation: use, label: \"^leased\"}, require: {quorum: {of: key-custodian, at-least: "    \
    "2}, uses: {at-most: 1000000, within: 1 day}}}\n"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static double signatures(CK_OBJECT_HANDLE key)
{
    unsigned char data[32] = {1}, signature[64];
    double began = now();

    for (int i = 0; i < CALLS; i++)
        if (sign(session, key, data, sizeof(data), signature) != CKR_OK)
            return -1;
    return (now() - began) / CALLS;
}

static CK_OBJECT_HANDLE key_of(const char *label)
{
    CK_OBJECT_HANDLE public = 0, private = 0;

    return make_pair(session, label, true, &public, &private) == CKR_OK ? private : CK_INVALID_HANDLE;
}

static bool lease_granted(CK_OBJECT_HANDLE key)
{
    unsigned char data[32] = {1}, signature[64];
    struct estate *e = NULL;
    struct fault f = {0};
    struct digest id;

    if (sign(session, key, data, sizeof(data), signature) != CKR_FUNCTION_REJECTED ||
        estate_open(home.bindings, &e, &f) != OK)
        return false;
    id = e->state.requests[e->state.request_count - 1].id;
    depth_approve(e, &id, "key-custodian");
    estate_close(e);
    gate_forget();
    return sign(session, key, data, sizeof(data), signature) == CKR_OK;
}

int main(void)
{
    CK_OBJECT_HANDLE plain, leased;
    double plain_ns[ROUNDS], leased_ns[ROUNDS];

    mock_home_with(LEASES);
    if (initialise() != CKR_OK || q->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session) ||
        mock_login(session) != CKR_OK)
        return 1;
    plain = key_of("plain");
    leased = key_of("leased");
    if (!plain || !leased || !lease_granted(leased)) {
        fprintf(stderr, "bench-lease: %s\n", refusal_text());
        return 1;
    }
    for (int i = 0; i < ROUNDS; i++) {
        plain_ns[i] = signatures(plain);
        leased_ns[i] = signatures(leased);
        if (plain_ns[i] < 0 || leased_ns[i] < 0)
            return 1;
    }
    qsort(plain_ns, ROUNDS, sizeof(*plain_ns), ascending);
    qsort(leased_ns, ROUNDS, sizeof(*leased_ns), ascending);
    printf("%.1f %.1f\n", plain_ns[ROUNDS / 2], leased_ns[ROUNDS / 2]);
    if (q->C_Finalize(NULL) != CKR_OK)
        return 1;
    depth_end(&home);
    return 0;
}
