#ifndef QUORATE_ESTATE_COSIGNED_H
#define QUORATE_ESTATE_COSIGNED_H

#include "audit/cosignature.h"
#include "audit/state.h"
#include "policy/cosigners.h"

/* Where the policy's cosigners meet the log's cosignatures. */

/* Marks in ret (a member for each cosigner) who signed this checkpoint. Lines by others are passed over; a line by one of
 * them that does not hold is E_REFUSED. */
enum outcome cosigned_by(const struct cosigners *c, const struct checkpoint *of, const struct strings *lines, bool *ret,
                         struct fault *f);
/* The most entries that a `cosigned` entry shows to be signed by the policy's quorum; 0: none. */
uint64_t cosigned_size(const struct state *s, const struct cosigners *c);
/* The most entries that a `cosigned` entry shows to be signed by this one; 0: none. */
uint64_t cosigned_size_by(const struct state *s, const struct cosigners *c, size_t index);

#endif
