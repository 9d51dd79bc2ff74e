#ifndef QUORATE_MODULE_FUNCTIONS_H
#define QUORATE_MODULE_FUNCTIONS_H

#include "module/pkcs11_3.h"

/* What stands behind the entry points that are ours (module/functions.def): our_C_NAME. The module is initialised when
 * they are called, but for those of kind ALWAYS. */
#define DECLARE_ALWAYS(name, params) CK_RV our_##name params;
#define DECLARE_OWN(name, params) CK_RV our_##name params;
#define DECLARE_GATE(name, params) CK_RV our_##name params;
#define DECLARE_PASS(name, params)
#define DECLARE_OBJECT(name, params)
#define DECLARE_MESSAGE(name, params) CK_RV our_##name params;
#define DECLARE_PART(name, params) CK_RV our_##name params;
#define DECLARE_DENY(name, params)
#define FUNCTION_2_40(name, kind, note, params, args) DECLARE_##kind(name, params)
/* p11-kit's header declares the entry points of 2.40 alone. */
#define FUNCTION_3_0(name, kind, note, params, args) DECLARE_##kind(name, params) CK_RV name params;
#define FUNCTION_3_2(name, kind, note, params, args) DECLARE_##kind(name, params) CK_RV name params;
#include "module/functions.def"

/* The lists of the entry points, for C_GetFunctionList and C_GetInterface. */
extern CK_FUNCTION_LIST functions_2_40;
extern CK_FUNCTION_LIST_3_0 functions_3_0;

#endif
