#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "module/template.h"

/* What stock clients send, and everything that must not pass. */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY, public_class = CKO_PUBLIC_KEY, secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE ec_type = CKK_EC, rsa_type = CKK_RSA, aes_type = CKK_AES;
static CK_ULONG bits = 3072, bytes = 32;
static char p384[] = "\x06\x05\x2b\x81\x04\x00\x22", label[] = "app-1", other_label[] = "app-2", id[] = "\x01\x02",
            other_id[] = "\x01\x03", own_label[] = "quorate:x", nul_label[] = "a\0b", control_label[] = "a\x1b[2J",
            latin_label[] = "caf\xe9", f4[] = "\x01\x00\x01";
static char long_value[LIMIT_ATTRIBUTE + 1];

#define YES(type)                                                                                                      \
    {                                                                                                                  \
        type, &yes, sizeof(yes)                                                                                        \
    }
#define NO(type)                                                                                                       \
    {                                                                                                                  \
        type, &no, sizeof(no)                                                                                          \
    }
#define TEXT(type, value)                                                                                              \
    {                                                                                                                  \
        type, value, sizeof(value) - 1                                                                                 \
    }
#define NUMBER(type, value)                                                                                            \
    {                                                                                                                  \
        type, &value, sizeof(value)                                                                                    \
    }
#define ITEMS(...) ((const CK_ATTRIBUTE[]){__VA_ARGS__}), sizeof((CK_ATTRIBUTE[]){__VA_ARGS__}) / sizeof(CK_ATTRIBUTE)

static const CK_MECHANISM ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0}, rsa = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0},
                          aes = {CKM_AES_KEY_GEN, NULL, 0}, sign = {CKM_ECDSA, NULL, 0};

/* pkcs11-tool 0.23, --keypairgen --key-type EC:secp384r1 */
#define TOOL_EC_PUBLIC                                                                                                 \
    NUMBER(CKA_CLASS, public_class), YES(CKA_TOKEN), YES(CKA_VERIFY), YES(CKA_DERIVE), TEXT(CKA_EC_PARAMS, p384),      \
        NUMBER(CKA_KEY_TYPE, ec_type), TEXT(CKA_LABEL, label), NO(CKA_PRIVATE)
#define TOOL_EC_PRIVATE                                                                                                \
    NUMBER(CKA_CLASS, private_class), YES(CKA_TOKEN), YES(CKA_PRIVATE), YES(CKA_SENSITIVE), YES(CKA_SIGN),             \
        YES(CKA_DERIVE), NUMBER(CKA_KEY_TYPE, ec_type), TEXT(CKA_LABEL, label)
/* p11tool 3.7, --generate-privkey ECDSA --curve secp384r1 */
#define GNUTLS_EC_PUBLIC                                                                                               \
    YES(CKA_TOKEN), NO(CKA_PRIVATE), TEXT(CKA_ID, id), YES(CKA_VERIFY), TEXT(CKA_EC_PARAMS, p384),                     \
        TEXT(CKA_LABEL, label)
#define GNUTLS_EC_PRIVATE                                                                                              \
    TEXT(CKA_ID, id), YES(CKA_SIGN), YES(CKA_PRIVATE), YES(CKA_TOKEN), TEXT(CKA_LABEL, label), YES(CKA_SENSITIVE)
/* pkcs11-tool, --keygen --key-type AES:32 --sensitive --private */
#define TOOL_AES                                                                                                       \
    NUMBER(CKA_CLASS, secret_class), YES(CKA_TOKEN), NUMBER(CKA_KEY_TYPE, aes_type), YES(CKA_SENSITIVE),               \
        NO(CKA_EXTRACTABLE), YES(CKA_PRIVATE), YES(CKA_ENCRYPT), YES(CKA_DECRYPT), NUMBER(CKA_VALUE_LEN, bytes),       \
        TEXT(CKA_LABEL, label)

static bool says(const struct template *t, CK_ATTRIBUTE_TYPE type, bool value)
{
    const CK_ATTRIBUTE *a = template_find(t, type);

    return a && a->ulValueLen == sizeof(CK_BBOOL) && *(const CK_BBOOL *)a->pValue == (value ? CK_TRUE : CK_FALSE);
}

