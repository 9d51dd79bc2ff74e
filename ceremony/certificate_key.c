#include "ceremony/certificate_key.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/certificate_der.h"
#include "core/digest.h"

#define EC_PUBLIC_KEY "1.2.840.10045.2.1"
#define RSA_ENCRYPTION "1.2.840.113549.1.1.1"
#define ED25519 "1.3.101.112" /* RFC 8410, section 3: without parameters; 32 octets */
#define ED25519_LEN 32
#define POINT_UNCOMPRESSED 0x04 /* SEC 1, section 2.3.3 */

static const struct {
    const char *type, *oid;
} curves[] = {{"EC:P-256", "1.2.840.10045.3.1.7"}, {"EC:P-384", "1.3.132.0.34"}, {"EC:P-521", "1.3.132.0.35"}};

static const struct {
    const char *digest, *ecdsa, *rsa;
} signature_oids[] = {{"SHA256", "1.2.840.10045.4.3.2", "1.2.840.113549.1.1.11"},
                      {"SHA384", "1.2.840.10045.4.3.3", "1.2.840.113549.1.1.12"},
                      {"SHA512", "1.2.840.10045.4.3.4", "1.2.840.113549.1.1.13"}};

/* AlgorithmIdentifier and bits. */
static bool spki_take(struct span spki, struct span *ret_algorithm, struct span *ret_bits)
{
    struct span whole = {NULL, 0}, rest = spki;

    if (!der_take(&rest, DER_SEQUENCE, &whole, NULL) || rest.len > 0 ||
        !der_take(&whole, DER_SEQUENCE, NULL, ret_algorithm) || !der_take(&whole, DER_BIT_STRING, ret_bits, NULL))
        return false;
    return whole.len == 0 && ret_bits->len > 1 && ret_bits->data[0] == 0; /* no unused bits */
}

/* Its parameters: a curve; NULL: the NULL of RSA; "": none. */
static bool algorithm_is(struct span algorithm, const char *oid, const char *curve)
{
    struct buf b = BUF(64);
    size_t whole = der_begin(&b, DER_SEQUENCE);
    bool same = false;

    der_put_oid(&b, oid);
    if (curve != NULL && *curve != '\0')
        der_put_oid(&b, curve);
    else if (curve == NULL)
        der_put(&b, DER_NULL, span_of(NULL, 0));
    der_end(&b, whole);
    same = !b.failed && span_equal(buf_span(&b), algorithm);
    buf_free(&b);
    return same;
}

enum outcome spki_open(struct span spki, EVP_PKEY **ret, char ret_type[16], struct fault *f)
{
    struct span algorithm = {NULL, 0}, bits = {NULL, 0};
    const unsigned char *at = spki.data;
    EVP_PKEY *key = NULL;
    char type[16] = "";
    enum outcome o = OK;

    if (spki.len > 0 && spki.len <= INT32_MAX && spki_take(spki, &algorithm, &bits))
        key = d2i_PUBKEY_ex(NULL, &at, (long)spki.len, crypto_context(), NULL);
    for (size_t i = 0; key != NULL && i < sizeof curves / sizeof *curves; i++) {
        if (algorithm_is(algorithm, EC_PUBLIC_KEY, curves[i].oid) && bits.data[1] == POINT_UNCOMPRESSED)
            snprintf(type, sizeof type, "%s", curves[i].type);
    }
    if (key != NULL && algorithm_is(algorithm, ED25519, "") && bits.len == 1 + ED25519_LEN)
        snprintf(type, sizeof type, "EC:Ed25519");
    if (key != NULL && algorithm_is(algorithm, RSA_ENCRYPTION, NULL))
        snprintf(type, sizeof type, "RSA:%d", EVP_PKEY_get_bits(key));
    if (type[0] == '\0') {
        o = fault_set(f, E_REFUSED,
                      "the public key is not one that a certificate here can hold; EC on P-256, P-384 or P-521 with an "
                      "uncompressed point, Ed25519, or RSA, was expected");
    } else {
        memcpy(ret_type, type, sizeof type);
        *ret = key;
        key = NULL; /* the caller's */
    }
    EVP_PKEY_free(key);
    ERR_clear_error();
    return o;
}

bool key_hashes(const char *type)
{
    return strcmp(type, "EC:Ed25519") != 0;
}

void signature_algorithm_put(struct buf *b, const char *type, const char *digest)
{
    bool rsa = strncmp(type, "RSA:", 4) == 0;
    const char *oid = key_hashes(type) ? "" : ED25519;
    size_t whole = 0;

    for (size_t i = 0; i < sizeof signature_oids / sizeof *signature_oids; i++) {
        if (key_hashes(type) && strcmp(signature_oids[i].digest, digest) == 0)
            oid = rsa ? signature_oids[i].rsa : signature_oids[i].ecdsa;
    }
    whole = der_begin(b, DER_SEQUENCE);
    der_put_oid(b, oid);
    if (rsa)
        der_put(b, DER_NULL, span_of(NULL, 0));
    der_end(b, whole);
}

enum outcome key_identifier(struct span spki, uint8_t ret[KEY_IDENTIFIER_LEN], struct fault *f)
{
    struct span algorithm = {NULL, 0}, bits = {NULL, 0};
    uint8_t hash[20];
    size_t len = 0;

    if (!spki_take(spki, &algorithm, &bits))
        return fault_set(f, E_INVALID, "not a SubjectPublicKeyInfo in DER");
    if (EVP_Q_digest(crypto_context(), "SHA1", NULL, bits.data + 1, bits.len - 1, hash, &len) != 1 ||
        len != sizeof hash) {
        ERR_clear_error();
        return fault_set(f, E_IO, "libcrypto does not hash with SHA-1, which key identifiers are made of");
    }
    memcpy(ret, hash + sizeof hash - KEY_IDENTIFIER_LEN, KEY_IDENTIFIER_LEN);
    ret[0] = (uint8_t)(0x40 | (ret[0] & 0x0f));
    return OK;
}
