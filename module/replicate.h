#ifndef QUORATE_MODULE_REPLICATE_H
#define QUORATE_MODULE_REPLICATE_H

#include "module/world.h"

/* `quorate replicate`: see estate/vendor.h. A living key that was born under `extractable: trusted-wrap-only` is brought from
 * the primary to a site that does not hold it, by the messages of a birth; any key where people clone it there. Where
 * people bring it, with files or a vendor's tools, it is provisional until the receipt comes. What dies in between is
 * rolled back by recovery, or, once the log says `replicated`, finished. */
enum outcome replicate_run(struct world *w, const char *token, const char *label, const char *site, json_t **ret,
                           struct fault *f);

#endif
