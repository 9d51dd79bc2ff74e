#ifndef QUORATE_MODULE_RESOLUTION_H
#define QUORATE_MODULE_RESOLUTION_H

#include "module/recovery.h"
#include "module/world.h"

/* What people decide about the estate itself, asked for by a vendor verb: the first time a request is left, the same
 * question again, when enough have approved, goes on. */
struct resolution {
    struct world *world;
    struct digest request;
    struct lock *lock; /* of the request: nobody settles the intent while we are at it */
    uint64_t intent;
    bool open; /* the intent is in the log, its end is not */
};

/* Takes `subject`; what: for texts ("retiring root at glasgow"). Where people are still missing, report gets "missing",
 * "request" and "status": "pending", and *ret_go is false. Where they have approved, the lock is taken. E_REFUSED: denied, or
 * plainly allowed, for then nobody would have decided. */
enum outcome resolution_ask(struct world *w, json_t *subject_taken, const char *what, struct resolution *ret,
                            json_t *report, bool *ret_go, struct fault *f);
/* Writes the intent with `more` (borrowed). */
enum outcome resolution_begin(struct resolution *d, const json_t *more, struct fault *f);
/* Ends in `type`: takes body (NULL: memory), adds request and verdict. E_REFUSED: the policy changed, or its scope was suspended,
 * since the intent. */
enum outcome resolution_end(struct resolution *d, enum entry_type type, json_t *body_taken, struct fault *f);
/* Where it has begun and not ended: `rolled-back`, the request waits again. Gives the lock back. Empty is fine. */
void resolution_clear(struct resolution *d, const char *reason);

/* What a death left begun is rolled back, where nobody is at it; *ret_text says in words what became of it. */
enum outcome resolution_settle(struct world *w, uint64_t intent, const char **ret_text, struct fault *f);

#endif
