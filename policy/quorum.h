#ifndef QUORATE_POLICY_QUORUM_H
#define QUORATE_POLICY_QUORUM_H

#include "policy/judge.h"

/* Why a person counts for a quorum at a moment, or does not. */
enum standing {
    STANDING_COUNTS,
    STANDING_NOT_YET,
    STANDING_LEAVER,
    STANDING_ROLE,
    STANDING_EXCLUDED,
    STANDING_REQUESTER
};

/* requester: nobody's approval of their own request counts; NULL where none is known. */
enum standing quorum_standing(const struct policy *p, const struct quorum *q, const struct person *h,
                              const char *requester, moment at);

/* Whose place the person takes: their principal's while they may stand in, else their own. */
const struct person *quorum_seat(const struct policy *p, const struct person *h, moment at);

/* The most that the marked people (one flag for each of policy->people) could bring together, an alternate never beside
 * their principal. */
struct capacity {
    size_t people, organisations;
};
bool quorum_capacity(const struct policy *p, const bool *marked, moment at, struct capacity *ret);
bool quorum_reached(const struct quorum *q, const struct capacity *c);

/* Adds a finding for every vote and one for the quorum; fills verdict->counted. Of a place, a key and a person one vote
 * counts; a rejection outweighs every approval from the same place. */
void quorum_judge(struct judge *j, const struct quorum *q, const char *requester);

#endif
