#include "module/life.h"

#include <string.h>

#include "module/begun.h"
#include "module/errand.h"
#include "module/functions.h"
#include "module/gate.h"
#include "module/lease.h"
#include "module/objects.h"
#include "module/person.h"
#include "module/sessions.h"
#include "module/site.h"
#include "module/slot_events.h"
#include "module/slots.h"

atomic_bool life_on;
static atomic_bool life_exiting;

static pthread_mutex_t life_lock = PTHREAD_MUTEX_INITIALIZER;

/* The world stays allocated: what it points to is the parent's. */
static void life_child(void)
{
    atomic_store(&life_on, false);
    world_set_current(NULL);
    sessions_forget();
    objects_forget();
    gate_forget();
    leases_forget();
    begun_forget();
    slot_events_forget();
    lowers_forget();
    sites_forget();
    person_forked();
    errands_forget();
    pthread_mutex_init(&life_lock, NULL);
}

/* The world stays, for threads may be in it. */
void life_exit(void)
{
    atomic_store(&life_exiting, true);
    atomic_store(&life_on, false);
    world_set_current(NULL);
    sessions_blind();
}

static void life_watch_forks(void)
{
    pthread_atfork(NULL, NULL, life_child);
}

/* PKCS#11 2.40, section 5.4: all four mutex functions or none. The operating system's locks are used whatever the
 * caller offers: below, CKF_OS_LOCKING_OK is always given. */
static CK_RV init_args_check(const CK_C_INITIALIZE_ARGS *args)
{
    bool some = args->CreateMutex || args->DestroyMutex || args->LockMutex || args->UnlockMutex;
    bool all = args->CreateMutex && args->DestroyMutex && args->LockMutex && args->UnlockMutex;

    return some && !all ? CKR_ARGUMENTS_BAD : CKR_OK;
}

CK_RV our_C_Initialize(CK_VOID_PTR init_args)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const CK_C_INITIALIZE_ARGS *args = init_args;
    const char *bindings = NULL;
    struct world *w = NULL;
    struct fault f = {0};
    CK_RV rv = CKR_OK;

    refusal_set(NULL);
    if (args)
        rv = init_args_check(args);
    if (rv != CKR_OK)
        return rv;
    if (args)
        bindings = args->pReserved;
    pthread_once(&once, life_watch_forks);
    pthread_mutex_lock(&life_lock);
    if (atomic_load(&life_exiting)) {
        rv = CKR_GENERAL_ERROR;
    } else if (life_going()) {
        rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
    } else if (world_open(bindings, &w, &f) != OK) {
        refusal_set(&f);
        rv = f.outcome == E_MEMORY ? CKR_HOST_MEMORY : CKR_GENERAL_ERROR;
    } else {
        errands_without_threads(args && args->flags & CKF_LIBRARY_CANT_CREATE_OS_THREADS);
        world_set_current(w);
        atomic_store(&life_on, true);
    }
    pthread_mutex_unlock(&life_lock);
    return rv;
}

CK_RV our_C_Finalize(CK_VOID_PTR reserved)
{
    struct world *w;

    if (reserved)
        return CKR_ARGUMENTS_BAD;
    pthread_mutex_lock(&life_lock);
    w = world_current();
    if (!life_going() || !w) {
        pthread_mutex_unlock(&life_lock);
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    atomic_store(&life_on, false);
    slot_events_end();
    sessions_close_all(w);
    world_set_current(NULL);
    world_close(w);
    gate_forget();
    leases_forget();
    person_forget();
    pthread_mutex_unlock(&life_lock);
    return CKR_OK;
}

CK_RV our_C_GetInfo(CK_INFO_PTR info)
{
    if (!info)
        return CKR_ARGUMENTS_BAD;
    memset(info, 0, sizeof(*info));
    info->cryptokiVersion = (CK_VERSION){2, 40};
    info->libraryVersion = (CK_VERSION){0, 1};
    text_pad(info->manufacturerID, sizeof(info->manufacturerID), "Quorate");
    text_pad(info->libraryDescription, sizeof(info->libraryDescription), "Quorate key policy module");
    return CKR_OK;
}
