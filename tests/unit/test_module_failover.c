#include "tests/unit/failover_fixture.h"

static void the_next_call_is_served_by_a_replica(void **state)
{
    static const CK_RV answers[] = {CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT, CKR_GENERAL_ERROR};
    unsigned char signature[64];
    size_t before = logged(ENTRY_FAILOVER);
    CK_SESSION_INFO info;

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        assert_ok(sign_once(session, signature));
        cut(answers[i]);
        assert_ok(sign_once(session, signature));
        assert_string_equal(serving(), "cardiff");
        assert_int_equal(logged(ENTRY_FAILOVER), ++before);
        assert_ok(verify(session, public, data, sizeof(data), signature));
        assert_ok(q->C_GetSessionInfo(session, &info));
        assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
        assert_int_equal(info.slotID, 0);
        calls();
        for (int more = 0; more < 20; more++)
            assert_ok(sign_once(session, signature));
        assert_int_equal(calls(), 0); /* the lost HSM is not asked again */
        cut(CKR_OK);
        settle();
        assert_string_equal(serving(), "slough");
        assert_int_equal(logged(ENTRY_FAILOVER), ++before);
        usleep(250 * 1000); /* the log is looked at that often */
        assert_ok(sign_once(session, signature));
        assert_string_equal(world_current()->tokens[0].serving->site, "slough");
        assert_true(calls() > 0);
    }
}

static void what_was_begun_is_begun_again(void **state)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    unsigned char signature[64];
    CK_ULONG len = 0;

    (void)state;
    assert_ok(q->C_SignInit(session, &ecdsa, key));
    assert_ok(q->C_Sign(session, data, sizeof(data), NULL, &len)); /* a length is nothing fed */
    assert_int_equal(len, 64);
    cut(CKR_DEVICE_ERROR);
    assert_ok(q->C_Sign(session, data, sizeof(data), signature, &len));
    assert_string_equal(serving(), "cardiff");
    assert_ok(verify(session, public, data, sizeof(data), signature));
    assert_rv(q->C_Sign(session, data, sizeof(data), signature, &len), CKR_OPERATION_NOT_INITIALIZED);
}

