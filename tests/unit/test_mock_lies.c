#include <pthread.h>

#include "tests/unit/mock_fixture.h"

/* An HSM that lies in what it gives out, and templates that say one thing to the rules and another to the HSM. */

#define RULES                                                                                                          \
    "  - {id: births, when: {operation: generate, label: \"^(free|gov|ask)-\", object: token}, allow: true}\n"         \
    "  - {id: asked copies, when: {operation: copy, label: \"^ask-\"}, require: {quorum: {of: key-custodian, "         \
    "at-least: "                                                                                                       \
    "2}}}\n"                                                                                                           \
    "  - {id: free creation, when: {operation: [import, copy], label: \"^(free|gov)-\", object: token}, allow: "       \
    "true}\n"                                                                                                          \
    "  - {id: free use, when: {operation: use, label: \"^free-\"}, allow: true}\n"                                     \
    "  - {id: approved use, when: {operation: use, label: \"^gov-\"}, require: {quorum: {of: key-custodian, "          \
    "at-least: 2}}}\n"                                                                                                 \
    "  - {id: session, when: {operation: [generate, import, derive, use], object: session}, allow: true}\n"            \
    "  - {id: data, when: {operation: [import, destroy], class: data}, allow: true}\n"

static CK_FUNCTION_LIST honest;
static CK_BBOOL lie_token;
static char lie_label[32], governed_id[] = "\x77";
static bool lie_id;

static CK_FUNCTION_LIST *lower(void)
{
    CK_SLOT_ID slot = 0;

    return below(&slot);
}

static int home_with_rules(void **state)
{
    (void)state;
    mock_home_with(RULES);
    return 0;
}

static int begin(void **state)
{
    mock_life_begin(state);
    session = open_session(CKF_RW_SESSION);
    assert_ok(mock_login(session));
    honest = *lower();
    lie_token = CK_FALSE;
    lie_id = false;
    lie_label[0] = '\0';
    return 0;
}

static int end(void **state)
{
    *lower() = honest;
    return mock_life_end(state);
}

/* What an HSM may make of a template that it reads otherwise than we do. */
static CK_RV generate_another(CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                              CK_OBJECT_HANDLE_PTR key)
{
    CK_ATTRIBUTE other[8];

    assert_true(count < 8);
    for (CK_ULONG i = 0; i < count; i++) {
        other[i] = items[i];
        if (items[i].type == CKA_TOKEN && lie_token)
            other[i].pValue = &lie_token;
        if (items[i].type == CKA_LABEL && lie_label[0])
            other[i] = (CK_ATTRIBUTE){CKA_LABEL, lie_label, strlen(lie_label)};
    }
    if (lie_id)
        other[count++] = (CK_ATTRIBUTE){CKA_ID, governed_id, 1};
    return honest.C_GenerateKey(s, m, other, count, key);
}

