#ifndef QUORATE_MODULE_LOWER_H
#define QUORATE_MODULE_LOWER_H

#include <stdbool.h>

#include "core/bindings.h"
#include "core/fault.h"
#include "module/pkcs11_3.h"

/* The HSMs' own modules. Each library is loaded once a process (dlopen, RTLD_LOCAL) and initialised with
 * CKF_OS_LOCKING_OK; one that somebody else had initialised (CKR_CRYPTOKI_ALREADY_INITIALIZED) is never finalised. */
struct lower {
    char *path;
    void *library;
    CK_FUNCTION_LIST *f; /* of 2.40; never shown above */
    bool ours;           /* initialised by us: finalise it */
    bool has_3_0;
    CK_FUNCTION_LIST list; /* what `f` points to: every function is there, if only to say that it is not supported */
    CK_FUNCTION_LIST_3_0 list_3_0; /* the functions that 3.0 added, likewise */
};
enum outcome lower_load(const char *path, enum remote remote, struct lower **ret, struct fault *f);
/* Fills the lists from the library; false: it is no PKCS#11 module. */
bool lower_functions(struct lower *l);
/* Whether this library has the functions of 3.0; nothing is initialised. */
bool lower_peek_3_0(const char *path);
void lower_release(struct lower *l); /* C_Finalize where ours, dlclose */

void lowers_forget(void); /* in a forked child: the parent's thread that was loading one does not exist */

/* The slot that holds the token with this serial number, never by slot or label. E_ABSENT names what was seen. */
enum outcome lower_find(const struct lower *l, const char *serial, CK_SLOT_ID *ret, struct fault *f);

/* "CKR_PIN_INCORRECT", or "0x…" */
const char *rv_name(CK_RV rv);
/* E_DEVICE: "what: CKR_NAME". */
enum outcome rv_fault(struct fault *f, const char *what, CK_RV rv);

#endif
