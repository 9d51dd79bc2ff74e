#include "module/lower.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/life.h"
#include "module/remote.h"

/* Lower modules need not survive two C_Initialize at once. */
static pthread_mutex_t initialising = PTHREAD_MUTEX_INITIALIZER;

/* Guards who holds what, and the list of those that a life left with a call in them. */
static pthread_mutex_t holding = PTHREAD_MUTEX_INITIALIZER;
static struct lower *left;

void lowers_forget(void)
{
    pthread_mutex_init(&initialising, NULL);
    pthread_mutex_init(&holding, NULL);
    left = NULL;
}

static void lower_free(struct lower *l)
{
    if (l->library != NULL)
        dlclose(l->library);
    free(l->path);
    free(l);
}

void lower_hold(struct lower *l)
{
    pthread_mutex_lock(&holding);
    l->holders++;
    pthread_mutex_unlock(&holding);
}

void lower_drop(struct lower *l)
{
    pthread_mutex_lock(&holding);
    bool last = --l->holders == 0 && l->released;
    for (struct lower **p = &left; last && *p != NULL; p = &(*p)->next)
        if (*p == l) {
            *p = l->next;
            break;
        }
    pthread_mutex_unlock(&holding);
    if (last)
        lower_free(l);
}

void lower_overdue(struct lower *l, bool overdue)
{
    pthread_mutex_lock(&holding);
    l->overdue += overdue ? 1 : -1;
    pthread_mutex_unlock(&holding);
}

enum outcome lower_answers(const struct lower *l, struct fault *f)
{
    pthread_mutex_lock(&holding);
    bool away = l->overdue > 0;
    for (const struct lower *p = left; p != NULL && !away; p = p->next)
        away = p->overdue > 0 && strcmp(p->path, l->path) == 0;
    pthread_mutex_unlock(&holding);
    if (!away)
        return OK;
    return fault_set(f, E_DEVICE,
                     "an earlier call has not come back from %s; nothing more is asked of it until it has: see to the "
                     "HSM, or start the program again",
                     l->path);
}

static enum outcome library_start(struct lower *l, struct fault *f)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    pthread_mutex_lock(&initialising);
    CK_RV rv = l->f->C_Initialize(&args);
    pthread_mutex_unlock(&initialising);
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        rv_fault(f, "C_Initialize", rv);
        return fault_context(f, "the HSM module %s", l->path);
    }
    l->ours = rv == CKR_OK;
    return OK;
}

/* Loaded for the process's life, so that handlers of its exit are called in a known order: ours, registered after the
 * library's own, comes first. */
static void *library_open(const char *path)
{
    static void *known[LIMIT_LOWER_MODULES];
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    size_t i = 0;
    pthread_mutex_lock(&initialising);
    while (i < LIMIT_LOWER_MODULES && known[i] != NULL && known[i] != library)
        i++;
    if (library != NULL && (i == LIMIT_LOWER_MODULES || known[i] == NULL)) {
        atexit(life_exit);
        if (i < LIMIT_LOWER_MODULES)
            known[i] = library;
    }
    pthread_mutex_unlock(&initialising);
    return library;
}

static enum outcome library_load(const char *path, struct lower **ret, struct fault *f)
{
    enum outcome outcome = E_MEMORY;
    struct lower *l = calloc(1, sizeof *l);
    if (l == NULL || (l->path = strdup(path)) == NULL) {
        outcome = fault_memory(f);
        goto out;
    }
    l->library = library_open(path);
    if (l->library == NULL) {
        const char *why = dlerror();
        outcome = fault_set(f, E_DEVICE, "the HSM module %s cannot be loaded (%s): correct `module:` in the bindings",
                            path, why != NULL ? why : "no reason given");
        goto out;
    }
    if (!lower_functions(l)) {
        outcome = fault_set(f, E_DEVICE,
                            "%s is not a PKCS#11 module (C_GetFunctionList): correct `module:` in the "
                            "bindings",
                            path);
        goto out;
    }
    *ret = l;
    l = NULL; /* taken by *ret */
    outcome = OK;
out:
    lower_release(l);
    return outcome;
}

static enum outcome library_wrap(struct lower *l, enum remote remote, struct fault *f)
{
    enum outcome outcome = OK;
    pthread_mutex_lock(&initialising);
    if (remote == REMOTE_YES || (remote == REMOTE_LOOK && remote_looks(l->library)))
        outcome = remote_wrap(l, f);
    pthread_mutex_unlock(&initialising);
    return outcome;
}

