#include "tests/unit/governed_fixture.h"

/* Everything but signatures (test_module_sign.c) that people must approve: uses, uses in number, what keys come from,
 * what becomes of them. */

static CK_RV encrypt(CK_OBJECT_HANDLE key, unsigned char iv[16], unsigned char data[32], unsigned char out[48],
                     CK_ULONG *len)
{
    CK_MECHANISM mechanism = {CKM_AES_CBC_PAD, iv, 16};
    CK_RV rv = q->C_EncryptInit(session, &mechanism, key);

    *len = 48;
    return rv == CKR_OK ? q->C_Encrypt(session, data, 32, out, len) : rv;
}

static CK_RV decrypt_parts(CK_OBJECT_HANDLE key, unsigned char iv[16], unsigned char *data, CK_ULONG len,
                           unsigned char out[48], CK_ULONG *out_len)
{
    CK_MECHANISM mechanism = {CKM_AES_CBC_PAD, iv, 16};
    CK_ULONG some = 48;
    CK_RV rv = q->C_DecryptInit(session, &mechanism, key);

    if (rv == CKR_OK)
        rv = q->C_DecryptUpdate(session, data, 20, out, &some);
    if (rv == CKR_OK)
        assert_int_equal(some, 0); /* nothing comes out before people said so */
    some = 48;
    if (rv == CKR_OK)
        rv = q->C_DecryptUpdate(session, data + 20, len - 20, out, &some);
    *out_len = 48;
    return rv == CKR_OK ? q->C_DecryptFinal(session, out, out_len) : rv;
}

static void exact_bytes_go_in_and_out(void **state)
{
    unsigned char iv[16] = {1}, other[16] = {2}, data[32] = "what is kept", secret[48], open[48] = {0};
    CK_OBJECT_HANDLE key = make_aes("gov-crypt", false);
    CK_ULONG len = 0, open_len = 0;
    size_t used = logged(ENTRY_USED), before;

    (void)state;
    approved(encrypt(key, iv, data, secret, &len));
    assert_int_equal(len, 48);
    assert_rv(encrypt(key, other, data, open, &open_len), CKR_FUNCTION_REJECTED); /* another IV is another request */
    approved(decrypt_parts(key, iv, secret, len, open, &open_len));
    assert_int_equal(open_len, 32);
    assert_memory_equal(open, data, 32);
    assert_int_equal(logged(ENTRY_USED), used + 2);
    before = pending();
    len = 0;
    assert_ok(q->C_DecryptInit(session, &(CK_MECHANISM){CKM_AES_CBC_PAD, iv, 16}, key));
    assert_ok(q->C_Decrypt(session, secret, 48, NULL, &len)); /* a question for the length asks nobody */
    assert_true(len >= 32);
    assert_int_equal(pending(), before);
    secret[3] ^= 1;
    open_len = 48;
    assert_rv(q->C_Decrypt(session, secret, 48, open, &open_len), CKR_FUNCTION_REJECTED);
}

static void verifying_a_mac_is_a_use(void **state)
{
    CK_MECHANISM mechanism = {CKM_AES_CMAC, NULL, 0};
    CK_OBJECT_HANDLE key = make_aes("gov-mac", false);
    unsigned char mac[16] = {0}, data[5] = "data";
    CK_RV rv;

    (void)state;
    assert_ok(q->C_VerifyInit(session, &mechanism, key));
    rv = q->C_Verify(session, data, 5, mac, 16);
    assert_rv(rv, CKR_FUNCTION_REJECTED);
    approve_all();
    assert_ok(q->C_VerifyInit(session, &mechanism, key));
    assert_rv(q->C_Verify(session, data, 5, mac, 16), CKR_SIGNATURE_INVALID);
    assert_ok(q->C_VerifyInit(session, &mechanism, key)); /* spent */
    assert_rv(q->C_Verify(session, data, 5, mac, 16), CKR_FUNCTION_REJECTED);
}

