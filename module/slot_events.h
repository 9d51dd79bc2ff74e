#ifndef QUORATE_MODULE_SLOT_EVENTS_H
#define QUORATE_MODULE_SLOT_EVENTS_H

/* C_WaitForSlotEvent: an HSM that came or went since the last answer. */

/* C_Finalize, once the life is over: whoever waits is sent home, and has left when this returns. Without the world's
 * lock. */
void slot_events_end(void);
void slot_events_forget(void); /* in a forked child */

#endif
