#include <string.h>

#include "tests/mock/inner.h"

/* The entry points: the work of tests/mock/, with what a test wants instead of it before and after. */

enum {
#define FUNCTION_2_40(name, kind, note, params, args) ROW_##name,
#define FUNCTION_3_0(name, kind, note, params, args) ROW_##name,
#include "module/functions.def"
};

/* The first argument where it is a number: a session or a slot. */
#define FIRST_SLOT(first, ...) mock_slot_of(_Generic((first), CK_ULONG : (first), default : MOCK_TOKENS))

#define ENTRY(name, params, args)                                                                                      \
    static CK_RV entry_##name params                                                                                   \
    {                                                                                                                  \
        struct mock_turn turn;                                                                                         \
        CK_RV rv = CKR_FUNCTION_NOT_SUPPORTED;                                                                         \
                                                                                                                       \
        if (!atomic_load_explicit(&mock_steered, memory_order_relaxed) && mock_##name)                                 \
            return mock_##name args;                                                                                   \
        if (mock_turn_begin(ROW_##name, FIRST_SLOT args, &turn))                                                       \
            return turn.rv;                                                                                            \
        if (mock_##name)                                                                                               \
            rv = mock_##name args;                                                                                     \
        return mock_turn_end(&turn, rv);                                                                               \
    }
#define FUNCTION_2_40(name, kind, note, params, args) ENTRY(name, params, args)
#define FUNCTION_3_0(name, kind, note, params, args) ENTRY(name, params, args)
#include "module/functions.def"

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
#define FUNCTION_2_40(name, kind, note, params, args) .name = entry_##name,
#include "module/functions.def"
};

static CK_FUNCTION_LIST_3_0 functions_3_0 = {
    .version = {3, 0},
#define FUNCTION_2_40(name, kind, note, params, args) .name = entry_##name,
#define FUNCTION_3_0(name, kind, note, params, args) .name = entry_##name,
#include "module/functions.def"
};

static CK_UTF8CHAR standard_name[] = "PKCS 11";
static CK_INTERFACE interfaces[] = {{standard_name, &functions_3_0, 0}, {standard_name, &functions, 0}};
static const CK_VERSION versions[] = {{3, 0}, {2, 40}};

CK_RV mock_C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION *version, CK_INTERFACE **interface, CK_FLAGS flags)
{
    if (!interface)
        return CKR_ARGUMENTS_BAD;
    for (size_t i = atomic_load(&mock_shows_3_0) ? 0 : 1; i < 2; i++) {
        if ((name && strcmp((const char *)name, "PKCS 11") != 0) || flags)
            continue;
        if (version && (version->major != versions[i].major || version->minor != versions[i].minor))
            continue;
        *interface = &interfaces[i];
        return CKR_OK;
    }
    return CKR_FUNCTION_FAILED;
}

CK_RV mock_C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    if (!list)
        return CKR_ARGUMENTS_BAD;
    *list = &functions;
    return CKR_OK;
}

/* What a PKCS#11 library exports. What a file wants counts before anything is called. */
#define EXPORT __attribute__((visibility("default")))
static pthread_once_t once = PTHREAD_ONCE_INIT;

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    pthread_once(&once, mock_steer_file);
    return entry_C_GetFunctionList(list);
}

EXPORT CK_RV C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION *version, CK_INTERFACE **interface, CK_FLAGS flags);
CK_RV C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION *version, CK_INTERFACE **interface, CK_FLAGS flags)
{
    pthread_once(&once, mock_steer_file);
    return entry_C_GetInterface(name, version, interface, flags);
}
