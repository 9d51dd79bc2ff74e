#include "tests/unit/shim_fixture.h"

/* Lower modules of other versions of PKCS#11, by tests/shim-hsm.c: what they lack, what they have more. */

static void a_function_that_is_missing_is_not_supported(void **state)
{
    CK_BYTE seed[4] = {0};

    (void)state;
    begin("holes");
    assert_rv(q->C_SeedRandom(session, seed, sizeof(seed)), CKR_FUNCTION_NOT_SUPPORTED);
    assert_ok(q->C_GenerateRandom(session, seed, sizeof(seed)));
    assert_null(list_3_0());
    life_end(state);
}

static void nothing_is_read_past_a_lists_end(void **state)
{
    const struct shown_token *t;
    CK_SLOT_ID slot = 0;

    (void)state;
    begin("2.0");
    t = world_token(world_current(), "root");
    assert_rv(t->lower->f->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_FUNCTION_NOT_SUPPORTED);
    life_end(state);
}

static void the_version_that_all_have_is_offered(void **state)
{
    const CK_FUNCTION_LIST_3_0 *three = NULL;
    void *const *function = NULL;
    CK_INTERFACE *first = NULL, all[3];
    CK_ULONG count = 3;

    (void)state;
    begin("2.40");
    assert_null(list_3_0());
    life_end(state);
    assert_null(list_3_0()); /* nor before C_Initialize */
    setenv("SHIM", "3.0", 1);
    assert_non_null(list_3_0());
    begin("3.0");
    three = list_3_0();
    assert_non_null(three);
    assert_ptr_equal(three->C_GetInfo, q->C_GetInfo); /* ours, not the lower module's */
    function = (void *const *)(const void *)&three->C_Initialize;
    for (size_t i = 0; i < 68 + 24; i++)
        assert_non_null(function[i]);
    assert_ok(C_GetInterface(NULL, NULL, &first, 0));
    assert_ptr_equal(first->pFunctionList, three); /* the default is the highest */
    assert_ok(C_GetInterfaceList(all, &count));
    assert_int_equal(count, 3);
    assert_ptr_equal(all[1].pFunctionList, q);
    life_end(state);
    begin("3.2");
    assert_ptr_equal(list_3_0(), three);
    life_end(state);
}

static void messages_are_judged_as_uses(void **state)
{
    const CK_FUNCTION_LIST_3_0 *three = NULL;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0}, carrying = {CKM_KIP_MAC, NULL, 0};
    CK_OBJECT_HANDLE public = 0, private = 0, governed = 0;
    unsigned char data[32] = {7}, signature[64];
    CK_ULONG len = sizeof(signature);

    (void)state;
    begin("3.0");
    three = list_3_0();
    assert_ok(make_pair(session, "free-message", true, &public, &private));
    assert_ok(three->C_MessageSignInit(session, &mechanism, private));
    assert_ok(three->C_SignMessage(session, NULL, 0, data, sizeof(data), signature, &len));
    assert_ok(verify(session, public, data, sizeof(data), signature));
    assert_rv(three->C_MessageSignFinal(session), CKR_FUNCTION_NOT_SUPPORTED); /* the shim has none */
    assert_rv(three->C_MessageSignInit(session, &mechanism, ~0UL), CKR_KEY_HANDLE_INVALID);
    assert_rv(three->C_MessageSignInit(session, &carrying, private), CKR_MECHANISM_INVALID);
    assert_rv(three->C_MessageSignInit(~0UL, &mechanism, private), CKR_SESSION_HANDLE_INVALID);
    assert_rv(three->C_SignMessageBegin(~0UL, NULL, 0), CKR_SESSION_HANDLE_INVALID);
    assert_ok(three->C_MessageSignInit(session, NULL, 0)); /* ends what was begun; asks nobody */
    assert_ok(make_pair(session, "gov-message", true, &public, &governed));
    assert_ok(three->C_MessageSignInit(session, &mechanism, governed));
    assert_int_equal(world_current()->estate->state.requests[world_current()->estate->state.request_count - 1].state,
                     REQUEST_SPENT); /* nobody is asked yet: the last request is that for the policy */
    life_end(state);
    assert_rv(three->C_SignMessageBegin(session, NULL, 0), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(three->C_MessageSignInit(session, &mechanism, private), CKR_CRYPTOKI_NOT_INITIALIZED);
}

