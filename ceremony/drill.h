#ifndef QUORATE_CEREMONY_DRILL_H
#define QUORATE_CEREMONY_DRILL_H

#include "core/json.h"

/* One site of the module's answer to "drill" (estate/vendor.h), as lines for people. */
void drill_put(struct buf *b, const json_t *site);

#endif
