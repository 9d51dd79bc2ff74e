#ifndef QUORATE_MODULE_RETIRE_INNER_H
#define QUORATE_MODULE_RETIRE_INNER_H

#include "module/resolution.h"
#include "module/retire.h"

/* Inside of retirements. */

#define RETIREMENT_AWAITED 1200 /* bytes of `awaited` */

struct retirement {
    struct world *world;
    struct estate *estate;
    const char *token, *site;
    struct resolution resolution;
    json_t *drills;     /* what each of the other sites said; NULL: nobody asks */
    struct buf awaited; /* why it waits, and for whom; empty: it does not */
};

/* The one of this token that people decided and that has not ended; NULL: none. There is one at a time. */
const struct state_intent *retirement_open(const struct state *s, const char *token);
/* What can be known to fail before anybody is asked. */
enum outcome retirement_target(const struct retirement *r, struct fault *f);
/* Takes the lock of that intent, and r->resolution has it where it is still open. E_BUSY: somebody is at it. */
enum outcome retirement_take(struct retirement *r, uint64_t intent, struct fault *f);
/* The intent is in the log: every other site proves all that it holds, unless it has, and then the site is retired. Where files are
 * carried to one of them `awaited` says for whom the intent waits, open. E_REFUSED: it cannot be, and rolls back at
 * retirement_clear; or it waits for something else (suspended), which the text says. */
enum outcome retirement_carry_on(struct retirement *r, struct fault *f);
/* Whether files are carried to one of the other sites. */
bool retirement_carried(const struct retirement *r);
/* Rolls back where it ended in `outcome` with the intent open; f then says what becomes of the approval. Gives the lock back. */
void retirement_clear(struct retirement *r, enum outcome outcome, struct fault *f);
/* The site is retired; its replicas are destroyed now, or `left` in the report says why they wait. */
enum outcome retired_clear(struct retirement *r, json_t *report, struct fault *f);
/* Of a retirement that is in the log: what its site held is destroyed, where that is not known. */
enum outcome retired_finish(struct world *w, uint64_t intent, struct fault *ret_text, struct fault *f);

#endif
