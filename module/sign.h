#ifndef QUORATE_MODULE_SIGN_H
#define QUORATE_MODULE_SIGN_H

#include "module/gate.h"

/* A signature that people must approve: nothing is opened below that the application could reach. What it feeds is
 * kept here; at the end the policy is asked for exactly these bytes, and the key signs on a session of its own. */

/* With the world's lock held: the operation that C_SignInit begins on the session. */
CK_RV signing_begin(struct world *w, const struct session_view *view, const CK_MECHANISM *mechanism,
                    CK_OBJECT_HANDLE key);
void signing_end(struct session *s); /* none is fine */

#endif
