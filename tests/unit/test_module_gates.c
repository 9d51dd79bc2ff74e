#include "tests/unit/module_fixture.h"

/* What the rules plainly allow goes down unchanged and is logged where it must be; everything else is refused. */

static void a_key_under_a_plain_rule_is_logged_and_used(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0, found[8];
    unsigned char data[32] = {1}, signature[64];
    size_t before = logged(ENTRY_BORN);
    const struct state *s = &world_current()->estate->state;

    (void)state;
    assert_ok(make_pair(session, "free-1", true, &public, &private));
    assert_int_equal(logged(ENTRY_BORN), before + 1);
    assert_string_equal(s->keys[s->key_count - 1].label, "free-1");
    assert_string_equal(s->keys[s->key_count - 1].type, "EC:P-256");
    assert_int_equal(s->keys[s->key_count - 1].sites.count, 1);
    assert_true(s->keys[s->key_count - 1].public_key.len > 0);
    assert_ok(sign(session, private, data, 32, signature));
    assert_ok(sign(session, private, data, 32, signature)); /* by what is remembered */
    assert_ok(verify(session, public, data, 32, signature));
    data[0] = 2;
    assert_rv(verify(session, public, data, 32, signature), CKR_SIGNATURE_INVALID);
    assert_int_equal(find_label(session, "free-1", found), 2);
    assert_true(found[0] == public || found[1] == public);
    assert_true(found[0] == private || found[1] == private);
}

static void a_key_no_rule_allows_is_refused(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0, found[8];
    size_t refused = logged(ENTRY_REFUSED), requests = logged(ENTRY_REQUEST);

    (void)state;
    assert_rv(make_pair(session, "other-1", true, &public, &private), CKR_FUNCTION_REJECTED);
    assert_refusal("no rule allows");
    assert_rv(make_pair(session, "gone-1", true, &public, &private), CKR_FUNCTION_REJECTED);
    assert_int_equal(logged(ENTRY_REFUSED), refused + 2);
    assert_rv(make_pair(session, "gone-1", true, &public, &private), CKR_FUNCTION_REJECTED);
    assert_int_equal(logged(ENTRY_REFUSED), refused + 2); /* the first refusal only */
    assert_int_equal(public, 0);
    assert_int_equal(private, 0);
    assert_int_equal(find_label(session, "other-1", found), 0);
    assert_int_equal(logged(ENTRY_REQUEST), requests);
}

static void a_wrong_template_under_a_rule_is_refused_by_name(void **state)
{
    CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ULONG bytes = 32;
    char label[] = "rep-aes";
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1},
                        {CKA_SENSITIVE, &no, 1},
                        {CKA_PRIVATE, &no, 1},
                        {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                        {CKA_LABEL, label, 7}};
    CK_OBJECT_HANDLE key = 0, public = 0;
    size_t refused = logged(ENTRY_REFUSED), requests = logged(ENTRY_REQUEST);

    (void)state;
    assert_rv(q->C_GenerateKey(session, &aes, t, 5, &key), CKR_TEMPLATE_INCONSISTENT);
    assert_refusal("CKA_SENSITIVE must be true");
    assert_rv(q->C_GenerateKey(session, &aes, t, 5, &key), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(make_pair(session, "rep-1", false, &public, &key), CKR_TEMPLATE_INCONSISTENT);
    assert_refusal("CKA_TOKEN must be true"); /* no session key under a rule that asks for replicas */
    assert_int_equal(logged(ENTRY_REFUSED), refused + 2);
    assert_int_equal(logged(ENTRY_REQUEST), requests);
}

static void a_birth_waits_for_people(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    CK_SESSION_HANDLE ro = CK_INVALID_HANDLE;
    size_t requests = logged(ENTRY_REQUEST);

    (void)state;
    assert_rv(make_pair(session, "rep-1", true, &public, &private), CKR_FUNCTION_REJECTED);
    assert_refusal("quorate approve ");
    assert_rv(make_pair(session, "rep-1", true, &public, &private), CKR_FUNCTION_REJECTED);
    assert_int_equal(logged(ENTRY_REQUEST), requests + 1); /* the retry takes the one that is pending */
    ro = open_session(0);
    assert_rv(make_pair(ro, "rep-1", true, &public, &private), CKR_SESSION_READ_ONLY);
    assert_ok(q->C_Logout(session));
    assert_rv(make_pair(session, "rep-1", true, &public, &private), CKR_USER_NOT_LOGGED_IN);
}