static void what_pkcs11_tool_sends_is_completed(void **state)
{
    static const CK_ATTRIBUTE_TYPE off[] = {CKA_SIGN_RECOVER, CKA_DECRYPT, CKA_UNWRAP, CKA_EXTRACTABLE},
                                   on[] = {CKA_SIGN, CKA_DERIVE, CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE},
                                   public_off[] = {CKA_VERIFY_RECOVER, CKA_ENCRYPT, CKA_WRAP, CKA_PRIVATE};
    struct key_template t = {0};
    struct fault f = {0};

    (void)state;
    assert_int_equal(key_template_complete(&ec, ITEMS(TOOL_EC_PUBLIC), ITEMS(TOOL_EC_PRIVATE), false, &t, &f), OK);
    assert_true(t.pair);
    assert_string_equal(t.label, "app-1");
    assert_int_equal(t.id.len, 0);
    for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++)
        assert_true(says(&t.secret, off[i], false));
    for (size_t i = 0; i < sizeof(on) / sizeof(*on); i++)
        assert_true(says(&t.secret, on[i], true));
    for (size_t i = 0; i < sizeof(public_off) / sizeof(*public_off); i++)
        assert_true(says(&t.public, public_off[i], false));
    assert_null(template_find(&t.secret, CKA_VERIFY)); /* no usage of a private key */
    key_template_clear(&t);
}

#define TRUSTED(...)                                                                                                   \
    key_template_complete(&ec, ITEMS(TOOL_EC_PUBLIC), ITEMS(TOOL_EC_PRIVATE, __VA_ARGS__), true, &t, &f)

static void what_may_leave_leaves_under_trusted_keys(void **state)
{
    struct key_template t = {0};
    struct fault f = {0};

    (void)state;
    assert_int_equal(TRUSTED(NO(CKA_UNWRAP)), OK);
    assert_true(says(&t.secret, CKA_EXTRACTABLE, true) && says(&t.secret, CKA_WRAP_WITH_TRUSTED, true));
    assert_null(template_find(&t.public, CKA_WRAP_WITH_TRUSTED));
    key_template_clear(&t);
    assert_int_equal(TRUSTED(YES(CKA_EXTRACTABLE), YES(CKA_WRAP_WITH_TRUSTED)), OK);
    assert_true(says(&t.secret, CKA_EXTRACTABLE, true) && says(&t.secret, CKA_WRAP_WITH_TRUSTED, true));
    key_template_clear(&t);
    assert_int_equal(TRUSTED(NO(CKA_EXTRACTABLE)), E_INVALID);
    assert_non_null(strstr(f.text, "CKA_EXTRACTABLE must be true"));
    assert_int_equal(TRUSTED(NO(CKA_WRAP_WITH_TRUSTED)), E_INVALID);
    assert_non_null(strstr(f.text, "CKA_WRAP_WITH_TRUSTED must be true"));
    assert_int_equal(TRUSTED(YES(CKA_TRUSTED)), E_INVALID);
}

static void two_clients_that_mean_the_same_get_the_same(void **state)
{
    struct key_template tool = {0}, gnutls = {0};
    json_t *one = NULL, *two = NULL;
    struct fault f = {0};

    (void)state;
    /* Class and key type follow the mechanism; CKA_ID is kept apart. */
    assert_int_equal(key_template_complete(&ec, ITEMS(GNUTLS_EC_PUBLIC), ITEMS(GNUTLS_EC_PRIVATE), false, &gnutls, &f),
                     OK);
    assert_int_equal(key_template_complete(&ec,
                                           ITEMS(YES(CKA_VERIFY), TEXT(CKA_LABEL, label), YES(CKA_TOKEN),
                                                 TEXT(CKA_EC_PARAMS, p384), NO(CKA_WRAP), NO(CKA_TRUSTED)),
                                           ITEMS(YES(CKA_SENSITIVE), YES(CKA_SIGN), YES(CKA_PRIVATE), YES(CKA_TOKEN),
                                                 NO(CKA_DERIVE), TEXT(CKA_LABEL, label), YES(CKA_MODIFIABLE)),
                                           false, &tool, &f),
                     OK);
    assert_int_equal(gnutls.id.len, 2);
    assert_int_equal(template_to_json(&gnutls.secret, &one, &f), OK);
    assert_int_equal(template_to_json(&tool.secret, &two, &f), OK);
    assert_true(json_equal(one, two));
    assert_string_equal(json_string_or_null(one, "CKA_CLASS"), "CKO_PRIVATE_KEY");
    assert_string_equal(json_string_or_null(one, "CKA_KEY_TYPE"), "CKK_EC");
    assert_string_equal(json_string_or_null(one, "CKA_UNWRAP"), "false");
    assert_null(json_string_or_null(one, "CKA_ID"));
    json_decref(one);
    json_decref(two);
    assert_int_equal(template_to_json(&gnutls.public, &one, &f), OK);
    assert_int_equal(template_to_json(&tool.public, &two, &f), OK);
    assert_true(json_equal(one, two));
    assert_string_equal(json_string_or_null(one, "CKA_EC_PARAMS"), "hex:06052b81040022");
    json_decref(one);
    json_decref(two);
    key_template_clear(&tool);
    key_template_clear(&gnutls);
}