static void digesting_a_key_is_a_use(void **state)
{
    CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
    CK_OBJECT_HANDLE key = make_aes("gov-digest", true);

    (void)state;
    assert_ok(q->C_DigestInit(session, &mechanism));
    assert_rv(q->C_DigestKey(session, key), CKR_FUNCTION_REJECTED);
    approve_all();
    assert_int_not_equal(q->C_DigestKey(session, key), CKR_FUNCTION_REJECTED); /* SoftHSM's word then */
}

static void uses_in_number(void **state)
{
    CK_OBJECT_HANDLE public = 0, key = 0;
    unsigned char data[32] = {0}, signature[64];
    size_t used = logged(ENTRY_USED), size;

    (void)state;
    assert_ok(make_pair(session, "num-1", true, &public, &key));
    approved(sign(session, key, data, 32, signature));
    assert_ok(verify(session, public, data, 32, signature));
    size = (size_t)log_size(world_current()->estate->log);
    data[0] = 1;
    assert_ok(sign(session, key, data, 32, signature)); /* whatever is signed */
    gate_forget();
    data[0] = 2;
    assert_ok(sign(session, key, data, 32, signature));
    assert_ok(verify(session, public, data, 32, signature));
    assert_int_equal(log_size(world_current()->estate->log), size); /* and nothing is written */
    assert_rv(sign(session, key, data, 32, signature), CKR_FUNCTION_REJECTED);
    assert_int_equal(logged(ENTRY_USED), used + 1);
}

static void uses_end_with_the_process(void **state)
{
    CK_OBJECT_HANDLE public = 0, key = 0, found[8];
    unsigned char data[32] = {0}, signature[64];

    assert_ok(make_pair(session, "num-2", true, &public, &key));
    approved(sign(session, key, data, 32, signature));
    life_end(state);
    life_begin(state);
    assert_int_equal(find_label(session, "num-2", found), 2);
    for (CK_ULONG i = 0; i < 2; i++)
        if (sign(session, found[i], data, 32, signature) == CKR_OK)
            fail_msg("the uses of a process that ended were used again");
}