static void halves_with_different_names_do_not_pass(void **state)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    char good[] = "free-3", bad[] = "other-3";
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1}, {CKA_EC_PARAMS, p256, sizeof(p256) - 1}, {CKA_LABEL, bad, 7}},
                 private[] = {{CKA_TOKEN, &yes, 1},
                              {CKA_PRIVATE, &yes, 1},
                              {CKA_SENSITIVE, &yes, 1},
                              {CKA_LABEL, good, 6},
                              {CKA_LABEL, bad, 7}};
    CK_OBJECT_HANDLE a = 0, b = 0, found[8];

    (void)state;
    assert_rv(q->C_GenerateKeyPair(session, &mechanism, public, 3, private, 4, &a, &b), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(q->C_GenerateKeyPair(session, &mechanism, public, 2, private, 5, &a, &b), CKR_TEMPLATE_INCONSISTENT);
    private[3] = (CK_ATTRIBUTE){CKA_LABEL, (char[]){"free-\0x"}, 7};
    assert_rv(q->C_GenerateKeyPair(session, &mechanism, public, 2, private, 4, &a, &b), CKR_TEMPLATE_INCONSISTENT);
    private[3] = (CK_ATTRIBUTE){CKA_LABEL, (char[]){"quorate:transport"}, 17};
    assert_rv(q->C_GenerateKeyPair(session, &mechanism, public, 2, private, 4, &a, &b), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(q->C_GenerateKeyPair(session, &mechanism, NULL, 2, private, 4, &a, &b), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GenerateKeyPair(session, NULL, public, 2, private, 4, &a, &b), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GenerateKeyPair(session, &mechanism, public, 2, private, 4, NULL, &b), CKR_ARGUMENTS_BAD);
    assert_int_equal(find_label(session, "free-3", found) + find_label(session, "other-3", found), 0);
}

static void what_the_log_does_not_know_is_hidden(void **state)
{
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *hsm = below(&slot);
    CK_SESSION_HANDLE others = CK_INVALID_HANDLE;
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE public = 0, private = 0, found[8];
    char label[] = "free-foreign", own[] = "quorate:identity";
    CK_ATTRIBUTE a[] = {{CKA_TOKEN, &yes, 1}, {CKA_EC_PARAMS, p256, sizeof(p256) - 1}, {CKA_LABEL, label, 12}},
                 b[] = {{CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_LABEL, label, 12}};
    unsigned char data[32] = {1}, signature[64];

    (void)state;
    assert_ok(hsm->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &others));
    assert_ok(hsm->C_GenerateKeyPair(others, &mechanism, a, 3, b, 3, &public, &private));
    assert_int_equal(find_label(session, label, found), 1); /* the public half, which harms nobody */
    for (CK_ULONG guess = 0; guess < 64; guess++)
        if (guess != found[0])
            assert_int_not_equal(sign(session, guess, data, 32, signature), CKR_OK);
    /* A session key that somebody else made in this process, as a birth does. */
    a[0].pValue = b[0].pValue = &no;
    assert_ok(hsm->C_GenerateKeyPair(others, &mechanism, a, 3, b, 3, &public, &private));
    assert_int_equal(find_label(session, label, found), 2);
    /* Quorate's own, whatever its class. */
    a[0].pValue = b[0].pValue = &yes;
    a[2].pValue = b[2].pValue = own;
    a[2].ulValueLen = b[2].ulValueLen = sizeof(own) - 1;
    assert_ok(hsm->C_GenerateKeyPair(others, &mechanism, a, 3, b, 3, &public, &private));
    assert_int_equal(find_label(session, own, found), 0);
    assert_ok(hsm->C_CloseSession(others));
}

