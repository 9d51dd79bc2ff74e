#include "tests/unit/module_fixture.h"

/* A signature that people must approve: bound to the key, the mechanism and the exact bytes. */

static CK_OBJECT_HANDLE public, private;

static struct digest last_request(void)
{
    const struct state *s = &world_current()->estate->state;

    return s->requests[s->request_count - 1].id;
}

/* Another process approves; the module sees it at its next look. */
static void approve_last(void)
{
    struct digest id = last_request();
    struct estate *e = NULL;
    struct fault f = {0};

    assert_good(estate_open(home.bindings, &e, &f));
    depth_approve(e, &id, "key-custodian");
    estate_close(e);
}

static int sign_begin(void **state)
{
    life_begin(state);
    assert_ok(make_pair(session, "gov-1", true, &public, &private));
    return 0;
}

#define SIGNING(test) cmocka_unit_test_setup_teardown(test, sign_begin, life_end)

static void the_exact_bytes_are_approved_once(void **state)
{
    unsigned char data[32] = {1}, other[32] = {2}, signature[64] = {0}, zero[64] = {0};
    size_t requests = logged(ENTRY_REQUEST), used = logged(ENTRY_USED);

    (void)state;
    assert_rv(sign(session, private, data, 32, signature), CKR_FUNCTION_REJECTED);
    assert_refusal("quorate approve ");
    assert_memory_equal(signature, zero, 64);
    assert_rv(sign(session, private, data, 32, signature), CKR_FUNCTION_REJECTED);
    assert_int_equal(logged(ENTRY_REQUEST), requests + 1);
    approve_last();
    assert_rv(sign(session, private, other, 32, signature),
              CKR_FUNCTION_REJECTED); /* another digest: another request */
    assert_int_equal(logged(ENTRY_REQUEST), requests + 2);
    assert_ok(sign(session, private, data, 32, signature));
    assert_ok(verify(session, public, data, 32, signature));
    assert_int_equal(logged(ENTRY_USED), used + 1);
    assert_rv(sign(session, private, data, 32, signature), CKR_FUNCTION_REJECTED); /* spent */
    assert_int_equal(logged(ENTRY_USED), used + 1);
}

