#include "tests/mock/inner.h"

/* The entry points: the work of tests/mock/, with what a test wants instead of it before and after. */

enum {
#define FUNCTION(name, kind, params, args) ROW_##name,
#include "module/functions.def"
#undef FUNCTION
};

#define FUNCTION(name, kind, params, args)                                                                             \
    static CK_RV entry_##name params                                                                                   \
    {                                                                                                                  \
        struct mock_turn turn;                                                                                         \
        CK_RV rv = CKR_FUNCTION_NOT_SUPPORTED;                                                                         \
                                                                                                                       \
        if (!atomic_load_explicit(&mock_steered, memory_order_relaxed) && mock_##name)                                 \
            return mock_##name args;                                                                                   \
        if (mock_turn_begin(ROW_##name, &turn))                                                                        \
            return turn.rv;                                                                                            \
        if (mock_##name)                                                                                               \
            rv = mock_##name args;                                                                                     \
        return mock_turn_end(&turn, rv);                                                                               \
    }
#include "module/functions.def"
#undef FUNCTION

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
#define FUNCTION(name, kind, params, args) .name = entry_##name,
#include "module/functions.def"
#undef FUNCTION
};

CK_RV mock_C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    if (!list)
        return CKR_ARGUMENTS_BAD;
    *list = &functions;
    return CKR_OK;
}

/* The one name that a PKCS#11 library must export. What a file wants counts before anything is called. */
__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, mock_steer_file);
    return entry_C_GetFunctionList(list);
}
