#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mock/inner.h"

struct mock_token mock_tokens[MOCK_TOKENS];
pthread_mutex_t mock_lock = PTHREAD_MUTEX_INITIALIZER;
atomic_bool mock_alive;
static struct mock_session sessions[MOCK_SESSIONS];
static pthread_cond_t slot_moved = PTHREAD_COND_INITIALIZER;
static bool slot_event;

static void pad(unsigned char *ret, size_t size, const char *text)
{
    size_t len = strlen(text);

    memset(ret, ' ', size);
    memcpy(ret, text, len < size ? len : size);
}

static CK_ULONG sessions_of(CK_SLOT_ID slot, bool read_write_only)
{
    CK_ULONG count = 0;

    for (size_t i = 0; i < MOCK_SESSIONS; i++)
        if (atomic_load(&sessions[i].open) && sessions[i].slot == slot &&
            (!read_write_only || sessions[i].flags & CKF_RW_SESSION))
            count++;
    return count;
}

static void session_end(size_t i)
{
    struct mock_session *s = &sessions[i];
    CK_SLOT_ID slot = s->slot;

    atomic_store(&s->open, false);
    free(s->found);
    s->found = NULL;
    memset(s->operations, 0, sizeof(s->operations));
    mock_objects_end_session(MOCK_SESSION_BASE + i);
    if (sessions_of(slot, false) == 0)
        atomic_store(&mock_tokens[slot].user, MOCK_NOBODY);
}

static void sessions_end(bool any, CK_SLOT_ID slot)
{
    for (size_t i = 0; i < MOCK_SESSIONS; i++)
        if (atomic_load(&sessions[i].open) && (any || sessions[i].slot == slot))
            session_end(i);
}

void mock_wipe(void)
{
    pthread_mutex_lock(&mock_lock);
    sessions_end(true, 0);
    mock_objects_end_all(true);
    for (size_t i = 0; i < MOCK_TOKENS; i++) {
        struct mock_token *t = &mock_tokens[i];

        snprintf(t->label, sizeof(t->label), "mock-%zu", i);
        snprintf(t->pin, sizeof(t->pin), MOCK_PIN);
        snprintf(t->so_pin, sizeof(t->so_pin), MOCK_SO_PIN);
        t->user_pin_set = true;
        atomic_store(&t->present, true);
        atomic_store(&t->user, MOCK_NOBODY);
    }
    pthread_mutex_unlock(&mock_lock);
}

CK_RV mock_C_Initialize(CK_VOID_PTR init_args)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const CK_C_INITIALIZE_ARGS *args = init_args;

    if (args && (args->pReserved || (!args->CreateMutex && !(args->flags & CKF_OS_LOCKING_OK))))
        return args->pReserved ? CKR_ARGUMENTS_BAD : CKR_CANT_LOCK;
    pthread_once(&once, mock_wipe);
    return atomic_exchange(&mock_alive, true) ? CKR_CRYPTOKI_ALREADY_INITIALIZED : CKR_OK;
}

CK_RV mock_C_Finalize(CK_VOID_PTR reserved)
{
    if (reserved)
        return CKR_ARGUMENTS_BAD;
    if (!atomic_exchange(&mock_alive, false))
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&mock_lock);
    sessions_end(true, 0);
    mock_objects_end_all(false);
    pthread_cond_broadcast(&slot_moved);
    pthread_mutex_unlock(&mock_lock);
    return CKR_OK;
}

CK_RV mock_C_GetInfo(CK_INFO_PTR info)
{
    if (!info)
        return CKR_ARGUMENTS_BAD;
    if (!atomic_load(&mock_alive))
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    memset(info, 0, sizeof(*info));
    info->cryptokiVersion = (CK_VERSION){2, 40};
    pad(info->manufacturerID, sizeof(info->manufacturerID), "Mock");
    pad(info->libraryDescription, sizeof(info->libraryDescription), "Mock HSM");
    return CKR_OK;
}

static CK_RV slot_check(CK_SLOT_ID slot, bool token_wanted)
{
    if (!atomic_load(&mock_alive))
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot >= MOCK_TOKENS)
        return CKR_SLOT_ID_INVALID;
    return token_wanted && !atomic_load(&mock_tokens[slot].present) ? CKR_TOKEN_NOT_PRESENT : CKR_OK;
}

CK_RV mock_C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count)
{
    CK_ULONG room, found = 0;

    if (!count)
        return CKR_ARGUMENTS_BAD;
    if (!atomic_load(&mock_alive))
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    room = *count;
    for (CK_SLOT_ID i = 0; i < MOCK_TOKENS; i++)
        if (!token_present || atomic_load(&mock_tokens[i].present)) {
            if (slots && found < room)
                slots[found] = i;
            found++;
        }
    *count = mock_length(found);
    return slots && room < found ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

CK_RV mock_C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info)
{
    CK_RV rv = info ? slot_check(slot, false) : CKR_ARGUMENTS_BAD;

    if (rv != CKR_OK)
        return rv;
    memset(info, 0, sizeof(*info));
    pad(info->slotDescription, sizeof(info->slotDescription), "Mock slot");
    pad(info->manufacturerID, sizeof(info->manufacturerID), "Mock");
    info->flags = CKF_REMOVABLE_DEVICE | (atomic_load(&mock_tokens[slot].present) ? CKF_TOKEN_PRESENT : 0);
    return CKR_OK;
}

