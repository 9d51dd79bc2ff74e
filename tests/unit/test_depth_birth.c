#include "tests/unit/one_estate.h"

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\", class: private-key}\n"                             \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature, apart-km: "     \
    "100}, transport: {allow: [oaep-sha1]}}\n"                                                                         \
    "  - id: secrets\n"                                                                                                \
    "    when: {operation: generate, token: root, label: \"^app-\", class: secret-key}\n"                              \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: attest}, transport: "      \
    "{allow: [oaep-sha1]}}\n"                                                                                          \
    "  - id: strong\n"                                                                                                 \
    "    when: {operation: generate, token: root, label: \"^strong-\"}\n"                                              \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature}}\n"

static int setup(void **state)
{
    (void)state;
    depth_begin(&d, RULES);
    return 0;
}

static const struct state_key *born(const char *label, const char *class)
{
    const struct state *s = &d.world->estate->state;
    for (size_t i = s->key_count; i-- > 0;)
        if (strcmp(s->keys[i].label, label) == 0 && strcmp(s->keys[i].class_name, class) == 0)
            return &s->keys[i];
    return NULL;
}

/* Each replica by itself signs what the one public key verifies; none of them gives its value away. */
static void check_everywhere(const struct state_key *key)
{
    struct fault f;
    struct digest digest = {{7}};
    for (size_t i = 0; i < 3; i++) {
        struct site_link link = {0};
        struct buf id = BUF(255), signature = BUF(2048), value = BUF(16);
        CK_OBJECT_HANDLE private = 0, public = 0;
        assert_good(hex_parse_buf(key->id, &id, &f));
        assert_good(site_open(d.world, "root", depth_sites[i], i == 0 ? SITE_APPLICATION : SITE_MODULE, &link, &f));
        assert_good(site_find_one(&link, CKO_PRIVATE_KEY, buf_span(&id), &private, &f));
        assert_good(site_find_one(&link, CKO_PUBLIC_KEY, buf_span(&id), &public, &f));
        assert_good(site_sign(&link, private, &digest, &signature, &f));
        assert_good(digest_signature_verify(buf_span(&key->public_key), &digest, buf_span(&signature), &f));
        assert_good(site_attribute(&link, private, CKA_SENSITIVE, &value, &f));
        assert_int_equal(value.data[0], CK_TRUE);
        assert_good(site_attribute(&link, private, CKA_EXTRACTABLE, &value, &f));
        assert_int_equal(value.data[0], CK_FALSE);
        buf_free(&id);
        buf_free(&signature);
        buf_free(&value);
        site_close(&link);
    }
}

static size_t files_in(const char *folder)
{
    struct strings names = {0};
    struct fault f;
    char *path = estate_path(d.world->estate, folder, NULL);
    assert_good(folder_list(path, &names, &f));
    size_t count = names.count;
    strings_free(&names);
    free(path);
    return count;
}

static void ec_pair_is_born(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-ec", "");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    assert_true(secret != 0 && public != 0);
    const struct state_key *key = born("app-ec", "private-key");
    assert_non_null(key);
    assert_string_equal(key->type, "EC:P-384");
    assert_int_equal(key->sites.count, 3);
    assert_string_equal(key->sites.items[0], "slough");
    assert_int_equal(state_intent(&d.world->estate->state, key->intent)->state, INTENT_SETTLED);
    check_everywhere(key);
    assert_int_equal(files_in("offers"), 0);
    assert_int_equal(files_in("receipts"), 2);
    /* Spent: the same question is a new one. */
    depth_forget(&q);
    assert_int_equal(depth_ask(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-ec", ""), DECISION_PENDING);
    depth_forget(&q);
}

static void rsa_pair_keeps_the_callers_id(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    (void)state;
    depth_ask_approved(&d, &q, CKM_RSA_PKCS_KEY_PAIR_GEN, "app-rsa", "mine");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    const struct state_key *key = born("app-rsa", "private-key");
    assert_non_null(key);
    assert_string_equal(key->id, "6d696e65");
    assert_string_equal(key->type, "RSA:3072");
    check_everywhere(key);
    depth_forget(&q);
    /* Two living keys of one class with one CKA_ID could not be told apart. */
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-same-id", "mine");
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_REFUSED);
    assert_text("6d696e65");
    depth_forget(&q);
}

static void secret_key_is_attested(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 1;
    (void)state;
    depth_ask_approved(&d, &q, CKM_AES_KEY_GEN, "app-aes", "");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    assert_int_equal(public, CK_INVALID_HANDLE);
    assert_non_null(born("app-aes", "secret-key"));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_SECRET_KEY, "app-aes"), 1);
    depth_forget(&q);
}

