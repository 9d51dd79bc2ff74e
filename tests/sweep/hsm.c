#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "tests/sweep/hsm.h"

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"
#define EXPORT __attribute__((visibility("default")))

EXPORT hsm_hook_fn *hsm_hook;

static CK_FUNCTION_LIST *below;

static pthread_rwlock_t carrying = PTHREAD_RWLOCK_INITIALIZER; /* read: a call is being carried out */

/* Between the calls: what SoftHSM is making when its sessions are closed stays half made. */
static void reset(void)
{
    CK_SLOT_ID slots[16];
    CK_ULONG count = 16;

    pthread_rwlock_wrlock(&carrying);
    if (below->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK)
        for (CK_ULONG i = 0; i < count; i++)
            below->C_CloseAllSessions(slots[i]);
    pthread_rwlock_unlock(&carrying);
}

#define FUNCTION(name, kind, params, args)                                                                             \
    static CK_RV entry_##name params                                                                                   \
    {                                                                                                                  \
        struct hsm_turn turn = {.fault = HSM_GOES_WELL};                                                               \
                                                                                                                       \
        if (hsm_hook)                                                                                                  \
            hsm_hook(#name, &turn);                                                                                    \
        if (turn.fault == HSM_RESETS)                                                                                  \
            reset();                                                                                                   \
        pthread_rwlock_rdlock(&carrying);                                                                              \
        CK_RV rv = turn.fault == HSM_ANSWERS ? turn.rv : below->name args;                                             \
        pthread_rwlock_unlock(&carrying);                                                                              \
        if (turn.fault == HSM_LIES && rv == CKR_OK && lie_##name) {                                                    \
            hsm_lie = turn.length;                                                                                     \
            lie_##name args;                                                                                           \
        }                                                                                                              \
        if (hsm_hook)                                                                                                  \
            hsm_hook(#name, NULL);                                                                                     \
        return turn.fault == HSM_DOES ? turn.rv : rv;                                                                  \
    }
#include "module/functions.def"
#undef FUNCTION

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
#define FUNCTION(name, kind, params, args) .name = entry_##name,
#include "module/functions.def"
};

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    void *library = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL),
         *symbol = library ? dlsym(library, "C_GetFunctionList") : NULL;
    CK_C_GetFunctionList get = NULL;

    memcpy(&get, &symbol, sizeof(get));
    if (!get || get(&below) != CKR_OK)
        return CKR_GENERAL_ERROR;
    *list = &functions;
    return CKR_OK;
}
