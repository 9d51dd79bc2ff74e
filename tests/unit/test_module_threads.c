#include "tests/unit/module_fixture.h"

#include <pthread.h>

/* Several threads, each with sessions and keys of its own, and handles that others drop meanwhile. */

#define THREADS 4
#define ROUNDS 25

static _Atomic CK_OBJECT_HANDLE shared; /* a handle that somebody made, perhaps dead by now */
static CK_OBJECT_HANDLE born;           /* a token key that lives throughout */

static CK_RV one_round(CK_SESSION_HANDLE s, char *label)
{
    CK_ATTRIBUTE match[] = {{CKA_LABEL, label, strlen(label)}};
    CK_OBJECT_HANDLE public = 0, private = 0, found[4];
    unsigned char data[32] = {1}, signature[64];
    CK_ULONG count = 0, size = 0;
    CK_RV rv = make_pair(s, label, false, &public, &private);

    if (rv == CKR_OK)
        rv = sign(s, private, data, 32, signature);
    if (rv == CKR_OK)
        rv = sign(s, born, data, 32, signature);
    if (rv == CKR_OK)
        rv = q->C_FindObjectsInit(s, match, 1);
    if (rv == CKR_OK)
        rv = q->C_FindObjects(s, found, 4, &count);
    if (rv == CKR_OK)
        rv = q->C_FindObjectsFinal(s);
    if (rv == CKR_OK && count != 2)
        rv = CKR_GENERAL_ERROR;
    q->C_GetObjectSize(s, atomic_exchange(&shared, private), &size); /* any answer will do */
    if (rv == CKR_OK)
        rv = q->C_DestroyObject(s, private);
    return rv;
}

static void *work(void *context)
{
    char label[32];
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;
    CK_RV rv = CKR_OK;

    snprintf(label, sizeof(label), "free-thread-%d", *(int *)context);
    for (int i = 0; i < ROUNDS && rv == CKR_OK; i++) {
        rv = q->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s);
        if (rv == CKR_OK)
            rv = one_round(s, label);
        if (rv == CKR_OK)
            rv = q->C_CloseSession(s);
    }
    *(int *)context = (int)rv;
    return NULL;
}

static void threads_do_not_meet(void **state)
{
    pthread_t threads[THREADS];
    int context[THREADS];
    CK_OBJECT_HANDLE public = 0;

    (void)state;
    assert_ok(make_pair(session, "free-shared", true, &public, &born));
    for (int i = 0; i < THREADS; i++) {
        context[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &context[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(context[i], CKR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {IN_LIFE(threads_do_not_meet)};
    return cmocka_run_group_tests(tests, home_make, home_end);
}
