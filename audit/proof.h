#ifndef QUORATE_AUDIT_PROOF_H
#define QUORATE_AUDIT_PROOF_H

#include "audit/log.h"

/* C2SP tlog-proof: that one entry stands in a log, for whoever has the entry's bytes and the log's verifier key. */
struct proof {
    uint64_t index;
    struct merkle_proof path;
    struct span note; /* the checkpoint, borrowed from what was parsed */
};

/* Of this entry in the log as it is, with its checkpoint: appended to ret. */
enum outcome proof_put(const struct log *l, uint64_t seq, struct buf *ret, struct fault *f);
/* Strict: one text for one proof; a line `extra` is read over, nothing vouches for it. */
enum outcome proof_parse(struct span text, struct proof *ret, struct fault *f);
/* The entry (its bytes without a newline) stands at the proof's index in the log that `key` signs. */
enum outcome proof_verify(const struct proof *p, struct span entry, const struct note_key *key, struct checkpoint *ret,
                          struct fault *f);

#endif
