#ifndef QUORATE_AUDIT_DRILL_H
#define QUORATE_AUDIT_DRILL_H

#include "audit/document.h"

/* A site's signed answer to a drill: every replica that it was asked for, each with its own signature over a statement
 * that the site composes (docs/FORMAT.md). No keys are touched here: the bytes to sign come out, signatures go in. */

#define DRILL_TYPE "quorate/drill/v1"

/* Prefixes of what is signed, of no use anywhere else; each is followed by a newline in the hash input. */
#define DRILL_PREFIX "quorate drill v1"                 /* by a replica: that it is there */
#define DRILL_RECEIPT_PREFIX "quorate drill receipt v1" /* by the site's identity key: the document */
#define RETIREMENT_PREFIX "quorate retirement v1"       /* not signed: the challenge of a drill for a retirement */

struct drill_key {
    uint64_t born;              /* seq of the key's `born` entry */
    char proof[16];             /* "signature", "attested", or "" where the replica did not prove itself */
    struct buf proof_signature; /* by the replica over drill_statement_digest: as in receipts */
    char *reason;               /* why not; NULL where it did */
};
struct drill {
    struct digest estate, challenge, nonce; /* nonce: the site's own */
    char token[65], site[65], serial[33];
    struct drill_key *keys; /* in the order of `born` */
    size_t key_count;
    struct buf signature; /* by the identity key (raw r||s) over drill_digest */
};
void drill_clear(struct drill *d);

/* What the replica of the key with this fingerprint (of its public key) signs: SHA-256 over the prefix line and, 32 bytes
 * each, estate, fingerprint, SHA-256(token "/" site), challenge, nonce. */
bool drill_statement_digest(const struct drill *d, const struct digest *fingerprint, struct digest *ret);
/* SHA-256 of the prefix line and the canonical document without `signature`. */
enum outcome drill_digest(const struct drill *d, struct digest *ret, struct fault *f);
enum outcome drill_compose(const struct drill *d, struct buf *ret, struct fault *f); /* with `signature` */
/* E_INVALID too where the keys are not in order, or one has neither proof nor reason. */
enum outcome drill_parse(struct span bytes, struct drill *ret, struct fault *f);

/* The document is the answer of this HSM to this challenge; its keys are another question. */
enum outcome drill_verify(const struct drill *d, const struct site_question *asked, struct fault *f);
/* One of its keys proved itself: public_key is its SPKI, empty where none is known. A key that signs (as it was born) must
 * have signed. */
enum outcome drill_key_verify(const struct drill *d, const struct drill_key *k, struct span public_key, bool signs,
                              struct fault *f);

#endif
