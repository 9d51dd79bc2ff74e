#ifndef QUORATE_AUDIT_STATE_PACK_H
#define QUORATE_AUDIT_STATE_PACK_H

#include "audit/state.h"

/* A state as bytes and back, for a snapshot (estate/snapshot.c). Equal states have equal bytes. */
enum outcome state_pack(const struct state *s, struct buf *ret, struct fault *f);
/* E_INVALID: not what state_pack made. The caller knows that the bytes are its own: what they say is not checked against any
 * entry. *ret is written anew and is the caller's. */
enum outcome state_unpack(struct span bytes, struct state *ret, struct fault *f);

#endif
