#ifndef QUORATE_MODULE_FUNCTIONS_H
#define QUORATE_MODULE_FUNCTIONS_H

#include <p11-kit/pkcs11.h>

/* What stands behind the entry points that are ours (module/functions.def): our_C_NAME. The module is initialised when
 * they are called, but for those of kind ALWAYS. */
#define DECLARE_ALWAYS(name, params) CK_RV our_##name params;
#define DECLARE_OWN(name, params) CK_RV our_##name params;
#define DECLARE_GATE(name, params) CK_RV our_##name params;
#define DECLARE_PASS(name, params)
#define DECLARE_OBJECT(name, params)
#define DECLARE_DENY(name, params)
#define FUNCTION(name, kind, params, args) DECLARE_##kind(name, params)
#include "module/functions.def"
#undef FUNCTION

/* PKCS#11 3.0, sections 5.4.5 and 5.4.6: how a caller finds interfaces. p11-kit's header ends at 2.40. */
typedef struct CK_INTERFACE {
    CK_UTF8CHAR *pInterfaceName;
    CK_VOID_PTR pFunctionList;
    CK_FLAGS flags;
} CK_INTERFACE;

CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG_PTR count);
CK_RV C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION *version, CK_INTERFACE **ret, CK_FLAGS flags);

#endif
