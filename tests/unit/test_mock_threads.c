#include <pthread.h>

#include "tests/unit/mock_fixture.h"

/* Threads that do what they like on sessions of their own, while others close them all and log out. Every answer must
 * be one that an application understands, and nothing may be left behind. */

#define THREADS 4
#define ROUNDS 400

struct worker {
    unsigned seed;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE public_key, private_key;
    CK_RV bad;
};
static _Atomic CK_OBJECT_HANDLE shared; /* somebody's key, perhaps dead by now */

static unsigned draw(struct worker *w)
{
    w->seed = w->seed * 1103515245u + 12345u;
    return w->seed >> 16 & 0x7fff;
}

static CK_RV search(CK_SESSION_HANDLE s)
{
    CK_OBJECT_HANDLE found[32];
    CK_ULONG count = 0;
    CK_RV rv = q->C_FindObjectsInit(s, NULL, 0);

    if (rv == CKR_OK)
        rv = q->C_FindObjects(s, found, 32, &count);
    if (rv == CKR_OK)
        rv = q->C_FindObjectsFinal(s);
    return rv;
}

static CK_RV signature(struct worker *w, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    unsigned char data[32] = {0}, out[64];
    CK_ULONG len = sizeof(out);
    CK_RV rv = q->C_SignInit(w->session, &mechanism, key);

    return rv == CKR_OK ? q->C_Sign(w->session, data, sizeof(data), out, &len) : rv;
}

static CK_RV one_call(struct worker *w)
{
    CK_TOKEN_INFO info;
    unsigned char random[16];
    CK_ULONG size;

    switch (draw(w) % 16) {
    case 0:
    case 1:
        q->C_CloseSession(w->session);
        return q->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &w->session);
    case 2:
        return draw(w) % 16 == 0 ? q->C_CloseAllSessions(0) : CKR_OK;
    case 3:
        return draw(w) % 8 == 0 ? q->C_Logout(w->session) : CKR_OK;
    case 4:
    case 5:
        return mock_login(w->session);
    case 6:
    case 7:
        return make_pair(w->session, "threads", draw(w) % 8 == 0, &w->public_key, &w->private_key);
    case 8:
        return signature(w, w->private_key);
    case 9:
        return signature(w, atomic_exchange(&shared, w->private_key));
    case 10:
        return search(w->session);
    case 11:
        return q->C_DestroyObject(w->session, w->private_key);
    case 12:
        return q->C_GetObjectSize(w->session, atomic_load(&shared), &size);
    case 13:
        return q->C_GetTokenInfo(0, &info);
    default:
        return q->C_GenerateRandom(w->session, random, sizeof(random));
    }
}

static bool understood(CK_RV rv)
{
    switch (rv) {
    case CKR_OK:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OPERATION_ACTIVE:
    case CKR_OPERATION_NOT_INITIALIZED:
    case CKR_USER_ALREADY_LOGGED_IN:
    case CKR_USER_NOT_LOGGED_IN:
        return true;
    default:
        return false;
    }
}

static void *work(void *context)
{
    struct worker *w = context;
    CK_RV rv;

    for (int i = 0; i < ROUNDS && w->bad == CKR_OK; i++) {
        rv = one_call(w);
        if (!understood(rv))
            w->bad = rv;
    }
    return NULL;
}

static void everybody_does_as_they_like(void **state)
{
    pthread_t threads[THREADS];
    struct worker workers[THREADS] = {0};
    CK_OBJECT_HANDLE public = 0, private = 0, found[8];
    CK_TOKEN_INFO info;

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].seed = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        if (workers[i].bad != CKR_OK)
            fail_msg("thread %d got 0x%lx; \"%s\"", i, workers[i].bad, refusal_text());
    assert_ok(q->C_CloseAllSessions(0));
    assert_int_equal(mock->C_GetTokenInfo(0, &info), CKR_OK);
    assert_int_equal(info.ulSessionCount, 0);
    session = open_session(CKF_RW_SESSION);
    assert_ok(mock_login(session));
    assert_ok(make_pair(session, "afterwards", false, &public, &private));
    assert_int_equal(find_label(session, "afterwards", found), 2);
}

static CK_OBJECT_HANDLE signing;

static void *sign_and_wait(void *context)
{
    struct worker *w = context;

    w->bad = signature(w, signing);
    return NULL;
}

static CK_ULONG tokens_there(void)
{
    CK_ULONG count = 0;

    assert_ok(q->C_GetSlotList(CK_TRUE, NULL, &count));
    return count;
}

/* The token goes while a call is in its library: that session's handle dies, and nothing of it is closed below under the call.
 * When it is there again, nobody is logged in. */
static void a_token_goes_under_a_call(void **state)
{
    struct worker w = {.session = open_session(CKF_RW_SESSION)};
    CK_OBJECT_HANDLE public;
    CK_SESSION_INFO info;
    unsigned long closed, out;
    pthread_t id;

    (void)state;
    session = w.session;
    assert_ok(mock_login(session));
    assert_ok(make_pair(session, "under", false, &public, &signing));
    steer("C_Sign hang");
    assert_int_equal(pthread_create(&id, NULL, sign_and_wait, &w), 0);
    while (mock_calls_below("hanging") == 0)
        usleep(1000);
    closed = mock_calls_below("C_CloseSession");
    out = mock_calls_below("C_Logout");
    steer("absent 0");
    assert_int_equal(tokens_there(), 0);
    assert_rv(q->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
    assert_int_equal(mock_calls_below("C_CloseSession"), closed);
    assert_int_equal(mock_calls_below("C_Logout"), out);
    steer("release");
    pthread_join(id, NULL);
    steer("present 0");
    assert_int_equal(tokens_there(), 1);
    session = open_session(CKF_RW_SESSION);
    assert_ok(q->C_GetSessionInfo(session, &info));
    assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
    assert_ok(mock_login(session));
}

int main(void)
{
    const struct CMUnitTest tests[] = {IN_MOCK_LIFE(everybody_does_as_they_like),
                                       IN_MOCK_LIFE(a_token_goes_under_a_call)};

    return cmocka_run_group_tests(tests, mock_home_make, home_end);
}
