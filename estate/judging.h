#ifndef QUORATE_ESTATE_JUDGING_H
#define QUORATE_ESTATE_JUDGING_H

#include "estate/votes.h"

/* From votes and the fold to a verdict (internal to estate/). */

/* The verdict on a request from its votes and the fold, as of `at`. */
enum outcome verdict_reach(struct estate *e, const struct policy *judge, const struct request *r,
                           const struct ceremony_fact *ceremony, const struct votes *votes, moment at,
                           struct verdict **ret, struct fault *f);

/* `refused`: what was asked, by whom, and every finding that is not met. named: with the request's id. closed: NULL,
 * "rejected" or "expired". Within the append lock. */
enum outcome refusal_log(struct estate *e, const struct request *r, bool named, const struct verdict *v,
                         const char *closed, struct fault *f);

/* Judges a pending request from the votes that are there, logging new ones. Where that closes it for good, the log says
 * so and *ret_closed is "rejected" or "expired", else NULL. Within the append lock. */
enum outcome pending_judge(struct estate *e, const struct policy *judge, const struct request *r,
                           const struct ceremony_fact *ceremony, struct verdict **ret, const char **ret_closed,
                           struct fault *f);

#endif
