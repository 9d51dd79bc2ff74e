#include "tests/bypass/bypass.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Attempts to bring a key into being, out of the HSM, under another name or to another end. */

static void want_absent(const char *label)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_SECRET_KEY};
    CK_OBJECT_HANDLE handles[8];

    for (size_t i = 0; i < 2; i++)
        if (found(label, classes[i], handles) != 0)
            broken("there is a key %s", label);
}

/* Labels that say one thing to the rules and another to the HSM. */
static void generate_under_two_names(void)
{
    struct pair made;

    want_refused(make_pair("stray-1", "free-1", true, &made), "a public half of another name");
    want_refused(make_pair("free-1", "stray-1", true, &made), "a private half of another name");
    want_rejected(make_pair("free-1", NULL, true, &made), "a private half without a name");
    want_refused(make_pair("gov-1", "free-1", true, &made), "a public half named like a governed key");
    want_rejected(make_pair("stray-1", "stray-1", true, &made), "a name that no rule has");
    want_logged("refused", "stray-1");
    want_rejected(make_pair("x\nfree-1", "x\nfree-1", true, &made), "a name on the second line");
    want_refused(make_pair("quorate:transport", "quorate:transport", true, &made), "one of Quorate's own names");
    want_absent("stray-1");
    want_absent("free-1");
    want_absent("gov-1");
}

static void generate_from_a_hostile_template(void)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ULONG bytes = 32;
    char good[] = "free-h", bad[] = "gov-hh", nul[] = "free-\0x";
    unsigned long wide = 1;
    CK_ATTRIBUTE twice[] = {{CKA_TOKEN, &yes, 1},
                            {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                            {CKA_LABEL, good, 6},
                            {CKA_LABEL, bad, 6}},
                 holed[] = {{CKA_TOKEN, &yes, 1}, {CKA_VALUE_LEN, &bytes, sizeof(bytes)}, {CKA_LABEL, nul, 7}},
                 both[] = {{CKA_TOKEN, &no, 1},
                           {CKA_TOKEN, &yes, 1},
                           {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                           {CKA_LABEL, bad, 6}},
                 broad[] = {{CKA_TOKEN, &wide, sizeof(wide)},
                            {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                            {CKA_LABEL, bad, 6}},
                 large[] = {{CKA_TOKEN, &yes, 1}, {CKA_VALUE_LEN, &bytes, sizeof(bytes)}, {CKA_LABEL, good, 1ul << 20}};
    CK_OBJECT_HANDLE key = 0;
    CK_BBOOL on_token = CK_TRUE;
    CK_ATTRIBUTE where = {CKA_TOKEN, &on_token, 1};

    want_refused(q->C_GenerateKey(session, &mechanism, twice, 4, &key), "two labels");
    want_refused(q->C_GenerateKey(session, &mechanism, holed, 3, &key), "a label with a NUL");
    want_refused(q->C_GenerateKey(session, &mechanism, both, 4, &key), "on the token and not");
    if (q->C_GenerateKey(session, &mechanism, broad, 3, &key) == CKR_OK &&
        (q->C_GetAttributeValue(session, key, &where, 1) != CKR_OK || on_token))
        broken("a CKA_TOKEN of eight bytes is a session key to the rules, and on the token");
    if (!across)
        want_refused(q->C_GenerateKey(session, &mechanism, large, 2, NULL), "no room for the handle");
    want_absent("free-h");
    want_refused(q->C_GenerateKey(session, &mechanism, NULL, 3, &key), "a count without a template");
    want_logged("refused", "C_GenerateKey: CKA_LABEL stands twice");
    want_logged("refused", "C_GenerateKey: CKA_LABEL holds a NUL");
    want_logged("refused", "C_GenerateKey: CKA_TOKEN stands twice");
}

/* While the call runs another thread writes into the template: the one race that is wanted. SoftHSM asks for the time in a
 * way that threads share, which spoils a date at most. */
#ifdef __SANITIZE_THREAD__
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:^change_meanwhile$\ncalled_from_lib:libsofthsm2.so\n";
}
#endif
static char changing[8] = "free-r";
static atomic_bool changing_ends;

static void *change_meanwhile(void *unused)
{
    (void)unused;
    while (!atomic_load(&changing_ends))
        for (const char *name = "gov-rrfree-r", *c = name; *c; c++)
            changing[(c - name) % 6] = *c;
    return NULL;
}

static void generate_while_the_template_changes(void)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ULONG bytes = 32;
    CK_ATTRIBUTE items[] = {{CKA_TOKEN, &yes, 1},
                            {CKA_SENSITIVE, &yes, 1},
                            {CKA_PRIVATE, &yes, 1},
                            {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                            {CKA_LABEL, changing, 6}};
    CK_OBJECT_HANDLE key = 0;
    char label[16];
    CK_ATTRIBUTE name = {CKA_LABEL, label, sizeof(label)};
    pthread_t thread;
    int made = 0, other = 0;

    atomic_store(&changing_ends, false);
    if (pthread_create(&thread, NULL, change_meanwhile, NULL) != 0)
        broken("no thread");
    for (int i = 0; i < 60; i++) {
        name.ulValueLen = sizeof(label);
        if (q->C_GenerateKey(session, &mechanism, items, 5, &key) != CKR_OK)
            continue;
        made++;
        if (q->C_GetAttributeValue(session, key, &name, 1) != CKR_OK || name.ulValueLen != 6 ||
            strncmp(label, "free-", 5) != 0)
            other++;
    }
    atomic_store(&changing_ends, true);
    pthread_join(thread, NULL);
    if (other > 0)
        broken("%d of %d keys were made under another name than was judged", other, made);
    want_absent("gov-rr");
}

static void import_to_the_token(void)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BYTE value[32] = {1};
    unsigned long wide = 1;
    char label[] = "free-i";
    CK_ATTRIBUTE items[] = {{CKA_TOKEN, &yes, 1},
                            {CKA_KEY_TYPE, &type, sizeof(type)},
                            {CKA_VALUE, value, 32},
                            {CKA_LABEL, label, 6},
                            {CKA_CLASS, &class, sizeof(class)}};
    CK_OBJECT_HANDLE key = 0;

    want_rejected(q->C_CreateObject(session, items, 5, &key), "a key from outside");
    want_logged("refused", "free-i");
    want_refused(q->C_CreateObject(session, items, 4, &key), "without its class");
    class = CKO_DATA; /* to the rules, which let data pass */
    want_refused(q->C_CreateObject(session, items, 5, &key), "a key that says it is data");
    class = CKO_SECRET_KEY;
    items[0] = (CK_ATTRIBUTE){CKA_TOKEN, &wide, sizeof(wide)};
    q->C_CreateObject(session, items, 5, &key);
    class = 8; /* CKO_OTP_KEY */
    want_refused(q->C_CreateObject(session, items, 5, &key), "a one-time password key");
    want_absent("free-i");
}

