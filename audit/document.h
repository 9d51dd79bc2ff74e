#ifndef QUORATE_AUDIT_DOCUMENT_H
#define QUORATE_AUDIT_DOCUMENT_H

#include "core/json.h"
#include "core/yaml.h"

/* Offers, receipts and statements as documents: canonical JSON and what is signed of it (docs/FORMAT.md). No keys
 * are touched here: the bytes to sign come out, signatures go in. */

#define OFFER_TYPE "quorate/offer/v1"
#define RECEIPT_TYPE "quorate/receipt/v1"
#define OFFER_CLONED "cloned:" /* the mechanism begins so where people bring the key with a vendor's own tools */

/* Prefixes of what is signed; each is followed by a newline in the hash input. */
#define PROOF_PREFIX "quorate proof v1"         /* by a replica: a statement */
#define RECEIPT_PREFIX "quorate receipt v1"     /* by a site's identity key: a receipt */
#define TRANSPORT_PREFIX "quorate transport v1" /* by a site's identity key: its next transport key */
#define SETTLED_PREFIX "quorate settled v1"     /* by a site's identity key: what became of an offered key */
#define CHALLENGE_PREFIX "quorate challenge v1" /* by a site's identity key: readiness, enrolment, arrival */

/* A key on its way to a site. The two blobs (the key under an AES key, the AES key under the site's transport key)
 * never enter the log; their digest does. */
struct offer {
    struct digest estate, intent; /* intent: digest of its entry */
    char token[65], site[65];
    char mechanism[80]; /* "oaep-sha1+aes-kwp", "oaep-sha256+aes-kwp", "rsa-aes-key-wrap-sha256", or
                                               OFFER_CLONED and a name: nothing is wrapped */
    struct buf wrapped_key,
        wrapped_secret;        /* LIMIT_BLOB each; the second empty for rsa-aes-key-wrap, both of a clone */
    struct buf public_key;     /* SPKI DER; empty for secret keys */
    json_t *attributes;        /* {CKA_NAME: value} of the private or secret key at the site, subject encoding; owned */
    json_t *public_attributes; /* of the public key object; NULL for secret keys; owned */
    struct digest challenge;
};
struct digest offer_blob_digest(const struct offer *o); /* over both blobs with their lengths */
/* Whether offers may name this mechanism under a rule that allows these others by name; E_REFUSED says why not. */
enum outcome offer_mechanism_allowed(const char *mechanism, const struct strings *allowed, struct fault *f);
bool offer_is_clone(const char *mechanism);
enum outcome offer_compose(const struct offer *o, struct buf *ret, struct fault *f);
enum outcome offer_parse(struct span bytes, struct offer *ret, struct fault *f);
void offer_clear(struct offer *o);

/* What a replica signs: SHA-256 over the prefix line and, each 32 bytes, estate, offer, SHA-256 of the site's id,
 * challenge, nonce. `offer` is SHA-256 of the offer's canonical bytes. */
struct statement {
    struct digest estate, offer, challenge, nonce;
    const char *site;
};
bool statement_digest(const struct statement *s, struct digest *ret);

/* A site's signed answer. */
struct receipt {
    struct digest estate, intent, offer, challenge, nonce;
    char token[65], site[65], serial[33];
    char proof[16];             /* "signature" or "attested" */
    struct buf proof_signature; /* by the replica over the statement: raw r||s for EC, PKCS#1 v1.5 for RSA; empty when
                                   attested */
    struct buf checkpoint;      /* of the site's own log, a note; empty where it keeps none */
    struct buf signature;       /* by the identity key (raw r||s) over receipt_digest */
};
/* Canonical JSON of all but `signature`; its SHA-256 after the prefix line is what the identity key signs. */
enum outcome receipt_digest(const struct receipt *r, struct digest *ret, struct fault *f);
enum outcome receipt_compose(const struct receipt *r, struct buf *ret, struct fault *f); /* with `signature` */
enum outcome receipt_parse(struct span bytes, struct receipt *ret, struct fault *f);
void receipt_clear(struct receipt *r);

/* SHA-256(CHALLENGE_PREFIX "\n" || estate || SHA-256(token "/" site) || challenge). */
bool challenge_digest(const struct digest *estate, const char *token, const char *site, const struct digest *challenge,
                      struct digest *ret);

/* SHA-256(SETTLED_PREFIX "\n" || estate || SHA-256(token "/" site) || intent || SHA-256(outcome)); outcome: born, withdrawn
 * or destroyed; intent: digest of the entry of the birth. Withdrawn and destroyed say that nothing of it is left there. */
bool settled_digest(const struct digest *estate, const char *token, const char *site, const struct digest *intent,
                    const char *outcome, struct digest *ret);

/* SHA-256(TRANSPORT_PREFIX "\n" || estate || SHA-256(token "/" site) || SHA-256(before) || SHA-256(next)): the transport key that
 * a site puts in the place of the one before, as SPKI both. */
bool transport_digest(const struct digest *estate, const char *token, const char *site, struct span before,
                      struct span next, struct digest *ret);

/* The keys that a site is enrolled with, and a transport key that comes later (SPKI): E_REFUSED where nothing should rest on them. */
enum outcome site_keys_fit(struct span identity, struct span transport, struct fault *f);
enum outcome transport_fit(struct span spki, struct fault *f);

/* Verifies a signature over a SHA-256 digest by a public key (SPKI DER): EC raw r||s, RSA PKCS#1 v1.5 with SHA-256. */
enum outcome digest_signature_verify(struct span spki, const struct digest *digest, struct span signature,
                                     struct fault *f);

/* What an HSM was asked to answer for: a drill, an inventory. */
struct site_question {
    struct digest estate, challenge;
    const char *token, *site, *serial;
    struct span identity; /* SPKI; not of an answer */
};
/* The answer (what: which document it is) says the same, and the signature over its digest is by the identity key. E_REFUSED
 * names what differs. */
enum outcome question_answered(const struct site_question *asked, const char *what,
                               const struct site_question *answered, const struct digest *digest, struct span signature,
                               struct fault *f);

/* Everything that makes a receipt good: identity signature by `identity` (SPKI), fields equal to the offer's, the
 * replica's proof by the offer's public key over the statement. A private key whose offered attributes have CKA_SIGN
 * "true" must prove itself by a signature; only keys that cannot sign, and secret keys, may be attested. */
enum outcome receipt_verify(const struct receipt *r, const struct offer *o, const struct digest *offer_digest,
                            struct span identity, const char *serial, struct fault *f);

#endif
