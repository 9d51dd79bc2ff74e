#ifndef QUORATE_CEREMONY_RUN_ATTEST_H
#define QUORATE_CEREMONY_RUN_ATTEST_H

#include "core/json.h"

#define ATTESTATION_TYPE "quorate/attestation/v1"

/* What a participant signs (docs/FORMAT.md). */
struct attestation {
    const char *ceremony, *person, *statement;
    uint64_t size; /* of the log, and its root then */
    struct digest root;
    const json_t *deviations; /* their seqs; borrowed */
};
enum outcome attestation_compose(const struct attestation *a, struct buf *ret, struct fault *f);

#endif
