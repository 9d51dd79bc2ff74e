#include "module/functions.h"
#include "module/objects.h"

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
        rv = objects_show(view, lower, got, objects + found, &shown);
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