static CK_RV make_key(const char *label, bool on_token, CK_OBJECT_HANDLE *ret)
{
    CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
    char text[32];
    CK_ATTRIBUTE items[] = {
        {CKA_TOKEN, on_token ? &yes : &no, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_LABEL, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_GenerateKey(session, &m, items, 3, ret);
}

/* How many objects with this label the HSM holds, hidden or not. */
static CK_ULONG held_below(const char *label)
{
    char text[32];
    CK_ATTRIBUTE match = {CKA_LABEL, text, strlen(label)};
    CK_OBJECT_HANDLE found[8];
    CK_SESSION_HANDLE s = 0;
    CK_ULONG count = 0;

    snprintf(text, sizeof(text), "%s", label);
    assert_ok(mock->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s));
    assert_ok(mock->C_FindObjectsInit(s, &match, 1));
    assert_ok(mock->C_FindObjects(s, found, 8, &count));
    assert_ok(mock->C_FindObjectsFinal(s));
    assert_ok(mock->C_CloseSession(s));
    return count;
}

static void lies_about_where_a_key_is(void **state)
{
    CK_OBJECT_HANDLE key = 0;

    (void)state;
    lower()->C_GenerateKey = generate_another;
    lie_token = CK_TRUE;
    assert_rv(make_key("stray-1", false, &key), CKR_FUNCTION_REJECTED);
    assert_int_equal(key, 0);
    assert_int_equal(held_below("stray-1"), 0);
    assert_true(logged(ENTRY_REFUSED) > 0);
}

static void lies_about_the_name(void **state)
{
    CK_OBJECT_HANDLE key = 0;

    (void)state;
    lower()->C_GenerateKey = generate_another;
    strcpy(lie_label, "stray-2");
    assert_rv(make_key("free-2", true, &key), CKR_FUNCTION_REJECTED);
    strcpy(lie_label, "quorate:identity");
    assert_rv(make_key("free-2", true, &key), CKR_TEMPLATE_INCONSISTENT);
    strcpy(lie_label, "free-3"); /* what a rule allows as well is let through */
    assert_ok(make_key("free-2", true, &key));
    assert_int_equal(held_below("stray-2"), 0);
    assert_int_equal(held_below("quorate:identity"), 0);
}

/* It says that all is well, and tells nothing: no attribute may then count as data, a session object or a name. */
static void lies_by_telling_nothing(void **state)
{
    CK_MECHANISM m = {CKM_AES_ECB, NULL, 0};
    CK_OBJECT_HANDLE key = 0, other = 0;

    (void)state;
    assert_ok(make_key("gov-1", true, &key));
    steer("C_GetAttributeValue rv=0");
    assert_int_not_equal(q->C_DecryptInit(session, &m, key), CKR_OK);
    assert_int_not_equal(make_key("free-1", true, &other), CKR_OK);
    assert_int_equal(other, 0);
}

static void lies_about_lengths(void **state)
{
    CK_MECHANISM m = {CKM_AES_ECB, NULL, 0};
    CK_OBJECT_HANDLE key = 0, found[8];
    CK_ULONG count = 0;

    (void)state;
    assert_ok(make_key("gov-1", true, &key));
    steer("C_GetAttributeValue len=4096");
    assert_int_not_equal(q->C_DecryptInit(session, &m, key), CKR_OK);
    steer("reset");
    assert_ok(q->C_FindObjectsInit(session, NULL, 0));
    steer("C_FindObjects len=100000");
    assert_rv(q->C_FindObjects(session, found, 8, &count), CKR_DEVICE_ERROR);
}

static CK_RV sign_too_much(CK_SESSION_HANDLE s, CK_BYTE_PTR data, CK_ULONG len, CK_BYTE_PTR signature,
                           CK_ULONG_PTR signature_len)
{
    CK_RV rv = honest.C_Sign(s, data, len, signature, signature_len);

    if (signature)
        *signature_len += 4096;
    return rv;
}

/* More than there was room for would be read, and handed on, from beyond it. */
static void lies_about_a_signature(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    unsigned char data[32] = {1}, signature[512];
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    CK_ULONG room = sizeof(signature);
    const struct state *s = &world_current()->estate->state;

    (void)state;
    assert_ok(make_pair(session, "gov-2", true, &public, &private));
    assert_ok(q->C_SignInit(session, &m, private));
    assert_rv(q->C_Sign(session, data, 32, signature, &room), CKR_FUNCTION_REJECTED);
    depth_approve(world_current()->estate, &s->requests[s->request_count - 1].id, "key-custodian");
    lower()->C_Sign = sign_too_much;
    room = sizeof(signature);
    assert_ok(q->C_SignInit(session, &m, private));
    assert_rv(q->C_Sign(session, data, 32, signature, &room), CKR_DEVICE_ERROR);
    *lower() = honest;
    room = sizeof(signature);
    assert_ok(q->C_SignInit(session, &m, private));
    assert_ok(q->C_Sign(session, data, 32, signature, &room)); /* nothing came out, so nothing was used */
}

/* Keys whose class has no name here: neither known to be born nor harmless. */
static void classes_that_rules_cannot_name(void **state)
{
    CK_OBJECT_CLASS classes[] = {8 /* CKO_OTP_KEY */, CKO_VENDOR_DEFINED + 1};
    CK_ATTRIBUTE items[] = {{CKA_CLASS, NULL, sizeof(CK_OBJECT_CLASS)}, {CKA_TOKEN, &yes, 1}};
    struct object_facts facts = {.on_token = true};
    CK_OBJECT_HANDLE key = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        items[0].pValue = &classes[i];
        assert_int_not_equal(q->C_CreateObject(session, items, 2, &key), CKR_OK);
        facts.class = classes[i];
        assert_true(object_is_secret(&facts));
        assert_false(object_shown(world_current(), 0, &facts));
    }
}