static void secret_keys_and_rsa_too(void **state)
{
    struct key_template t = {0};
    json_t *json = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(key_template_complete(&aes, NULL, 0, ITEMS(TOOL_AES), false, &t, &f), OK);
    assert_false(t.pair);
    assert_true(says(&t.secret, CKA_WRAP, false));
    assert_true(says(&t.secret, CKA_VERIFY, false));
    assert_true(says(&t.secret, CKA_DECRYPT, true));
    assert_null(template_find(&t.secret, CKA_SIGN_RECOVER));
    assert_int_equal(template_to_json(&t.secret, &json, &f), OK);
    assert_int_equal(json_integer_value(json_object_get(json, "CKA_VALUE_LEN")), 32);
    json_decref(json);
    key_template_clear(&t);
    assert_int_equal(key_template_complete(&rsa, ITEMS(YES(CKA_TOKEN), NUMBER(CKA_MODULUS_BITS, bits), YES(CKA_VERIFY)),
                                           ITEMS(YES(CKA_TOKEN), YES(CKA_PRIVATE), YES(CKA_SENSITIVE), YES(CKA_SIGN)),
                                           false, &t, &f),
                     OK);
    assert_string_equal(t.label, ""); /* two absent labels are equal */
    assert_memory_equal(template_find(&t.public, CKA_PUBLIC_EXPONENT)->pValue, f4, 3);
    key_template_clear(&t);
}

struct bad {
    const char *names; /* in the text */
    const CK_MECHANISM *mechanism;
    const CK_ATTRIBUTE *public;
    CK_ULONG public_count;
    const CK_ATTRIBUTE *secret;
    CK_ULONG secret_count;
};
#define EC_BAD(names, ...)                                                                                             \
    {                                                                                                                  \
        names, &ec, ITEMS(TOOL_EC_PUBLIC), ITEMS(__VA_ARGS__)                                                          \
    }
#define PUBLIC_BAD(names, ...)                                                                                         \
    {                                                                                                                  \
        names, &ec, ITEMS(__VA_ARGS__), ITEMS(TOOL_EC_PRIVATE)                                                         \
    }
#define AES_BAD(names, ...)                                                                                            \
    {                                                                                                                  \
        names, &aes, NULL, 0, ITEMS(__VA_ARGS__)                                                                       \
    }
#define HALF YES(CKA_TOKEN), YES(CKA_PRIVATE), YES(CKA_SENSITIVE), TEXT(CKA_LABEL, label)