static void unwrap_to_the_token(void)
{
    CK_MECHANISM wrapping = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    char label[] = "free-u";
    CK_BYTE blob[64] = {1};
    CK_OBJECT_HANDLE known = known_aes(), key = 0;
    CK_ATTRIBUTE items[] = {{CKA_TOKEN, &yes, 1},
                            {CKA_LABEL, label, 6},
                            {CKA_KEY_TYPE, &type, sizeof(type)},
                            {CKA_CLASS, &class, sizeof(class)}};

    want_refused(q->C_UnwrapKey(session, &wrapping, known, blob, 40, items, 4, &key), "unwrapped to the token");
    want_refused(q->C_UnwrapKey(session, &wrapping, known, blob, 40, items, 3, &key), "without its class");
    want_refused(q->C_UnwrapKey(session, &wrapping, gov_rsa.private, blob, 40, items + 1, 3, &key),
                 "unwrapped by a governed key");
    if (!across)
        want_logged("refused", "free-u");
    want_absent("free-u");
}

static void derive_to_the_token(void)
{
    CK_BYTE data[32] = {1};
    CK_KEY_DERIVATION_STRING_DATA string = {data, sizeof(data)};
    CK_MECHANISM ecb = {CKM_AES_ECB_ENCRYPT_DATA, &string, sizeof(string)};
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG bytes = 32;
    char label[] = "free-d";
    CK_ATTRIBUTE items[] = {{CKA_TOKEN, &yes, 1},
                            {CKA_LABEL, label, 6},
                            {CKA_KEY_TYPE, &type, sizeof(type)},
                            {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                            {CKA_CLASS, &class, sizeof(class)}};
    CK_OBJECT_HANDLE key = 0;

    want_refused(q->C_DeriveKey(session, &ecb, known_aes(), items, 5, &key), "derived to the token");
    want_refused(q->C_DeriveKey(session, &ecb, known_aes(), items, 4, &key), "without its class");
    if (!across)
        want_logged("refused", "free-d");
    want_absent("free-d");
}

/* A derived key that holds the base key, whole or in parts, and can be read. */
static void derive_what_gives_the_base_away(void)
{
    static const CK_MECHANISM_TYPE revealing[] = {CKM_XOR_BASE_AND_DATA, CKM_CONCATENATE_BASE_AND_DATA,
                                                  CKM_CONCATENATE_DATA_AND_BASE, CKM_EXTRACT_KEY_FROM_KEY,
                                                  CKM_CONCATENATE_BASE_AND_KEY};
    CK_BYTE data[32] = {1};
    CK_KEY_DERIVATION_STRING_DATA string = {data, sizeof(data)};
    CK_ULONG from = 0;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ULONG bytes = 1;
    CK_ATTRIBUTE items[] = {{CKA_TOKEN, &no, 1},
                            {CKA_KEY_TYPE, &type, sizeof(type)},
                            {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                            {CKA_EXTRACTABLE, &yes, 1},
                            {CKA_SENSITIVE, &no, 1}};
    CK_OBJECT_HANDLE key = 0, known = known_aes();

    for (size_t i = 0; i < sizeof(revealing) / sizeof(*revealing); i++) {
        CK_MECHANISM m = {revealing[i], &string, sizeof(string)};

        if (revealing[i] == CKM_EXTRACT_KEY_FROM_KEY)
            m = (CK_MECHANISM){revealing[i], &from, sizeof(from)};
        else if (revealing[i] == CKM_CONCATENATE_BASE_AND_KEY)
            m = (CK_MECHANISM){revealing[i], &known, sizeof(known)};
        want_refused(q->C_DeriveKey(session, &m, free_aes, items, 5, &key), "a derivation that holds its base key");
    }
    if (!across)
        want_logged("refused", "C_DeriveKey");
}

static void copy_to_the_token_and_elsewhere(void)
{
    char label[] = "free-c";
    CK_ATTRIBUTE to_token[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, label, 6}},
                 to_session[] = {{CKA_TOKEN, &no, 1}, {CKA_LABEL, label, 6}};
    struct pair made;
    CK_OBJECT_HANDLE key = 0;

    want(make_pair("free-s", "free-s", false, &made), CKR_OK, "a session pair");
    want_rejected(q->C_CopyObject(session, made.private, to_token, 2, &key), "a session key, copied to the token");
    want_rejected(q->C_CopyObject(session, made.private, to_token, 1, &key), "the same under its own name");
    want_rejected(q->C_CopyObject(session, gov_ec.private, to_session, 2, &key), "a governed key as a session key");
    want_rejected(q->C_CopyObject(session, gov_ec.private, NULL, 0, &key), "a governed key twice");
    want_rejected(q->C_CopyObject(session, free_aes, to_token, 2, &key), "a free key twice");
    want_logged("refused", "gov-ec");
    want_absent("free-c");
}

static void change_what_a_key_is(void)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    char label[] = "free-x", gov[] = "gov-stolen", own[] = "quorate:identity", nul[] = "free-\0x";
    CK_ATTRIBUTE changes[] = {{CKA_EXTRACTABLE, &yes, 1}, {CKA_SENSITIVE, &no, 1},
                              {CKA_TRUSTED, &yes, 1},     {CKA_WRAP, &yes, 1},
                              {CKA_DECRYPT, &yes, 1},     {CKA_LABEL, label, 6},
                              {CKA_ID, label, 6},         {CKA_PRIVATE, &no, 1},
                              {CKA_TOKEN, &no, 1},        {CKA_CLASS, &class, sizeof(class)}};
    CK_ATTRIBUTE stolen[] = {{CKA_LABEL, gov, 10}}, hidden[] = {{CKA_LABEL, own, 16}}, holed[] = {{CKA_LABEL, nul, 7}};
    CK_ATTRIBUTE twice[] = {{CKA_LABEL, label, 6}, {CKA_LABEL, gov, 10}};
    CK_ATTRIBUTE to_token[] = {{CKA_TOKEN, &yes, 1}};
    struct pair made;

    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
        want_refused(q->C_SetAttributeValue(session, gov_ec.private, &changes[i], 1), "a governed key changed");
    want_logged("refused", "gov-ec");
    want_rejected(q->C_SetAttributeValue(session, free_ec.private, stolen, 1), "a free key named like a governed one");
    want_refused(q->C_SetAttributeValue(session, free_ec.private, hidden, 1), "a key named like Quorate's own");
    want_refused(q->C_SetAttributeValue(session, free_ec.private, holed, 1), "a name with a NUL");
    want_refused(q->C_SetAttributeValue(session, free_ec.private, twice, 2), "two names");
    want(make_pair("free-s", "free-s", false, &made), CKR_OK, "a session pair");
    want_refused(q->C_SetAttributeValue(session, made.private, to_token, 1), "a session key, moved to the token");
    want_logged("refused", "C_SetAttributeValue: CKA_LABEL stands twice");
    want_logged("refused", "CKA_TOKEN do not change");
    want_logged("refused", "CKA_LABEL must not begin with");
}

