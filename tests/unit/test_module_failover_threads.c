#include "tests/unit/failover_fixture.h"

#include <pthread.h>

struct thread {
    CK_SESSION_HANDLE session;
    CK_RV bad;
    unsigned long done;
};
static atomic_bool stop;

static void *signer(void *context)
{
    struct thread *t = context;
    unsigned char signature[64];

    while (!atomic_load(&stop) && t->bad == CKR_OK) {
        t->bad = sign_once(t->session, signature);
        if (t->bad == CKR_OK)
            t->bad = verify(t->session, public, data, sizeof(data), signature);
        t->done++;
    }
    return NULL;
}

static void threads_go_over_together(void **state)
{
    struct thread threads[2] = {{0}};
    pthread_t ids[2];

    (void)state;
    atomic_store(&stop, false);
    for (size_t i = 0; i < 2; i++) {
        threads[i].session = open_session(CKF_RW_SESSION);
        assert_int_equal(pthread_create(&ids[i], NULL, signer, &threads[i]), 0);
    }
    for (int round = 0; round < 3; round++) {
        usleep(50 * 1000);
        cut(CKR_DEVICE_ERROR);
        usleep(50 * 1000);
        cut(CKR_OK);
        settle();
        usleep(250 * 1000);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(ids[i], NULL);
        if (threads[i].bad != CKR_OK)
            fail_msg("thread %zu after %lu: 0x%lx", i, threads[i].done, threads[i].bad);
    }
}

static void *hanger(void *context)
{
    struct thread *t = context;
    unsigned char signature[64];

    t->bad = sign_once(t->session, signature);
    return NULL;
}

/* A call that hangs stays where it is; as soon as the link fails it is served like any other. Meanwhile others go where
 * the log says. */
static void a_hang_holds_its_own_call(void **state)
{
    struct thread t = {.session = open_session(CKF_RW_SESSION)};
    unsigned char signature[64];
    struct world *w = world_current();
    struct fault f = {0};
    pthread_t id;

    (void)state;
    assert_ok(sign_once(session, signature)); /* judged: what follows takes no lock */
    hang("C_Sign");
    assert_int_equal(pthread_create(&id, NULL, hanger, &t), 0);
    usleep(20 * 1000);
    json_t *body = json_pack("{s:s,s:s,s:s}", "reason", "another process lost it", "site", "cardiff", "token", "root");
    pthread_mutex_lock(&w->lock);
    assert_good(estate_append(w->estate, ENTRY_FAILOVER, body, NULL, &f));
    pthread_mutex_unlock(&w->lock);
    json_decref(body);
    usleep(250 * 1000);
    assert_ok(sign_once(session, signature));
    assert_string_equal(w->tokens[0].serving->site, "cardiff");
    cut(CKR_DEVICE_ERROR);
    pthread_join(id, NULL);
    assert_int_equal(t.bad, CKR_OK);
}

/* What fails and then hangs has the site's time to be found again, also where nobody is logged in. */
static void a_lost_hsm_hangs_where_nobody_is_logged_in(void **state)
{
    unsigned char random[8];

    (void)state;
    assert_ok(q->C_Logout(session));
    cut(CKR_DEVICE_ERROR);
    hang("C_GetSlotList");
    assert_ok(q->C_GenerateRandom(session, random, sizeof(random)));
    assert_string_equal(world_current()->tokens[0].serving->site, "cardiff");
    hang(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(threads_go_over_together), TEST(a_hang_holds_its_own_call),
                                       TEST(a_lost_hsm_hangs_where_nobody_is_logged_in)};

    return cmocka_run_group_tests(tests, estate_make, home_end);
}
