#ifndef QUORATE_ESTATE_SERVING_H
#define QUORATE_ESTATE_SERVING_H

#include "estate/estate.h"

/* Which of a token's sites stands for it, by log and policy in force. "" where no policy names the token; borrowed, good
 * until the state moves. */

/* The primaries of a policy as the promotions of the log left them: the last `promoted` of a token counts for every policy
 * that has that site for it. Idempotent; to be called whenever either has changed. */
void promotions_apply(struct policy *p, const struct state *s);

const char *token_primary(const struct estate *e, const char *token);
/* The HSM that is enrolled there is not on its way. */
bool site_stands(const struct estate *e, const char *token, const char *site);
/* Where its uses go: the site of the last `failover`, where the policy says `failover: use` and has that site, and its HSM
 * is not on its way; else the primary. */
const char *token_serving(const struct estate *e, const char *token);

#endif