/* The other kinds that SoftHSM carries across; the strongest of them take it seconds to make. */
static void other_kinds(void **state)
{
    static const CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07},
                         p521[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23};
    static const struct {
        CK_MECHANISM_TYPE mechanism;
        CK_ULONG size;
        const CK_BYTE *curve;
        CK_ULONG curve_len;
        const char *type;
    } kinds[] = {
        {CKM_EC_KEY_PAIR_GEN, 0, p256, sizeof p256, "EC:P-256"},
        {CKM_EC_KEY_PAIR_GEN, 0, p521, sizeof p521, "EC:P-521"},
        {CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, NULL, 0, "RSA:2048"},
        {CKM_RSA_PKCS_KEY_PAIR_GEN, 4096, NULL, 0, "RSA:4096"},
        {CKM_AES_KEY_GEN, 16, NULL, 0, "AES:128"},
        {CKM_GENERIC_SECRET_KEY_GEN, 40, NULL, 0, "GENERIC:320"},
    };
    const __typeof__(depth_kind) usual = depth_kind;
    struct depth_question q;
    struct fault f;
    char label[32];
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        CK_OBJECT_HANDLE secret = 0, public = 0;
        depth_kind.bits = depth_kind.len = kinds[i].size;
        depth_kind.curve_len = kinds[i].curve_len;
        if (kinds[i].curve != NULL)
            memcpy(depth_kind.curve, kinds[i].curve, kinds[i].curve_len);
        snprintf(label, sizeof label, "app-kind-%zu", i);
        depth_ask_approved(&d, &q, kinds[i].mechanism, label, "");
        if (depth_birth(&d, &q, &secret, &public, &f) != OK)
            fail_msg("%s: %s", kinds[i].type, f.text);
        const struct state_key *key = born(label, q.template.pair ? "private-key" : "secret-key");
        assert_non_null(key);
        assert_string_equal(key->type, kinds[i].type);
        if (q.template.pair)
            check_everywhere(key);
        depth_forget(&q);
    }
    depth_kind = usual;
}

static void not_approved_makes_nothing(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    uint64_t size = 0;
    (void)state;
    assert_int_equal(depth_ask(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-early", ""), DECISION_PENDING);
    size = log_size(d.world->estate->log);
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_PENDING);
    assert_int_equal(log_size(d.world->estate->log), size);
    assert_int_equal(depth_count(&d, "slough", CKO_PRIVATE_KEY, "app-early"), 0);
    depth_forget(&q);
}

static void weak_transport_is_refused_by_name(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "strong-1", "");
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_REFUSED);
    assert_text("oaep-sha1");
    assert_text("\"strong\"");
    /* Rolled back: nothing anywhere, and the same request may be tried again. */
    const struct state_request *r = state_request(&d.world->estate->state, &q.answer.request->id);
    assert_int_equal(r->state, REQUEST_PENDING);
    assert_int_equal(state_intent(&d.world->estate->state, r->intent)->state, INTENT_ROLLED_BACK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PRIVATE_KEY, "strong-1"), 0);
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PUBLIC_KEY, "strong-1"), 0);
    }
    depth_forget(&q);
}

/* The identity key that the log has pinned is gone from the third HSM. */
static void changed_site_stops_the_birth(void **state)
{
    struct depth_question q;
    struct fault f;
    struct site_link link = {0};
    struct buf id = BUF(255), saved = BUF(64);
    CK_OBJECT_HANDLE secret = 0, public = 0, identity = 0;
    CK_BYTE other[] = "other";
    CK_ATTRIBUTE set = {CKA_ID, other, sizeof other - 1};
    (void)state;
    const struct state_site *glasgow = state_site(&d.world->estate->state, "root", "glasgow");
    assert_good(hex_parse_buf(glasgow->identity_id, &id, &f));
    assert_good(site_open(d.world, "root", "glasgow", SITE_MODULE, &link, &f));
    assert_good(site_find_one(&link, CKO_PRIVATE_KEY, buf_span(&id), &identity, &f));
    assert_int_equal(link.f->C_SetAttributeValue(link.session, identity, &set, 1), CKR_OK);

    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-changed", "");
    uint64_t size = log_size(d.world->estate->log);
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_DEVICE);
    assert_text("glasgow");
    assert_text("identity");
    assert_int_equal(log_size(d.world->estate->log), size);
    assert_int_equal(depth_count(&d, "slough", CKO_PRIVATE_KEY, "app-changed"), 0);

    set = (CK_ATTRIBUTE){CKA_ID, id.data, id.len};
    assert_int_equal(link.f->C_SetAttributeValue(link.session, identity, &set, 1), CKR_OK);
    site_close(&link);
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    depth_forget(&q);
    buf_free(&id);
    buf_free(&saved);
}

static void nobody_logged_in(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    CK_FUNCTION_LIST *p11 = world_token(d.world, "root")->lower->f;
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-login", "");
    assert_int_equal(p11->C_CloseSession(d.session), CKR_OK);
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_REFUSED);
    assert_text("CKR_USER_NOT_LOGGED_IN");
    depth_login(&d);
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    depth_forget(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_pair_is_born),
        cmocka_unit_test(rsa_pair_keeps_the_callers_id),
        cmocka_unit_test(secret_key_is_attested),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(not_approved_makes_nothing),
        cmocka_unit_test(weak_transport_is_refused_by_name),
        cmocka_unit_test(changed_site_stops_the_birth),
        cmocka_unit_test(nobody_logged_in),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
