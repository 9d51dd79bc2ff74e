#ifndef QUORATE_MODULE_RETIRE_H
#define QUORATE_MODULE_RETIRE_H

#include "module/world.h"

/* `quorate retire`: see estate/vendor.h. The other sites of the token prove every key in this very call; then the site's
 * replicas count no more, and are destroyed as soon as its HSM is reached. */
enum outcome retire_run(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f);

/* The retirement of this site whose replicas are not all destroyed; NULL: none. */
const struct state_intent *retirement_left(const struct state *s, const char *token, const char *site);

/* What a retirement that died left open is rolled back; replicas that wait to be destroyed are, where the HSM is there. Never
 * keeps births from beginning. *ret_text: what became of it, or "" where there was nothing to do. */
enum outcome retirement_settle(struct world *w, uint64_t intent, const char **ret_text, struct fault *f);

#endif
