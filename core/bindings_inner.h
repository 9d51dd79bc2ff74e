#ifndef QUORATE_CORE_BINDINGS_INNER_H
#define QUORATE_CORE_BINDINGS_INNER_H

#include "core/bindings.h"

/* What must hold between the parts of bindings (internal to core/bindings*.c). */

/* One HSM must not count as two sites. name: of the document. */
enum outcome serials_check(const char *name, const struct bindings *b, struct fault *f);
/* Mirrors are folders of their own: none in the home or in another, nor the other way round. */
enum outcome mirrors_check(const struct yaml *node, const struct bindings *b, struct fault *f);

#endif