/* What was begun once goes on message by message: each is asked for anew. */
static void messages_stop_at_a_suspension(void **state)
{
    const CK_FUNCTION_LIST_3_0 *three = NULL;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE public = 0, private = 0;
    unsigned char data[32] = {7}, signature[64] = {0};
    CK_ULONG len = sizeof(signature);

    (void)state;
    begin("3.0");
    three = list_3_0();
    assert_ok(make_pair(session, "free-stopped", true, &public, &private));
    assert_ok(three->C_MessageSignInit(session, &mechanism, private));
    scope_log(ENTRY_SUSPENDED, "key:free-stopped@root");
    assert_rv(three->C_SignMessage(session, NULL, 0, data, sizeof(data), signature, &len), CKR_FUNCTION_REJECTED);
    assert_refusal("suspended");
    assert_rv(three->C_SignMessageBegin(session, NULL, 0), CKR_FUNCTION_REJECTED);
    assert_int_equal(signature[0] | signature[63], 0);
    scope_log(ENTRY_RESUMED, "key:free-stopped@root");
    assert_ok(three->C_SignMessage(session, NULL, 0, data, sizeof(data), signature, &len));
    assert_ok(q->C_DestroyObject(session, private));
    assert_rv(three->C_SignMessage(session, NULL, 0, data, sizeof(data), signature, &len),
              CKR_OPERATION_NOT_INITIALIZED);
    life_end(state);
}

static void a_cancelled_signature_is_forgotten(void **state)
{
    const CK_FUNCTION_LIST_3_0 *three = NULL;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE public = 0, governed = 0;

    (void)state;
    begin("3.0");
    three = list_3_0();
    assert_ok(make_pair(session, "gov-cancel", true, &public, &governed));
    assert_ok(q->C_SignInit(session, &mechanism, governed));
    assert_rv(q->C_SignInit(session, &mechanism, governed), CKR_OPERATION_ACTIVE);
    assert_ok(three->C_SessionCancel(session, CKF_DIGEST)); /* another operation */
    assert_rv(q->C_SignInit(session, &mechanism, governed), CKR_OPERATION_ACTIVE);
    assert_ok(three->C_SessionCancel(session, CKF_SIGN | CKF_DIGEST));
    assert_ok(q->C_SignInit(session, &mechanism, governed));
    assert_rv(three->C_SessionCancel(~0UL, CKF_SIGN), CKR_SESSION_HANDLE_INVALID);
    life_end(state);
}

static void a_named_user_logs_in(void **state)
{
    const CK_FUNCTION_LIST_3_0 *three = NULL;
    CK_UTF8CHAR pin[] = PIN, name[] = "ann";
    CK_SESSION_INFO info;

    (void)state;
    begin("3.0");
    three = list_3_0();
    assert_ok(q->C_Logout(session));
    assert_ok(three->C_LoginUser(session, CKU_USER, pin, sizeof(pin) - 1, name, 3));
    assert_ok(q->C_GetSessionInfo(session, &info));
    assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
    assert_rv(three->C_LoginUser(session, CKU_SO, pin, sizeof(pin) - 1, name, 3), CKR_FUNCTION_REJECTED);
    assert_refusal("C_LoginUser");
    assert_rv(three->C_LoginUser(~0UL, CKU_USER, pin, 4, name, 3), CKR_SESSION_HANDLE_INVALID);
    life_end(state);
}

static void what_3_2_adds_is_denied(void **state)
{
    CK_UTF8CHAR name[] = "C_Sign";
    CK_SESSION_HANDLE s = 0;
    CK_ASYNC_DATA result;
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG len = 0;

    (void)state;
    begin("3.2");
    assert_rv(C_EncapsulateKey(session, NULL, 1, NULL, 0, NULL, &len, &key), CKR_FUNCTION_NOT_SUPPORTED);
    assert_rv(C_AsyncComplete(session, name, &result), CKR_FUNCTION_NOT_SUPPORTED);
    assert_rv(C_AsyncComplete(~0UL, name, &result), CKR_SESSION_HANDLE_INVALID);
    /* A session whose results come elsewhere would hand them out past every gate. */
    assert_rv(q->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_ASYNC_SESSION, NULL, NULL, &s),
              CKR_SESSION_ASYNC_NOT_SUPPORTED);
    life_end(state);
    assert_rv(C_AsyncComplete(session, name, &result), CKR_CRYPTOKI_NOT_INITIALIZED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_that_is_missing_is_not_supported),
        cmocka_unit_test(nothing_is_read_past_a_lists_end),
        cmocka_unit_test(the_version_that_all_have_is_offered),
        cmocka_unit_test(messages_are_judged_as_uses),
        cmocka_unit_test(messages_stop_at_a_suspension),
        cmocka_unit_test(a_cancelled_signature_is_forgotten),
        cmocka_unit_test(a_named_user_logs_in),
        cmocka_unit_test(what_3_2_adds_is_denied),
    };
    return cmocka_run_group_tests(tests, shim_make, home_end);
}
