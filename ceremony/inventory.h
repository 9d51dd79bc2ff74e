#ifndef QUORATE_CEREMONY_INVENTORY_H
#define QUORATE_CEREMONY_INVENTORY_H

#include "core/json.h"

/* The module's answer to "inventory" (estate/vendor.h), as lines for people. */
void inventory_put(struct buf *b, const json_t *answer);
/* Nothing differs in it, and nothing is awaited. */
bool inventory_holds(const json_t *answer);

#endif
