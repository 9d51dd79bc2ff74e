#ifndef QUORATE_MODULE_HEAD_H
#define QUORATE_MODULE_HEAD_H

#include "module/replica.h"

/* The log's head on the HSMs (design, section 9): the signed checkpoint, kept as a public data object on each HSM that is
 * reached from here, so that a home that was put back to an older state, or lives twice, is noticed. Its label is the
 * log's origin behind Quorate's own prefix: estates that share an HSM do not meet. The world's lock is held. */

#define HEAD_LABEL "quorate:head:"

/* Looks at the heads of a token's HSMs (site NULL: all that answer) and appends to `list` an object {found, note?, root?, site,
 * size?, token} for each that is not as it should be: "missing" where the log says that one lies there, "newer" than the log,
 * "differs" from it. A head that is a prefix of the log is as it should be, older ones beside it too. HSMs that do not answer
 * are passed over: no work is done with them. */
enum outcome heads_look(struct world *w, const char *token, const char *site, json_t *list, struct fault *f);

/* Before governed work: E_REFUSED names HSM and finding, and what people have to do (`quorate readopt`). */
enum outcome heads_check(struct world *w, const char *token, const char *site, struct fault *f);

/* heads_check in two halves, for who asks the same HSMs for something else meanwhile. heads_asked waits and judges; it is
 * called whatever the first returned. The caller ends `at`, or renews with it. */
enum outcome heads_ask(struct world *w, const char *token, const char *site, struct replicas *at, struct fault *f);
enum outcome heads_asked(struct world *w, struct replicas *at, struct fault *f);

/* Puts the log's head of now on every enrolled HSM of the token (NULL: of all tokens) that answers: the new one is made before
 * the old ones are deleted, so there is none only before the first; that one is then told by an entry `head`. What must not
 * be touched without people (heads_look) stays. The first fault of an HSM is returned; the others were tried all the same. An
 * older head is as good as before: whoever has done something already need not fail for it. */
enum outcome heads_renew(struct world *w, const char *token, struct fault *f);
/* The same for HSMs that heads_ask has begun with, in three parts, other work between them: looks again what lies there; puts
 * what the log's head is then; waits. Each is called whatever the one before returned. */
enum outcome heads_again(struct replicas *at, struct fault *f);
enum outcome heads_put(struct world *w, struct replicas *at, struct fault *f);
enum outcome heads_wait(struct world *w, struct replicas *at, struct fault *f);

/* `quorate readopt`: see estate/vendor.h. */
enum outcome readopt_run(struct world *w, json_t **ret, struct fault *f);

/* Whether an object is a head of this log, for inventory. */
bool head_label_is(const struct estate *e, const char *label);

#endif
