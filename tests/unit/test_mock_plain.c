#include "module/birth.h"
#include "tests/unit/mock_fixture.h"

/* Births that a rule plainly allows, on an HSM that fails in the middle of them. */

static const struct state *now(void)
{
    return &world_current()->estate->state;
}

static const struct state_intent *last_intent(void)
{
    return &now()->intents[now()->intent_count - 1];
}

static void begin(void)
{
    session = open_session(CKF_RW_SESSION);
    assert_ok(mock_login(session));
}

static CK_RV make_aes(const char *label, CK_OBJECT_HANDLE *ret)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ULONG bytes = 32;
    char text[64], id[] = "asked";
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1},
                        {CKA_LABEL, text, strlen(label)},
                        {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                        {CKA_ID, id, 5}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_GenerateKey(session, &mechanism, t, 4, ret);
}

static void read_id(CK_OBJECT_HANDLE key, CK_BYTE ret[64], CK_ULONG *ret_len)
{
    CK_ATTRIBUTE a = {CKA_ID, ret, 64};

    assert_ok(q->C_GetAttributeValue(session, key, &a, 1));
    *ret_len = a.ulValueLen;
}

static void known_by_its_first_id(const char *label, const char *steering)
{
    CK_OBJECT_HANDLE key = 0, found[8];
    CK_BYTE id[64];
    CK_ULONG len = 0;
    struct fault f = {0};

    begin();
    steer(steering);
    assert_ok(make_aes(label, &key));
    assert_int_equal(last_intent()->state, INTENT_BORN);
    read_id(key, id, &len);
    assert_int_equal(len, 20);
    gate_forget();
    assert_int_equal(find_label(session, label, found), 1);
    assert_int_equal(found[0], key);
    assert_int_not_equal(settle_run(world_current(), NULL, &f), OK);
    steer("C_SetAttributeValue");
    assert_good(settle_run(world_current(), NULL, &f));
    assert_int_equal(last_intent()->state, INTENT_SETTLED);
    read_id(key, id, &len);
    assert_int_equal(len, 5);
    assert_memory_equal(id, "asked", 5);
    assert_int_equal(find_label(session, label, found), 1);
}

static void a_key_that_keeps_its_first_id_is_known_by_it(void **state)
{
    (void)state;
    known_by_its_first_id("stubborn", "C_SetAttributeValue rv=0x30");
}

/* The HSM says that it has the CKA_ID that was asked for. */
static void a_key_that_secretly_keeps_its_first_id_too(void **state)
{
    (void)state;
    known_by_its_first_id("sly", "C_SetAttributeValue rv=0");
}

static void what_was_made_and_denied_is_destroyed(void **state)
{
    CK_OBJECT_HANDLE key = 0, found[8];
    size_t rolled = logged(ENTRY_ROLLED_BACK);

    (void)state;
    begin();
    steer("C_GenerateKey rv=0x30 done times=1");
    assert_rv(make_aes("denied", &key), 0x30);
    assert_int_equal(logged(ENTRY_ROLLED_BACK), rolled + 1);
    assert_int_equal(last_intent()->state, INTENT_ROLLED_BACK);
    assert_int_equal(find_label(session, "denied", found), 0);
    CK_SESSION_HANDLE below = 0;
    CK_OBJECT_HANDLE there[8];
    CK_ULONG count = 0;
    assert_ok(mock->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &below));
    char label[] = "denied";
    CK_ATTRIBUTE match[] = {{CKA_LABEL, label, 6}};
    assert_ok(mock->C_FindObjectsInit(below, match, 1));
    assert_ok(mock->C_FindObjects(below, there, 8, &count));
    assert_ok(mock->C_FindObjectsFinal(below));
    assert_ok(mock->C_CloseSession(below));
    assert_int_equal(count, 0);
}

static void what_cannot_be_looked_for_now_is_left_to_recovery(void **state)
{
    CK_OBJECT_HANDLE key = 0, found[8];
    struct fault f = {0};

    (void)state;
    begin();
    steer("C_GenerateKey rv=0x30 done times=1");
    steer("C_FindObjectsInit rv=0x30");
    assert_rv(make_aes("unseen", &key), 0x30);
    assert_int_equal(last_intent()->state, INTENT_OPEN);
    steer("C_FindObjectsInit");
    assert_int_equal(find_label(session, "unseen", found), 0);
    assert_good(settle_run(world_current(), NULL, &f));
    assert_int_equal(last_intent()->state, INTENT_ROLLED_BACK);
    assert_ok(make_aes("unseen", &key));
    assert_int_equal(find_label(session, "unseen", found), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_MOCK_LIFE(a_key_that_keeps_its_first_id_is_known_by_it),
        IN_MOCK_LIFE(a_key_that_secretly_keeps_its_first_id_too),
        IN_MOCK_LIFE(what_was_made_and_denied_is_destroyed),
        IN_MOCK_LIFE(what_cannot_be_looked_for_now_is_left_to_recovery),
    };

    return cmocka_run_group_tests(tests, mock_home_make, home_end);
}
