#include "tests/unit/mock_fixture.h"

#include <pthread.h>

/* What PKCS#11 expects of any module and other layers got wrong: over the mock HSM. */

static void event(CK_RV want, CK_SLOT_ID want_slot)
{
    CK_SLOT_ID slot = 77;

    assert_rv(q->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), want);
    if (want == CKR_OK)
        assert_int_equal(slot, want_slot);
}

static CK_ULONG tokens_there(void)
{
    CK_ULONG count = 0;

    assert_ok(q->C_GetSlotList(CK_TRUE, NULL, &count));
    return count;
}

static void an_hsm_taken_away_is_an_event(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    CK_SESSION_HANDLE s = open_session(CKF_RW_SESSION), again = CK_INVALID_HANDLE;
    CK_SLOT_INFO info;
    CK_ULONG size = 0;
    CK_BYTE byte[4];

    (void)state;
    assert_ok(mock_login(s));
    assert_ok(make_pair(s, "hot", true, &public, &private));
    event(CKR_NO_EVENT, 0);
    steer("absent 0");
    assert_rv(q->C_GenerateRandom(s, byte, 4), CKR_DEVICE_REMOVED); /* what the HSM says, until somebody looks */
    event(CKR_OK, 0);
    event(CKR_NO_EVENT, 0);
    assert_int_equal(tokens_there(), 0);
    assert_ok(q->C_GetSlotInfo(0, &info));
    assert_false(info.flags & CKF_TOKEN_PRESENT);
    assert_rv(q->C_GenerateRandom(s, byte, 4), CKR_SESSION_HANDLE_INVALID);
    assert_rv(q->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &again), CKR_TOKEN_NOT_PRESENT);
    assert_rv(q->C_CloseAllSessions(0), CKR_TOKEN_NOT_PRESENT);
    steer("present 0");
    event(CKR_OK, 0);
    event(CKR_NO_EVENT, 0);
    assert_int_equal(tokens_there(), 1);
    again = open_session(0);
    assert_int_not_equal(again, s);
    assert_rv(q->C_GetObjectSize(again, private, &size), CKR_OBJECT_HANDLE_INVALID);
}

static void a_failing_hsm_is_not_a_missing_one(void **state)
{
    CK_SESSION_HANDLE s = open_session(0);
    CK_BYTE byte[4];

    (void)state;
    steer("C_GetSlotList rv=48"); /* CKR_DEVICE_ERROR */
    event(CKR_NO_EVENT, 0);
    assert_int_equal(tokens_there(), 1);
    steer("reset");
    assert_ok(q->C_GenerateRandom(s, byte, 4));
    steer("C_GetSlotList len=4097");
    event(CKR_NO_EVENT, 0);
    steer("reset");
    assert_ok(q->C_GenerateRandom(s, byte, 4));
}

/* One that was found to be gone and is there again needs nobody to ask for the slots first. */
static void an_hsm_that_came_back_opens(void **state)
{
    (void)state;
    steer("absent 0");
    assert_int_equal(tokens_there(), 0);
    steer("present 0");
    open_session(0);
}

struct waiter {
    CK_RV rv;
    CK_SLOT_ID slot;
};

static void *wait_blocking(void *context)
{
    struct waiter *w = context;

    w->rv = q->C_WaitForSlotEvent(0, &w->slot, NULL);
    return NULL;
}

static void who_waits_hears_of_it(void **state)
{
    struct waiter w = {.slot = 77};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wait_blocking, &w), 0);
    steer("absent 0");
    pthread_join(thread, NULL);
    assert_rv(w.rv, CKR_OK);
    assert_int_equal(w.slot, 0);
}

static void the_end_sends_home_who_waits(void **state)
{
    struct waiter w = {.slot = 77};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wait_blocking, &w), 0);
    assert_ok(q->C_Finalize(NULL));
    pthread_join(thread, NULL);
    assert_rv(w.rv, CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_ok(initialise());
}

static CK_SESSION_HANDLE notified_of;
static void *notified_with;
static CK_RV notify_answer;

static CK_RV notified(CK_SESSION_HANDLE s, CK_NOTIFICATION what, CK_VOID_PTR application)
{
    assert_int_equal(what, CKN_SURRENDER);
    notified_of = s;
    notified_with = application;
    return notify_answer;
}

static void notifications_name_our_session(void **state)
{
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE, quiet = open_session(0);
    CK_BYTE byte[4];
    int mine = 0;

    (void)state;
    assert_ok(q->C_OpenSession(0, CKF_SERIAL_SESSION, &mine, notified, &s));
    steer("notify 0");
    assert_ok(q->C_GenerateRandom(s, byte, 4));
    assert_int_equal(notified_of, s);
    assert_ptr_equal(notified_with, &mine);
    notified_of = CK_INVALID_HANDLE;
    assert_ok(q->C_GenerateRandom(quiet, byte, 4)); /* it gave no function */
    assert_int_equal(notified_of, CK_INVALID_HANDLE);
}

