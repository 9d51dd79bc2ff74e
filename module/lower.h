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
    /* Of threads that are in the library, or will be; guarded in lower.c. */
    unsigned holders;   /* it stays while there are any */
    int overdue;        /* calls that nobody waits for any more */
    bool released;      /* ends with the last holder, and is not finalised */
    struct lower *next; /* released before it */
};
enum outcome lower_load(const char *path, enum remote remote, struct lower **ret, struct fault *f);
/* Fills the lists from the library; false: it is no PKCS#11 module. */
bool lower_functions(struct lower *l);
/* Whether this library has the functions of 3.0; nothing is initialised. */
bool lower_peek_3_0(const char *path);
void lower_release(struct lower *l); /* C_Finalize where ours, dlclose; see lower_hold */

/* A thread that may hang in the library holds it: released meanwhile, it stays until the last one has dropped it, and is
 * not finalised, for a call is in it. */
void lower_hold(struct lower *l);
void lower_drop(struct lower *l);
/* A call into it is waited for no longer, or is back. */
void lower_overdue(struct lower *l, bool overdue);
/* E_DEVICE while a call is overdue in this library, also where an earlier life began it. */
enum outcome lower_answers(const struct lower *l, struct fault *f);

void lowers_forget(void); /* in a forked child: the parent's threads in one do not exist */

bool token_has_serial(const CK_TOKEN_INFO *info, const char *serial); /* but for the blanks behind it */
/* The slot that holds the token with this serial number, never by slot or label. E_ABSENT names what was seen. */
enum outcome lower_find(const struct lower *l, const char *serial, CK_SLOT_ID *ret, struct fault *f);

/* A session for a moment, R/W or else R/O, as a login or a write-protected token allows; CK_INVALID_HANDLE: none. */
CK_SESSION_HANDLE lower_spare(const struct lower *l, CK_SLOT_ID slot);

/* "CKR_PIN_INCORRECT", or "0x…" */
const char *rv_name(CK_RV rv);
/* What an application is told of a call below that was not its own: an answer that every function may give (PKCS#11 2.40,
 * sections 5.1.1 to 5.1.3), or CKR_DEVICE_ERROR. */
CK_RV rv_inner(CK_RV rv);
/* E_DEVICE: "what: CKR_NAME". */
enum outcome rv_fault(struct fault *f, const char *what, CK_RV rv);

#endif
