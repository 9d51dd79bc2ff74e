#include "tests/unit/messages_fixture.h"

/* Messages that are encrypted and decrypted under approvals: bound to their bytes and to what comes with them. */

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

/* The mechanisms whose parameters say the same in other words: the structure is led by `p`, its pointers into `iv` and `tag`. */
struct sealed {
    CK_BYTE iv[24], tag[16], associated[5], data[40];
    union {
        CK_CCM_MESSAGE_PARAMS ccm;
        CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS poly;
    } p;
    CK_ULONG p_len;
};

static void ccm_set(struct sealed *s, CK_BYTE nonce)
{
    *s = (struct sealed){.iv = {nonce}, .associated = "with", .data = "what is kept"};
    s->p.ccm = (CK_CCM_MESSAGE_PARAMS){40, s->iv, 11, 0, CKG_NO_GENERATE, s->tag, 12};
    s->p_len = sizeof(s->p.ccm);
}

static void poly_set(struct sealed *s, CK_BYTE nonce)
{
    *s = (struct sealed){.iv = {nonce}, .associated = "with", .data = "what is kept"};
    s->p.poly = (CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS){s->iv, 12, s->tag};
    s->p_len = sizeof(s->p.poly);
}

static CK_RV shut(struct sealed *s, CK_BYTE out[40])
{
    CK_ULONG len = 40;

    return three->C_EncryptMessage(session, &s->p, s->p_len, s->associated, 5, s->data, 40, out, &len);
}

static CK_RV unshut(struct sealed *s, CK_BYTE in[40], CK_BYTE out[40])
{
    CK_ULONG len = 40;

    memset(out, 0, 40);
    return three->C_DecryptMessage(session, &s->p, s->p_len, s->associated, 5, in, 40, out, &len);
}

static CK_OBJECT_HANDLE sealed_begin(CK_MECHANISM_TYPE type, const char *label)
{
    CK_MECHANISM m = {type, NULL, 0};
    CK_OBJECT_HANDLE key = make_aes(label, false);

    assert_ok(three->C_MessageEncryptInit(session, &m, key));
    assert_ok(three->C_MessageDecryptInit(session, &m, key));
    return key;
}

static void sealed_end(void)
{
    assert_ok(three->C_MessageEncryptFinal(session));
    assert_ok(three->C_MessageDecryptFinal(session));
}

static void assert_asked(const char *mechanism, const char *parameter)
{
    struct request *r = newest();
    json_t *subject = r->subject->json;

    assert_string_equal(json_string_or_null(json_object_get(subject, "mechanism"), "name"), mechanism);
    assert_string_equal(json_string_or_null(json_object_get(subject, "data"), "parameter"), parameter);
    request_free(r);
}