static void wrap_under_a_key_that_the_caller_knows(void)
{
    static const CK_MECHANISM_TYPE mechanisms[] = {CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD};
    CK_OBJECT_HANDLE known = known_aes(), keys[] = {gov_ec.private, gov_rsa.private, free_ec.private, free_aes};
    CK_BYTE blob[4096];
    CK_ULONG len;

    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 2; j++) {
            CK_MECHANISM m = {mechanisms[j], NULL, 0};

            len = sizeof(blob);
            want_refused(q->C_WrapKey(session, &m, known, keys[i], blob, &len), "a key wrapped under a known one");
            len = 0;
            want_refused(q->C_WrapKey(session, &m, known, keys[i], NULL, &len), "the length of a wrapped key");
        }
    if (!across)
        want_logged("refused", "\"operation\":\"wrap\"");
}

static void destroy_a_governed_key(void)
{
    want_rejected(q->C_DestroyObject(session, gov_ec.private), "a governed key destroyed");
    want_rejected(q->C_DestroyObject(session, free_ec.private), "a key destroyed that no rule lets go");
    want_logged("refused", "\"operation\":\"destroy\"");
}

static void initialise_and_set_pins(void)
{
    CK_UTF8CHAR so[] = "12345678", pin[] = "87654321", label[32];
    CK_SESSION_INFO info;

    memset(label, ' ', sizeof(label));
    want(q->C_GetSessionInfo(session, &info), CKR_OK, "C_GetSessionInfo");
    want_rejected(q->C_Login(session, CKU_SO, so, 8), "the security officer");
    want_refused(q->C_Login(session, 0x80000001ul, so, 8), "a user of a vendor's kind");
    want_rejected(q->C_InitPIN(session, pin, 8), "a new PIN by the security officer");
    want_rejected(q->C_SetPIN(session, so, 8, pin, 8), "another PIN");
    want_rejected(q->C_InitToken(info.slotID, so, 8, label), "a token as new");
    want_logged("refused", "\"operation\":\"initialise\"");
    want_logged("refused", "\"operation\":\"set-pin\"");
}

