#include "tests/unit/messages_fixture.h"

/* Messages that are encrypted and decrypted under approvals, by GCM: bound to their bytes and to what comes with them. */

/* The newest request. */
static struct request *newest(void)
{
    const struct state *s = &world_current()->estate->state;
    struct request *r = NULL;
    struct fault f = {0};

    assert_good(estate_request(world_current()->estate, &s->requests[s->request_count - 1].id, &r, &f));
    return r;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        MESSAGES(what_comes_with_a_message_is_approved_with_it),
        MESSAGES(the_hsm_makes_an_iv_or_none),
        MESSAGES(a_message_in_parts_is_the_same_message),
    };
    return cmocka_run_group_tests(tests, messages_make, home_end);
}