static void ccm_is_bound_to_its_parameter(void **state)
{
    struct sealed s, t;
    CK_BYTE shut_up[40], open[40];
    size_t used = logged(ENTRY_USED);
    unsigned before = *below_messages;

    (void)state;
    sealed_begin(CKM_AES_CCM, "gov-ccm");
    ccm_set(&s, 1);
    memset(s.tag, 0xee, 16);
    assert_rv(shut(&s, shut_up), CKR_FUNCTION_REJECTED);
    assert_asked("CKM_AES_CCM", "hex:0000000000000028"                   /* so many bytes of data */
                                "000000000000000b0100000000000000000000" /* the nonce */
                                "00000000000000000000000000000000"       /* nothing fixed, nothing made */
                                "000000000000000c000000000000000000000000");
    approve_all();
    ccm_set(&t, 2);
    assert_rv(shut(&t, shut_up), CKR_FUNCTION_REJECTED); /* another nonce */
    ccm_set(&t, 1);
    t.p.ccm.ulMACLen = 8;
    assert_rv(shut(&t, shut_up), CKR_FUNCTION_REJECTED);
    ccm_set(&t, 1);
    t.p.ccm.ulNonceLen = 12;
    assert_rv(shut(&t, shut_up), CKR_FUNCTION_REJECTED);
    ccm_set(&t, 1);
    t.p.ccm.ulDataLen = 39; /* of 40 bytes: the HSM's to say, when it is asked for the length */
    assert_rv(shut(&t, shut_up), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(*below_messages, before);
    assert_ok(shut(&s, shut_up));
    assert_int_equal(*below_messages, before + 1);
    assert_int_equal(logged(ENTRY_USED), used + 1);
    assert_false(is_zero(s.tag, 12));
    assert_int_equal(s.tag[12], 0xee); /* and nothing behind it */
    assert_rv(unshut(&s, shut_up, open), CKR_FUNCTION_REJECTED);
    approve_all();
    s.tag[11] ^= 1;
    assert_rv(unshut(&s, shut_up, open), CKR_FUNCTION_REJECTED); /* another MAC */
    s.tag[11] ^= 1;
    assert_ok(unshut(&s, shut_up, open));
    assert_memory_equal(open, s.data, 40);
    assert_rv(unshut(&s, shut_up, open), CKR_FUNCTION_REJECTED); /* spent */
    sealed_end();
}

static void what_ccm_does_not_have_is_no_parameter(void **state)
{
    struct sealed s;
    CK_BYTE shut_up[40], open[40];
    size_t waiting;

    (void)state;
    sealed_begin(CKM_AES_CCM, "gov-ccm-made");
    waiting = pending();
    ccm_set(&s, 0xa5);
    s.p.ccm.ulMACLen = 17;
    assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    s.p.ccm.ulMACLen = (CK_ULONG)1 << 61; /* in bits: none */
    assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    ccm_set(&s, 0xa5);
    s.p.ccm.pMAC = NULL;
    assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    ccm_set(&s, 0xa5);
    s.p.ccm.pNonce = NULL;
    assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    ccm_set(&s, 0xa5);
    s.p.ccm.nonceGenerator = 1;
    assert_rv(shut(&s, shut_up), CKR_FUNCTION_REJECTED);
    assert_refusal("an IV that the HSM counts");
    s.p.ccm.nonceGenerator = CKG_GENERATE_RANDOM;
    s.p.ccm.ulNonceFixedBits = 89;
    assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    s.p_len = sizeof(CK_GCM_MESSAGE_PARAMS);
    assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(pending(), waiting);
    /* A nonce that the HSM makes but for its first byte. */
    s.p_len = sizeof(s.p.ccm);
    s.p.ccm.ulNonceFixedBits = 8;
    approved(shut(&s, shut_up));
    assert_int_equal(s.iv[0], 0xa5);
    assert_false(is_zero(s.iv + 1, 10));
    assert_true(is_zero(s.iv + 11, 13));
    s.p.ccm.nonceGenerator = CKG_NO_GENERATE;
    approved(unshut(&s, shut_up, open));
    assert_memory_equal(open, s.data, 40);
    sealed_end();
}

static void chacha_is_bound_to_its_parameter(void **state)
{
    struct sealed s, t;
    CK_BYTE shut_up[40], open[40];
    unsigned before = *below_messages;

    (void)state;
    sealed_begin(CKM_CHACHA20_POLY1305, "gov-chacha");
    poly_set(&s, 7);
    memset(s.tag, 0xee, 16);
    assert_rv(shut(&s, shut_up), CKR_FUNCTION_REJECTED);
    assert_asked("CKM_CHACHA20_POLY1305", "hex:000000000000000c070000000000000000000000"
                                          "000000000000001000000000000000000000000000000000");
    approve_all();
    poly_set(&t, 8);
    assert_rv(shut(&t, shut_up), CKR_FUNCTION_REJECTED); /* another nonce */
    poly_set(&t, 7);
    t.p.poly.ulNonceLen = 8;
    assert_rv(shut(&t, shut_up), CKR_FUNCTION_REJECTED); /* less of it */
    poly_set(&t, 7);
    t.associated[0] = 'W';
    assert_rv(shut(&t, shut_up), CKR_FUNCTION_REJECTED);
    assert_int_equal(*below_messages, before);
    assert_ok(shut(&s, shut_up));
    assert_int_equal(*below_messages, before + 1);
    assert_false(is_zero(s.tag, 16));
    /* The same nonce, with its length in bits, as the specification has it. */
    s.p.poly.ulNonceLen = 96;
    assert_rv(unshut(&s, shut_up, open), CKR_FUNCTION_REJECTED);
    assert_true(is_zero(open, 40));
    approve_all();
    s.tag[15] ^= 1;
    assert_rv(unshut(&s, shut_up, open), CKR_FUNCTION_REJECTED); /* another tag */
    s.tag[15] ^= 1;
    assert_ok(unshut(&s, shut_up, open));
    assert_memory_equal(open, s.data, 40);
    assert_rv(unshut(&s, shut_up, open), CKR_FUNCTION_REJECTED); /* spent */
    sealed_end();
}

static void what_poly1305_does_not_have_is_no_parameter(void **state)
{
    static const CK_ULONG lengths[] = {0, 1, 11, 13, 16, 32, 65, 128, 256, ~0UL};
    struct sealed s;
    CK_BYTE shut_up[40], open[40];
    size_t waiting;

    (void)state;
    sealed_begin(CKM_SALSA20_POLY1305, "gov-salsa");
    waiting = pending();
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        poly_set(&s, 9);
        s.p.poly.ulNonceLen = lengths[i];
        assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    }
    assert_refusal("CKM_SALSA20_POLY1305: an IV of a length");
    poly_set(&s, 9);
    s.p.poly.pNonce = NULL;
    assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    poly_set(&s, 9);
    s.p.poly.pTag = NULL;
    assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    poly_set(&s, 9);
    s.p_len -= 8;
    assert_rv(shut(&s, shut_up), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(pending(), waiting);
    poly_set(&s, 9);
    s.iv[23] = 9;
    s.p.poly.ulNonceLen = 192;
    approved(shut(&s, shut_up));
    s.p.poly.ulNonceLen = 24;
    approved(unshut(&s, shut_up, open));
    assert_memory_equal(open, s.data, 40);
    s.iv[23] = 8; /* the last byte of it counts */
    assert_rv(shut(&s, shut_up), CKR_FUNCTION_REJECTED);
    assert_int_equal(pending(), waiting + 1);
    sealed_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MESSAGES(what_comes_with_a_message_is_approved_with_it), MESSAGES(the_hsm_makes_an_iv_or_none),
        MESSAGES(a_message_in_parts_is_the_same_message),        MESSAGES(ccm_is_bound_to_its_parameter),
        MESSAGES(what_ccm_does_not_have_is_no_parameter),        MESSAGES(chacha_is_bound_to_its_parameter),
        MESSAGES(what_poly1305_does_not_have_is_no_parameter),
    };
    return cmocka_run_group_tests(tests, messages_make, home_end);
}
