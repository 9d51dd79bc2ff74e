#include "tests/unit/governed_fixture.h"
#include "tests/unit/shim_fixture.h"

/* Messages of 3.0 under approvals, over tests/shim-hsm.c: each is a use of its own, bound to its bytes and to what comes
 * with them. */

static const CK_FUNCTION_LIST_3_0 *three;
static unsigned *below_messages; /* how many SoftHSM encrypted or decrypted for the shim */

static int messages_make(void **state)
{
    (void)state;
    depth_make(&home, RULES);
    world_close(home.world);
    home.world = NULL;
    return C_GetFunctionList(&q) == CKR_OK ? shim_put() : -1;
}

static int messages_begin(void **state)
{
    void *library;

    (void)state;
    begin("3.0");
    three = list_3_0();
    library = dlopen(shim, RTLD_NOW | RTLD_NOLOAD);
    below_messages = library ? dlsym(library, "shim_messages") : NULL;
    return three && below_messages ? 0 : -1;
}

/* The newest request. */
static struct request *newest(void)
{
    const struct state *s = &world_current()->estate->state;
    struct request *r = NULL;
    struct fault f = {0};

    assert_good(estate_request(world_current()->estate, &s->requests[s->request_count - 1].id, &r, &f));
    return r;
}

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

static bool is_zero(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
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

struct gcm {
    CK_BYTE iv[12], tag[16], associated[5], data[40];
    CK_ULONG len;
    CK_GCM_MESSAGE_PARAMS p;
};

static void gcm_set(struct gcm *g, CK_BYTE iv)
{
    *g = (struct gcm){.iv = {iv}, .associated = "with", .data = "what is kept"};
    g->p = (CK_GCM_MESSAGE_PARAMS){g->iv, 12, 0, CKG_NO_GENERATE, g->tag, 128};
}

static CK_RV seal(struct gcm *g, CK_BYTE out[40])
{
    g->len = 40;
    return three->C_EncryptMessage(session, &g->p, sizeof(g->p), g->associated, 5, g->data, 40, out, &g->len);
}

static CK_RV unseal(struct gcm *g, CK_BYTE sealed[40], CK_BYTE out[40])
{
    g->len = 40;
    memset(out, 0, 40);
    return three->C_DecryptMessage(session, &g->p, sizeof(g->p), g->associated, 5, sealed, 40, out, &g->len);
}

static void what_comes_with_a_message_is_approved_with_it(void **state)
{
    CK_MECHANISM aes = {CKM_AES_GCM, NULL, 0};
    CK_OBJECT_HANDLE key = make_aes("gov-gcm", false);
    struct gcm g, h;
    CK_BYTE sealed[40], open[40];
    struct request *r = NULL;
    size_t used = logged(ENTRY_USED);

    (void)state;
    gcm_set(&g, 1);
    assert_ok(three->C_MessageEncryptInit(session, &aes, key));
    assert_ok(three->C_MessageDecryptInit(session, &aes, key));
    memset(g.tag, 0xee, 16); /* comes out: says nothing of what is wanted */
    assert_rv(seal(&g, sealed), CKR_FUNCTION_REJECTED);
    r = newest();
    assert_string_equal(json_string_or_null(json_object_get(r->subject->json, "data"), "parameter"),
                        "hex:000000000000000c010000000000000000000000" /* 12 bytes of IV */
                        "00000000000000000000000000000000"             /* nothing fixed, nothing made */
                        "000000000000001000000000000000000000000000000000");
    assert_non_null(json_string_or_null(json_object_get(r->subject->json, "data"), "associated"));
    assert_string_equal(r->subject->function, "C_EncryptMessage");
    request_free(r);
    approve_all();
    gcm_set(&h, 2);
    assert_rv(seal(&h, sealed), CKR_FUNCTION_REJECTED); /* another IV */
    gcm_set(&h, 1);
    h.associated[0] = 'W';
    assert_rv(seal(&h, sealed), CKR_FUNCTION_REJECTED);
    gcm_set(&h, 1);
    h.p.ulTagBits = 96;
    assert_rv(seal(&h, sealed), CKR_FUNCTION_REJECTED);
    gcm_set(&h, 1);
    h.data[3] ^= 1;
    assert_rv(seal(&h, sealed), CKR_FUNCTION_REJECTED);
    assert_int_equal(*below_messages, 0);
    assert_ok(seal(&g, sealed)); /* the tag is in the application's buffer as it was when people were asked */
    assert_int_equal(*below_messages, 1);
    assert_false(is_zero(g.tag, 16));
    assert_int_equal(logged(ENTRY_USED), used + 1);
    /* And back: here the tag goes in. */
    assert_rv(unseal(&g, sealed, open), CKR_FUNCTION_REJECTED);
    assert_true(is_zero(open, 40));
    approve_all();
    h = g;
    h.p.pIv = h.iv;
    h.p.pTag = h.tag;
    h.tag[15] ^= 1;
    assert_rv(unseal(&h, sealed, open), CKR_FUNCTION_REJECTED); /* another tag */
    assert_ok(unseal(&g, sealed, open));
    assert_memory_equal(open, g.data, 40);
    assert_rv(unseal(&g, sealed, open), CKR_FUNCTION_REJECTED); /* spent */
}

static void the_hsm_makes_an_iv_or_none(void **state)
{
    CK_MECHANISM aes = {CKM_AES_GCM, NULL, 0};
    CK_GCM_MESSAGE_PARAMS early = {NULL, 0, 0, 0, NULL, 0};
    CK_MECHANISM misplaced = {CKM_AES_GCM, &early, sizeof(early)};
    CK_OBJECT_HANDLE key = make_aes("gov-iv", false);
    struct gcm g;
    CK_BYTE sealed[40], open[40];

    (void)state;
    assert_rv(three->C_MessageEncryptInit(session, &misplaced, key), CKR_FUNCTION_REJECTED);
    assert_refusal("comes with each message");
    assert_ok(three->C_MessageEncryptInit(session, &aes, key));
    assert_ok(three->C_MessageDecryptInit(session, &aes, key));
    gcm_set(&g, 0xa5);
    g.p.ivGenerator = 2; /* it would begin anew with each session: the same IV twice */
    assert_rv(seal(&g, sealed), CKR_FUNCTION_REJECTED);
    assert_refusal("an IV that the HSM counts");
    g.p.ivGenerator = CKG_GENERATE_RANDOM;
    g.p.ulIvFixedBits = 97;
    assert_rv(seal(&g, sealed), CKR_MECHANISM_PARAM_INVALID);
    g.p.ulIvFixedBits = 8;
    assert_rv(three->C_EncryptMessageBegin(session, &g.p, sizeof(g.p), NULL, 0), CKR_FUNCTION_REJECTED);
    assert_refusal("nothing comes out before the end");
    assert_rv(seal(&g, sealed), CKR_FUNCTION_REJECTED);
    approve_all();
    memset(g.iv + 1, 0x77, 11); /* what lies there is to be replaced, and asks nobody again */
    assert_ok(seal(&g, sealed));
    assert_int_equal(g.iv[0], 0xa5);
    assert_int_not_equal(
        memcmp(g.iv + 1, (CK_BYTE[11]){0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77}, 11), 0);
    g.p.ivGenerator = CKG_NO_GENERATE;
    assert_rv(unseal(&g, sealed, open), CKR_FUNCTION_REJECTED);
    approve_all();
    assert_ok(unseal(&g, sealed, open));
    assert_memory_equal(open, g.data, 40);
    g.p.ulTagBits = 127;
    assert_rv(seal(&g, sealed), CKR_MECHANISM_PARAM_INVALID);
    g.p.ulTagBits = 136;
    assert_rv(seal(&g, sealed), CKR_MECHANISM_PARAM_INVALID);
    g.p.ulTagBits = 128;
    g.p.ulIvLen = 257;
    assert_rv(seal(&g, sealed), CKR_MECHANISM_PARAM_INVALID);
    g.p.ulIvLen = 12;
    g.p.pTag = NULL;
    assert_rv(seal(&g, sealed), CKR_MECHANISM_PARAM_INVALID);
    g.p.pTag = g.tag;
    assert_rv(three->C_EncryptMessage(session, &g.p, sizeof(g.p) - 8, NULL, 0, g.data, 40, sealed, &g.len),
              CKR_MECHANISM_PARAM_INVALID);
    assert_rv(three->C_EncryptMessage(session, &g.p, sizeof(g.p), NULL, 1, g.data, 40, sealed, &g.len),
              CKR_ARGUMENTS_BAD);
}

static CK_RV unseal_in_parts(struct gcm *g, CK_BYTE sealed[40], CK_BYTE out[40])
{
    CK_BYTE tag[16];
    CK_ULONG none = 40;
    CK_RV rv;

    memcpy(tag, g->tag, 16);
    memset(g->tag, 0, 16); /* it comes last */
    memset(out, 0, 40);
    rv = three->C_DecryptMessageBegin(session, &g->p, sizeof(g->p), g->associated, 5);
    if (rv == CKR_OK)
        rv = three->C_DecryptMessageNext(session, &g->p, sizeof(g->p), sealed, 16, out, &none, 0);
    memcpy(g->tag, tag, 16);
    if (rv != CKR_OK)
        return rv;
    assert_int_equal(none, 0); /* nothing before its end */
    g->len = 40;
    return three->C_DecryptMessageNext(session, &g->p, sizeof(g->p), sealed + 16, 24, out, &g->len, CKF_END_OF_MESSAGE);
}

static void a_message_in_parts_is_the_same_message(void **state)
{
    CK_MECHANISM aes = {CKM_AES_GCM, NULL, 0};
    CK_OBJECT_HANDLE key = make_aes("gov-pieces", false);
    struct gcm g;
    CK_BYTE sealed[40], open[40], iv;
    CK_ULONG len = 40;

    (void)state;
    gcm_set(&g, 3);
    assert_ok(three->C_MessageEncryptInit(session, &aes, key));
    assert_ok(three->C_MessageDecryptInit(session, &aes, key));
    approved(seal(&g, sealed));
    assert_rv(unseal_in_parts(&g, sealed, open), CKR_FUNCTION_REJECTED);
    assert_true(is_zero(open, 40));
    approve_all();
    assert_ok(unseal_in_parts(&g, sealed, open));
    assert_int_equal(g.len, 40);
    assert_memory_equal(open, g.data, 40);
    /* What was begun with one IV does not end with another. */
    assert_ok(three->C_DecryptMessageBegin(session, &g.p, sizeof(g.p), NULL, 0));
    iv = g.iv[0]++;
    assert_rv(three->C_DecryptMessageNext(session, &g.p, sizeof(g.p), sealed, 40, open, &len, CKF_END_OF_MESSAGE),
              CKR_MECHANISM_PARAM_INVALID);
    g.iv[0] = iv;
    assert_rv(three->C_DecryptMessageNext(session, &g.p, sizeof(g.p), sealed, 40, open, &len, CKF_END_OF_MESSAGE),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(three->C_DecryptMessageNext(session, &g.p, sizeof(g.p), sealed, 40, open, NULL, 0), CKR_ARGUMENTS_BAD);
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

#define MESSAGES(test) cmocka_unit_test_setup_teardown(test, messages_begin, life_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MESSAGES(one_approval_is_one_message),
        MESSAGES(the_function_is_part_of_the_approval),
        MESSAGES(parts_and_their_order),
        MESSAGES(what_comes_with_a_message_is_approved_with_it),
        MESSAGES(the_hsm_makes_an_iv_or_none),
        MESSAGES(a_message_in_parts_is_the_same_message),
        MESSAGES(verifying_a_mac_of_a_message_is_a_use),
        MESSAGES(messages_draw_on_a_lease),
        MESSAGES(a_suspension_stops_approved_messages),
    };
    return cmocka_run_group_tests(tests, messages_make, home_end);
}