static void asking_for_the_length_asks_nobody(void **state)
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    unsigned char data[32] = {3}, signature[64];
    CK_ULONG len = 0;
    size_t requests = logged(ENTRY_REQUEST);

    (void)state;
    assert_ok(q->C_SignInit(session, &mechanism, private));
    assert_rv(q->C_SignInit(session, &mechanism, private), CKR_OPERATION_ACTIVE);
    assert_ok(q->C_Sign(session, data, 32, NULL, &len));
    assert_int_equal(len, 64);
    len = 10;
    assert_rv(q->C_Sign(session, data, 32, signature, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 64);
    assert_rv(q->C_Sign(session, data, 32, signature, NULL), CKR_ARGUMENTS_BAD);
    assert_int_equal(logged(ENTRY_REQUEST), requests);
    assert_rv(q->C_Sign(session, data, 32, signature, &len), CKR_FUNCTION_REJECTED); /* the operation ends here */
    assert_int_equal(logged(ENTRY_REQUEST), requests + 1);
    assert_rv(q->C_Sign(session, data, 32, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(q->C_SignFinal(session, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
}

static void parts_are_one_message(void **state)
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    unsigned char data[32] = {4}, signature[64];
    CK_ULONG len = 64;

    (void)state;
    assert_rv(sign(session, private, data, 32, signature), CKR_FUNCTION_REJECTED);
    approve_last();
    assert_ok(q->C_SignInit(session, &mechanism, private));
    assert_ok(q->C_SignUpdate(session, data, 10));
    assert_ok(q->C_SignUpdate(session, data + 10, 22));
    len = 0;
    assert_ok(q->C_SignFinal(session, NULL, &len));
    assert_int_equal(len, 64);
    assert_ok(q->C_SignFinal(session, signature, &len));
    assert_ok(verify(session, public, data, 32, signature));
    assert_rv(q->C_SignUpdate(session, data, 1), CKR_OPERATION_NOT_INITIALIZED);
}

static void nothing_is_opened_that_the_application_could_reach(void **state)
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    unsigned char data[32] = {5}, signature[64];
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *hsm = below(&slot);
    CK_SESSION_INFO info;
    CK_ULONG len = 64;

    (void)state;
    assert_ok(q->C_SignInit(session, &mechanism, private));
    /* The lower sessions: none of them is signing. */
    for (CK_SESSION_HANDLE s = 0; s < 64; s++)
        if (hsm->C_GetSessionInfo(s, &info) == CKR_OK)
            assert_rv(hsm->C_Sign(s, data, 32, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(q->C_CloseSession(session));
    session = open_session(CKF_RW_SESSION);
    assert_rv(q->C_Sign(session, data, 32, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
}

static void logout_ends_it(void **state)
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    unsigned char data[32] = {6}, signature[64];
    CK_ULONG len = 64;

    (void)state;
    assert_rv(sign(session, private, data, 32, signature), CKR_FUNCTION_REJECTED);
    approve_last();
    assert_ok(q->C_SignInit(session, &mechanism, private));
    assert_ok(q->C_Logout(session));
    assert_int_not_equal(q->C_Sign(session, data, 32, signature, &len), CKR_OK);
    assert_ok(login(session));
    assert_int_not_equal(q->C_Sign(session, data, 32, signature, &len), CKR_OK);
}

static void what_the_hsm_cannot_do_asks_nobody(void **state)
{
    CK_MECHANISM digest = {CKM_SHA256, NULL, 0}, with = {CKM_ECDSA, (char[]){"xx"}, 2}, none = {0x7fffffff, NULL, 0};
    unsigned char data[300] = {7}, signature[64];
    size_t requests = logged(ENTRY_REQUEST);

    (void)state;
    assert_rv(q->C_SignInit(session, &digest, private), CKR_MECHANISM_INVALID);
    assert_rv(q->C_SignInit(session, &none, private), CKR_MECHANISM_INVALID);
    assert_rv(q->C_SignInit(session, &with, private), CKR_FUNCTION_REJECTED);
    assert_int_equal(logged(ENTRY_REQUEST), requests);
    assert_int_not_equal(sign(session, private, data, 300, signature), CKR_OK);
    /* A failed operation leaves none behind. */
    assert_rv(sign(session, private, data, 32, signature), CKR_FUNCTION_REJECTED);
}

static void a_suspended_key_signs_nothing(void **state)
{
    unsigned char data[32] = {8}, signature[64];
    struct estate *e = NULL;
    json_t *body = json_object();
    struct fault f = {0};

    (void)state;
    assert_rv(sign(session, private, data, 32, signature), CKR_FUNCTION_REJECTED);
    approve_last();
    assert_true(json_put_string(body, "scope", "estate"));
    assert_good(estate_open(home.bindings, &e, &f));
    assert_good(estate_append(e, ENTRY_SUSPENDED, body, NULL, &f));
    gate_forget(); /* as if the last look were long ago */
    assert_int_not_equal(sign(session, private, data, 32, signature), CKR_OK);
    assert_refusal("suspended");
    assert_good(estate_append(e, ENTRY_RESUMED, body, NULL, &f));
    estate_close(e);
    json_decref(body);
    gate_forget();
    assert_ok(sign(session, private, data, 32, signature));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNING(the_exact_bytes_are_approved_once),
        SIGNING(asking_for_the_length_asks_nobody),
        SIGNING(parts_are_one_message),
        SIGNING(nothing_is_opened_that_the_application_could_reach),
        SIGNING(logout_ends_it),
        SIGNING(what_the_hsm_cannot_do_asks_nobody),
        SIGNING(a_suspended_key_signs_nothing),
    };
    return cmocka_run_group_tests(tests, home_make, home_end);
}