static void a_key_that_others_destroyed_is_no_key(void **state)
{
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *hsm = below(&slot);
    CK_OBJECT_HANDLE public = 0, private = 0, lower = 0;
    char label[] = "free-gone";
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE match[] = {{CKA_LABEL, label, 9}, {CKA_CLASS, &class, sizeof(class)}},
                 other[] = {{CKA_LABEL, (char[]){"mute-gone"}, 9}};
    unsigned char data[32] = {1}, signature[64];
    CK_SESSION_HANDLE others = CK_INVALID_HANDLE;
    CK_ULONG count = 0;

    (void)state;
    assert_ok(make_pair(session, label, true, &public, &private));
    assert_ok(sign(session, private, data, 32, signature));
    assert_ok(hsm->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &others));
    assert_ok(hsm->C_FindObjectsInit(others, match, 2));
    assert_ok(hsm->C_FindObjects(others, &lower, 1, &count));
    assert_ok(hsm->C_FindObjectsFinal(others));
    assert_int_equal(count, 1);
    /* The handle stands for something else now: as where an HSM gave it to another object. */
    assert_ok(hsm->C_SetAttributeValue(others, lower, other, 1));
    gate_forget();
    assert_rv(sign(session, private, data, 32, signature), CKR_KEY_HANDLE_INVALID);
    assert_ok(hsm->C_DestroyObject(others, lower));
    assert_rv(q->C_DestroyObject(session, private), CKR_OBJECT_HANDLE_INVALID);
    assert_ok(hsm->C_CloseSession(others));
}

static void private_handles_die_at_logout(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0, found[8];
    CK_ULONG size = 0;

    (void)state;
    assert_ok(make_pair(session, "free-4", true, &public, &private));
    assert_ok(q->C_GetObjectSize(session, private, &size));
    assert_ok(q->C_Logout(session));
    assert_rv(q->C_GetObjectSize(session, private, &size), CKR_OBJECT_HANDLE_INVALID);
    assert_ok(q->C_GetObjectSize(session, public, &size));
    assert_int_equal(find_label(session, "free-4", found), 1);
    assert_ok(login(session));
    assert_int_equal(find_label(session, "free-4", found), 2);
    assert_rv(q->C_GetObjectSize(session, private, &size), CKR_OBJECT_HANDLE_INVALID);
}

