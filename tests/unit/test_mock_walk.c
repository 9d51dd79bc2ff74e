#include "tests/unit/mock_fixture.h"

/* Every function through every return code: what the HSM answers is what the application gets, but where the module
 * answers by itself. */

static const CK_RV codes[] = {
    CKR_CANCEL,
    CKR_HOST_MEMORY,
    CKR_SLOT_ID_INVALID,
    CKR_GENERAL_ERROR,
    CKR_FUNCTION_FAILED,
    CKR_ARGUMENTS_BAD,
    CKR_NO_EVENT,
    CKR_NEED_TO_CREATE_THREADS,
    CKR_CANT_LOCK,
    CKR_ATTRIBUTE_READ_ONLY,
    CKR_ATTRIBUTE_SENSITIVE,
    CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_ATTRIBUTE_VALUE_INVALID,
    CKR_ACTION_PROHIBITED,
    CKR_DATA_INVALID,
    CKR_DATA_LEN_RANGE,
    CKR_DEVICE_ERROR,
    CKR_DEVICE_MEMORY,
    CKR_DEVICE_REMOVED,
    CKR_ENCRYPTED_DATA_INVALID,
    CKR_ENCRYPTED_DATA_LEN_RANGE,
    CKR_FUNCTION_CANCELED,
    CKR_FUNCTION_NOT_PARALLEL,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_KEY_HANDLE_INVALID,
    CKR_KEY_SIZE_RANGE,
    CKR_KEY_TYPE_INCONSISTENT,
    CKR_KEY_NOT_NEEDED,
    CKR_KEY_CHANGED,
    CKR_KEY_NEEDED,
    CKR_KEY_INDIGESTIBLE,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_KEY_NOT_WRAPPABLE,
    CKR_KEY_UNEXTRACTABLE,
    CKR_MECHANISM_INVALID,
    CKR_MECHANISM_PARAM_INVALID,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_OPERATION_ACTIVE,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_PIN_INCORRECT,
    CKR_PIN_INVALID,
    CKR_PIN_LEN_RANGE,
    CKR_PIN_EXPIRED,
    CKR_PIN_LOCKED,
    CKR_SESSION_CLOSED,
    CKR_SESSION_COUNT,
    CKR_SESSION_HANDLE_INVALID,
    CKR_SESSION_PARALLEL_NOT_SUPPORTED,
    CKR_SESSION_READ_ONLY,
    CKR_SESSION_EXISTS,
    CKR_SESSION_READ_ONLY_EXISTS,
    CKR_SESSION_READ_WRITE_SO_EXISTS,
    CKR_SIGNATURE_INVALID,
    CKR_SIGNATURE_LEN_RANGE,
    CKR_TEMPLATE_INCOMPLETE,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_TOKEN_NOT_PRESENT,
    CKR_TOKEN_NOT_RECOGNIZED,
    CKR_TOKEN_WRITE_PROTECTED,
    CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    CKR_UNWRAPPING_KEY_SIZE_RANGE,
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_USER_NOT_LOGGED_IN,
    CKR_USER_PIN_NOT_INITIALIZED,
    CKR_USER_TYPE_INVALID,
    CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
    CKR_USER_TOO_MANY_TYPES,
    CKR_WRAPPED_KEY_INVALID,
    CKR_WRAPPED_KEY_LEN_RANGE,
    CKR_WRAPPING_KEY_HANDLE_INVALID,
    CKR_WRAPPING_KEY_SIZE_RANGE,
    CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_RANDOM_SEED_NOT_SUPPORTED,
    CKR_RANDOM_NO_RNG,
    CKR_DOMAIN_PARAMS_INVALID,
    CKR_CURVE_NOT_SUPPORTED,
    CKR_BUFFER_TOO_SMALL,
    CKR_SAVED_STATE_INVALID,
    CKR_INFORMATION_SENSITIVE,
    CKR_STATE_UNSAVEABLE,
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_CRYPTOKI_ALREADY_INITIALIZED,
    CKR_MUTEX_BAD,
    CKR_MUTEX_NOT_LOCKED,
    CKR_NEW_PIN_MODE,
    CKR_NEXT_OTP,
    CKR_EXCEEDED_MAX_ITERATIONS,
    CKR_FIPS_SELF_TEST_FAILED,
    CKR_LIBRARY_LOAD_FAILED,
    CKR_PIN_TOO_WEAK,
    CKR_PUBLIC_KEY_INVALID,
    CKR_FUNCTION_REJECTED,
    CKR_VENDOR_DEFINED | 7,
    0x12345678, /* of no specification */
};
#define CODES (sizeof(codes) / sizeof(*codes))

