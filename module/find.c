#include "module/functions.h"
#include "module/objects.h"

CK_RV our_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG max, CK_ULONG_PTR count)
{
    CK_OBJECT_HANDLE lower[FIND_AT_ONCE];
    CK_ULONG found = 0, asked, got, shown;
    struct session_view view;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!objects || !count)
        return CKR_ARGUMENTS_BAD;
    /* Never more than the caller has room for, so that none is lost. Asked at least once, whatever `max`: whether a search is on is the lower module's to say. Asked again only where
     * the answer would else say that nothing is left, or where the caller's room was cut in pieces. */
    do {
        asked = max - found < FIND_AT_ONCE ? max - found : FIND_AT_ONCE;
        got = 0;
        rv = view.below->C_FindObjects(view.lower, lower, asked, &got);
        if (rv == CKR_OK && got > asked)
            rv = CKR_DEVICE_ERROR;
        if (rv != CKR_OK)
            return rv;
        rv = objects_show(&view, lower, got, objects + found, &shown);
        if (rv != CKR_OK)
            return rv;
        found += shown;
    } while (got > 0 && found < max && (found == 0 || got == asked));
    *count = found;
    return CKR_OK;
}
