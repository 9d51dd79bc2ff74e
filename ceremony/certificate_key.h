#ifndef QUORATE_CEREMONY_CERTIFICATE_KEY_H
#define QUORATE_CEREMONY_CERTIFICATE_KEY_H

#include <openssl/evp.h>

#include "core/buf.h"
#include "core/fault.h"

/* Public keys as certificates hold them (internal to ceremony/certificate*.c). */

#define KEY_IDENTIFIER_LEN 8

/* The key of a SubjectPublicKeyInfo: EC on a named curve with an uncompressed point, Ed25519 (RFC 8410), or RSA; anything
 * else, and a byte more, is refused. *ret is the caller's; ret_type: "EC:P-256", "EC:Ed25519", "RSA:3072". */
enum outcome spki_open(struct span spki, EVP_PKEY **ret, char ret_type[16], struct fault *f);

/* Whether a hash stands between such a key and what it signs: Ed25519 takes the message itself (RFC 8032). */
bool key_hashes(const char *type);

/* AlgorithmIdentifier of a signature by such a key (RFC 5758, RFC 4055, RFC 8410). Fails b for an unknown digest. */
void signature_algorithm_put(struct buf *b, const char *type, const char *digest);

/* RFC 5280, section 4.2.1.2, method 2: 0100, then the last 60 bits of SHA-1 of the key's bits. */
enum outcome key_identifier(struct span spki, uint8_t ret[KEY_IDENTIFIER_LEN], struct fault *f);

#endif