static void session_objects_die_with_their_session(void **state)
{
    CK_SESSION_HANDLE other = open_session(CKF_RW_SESSION);
    CK_OBJECT_HANDLE public = 0, private = 0, found[8];
    unsigned char data[32] = {1}, signature[64];
    CK_ULONG size = 0;

    (void)state;
    assert_ok(make_pair(other, "free-5", false, &public, &private));
    assert_int_equal(find_label(session, "free-5", found), 2);
    assert_ok(sign(session, private, data, 32, signature));
    assert_ok(q->C_CloseSession(other));
    assert_rv(q->C_GetObjectSize(session, private, &size), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(sign(session, private, data, 32, signature), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(find_label(session, "free-5", found), 0);
}

static void every_other_way_is_refused(void **state)
{
    CK_OBJECT_HANDLE public = 0, mute = 0, kek = 0, key = 0;
    CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0}, pad = {CKM_AES_KEY_WRAP_PAD, NULL, 0}, ecb = {CKM_AES_ECB, NULL, 0},
                 ecdsa = {CKM_ECDSA, NULL, 0}, cat = {CKM_CONCATENATE_BASE_AND_KEY, NULL, 0},
                 sha = {CKM_SHA256, NULL, 0};
    CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG bytes = 32, len = 256;
    unsigned char value[32] = {7}, out[256];
    CK_UTF8CHAR pin[] = PIN, label[32] = "x";
    char name[] = "free-6";
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &no, 1},
                        {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                        {CKA_WRAP, &yes, 1},
                        {CKA_UNWRAP, &yes, 1},
                        {CKA_ENCRYPT, &yes, 1}},
                 import[] = {{CKA_CLASS, &secret, sizeof(secret)},
                             {CKA_KEY_TYPE, &type, sizeof(type)},
                             {CKA_VALUE, value, 32},
                             {CKA_TOKEN, &yes, 1},
                             {CKA_LABEL, name, 6}},
                 rename[] = {{CKA_LABEL, name, 6}};

    (void)state;
    assert_ok(make_pair(session, "mute-1", true, &public, &mute)); /* born, but its use is under no rule */
    assert_ok(q->C_GenerateKey(session, &aes, t, 5, &kek));
    assert_rv(q->C_SignInit(session, &ecdsa, mute), CKR_FUNCTION_REJECTED);
    assert_refusal("no rule allows");
    assert_rv(q->C_SignRecoverInit(session, &ecdsa, mute), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_DecryptInit(session, &ecb, mute), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_WrapKey(session, &pad, kek, mute, out, &len), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_WrapKey(session, &pad, kek, mute, NULL, &len), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_CopyObject(session, mute, rename, 1, &key), CKR_ACTION_PROHIBITED);
    assert_rv(q->C_SetAttributeValue(session, mute, rename, 1), CKR_ACTION_PROHIBITED);
    assert_rv(q->C_DestroyObject(session, mute), CKR_ACTION_PROHIBITED);
    assert_rv(q->C_DestroyObject(session, public), CKR_ACTION_PROHIBITED);
    assert_rv(q->C_CreateObject(session, import, 5, &key), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_UnwrapKey(session, &pad, kek, out, 40, import, 5, &key), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_DeriveKey(session, &ecb, mute, t, 1, &key), CKR_MECHANISM_INVALID);
    assert_rv(q->C_DeriveKey(session, &cat, kek, t, 1, &key), CKR_MECHANISM_INVALID);
    assert_rv(q->C_SetPIN(session, pin, 4, pin, 4), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_InitPIN(session, pin, 4), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_InitToken(0, pin, 4, label), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_Login(session, CKU_SO, pin, 4), CKR_FUNCTION_REJECTED);
    assert_ok(q->C_DigestInit(session, &sha));
    assert_rv(q->C_DigestKey(session, mute), CKR_FUNCTION_REJECTED);
    assert_int_equal(key, 0);
}

