#include "tests/unit/mock_fixture.h"

/* Attempts that no question can be made of: refused, and the log says so, once, and not as often as somebody likes. */

#define RULES                                                                                                          \
    "  - {id: free, when: {operation: [generate, use, import, derive, copy, modify, wrap, destroy], label: "           \
    "\"^free-\"}, allow: true}\n"

static int make_home(void **state)
{
    (void)state;
    mock_home_with(RULES);
    return 0;
}

static int make_open_home(void **state)
{
    (void)state;
    mock_home_with(ALLOW_ALL);
    return 0;
}

static CK_OBJECT_HANDLE key;
static char label[] = "free-a";
static CK_ATTRIBUTE twice[] = {{CKA_LABEL, label, 6}, {CKA_LABEL, label, 6}};

static void begin(void)
{
    CK_OBJECT_HANDLE public = 0;

    session = open_session(CKF_RW_SESSION);
    assert_ok(mock_login(session));
    assert_ok(make_pair(session, "free-key", true, &public, &key));
}

static const CK_OBJECT_HANDLE stray = 0x7777;

static void use_strays(void)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0}, wrap = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_BYTE blob[64];
    CK_ULONG len = sizeof(blob);
    CK_OBJECT_HANDLE made = 0;

    assert_rv(q->C_SignInit(session, &ecdsa, stray), CKR_KEY_HANDLE_INVALID);
    assert_refusal("stands for no object");
    assert_rv(q->C_WrapKey(session, &wrap, key, stray, blob, &len), CKR_KEY_HANDLE_INVALID);
    assert_rv(q->C_CopyObject(session, stray, NULL, 0, &made), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(q->C_SetAttributeValue(session, stray, twice, 1), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(q->C_DestroyObject(session, stray), CKR_OBJECT_HANDLE_INVALID);
}

static void use_hostile_templates(void)
{
    CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0}, carrying = {CKM_KIP_MAC, NULL, 0};
    CK_MECHANISM vendors = {CKM_VENDOR_DEFINED | 1, &key, sizeof key};
    CK_OBJECT_HANDLE made = 0;
    CK_BBOOL token = CK_TRUE;
    CK_ATTRIBUTE moved[] = {{CKA_TOKEN, &token, 1}};

    assert_rv(q->C_GenerateKey(session, &aes, twice, 2, &made), CKR_TEMPLATE_INCONSISTENT);
    assert_refusal("stands twice");
    assert_rv(q->C_CreateObject(session, twice, 2, &made), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(q->C_SetAttributeValue(session, key, twice, 2), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(q->C_SetAttributeValue(session, key, moved, 1), CKR_ATTRIBUTE_READ_ONLY);
    assert_rv(q->C_SignInit(session, &carrying, key), CKR_MECHANISM_INVALID);
    assert_refusal("names further keys");
    assert_rv(q->C_SignInit(session, &vendors, key), CKR_MECHANISM_INVALID);
    assert_rv(q->C_DigestInit(session, &vendors), CKR_MECHANISM_INVALID);
    assert_refusal("C_DigestInit");
    assert_rv(q->C_GenerateKey(session, &vendors, NULL, 0, &made), CKR_MECHANISM_INVALID);
    assert_refusal("C_GenerateKey");
    assert_refusal("names further keys");
}

static void each_is_logged_once(void **state)
{
    size_t before;

    (void)state;
    begin();
    before = logged(ENTRY_REFUSED);
    use_strays();
    assert_int_equal(logged(ENTRY_REFUSED), before + 5);
    use_hostile_templates();
    assert_int_equal(logged(ENTRY_REFUSED), before + 12);
    use_strays();
    use_hostile_templates();
    assert_int_equal(logged(ENTRY_REFUSED), before + 12);
}

/* Every finding another one. */
static void nobody_fills_the_log(void **state)
{
    CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE made = 0;
    CK_BYTE byte = 0;
    size_t before;

    (void)state;
    begin();
    before = logged(ENTRY_REFUSED);
    for (CK_ULONG i = 0; i < 300; i++) {
        CK_ATTRIBUTE huge[] = {{CKA_VENDOR_DEFINED + i, &byte, 1ul << 30}};

        assert_rv(q->C_GenerateKey(session, &aes, huge, 1, &made), CKR_TEMPLATE_INCONSISTENT);
    }
    assert_in_range(logged(ENTRY_REFUSED) - before, 1, LIMIT_FINDINGS + 30); /* one more for each ten seconds */
}

/* Where a rule allows everything these are mistakes like any other. */
static void where_all_is_allowed_nothing_is_said(void **state)
{
    (void)state;
    begin();
    use_strays();
    use_hostile_templates();
    assert_int_equal(logged(ENTRY_REFUSED), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {IN_MOCK_LIFE(each_is_logged_once), IN_MOCK_LIFE(nobody_fills_the_log)};
    const struct CMUnitTest open[] = {IN_MOCK_LIFE(where_all_is_allowed_nothing_is_said)};
    int failed = cmocka_run_group_tests(open, make_open_home, home_end);

    return failed + cmocka_run_group_tests(tests, make_home, home_end);
}
