#ifndef QUORATE_AUDIT_LISTING_H
#define QUORATE_AUDIT_LISTING_H

#include "audit/document.h"

/* A site's signed answer to an inventory: every object that lies on its HSM (docs/FORMAT.md). What each of them is, is the
 * word of the site; nothing is proven by it but who said so, and when at the earliest. */

#define LISTING_TYPE "quorate/inventory/v1"
#define LISTING_PREFIX "quorate inventory v1" /* of what the identity key signs: the document */

struct listing {
    struct digest estate, challenge;
    char token[65], site[65], serial[33];
    json_t *objects; /* owned; LIMIT_LISTED at most: {class, id, label or label-hex, public-key?, session?, trusted?} */
    json_t *transports;   /* owned; CKA_IDs (hex) of the transport keys that are the site's by its own log */
    struct buf signature; /* by the identity key (raw r||s) over listing_digest */
};
void listing_clear(struct listing *l);

/* SHA-256 of the prefix line and the canonical document without `signature`. */
enum outcome listing_digest(const struct listing *l, struct digest *ret, struct fault *f);
json_t *listing_json(const struct listing *l); /* with `signature`; NULL on memory */
/* The document, not its bytes: whoever calls has parsed them. Objects are looked at as a list only. */
enum outcome listing_read(const json_t *json, struct listing *ret, struct fault *f);
enum outcome listing_verify(const struct listing *l, const struct site_question *asked, struct fault *f);

#endif