static void handles_of_nothing_are_no_keys(void **state)
{
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0}, pad = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_ATTRIBUTE none[1] = {{CKA_LABEL, NULL, 0}};
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG len = 0;
    unsigned char byte[8];

    (void)state;
    assert_rv(q->C_SignInit(session, &ecdsa, 77777), CKR_KEY_HANDLE_INVALID);
    assert_rv(q->C_VerifyInit(session, &ecdsa, 0), CKR_KEY_HANDLE_INVALID);
    assert_rv(q->C_SignInit(session, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GetAttributeValue(session, 77777, none, 1), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(q->C_SetAttributeValue(session, 77777, none, 1), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(q->C_DestroyObject(session, 77777), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(q->C_CopyObject(session, 77777, NULL, 0, &key), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(q->C_WrapKey(session, &pad, 77777, 77777, byte, &len), CKR_WRAPPING_KEY_HANDLE_INVALID);
    assert_rv(q->C_UnwrapKey(session, &pad, 77777, byte, 8, none, 1, &key), CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    assert_rv(q->C_FindObjects(session, &key, 1, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(q->C_FindObjects(session, NULL, 1, &len), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_FindObjects(99, &key, 1, &len), CKR_SESSION_HANDLE_INVALID);
}

static void what_rules_allow_is_done_and_logged(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0, copy = 0, found[8];
    char label[] = "free-7", renamed[] = "free-8", away[] = "other-8", id[] = "\x07";
    CK_ATTRIBUTE rename[] = {{CKA_LABEL, renamed, 6}, {CKA_ID, id, 1}}, forbidden[] = {{CKA_LABEL, away, 7}},
                 same_id[] = {{CKA_ID, id, 1}};
    unsigned char data[32] = {1}, signature[64];
    const struct state *s = &world_current()->estate->state;

    (void)state;
    assert_ok(make_pair(session, label, true, &public, &private));
    assert_rv(q->C_SetAttributeValue(session, private, forbidden, 1), CKR_ACTION_PROHIBITED); /* under both labels */
    assert_ok(q->C_SetAttributeValue(session, private, rename, 2));
    assert_int_equal(logged(ENTRY_MODIFIED), 1);
    assert_non_null(state_key(s, "root", "private-key", "07", "free-8"));
    assert_ok(sign(session, private, data, 32, signature));
    assert_rv(q->C_SetAttributeValue(session, private, (CK_ATTRIBUTE[]){{CKA_TOKEN, &no, 1}}, 1),
              CKR_ATTRIBUTE_READ_ONLY);
    assert_rv(q->C_CopyObject(session, private, forbidden, 1, &copy), CKR_ACTION_PROHIBITED);
    assert_ok(q->C_CopyObject(session, private, (CK_ATTRIBUTE[]){{CKA_ID, (char[]){"\x08"}, 1}}, 1, &copy));
    assert_non_null(state_key(s, "root", "private-key", "08", "free-8")); /* a copy is a birth */
    assert_ok(q->C_SetAttributeValue(session, copy, same_id, 1));         /* both are used freely */
    assert_ok(q->C_SetAttributeValue(session, copy, (CK_ATTRIBUTE[]){{CKA_ID, (char[]){"\x08"}, 1}}, 1));
    assert_ok(q->C_DestroyObject(session, private));
    assert_int_equal(logged(ENTRY_DESTROYED), 1);
    assert_null(state_key(s, "root", "private-key", "07", NULL));
    assert_rv(sign(session, private, data, 32, signature), CKR_KEY_HANDLE_INVALID);
    assert_ok(sign(session, copy, data, 32, signature));
    assert_ok(verify(session, public, data, 32, signature));
    assert_int_equal(find_label(session, renamed, found), 1);
}

/* People approve a use of the key that the log knows by its id. */
static void no_key_takes_the_id_of_a_governed_one(void **state)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE public = 0, private = 0;
    char label[] = "gov-id", id[] = "\x77";
    CK_ATTRIBUTE public_items[] = {{CKA_TOKEN, &yes, 1},
                                   {CKA_EC_PARAMS, p256, sizeof(p256) - 1},
                                   {CKA_LABEL, label, 6}},
                 private_items[] = {{CKA_TOKEN, &yes, 1}, {CKA_SIGN, &yes, 1}, {CKA_LABEL, label, 6}, {CKA_ID, id, 1}};

    (void)state;
    assert_ok(q->C_GenerateKeyPair(session, &mechanism, public_items, 3, private_items, 4, &public, &private));
    assert_ok(make_pair(session, "free-9", true, &public, &private));
    assert_rv(q->C_SetAttributeValue(session, private, &private_items[3], 1), CKR_TEMPLATE_INCONSISTENT);
    assert_refusal("CKA_ID 77");
    assert_ok(q->C_DestroyObject(session, private));
}

static void a_session_key_does_not_slip_onto_the_token(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0, copy = 0, found[8];
    CK_ATTRIBUTE to_token[] = {{CKA_TOKEN, &yes, 1}};
    size_t born = logged(ENTRY_BORN);

    (void)state;
    assert_ok(make_pair(session, "mute-2", false, &public, &private));
    assert_rv(q->C_CopyObject(session, private, to_token, 1, &copy), CKR_ACTION_PROHIBITED);
    assert_rv(q->C_SetAttributeValue(session, private, to_token, 1), CKR_ATTRIBUTE_READ_ONLY);
    assert_ok(q->C_CloseAllSessions(0));
    session = open_session(CKF_RW_SESSION);
    assert_ok(login(session));
    assert_int_equal(find_label(session, "mute-2", found), 0);
    assert_int_equal(logged(ENTRY_BORN), born);
}

static void data_objects_pass(void **state)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    char label[] = "notes", value[20000] = "x", own[] = "quorate:checkpoint";
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_TOKEN, &yes, 1},
                        {CKA_LABEL, label, 5},
                        {CKA_VALUE, value, sizeof(value)}};
    CK_ATTRIBUTE spoof[] = {{CKA_LABEL, own, sizeof(own) - 1}};
    CK_OBJECT_HANDLE object = 0, found[8];

    (void)state;
    assert_ok(q->C_CreateObject(session, t, 4, &object));
    assert_int_equal(find_label(session, "notes", found), 1);
    assert_int_equal(found[0], object);
    assert_rv(q->C_SetAttributeValue(session, object, spoof, 1), CKR_TEMPLATE_INCONSISTENT);
    assert_ok(q->C_DestroyObject(session, object));
    assert_int_equal(find_label(session, "notes", found), 0);
    t[2] = spoof[0];
    assert_rv(q->C_CreateObject(session, t, 4, &object), CKR_TEMPLATE_INCONSISTENT);
}

static void more_objects_than_fit_are_found_in_turns(void **state)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    char label[] = "many";
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_TOKEN, &no, 1}, {CKA_LABEL, label, 4}};
    CK_OBJECT_HANDLE object = 0, found[200], seen = 0;
    CK_ULONG count = 0, total = 0;

    (void)state;
    for (int i = 0; i < 150; i++)
        assert_ok(q->C_CreateObject(session, t, 3, &object));
    assert_ok(q->C_FindObjectsInit(session, t + 2, 1));
    assert_ok(q->C_FindObjects(session, found, 0, &count));
    assert_int_equal(count, 0);
    do {
        assert_ok(q->C_FindObjects(session, found + total, 70, &count));
        total += count;
    } while (count > 0);
    assert_ok(q->C_FindObjectsFinal(session));
    assert_int_equal(total, 150);
    for (CK_ULONG i = 0; i < total; i++)
        for (CK_ULONG j = 0; j < i; j++)
            seen += found[i] == found[j];
    assert_int_equal(seen, 0);
}

