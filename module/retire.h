#ifndef QUORATE_MODULE_RETIRE_H
#define QUORATE_MODULE_RETIRE_H

#include "module/world.h"

/* `quorate retire`: see estate/vendor.h. The other sites of the token prove every key, after the intent and for it; where files are
 * carried to one of them, the intent waits for that, and the same call goes on with it. Then the site's replicas count no more, and
 * are destroyed as soon as its HSM is reached. */
enum outcome retire_run(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f);

/* The retirement of this site whose replicas are not all destroyed; NULL: none. */
const struct state_intent *retirement_left(const struct state *s, const char *token, const char *site);

/* One that waits goes on, or is rolled back when it cannot any more: E_REFUSED says why. One that died otherwise is rolled back too;
 * replicas that wait to be destroyed are, where the HSM is there. Never keeps births from beginning. ret_text: what became of
 * it, "" where there was nothing to do. */
enum outcome retirement_settle(struct world *w, uint64_t intent, struct fault *ret_text, struct fault *f);
/* A site answered a drill that files carried, `failed` or not: the token's retirement that waits goes on, or ends. ret_text: as
 * above, or why it was rolled back. */
void retirement_answered(struct world *w, const char *token, const char *site, bool failed, struct fault *ret_text);

#endif
