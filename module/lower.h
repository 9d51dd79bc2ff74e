#ifndef QUORATE_MODULE_LOWER_H
#define QUORATE_MODULE_LOWER_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

#include "core/bindings.h"
#include "core/fault.h"

/* The HSMs' own modules. Each library is loaded once a process (dlopen, RTLD_LOCAL) and initialised with
 * CKF_OS_LOCKING_OK; one that somebody else had initialised (CKR_CRYPTOKI_ALREADY_INITIALIZED) is never finalised. */
struct lower {
    char *path;
    void *library;
    CK_FUNCTION_LIST *f; /* never shown above */
    bool ours;           /* initialised by us: finalise it */
};
enum outcome lower_load(const char *path, struct lower **ret, struct fault *f);
void lower_release(struct lower *l); /* C_Finalize where ours, dlclose */

/* The slot that holds the token with this serial number, never by slot or label. E_ABSENT names what was seen. */
enum outcome lower_find(const struct lower *l, const char *serial, CK_SLOT_ID *ret, struct fault *f);

/* "CKR_PIN_INCORRECT", or "0x…" */
const char *rv_name(CK_RV rv);
/* E_DEVICE: "what: CKR_NAME". */
enum outcome rv_fault(struct fault *f, const char *what, CK_RV rv);

#endif