CK_RV mock_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
    CK_RV rv = info ? slot_check(slot, true) : CKR_ARGUMENTS_BAD;
    char serial[16];

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    memset(info, 0, sizeof(*info));
    snprintf(serial, sizeof(serial), "MOCK%lu", slot);
    pad(info->label, sizeof(info->label), mock_tokens[slot].label);
    pad(info->manufacturerID, sizeof(info->manufacturerID), "Mock");
    pad(info->model, sizeof(info->model), "Mock");
    pad(info->serialNumber, sizeof(info->serialNumber), serial);
    pad(info->utcTime, sizeof(info->utcTime), "");
    info->flags = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED |
                  (mock_tokens[slot].user_pin_set ? CKF_USER_PIN_INITIALIZED : 0);
    info->ulMaxSessionCount = info->ulMaxRwSessionCount = MOCK_SESSIONS;
    info->ulSessionCount = sessions_of(slot, false);
    info->ulRwSessionCount = sessions_of(slot, true);
    info->ulMinPinLen = 4;
    info->ulMaxPinLen = sizeof(mock_tokens[slot].pin) - 1;
    info->ulTotalPublicMemory = info->ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
    info->ulTotalPrivateMemory = info->ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
    pthread_mutex_unlock(&mock_lock);
    return CKR_OK;
}

void mock_slot_event(void)
{
    pthread_mutex_lock(&mock_lock);
    slot_event = true;
    pthread_cond_broadcast(&slot_moved);
    pthread_mutex_unlock(&mock_lock);
}

CK_RV mock_C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID_PTR slot, CK_VOID_PTR reserved)
{
    CK_RV rv = CKR_OK;

    if (!slot || reserved)
        return CKR_ARGUMENTS_BAD;
    if (!atomic_load(&mock_alive))
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&mock_lock);
    while (!slot_event && atomic_load(&mock_alive) && !(flags & CKF_DONT_BLOCK))
        pthread_cond_wait(&slot_moved, &mock_lock);
    if (!atomic_load(&mock_alive))
        rv = CKR_CRYPTOKI_NOT_INITIALIZED;
    else if (!slot_event)
        rv = CKR_NO_EVENT;
    else
        *slot = 0;
    slot_event = false;
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

CK_RV mock_session(CK_SESSION_HANDLE handle, struct mock_session **ret)
{
    CK_ULONG i = handle - MOCK_SESSION_BASE;
    struct mock_session *s = &sessions[i % MOCK_SESSIONS];

    if (!atomic_load_explicit(&mock_alive, memory_order_relaxed))
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (i >= MOCK_SESSIONS || !atomic_load_explicit(&s->open, memory_order_acquire))
        return CKR_SESSION_HANDLE_INVALID;
    if (!atomic_load_explicit(&mock_tokens[s->slot].present, memory_order_relaxed))
        return CKR_DEVICE_REMOVED;
    if (atomic_load_explicit(&mock_tokens[s->slot].notifies, memory_order_relaxed) && s->notify)
        s->notify(handle, CKN_SURRENDER, s->application);
    *ret = s;
    return CKR_OK;
}

CK_SLOT_ID mock_slot_of(CK_ULONG first)
{
    CK_ULONG i = first - MOCK_SESSION_BASE;

    if (first < MOCK_TOKENS)
        return first;
    return first >= MOCK_SESSION_BASE && i < MOCK_SESSIONS ? sessions[i].slot : MOCK_TOKENS;
}

bool mock_logged_in(const struct mock_session *s)
{
    return atomic_load_explicit(&mock_tokens[s->slot].user, memory_order_relaxed) == CKU_USER;
}

CK_RV mock_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
                         CK_SESSION_HANDLE_PTR session)
{
    CK_RV rv = session ? slot_check(slot, true) : CKR_ARGUMENTS_BAD;
    size_t i = 0;

    if (rv != CKR_OK)
        return rv;
    if (!(flags & CKF_SERIAL_SESSION))
        return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    pthread_mutex_lock(&mock_lock);
    while (i < MOCK_SESSIONS && atomic_load(&sessions[i].open))
        i++;
    if (i == MOCK_SESSIONS) {
        rv = CKR_SESSION_COUNT;
    } else if (!(flags & CKF_RW_SESSION) && atomic_load(&mock_tokens[slot].user) == CKU_SO) {
        rv = CKR_SESSION_READ_WRITE_SO_EXISTS;
    } else {
        sessions[i].slot = slot;
        sessions[i].flags = flags;
        sessions[i].notify = notify;
        sessions[i].application = application;
        atomic_store_explicit(&sessions[i].open, true, memory_order_release);
        *session = MOCK_SESSION_BASE + i;
    }
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

CK_RV mock_C_CloseSession(CK_SESSION_HANDLE session)
{
    struct mock_session *s = NULL;
    CK_RV rv;

    pthread_mutex_lock(&mock_lock);
    rv = mock_session(session, &s);
    if (rv == CKR_OK || rv == CKR_DEVICE_REMOVED)
        session_end(session - MOCK_SESSION_BASE);
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

CK_RV mock_C_CloseAllSessions(CK_SLOT_ID slot)
{
    CK_RV rv = slot_check(slot, false);

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    sessions_end(false, slot);
    pthread_mutex_unlock(&mock_lock);
    return CKR_OK;
}

CK_RV mock_C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);
    CK_USER_TYPE user;

    if (rv == CKR_OK && !info)
        rv = CKR_ARGUMENTS_BAD;
    if (rv != CKR_OK)
        return rv;
    user = atomic_load(&mock_tokens[s->slot].user);
    *info = (CK_SESSION_INFO){.slotID = s->slot, .flags = s->flags};
    if (user == CKU_SO)
        info->state = CKS_RW_SO_FUNCTIONS;
    else if (s->flags & CKF_RW_SESSION)
        info->state = user == CKU_USER ? CKS_RW_USER_FUNCTIONS : CKS_RW_PUBLIC_SESSION;
    else
        info->state = user == CKU_USER ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
    return CKR_OK;
}
