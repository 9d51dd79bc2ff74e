#ifndef QUORATE_POLICY_SIGNATURE_H
#define QUORATE_POLICY_SIGNATURE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/fault.h"
#include "policy/policy.h"

/* DER CMS detached signatures over documents (RFC 5652), as a stock `openssl cms -sign -binary -outform DER` makes
 * them, with and without signed attributes, with and without the certificate inside. */

/* Who signed: exactly one SignerInfo, SHA-256 or stronger, over exactly these bytes. The signer's certificate is
 * the one inside, or, where none is, one of `known` (DER spans) that the SignerInfo names. No trailing bytes; the DER
 * must be the only encoding. E_REFUSED: the signature does not hold; E_INVALID: not such a file. Validity dates and
 * issuers of certificates are not looked at: the roster pins the certificate. */
struct signer {
    struct digest fingerprint; /* SHA-256 of the certificate's DER */
    struct digest public_key;  /* SHA-256 of its SubjectPublicKeyInfo's DER */
};
enum outcome signature_verify(struct span der, struct span document, const struct span *known, size_t known_count,
                              struct signer *ret, struct fault *f);

/* Signs, certificate included, signed attributes with signingTime; SHA-256. */
enum outcome signature_make(EVP_PKEY *key, X509 *certificate, struct span document, struct buf *ret_der,
                            struct fault *f);

/* A certificate from PEM (one, nothing secret) or DER. */
enum outcome certificate_parse(struct span bytes, X509 **ret, struct fault *f);
enum outcome certificate_der(X509 *c, struct buf *ret, struct fault *f);
enum outcome certificate_digests(X509 *c, struct signer *ret, struct fault *f);

/* Two people with one public key are an error in the policy: compares the keys of the certificates that belong to
 * the people (same order as policy->people; an empty span: not at hand). Also refuses a certificate whose digest is
 * not the person's fingerprint. */
enum outcome roster_check(const struct policy *p, const struct span *certificates, struct fault *f);

#endif
