#ifndef QUORATE_AUDIT_COSIGNATURE_H
#define QUORATE_AUDIT_COSIGNATURE_H

#include "audit/note.h"
#include "core/moment.h"

/* C2SP tlog-cosignature v1, Ed25519: a signature line on a checkpoint whose key is of type 0x04 and whose signature covers
 * "cosignature/v1\ntime T\n" and the checkpoint's text. */
#define COSIGNATURE_ALGORITHM 0x04

/* Appends the line without a newline. */
enum outcome cosignature_put(struct span text, const struct note_key *key, EVP_PKEY *secret, moment at, struct buf *ret,
                             struct fault *f);
/* A line without its newline. E_ABSENT: it is not by this key. E_REFUSED: it is, and does not hold. */
enum outcome cosignature_check(struct span text, const struct note_key *key, struct span line, moment *ret_at,
                               struct fault *f);

#endif
