#include <pthread.h>
#include <string.h>

#include "estate/vendor.h"
#include "module/functions.h"
#include "module/vendor_table.h"
#include "module/world.h"

/* What C_GetInterface hands out: our own lists, never one of the lower modules'. */

enum { INTERFACE_3_0, INTERFACE_2_40, INTERFACE_VENDOR, INTERFACES };

static CK_UTF8CHAR standard_name[] = "PKCS 11";
static CK_UTF8CHAR vendor_name[] = VENDOR_INTERFACE;

/* The highest standard one first: a NULL name or version means the default. Callers get pointers into it, so it is
 * filled once. */
static CK_INTERFACE known[INTERFACES];
static const CK_VERSION versions[INTERFACES] = {{3, 0}, {2, 40}, {1, 0}};

static void interfaces_fill(void)
{
    const struct quorate_vendor *vendor = vendor_interface();

    known[INTERFACE_3_0] = (CK_INTERFACE){standard_name, &functions_3_0, 0};
    known[INTERFACE_2_40] = (CK_INTERFACE){standard_name, &functions_2_40, 0};
    known[INTERFACE_VENDOR] = (CK_INTERFACE){vendor_name, NULL, 0};
    /* PKCS#11 has a plain void pointer here; nobody writes through it. */
    memcpy(&known[INTERFACE_VENDOR].pFunctionList, &vendor, sizeof(vendor));
}

/* The first that is offered: 3.0 only where every lower module has it. */
static size_t interfaces_first(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, interfaces_fill);
    return world_offers_3_0() ? INTERFACE_3_0 : INTERFACE_2_40;
}

CK_RV our_C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG_PTR count)
{
    size_t first;
    CK_ULONG room;

    if (!count)
        return CKR_ARGUMENTS_BAD;
    first = interfaces_first();
    room = *count;
    *count = INTERFACES - first;
    if (!list)
        return CKR_OK;
    if (room < *count)
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, known + first, *count * sizeof(*list));
    return CKR_OK;
}

CK_RV our_C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION *version, CK_INTERFACE **interface, CK_FLAGS flags)
{
    if (!interface)
        return CKR_ARGUMENTS_BAD;
    for (size_t i = interfaces_first(); i < INTERFACES; i++) {
        if (name && strcmp((const char *)name, (const char *)known[i].pInterfaceName) != 0)
            continue;
        if (version && (version->major != versions[i].major || version->minor != versions[i].minor))
            continue;
        if ((known[i].flags & flags) != flags)
            continue;
        *interface = &known[i];
        return CKR_OK;
    }
    return CKR_FUNCTION_FAILED;
}