static void what_is_wrong_is_named(void **state)
{
    const struct bad table[] = {
        EC_BAD("CKA_TOKEN must be true", YES(CKA_PRIVATE), YES(CKA_SENSITIVE), TEXT(CKA_LABEL, label)),
        EC_BAD("CKA_TOKEN must be true", NO(CKA_TOKEN), YES(CKA_PRIVATE), YES(CKA_SENSITIVE), TEXT(CKA_LABEL, label)),
        EC_BAD("CKA_SENSITIVE must be true", YES(CKA_TOKEN), YES(CKA_PRIVATE), TEXT(CKA_LABEL, label)),
        EC_BAD("CKA_SENSITIVE must be true", YES(CKA_TOKEN), YES(CKA_PRIVATE), NO(CKA_SENSITIVE),
               TEXT(CKA_LABEL, label)),
        EC_BAD("CKA_PRIVATE must be true", YES(CKA_TOKEN), NO(CKA_PRIVATE), YES(CKA_SENSITIVE), TEXT(CKA_LABEL, label)),
        EC_BAD("CKA_EXTRACTABLE must be false", HALF, YES(CKA_EXTRACTABLE)),
        EC_BAD("CKA_MODIFIABLE must be true", HALF, NO(CKA_MODIFIABLE)),
        EC_BAD("CKA_COPYABLE must be true", HALF, NO(CKA_COPYABLE)),
        EC_BAD("CKA_DESTROYABLE must be true", HALF, NO(CKA_DESTROYABLE)),
        EC_BAD("CKA_ALWAYS_AUTHENTICATE must be false", HALF, YES(CKA_ALWAYS_AUTHENTICATE)),
        EC_BAD("CKA_WRAP_WITH_TRUSTED must be false", HALF, YES(CKA_WRAP_WITH_TRUSTED)),
        EC_BAD("CKA_SIGN stands twice", HALF, YES(CKA_SIGN), NO(CKA_SIGN)),
        EC_BAD("CKA_LABEL stands twice", HALF, TEXT(CKA_LABEL, label)),
        EC_BAD("CKA_SIGN has a length but no value", HALF, {CKA_SIGN, NULL, 1}),
        EC_BAD("CKA_SIGN is not a CK_BBOOL", HALF, {CKA_SIGN, &bits, sizeof(bits)}),
        EC_BAD("CKA_SENSITIVE is not a CK_BBOOL", YES(CKA_TOKEN), YES(CKA_PRIVATE), NUMBER(CKA_SENSITIVE, bits)),
        EC_BAD("CKA_SUBJECT is longer", HALF, {CKA_SUBJECT, long_value, sizeof(long_value)}),
        EC_BAD("CKA_VERIFY does not belong in a private key's", HALF, YES(CKA_VERIFY)),
        EC_BAD("CKA_EC_PARAMS does not belong in a private key's", HALF, TEXT(CKA_EC_PARAMS, p384)),
        EC_BAD("0x40000212", HALF, {CKA_UNWRAP_TEMPLATE, NULL, 0}),
        EC_BAD("0x80000001", HALF, {CKA_VENDOR_DEFINED + 1, &yes, 1}),
        EC_BAD("CKA_CLASS is not what the mechanism makes", HALF, NUMBER(CKA_CLASS, secret_class)),
        EC_BAD("CKA_KEY_TYPE is not what the mechanism makes", HALF, NUMBER(CKA_KEY_TYPE, rsa_type)),
        EC_BAD("CKA_LABEL differs", YES(CKA_TOKEN), YES(CKA_PRIVATE), YES(CKA_SENSITIVE), TEXT(CKA_LABEL, other_label)),
        EC_BAD("CKA_LABEL differs", YES(CKA_TOKEN), YES(CKA_PRIVATE), YES(CKA_SENSITIVE)),
        PUBLIC_BAD("CKA_LABEL differs", YES(CKA_TOKEN), TEXT(CKA_EC_PARAMS, p384)),
        PUBLIC_BAD("CKA_TOKEN must be true", TEXT(CKA_EC_PARAMS, p384), TEXT(CKA_LABEL, label)),
        PUBLIC_BAD("CKA_PRIVATE must be false", YES(CKA_TOKEN), YES(CKA_PRIVATE), TEXT(CKA_EC_PARAMS, p384),
                   TEXT(CKA_LABEL, label)),
        PUBLIC_BAD("CKA_EC_PARAMS is missing", YES(CKA_TOKEN), TEXT(CKA_LABEL, label)),
        PUBLIC_BAD("CKA_TRUSTED must be false", YES(CKA_TOKEN), TEXT(CKA_EC_PARAMS, p384), YES(CKA_TRUSTED)),
        PUBLIC_BAD("CKA_SIGN does not belong in a public key's", YES(CKA_TOKEN), TEXT(CKA_EC_PARAMS, p384),
                   YES(CKA_SIGN)),
        PUBLIC_BAD("CKA_MODULUS_BITS does not belong", YES(CKA_TOKEN), NUMBER(CKA_MODULUS_BITS, bits)),
        {"CKA_ID differs", &ec, ITEMS(YES(CKA_TOKEN), TEXT(CKA_EC_PARAMS, p384), TEXT(CKA_ID, id)),
         ITEMS(HALF, TEXT(CKA_ID, other_id))},
        {"CKA_MODULUS_BITS is missing", &rsa, ITEMS(YES(CKA_TOKEN), TEXT(CKA_LABEL, label)), ITEMS(HALF)},
        {"makes no key", &sign, ITEMS(TOOL_EC_PUBLIC), ITEMS(HALF)},
        {"makes no key", &aes, ITEMS(TOOL_EC_PUBLIC), ITEMS(HALF)},
        {"makes no key", &ec, NULL, 0, ITEMS(HALF)},
        AES_BAD("CKA_VALUE_LEN is missing", HALF),
        AES_BAD("CKA_SENSITIVE must be true", YES(CKA_TOKEN), NO(CKA_SENSITIVE), NO(CKA_PRIVATE),
                NUMBER(CKA_VALUE_LEN, bytes)),
        AES_BAD("begin with \"quorate:\"", YES(CKA_TOKEN), YES(CKA_SENSITIVE), YES(CKA_PRIVATE),
                NUMBER(CKA_VALUE_LEN, bytes), TEXT(CKA_LABEL, own_label)),
        AES_BAD("printable UTF-8", YES(CKA_TOKEN), YES(CKA_SENSITIVE), YES(CKA_PRIVATE), NUMBER(CKA_VALUE_LEN, bytes),
                TEXT(CKA_LABEL, nul_label)),
        AES_BAD("printable UTF-8", YES(CKA_TOKEN), YES(CKA_SENSITIVE), YES(CKA_PRIVATE), NUMBER(CKA_VALUE_LEN, bytes),
                TEXT(CKA_LABEL, control_label)),
        AES_BAD("printable UTF-8", YES(CKA_TOKEN), YES(CKA_SENSITIVE), YES(CKA_PRIVATE), NUMBER(CKA_VALUE_LEN, bytes),
                TEXT(CKA_LABEL, latin_label)),
        AES_BAD("CKA_LABEL is longer", YES(CKA_TOKEN), YES(CKA_SENSITIVE), YES(CKA_PRIVATE),
                NUMBER(CKA_VALUE_LEN, bytes), {CKA_LABEL, long_value, LIMIT_LABEL + 1}),
    };

    (void)state;
    memset(long_value, 'a', sizeof(long_value));
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct key_template t = {0};
        struct fault f = {0};
        enum outcome got = key_template_complete(table[i].mechanism, table[i].public, table[i].public_count,
                                                 table[i].secret, table[i].secret_count, false, &t, &f);

        if (got != E_INVALID || !strstr(f.text, table[i].names))
            fail_msg("row %zu: wanted \"%s\", got %d \"%s\"", i, table[i].names, got, f.text);
        assert_null(t.secret.items);
    }
}