static CK_OBJECT_HANDLE public_key, private_key, secret_key, data_object, made, made_too;
static CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0}, pair_gen = {CKM_EC_KEY_PAIR_GEN, NULL, 0},
                    key_gen = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0}, derive = {CKM_ECDH1_DERIVE, NULL, 0},
                    wrap = {CKM_AES_CBC_PAD, NULL, 0};
static CK_OBJECT_CLASS data_class = CKO_DATA, secret_class = CKO_SECRET_KEY;
static unsigned char in[64], out[512], label[] = "walk", pin[] = MOCK_PIN;
static CK_ULONG out_len;
static CK_ATTRIBUTE data_items[] = {{CKA_CLASS, &data_class, sizeof(data_class)}, {CKA_LABEL, label, 4}},
                    secret_items[] = {{CKA_CLASS, &secret_class, sizeof(secret_class)}, {CKA_LABEL, label, 4}},
                    label_items[] = {{CKA_LABEL, label, 4}};
static CK_INFO info;
static CK_SLOT_INFO slot_info;
static CK_TOKEN_INFO token_info;
static CK_MECHANISM_INFO mechanism_info;
static CK_SESSION_INFO session_info;
static CK_SESSION_HANDLE opened;
static CK_SLOT_ID slot;
static CK_UTF8CHAR token_label[32];

#define WALK(name, ...)                                                                                                \
    static CK_RV walk_##name(void)                                                                                     \
    {                                                                                                                  \
        return q->name(__VA_ARGS__);                                                                                   \
    }