/* The base key leaves as by wrapping, which no rule allows. */
static void a_derivation_that_gives_the_base_away(void **state)
{
    static const CK_MECHANISM_TYPE revealing[] = {CKM_XOR_BASE_AND_DATA, CKM_CONCATENATE_BASE_AND_DATA,
                                                  CKM_CONCATENATE_DATA_AND_BASE, CKM_EXTRACT_KEY_FROM_KEY};
    CK_OBJECT_HANDLE base = 0, key = 0;
    CK_ATTRIBUTE items[] = {{CKA_TOKEN, &no, 1}, {CKA_EXTRACTABLE, &yes, 1}};
    CK_BYTE data[8] = {0};
    CK_KEY_DERIVATION_STRING_DATA string = {data, sizeof(data)};
    CK_MECHANISM harmless = {CKM_AES_ECB_ENCRYPT_DATA, &string, sizeof(string)};

    (void)state;
    assert_ok(make_key("free-base", true, &base));
    steer("count");
    for (size_t i = 0; i < 4; i++) {
        CK_MECHANISM m = {revealing[i], &string, sizeof(string)};

        assert_rv(q->C_DeriveKey(session, &m, base, items, 2, &key), CKR_FUNCTION_REJECTED);
    }
    assert_int_equal(mock_calls_below("C_DeriveKey"), 0);
    assert_ok(q->C_DeriveKey(session, &harmless, base, items, 2, &key));
}

