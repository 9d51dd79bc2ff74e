#ifndef QUORATE_ESTATE_EVIDENCE_H
#define QUORATE_ESTATE_EVIDENCE_H

#include "estate/estate.h"
#include "policy/evaluate.h"

/* Evidence from the fold, as policy_evaluate wants it (internal to estate/, and the verifier's). Everything borrows
 * from the state and the policy. */
struct evidence_base {
    struct site_fact *sites;
    size_t site_count;
    struct key_fact key;
    bool has_key;
    bool suspended;
    uint64_t cosigned; /* so many entries, as the policy wants it */
};
enum outcome evidence_gather(const struct state *s, const struct policy *p, const struct subject *subject,
                             struct evidence_base *ret, struct fault *f);
void evidence_clear(struct evidence_base *b);

#endif
