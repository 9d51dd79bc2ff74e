#ifndef QUORATE_MODULE_REPLICA_MESSAGE_H
#define QUORATE_MODULE_REPLICA_MESSAGE_H

#include "module/replica.h"

/* What a courier brings to a replica (internal to replica*.c). */

/* Composes the visit's message, with the entries from r->from on. */
enum outcome replica_message(struct replica *r, enum visit_kind kind, struct fault *f);
/* What the answer said of our log must be so: E_REFUSED where the site follows another one. */
enum outcome replica_seen(struct replica *r, struct fault *f);

#endif