static unsigned mutex_calls;

static CK_RV mutex_made(void **mutex)
{
    mutex_calls++;
    *mutex = &mutex_calls;
    return CKR_OK;
}

static CK_RV mutex_used(void *mutex)
{
    (void)mutex;
    mutex_calls++;
    return CKR_OK;
}

/* The application's threads are those of the operating system, whose locks are enough, with and without its leave. */
static void mutexes_of_the_application_are_not_needed(void **state)
{
    CK_C_INITIALIZE_ARGS args = {.CreateMutex = mutex_made,
                                 .DestroyMutex = mutex_used,
                                 .LockMutex = mutex_used,
                                 .UnlockMutex = mutex_used,
                                 .pReserved = home.bindings};

    (void)state;
    for (int locking = 0; locking < 2; locking++) {
        assert_ok(q->C_Finalize(NULL));
        args.flags = locking ? CKF_OS_LOCKING_OK : CKF_LIBRARY_CANT_CREATE_OS_THREADS;
        assert_ok(q->C_Initialize(&args));
        open_session(0);
        assert_int_equal(mutex_calls, 0);
    }
}

static void no_mechanism_is_an_argument_that_is_bad(void **state)
{
    CK_SESSION_HANDLE s = open_session(CKF_RW_SESSION);
    CK_OBJECT_HANDLE public = 0, private = 0, made = 0, too = 0;
    CK_BYTE bytes[64] = {0};
    CK_ULONG len = sizeof(bytes);

    (void)state;
    assert_ok(mock_login(s));
    assert_ok(make_pair(s, "mechanism", false, &public, &private));
    assert_rv(q->C_SignInit(s, NULL, private), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_SignRecoverInit(s, NULL, private), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_VerifyInit(s, NULL, public), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_VerifyRecoverInit(s, NULL, public), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_EncryptInit(s, NULL, public), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_DecryptInit(s, NULL, private), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_DigestInit(s, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GenerateKey(s, NULL, NULL, 0, &made), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GenerateKeyPair(s, NULL, NULL, 0, NULL, 0, &made, &too), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_WrapKey(s, NULL, public, private, bytes, &len), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_UnwrapKey(s, NULL, private, bytes, 8, NULL, 0, &made), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_DeriveKey(s, NULL, private, NULL, 0, &made), CKR_ARGUMENTS_BAD);
}

/* A template that says it has members and has none, an output that is nowhere. */
static void nothing_where_something_must_be(void **state)
{
    CK_MECHANISM pair_gen = {CKM_EC_KEY_PAIR_GEN, NULL, 0}, key_gen = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
    CK_SESSION_HANDLE s = open_session(CKF_RW_SESSION);
    CK_OBJECT_HANDLE made = 0, too = 0;
    CK_ULONG count = 0;
    CK_SLOT_ID slot = 0;

    (void)state;
    assert_ok(mock_login(s));
    assert_rv(q->C_GenerateKey(s, &key_gen, NULL, 3, &made), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GenerateKey(s, &key_gen, NULL, 0, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GenerateKeyPair(s, &pair_gen, NULL, 1, NULL, 0, &made, &too), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GenerateKeyPair(s, &pair_gen, NULL, 0, NULL, 0, &made, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_CreateObject(s, NULL, 1, &made), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_CopyObject(s, made, NULL, 1, &too), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_SetAttributeValue(s, made, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_FindObjects(s, NULL, 1, &count), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_FindObjects(s, &made, 1, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_InitToken(0, NULL, 0, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, &count), CKR_ARGUMENTS_BAD); /* reserved */
    assert_rv(q->C_Finalize(&count), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_CloseAllSessions(4), CKR_SLOT_ID_INVALID);
}

/* Though somebody else in the process has a session there, which keeps the HSM from seeing that it was the last. */
static void the_last_session_logs_out_beside_others(void **state)
{
    CK_SESSION_HANDLE s = open_session(0), others = CK_INVALID_HANDLE;
    CK_SESSION_INFO info;

    (void)state;
    assert_ok(mock->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &others));
    for (int all = 0; all < 2; all++) {
        assert_ok(mock_login(s));
        assert_ok(all ? q->C_CloseAllSessions(0) : q->C_CloseSession(s));
        s = open_session(0);
        assert_ok(q->C_GetSessionInfo(s, &info));
        assert_int_equal(info.state, CKS_RO_PUBLIC_SESSION);
    }
    assert_ok(mock->C_GetSessionInfo(others, &info)); /* still open */
    assert_ok(mock->C_CloseSession(others));
}

/* What the HSM did not close is open still, and must not be lost to who opened it. */
static void a_session_that_does_not_close_stays(void **state)
{
    CK_SESSION_HANDLE s = open_session(0);
    CK_SESSION_INFO info;

    (void)state;
    steer("C_CloseSession rv=5"); /* CKR_GENERAL_ERROR */
    assert_rv(q->C_CloseSession(s), CKR_GENERAL_ERROR);
    assert_ok(q->C_GetSessionInfo(s, &info));
    assert_rv(q->C_CloseAllSessions(0), CKR_GENERAL_ERROR);
    assert_ok(q->C_GetSessionInfo(s, &info));
    steer("C_CloseSession done rv=5"); /* it failed, and the session is gone all the same */
    assert_rv(q->C_CloseSession(s), CKR_GENERAL_ERROR);
    assert_rv(q->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
    steer("reset");
    s = open_session(0);
    steer("C_CloseSession rv=5");
    assert_rv(q->C_CloseSession(s), CKR_GENERAL_ERROR);
    steer("reset");
    assert_ok(q->C_CloseSession(s));
    assert_rv(q->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
}

/* Nor is who opened it logged out. */
static void a_session_that_does_not_close_stays_logged_in(void **state)
{
    CK_SESSION_HANDLE s = open_session(0), others = CK_INVALID_HANDLE;
    CK_SESSION_INFO info;

    (void)state;
    assert_ok(mock_login(s));
    for (int all = 0; all < 2; all++) {
        steer("C_CloseSession rv=5 times=1");
        assert_rv(all ? q->C_CloseAllSessions(0) : q->C_CloseSession(s), CKR_GENERAL_ERROR);
        assert_ok(q->C_GetSessionInfo(s, &info));
        assert_int_equal(info.state, CKS_RO_USER_FUNCTIONS);
    }
    /* Without room for one more session it is logged out all the same, if somebody else's session would keep the login. */
    assert_ok(mock->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &others));
    steer("C_OpenSession rv=177"); /* CKR_SESSION_COUNT */
    assert_ok(q->C_CloseSession(s));
    assert_ok(mock->C_GetSessionInfo(others, &info));
    assert_int_equal(info.state, CKS_RO_PUBLIC_SESSION);
    assert_ok(mock->C_CloseSession(others));
}

/* The HSM gives the same handles again, ours died meanwhile: what the last search found is not given out twice. */
static void a_search_gives_living_handles(void **state)
{
    CK_SESSION_HANDLE s = open_session(CKF_RW_SESSION);
    CK_OBJECT_HANDLE public = 0, private = 0, first[8] = {0}, again[8] = {0};
    CK_BBOOL token = CK_FALSE;
    CK_ATTRIBUTE item = {CKA_TOKEN, &token, 1};

    (void)state;
    assert_ok(mock_login(s));
    assert_ok(make_pair(s, "found", true, &public, &private));
    assert_int_equal(find_label(s, "found", first), 2);
    assert_int_equal(find_label(s, "found", again), 2);
    assert_memory_equal(first, again, 2 * sizeof(*first));
    assert_ok(q->C_Logout(s));
    assert_ok(mock_login(s));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(find_label(s, "found", again), 2);
        for (size_t k = 0; k < 2; k++)
            assert_ok(q->C_GetAttributeValue(s, again[k], &item, 1));
    }
    assert_memory_not_equal(first, again, 2 * sizeof(*first));
    assert_ok(q->C_DestroyObject(s, again[1]));
    for (int i = 0; i < 2; i++)
        assert_int_equal(find_label(s, "found", again), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_MOCK_LIFE(a_search_gives_living_handles),
        IN_MOCK_LIFE(a_session_that_does_not_close_stays_logged_in),
        IN_MOCK_LIFE(an_hsm_taken_away_is_an_event),
        IN_MOCK_LIFE(a_failing_hsm_is_not_a_missing_one),
        IN_MOCK_LIFE(an_hsm_that_came_back_opens),
        IN_MOCK_LIFE(who_waits_hears_of_it),
        IN_MOCK_LIFE(the_end_sends_home_who_waits),
        IN_MOCK_LIFE(notifications_name_our_session),
        IN_MOCK_LIFE(mutexes_of_the_application_are_not_needed),
        IN_MOCK_LIFE(no_mechanism_is_an_argument_that_is_bad),
        IN_MOCK_LIFE(nothing_where_something_must_be),
        IN_MOCK_LIFE(the_last_session_logs_out_beside_others),
        IN_MOCK_LIFE(a_session_that_does_not_close_stays),
    };
    return cmocka_run_group_tests(tests, mock_home_make, home_end);
}
