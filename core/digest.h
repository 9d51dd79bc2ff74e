#ifndef QUORATE_CORE_DIGEST_H
#define QUORATE_CORE_DIGEST_H

#include <openssl/types.h>

#include "core/buf.h"
#include "core/fault.h"

/* SHA-256. In documents: 64 lower-case hex digits; in policies "sha256:" before them (a fingerprint). */
struct digest {
    uint8_t bytes[32];
};
struct digest_text {
    char hex[65];
};

/* Hashes the parts one after the other. Cannot fail but for a broken libcrypto: then the digest is all zero and
 * false is returned. */
bool digest_of(struct digest *ret, size_t parts, ...); /* struct span arguments */
bool digest_one(struct digest *ret, struct span bytes);
bool digest_equal(const struct digest *a, const struct digest *b);
struct digest_text digest_hex(const struct digest *d);
enum outcome digest_parse(const char *hex, struct digest *ret, struct fault *f);
enum outcome digest_parse_prefixed(const char *text, struct digest *ret, struct fault *f); /* "sha256:hex" */

bool random_bytes(void *ret, size_t len);

/* Our own OpenSSL library context: the host's configuration and the environment do not reach it. NULL if libcrypto
 * is broken. Never freed. */
OSSL_LIB_CTX *crypto_context(void);

#endif