static void a_parameter_or_too_many_attributes_are_refused(void **state)
{
    CK_MECHANISM with = {CKM_AES_KEY_GEN, id, 2};
    CK_ATTRIBUTE many[LIMIT_TEMPLATE + 1];
    struct key_template t = {0};
    struct fault f = {0};

    (void)state;
    assert_int_equal(key_template_complete(&with, NULL, 0, ITEMS(TOOL_AES), false, &t, &f), E_INVALID);
    for (CK_ULONG i = 0; i <= LIMIT_TEMPLATE; i++)
        many[i] = (CK_ATTRIBUTE){CKA_VENDOR_DEFINED + i, &yes, 1};
    assert_int_equal(key_template_complete(&aes, NULL, 0, many, LIMIT_TEMPLATE + 1, false, &t, &f), E_INVALID);
    assert_int_equal(key_template_complete(&aes, NULL, 0, NULL, 3, false, &t, &f), E_INVALID);
}

static void a_copy_is_a_copy(void **state)
{
    char text[] = "abc";
    CK_ATTRIBUTE items[] = {{CKA_LABEL, text, 3}};
    struct template t = {0};
    struct fault f = {0};

    (void)state;
    assert_int_equal(template_copy(items, 1, &t, &f), OK);
    text[0] = 'X';
    assert_memory_equal(template_find(&t, CKA_LABEL)->pValue, "abc", 3);
    assert_null(template_find(&t, CKA_ID));
    assert_int_equal(template_set(&t, CKA_LABEL, "zz", 2, &f), OK);
    assert_int_equal(t.count, 1);
    template_remove(&t, CKA_LABEL);
    assert_int_equal(t.count, 0);
    template_clear(&t);
    template_clear(&t);
}

