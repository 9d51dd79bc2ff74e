#include <string.h>

#include "module/functions.h"
#include "module/objects.h"

#define FIND_AT_ONCE 64u

/* What the thread's last search found, where all of it was known: most programs look for the same objects again. */
struct found {
    uint64_t deaths; /* 0: nothing */
    CK_ULONG place, count;
    _Alignas(64) CK_OBJECT_HANDLE lower[FIND_AT_ONCE], handles[FIND_AT_ONCE];
};
static _Thread_local struct found last_found;

static bool found_again(const struct found *last, CK_ULONG place, const CK_OBJECT_HANDLE *lower, CK_ULONG count)
{
    return last->deaths == atomic_load_explicit(&object_deaths, memory_order_acquire) && last->count == count &&
           last->place == place && memcmp(last->lower, lower, count * sizeof(*lower)) == 0;
}

static CK_RV __attribute__((noinline)) found_ask(const struct session_view *view, const CK_OBJECT_HANDLE *lower,
                                                 CK_ULONG count, CK_OBJECT_HANDLE *ret, CK_ULONG *ret_count)
{
    struct found *last = &last_found;
    uint64_t known = 0;
    CK_RV rv = objects_show(view, lower, count, ret, ret_count, &known);

    if (known && count) {
        memcpy(last->lower, lower, count * sizeof(*lower));
        memcpy(last->handles, ret, count * sizeof(*ret));
        last->count = count;
        last->place = view->place;
        last->deaths = known;
    }
    return rv;
}

static CK_RV found_show(const struct session_view *view, const CK_OBJECT_HANDLE *lower, CK_ULONG count,
                        CK_OBJECT_HANDLE *ret, CK_ULONG *ret_count)
{
    const struct found *last = &last_found;

    if (!found_again(last, view->place, lower, count))
        return found_ask(view, lower, count, ret, ret_count);
    memmove(ret, last->handles, count * sizeof(*ret)); /* gcc makes `rep movsq` of a memcpy: slow to start */
    *ret_count = count;
    return CKR_OK;
}

static CK_RV find_shown(const struct session_view *view, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *count)
{
    CK_OBJECT_HANDLE lower[FIND_AT_ONCE];
    CK_ULONG found = 0, asked, got, shown;
    CK_RV rv;

    /* Never more than the caller has room for, so that none is lost. Asked at least once, whatever `max`: whether a search
     * is on is the lower module's to say. Asked again only where the answer would else say that nothing is left, or where
     * the caller's room was cut in pieces. */
    do {
        asked = max - found < FIND_AT_ONCE ? max - found : FIND_AT_ONCE;
        got = 0;
        rv = view->below->C_FindObjects(view->lower, lower, asked, &got);
        if (rv == CKR_OK && got > asked)
            rv = CKR_DEVICE_ERROR;
        if (rv != CKR_OK)
            return rv;
        rv = found_show(view, lower, got, objects + found, &shown);
        if (rv != CKR_OK)
            return rv;
        found += shown;
    } while (got > 0 && found < max && (found == 0 || got == asked));
    *count = found;
    return CKR_OK;
}

CK_RV our_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG max, CK_ULONG_PTR count)
{
    struct session_view view;
    CK_RV rv;

    if (!objects || !count)
        return session_view(session, &view) ? CKR_ARGUMENTS_BAD : session_unknown();
    if (!session_enter(session, &view))
        return session_unknown();
    rv = find_shown(&view, objects, max, count);
    session_leave(&view);
    return rv;
}