static void a_suspension_stops_what_has_begun(void **state)
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE public = 0, key = 0;
    unsigned char data[32] = {0}, signature[64];
    CK_ULONG len = 64;
    json_t *body = json_object();
    struct estate *e = NULL;
    struct fault f = {0};

    (void)state;
    assert_ok(make_pair(session, "num-3", true, &public, &key));
    approved(sign(session, key, data, 32, signature));
    assert_ok(q->C_SignInit(session, &mechanism, key));
    assert_good(estate_open(home.bindings, &e, &f));
    assert_true(json_put_string(body, "scope", "key:num-3@root"));
    assert_good(estate_append(e, ENTRY_SUSPENDED, body, NULL, &f));
    gate_forget(); /* as if the last look were long ago; leases stay */
    assert_rv(q->C_Sign(session, data, 32, signature, &len), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_Sign(session, data, 32, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(q->C_SignInit(session, &mechanism, key), CKR_FUNCTION_REJECTED);
    assert_refusal("suspended");
    assert_good(estate_append(e, ENTRY_RESUMED, body, NULL, &f));
    gate_forget();
    assert_ok(sign(session, key, data, 32, signature));
    estate_close(e);
    json_decref(body);
}

static void an_imported_key_is_born_and_its_value_stays_unseen(void **state)
{
    unsigned char value[32] = "0123456789abcdef0123456789abcde";
    CK_OBJECT_HANDLE key = 0, found[8];
    struct request *r = NULL;
    struct fault f = {0};
    const struct state *s = NULL;

    (void)state;
    assert_rv(import_secret("gov-import", value, &key), CKR_FUNCTION_REJECTED);
    s = &world_current()->estate->state;
    assert_good(estate_request(world_current()->estate, &s->requests[s->request_count - 1].id, &r, &f));
    assert_non_null(strstr(buf_str(&r->bytes), "\"CKA_VALUE\":\"sha256:"));
    assert_null(strstr(buf_str(&r->bytes), "3031323334"));
    assert_non_null(strstr(buf_str(&r->bytes), "\"CKA_DECRYPT\":\"false\"")); /* completed */
    request_free(r);
    assert_int_equal(find_label(session, "gov-import", found), 0);
    approve_all();
    assert_ok(import_secret("gov-import", value, &key));
    assert_non_null(key_named("gov-import"));
    assert_string_equal(key_named("gov-import")->id, "676f762d696d706f7274");
    assert_int_not_equal(key_named("gov-import")->intent, 0);
    assert_int_equal(find_label(session, "gov-import", found), 1);
    assert_int_equal(found[0], key);
    /* Spent; its id is no part of what was asked, but that of a living key is nobody else's. */
    assert_rv(import_with_id("gov-import", "another", value, &key), CKR_FUNCTION_REJECTED);
    assert_rv(import_secret("gov-import", value, &key), CKR_TEMPLATE_INCONSISTENT);
}

static void no_key_comes_in_under_anothers_id(void **state)
{
    unsigned char value[32] = "9876543210abcdef0123456789abcde";
    CK_OBJECT_HANDLE key = make_aes("gov-owner", false), made = 0;
    size_t waiting = pending(), refused = logged(ENTRY_REFUSED);

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_rv(import_with_id("gov-thief", "gov-owner", value, &made), CKR_TEMPLATE_INCONSISTENT);
        assert_refusal("is that of the key \"gov-owner\"");
    }
    assert_int_equal(pending(), waiting);
    assert_int_equal(logged(ENTRY_REFUSED), refused + 1); /* once */
    /* Nor where it was free when people approved. */
    assert_rv(import_with_id("gov-thief", "free-id", value, &made), CKR_FUNCTION_REJECTED);
    approve_all();
    assert_rv(import_with_id("gov-thief", "gov-owner", value, &made), CKR_TEMPLATE_INCONSISTENT);
    assert_null(key_named("gov-thief"));
    approved(q->C_DestroyObject(session, key));
    assert_ok(import_with_id("gov-thief", "gov-owner", value, &made)); /* the owner is gone */
    assert_non_null(key_named("gov-thief"));
}

static CK_RV derive(CK_OBJECT_HANDLE base, const char *label, CK_OBJECT_HANDLE *ret)
{
    unsigned char data[32] = "derived from this, as approved.";
    CK_KEY_DERIVATION_STRING_DATA string = {data, 32};
    CK_MECHANISM mechanism = {CKM_AES_ECB_ENCRYPT_DATA, &string, sizeof(string)};
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG len = 32;
    char text[64];
    CK_BBOOL *token = label ? &yes : &no;
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &type, sizeof(type)},
                        {CKA_VALUE_LEN, &len, sizeof(len)},
                        {CKA_TOKEN, token, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_SENSITIVE, &yes, 1},
                        {CKA_ENCRYPT, &yes, 1},
                        {CKA_LABEL, text, label ? strlen(label) : 0}};

    snprintf(text, sizeof(text), "%s", label ? label : "");
    return q->C_DeriveKey(session, &mechanism, base, t, sizeof(t) / sizeof(*t), ret);
}

static CK_OBJECT_HANDLE make_base(const char *label)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG len = 32;
    char text[64];
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1},  {CKA_PRIVATE, &yes, 1},           {CKA_SENSITIVE, &yes, 1},
                        {CKA_DERIVE, &yes, 1}, {CKA_LABEL, text, strlen(label)}, {CKA_VALUE_LEN, &len, sizeof(len)}};

    snprintf(text, sizeof(text), "%s", label);
    assert_ok(q->C_GenerateKey(session, &mechanism, t, 6, &key));
    return key;
}

