#include "tests/unit/governed_fixture.h"

/* Keys of a session under a rule that asks people: what brings them in is an operation like any other; what is born here,
 * or used, is refused by name, as the log could never say later which key it was. */

#define ASKED                                                                                                          \
    "  - {id: asked, when: {operation: [generate, import, derive, copy, use, destroy], object: session, label: "       \
    "\"^ask-\"}, " TWO "}\n"

static int make_asked(void **state)
{
    (void)state;
    depth_begin_closed(&home, ASKED RULES);
    return C_GetFunctionList(&q) == CKR_OK ? 0 : -1;
}

static CK_RV import_session(const char *label, unsigned char value[32], CK_OBJECT_HANDLE *ret)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    char text[64];
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &type, sizeof(type)},
                        {CKA_TOKEN, &no, 1},
                        {CKA_ENCRYPT, &yes, 1},
                        {CKA_DERIVE, &yes, 1},
                        {CKA_VALUE, value, 32},
                        {CKA_LABEL, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_CreateObject(session, t, sizeof(t) / sizeof(*t), ret);
}

static CK_RV copy_session(CK_OBJECT_HANDLE from, const char *label, CK_OBJECT_HANDLE *ret)
{
    char text[64];
    CK_ATTRIBUTE t[] = {{CKA_LABEL, text, strlen(label)}, {CKA_TOKEN, &no, 1}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_CopyObject(session, from, t, 2, ret);
}

static CK_RV derive_session(CK_OBJECT_HANDLE base, const char *label, CK_OBJECT_HANDLE *ret)
{
    unsigned char data[32] = {9};
    CK_KEY_DERIVATION_STRING_DATA string = {data, sizeof(data)};
    CK_MECHANISM mechanism = {CKM_AES_ECB_ENCRYPT_DATA, &string, sizeof(string)};
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG len = 32;
    char text[64];
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &type, sizeof(type)},
                        {CKA_TOKEN, &no, 1},
                        {CKA_VALUE_LEN, &len, sizeof(len)},
                        {CKA_LABEL, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_DeriveKey(session, &mechanism, base, t, sizeof(t) / sizeof(*t), ret);
}

static CK_OBJECT_HANDLE make_base(void)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG len = 32;
    char label[] = "gov-base";
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_SENSITIVE, &yes, 1},
                        {CKA_DERIVE, &yes, 1},
                        {CKA_LABEL, label, strlen(label)},
                        {CKA_VALUE_LEN, &len, sizeof(len)}};

    assert_ok(q->C_GenerateKey(session, &mechanism, t, 6, &key));
    return key;
}

static void a_session_key_comes_in_by_approval(void **state)
{
    unsigned char value[32] = "0123456789abcdef0123456789abcde";
    CK_OBJECT_HANDLE key = 0, again = 0, found[8];
    size_t used = logged(ENTRY_USED), born = logged(ENTRY_BORN);

    (void)state;
    assert_rv(import_session("ask-in", value, &key), CKR_FUNCTION_REJECTED);
    assert_int_equal(find_label(session, "ask-in", found), 0);
    approve_all();
    value[0]++;
    assert_rv(import_session("ask-in", value, &key), CKR_FUNCTION_REJECTED); /* another value */
    value[0]--;
    assert_ok(import_session("ask-in", value, &key));
    assert_int_equal(find_label(session, "ask-in", found), 1);
    assert_rv(import_session("ask-in", value, &again), CKR_FUNCTION_REJECTED); /* spent */
    assert_int_equal(logged(ENTRY_USED), used + 1);
    assert_int_equal(logged(ENTRY_BORN), born); /* it ends with the session */
    approve_all();
}

static void copies_and_derivations_in_a_session_are_approved(void **state)
{
    unsigned char value[32] = "another 0123456789abcdef0123456";
    CK_OBJECT_HANDLE base = 0, on_token = make_base(), key = 0, found[8];
    size_t before;

    (void)state;
    assert_ok(import_session("base", value, &base)); /* of whom nobody asks */
    before = pending();
    assert_rv(derive_session(base, "ask-derived", &key), CKR_FUNCTION_REJECTED); /* from what nobody could name */
    assert_refusal("the other key is a session's own");
    assert_int_equal(pending(), before);
    assert_rv(derive_session(on_token, "ask-derived", &key), CKR_FUNCTION_REJECTED);
    assert_int_equal(pending(), before + 2); /* that key's use, and what comes of it */
    approve_all();
    assert_ok(derive_session(on_token, "ask-derived", &key));
    assert_int_equal(find_label(session, "ask-derived", found), 1);
    before = pending();
    assert_rv(copy_session(base, "ask-copied", &key), CKR_ACTION_PROHIBITED);
    assert_int_equal(pending(), before + 2); /* as what it is, and as what it becomes */
    approve_all();
    assert_ok(copy_session(base, "ask-copied", &key));
    assert_int_equal(find_label(session, "ask-copied", found), 1);
    assert_rv(copy_session(base, "ask-copied", &key), CKR_ACTION_PROHIBITED);
    approve_all();
}

static void births_and_uses_in_a_session_ask_nobody_in_vain(void **state)
{
    unsigned char value[32] = "third 6789abcdef0123456789abcde";
    CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
    CK_OBJECT_HANDLE public = 0, key = 0;
    size_t before, refused;

    (void)state;
    approved(import_session("ask-used", value, &key));
    before = pending();
    refused = logged(ENTRY_REFUSED);
    assert_rv(q->C_EncryptInit(session, &ecb, key), CKR_FUNCTION_REJECTED);
    assert_refusal("a use of a session's own key is not carried out under approvals");
    assert_rv(make_pair(session, "ask-born", false, &public, &key), CKR_TEMPLATE_INCONSISTENT);
    assert_refusal("is born on the token, not in a session");
    assert_int_equal(pending(), before);
    assert_int_equal(logged(ENTRY_REFUSED), refused + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOVERNED(a_session_key_comes_in_by_approval),
        GOVERNED(copies_and_derivations_in_a_session_are_approved),
        GOVERNED(births_and_uses_in_a_session_ask_nobody_in_vain),
    };
    return cmocka_run_group_tests(tests, make_asked, home_end);
}
