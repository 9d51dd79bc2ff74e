#ifndef QUORATE_MODULE_FAILOVER_H
#define QUORATE_MODULE_FAILOVER_H

#include "module/sessions.h"

/* `failover: use`: where the HSM of a token's primary is lost, its slot goes over to a replica. Handles of sessions stay;
 * those of objects stay where the replica has the object. The replica must answer a challenge, and the log says
 * `failover`, before it serves. Only uses are served; what makes, changes or ends a key waits until `quorate settle` finds
 * the primary answering again. A lost HSM is not asked again by calls: the slot goes back when the log says so. */

/* Of new sessions. With the world's lock held, like all that takes the world. */
CK_ULONG failover_place(const struct world *w, CK_SLOT_ID slot);
/* The slot is served by another site than its primary. */
bool failover_away(const struct world *w, CK_SLOT_ID slot);
/* Goes over to the first other site that answers. reason: why, for the log. False, at once for a while after all were
 * tried in vain: the slot stays as it is. */
bool failover_find(struct world *w, CK_SLOT_ID slot, const char *reason);
/* Goes where the log says that the token is served, if that is news and the site answers. */
void failover_align(struct world *w, CK_SLOT_ID slot);
/* Tokens whose primary is another one by log and policy now: watched sessions go there by failover_align, others are
 * closed. */
void primaries_follow(struct world *w);
/* `quorate settle`: tokens that are served elsewhere whose primary answers go back to it; the log says so. Adds a line
 * each to the report. */
enum outcome failover_settle(struct world *w, json_t *report, struct fault *f);
/* C_Login while a replica serves: the PIN must be the primary's in the bindings; the replica's own is used. */
CK_RV failover_login(struct world *w, const struct session_view *view, CK_USER_TYPE user, const unsigned char *pin,
                     CK_ULONG pin_len);
/* The application logged in or out, by what the HSM answered. */
void failover_logged(CK_SLOT_ID slot, bool in);

/* The rest without the world's lock, and for watched sessions. */

/* Before an operation begins: what the log says is looked at, as often as a gate does. */
void failover_follow(const struct session_view *view);
/* (On others: false.) After a call on the session as it was in `before` answered rv: true where it should be made once more, for the slot has
 * gone over to another HSM. *turns counts from 0. */
bool failover_again(const struct session_view *before, CK_RV rv, unsigned *turns);

#endif
