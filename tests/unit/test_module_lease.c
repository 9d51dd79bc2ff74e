#include "tests/unit/mock_fixture.h"

/* Uses in number over the mock HSM: what they keep below for the next one, and when they let go of it. */

#define RULES                                                                                                          \
    "  - {id: births, when: {operation: generate}, allow: true}\n"                                                     \
    "  - {id: officers, when: {operation: initialise}, allow: true}\n"                                                 \
    "  - {id: leased, when: {operation: use}, require: {quorum: {of: key-custodian, at-least: 2}, uses: {at-most: "    \
    "1000, within: 1 day}}}\n"

static CK_OBJECT_HANDLE key;
static unsigned char data[32] = {1}, signature[64];

static int make_home(void **state)
{
    (void)state;
    mock_home_with(RULES);
    return 0;
}

static void approve_newest(void)
{
    struct estate *e = NULL;
    struct fault f = {0};
    struct digest id;

    assert_good(estate_open(home.bindings, &e, &f));
    id = e->state.requests[e->state.request_count - 1].id;
    depth_approve(e, &id, "key-custodian");
    estate_close(e);
    gate_forget();
}

/* A key of its own for each test, and a lease on it with an idle use. */
static void leased(const char *label)
{
    CK_OBJECT_HANDLE public = 0;

    session = open_session(CKF_RW_SESSION);
    assert_ok(mock_login(session));
    assert_ok(make_pair(session, label, true, &public, &key));
    assert_rv(sign(session, key, data, sizeof(data), signature), CKR_FUNCTION_REJECTED);
    approve_newest();
    assert_ok(sign(session, key, data, sizeof(data), signature));
    steer("count");
}

static unsigned long below_open(void)
{
    return mock_calls_below("C_OpenSession") - mock_calls_below("C_CloseSession");
}

static void one_session_serves_them_all(void **state)
{
    CK_ULONG len = 0;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    unsigned long opened;

    (void)state;
    leased("served");
    opened = mock_calls_below("C_OpenSession");
    for (int i = 0; i < 10; i++)
        assert_ok(sign(session, key, data, sizeof(data), signature));
    assert_int_equal(mock_calls_below("C_OpenSession"), opened);
    /* A question for the length is no end. */
    assert_ok(q->C_SignInit(session, &mechanism, key));
    assert_ok(q->C_Sign(session, data, sizeof(data), NULL, &len));
    assert_rv(q->C_SignInit(session, &mechanism, key), CKR_OPERATION_ACTIVE);
    assert_ok(q->C_Sign(session, data, sizeof(data), signature, &len));
    assert_int_equal(mock_calls_below("C_OpenSession"), opened);
    assert_int_equal(mock_uses_below("served"), 11);
}

static void one_that_failed_serves_no_more(void **state)
{
    unsigned long opened;

    (void)state;
    leased("failed");
    opened = mock_calls_below("C_OpenSession");
    steer("C_Sign rv=48 times=1"); /* CKR_DEVICE_ERROR */
    assert_rv(sign(session, key, data, sizeof(data), signature), CKR_DEVICE_ERROR);
    assert_ok(sign(session, key, data, sizeof(data), signature));
    assert_int_equal(mock_calls_below("C_OpenSession"), opened + 1);
    steer("C_SignInit rv=144 times=1"); /* CKR_OPERATION_ACTIVE: it did not end what it said it did */
    assert_ok(sign(session, key, data, sizeof(data), signature));
    assert_int_equal(mock_calls_below("C_OpenSession"), opened + 2);
}

static void it_goes_with_who_kept_it(void **state)
{
    CK_UTF8CHAR so[] = MOCK_SO_PIN;
    unsigned long open;
    CK_SESSION_HANDLE second;

    (void)state;
    leased("kept");
    open = below_open();
    second = open_session(CKF_RW_SESSION);
    assert_ok(q->C_CloseSession(session));
    assert_int_equal(below_open(), open - 1); /* the session, and the idle one: the second came instead */
    session = second;
    assert_ok(sign(session, key, data, sizeof(data), signature));
    /* A R/O session would keep the SO out. */
    assert_ok(q->C_Logout(session));
    assert_ok(q->C_Login(session, CKU_SO, so, sizeof(so) - 1));
    assert_ok(q->C_Logout(session));
    assert_ok(q->C_CloseAllSessions(0));
    assert_int_equal(below_open() - open, (unsigned long)-2);
}

static void it_makes_room(void **state)
{
    unsigned long closed;
    CK_SESSION_HANDLE s;

    (void)state;
    leased("room");
    closed = mock_calls_below("C_CloseSession");
    steer("C_OpenSession rv=177 times=1"); /* CKR_SESSION_COUNT */
    s = open_session(0);
    assert_int_equal(mock_calls_below("C_CloseSession"), closed + 1);
    assert_ok(sign(session, key, data, sizeof(data), signature));
    assert_ok(q->C_CloseSession(s));
}

static void a_suspension_stops_it(void **state)
{
    struct estate *e = NULL;
    struct fault f = {0};
    json_t *body = json_object();

    (void)state;
    leased("suspended");
    assert_good(estate_open(home.bindings, &e, &f));
    assert_true(json_put_string(body, "scope", "token:root"));
    assert_good(estate_append(e, ENTRY_SUSPENDED, body, NULL, &f));
    json_decref(body);
    estate_close(e);
    gate_forget();
    assert_rv(sign(session, key, data, sizeof(data), signature), CKR_FUNCTION_REJECTED);
    assert_refusal("suspended");
    assert_int_equal(mock_uses_below("suspended"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_MOCK_LIFE(one_session_serves_them_all), IN_MOCK_LIFE(one_that_failed_serves_no_more),
        IN_MOCK_LIFE(it_goes_with_who_kept_it),    IN_MOCK_LIFE(it_makes_room),
        IN_MOCK_LIFE(a_suspension_stops_it),
    };

    return cmocka_run_group_tests(tests, make_home, home_end);
}
