#ifndef QUORATE_MODULE_FAILOVER_MOVE_H
#define QUORATE_MODULE_FAILOVER_MOVE_H

#include "module/objects.h"
#include "module/site.h"

/* The parts of a slot that goes over to another HSM (internal to failover*.c). The world's lock is held. */

/* Sessions and objects of the slot are of the link's HSM from now on; the link's login stays where the application is
 * logged in. alive: the HSM that is left still answers. */
void slot_move(struct world *w, CK_SLOT_ID slot, struct site_link *link, bool alive);
/* Closes the sessions that were left on HSMs that answer, those of `site` (NULL: none) among them, but for those that a call
 * is still on: so that nobody stays logged in there. */
void left_close(struct shown_token *t, const char *site);
void left_forget(struct shown_token *t); /* at the end of a life: C_Finalize below ends them */

#endif
