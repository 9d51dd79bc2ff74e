#ifndef QUORATE_MODULE_PROMOTE_H
#define QUORATE_MODULE_PROMOTE_H

#include "module/world.h"

/* `quorate promote`: a replica site becomes the primary of its token, by quorum; see estate/vendor.h. The world's lock is
 * held. E_REFUSED: it is the primary already, or does not answer as the enrolled one. */
enum outcome promote_run(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f);

#endif
