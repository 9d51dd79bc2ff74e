#ifndef QUORATE_MODULE_INVENTORY_H
#define QUORATE_MODULE_INVENTORY_H

#include "module/world.h"

/* Every object on every HSM that is reached as a module or by a courier, against the log, both ways; the world's lock is held. token,
 * site NULL: of all; a site that files are carried to is asked for only by name. The answer is that of the vendor verb "inventory" (estate/vendor.h). */
enum outcome inventory_run(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f);

#endif
