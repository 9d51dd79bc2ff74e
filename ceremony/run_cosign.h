#ifndef QUORATE_CEREMONY_RUN_COSIGN_H
#define QUORATE_CEREMONY_RUN_COSIGN_H

#include "ceremony/run.h"

/* The entry, whole, is one of those. */
bool entry_after_cosigning(const json_t *entry);
/* E_PENDING: the policy wants the record cosigned before the close, and it is not. */
enum outcome close_cosigned(struct runner *r, struct fault *f);

#endif
