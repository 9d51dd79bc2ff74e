#ifndef QUORATE_TESTS_MODULE_FIXTURE_H
#define QUORATE_TESTS_MODULE_FIXTURE_H

/* The module as an application has it: its function list over the estate of depth_fixture.h. No site is enrolled, so
 * keys are born under rules that plainly allow. */

#include "module/functions.h"
#include "module/gate.h"
#include "tests/unit/depth_fixture.h"

#define PLAIN_RULES                                                                                                    \
    "  - {id: gone, when: {operation: generate, label: \"^gone-\"}, deny: true}\n"                                     \
    "  - {id: births, when: {operation: generate, label: \"^(free|gov|mute)-\"}, allow: true}\n"                       \
    "  - {id: replicated, when: {operation: generate, label: \"^rep-\"}, require: {quorum: {of: key-custodian, "       \
    "at-least: 2}, replicas: {at-least: 2, prove: signature}, extractable: closed, transport: {allow: "                \
    "[oaep-sha1]}}}\n"                                                                                                 \
    "  - {id: free use, when: {operation: [use, modify, destroy, copy, wrap], label: \"^free-\"}, allow: true}\n"      \
    "  - {id: approved use, when: {operation: use, label: \"^gov-\"}, require: {quorum: {of: key-custodian, "          \
    "at-least: "                                                                                                       \
    "2}}}\n"                                                                                                           \
    "  - {id: session, when: {operation: [generate, import, derive, use, destroy], object: session}, allow: true}\n"   \
    "  - {id: harmless, when: {operation: [import, modify, destroy], class: [data, certificate]}, allow: true}\n"

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static char p256[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

static CK_FUNCTION_LIST *q; /* ours */
static struct depth home;
static CK_SESSION_HANDLE session;

#define assert_rv(call, want)                                                                                          \
    do {                                                                                                               \
        CK_RV rv_ = (call);                                                                                            \
        if (rv_ != (want))                                                                                             \
            fail_msg("%s: 0x%lx, wanted 0x%lx; \"%s\"", #call, rv_, (CK_RV)(want), refusal_text());                    \
    } while (0)
#define assert_ok(call) assert_rv(call, CKR_OK)
#define assert_refusal(needle)                                                                                         \
    do {                                                                                                               \
        if (strstr(refusal_text(), needle) == NULL)                                                                    \
            fail_msg("\"%s\" is not in: %s", needle, refusal_text());                                                  \
    } while (0)

static inline CK_RV initialise(void)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK, .pReserved = home.bindings};

    return q->C_Initialize(&args);
}

static inline CK_SESSION_HANDLE open_session(CK_FLAGS flags)
{
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;

    assert_ok(q->C_OpenSession(0, CKF_SERIAL_SESSION | flags, NULL, NULL, &s));
    assert_int_not_equal(s, CK_INVALID_HANDLE);
    return s;
}

static inline CK_RV login(CK_SESSION_HANDLE s)
{
    CK_UTF8CHAR pin[] = PIN;

    return q->C_Login(s, CKU_USER, pin, sizeof(pin) - 1);
}

/* The estate, once a program. */
static inline int home_make(void **state)
{
    (void)state;
    depth_make(&home, PLAIN_RULES);
    world_close(home.world);
    home.world = NULL;
    return C_GetFunctionList(&q) == CKR_OK ? 0 : -1;
}

static inline int home_end(void **state)
{
    (void)state;
    depth_end(&home);
    return 0;
}

/* Initialised, with a R/W session that is logged in; for each test. */
static inline int life_begin(void **state)
{
    (void)state;
    assert_ok(initialise());
    session = open_session(CKF_RW_SESSION);
    assert_ok(login(session));
    return 0;
}

static inline int life_end(void **state)
{
    (void)state;
    assert_ok(q->C_Finalize(NULL));
    return 0;
}

#define IN_LIFE(test) cmocka_unit_test_setup_teardown(test, life_begin, life_end)

/* A P-256 pair as a client would ask for it. */
static inline CK_RV make_pair(CK_SESSION_HANDLE s, const char *label, bool on_token, CK_OBJECT_HANDLE *ret_public,
                              CK_OBJECT_HANDLE *ret_private)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    char text[64];
    CK_BBOOL *token = on_token ? &yes : &no;
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, token, 1},
                             {CKA_VERIFY, &yes, 1},
                             {CKA_EC_PARAMS, p256, sizeof(p256) - 1},
                             {CKA_LABEL, text, strlen(label)}},
                 private[] = {{CKA_TOKEN, token, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_PRIVATE, &yes, 1},
                              {CKA_SIGN, &yes, 1},   {CKA_DERIVE, &yes, 1},    {CKA_LABEL, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_GenerateKeyPair(s, &mechanism, public, 4, private, 6, ret_public, ret_private);
}

/* What a search for a label finds. */
static inline CK_ULONG find_label(CK_SESSION_HANDLE s, const char *label, CK_OBJECT_HANDLE ret[8])
{
    char text[64];
    CK_ATTRIBUTE match[] = {{CKA_LABEL, text, strlen(label)}};
    CK_ULONG count = 0;

    snprintf(text, sizeof(text), "%s", label);
    assert_ok(q->C_FindObjectsInit(s, match, 1));
    assert_ok(q->C_FindObjects(s, ret, 8, &count));
    assert_ok(q->C_FindObjectsFinal(s));
    return count;
}

static inline CK_RV sign(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, unsigned char *data, CK_ULONG len,
                         unsigned char ret[64])
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_ULONG room = 64;
    CK_RV rv = q->C_SignInit(s, &mechanism, key);

    return rv == CKR_OK ? q->C_Sign(s, data, len, ret, &room) : rv;
}

static inline CK_RV verify(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, unsigned char *data, CK_ULONG len,
                           unsigned char signature[64])
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_RV rv = q->C_VerifyInit(s, &mechanism, key);

    return rv == CKR_OK ? q->C_Verify(s, data, len, signature, 64) : rv;
}

/* The HSM itself, past the module (the same library, already initialised by it). */
static inline CK_FUNCTION_LIST *below(CK_SLOT_ID *ret_slot)
{
    const struct shown_token *t = world_token(world_current(), "root");

    *ret_slot = t->lower_slot;
    return t->lower->f;
}

/* Another process suspends or resumes; seen here as if the last look were long ago. */
static inline void scope_log(enum entry_type type, const char *scope)
{
    json_t *body = json_object();
    struct estate *e = NULL;
    struct fault f = {0};

    assert_good(estate_open(home.bindings, &e, &f));
    assert_true(json_put_string(body, "scope", scope));
    assert_good(estate_append(e, type, body, NULL, &f));
    gate_forget();
    estate_close(e);
    json_decref(body);
}

/* Entries of a type in the log. */
static inline size_t logged(enum entry_type type)
{
    struct log *l = world_current()->estate->log;
    struct buf bytes = BUF(LIMIT_ENTRY);
    struct entry e;
    struct fault f = {0};
    size_t count = 0;

    assert_good(log_refresh(l, &f));
    for (uint64_t i = 0; i < log_size(l); i++) {
        buf_clear(&bytes);
        assert_good(log_entry_bytes(l, i, &bytes, &f));
        assert_good(entry_parse(buf_span(&bytes), &e, &f));
        count += e.type == type;
        entry_clear(&e);
    }
    buf_free(&bytes);
    return count;
}

#endif
