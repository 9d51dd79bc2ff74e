#include "module/functions.h"

#include <stddef.h>

#include "module/failover.h"
#include "module/life.h"
#include "module/messages.h"
#include "module/objects.h"
#include "module/sessions.h"

#define EXPORT __attribute__((visibility("default")))

#define COLD static __attribute__((noinline, cold))

/* The entry points. A pass-through translates its handles and goes down; it takes no lock. On a watched session it is made
 * again where the slot goes over to another HSM. */
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
    COLD CK_RV watched_##name params                                                                                   \
    {                                                                                                                  \
        CK_SESSION_HANDLE given = session;                                                                             \
        struct session_view view;                                                                                      \
        unsigned turns = 0;                                                                                            \
        CK_RV rv;                                                                                                      \
                                                                                                                       \
        do {                                                                                                           \
            if (!session_enter_watched(given, &view))                                                                  \
                return session_unknown();                                                                              \
            session = view.lower;                                                                                      \
            rv = view.below->name args;                                                                                \
            session_leave(&view);                                                                                      \
        } while (failover_again(&view, rv, &turns));                                                                   \
        return rv;                                                                                                     \
    }                                                                                                                  \
    EXPORT CK_RV name params                                                                                           \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
                                                                                                                       \
        if (!session_plain(session, &view))                                                                            \
            return watched_##name args;                                                                                \
        session = view.lower;                                                                                          \
        return view.below->name args;                                                                                  \
    }
#define ENTRY_OBJECT(name, params, args)                                                                               \
    COLD CK_RV watched_##name params                                                                                   \
    {                                                                                                                  \
        CK_SESSION_HANDLE given = session;                                                                             \
        CK_OBJECT_HANDLE given_object = object;                                                                        \
        struct session_view view;                                                                                      \
        unsigned turns = 0;                                                                                            \
        CK_RV rv;                                                                                                      \
                                                                                                                       \
        do {                                                                                                           \
            if (!session_enter_watched(given, &view))                                                                  \
                return session_unknown();                                                                              \
            session = view.lower;                                                                                      \
            object = given_object;                                                                                     \
            rv = object_lower(&object, view.place) ? view.below->name args : CKR_OBJECT_HANDLE_INVALID;                \
            session_leave(&view);                                                                                      \
        } while (failover_again(&view, rv, &turns));                                                                   \
        return rv;                                                                                                     \
    }                                                                                                                  \
    EXPORT CK_RV name params                                                                                           \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
                                                                                                                       \
        if (!session_plain(session, &view))                                                                            \
            return watched_##name args;                                                                                \
        if (!object_lower(&object, view.place))                                                                        \
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

/* The same for 3.0, whose functions lie in a list of their own below. */
#define ENTRY_3_0_ALWAYS(name, params, args) ENTRY_ALWAYS(name, params, args)
#define ENTRY_3_0_OWN(name, params, args) ENTRY_OWN(name, params, args)
#define ENTRY_3_0_GATE(name, params, args) ENTRY_OWN(name, params, args)
#define ENTRY_3_0_MESSAGE(name, params, args)                                                                          \
    EXPORT CK_RV name params                                                                                           \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
        const CK_FUNCTION_LIST_3_0 *below = session_view(session, &view) ? session_below_3_0(&view) : NULL;            \
        CK_RV rv = CKR_OK;                                                                                             \
                                                                                                                       \
        if (!below)                                                                                                    \
            return session_unknown();                                                                                  \
        if (message_kept(&view, message_kind(#name)))                                                                  \
            return our_##name args;                                                                                    \
        rv = message_goes_on(&view, #name);                                                                            \
        if (rv != CKR_OK)                                                                                              \
            return rv;                                                                                                 \
        session = view.lower;                                                                                          \
        return below->name args;                                                                                       \
    }

#define ENTRY_3_0_PART(name, params, args)                                                                             \
    EXPORT CK_RV name params                                                                                           \
    {                                                                                                                  \
        struct session_view view;                                                                                      \
        const CK_FUNCTION_LIST_3_0 *below = session_view(session, &view) ? session_below_3_0(&view) : NULL;            \
                                                                                                                       \
        if (!below)                                                                                                    \
            return session_unknown();                                                                                  \
        if (message_kept(&view, message_kind(#name)))                                                                  \
            return our_##name args;                                                                                    \
        session = view.lower;                                                                                          \
        return below->name args;                                                                                       \
    }

#define FUNCTION_2_40(name, kind, note, params, args) ENTRY_##kind(name, params, args)
#define FUNCTION_3_0(name, kind, note, params, args) ENTRY_3_0_##kind(name, params, args)
#define FUNCTION_3_2(name, kind, note, params, args) ENTRY_##kind(name, params, args)
#include "module/functions.def"

CK_FUNCTION_LIST functions_2_40 = {
    .version = {2, 40},
#define FUNCTION_2_40(name, kind, note, params, args) .name = name,
#include "module/functions.def"
};

CK_FUNCTION_LIST_3_0 functions_3_0 = {
    .version = {3, 0},
#define FUNCTION_2_40(name, kind, note, params, args) .name = name,
#define FUNCTION_3_0(name, kind, note, params, args) .name = name,
#include "module/functions.def"
};

/* A row too few, or out of its order, is found at build time. */
enum {
#define FUNCTION_2_40(name, kind, note, params, args) row_##name,
#define FUNCTION_3_0(name, kind, note, params, args) row_##name,
#define FUNCTION_3_2(name, kind, note, params, args) row_##name,
#include "module/functions.def"
    row_count
};
#define PLACE(list, name) (offsetof(list, C_Initialize) + (size_t)row_##name * sizeof(void (*)(void)))
#define IN_PLACE(list, name)                                                                                           \
    _Static_assert(offsetof(list, name) == PLACE(list, name), "functions.def: " #name " is out of its order");
#define FUNCTION_2_40(name, kind, note, params, args)                                                                  \
    IN_PLACE(CK_FUNCTION_LIST, name) IN_PLACE(CK_FUNCTION_LIST_3_0, name)
#define FUNCTION_3_0(name, kind, note, params, args) IN_PLACE(CK_FUNCTION_LIST_3_0, name)
#include "module/functions.def"
_Static_assert(sizeof(CK_FUNCTION_LIST) == PLACE(CK_FUNCTION_LIST, C_GetInterfaceList), "a row of 2.40 is missing");
_Static_assert(sizeof(CK_FUNCTION_LIST_3_0) == PLACE(CK_FUNCTION_LIST_3_0, C_EncapsulateKey),
               "a row of 3.0 is missing");
_Static_assert(row_count == 68 + 24 + 12, "a row of 3.2 is missing");

CK_RV our_C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    if (!list)
        return CKR_ARGUMENTS_BAD;
    *list = &functions_2_40;
    return CKR_OK;
}
