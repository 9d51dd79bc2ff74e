#include "module/functions.h"

#include <pthread.h>
#include <string.h>

#include "estate/vendor.h"
#include "module/life.h"
#include "module/objects.h"
#include "module/sessions.h"
#include "module/vendor_table.h"

#define EXPORT __attribute__((visibility("default")))

/* The entry points. A pass-through translates its handles and goes down; it takes no lock. */
#define ENTRY_ALWAYS(name, params, args)                                                                               \
    EXPORT CK_RV name params                                                                                           \
    {                                                                                                                  \
        return our_##name args;                                                                                        \
    }
#define ENTRY_OWN(name, params, args)                                                                                  \
    EXPORT CK_RV name params                                                                                           \
    {                                                                                                                  \
        return life_going() ? our_##name args : CKR_CRYPTOKI_NOT_INITIALIZED;                                          \
    }
#define ENTRY_GATE(name, params, args) ENTRY_OWN(name, params, args)
#define ENTRY_PASS(name, params, args)                                                                                 \
    EXPORT CK_RV name params                                                                                           \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
                                                                                                                       \
        if (!session_view(session, &view))                                                                             \
            return session_unknown();                                                                                  \
        session = view.lower;                                                                                          \
        return view.below->name args;                                                                                  \
    }
#define ENTRY_OBJECT(name, params, args)                                                                               \
    EXPORT CK_RV name params                                                                                           \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
                                                                                                                       \
        if (!session_view(session, &view))                                                                             \
            return session_unknown();                                                                                  \
        if (!object_lower(&object, view.slot))                                                                         \
            return CKR_OBJECT_HANDLE_INVALID;                                                                          \
        session = view.lower;                                                                                          \
        return view.below->name args;                                                                                  \
    }
#define ENTRY_DENY(name, params, args)                                                                                 \
    EXPORT CK_RV name params                                                                                           \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
                                                                                                                       \
        IGNORE args;                                                                                                   \
        return session_view(session, &view) ? CKR_FUNCTION_NOT_SUPPORTED : session_unknown();                          \
    }
#define IGNORE(...) ignore(0, __VA_ARGS__)
static void ignore(int first, ...)
{
    (void)first;
}

#define FUNCTION(name, kind, params, args) ENTRY_##kind(name, params, args)
#include "module/functions.def"
#undef FUNCTION

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
#define FUNCTION(name, kind, params, args) .name = name,
#include "module/functions.def"
#undef FUNCTION
};

/* A row too few leaves a hole in the list above; this finds it at build time. */
enum {
#define FUNCTION(name, kind, params, args) row_##name,
#include "module/functions.def"
#undef FUNCTION
    row_count
};
_Static_assert(sizeof(CK_FUNCTION_LIST) == (row_count + 1) * sizeof(void (*)(void)), "functions.def lacks a row");

CK_RV our_C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    if (!list)
        return CKR_ARGUMENTS_BAD;
    *list = &functions;
    return CKR_OK;
}

static CK_UTF8CHAR standard_name[] = "PKCS 11";
static CK_UTF8CHAR vendor_name[] = VENDOR_INTERFACE;

/* The standard one first: a NULL name means the default. Callers get pointers into it, so it is filled once. */
static CK_INTERFACE interfaces_known[2];
static const CK_VERSION interfaces_version[2] = {{2, 40}, {1, 0}};

static void interfaces_fill(void)
{
    const struct quorate_vendor *vendor = vendor_interface();

    interfaces_known[0] = (CK_INTERFACE){standard_name, &functions, 0};
    interfaces_known[1] = (CK_INTERFACE){vendor_name, NULL, 0};
    /* PKCS#11 has a plain void pointer here; nobody writes through it. */
    memcpy(&interfaces_known[1].pFunctionList, &vendor, sizeof(vendor));
}

static CK_INTERFACE *interfaces(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, interfaces_fill);
    return interfaces_known;
}

EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG_PTR count)
{
    CK_ULONG room;

    if (!count)
        return CKR_ARGUMENTS_BAD;
    room = *count;
    *count = 2;
    if (!list)
        return CKR_OK;
    if (room < 2)
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, interfaces(), sizeof(interfaces_known));
    return CKR_OK;
}

EXPORT CK_RV C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION *version, CK_INTERFACE **ret, CK_FLAGS flags)
{
    CK_INTERFACE *known = interfaces();

    if (!ret)
        return CKR_ARGUMENTS_BAD;
    for (size_t i = 0; i < 2; i++) {
        if (name && strcmp((const char *)name, (const char *)known[i].pInterfaceName) != 0)
            continue;
        if (version && memcmp(version, &interfaces_version[i], sizeof(*version)) != 0)
            continue;
        if ((known[i].flags & flags) != flags)
            continue;
        *ret = &known[i];
        return CKR_OK;
    }
    return CKR_FUNCTION_FAILED;
}
