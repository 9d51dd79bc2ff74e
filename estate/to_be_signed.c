#include "estate/to_be_signed.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/limits.h"

/* DigestInfo of RFC 8017, section 9.2, note 1, up to the digest. */
static const struct {
    const char *name;
    uint8_t info[19];
} hashes[] = {
    {"SHA2-256",
     {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0, 4, 32}},
    {"SHA2-384",
     {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0, 4, 48}},
    {"SHA2-512",
     {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0, 4, 64}},
};

static bool is_data(const struct digest *data, struct span a, struct span b)
{
    struct digest d;

    return digest_of(&d, 2, a, b) && digest_equal(&d, data);
}

static bool matches_by(const struct digest *data, size_t hash, struct span tbs)
{
    uint8_t md[EVP_MAX_MD_SIZE];
    size_t len = 0;
    struct span digest;

    if (EVP_Q_digest(crypto_context(), hashes[hash].name, NULL, tbs.data, tbs.len, md, &len) != 1)
        return false;
    digest = (struct span){md, len};
    return is_data(data, (struct span){NULL, 0}, digest) ||
           is_data(data, (struct span){hashes[hash].info, sizeof hashes[hash].info}, digest);
}

bool to_be_signed_is(struct span tbs, const struct digest *data)
{
    bool matches = is_data(data, (struct span){NULL, 0}, tbs);

    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        matches = matches || matches_by(data, i, tbs);
    return matches;
}

/* A certificate around these bytes, its signature empty: libcrypto reads no TBSCertificate by itself. NULL: they are none. */
static X509 *certificate_around(struct span tbs)
{
    static const uint8_t rest[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
                                   0x3d, 0x04, 0x03, 0x02, 0x03, 0x01, 0x00}; /* ecdsa-with-SHA256, no bits */
    const size_t len = tbs.len + sizeof rest;
    const uint8_t header[] = {0x30, 0x82, (uint8_t)(len >> 8), (uint8_t)len}, shorter[] = {0x30, 0x81, (uint8_t)len};
    struct buf der = BUF(LIMIT_CERTIFICATE);
    X509 *made = NULL;

    if (len > UINT8_MAX)
        buf_put(&der, header, sizeof header);
    else
        buf_put(&der, shorter, sizeof shorter);
    buf_put(&der, tbs.data, tbs.len);
    buf_put(&der, rest, sizeof rest);
    if (!der.failed && len > 0x7f) { /* a shorter one would have another header yet; no certificate is so short */
        const unsigned char *at = der.data;

        made = d2i_X509(NULL, &at, (long)der.len);
        if (made != NULL && at != der.data + der.len) {
            X509_free(made);
            made = NULL;
        }
    }
    ERR_clear_error();
    buf_free(&der);
    return made;
}

static bool names_equal(const X509 *c)
{
    const unsigned char *issuer = NULL, *subject = NULL;
    size_t issuer_len = 0, subject_len = 0;

    return X509_NAME_get0_der(X509_get_issuer_name(c), &issuer, &issuer_len) == 1 &&
           X509_NAME_get0_der(X509_get_subject_name(c), &subject, &subject_len) == 1 &&
           span_equal((struct span){issuer, issuer_len}, (struct span){subject, subject_len});
}

static bool key_equal(const X509 *c, struct span spki)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &der);
    bool equal = len > 0 && span_equal((struct span){der, (size_t)len}, spki);

    OPENSSL_free(der);
    return equal;
}

enum outcome self_signed_check(struct span tbs, struct span spki, const struct digest *data, struct fault *f)
{
    X509 *c = certificate_around(tbs);
    enum outcome outcome = OK;

    if (c == NULL)
        outcome = fault_set(f, E_REFUSED, "what is to be signed is no certificate");
    else if (!names_equal(c))
        outcome = fault_set(f, E_REFUSED, "the certificate's issuer is not its subject");
    else if (!key_equal(c, spki))
        outcome = fault_set(f, E_REFUSED, "the certificate is another key's");
    else if (!to_be_signed_is(tbs, data))
        outcome = fault_set(f, E_REFUSED, "what the HSM is given is not the certificate's");
    X509_free(c);
    return outcome;
}