static void a_snapshot_refuses_only_what_says_two_things(void **state)
{
    CK_ATTRIBUTE twice[] = {TEXT(CKA_LABEL, label), TEXT(CKA_LABEL, other_label)},
                 harmless[] = {TEXT(CKA_APPLICATION, label), TEXT(CKA_APPLICATION, other_label)},
                 odd[] = {{CKA_VENDOR_DEFINED + 7, long_value, sizeof(long_value)}, {CKA_LABEL, NULL, 9}};
    struct template t = {0};
    struct fault f = {0};

    (void)state;
    assert_int_equal(template_snapshot(twice, 2, &t, &f), E_INVALID);
    assert_int_equal(template_copy(harmless, 2, &t, &f), E_INVALID);
    assert_int_equal(template_snapshot(harmless, 2, &t, &f), OK);
    assert_int_equal(t.count, 2);
    template_clear(&t);
    assert_int_equal(template_snapshot(odd, 2, &t, &f), OK);
    assert_null(t.items[1].pValue);
    assert_int_equal(t.items[1].ulValueLen, 9);
    template_clear(&t);
    assert_int_equal(template_snapshot(NULL, 0, &t, &f), OK);
    assert_null(t.items);
    assert_int_equal(template_snapshot(odd, 0, &t, &f), OK);
    assert_non_null(t.items);
    template_clear(&t);
}

static void subjects_come_back_as_templates(void **state)
{
    struct key_template t = {0};
    struct template back = {0};
    json_t *json = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(key_template_complete(&ec, ITEMS(TOOL_EC_PUBLIC), ITEMS(TOOL_EC_PRIVATE), false, &t, &f), OK);
    assert_int_equal(template_to_json(&t.public, &json, &f), OK);
    assert_int_equal(template_from_json(json, &back, &f), OK);
    assert_int_equal(back.count, t.public.count);
    for (CK_ULONG i = 0; i < back.count; i++) {
        const CK_ATTRIBUTE *was = template_find(&t.public, back.items[i].type);

        assert_non_null(was);
        assert_int_equal(back.items[i].ulValueLen, was->ulValueLen);
        assert_memory_equal(back.items[i].pValue, was->pValue, was->ulValueLen);
    }
    json_decref(json);
    template_clear(&back);
    key_template_clear(&t);
}

static void bad_json_is_no_template(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"CKA_NONE\":\"true\"}",
        "{\"CKA_SIGN\":\"yes\"}",
        "{\"CKA_SIGN\":1}",
        "{\"CKA_CLASS\":\"CKO_NONE\"}",
        "{\"CKA_KEY_TYPE\":\"CKK_NONE\"}",
        "{\"CKA_VALUE_LEN\":\"32\"}",
        "{\"CKA_VALUE_LEN\":-1}",
        "{\"CKA_EC_PARAMS\":\"0605\"}",
        "{\"CKA_EC_PARAMS\":\"hex:060\"}",
        "{\"CKA_EC_PARAMS\":\"hex:0G\"}",
        "{\"CKA_VALUE\":\"hex:00\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct template t = {0};
        struct fault f = {0};
        json_t *json = json_loads(bad[i], 0, NULL);

        assert_non_null(json);
        if (template_from_json(json, &t, &f) != E_INVALID)
            fail_msg("%s passed", bad[i]);
        json_decref(json);
    }
}

static void secrets_are_never_written_down(void **state)
{
    CK_ATTRIBUTE items[] = {{CKA_VALUE, id, 2}};
    struct template t = {0};
    json_t *json = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(template_copy(items, 1, &t, &f), OK);
    assert_int_equal(template_to_json(&t, &json, &f), E_INVALID);
    assert_null(json);
    template_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_pkcs11_tool_sends_is_completed),
        cmocka_unit_test(what_may_leave_leaves_under_trusted_keys),
        cmocka_unit_test(two_clients_that_mean_the_same_get_the_same),
        cmocka_unit_test(secret_keys_and_rsa_too),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_parameter_or_too_many_attributes_are_refused),
        cmocka_unit_test(a_copy_is_a_copy),
        cmocka_unit_test(a_snapshot_refuses_only_what_says_two_things),
        cmocka_unit_test(subjects_come_back_as_templates),
        cmocka_unit_test(bad_json_is_no_template),
        cmocka_unit_test(secrets_are_never_written_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