enum outcome lower_load(const char *path, enum remote remote, struct lower **ret, struct fault *f)
{
    struct lower *l = NULL;
    enum outcome outcome = library_load(path, &l, f);
    if (outcome == OK)
        outcome = library_wrap(l, remote, f);
    if (outcome == OK)
        outcome = library_start(l, f);
    if (outcome == OK) {
        *ret = l;
        l = NULL; /* taken by *ret */
    }
    lower_release(l);
    return outcome;
}

bool lower_peek_3_0(const char *path)
{
    struct lower *l = NULL;
    struct fault ignored = {0};
    bool has = library_load(path, &l, &ignored) == OK && l->has_3_0;
    lower_release(l);
    return has;
}

void lower_release(struct lower *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&holding);
    bool held = l->holders > 0;
    if (held) {
        l->released = true;
        l->next = left;
        left = l;
    }
    pthread_mutex_unlock(&holding);
    if (held)
        return;
    if (l->ours && l->f != NULL)
        l->f->C_Finalize(NULL);
    lower_free(l);
}

static size_t serial_length(const unsigned char *serial, size_t len)
{
    while (len > 0 && (serial[len - 1] == ' ' || serial[len - 1] == '\0'))
        len--;
    return len;
}

bool token_has_serial(const CK_TOKEN_INFO *info, const char *serial)
{
    return span_equal(span_of(info->serialNumber, serial_length(info->serialNumber, sizeof info->serialNumber)),
                      span_str(serial));
}

/* Whether the slot's token has this serial number; what it has instead is added to `seen`. */
static bool slot_matches(const struct lower *l, CK_SLOT_ID slot, const char *serial, struct buf *seen)
{
    CK_TOKEN_INFO info = {.label = {0}};
    if (l->f->C_GetTokenInfo(slot, &info) != CKR_OK)
        return false;
    struct span there = span_of(info.serialNumber, serial_length(info.serialNumber, sizeof info.serialNumber));
    if (there.len == 0)
        return false;
    if (token_has_serial(&info, serial))
        return true;
    buf_puts(seen, seen->len > 0 ? ", " : "");
    printable_put(seen, there);
    return false;
}

enum outcome lower_find(const struct lower *l, const char *serial, CK_SLOT_ID *ret, struct fault *f)
{
    enum outcome outcome = OK;
    CK_SLOT_ID slots[256], found_at = 0;
    CK_ULONG count = sizeof slots / sizeof *slots;
    size_t found = 0;
    struct buf seen = BUF(512);
    /* Slots are looked at anew when their number is asked for (PKCS#11 2.40, section 5.5, C_GetSlotList). */
    CK_ULONG ignored = 0;
    l->f->C_GetSlotList(CK_TRUE, NULL, &ignored);
    CK_RV rv = l->f->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK) {
        outcome = rv_fault(f, "C_GetSlotList", rv);
        goto out;
    }
    if (count > sizeof slots / sizeof *slots) {
        outcome =
            fault_set(f, E_DEVICE, "C_GetSlotList of %s says that it gave more slots than it had room for", l->path);
        goto out;
    }
    for (CK_ULONG i = 0; i < count; i++) {
        if (slot_matches(l, slots[i], serial, &seen)) {
            found_at = slots[i];
            found++;
        }
    }
    if (found == 0)
        outcome = fault_set(f, E_ABSENT, "no token with serial number %s is there (%s shows: %s); connect it", serial,
                            l->path, seen.len > 0 ? buf_str(&seen) : "none");
    else if (found > 1)
        outcome = fault_set(f, E_DEVICE, "%zu tokens of %s have the serial number %s: it must be one", found, l->path,
                            serial);
    else
        *ret = found_at;
out:
    buf_free(&seen);
    return outcome;
}

CK_SESSION_HANDLE lower_spare(const struct lower *l, CK_SLOT_ID slot)
{
    static const CK_FLAGS kinds[] = {CKF_SERIAL_SESSION | CKF_RW_SESSION, CKF_SERIAL_SESSION};
    CK_SESSION_HANDLE spare = CK_INVALID_HANDLE;

    /* With the SO logged in there is no R/O session, on a token that is write-protected no other. */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (l->f->C_OpenSession(slot, kinds[i], NULL, NULL, &spare) == CKR_OK)
            return spare;
    return CK_INVALID_HANDLE;
}

