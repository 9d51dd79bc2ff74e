#ifndef QUORATE_MODULE_USE_H
#define QUORATE_MODULE_USE_H

#include "module/gate.h"

/* Use of a key: sign, MAC and its verification, decrypt, encrypt, derive, wrap, unwrap, digest-key. Public keys are
 * free. */
enum use_way { USE_WAY_PLAIN, USE_WAY_GOVERNED };

/* Whether this key may be used so: CKR_OK and *ret_way, or the refusal. Plain answers are kept with the handle, and are
 * then given without a lock. `governable`: the caller can carry a use under approvals out; otherwise a rule that
 * requires something refuses. *ret_lower is the handle below. Not with the world's lock held. */
CK_RV use_judge(const struct session_view *view, CK_OBJECT_HANDLE key, const char *function,
                const CK_MECHANISM *mechanism, bool governable, CK_OBJECT_HANDLE *ret_lower, enum use_way *ret_way);
/* The same with the world's lock held, for calls that ask several questions; never governable. */
CK_RV use_judge_locked(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE key, const char *function,
                       const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE *ret_lower);

#endif