static void what_was_fed_is_lost_with_its_hsm(void **state)
{
    CK_SESSION_HANDLE other = open_session(0);
    CK_MECHANISM sha = {CKM_SHA256, NULL, 0}, ecdsa = {CKM_ECDSA, NULL, 0};
    unsigned char out[64];
    CK_ULONG len = sizeof(out);

    (void)state;
    assert_ok(q->C_DigestInit(session, &sha));
    assert_ok(q->C_DigestUpdate(session, data, sizeof(data)));
    assert_ok(q->C_SignInit(other, &ecdsa, key));
    cut(CKR_DEVICE_REMOVED);
    /* Another session's call moves both: what nothing was fed to goes on, the digest is gone. */
    assert_ok(sign_once(session, out));
    assert_rv(q->C_DigestFinal(session, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    len = sizeof(out);
    assert_ok(q->C_Sign(other, data, sizeof(data), out, &len));
    assert_ok(verify(session, public, data, sizeof(data), out));
}

static void only_uses_are_served(void **state)
{
    CK_OBJECT_HANDLE a = 0, b = 0, found[8], later[8];
    CK_UTF8CHAR pin[] = PIN;
    CK_UTF8CHAR text[] = "other";
    CK_ATTRIBUTE item = {CKA_LABEL, text, sizeof(text) - 1};
    unsigned char out[64];

    (void)state;
    assert_int_equal(find_label(session, "alone-app", found), 2);
    cut(CKR_DEVICE_REMOVED);
    assert_ok(sign_once(session, out));
    assert_rv(make_pair(session, "rep-new", true, &a, &b), CKR_FUNCTION_REJECTED);
    assert_refusal("cardiff serves it, and nothing but uses until the estate is whole again");
    assert_rv(make_pair(session, "alone-new", true, &a, &b), CKR_FUNCTION_REJECTED);
    assert_rv(make_pair(session, "session-new", false, &a, &b), CKR_FUNCTION_REJECTED);
    assert_refusal("quorate settle");
    assert_rv(q->C_DestroyObject(session, key), CKR_ACTION_PROHIBITED);
    assert_rv(q->C_SetAttributeValue(session, key, &item, 1), CKR_ACTION_PROHIBITED);
    assert_rv(q->C_SetPIN(session, pin, 4, pin, 4), CKR_FUNCTION_REJECTED);
    /* Born without replicas: nowhere now, and there again with its HSM, by the same handle. */
    assert_int_equal(find_label(session, "alone-app", later), 0);
    assert_rv(sign(session, found[0], data, sizeof(data), out), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(find_label(session, "rep-app", later), 2);
    assert_true((later[0] == key && later[1] == public) || (later[1] == key && later[0] == public));
    cut(CKR_OK);
    settle();
    usleep(250 * 1000);
    assert_ok(sign_once(session, out));
    assert_int_equal(find_label(session, "alone-app", later), 2);
    assert_true(later[0] == found[0] || later[0] == found[1]);
}

static void approvals_count_where_a_replica_serves(void **state)
{
    CK_OBJECT_HANDLE found[8], governed = 0;
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    unsigned char signature[64];
    CK_ULONG len = sizeof(signature);
    struct digest id;
    struct fault f;

    (void)state;
    assert_int_equal(find_label(session, "rep-gov", found), 2);
    for (size_t i = 0; i < 2; i++) {
        CK_OBJECT_CLASS class = 0;
        CK_ATTRIBUTE item = {CKA_CLASS, &class, sizeof(class)};

        assert_ok(q->C_GetAttributeValue(session, found[i], &item, 1));
        if (class == CKO_PRIVATE_KEY)
            governed = found[i];
    }
    assert_ok(q->C_SignInit(session, &ecdsa, governed));
    cut(CKR_DEVICE_ERROR);
    data[0]++;
    assert_rv(q->C_Sign(session, data, sizeof(data), signature, &len), CKR_FUNCTION_REJECTED);
    assert_string_equal(serving(), "cardiff");
    assert_good(digest_parse(refusal_request(), &id, &f));
    depth_approve(world_current()->estate, &id, "key-custodian");
    size_t used = logged(ENTRY_USED);
    len = sizeof(signature);
    assert_ok(sign(session, governed, data, sizeof(data), signature));
    assert_int_equal(logged(ENTRY_USED), used + 1);
    assert_rv(sign(session, governed, data, sizeof(data), signature), CKR_FUNCTION_REJECTED);
}

static void a_login_needs_the_pin_of_the_primary(void **state)
{
    CK_UTF8CHAR right[] = PIN, wrong[] = "0000";
    unsigned char out[64];
    CK_OBJECT_HANDLE found[8];
    CK_TOKEN_INFO info;

    (void)state;
    assert_ok(q->C_Logout(session));
    cut(CKR_DEVICE_REMOVED);
    assert_rv(q->C_Login(session, CKU_USER, wrong, 4), CKR_PIN_INCORRECT);
    assert_string_equal(serving(), "cardiff");
    for (int i = 0; i < 5; i++)
        assert_rv(q->C_Login(session, CKU_USER, wrong, 4), CKR_PIN_INCORRECT);
    assert_ok(q->C_GetTokenInfo(0, &info));
    assert_false(info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED)); /* the replica was not asked */
    assert_ok(q->C_Login(session, CKU_USER, right, sizeof(right) - 1));
    assert_rv(q->C_Login(session, CKU_USER, right, sizeof(right) - 1), CKR_USER_ALREADY_LOGGED_IN);
    assert_int_equal(find_label(session, "rep-app", found), 2);
    assert_ok(q->C_Logout(session));
    assert_rv(sign(session, key, data, sizeof(data), out), CKR_KEY_HANDLE_INVALID);
}

/* Nobody is logged in by the move who was not. */
static void a_move_logs_nobody_in(void **state)
{
    CK_SESSION_INFO info;
    unsigned char random[8];

    (void)state;
    assert_ok(q->C_Logout(session));
    cut(CKR_DEVICE_ERROR);
    assert_ok(q->C_GenerateRandom(session, random, sizeof(random)));
    assert_string_equal(serving(), "cardiff");
    assert_ok(q->C_GetSessionInfo(session, &info));
    assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
}

/* The first replica is not the enrolled one: the second serves. None left: the answer is the lost HSM's. */
static void a_replica_that_is_not_the_enrolled_one_does_not_serve(void **state)
{
    struct world *w = world_current();
    struct state_site *cardiff = state_site(&w->estate->state, "root", "cardiff"),
                      *glasgow = state_site(&w->estate->state, "root", "glasgow");
    unsigned char signature[64];

    (void)state;
    cardiff->identity.data[cardiff->identity.len - 1] ^= 1;
    cut(CKR_DEVICE_ERROR);
    assert_ok(sign_once(session, signature));
    assert_string_equal(serving(), "glasgow");
    cut(CKR_OK);
    settle();
    usleep(250 * 1000);
    assert_ok(sign_once(session, signature));
    assert_string_equal(w->tokens[0].serving->site, "slough");
    glasgow->identity.data[glasgow->identity.len - 1] ^= 1;
    cut(CKR_DEVICE_ERROR);
    assert_rv(sign_once(session, signature), CKR_DEVICE_ERROR);
    assert_string_equal(serving(), "slough");
    calls();
    assert_rv(sign_once(session, signature), CKR_DEVICE_ERROR);
    assert_true(calls() <= 2); /* not all sites anew with every call */
    cut(CKR_OK);
    assert_ok(sign_once(session, signature));
}

/* A process that begins while the primary is lost; one that begins where the log says who serves. */
static void processes_that_begin_later(void **state)
{
    CK_SLOT_ID slots[4];
    CK_ULONG count = 4;
    unsigned char signature[64];
    CK_OBJECT_HANDLE found[8];
    size_t before = logged(ENTRY_FAILOVER);

    (void)state;
    cut(CKR_DEVICE_REMOVED);
    for (int life = 0; life < 2; life++) {
        assert_ok(q->C_Finalize(NULL));
        assert_ok(initialise());
        assert_ok(q->C_GetSlotList(CK_TRUE, NULL, &count));
        assert_int_equal(count, 1);
        assert_ok(q->C_GetSlotList(CK_TRUE, slots, &count));
        session = open_session(CKF_RW_SESSION);
        assert_ok(login(session));
        assert_int_equal(find_label(session, "rep-app", found), 2);
        for (size_t i = 0; i < 2; i++)
            if (sign(session, found[i], data, sizeof(data), signature) == CKR_OK)
                key = found[i];
        assert_ok(sign_once(session, signature));
        assert_int_equal(logged(ENTRY_FAILOVER), before + 1);
    }
}

/* An HSM that was started again has lost sessions and login: the same handles go on. */
static void an_hsm_that_began_anew(void **state)
{
    unsigned char signature[64];
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *f = below(&slot);

    (void)state;
    assert_ok(f->C_CloseAllSessions(slot));
    assert_ok(sign_once(session, signature));
    assert_ok(verify(session, public, data, sizeof(data), signature));
}

static void a_call_that_is_simply_wrong_moves_nothing(void **state)
{
    unsigned char signature[64];
    size_t before = logged(ENTRY_FAILOVER);

    (void)state;
    assert_rv(sign(session, 12345, data, sizeof(data), signature), CKR_KEY_HANDLE_INVALID);
    assert_rv(q->C_GetObjectSize(session, 12345, &(CK_ULONG){0}), CKR_OBJECT_HANDLE_INVALID);
    assert_ok(sign_once(session, signature));
    assert_int_equal(logged(ENTRY_FAILOVER), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_next_call_is_served_by_a_replica),
        TEST(what_was_begun_is_begun_again),
        TEST(what_was_fed_is_lost_with_its_hsm),
        TEST(only_uses_are_served),
        TEST(approvals_count_where_a_replica_serves),
        TEST(a_login_needs_the_pin_of_the_primary),
        TEST(a_move_logs_nobody_in),
        TEST(a_replica_that_is_not_the_enrolled_one_does_not_serve),
        TEST(processes_that_begin_later),
        TEST(an_hsm_that_began_anew),
        TEST(a_call_that_is_simply_wrong_moves_nothing),
    };
    return cmocka_run_group_tests(tests, estate_make, home_end);
}
