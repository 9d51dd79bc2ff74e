#ifndef QUORATE_CEREMONY_RUN_COSIGN_H
#define QUORATE_CEREMONY_RUN_COSIGN_H

#include "ceremony/run.h"

/* Entries that have to be cosigned before the ceremony may close: up to the last of its own that is more than cosigning,
 * stamping, leaving, going on after a break and closing (docs/FORMAT.md). */
uint64_t record_to_cosign(const struct record *r);
/* The entry, whole, is one of those. */
bool entry_after_cosigning(const json_t *entry);
/* E_PENDING: the policy wants the record cosigned before the close, and it is not. */
enum outcome close_cosigned(struct runner *r, struct fault *f);

#endif
