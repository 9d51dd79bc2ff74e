#ifndef QUORATE_CEREMONY_EXPLAIN_H
#define QUORATE_CEREMONY_EXPLAIN_H

#include "core/json.h"
#include "policy/policy.h"

/* `quorate policy explain`: a question made up from words of the command line. */

struct question {
    enum operation operation;
    const char *token, *label, *type, *usage, *class_name; /* each may be NULL */
    bool succession;
};

/* The subject as a client's call or a command would have it. `estate`, `environment`, `origin` of the estate, or stand-ins
 * of the right shape. E_INVALID names the word that is wrong. *ret is the caller's. */
struct asker {
    const char *environment, *estate_hex, *origin;
    const struct policy *policy; /* that judges: its digest stands in adopt-policy */
};
enum outcome question_subject(const struct question *q, const struct asker *a, json_t **ret, struct fault *f);

/* "PERSON" or "PERSON@TIME": the person must be the policy's. `now` where no time is given. */
enum outcome question_vote(const char *text, const struct policy *p, moment now, const struct person **ret_person,
                           moment *ret_at, struct fault *f);

#endif