const struct attempt attempts_to_make[] = {
    {"generate_under_two_names", generate_under_two_names, ANYWHERE, NULL},
    {"generate_from_a_hostile_template", generate_from_a_hostile_template, ANYWHERE, NULL},
    {"generate_while_the_template_changes", generate_while_the_template_changes, ANYWHERE, NULL},
    {"import_to_the_token", import_to_the_token, ANYWHERE, NULL},
    {"unwrap_to_the_token", unwrap_to_the_token, ANYWHERE, NULL},
    {"derive_to_the_token", derive_to_the_token, ANYWHERE, NULL},
    {"derive_what_gives_the_base_away", derive_what_gives_the_base_away, ANYWHERE, NULL},
    {"copy_to_the_token_and_elsewhere", copy_to_the_token_and_elsewhere, ANYWHERE, NULL},
    {"change_what_a_key_is", change_what_a_key_is, ANYWHERE, NULL},
    {"wrap_under_a_key_that_the_caller_knows", wrap_under_a_key_that_the_caller_knows, ANYWHERE, NULL},
    {"destroy_a_governed_key", destroy_a_governed_key, ANYWHERE, NULL},
    {"initialise_and_set_pins", initialise_and_set_pins, ANYWHERE, NULL},
    {NULL, NULL, ANYWHERE, NULL},
};
