#ifndef QUORATE_CEREMONY_CLOSING_H
#define QUORATE_CEREMONY_CLOSING_H

#include "estate/estate.h"

/* The cosignatures over the closing checkpoint of a ceremony, of this size, that entries after it hold: a line each, each
 * ended. Nothing where nobody signed it. E_PENDING: the policy that was in force then asks for them. */
enum outcome closing_cosignatures(const struct estate *e, const char *ceremony, uint64_t size, struct buf *ret,
                                  struct fault *f);

#endif
