#ifndef QUORATE_MODULE_INVENTORY_H
#define QUORATE_MODULE_INVENTORY_H

#include "module/world.h"

/* Every object on every HSM that is reached as a module or by a courier, against the log, both ways; the world's lock is held. token
 * NULL: of all. The answer is that of the vendor verb "inventory" (estate/vendor.h). */
enum outcome inventory_run(struct world *w, const char *token, json_t **ret, struct fault *f);

#endif
