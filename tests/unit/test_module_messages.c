#include "tests/unit/messages_fixture.h"

/* Signatures of messages under approvals: each is a use of its own. */

static CK_RV sign_message(unsigned char data[32], unsigned char ret[64])
{
    CK_ULONG len = 64;

    memset(ret, 0, 64);
    return three->C_SignMessage(session, NULL, 0, data, 32, ret, &len);
}

static CK_RV sign_in_parts(unsigned char data[32], unsigned char ret[64])
{
    CK_ULONG len = 64;
    CK_RV rv = three->C_SignMessageBegin(session, NULL, 0);

    memset(ret, 0, 64);
    if (rv == CKR_OK)
        rv = three->C_SignMessageNext(session, NULL, 0, data, 7, NULL, NULL);
    return rv == CKR_OK ? three->C_SignMessageNext(session, NULL, 0, data + 7, 25, ret, &len) : rv;
}

static void one_approval_is_one_message(void **state)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE public = 0, key = 0;
    unsigned char data[32] = {7}, other[32] = {8}, signature[64];
    CK_ULONG len = 0;
    size_t used = logged(ENTRY_USED), waiting;

    (void)state;
    assert_ok(make_pair(session, "gov-says", true, &public, &key));
    assert_rv(three->C_SignMessage(session, NULL, 0, data, 32, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(three->C_MessageSignInit(session, &ecdsa, key));
    waiting = pending();
    assert_ok(three->C_SignMessage(session, NULL, 0, data, 32, NULL, &len)); /* a length asks nobody */
    assert_int_equal(len, 64);
    len = 63;
    assert_rv(three->C_SignMessage(session, NULL, 0, data, 32, signature, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 64);
    assert_int_equal(pending(), waiting);
    assert_rv(sign_message(data, signature), CKR_FUNCTION_REJECTED);
    assert_true(is_zero(signature, 64));
    assert_int_equal(pending(), waiting + 1);
    approve_all();
    assert_rv(sign_message(other, signature), CKR_FUNCTION_REJECTED);
    assert_true(is_zero(signature, 64));
    assert_ok(sign_message(data, signature));
    assert_ok(verify(session, public, data, 32, signature));
    assert_int_equal(logged(ENTRY_USED), used + 1);
    assert_rv(sign_message(data, signature), CKR_FUNCTION_REJECTED); /* spent */
    approve_all();                                                   /* this one again, and the other */
    assert_ok(sign_in_parts(other, signature));                      /* the same message, however it is fed */
    assert_ok(verify(session, public, other, 32, signature));
    assert_ok(sign_message(data, signature));
    assert_ok(three->C_MessageSignFinal(session));
    assert_rv(sign_message(data, signature), CKR_OPERATION_NOT_INITIALIZED);
}

/* An approval of C_Sign is none of C_SignMessage, nor the other way round: the function is part of what was approved. */
static void the_function_is_part_of_the_approval(void **state)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE public = 0, key = 0;
    unsigned char data[32] = {9}, signature[64];

    (void)state;
    assert_ok(make_pair(session, "gov-same", true, &public, &key));
    assert_ok(three->C_MessageSignInit(session, &ecdsa, key));
    assert_rv(sign_message(data, signature), CKR_FUNCTION_REJECTED);
    approve_all();
    assert_rv(sign(session, key, data, 32, signature), CKR_FUNCTION_REJECTED);
    assert_ok(sign_message(data, signature));
    approve_all();
    assert_rv(sign_message(data, signature), CKR_FUNCTION_REJECTED);
    assert_ok(sign(session, key, data, 32, signature));
}

static void parts_and_their_order(void **state)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE public = 0, key = 0;
    unsigned char data[32] = {10}, signature[64];
    CK_ULONG len = 0;

    (void)state;
    assert_ok(make_pair(session, "gov-parts", true, &public, &key));
    assert_ok(three->C_MessageSignInit(session, &ecdsa, key));
    assert_rv(three->C_MessageSignInit(session, &ecdsa, key), CKR_OPERATION_ACTIVE);
    assert_rv(three->C_SignMessageNext(session, NULL, 0, data, 4, NULL, NULL), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(three->C_SignMessageBegin(session, NULL, 0));
    assert_rv(three->C_SignMessageBegin(session, NULL, 0), CKR_OPERATION_ACTIVE);
    assert_rv(sign_message(data, signature), CKR_OPERATION_ACTIVE);
    assert_rv(three->C_SignMessageNext(session, NULL, 0, NULL, 4, NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_ok(three->C_SignMessageNext(session, NULL, 0, data, 4, NULL, NULL));
    assert_ok(three->C_SignMessageNext(session, NULL, 0, data + 4, 28, NULL, &len)); /* a length: no part */
    assert_int_equal(len, 64);
    assert_rv(three->C_SignMessageNext(session, NULL, 0, data + 4, 28, signature, &len), CKR_FUNCTION_REJECTED);
    assert_rv(three->C_SignMessageNext(session, NULL, 0, data, 4, NULL, NULL), CKR_OPERATION_NOT_INITIALIZED);
    approve_all();
    assert_ok(sign_in_parts(data, signature));
    assert_ok(verify(session, public, data, 32, signature));
    /* A parameter that nobody knows here. */
    assert_rv(three->C_SignMessage(session, data, 8, data, 32, signature, &len), CKR_FUNCTION_REJECTED);
    assert_refusal("CKM_ECDSA with this parameter of a message is not carried out under approvals");
    assert_rv(three->C_SignMessage(session, NULL, 0, data, 32, signature, NULL), CKR_ARGUMENTS_BAD);
    /* Ended in every way. */
    assert_ok(three->C_SessionCancel(session, CKF_MESSAGE_VERIFY));
    assert_rv(three->C_MessageSignInit(session, &ecdsa, key), CKR_OPERATION_ACTIVE);
    assert_ok(three->C_SessionCancel(session, CKF_MESSAGE_SIGN));
    assert_ok(three->C_MessageSignInit(session, &ecdsa, key));
    assert_ok(three->C_MessageSignInit(session, NULL, 0));
    assert_ok(three->C_MessageSignInit(session, &ecdsa, key));
    assert_ok(q->C_CloseSession(session));
    session = open_session(CKF_RW_SESSION);
    assert_ok(login(session));
    assert_rv(sign_message(data, signature), CKR_OPERATION_NOT_INITIALIZED);
}

static void verifying_a_mac_of_a_message_is_a_use(void **state)
{
    CK_MECHANISM cmac = {CKM_AES_CMAC, NULL, 0}, ecdsa = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE key = make_aes("gov-mac-message", false), public = 0, private = 0;
    unsigned char mac[16] = {0}, data[32] = "data", signature[64];

    (void)state;
    assert_ok(three->C_MessageVerifyInit(session, &cmac, key));
    assert_rv(three->C_VerifyMessage(session, NULL, 0, data, 5, mac, 16), CKR_FUNCTION_REJECTED);
    approve_all();
    assert_ok(three->C_VerifyMessageBegin(session, NULL, 0));
    assert_ok(three->C_VerifyMessageNext(session, NULL, 0, data, 5, NULL, 0));
    assert_rv(three->C_VerifyMessageNext(session, NULL, 0, data, 0, mac, 16), CKR_SIGNATURE_INVALID);
    assert_rv(three->C_VerifyMessage(session, NULL, 0, data, 5, mac, 16), CKR_FUNCTION_REJECTED); /* spent */
    assert_rv(three->C_VerifyMessage(session, NULL, 0, data, 5, NULL, 16), CKR_ARGUMENTS_BAD);
    assert_ok(three->C_MessageVerifyFinal(session));
    /* Public keys verify for everybody. */
    assert_ok(make_pair(session, "gov-verified", true, &public, &private));
    approved(sign(session, private, data, 32, signature));
    assert_ok(three->C_MessageVerifyInit(session, &ecdsa, public));
    assert_ok(three->C_VerifyMessage(session, NULL, 0, data, 32, signature, 64));
}

static void messages_draw_on_a_lease(void **state)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE public = 0, key = 0;
    unsigned char data[32] = {11}, signature[64];
    size_t used = logged(ENTRY_USED);

    (void)state;
    assert_ok(make_pair(session, "num-says", true, &public, &key));
    assert_ok(three->C_MessageSignInit(session, &ecdsa, key));
    approved(sign_message(data, signature));
    data[0]++;
    assert_ok(sign_message(data, signature));
    assert_ok(verify(session, public, data, 32, signature));
    data[0]++;
    assert_ok(sign_in_parts(data, signature));
    assert_rv(sign_message(data, signature), CKR_FUNCTION_REJECTED); /* three, and no more */
    assert_int_equal(logged(ENTRY_USED), used + 1);
    assert_rv(sign(session, key, data, 32, signature), CKR_FUNCTION_REJECTED);
}

static void a_suspension_stops_approved_messages(void **state)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE public = 0, key = 0, other = 0;
    unsigned char data[32] = {12}, signature[64];

    (void)state;
    assert_ok(make_pair(session, "gov-stops", true, &public, &key));
    assert_ok(make_pair(session, "num-stops", true, &public, &other));
    assert_ok(three->C_MessageSignInit(session, &ecdsa, key));
    assert_rv(sign_message(data, signature), CKR_FUNCTION_REJECTED);
    approve_all();
    scope_log(ENTRY_SUSPENDED, "key:gov-stops@root");
    assert_rv(sign_message(data, signature), CKR_FUNCTION_REJECTED);
    assert_refusal("suspended");
    assert_true(is_zero(signature, 64));
    scope_log(ENTRY_RESUMED, "key:gov-stops@root");
    assert_ok(sign_message(data, signature));
    /* Granted in number, too. */
    assert_ok(three->C_MessageSignFinal(session));
    assert_ok(three->C_MessageSignInit(session, &ecdsa, other));
    approved(sign_message(data, signature));
    scope_log(ENTRY_SUSPENDED, "key:num-stops@root");
    assert_rv(sign_message(data, signature), CKR_FUNCTION_REJECTED);
    assert_refusal("suspended");
    scope_log(ENTRY_RESUMED, "key:num-stops@root");
    assert_ok(sign_message(data, signature));
    /* Who is logged out has no key. */
    assert_ok(q->C_Logout(session));
    assert_int_not_equal(sign_message(data, signature), CKR_OK);
    assert_true(is_zero(signature, 64));
    assert_ok(login(session));
}

/* The rule of the key changes with its label, while messages are under way. */
static void a_rule_that_asks_now_stops_what_was_free(void **state)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    char to[] = "gov-now", back[] = "open-again";
    CK_ATTRIBUTE governed[] = {{CKA_LABEL, to, strlen(to)}}, open[] = {{CKA_LABEL, back, strlen(back)}};
    CK_OBJECT_HANDLE public = 0, key = 0;
    unsigned char data[32] = {13}, signature[64];
    size_t waiting;

    (void)state;
    assert_ok(make_pair(session, "open-first", true, &public, &key));
    assert_ok(three->C_MessageSignInit(session, &ecdsa, key));
    approved(q->C_SetAttributeValue(session, key, governed, 1));
    waiting = pending();
    assert_rv(sign_message(data, signature), CKR_FUNCTION_REJECTED);
    assert_refusal("its rule requires something now");
    assert_true(is_zero(signature, 64));
    assert_int_equal(pending(), waiting);
    assert_ok(three->C_MessageSignInit(session, NULL, 0));
    assert_ok(three->C_MessageSignInit(session, &ecdsa, key));
    approved(sign_message(data, signature));
    /* And back: what is kept here goes on, and asks nobody. */
    approved(q->C_SetAttributeValue(session, key, open, 1));
    assert_ok(sign_message(data, signature));
    assert_false(is_zero(signature, 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MESSAGES(one_approval_is_one_message),
        MESSAGES(the_function_is_part_of_the_approval),
        MESSAGES(parts_and_their_order),
        MESSAGES(verifying_a_mac_of_a_message_is_a_use),
        MESSAGES(messages_draw_on_a_lease),
        MESSAGES(a_suspension_stops_approved_messages),
        MESSAGES(a_rule_that_asks_now_stops_what_was_free),
    };
    return cmocka_run_group_tests(tests, messages_make, home_end);
}
