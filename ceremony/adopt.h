#ifndef QUORATE_CEREMONY_ADOPT_H
#define QUORATE_CEREMONY_ADOPT_H

#include "estate/asking.h"

/* A policy on its way into force. */
struct adoption {
    struct estate *estate;
    struct policy *policy;
    bool succession, json;
    /* Of an introduction: what it pins {environment, estate, log-key, origin, site, token}; or NULL. */
    const json_t *host;
    struct asking_context context;
};
/* Asks, or carries out what was approved, and says so (of an introduction only that it waits). E_PENDING: it was said for
 * whom it waits. */
enum outcome adoption_run(const struct adoption *a, struct fault *f);

#endif
