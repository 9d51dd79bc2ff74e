#ifndef QUORATE_CEREMONY_ACTION_H
#define QUORATE_CEREMONY_ACTION_H

#include <stdbool.h>

/* Everything that a step can be (design, section 10), in one table: scripts, answers, the runner and the verifier read
 * it. */
enum action_kind {
    ACTION_UNBUILT, /* known, but not carried out yet */
    ACTION_ENTER,
    ACTION_LEAVE,
    ACTION_CHECK_CLOCK,
    ACTION_CONFIRM,
    ACTION_RECORD,
    ACTION_SAY,
    ACTION_OPEN_BAG,
    ACTION_SEAL_BAG,
    ACTION_ARRIVE,
    ACTION_DRILL,
    ACTION_GENERATE_KEY_PAIR,
    ACTION_REPLICATE,
    ACTION_MAKE_CSR,
    ACTION_ISSUE_CERTIFICATE,
    ACTION_APPROVE,
    ACTION_EXHIBIT,
    ACTION_READ_ALOUD,
    ACTION_ATTEST,
    ACTION_COSIGN,
    ACTION_TIMESTAMP,
    ACTION_CLOSE
};

struct action {
    const char *name;
    enum action_kind kind;
    const char *with;    /* members of `with`: separated by blanks, '?' before those that may be left out; "*": any, at
                            least one */
    const char *answers; /* what an unattended run must be told, in the same manner; "*": every member of `with` */
    bool effect;         /* changes something that cannot be looked up before it is there: never silently run again */
    bool skippable;      /* may be left undone under a deviation */
    int operation;       /* enum operation that the step is, or -1 */
};

const struct action *action_find(const char *name); /* NULL: no such action */
const struct action *action_at(unsigned index);     /* NULL: the end */

#endif
