#ifndef QUORATE_CEREMONY_RUN_OPEN_H
#define QUORATE_CEREMONY_RUN_OPEN_H

#include "ceremony/run.h"

/* What runs, as far as a program can say it of itself: the body of `environment` (docs/FORMAT.md). */
enum outcome environment_describe(const struct runner *r, json_t **ret, struct fault *f);

/* The script's ceremony that is open in the log, or NULL. */
const struct state_ceremony *ceremony_running(const struct state *s, const char *script);

/* An administrator approves nothing: E_REFUSED where one who holds that role here has approved this request. */
enum outcome voters_check(const struct runner *r, const struct digest *request, struct fault *f);

/* Opens a new ceremony under quorum, or goes on with the one that is open: then its script, bindings and people must be
 * the ones that were approved. Sets the runner's cast, record and the estate's ceremony; `environment` is in the log, and
 * the module holds the ceremony's lock. E_PENDING with an empty text: it has been said who must approve. */
enum outcome ceremony_open(struct runner *r, struct fault *f);

#endif
