#include "tests/unit/module_fixture.h"

#include <sys/wait.h>

/* C_Initialize to C_Finalize, sessions, interfaces: what PKCS#11 wants of any module. */

static CK_RV never(void **mutex)
{
    (void)mutex;
    return CKR_GENERAL_ERROR;
}

static void nothing_works_before(void **state)
{
    CK_ULONG count = 0;
    CK_INFO info;
    CK_SESSION_HANDLE s = 0;
    CK_BYTE byte[4];

    (void)state;
    assert_rv(q->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(q->C_GetSlotList(CK_TRUE, NULL, &count), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(q->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(q->C_GenerateRandom(1, byte, 4), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(q->C_CloseAllSessions(0), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(q->C_GetAttributeValue(1, 1, NULL, 0), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(q->C_SignInit(1, NULL, 1), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(q->C_GetOperationState(1, NULL, &count), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(q->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void arguments_are_checked(void **state)
{
    CK_C_INITIALIZE_ARGS half = {.CreateMutex = never};
    CK_C_INITIALIZE_ARGS absent = {.pReserved = (char[]){"/nonexistent/bindings.yaml"}};

    (void)state;
    assert_rv(C_GetFunctionList(NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_Initialize(&half), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_Initialize(&absent), CKR_GENERAL_ERROR);
    assert_refusal("/nonexistent/bindings.yaml");
    assert_ok(initialise());
    assert_rv(initialise(), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    assert_rv(q->C_Finalize(&absent), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GetInfo(NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GetSlotList(CK_TRUE, NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GetSlotInfo(0, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GetTokenInfo(0, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GetMechanismList(0, NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_GetMechanismInfo(0, CKM_ECDSA, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(q->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_ok(q->C_Finalize(NULL));
    assert_rv(q->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void the_list_has_every_function(void **state)
{
    void *const *slot = (void *const *)(const void *)&q->C_Initialize;
    const size_t count = (sizeof(*q) - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof(*slot);

    (void)state;
    assert_int_equal(count, 68);
    assert_int_equal(q->version.major, 2);
    assert_int_equal(q->version.minor, 40);
    for (size_t i = 0; i < count; i++)
        assert_non_null(slot[i]);
}

static void interfaces_are_ours(void **state)
{
    CK_INTERFACE *i = NULL, both[2];
    CK_VERSION old = {2, 40}, later = {3, 0};
    CK_ULONG count = 0;
    CK_UTF8CHAR standard[] = "PKCS 11", vendor[] = "Vendor Quorate", other[] = "Vendor Other";

    (void)state;
    assert_rv(C_GetInterface(NULL, NULL, NULL, 0), CKR_ARGUMENTS_BAD);
    assert_ok(C_GetInterface(NULL, NULL, &i, 0));
    assert_ptr_equal(i->pFunctionList, q);
    assert_ok(C_GetInterface(standard, &old, &i, 0));
    assert_ptr_equal(i->pFunctionList, q);
    assert_rv(C_GetInterface(standard, &later, &i, 0), CKR_FUNCTION_FAILED);
    assert_rv(C_GetInterface(standard, NULL, &i, 1), CKR_FUNCTION_FAILED); /* CKF_INTERFACE_FORK_SAFE: not claimed */
    assert_rv(C_GetInterface(other, NULL, &i, 0), CKR_FUNCTION_FAILED);
    assert_ok(C_GetInterface(vendor, NULL, &i, 0));
    assert_ptr_not_equal(i->pFunctionList, q);
    assert_rv(C_GetInterfaceList(NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_ok(C_GetInterfaceList(NULL, &count));
    assert_int_equal(count, 2);
    count = 1;
    assert_rv(C_GetInterfaceList(both, &count), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(count, 2);
    assert_ok(C_GetInterfaceList(both, &count));
    assert_ptr_equal(both[0].pFunctionList, q);
}

static void one_slot_shows_the_logical_token(void **state)
{
    CK_SLOT_ID slots[4] = {99, 99, 99, 99};
    CK_ULONG count = 0;
    CK_TOKEN_INFO token;
    CK_SLOT_INFO slot;
    CK_INFO info;

    (void)state;
    assert_ok(q->C_GetInfo(&info));
    assert_memory_equal(info.manufacturerID, "Quorate                         ", 32);
    assert_ok(q->C_GetSlotList(CK_TRUE, NULL, &count));
    assert_int_equal(count, 1); /* not the replicas */
    count = 0;
    assert_rv(q->C_GetSlotList(CK_TRUE, slots, &count), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(count, 1);
    assert_int_equal(slots[0], 99);
    assert_ok(q->C_GetSlotList(CK_TRUE, slots, &count));
    assert_int_equal(slots[0], 0);
    assert_ok(q->C_GetTokenInfo(0, &token));
    assert_memory_equal(token.label, "root                            ", 32);
    assert_memory_equal(token.serialNumber, home.serials[0], 16);
    assert_ok(q->C_GetSlotInfo(0, &slot));
    assert_true(slot.flags & CKF_TOKEN_PRESENT);
    assert_rv(q->C_GetTokenInfo(1, &token), CKR_SLOT_ID_INVALID);
    assert_rv(q->C_GetSlotInfo(~0UL, &slot), CKR_SLOT_ID_INVALID);
    assert_rv(q->C_GetMechanismList(7, NULL, &count), CKR_SLOT_ID_INVALID);
    assert_rv(q->C_CloseAllSessions(7), CKR_SLOT_ID_INVALID);
    assert_rv(q->C_WaitForSlotEvent(CKF_DONT_BLOCK, slots, NULL), CKR_NO_EVENT);
}

static void a_closed_session_is_invalid(void **state)
{
    CK_SESSION_HANDLE s = open_session(0), other = CK_INVALID_HANDLE;
    CK_SESSION_INFO info;
    CK_BYTE byte[4];

    (void)state;
    assert_ok(q->C_GetSessionInfo(s, &info));
    assert_int_equal(info.slotID, 0);
    assert_int_equal(info.state, CKS_RO_USER_FUNCTIONS);
    assert_rv(q->C_GetSessionInfo(s, NULL), CKR_ARGUMENTS_BAD);
    assert_ok(q->C_GenerateRandom(s, byte, 4));
    assert_ok(q->C_CloseSession(s));
    assert_rv(q->C_CloseSession(s), CKR_SESSION_HANDLE_INVALID);
    assert_rv(q->C_GenerateRandom(s, byte, 4), CKR_SESSION_HANDLE_INVALID);
    other = open_session(0);
    assert_int_not_equal(s, other);
    assert_rv(q->C_GenerateRandom(s, byte, 4), CKR_SESSION_HANDLE_INVALID);
    assert_rv(q->C_OpenSession(0, 0, NULL, NULL, &s), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    assert_rv(q->C_OpenSession(3, CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_SLOT_ID_INVALID);
    assert_rv(q->C_GenerateRandom(CK_INVALID_HANDLE, byte, 4), CKR_SESSION_HANDLE_INVALID);
    assert_rv(q->C_GetOperationState(other, byte, &(CK_ULONG){4}), CKR_FUNCTION_NOT_SUPPORTED);
}

static void the_last_session_logs_out(void **state)
{
    CK_SESSION_HANDLE second = open_session(0);
    CK_SESSION_INFO info;

    (void)state;
    assert_ok(q->C_CloseSession(session));
    assert_ok(q->C_GetSessionInfo(second, &info));
    assert_int_equal(info.state, CKS_RO_USER_FUNCTIONS); /* still */
    assert_ok(q->C_CloseSession(second));
    session = open_session(CKF_RW_SESSION);
    assert_ok(q->C_GetSessionInfo(session, &info));
    assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
    assert_ok(login(session));
    assert_rv(login(session), CKR_USER_ALREADY_LOGGED_IN);
    open_session(0);
    assert_ok(q->C_CloseAllSessions(0));
    assert_rv(q->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
    session = open_session(CKF_RW_SESSION);
    assert_ok(q->C_GetSessionInfo(session, &info));
    assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
}

static void only_our_own_sessions_are_closed(void **state)
{
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *hsm = below(&slot);
    CK_SESSION_HANDLE others = CK_INVALID_HANDLE;
    CK_SESSION_INFO info;

    (void)state;
    assert_ok(hsm->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &others));
    assert_ok(q->C_CloseAllSessions(0));
    assert_ok(hsm->C_GetSessionInfo(others, &info));
    assert_ok(hsm->C_CloseSession(others));
}

static void a_second_life_knows_no_handle_of_the_first(void **state)
{
    CK_SESSION_HANDLE old = session;
    CK_BYTE byte[4];

    (void)state;
    assert_ok(q->C_Finalize(NULL));
    assert_rv(q->C_GenerateRandom(old, byte, 4), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_ok(initialise());
    assert_rv(q->C_GenerateRandom(old, byte, 4), CKR_SESSION_HANDLE_INVALID);
    session = open_session(0);
    assert_int_not_equal(session, old);
}

static int child(CK_SESSION_HANDLE parents)
{
    CK_BYTE byte[4];
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;

    if (q->C_GenerateRandom(parents, byte, 4) != CKR_CRYPTOKI_NOT_INITIALIZED)
        return 1;
    if (q->C_Finalize(NULL) != CKR_CRYPTOKI_NOT_INITIALIZED)
        return 2;
    if (initialise() != CKR_OK)
        return 3;
    if (q->C_GenerateRandom(parents, byte, 4) != CKR_SESSION_HANDLE_INVALID)
        return 4;
    if (q->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &s) != CKR_OK)
        return 5;
    if (q->C_GenerateRandom(s, byte, 4) != CKR_OK)
        return 6;
    return q->C_Finalize(NULL) == CKR_OK ? 0 : 7;
}

static void a_child_begins_anew(void **state)
{
    CK_BYTE byte[4];
    int status = 0;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(child(session));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_ok(q->C_GenerateRandom(session, byte, 4)); /* the parent's goes on */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_works_before),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(the_list_has_every_function),
        cmocka_unit_test(interfaces_are_ours),
        IN_LIFE(one_slot_shows_the_logical_token),
        IN_LIFE(a_closed_session_is_invalid),
        IN_LIFE(the_last_session_logs_out),
        IN_LIFE(only_our_own_sessions_are_closed),
        IN_LIFE(a_second_life_knows_no_handle_of_the_first),
        IN_LIFE(a_child_begins_anew),
    };
    return cmocka_run_group_tests(tests, home_make, home_end);
}
