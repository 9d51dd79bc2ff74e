#ifndef QUORATE_MODULE_GRANT_H
#define QUORATE_MODULE_GRANT_H

#include "core/file.h"
#include "module/gate.h"

/* The way of an operation under approvals, but for births with replicas: asked, begun by its intent before anything
 * happens below, ended by the entry that says what was done, or rolled back. All with the world's lock held; entries
 * move the state, so pointers into it end at each of these calls. */
struct grant {
    struct answer answer; /* answer.plain: a rule allows it; what follows then does nothing */
    enum operation operation;
    struct lock *lock;
    uint64_t intent;
    bool open;    /* the intent is in the log, its end is not */
    bool unknown; /* its end may be: the log failed while it was written, and recovery will read it afresh */
};

/* As gate_ask, after settling what dead processes left of such operations on that token: their requests are taken again. */
CK_RV grant_ask(struct world *w, const struct question *q, struct grant *ret);
/* Takes the request's lock and writes the intent with `more` (borrowed, may be NULL). */
CK_RV grant_begin(struct world *w, struct grant *g, const json_t *more);
/* Nothing came of it: the request waits again. */
void grant_undo(struct world *w, struct grant *g, const char *function, CK_RV why);
/* Ends in `type`. Takes body (NULL: memory), completes it with intent and request (`born` names the intent alone). Where the scope was suspended
 * meanwhile nothing is written but `rolled-back`. Only after CKR_OK may anything come out. */
CK_RV grant_end(struct world *w, struct grant *g, enum entry_type type, json_t *body);
/* A body of `used`: what was asked, as it stood in the request. result: bytes that came out; empty: none. NULL on memory. */
json_t *grant_used(const struct grant *g, struct span result);
void grant_clear(struct grant *g); /* gives the lock back */

/* What an open intent of such an operation means after the death of its process (docs/ARCHITECTURE.md): settles those of a
 * token (NULL: all) whose lock is free. */
enum outcome grants_settle(struct world *w, const char *token, json_t *report, struct fault *f);

#endif