static void deriving_is_two_operations(void **state)
{
    CK_OBJECT_HANDLE base = make_base("gov-base"), key = 0, found[8];
    size_t before = pending(), used = logged(ENTRY_USED);

    (void)state;
    assert_rv(derive(base, "gov-derived", &key), CKR_FUNCTION_REJECTED);
    assert_int_equal(pending(), before + 2);
    approve_all();
    assert_ok(derive(base, "gov-derived", &key));
    assert_non_null(key_named("gov-derived"));
    assert_int_equal(find_label(session, "gov-derived", found), 1);
    assert_int_equal(logged(ENTRY_USED), used + 1);
    approved(derive(base, NULL, &key)); /* a session key: only the base's use is anybody's matter */
    assert_int_equal(logged(ENTRY_USED), used + 2);
}

static CK_RV copy(CK_OBJECT_HANDLE from, const char *label, CK_OBJECT_HANDLE *ret)
{
    char text[64];
    CK_ATTRIBUTE t[] = {{CKA_LABEL, text, strlen(label)}, {CKA_ID, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_CopyObject(session, from, t, 2, ret);
}

static void a_copy_by_another_name_is_asked_under_both(void **state)
{
    CK_OBJECT_HANDLE key = make_aes("gov-original", false), copied = 0;
    size_t before = pending();

    (void)state;
    assert_rv(copy(key, "gov-copy", &copied), CKR_ACTION_PROHIBITED);
    assert_int_equal(pending(), before + 2); /* both at once */
    approve_all();
    assert_ok(copy(key, "gov-copy", &copied));
    assert_non_null(key_named("gov-copy"));
    assert_non_null(key_named("gov-original"));
    assert_string_equal(key_named("gov-copy")->id, "676f762d636f7079");
}

static CK_RV rename_to(CK_OBJECT_HANDLE key, const char *label)
{
    char text[64];
    CK_ATTRIBUTE t[] = {{CKA_LABEL, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_SetAttributeValue(session, key, t, 1);
}

static void a_change_and_an_end_are_approved(void **state)
{
    CK_OBJECT_HANDLE key = make_aes("gov-before", false), found[8];
    size_t before = pending();

    (void)state;
    assert_rv(rename_to(key, "gov-after"), CKR_ACTION_PROHIBITED);
    assert_int_equal(pending(), before + 2); /* under both names at once */
    approve_all();
    assert_ok(rename_to(key, "gov-after"));
    assert_non_null(key_named("gov-after"));
    assert_null(key_named("gov-before"));
    assert_int_equal(find_label(session, "gov-after", found), 1);
    approved(q->C_DestroyObject(session, key));
    assert_null(key_named("gov-after"));
    assert_int_equal(find_label(session, "gov-after", found), 0);
    assert_rv(q->C_DestroyObject(session, key), CKR_OBJECT_HANDLE_INVALID);
}

/* Nothing but its handle names it on the HSM. */
static void a_key_without_an_id_ends_too(void **state)
{
    CK_OBJECT_HANDLE public = 0, key = 0;

    (void)state;
    assert_ok(make_pair(session, "gov-nameless", true, &public, &key));
    assert_rv(rename_to(key, "gov-named"), CKR_ACTION_PROHIBITED);
    approve_all();
    assert_ok(rename_to(key, "gov-named"));
    assert_non_null(key_named("gov-named"));
    approved(q->C_DestroyObject(session, key));
    assert_null(key_named("gov-named"));
    assert_int_equal(count_at("slough", CKO_PRIVATE_KEY, "gov-named"), 0);
}

static void wrapping_names_both_keys(void **state)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_OBJECT_HANDLE by = make_aes("gov-kek", false), key = make_aes("out-1", true), other = make_aes("out-2", true);
    unsigned char blob[128];
    CK_ULONG len = 0;
    size_t before = pending();

    (void)state;
    assert_ok(q->C_WrapKey(session, &mechanism, by, key, NULL, &len));
    assert_int_equal(pending(), before);
    assert_true(len > 32 && len <= sizeof(blob));
    assert_rv(q->C_WrapKey(session, &mechanism, by, key, blob, &len), CKR_FUNCTION_REJECTED);
    assert_int_equal(pending(), before + 2);
    approve_all();
    len = sizeof(blob);
    assert_rv(q->C_WrapKey(session, &mechanism, by, other, blob, &len), CKR_FUNCTION_REJECTED);
    len = sizeof(blob);
    assert_ok(q->C_WrapKey(session, &mechanism, by, key, blob, &len));
    len = sizeof(blob);
    assert_rv(q->C_WrapKey(session, &mechanism, by, key, blob, &len), CKR_FUNCTION_REJECTED);
}

static void a_pin_is_changed_once(void **state)
{
    CK_UTF8CHAR pin[] = PIN;
    size_t used = logged(ENTRY_USED);

    (void)state;
    approved(q->C_SetPIN(session, pin, sizeof(pin) - 1, pin, sizeof(pin) - 1));
    assert_int_equal(logged(ENTRY_USED), used + 1);
    assert_rv(q->C_SetPIN(session, pin, sizeof(pin) - 1, pin, sizeof(pin) - 1), CKR_FUNCTION_REJECTED);
}

/* Without CKA_DERIVE, so that the completed template is what SoftHSM keeps. */
static CK_RV make_replicated(const char *label, CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    char text[64];
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1},
                             {CKA_VERIFY, &yes, 1},
                             {CKA_EC_PARAMS, p256, sizeof(p256) - 1},
                             {CKA_LABEL, text, strlen(label)}},
                 private[] = {{CKA_TOKEN, &yes, 1},
                              {CKA_SENSITIVE, &yes, 1},
                              {CKA_PRIVATE, &yes, 1},
                              {CKA_SIGN, &yes, 1},
                              {CKA_LABEL, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_GenerateKeyPair(session, &mechanism, public, 4, private, 5, ret_public, ret_private);
}

/* A key at three sites is renamed at all, and dies at all. */
static void replicas_go_along(void **state)
{
    CK_OBJECT_HANDLE public = 0, key = 0;
    const struct state *s = NULL;

    (void)state;
    assert_rv(make_replicated("rep-1", &public, &key), CKR_FUNCTION_REJECTED);
    approve_all();
    assert_ok(make_replicated("rep-1", &public, &key));
    assert_rv(rename_to(key, "rep-2"), CKR_ACTION_PROHIBITED);
    approve_all();
    assert_ok(rename_to(key, "rep-2"));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(count_at(depth_sites[i], CKO_PRIVATE_KEY, "rep-2"), 1);
    approved(q->C_DestroyObject(session, key));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(count_at(depth_sites[i], CKO_PRIVATE_KEY, "rep-2"), 0);
        assert_int_equal(count_at(depth_sites[i], CKO_PRIVATE_KEY, "rep-1"), 0);
    }
    s = &world_current()->estate->state;
    assert_true(s->keys[s->key_count - 1].destroyed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOVERNED(exact_bytes_go_in_and_out),
        GOVERNED(verifying_a_mac_is_a_use),
        GOVERNED(digesting_a_key_is_a_use),
        GOVERNED(uses_in_number),
        GOVERNED(uses_end_with_the_process),
        GOVERNED(a_suspension_stops_what_has_begun),
        GOVERNED(an_imported_key_is_born_and_its_value_stays_unseen),
        GOVERNED(no_key_comes_in_under_anothers_id),
        GOVERNED(deriving_is_two_operations),
        GOVERNED(a_copy_by_another_name_is_asked_under_both),
        GOVERNED(a_change_and_an_end_are_approved),
        GOVERNED(a_key_without_an_id_ends_too),
        GOVERNED(wrapping_names_both_keys),
        GOVERNED(a_pin_is_changed_once),
        GOVERNED(replicas_go_along),
    };
    return cmocka_run_group_tests(tests, make_home, home_end);
}