WALK(C_Initialize, NULL)
WALK(C_Finalize, &info)
WALK(C_GetInfo, &info)
WALK(C_GetFunctionList, &q)
WALK(C_GetSlotList, CK_TRUE, NULL, &out_len)
WALK(C_GetSlotInfo, 0, &slot_info)
WALK(C_GetTokenInfo, 0, &token_info)
WALK(C_GetMechanismList, 0, NULL, &out_len)
WALK(C_GetMechanismInfo, 0, CKM_ECDSA, &mechanism_info)
WALK(C_InitToken, 0, pin, 4, token_label)
WALK(C_InitPIN, session, pin, 4)
WALK(C_SetPIN, session, pin, 4, pin, 4)
WALK(C_OpenSession, 0, CKF_SERIAL_SESSION, NULL, NULL, &opened)
WALK(C_CloseSession, session)
WALK(C_CloseAllSessions, 0)
WALK(C_GetSessionInfo, session, &session_info)
WALK(C_GetOperationState, session, out, &out_len)
WALK(C_SetOperationState, session, in, 8, 0, 0)
WALK(C_Login, session, CKU_USER, pin, 4)
WALK(C_Logout, session)
WALK(C_CreateObject, session, data_items, 2, &made)
WALK(C_CopyObject, session, data_object, label_items, 1, &made)
WALK(C_DestroyObject, session, data_object)
WALK(C_GetObjectSize, session, data_object, &out_len)
WALK(C_GetAttributeValue, session, data_object, label_items, 1)
WALK(C_SetAttributeValue, session, data_object, label_items, 1)
WALK(C_FindObjectsInit, session, label_items, 1)
WALK(C_FindObjects, session, &made, 1, &out_len)
WALK(C_FindObjectsFinal, session)
WALK(C_EncryptInit, session, &wrap, secret_key)
WALK(C_Encrypt, session, in, 32, out, &out_len)
WALK(C_EncryptUpdate, session, in, 32, out, &out_len)
WALK(C_EncryptFinal, session, out, &out_len)
WALK(C_DecryptInit, session, &wrap, secret_key)
WALK(C_Decrypt, session, in, 32, out, &out_len)
WALK(C_DecryptUpdate, session, in, 32, out, &out_len)
WALK(C_DecryptFinal, session, out, &out_len)
WALK(C_DigestInit, session, &ecdsa)
WALK(C_Digest, session, in, 32, out, &out_len)
WALK(C_DigestUpdate, session, in, 32)
WALK(C_DigestKey, session, secret_key)
WALK(C_DigestFinal, session, out, &out_len)
WALK(C_SignInit, session, &ecdsa, private_key)
WALK(C_Sign, session, in, 32, out, &out_len)
WALK(C_SignUpdate, session, in, 32)
WALK(C_SignFinal, session, out, &out_len)
WALK(C_SignRecoverInit, session, &ecdsa, private_key)
WALK(C_SignRecover, session, in, 32, out, &out_len)
WALK(C_VerifyInit, session, &ecdsa, public_key)
WALK(C_Verify, session, in, 32, out, 64)
WALK(C_VerifyUpdate, session, in, 32)
WALK(C_VerifyFinal, session, out, 64)
WALK(C_VerifyRecoverInit, session, &ecdsa, public_key)
WALK(C_VerifyRecover, session, in, 32, out, &out_len)
WALK(C_DigestEncryptUpdate, session, in, 32, out, &out_len)
WALK(C_DecryptDigestUpdate, session, in, 32, out, &out_len)
WALK(C_SignEncryptUpdate, session, in, 32, out, &out_len)
WALK(C_DecryptVerifyUpdate, session, in, 32, out, &out_len)
WALK(C_GenerateKey, session, &key_gen, label_items, 1, &made)
WALK(C_GenerateKeyPair, session, &pair_gen, label_items, 1, label_items, 1, &made, &made_too)
WALK(C_WrapKey, session, &wrap, secret_key, private_key, out, &out_len)
WALK(C_UnwrapKey, session, &wrap, secret_key, in, 40, secret_items, 2, &made)
WALK(C_DeriveKey, session, &derive, private_key, secret_items, 2, &made)
WALK(C_SeedRandom, session, in, 8)
WALK(C_GenerateRandom, session, out, 32)
WALK(C_GetFunctionStatus, session)
WALK(C_CancelFunction, session)
WALK(C_WaitForSlotEvent, CKF_DONT_BLOCK, &slot, NULL)

static const struct row {
    const char *name;
    CK_RV (*call)(void);
} rows[] = {
#define FUNCTION(name, kind, params, args) {#name, walk_##name},
#include "module/functions.def"
#undef FUNCTION
};
#define ROWS (sizeof(rows) / sizeof(*rows))

/* What the module answers by itself, whatever the HSM would. */
static const struct {
    const char *name;
    CK_RV rv;
} own[] = {
    {"C_Initialize", CKR_CRYPTOKI_ALREADY_INITIALIZED},
    {"C_Finalize", CKR_ARGUMENTS_BAD}, /* so called here: the life goes on */
    {"C_GetInfo", CKR_OK},
    {"C_GetFunctionList", CKR_OK},
    {"C_GetSlotList", CKR_OK},
    {"C_CloseAllSessions", CKR_OK}, /* below, one by one */
    {"C_GetOperationState", CKR_FUNCTION_NOT_SUPPORTED},
    {"C_SetOperationState", CKR_FUNCTION_NOT_SUPPORTED},
    {"C_WaitForSlotEvent", CKR_NO_EVENT},
};