/* Approvals of uses mean the key that the log knows by its id: no key that a rule plainly allows comes to have it too. */
static void the_id_of_a_governed_key(void **state)
{
    static const char *const makers[] = {"C_GenerateKey", "C_GenerateKeyPair", "C_CreateObject", "C_CopyObject"};
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    char gov[] = "gov-id", label[] = "free-id", value[16] = {1};
    CK_ATTRIBUTE items[] = {
        {CKA_LABEL, gov, 6},    {CKA_ID, governed_id, 1},           {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &yes, 1}, {CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_VALUE, value, 16}};
    CK_ATTRIBUTE public_items[] = {{CKA_LABEL, gov, 6}, {CKA_TOKEN, &yes, 1}};
    CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0}, pair = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE governed = 0, key = 0, public = 0, free_key = 0;
    unsigned long calls[4];

    (void)state;
    assert_ok(q->C_GenerateKeyPair(session, &pair, public_items, 2, items, 4, &public, &key));
    assert_ok(q->C_GenerateKey(session, &aes, items, 4, &governed));
    items[0] = public_items[0] = (CK_ATTRIBUTE){CKA_LABEL, label, 7};
    assert_ok(make_key("free-from", true, &free_key));
    steer("count");
    for (size_t i = 0; i < 4; i++)
        calls[i] = mock_calls_below(makers[i]);
    assert_rv(q->C_GenerateKey(session, &aes, items, 4, &key), CKR_TEMPLATE_INCONSISTENT);
    assert_refusal("CKA_ID 77 is that of the key \"gov-id\"");
    assert_rv(q->C_GenerateKeyPair(session, &pair, public_items, 2, items, 4, &public, &key),
              CKR_TEMPLATE_INCONSISTENT);
    assert_rv(q->C_CreateObject(session, items, 7, &key), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(q->C_CopyObject(session, free_key, items, 2, &key), CKR_TEMPLATE_INCONSISTENT);
    assert_refusal("C_CopyObject: CKA_ID 77");
    assert_rv(q->C_CopyObject(session, governed, items, 1, &key), CKR_TEMPLATE_INCONSISTENT); /* the id comes along */
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(mock_calls_below(makers[i]), calls[i]);
    lower()->C_GenerateKey = generate_another;
    lie_id = true;
    assert_rv(make_key("free-id", true, &key), CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(held_below("free-id"), 0);
    lie_id = false;
    items[1].pValue = label; /* another one */
    assert_ok(q->C_CreateObject(session, items, 7, &key));
    assert_ok(q->C_CopyObject(session, key, items, 2, &key)); /* a key that is used freely shares its id as it likes */
}

/* A user of a vendor's kind may be the security officer by another name. */
static void users_of_a_vendors_kind(void **state)
{
    CK_UTF8CHAR pin[] = MOCK_SO_PIN;

    (void)state;
    steer("count");
    assert_rv(q->C_Login(session, CKU_SO, pin, 8), CKR_FUNCTION_REJECTED);
    assert_rv(q->C_Login(session, 0x80000001ul, pin, 8), CKR_FUNCTION_REJECTED);
    assert_int_equal(mock_calls_below("C_Login"), 0);
}

/* Asked under the label that it has, free under the one that it gets: the copy has the CKA_ID that its template says. */
static void the_id_of_a_copy_that_was_asked_for(void **state)
{
    char label[] = "free-own", id[] = "\x31";
    CK_ATTRIBUTE items[] = {{CKA_LABEL, label, 8}, {CKA_ID, id, 1}};
    const struct state *s = &world_current()->estate->state;
    CK_OBJECT_HANDLE key = 0, copied = 0;

    (void)state;
    assert_ok(make_key("ask-1", true, &key));
    assert_rv(q->C_CopyObject(session, key, items, 2, &copied), CKR_ACTION_PROHIBITED);
    depth_approve(world_current()->estate, &s->requests[s->request_count - 1].id, "key-custodian");
    assert_ok(q->C_CopyObject(session, key, items, 2, &copied));
    assert_non_null(state_key(s, "root", "secret-key", "31", label));
}

static int way;
static atomic_bool ending;

static void *end_it(void *context)
{
    CK_RV *answer = context;

    atomic_store(&ending, true);
    if (way == 0)
        *answer = q->C_CloseSession(session);
    else if (way == 1)
        *answer = q->C_CloseAllSessions(0);
    else
        *answer = way == 2 ? q->C_Logout(session) : q->C_Finalize(NULL);
    return NULL;
}

static pthread_t ender;
static CK_RV ended;

/* Another thread ends what the key is made on, when it is made and not logged yet. */
static CK_RV generate_while_another_ends_it(CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR items,
                                            CK_ULONG count, CK_OBJECT_HANDLE_PTR key)
{
    CK_RV rv = honest.C_GenerateKey(s, m, items, count, key);

    atomic_store(&ending, false);
    assert_int_equal(pthread_create(&ender, NULL, end_it, &ended), 0);
    while (!atomic_load(&ending))
        usleep(100);
    usleep(20000); /* it waits, so no time is too short; without that, this is time enough to fail */
    return rv;
}

static void a_session_ended_during_a_birth(void **state)
{
    static const char *const labels[] = {"free-way-0", "free-way-1", "free-way-2", "free-way-3"};
    CK_OBJECT_HANDLE key = 0;

    (void)state;
    for (way = 0; way < 4; way++) {
        lower()->C_GenerateKey = generate_while_another_ends_it;
        assert_ok(make_key(labels[way], true, &key));
        pthread_join(ender, NULL);
        assert_ok(ended);
        if (way == 3)
            assert_ok(initialise());
        *lower() = honest;
        if (way != 2)
            session = open_session(CKF_RW_SESSION);
        assert_ok(mock_login(session));
        assert_int_equal(held_below(labels[way]), 1);
        assert_non_null(state_key(&world_current()->estate->state, "root", "secret-key", "", labels[way]));
    }
}

#define IN_LIES(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LIES(lies_about_where_a_key_is),
        IN_LIES(lies_about_the_name),
        IN_LIES(lies_by_telling_nothing),
        IN_LIES(lies_about_lengths),
        IN_LIES(lies_about_a_signature),
        IN_LIES(classes_that_rules_cannot_name),
        IN_LIES(a_derivation_that_gives_the_base_away),
        IN_LIES(the_id_of_a_governed_key),
        IN_LIES(the_id_of_a_copy_that_was_asked_for),
        IN_LIES(a_session_ended_during_a_birth),
        IN_LIES(users_of_a_vendors_kind),
    };

    return cmocka_run_group_tests(tests, home_with_rules, home_end);
}