static void a_changed_policy_file_stops_everything(void **state)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    CK_OBJECT_HANDLE public = 0, private = 0;
    unsigned char data[32] = {1}, signature[64];
    char path[160];
    struct fault f = {0};

    (void)state;
    assert_ok(make_pair(session, "free-9", true, &public, &private));
    snprintf(path, sizeof(path), "%s/policy.yaml", home.folder);
    assert_good(file_read(path, true, &bytes, &f));
    buf_puts(&bytes, "# one more line\n");
    assert_good(file_replace(path, buf_span(&bytes), 0600, &f));
    gate_forget(); /* as if the last look were long ago */
    assert_rv(sign(session, private, data, 32, signature), CKR_DEVICE_ERROR);
    assert_refusal("policy.yaml");
    assert_rv(make_pair(session, "free-9", true, &public, &private), CKR_DEVICE_ERROR);
    bytes.len -= strlen("# one more line\n");
    assert_good(file_replace(path, buf_span(&bytes), 0600, &f));
    assert_ok(sign(session, private, data, 32, signature));
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LIFE(a_key_under_a_plain_rule_is_logged_and_used),
        IN_LIFE(a_key_no_rule_allows_is_refused),
        IN_LIFE(a_wrong_template_under_a_rule_is_refused_by_name),
        IN_LIFE(a_birth_waits_for_people),
        IN_LIFE(halves_with_different_names_do_not_pass),
        IN_LIFE(what_the_log_does_not_know_is_hidden),
        IN_LIFE(a_key_that_others_destroyed_is_no_key),
        IN_LIFE(private_handles_die_at_logout),
        IN_LIFE(session_objects_die_with_their_session),
        IN_LIFE(every_other_way_is_refused),
        IN_LIFE(handles_of_nothing_are_no_keys),
        IN_LIFE(what_rules_allow_is_done_and_logged),
        IN_LIFE(a_session_key_does_not_slip_onto_the_token),
        IN_LIFE(no_key_takes_the_id_of_a_governed_one),
        IN_LIFE(data_objects_pass),
        IN_LIFE(more_objects_than_fit_are_found_in_turns),
        IN_LIFE(a_changed_policy_file_stops_everything),
    };
    return cmocka_run_group_tests(tests, home_make, home_end);
}