static CK_RV wanted(const char *name, CK_RV rv)
{
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (strcmp(own[i].name, name) == 0)
            return own[i].rv;
    return rv;
}

/* A session that is logged in, with an object of each kind, as if nothing had been before. */
static void begin_anew(void)
{
    steer("reset");
    q->C_CloseAllSessions(0);
    mock->C_CloseAllSessions(0); /* those that it refused to close */
    memset(token_label, ' ', sizeof(token_label));
    label_items[0].ulValueLen = 4;
    out_len = sizeof(out);
    session = open_session(CKF_RW_SESSION);
    assert_ok(mock_login(session));
    assert_ok(make_pair(session, "walk", false, &public_key, &private_key));
    assert_ok(q->C_CreateObject(session, data_items, 2, &data_object));
    assert_ok(q->C_GenerateKey(session, &key_gen, label_items, 1, &secret_key));
}

static void what_the_hsm_answers_is_what_comes_back(void **state)
{
    char line[80];

    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < CODES; k++) {
            begin_anew();
            snprintf(line, sizeof(line), "%s rv=%lu", rows[i].name, codes[k]);
            steer(line);
            CK_RV rv = rows[i].call();
            if (rv != wanted(rows[i].name, codes[k]))
                fail_msg("%s below: 0x%lx, above: 0x%lx; \"%s\"", rows[i].name, codes[k], rv, refusal_text());
        }
    begin_anew();
}

/* What an HSM that failed did not do has not happened above it either. */
static void a_failure_leaves_handles_as_they_were(void **state)
{
    static const char *const harmless[] = {"C_Logout", "C_DestroyObject", "C_SetAttributeValue", "C_SignInit",
                                           "C_FindObjectsInit"};
    char line[80];
    CK_ULONG size;

    (void)state;
    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++) {
        begin_anew();
        snprintf(line, sizeof(line), "%s rv=6", harmless[i]);
        steer(line);
        for (size_t k = 0; k < ROWS; k++)
            if (strcmp(rows[k].name, harmless[i]) == 0)
                assert_rv(rows[k].call(), CKR_FUNCTION_FAILED);
        steer("reset");
        assert_ok(q->C_GetObjectSize(session, data_object, &size));
        assert_ok(q->C_GetObjectSize(session, private_key, &size));
        assert_ok(q->C_SignInit(session, &ecdsa, private_key));
    }
}

/* How many objects the HSM holds, seen past the module. */
static CK_ULONG objects_below(void)
{
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE found[64];
    CK_ULONG count = 0;

    assert_int_equal(mock->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_OK);
    assert_int_equal(mock->C_FindObjectsInit(s, NULL, 0), CKR_OK);
    assert_int_equal(mock->C_FindObjects(s, found, 64, &count), CKR_OK);
    assert_int_equal(mock->C_CloseSession(s), CKR_OK);
    return count;
}

/* An object that the HSM made but will not describe cannot be shown: it must not stay. */
static void what_cannot_be_shown_does_not_stay(void **state)
{
    static const char *const makers[] = {"C_CreateObject",    "C_CopyObject", "C_GenerateKey",
                                         "C_GenerateKeyPair", "C_UnwrapKey",  "C_DeriveKey"};

    (void)state;
    for (size_t i = 0; i < sizeof(makers) / sizeof(*makers); i++)
        for (int skip = 0; skip < 4; skip++) {
            char line[80];
            CK_ULONG before;
            CK_RV rv = CKR_OK;

            begin_anew();
            before = objects_below();
            snprintf(line, sizeof(line), "C_GetAttributeValue rv=6 skip=%d", skip);
            steer(line);
            made = made_too = CK_INVALID_HANDLE;
            for (size_t k = 0; k < ROWS; k++)
                if (strcmp(rows[k].name, makers[i]) == 0)
                    rv = rows[k].call();
            steer("reset");
            if (rv != CKR_OK)
                assert_int_equal(objects_below(), before);
            else
                assert_int_equal(objects_below(), before + (made_too ? 2 : 1));
            if (rv == CKR_OK && skip < 2)
                fail_msg("%s came back with an object that nobody could describe", makers[i]);
        }
}

