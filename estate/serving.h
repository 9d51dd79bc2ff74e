#ifndef QUORATE_ESTATE_SERVING_H
#define QUORATE_ESTATE_SERVING_H

#include "estate/estate.h"

/* Which of a token's sites stands for it, by log and policy in force. "" where no policy names the token; borrowed, good
 * until the state moves. */

const char *token_primary(const struct estate *e, const char *token);
/* Where its uses go: the site of the last `failover`, where the policy says `failover: use` and has that site; else the
 * primary. */
const char *token_serving(const struct estate *e, const char *token);

#endif
