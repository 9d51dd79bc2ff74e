#include <stdio.h>
#include <string.h>

#include "tests/mock/inner.h"

static bool pin_is(const char *pin, const unsigned char *given, CK_ULONG len)
{
    return given && len == strlen(pin) && memcmp(pin, given, len) == 0;
}

static CK_RV pin_set(char (*pin)[65], const unsigned char *given, CK_ULONG len)
{
    if (!given || len < 4 || len >= sizeof(*pin))
        return CKR_PIN_LEN_RANGE;
    memcpy(*pin, given, len);
    (*pin)[len] = '\0';
    return CKR_OK;
}

CK_RV mock_C_InitToken(CK_SLOT_ID slot, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len, CK_UTF8CHAR_PTR label)
{
    CK_TOKEN_INFO info;
    CK_RV rv = mock_C_GetTokenInfo(slot, &info);

    if (rv != CKR_OK)
        return rv;
    if (!label || !pin)
        return CKR_ARGUMENTS_BAD;
    if (info.ulSessionCount)
        return CKR_SESSION_EXISTS;
    pthread_mutex_lock(&mock_lock);
    if (pin_is(mock_tokens[slot].so_pin, pin, pin_len)) {
        mock_objects_end_slot(slot, false);
        memcpy(mock_tokens[slot].label, label, sizeof(info.label));
        mock_tokens[slot].user_pin_set = false;
    } else {
        rv = CKR_PIN_INCORRECT;
    }
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

CK_RV mock_C_InitPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv != CKR_OK)
        return rv;
    if (atomic_load(&mock_tokens[s->slot].user) != CKU_SO)
        return CKR_USER_NOT_LOGGED_IN;
    pthread_mutex_lock(&mock_lock);
    rv = pin_set(&mock_tokens[s->slot].pin, pin, pin_len);
    mock_tokens[s->slot].user_pin_set |= rv == CKR_OK;
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

CK_RV mock_C_SetPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR old_pin, CK_ULONG old_len, CK_UTF8CHAR_PTR new_pin,
                    CK_ULONG new_len)
{
    struct mock_session *s = NULL;
    struct mock_token *t;
    CK_RV rv = mock_session(session, &s);
    bool so;

    if (rv != CKR_OK)
        return rv;
    if (!(s->flags & CKF_RW_SESSION))
        return CKR_SESSION_READ_ONLY;
    t = &mock_tokens[s->slot];
    so = atomic_load(&t->user) == CKU_SO;
    pthread_mutex_lock(&mock_lock);
    if (pin_is(so ? t->so_pin : t->pin, old_pin, old_len))
        rv = pin_set(so ? &t->so_pin : &t->pin, new_pin, new_len);
    else
        rv = CKR_PIN_INCORRECT;
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

CK_RV mock_C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
    struct mock_session *s = NULL;
    struct mock_token *t;
    CK_USER_TYPE now;
    CK_RV rv = mock_session(session, &s);

    if (rv != CKR_OK)
        return rv;
    t = &mock_tokens[s->slot];
    now = atomic_load(&t->user);
    if (user == CKU_CONTEXT_SPECIFIC)
        return s->operations[MOCK_SIGN].on || s->operations[MOCK_DECRYPT].on ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
    if (user != CKU_USER && user != CKU_SO)
        return CKR_USER_TYPE_INVALID;
    if (now == user)
        return CKR_USER_ALREADY_LOGGED_IN;
    if (now != MOCK_NOBODY)
        return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
    if (user == CKU_SO && !(s->flags & CKF_RW_SESSION))
        return CKR_SESSION_READ_ONLY_EXISTS;
    if (user == CKU_USER && !t->user_pin_set)
        return CKR_USER_PIN_NOT_INITIALIZED;
    pthread_mutex_lock(&mock_lock);
    if (pin_is(user == CKU_SO ? t->so_pin : t->pin, pin, pin_len))
        atomic_store(&t->user, user);
    else
        rv = CKR_PIN_INCORRECT;
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

/* 3.0, section 5.6.9: a user by name; here there is one name. */
CK_RV mock_C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len,
                       CK_UTF8CHAR_PTR name, CK_ULONG name_len)
{
    if (name_len != strlen(MOCK_USER) || !name || memcmp(name, MOCK_USER, name_len) != 0)
        return CKR_USER_TYPE_INVALID;
    return mock_C_Login(session, user, pin, pin_len);
}

CK_RV mock_C_Logout(CK_SESSION_HANDLE session)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    if (atomic_exchange(&mock_tokens[s->slot].user, MOCK_NOBODY) == MOCK_NOBODY)
        rv = CKR_USER_NOT_LOGGED_IN;
    mock_objects_end_slot(s->slot, true);
    pthread_mutex_unlock(&mock_lock);
    return rv;
}