/* Lengths that no honest HSM gives: nothing is written where it must not be. */
static void lengths_that_lie_do_no_harm(void **state)
{
    static const char *const lies[] = {"0", "1", "4097", "65536", "0x7fffffff", "0xffffffffffffffff"};
    char line[80];

    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < sizeof(lies) / sizeof(*lies); k++) {
            begin_anew();
            snprintf(line, sizeof(line), "%s len=%s", rows[i].name, lies[k]);
            steer(line);
            rows[i].call();
            if (strcmp(rows[i].name, "C_GetAttributeValue") != 0)
                continue;
            for (size_t r = 0; r < ROWS; r++)
                if (strcmp(rows[r].name, "C_Initialize") != 0 && strcmp(rows[r].name, "C_Logout") != 0)
                    rows[r].call();
        }
    begin_anew();
    steer("C_FindObjects len=65");
    assert_ok(q->C_FindObjectsInit(session, NULL, 0));
    assert_rv(q->C_FindObjects(session, &made, 1, &out_len), CKR_DEVICE_ERROR);
}

/* A lower module that does not begin leaves its slot empty; the others would go on. */
static void a_module_that_does_not_begin(void **state)
{
    char line[80];
    CK_ULONG count = 1;

    (void)state;
    assert_ok(q->C_Finalize(NULL));
    for (size_t k = 0; k < CODES; k++) {
        if (codes[k] == CKR_CRYPTOKI_ALREADY_INITIALIZED)
            continue;
        snprintf(line, sizeof(line), "C_Initialize rv=%lu", codes[k]);
        steer(line);
        assert_ok(initialise());
        assert_ok(q->C_GetSlotList(CK_TRUE, NULL, &count));
        assert_int_equal(count, 0);
        assert_rv(q->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &opened), CKR_TOKEN_NOT_PRESENT);
        assert_ok(q->C_Finalize(NULL));
        steer("reset");
    }
    assert_ok(initialise());
}

/* What somebody else in the process began is not ours to end. */
static void a_module_that_others_use_goes_on(void **state)
{
    (void)state;
    assert_ok(q->C_Finalize(NULL));
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    assert_int_equal(mock->C_Initialize(&args), CKR_OK);
    assert_ok(initialise());
    session = open_session(CKF_RW_SESSION);
    assert_ok(q->C_Finalize(NULL));
    assert_int_equal(mock->C_GetInfo(&info), CKR_OK);
    assert_int_equal(mock->C_Finalize(NULL), CKR_OK);
    assert_ok(initialise());
}

/* However C_Finalize ends below, the module has ended. */
static void the_end_is_the_end(void **state)
{
    (void)state;
    steer("C_Finalize rv=5");
    assert_ok(q->C_Finalize(NULL));
    assert_rv(q->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    steer("reset");
    assert_int_equal(mock->C_Finalize(NULL), CKR_OK);
    assert_ok(initialise());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_MOCK_LIFE(what_the_hsm_answers_is_what_comes_back),
        IN_MOCK_LIFE(a_failure_leaves_handles_as_they_were),
        IN_MOCK_LIFE(what_cannot_be_shown_does_not_stay),
        IN_MOCK_LIFE(lengths_that_lie_do_no_harm),
        IN_MOCK_LIFE(a_module_that_does_not_begin),
        IN_MOCK_LIFE(a_module_that_others_use_goes_on),
        IN_MOCK_LIFE(the_end_is_the_end),
    };
    return cmocka_run_group_tests(tests, mock_home_make, home_end);
}
