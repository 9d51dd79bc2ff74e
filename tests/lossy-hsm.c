#include "tests/lossy-hsm.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module/pkcs11_3.h"

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"
#define EXPORT __attribute__((visibility("default")))

static CK_FUNCTION_LIST *softhsm;
static _Atomic CK_RV cut;
static atomic_ulong calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static char hanging[32], hidden[17], keypad[32]; /* under the lock */

EXPORT void lossy_cut(unsigned long rv);
EXPORT void lossy_hang(const char *function);
EXPORT void lossy_hide(const char *serial);
EXPORT void lossy_keypad(const char *pin);
EXPORT unsigned long lossy_calls(void);

void lossy_cut(unsigned long rv)
{
    pthread_mutex_lock(&lock);
    atomic_store(&cut, rv);
    hanging[0] = '\0';
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&lock);
}

void lossy_hang(const char *function)
{
    pthread_mutex_lock(&lock);
    hanging[0] = '\0';
    if (function)
        snprintf(hanging, sizeof(hanging), "%s", function);
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&lock);
}

static void text_set(char *where, size_t size, const char *text)
{
    pthread_mutex_lock(&lock);
    snprintf(where, size, "%s", text ? text : "");
    pthread_mutex_unlock(&lock);
}

void lossy_hide(const char *serial)
{
    text_set(hidden, sizeof(hidden), serial);
}

void lossy_keypad(const char *pin)
{
    text_set(keypad, sizeof(keypad), pin);
}

unsigned long lossy_calls(void)
{
    return atomic_exchange(&calls, 0);
}

/* CKR_OK: SoftHSM does it. */
static CK_RV link_take(const char *function)
{
    atomic_fetch_add(&calls, 1);
    pthread_mutex_lock(&lock);
    while (strcmp(hanging, function) == 0)
        pthread_cond_wait(&moved, &lock);
    pthread_mutex_unlock(&lock);
    return strcmp(function, "C_Finalize") == 0 ? CKR_OK : atomic_load(&cut);
}

#define FUNCTION_2_40(name, kind, note, params, args)                                                                  \
    static CK_RV lossy_##name params                                                                                   \
    {                                                                                                                  \
        CK_RV rv = link_take(#name);                                                                                   \
                                                                                                                       \
        return rv == CKR_OK ? softhsm->name args : rv;                                                                 \
    }
#include "module/functions.def"

static CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
    CK_RV rv = lossy_C_GetTokenInfo(slot, info);

    pthread_mutex_lock(&lock);
    if (rv == CKR_OK && hidden[0] && memcmp(info->serialNumber, hidden, strlen(hidden)) == 0)
        rv = CKR_TOKEN_NOT_PRESENT;
    if (rv == CKR_OK && keypad[0])
        info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG len)
{
    CK_UTF8CHAR typed[32];

    pthread_mutex_lock(&lock);
    memcpy(typed, keypad, sizeof(typed));
    pthread_mutex_unlock(&lock);
    if (!pin && typed[0])
        return lossy_C_Login(session, user, typed, strlen((const char *)typed));
    return lossy_C_Login(session, user, pin, len);
}

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
#define FUNCTION_2_40(name, kind, note, params, args) .name = lossy_##name,
#include "module/functions.def"
};

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    void *library = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL),
         *symbol = library ? dlsym(library, "C_GetFunctionList") : NULL;
    CK_C_GetFunctionList get = NULL;

    memcpy(&get, &symbol, sizeof(get));
    if (!get || get(&softhsm) != CKR_OK)
        return CKR_GENERAL_ERROR;
    functions.C_GetTokenInfo = token_info;
    functions.C_Login = login;
    *list = &functions;
    return CKR_OK;
}
