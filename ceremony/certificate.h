#ifndef QUORATE_CEREMONY_CERTIFICATE_H
#define QUORATE_CEREMONY_CERTIFICATE_H

#include <openssl/evp.h>

#include "ceremony/profile.h"
#include "core/digest.h"
#include "core/moment.h"

/* Certificates and CSRs as bytes: composed from a profile, signed by a key that may live in an HSM, checked again
 * field by field. DER throughout; what is not the only encoding of what it means is refused. */

struct certificate_inputs { /* what the profile leaves open, fixed when the TBS is made */
    struct span public_key; /* SubjectPublicKeyInfo, DER */
    uint8_t serial[16];     /* from random_bytes; the last profile->serial_bits bits of it, after a 1, are the serial */
    moment not_before;
};
/* TBSCertificate of a self-issued certificate. E_REFUSED: the key is not of the profile's type, or the profile's
 * certificates come from another authority. */
enum outcome certificate_compose(const struct profile *p, const struct certificate_inputs *in, struct buf *ret_tbs,
                                 struct fault *f);
/* CertificationRequestInfo (RFC 2986) with the profile's subject and no attributes. */
enum outcome csr_compose(const struct profile *p, struct span public_key, struct buf *ret_info, struct fault *f);

/* Signs exactly these bytes (TBSCertificate or CertificationRequestInfo) and puts the signed structure together. The
 * signature is verified by public_key (SPKI) before anything is returned. digest: "SHA256", "SHA384", "SHA512", of Ed25519 anything.
 * E_DEVICE: the key does not sign, or signed something else. */
enum outcome signed_structure_make(EVP_PKEY *key, struct span public_key, const char *digest, struct span tbs,
                                   struct buf *ret_der, struct fault *f);
/* The same of a signature that an HSM gave before: ECDSA r||s, RSA and Ed25519 as it stands there. E_REFUSED: it is none of these bytes. */
enum outcome signed_structure_join(struct span raw, struct span public_key, const char *digest, struct span tbs,
                                   struct buf *ret_der, struct fault *f);
/* The first part of a signed structure: the exact bytes that were signed. */
enum outcome signed_structure_open(struct span der, struct span *ret_tbs, struct fault *f);
/* The algorithm that the key and the digest make, and the signature. */
enum outcome signed_structure_check(struct span der, struct span public_key, const char *digest, struct fault *f);
/* SHA-256 of what an HSM is given for such a signature: CKM_ECDSA the hash; CKM_RSA_PKCS its DigestInfo;
 * CKM_EDDSA the bytes themselves. */
enum outcome signed_data_digest(struct span public_key, const char *digest, struct span tbs, struct digest *ret,
                                struct fault *f);

/* SHA-256 of what an HSM returned for it: ECDSA r||s, RSA and Ed25519 as it stands there. */
enum outcome signed_signature_digest(struct span der, struct span public_key, struct digest *ret, struct fault *f);

/* Every field against the profile, the key, and itself: DER length, version, serial (positive, enough bits), signature
 * algorithm, issuer, validity (notAfter inclusive), subject, SPKI, each extension with its criticality and none more,
 * signature by issuer_key (SPKI; of a self-issued certificate its own). E_REFUSED names the field. */
enum outcome certificate_check(const struct profile *p, struct span der, struct span public_key, struct span issuer_key,
                               struct fault *f);
enum outcome csr_check(const struct profile *p, struct span der, struct span public_key, struct fault *f);

#endif