static const struct {
    CK_RV rv;
    const char *name;
} rv_names[] = {
#define RV(name)                                                                                                       \
    {                                                                                                                  \
        name, #name                                                                                                    \
    }
    RV(CKR_OK),
    RV(CKR_HOST_MEMORY),
    RV(CKR_SLOT_ID_INVALID),
    RV(CKR_GENERAL_ERROR),
    RV(CKR_FUNCTION_FAILED),
    RV(CKR_ARGUMENTS_BAD),
    RV(CKR_ATTRIBUTE_READ_ONLY),
    RV(CKR_ATTRIBUTE_SENSITIVE),
    RV(CKR_ATTRIBUTE_TYPE_INVALID),
    RV(CKR_ATTRIBUTE_VALUE_INVALID),
    RV(CKR_ACTION_PROHIBITED),
    RV(CKR_DATA_INVALID),
    RV(CKR_DATA_LEN_RANGE),
    RV(CKR_DEVICE_ERROR),
    RV(CKR_DEVICE_MEMORY),
    RV(CKR_DEVICE_REMOVED),
    RV(CKR_ENCRYPTED_DATA_INVALID),
    RV(CKR_ENCRYPTED_DATA_LEN_RANGE),
    RV(CKR_FUNCTION_NOT_SUPPORTED),
    RV(CKR_KEY_HANDLE_INVALID),
    RV(CKR_KEY_SIZE_RANGE),
    RV(CKR_KEY_TYPE_INCONSISTENT),
    RV(CKR_KEY_NOT_WRAPPABLE),
    RV(CKR_KEY_UNEXTRACTABLE),
    RV(CKR_KEY_FUNCTION_NOT_PERMITTED),
    RV(CKR_MECHANISM_INVALID),
    RV(CKR_MECHANISM_PARAM_INVALID),
    RV(CKR_OBJECT_HANDLE_INVALID),
    RV(CKR_OPERATION_ACTIVE),
    RV(CKR_OPERATION_NOT_INITIALIZED),
    RV(CKR_PIN_INCORRECT),
    RV(CKR_PIN_INVALID),
    RV(CKR_PIN_LEN_RANGE),
    RV(CKR_PIN_EXPIRED),
    RV(CKR_PIN_LOCKED),
    RV(CKR_SESSION_CLOSED),
    RV(CKR_SESSION_COUNT),
    RV(CKR_SESSION_HANDLE_INVALID),
    RV(CKR_SESSION_READ_ONLY),
    RV(CKR_SESSION_EXISTS),
    RV(CKR_SIGNATURE_INVALID),
    RV(CKR_TEMPLATE_INCOMPLETE),
    RV(CKR_TEMPLATE_INCONSISTENT),
    RV(CKR_TOKEN_NOT_PRESENT),
    RV(CKR_TOKEN_NOT_RECOGNIZED),
    RV(CKR_TOKEN_WRITE_PROTECTED),
    RV(CKR_UNWRAPPING_KEY_HANDLE_INVALID),
    RV(CKR_UNWRAPPING_KEY_SIZE_RANGE),
    RV(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
    RV(CKR_USER_ALREADY_LOGGED_IN),
    RV(CKR_USER_NOT_LOGGED_IN),
    RV(CKR_USER_PIN_NOT_INITIALIZED),
    RV(CKR_USER_TYPE_INVALID),
    RV(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
    RV(CKR_USER_TOO_MANY_TYPES),
    RV(CKR_WRAPPED_KEY_INVALID),
    RV(CKR_WRAPPED_KEY_LEN_RANGE),
    RV(CKR_WRAPPING_KEY_HANDLE_INVALID),
    RV(CKR_WRAPPING_KEY_SIZE_RANGE),
    RV(CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
    RV(CKR_RANDOM_NO_RNG),
    RV(CKR_DOMAIN_PARAMS_INVALID),
    RV(CKR_BUFFER_TOO_SMALL),
    RV(CKR_CRYPTOKI_NOT_INITIALIZED),
    RV(CKR_CRYPTOKI_ALREADY_INITIALIZED),
    RV(CKR_FUNCTION_REJECTED),
#undef RV
};

CK_RV rv_inner(CK_RV rv)
{
    static const CK_RV any[] = {CKR_OK,
                                CKR_HOST_MEMORY,
                                CKR_GENERAL_ERROR,
                                CKR_DEVICE_ERROR,
                                CKR_DEVICE_MEMORY,
                                CKR_DEVICE_REMOVED,
                                CKR_FUNCTION_FAILED,
                                CKR_SESSION_CLOSED,
                                CKR_SESSION_HANDLE_INVALID};
    for (size_t i = 0; i < sizeof any / sizeof *any; i++)
        if (any[i] == rv)
            return rv;
    return CKR_DEVICE_ERROR;
}

const char *rv_name(CK_RV rv)
{
    static _Thread_local char number[24];
    for (size_t i = 0; i < sizeof rv_names / sizeof *rv_names; i++)
        if (rv_names[i].rv == rv)
            return rv_names[i].name;
    snprintf(number, sizeof number, "0x%lX", rv);
    return number;
}

enum outcome rv_fault(struct fault *f, const char *what, CK_RV rv)
{
    return fault_set(f, E_DEVICE, "%s: %s", what, rv_name(rv));
}
