#ifndef QUORATE_MODULE_DRILL_INNER_H
#define QUORATE_MODULE_DRILL_INNER_H

#include "estate/inquiry.h"
#include "module/drill.h"
#include "module/replica.h"

/* Inside of the drills at the host. */

/* One site's drill at the host: what it is asked, what it answered, what of that holds. */
struct exercise {
    struct world *world;
    struct estate *estate;
    const char *token, *site;
    struct drill_target *targets;
    char (*other_ids)[41];
    size_t count;
    struct digest challenge;
    bool given; /* the challenge: it is not made here */
    struct drill answer;
    struct replica *replica; /* NULL: it cannot be asked */
    bool answered;
    bool asked;           /* by files: its answer comes later (absence says what is to be done) */
    struct fault absence; /* why it did not */
    json_t *proven, *failed, *told;
};

void exercise_clear(struct exercise *x);
/* Its lists, and the keys that the site holds by the log; what it borrows from the state stands still until the end. */
enum outcome exercise_make(struct exercise *x, struct fault *f);

/* A site that files are carried to: the question is laid ready, unless one for the same keys is. */
enum outcome exercise_carried(struct exercise *x, struct fault *f);

/* The answer is this site's, to this challenge, for exactly these keys: E_REFUSED. */
enum outcome exercise_fits(const struct exercise *x, struct fault *f);
/* Which keys are proven; an answer that does not fit is none. */
enum outcome exercise_judge(struct exercise *x, struct fault *f);
/* In the log, and in the report (line, may be NULL). */
enum outcome exercise_end(struct exercise *x, json_t *line, bool *ret_whole, struct fault *f);

#endif
