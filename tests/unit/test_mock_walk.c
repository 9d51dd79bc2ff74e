#include "tests/unit/mock_calls.h"

/* Every function through every return code: what the HSM answers is what the application gets, but where the module
 * answers by itself. */

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
    {"C_GetInterfaceList", CKR_OK},
    {"C_GetInterface", CKR_OK},
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

/* The list of 3.0 is there only while every HSM's module has one, which is asked for when it is loaded. */
static int walk_begin(void **state)
{
    CK_VERSION three = {3, 0};

    mock_home_make(state);
    steer("version 3.0");
    assert_ok(initialise());
    assert_ok(C_GetInterface(NULL, &three, &interface, 0));
    later = interface->pFunctionList;
    assert_ok(q->C_Finalize(NULL));
    return 0;
}

static void an_interface_is_offered_only_where_it_is_below(void **state)
{
    CK_VERSION three = {3, 0};

    (void)state;
    assert_ok(C_GetInterface(NULL, &three, &interface, 0));
    assert_ptr_equal(interface->pFunctionList, later);
    assert_ok(q->C_Finalize(NULL));
    steer("version 2.40");
    assert_ok(initialise());
    assert_rv(C_GetInterface(NULL, &three, &interface, 0), CKR_FUNCTION_FAILED);
    assert_ok(C_GetInterface(NULL, NULL, &interface, 0));
    assert_ptr_equal(interface->pFunctionList, q);
    session = open_session(CKF_RW_SESSION);
    assert_rv(later->C_SessionCancel(session, CKF_SIGN), CKR_FUNCTION_NOT_SUPPORTED);
    assert_ok(q->C_Finalize(NULL));
    steer("version 3.0");
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
        IN_MOCK_LIFE(an_interface_is_offered_only_where_it_is_below),
    };
    return cmocka_run_group_tests(tests, walk_begin, home_end);
}
