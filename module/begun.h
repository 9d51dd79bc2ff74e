#ifndef QUORATE_MODULE_BEGUN_H
#define QUORATE_MODULE_BEGUN_H

#include "module/governed.h"
#include "module/sessions.h"

/* What was begun on watched sessions (module/failover.h), so that an operation that nothing was fed to yet is begun again
 * where the slot has gone over to another HSM. Takes no lock of the world. */

void begun_drop(struct session *s); /* none is fine */

void begun_forget(void); /* in a forked child */

/* The functions that begin and go on, each once, as the application called them. */
typedef CK_RV use_init_fn(const struct session_view *view, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
typedef CK_RV use_step_fn(const struct session_view *view, const struct governed_end *what);

/* The call where the session is not plain (unknown, or watched), made again where the slot goes over to another HSM. */
CK_RV watched_init(CK_SESSION_HANDLE session, use_init_fn *once, enum governed_kind kind, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE key);
/* A part (ends false), or the end, of what was begun by `init`. CKR_DEVICE_REMOVED: what was fed is lost with its HSM. */
CK_RV watched_step(CK_SESSION_HANDLE session, use_step_fn *once, use_init_fn *init, enum governed_kind kind,
                   const struct governed_end *what, bool ends);

#endif
