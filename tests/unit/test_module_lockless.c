#include "tests/unit/module_fixture.h"

#include <pthread.h>

/* What goes straight down takes no lock of ours: threads that sign must not meet. */

extern char __executable_start, etext; /* the program's own code, the module's objects among it */
static size_t locks_taken;

/* Instead of the C library's. Its own libraries and the HSM's module take what locks they like. */
int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static int (*real)(pthread_mutex_t *);
    const char *caller = __builtin_return_address(0);

    if (!real) {
        void *symbol = dlsym(RTLD_NEXT, "pthread_mutex_lock");

        memcpy(&real, &symbol, sizeof(real));
    }
    if (caller >= &__executable_start && caller < &etext)
        locks_taken++;
    return real(mutex);
}

static void passing_takes_no_lock(void **state)
{
    CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0}, ecdsa = {CKM_ECDSA, NULL, 0};
    unsigned char bytes[64] = {0}, signature[64];
    CK_OBJECT_HANDLE public = 0, private = 0;
    CK_ULONG len = sizeof(bytes), size = 0;
    CK_KEY_TYPE type = 0;
    CK_ATTRIBUTE item = {CKA_KEY_TYPE, &type, sizeof(type)};
    CK_SESSION_INFO info;

    (void)state;
    assert_ok(make_pair(session, "free-lockless", false, &public, &private));
    assert_ok(sign(session, private, bytes, 32, signature)); /* judged */
    assert_true(locks_taken > 0);                            /* they are seen here */
    locks_taken = 0;
    assert_ok(q->C_GenerateRandom(session, bytes, 32));
    assert_ok(q->C_GetSessionInfo(session, &info));
    assert_ok(q->C_GetAttributeValue(session, private, &item, 1));
    assert_int_equal(type, CKK_EC);
    assert_ok(q->C_GetObjectSize(session, public, &size));
    assert_ok(q->C_DigestInit(session, &sha256));
    assert_ok(q->C_DigestUpdate(session, bytes, 32));
    assert_ok(q->C_DigestFinal(session, bytes, &len));
    assert_int_equal(locks_taken, 0);
    assert_ok(sign(session, private, bytes, 32, signature)); /* perhaps after the time that a judgement lasts */
    locks_taken = 0;
    assert_ok(q->C_SignInit(session, &ecdsa, private));
    len = sizeof(signature);
    assert_ok(q->C_Sign(session, bytes, 32, signature, &len));
    assert_int_equal(locks_taken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {IN_LIFE(passing_takes_no_lock)};
    return cmocka_run_group_tests(tests, home_make, home_end);
}
