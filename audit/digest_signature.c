#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "audit/document.h"
#include "audit/document_inner.h"

/* PKCS#11 writes r||s, each as long as the group's order; OpenSSL wants them in DER (RFC 3279 section 2.2.3). */
static bool ecdsa_to_der(EVP_PKEY *key, struct span raw, uint8_t **ret, size_t *ret_len)
{
    bool done = false;
    int half = (EVP_PKEY_get_bits(key) + 7) / 8, len = 0;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = NULL, *s = NULL;
    if (!sig || half <= 0 || raw.len != 2 * (size_t)half)
        goto out;
    r = BN_bin2bn(raw.data, half, NULL);
    s = BN_bin2bn(raw.data + half, half, NULL);
    if (!r || !s || !ECDSA_SIG_set0(sig, r, s))
        goto out;
    r = s = NULL; /* taken by sig */
    len = i2d_ECDSA_SIG(sig, ret);
    if (len <= 0)
        goto out;
    *ret_len = (size_t)len;
    done = true;
out:
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return done;
}

EVP_PKEY *spki_read(struct span spki)
{
    const uint8_t *p = spki.data;
    if (spki.len == 0 || spki.len > 1 << 16)
        return NULL;
    EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &p, (long)spki.len, crypto_context(), NULL);
    if (key && p == spki.data + spki.len)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* Ed25519 hashes by itself (RFC 8032, section 5.1.7): what is signed is the digest's bytes. */
static bool verify_edwards(EVP_PKEY *key, const struct digest *digest, struct span signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool holds = ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, crypto_context(), NULL, key, NULL) == 1 &&
                 EVP_DigestVerify(ctx, signature.data, signature.len, digest->bytes, sizeof digest->bytes) == 1;
    EVP_MD_CTX_free(ctx);
    return holds;
}

static bool verify(EVP_PKEY *key, bool rsa, const struct digest *digest, const uint8_t *signature, size_t len)
{
    bool holds = false;
    EVP_MD *sha256 = EVP_MD_fetch(crypto_context(), "SHA256", NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(crypto_context(), key, NULL);
    if (!sha256 || !ctx || EVP_PKEY_verify_init(ctx) != 1 || EVP_PKEY_CTX_set_signature_md(ctx, sha256) != 1)
        goto out;
    if (rsa && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1)
        goto out;
    holds = EVP_PKEY_verify(ctx, signature, len, digest->bytes, sizeof digest->bytes) == 1;
out:
    EVP_PKEY_CTX_free(ctx);
    EVP_MD_free(sha256);
    return holds;
}

enum outcome digest_signature_verify(struct span spki, const struct digest *digest, struct span signature,
                                     struct fault *f)
{
    enum outcome rc = E_REFUSED;
    uint8_t *der = NULL;
    size_t der_len = 0;
    EVP_PKEY *key = spki_read(spki);
    bool rsa = key && EVP_PKEY_is_a(key, "RSA"), ec = key && EVP_PKEY_is_a(key, "EC");
    bool edwards = key && EVP_PKEY_is_a(key, "ED25519");
    if (!rsa && !ec && !edwards) {
        rc = fault_set(f, E_INVALID, "not a public EC, Ed25519 or RSA key");
        goto out;
    }
    if (ec && !ecdsa_to_der(key, signature, &der, &der_len)) {
        rc = fault_set(f, E_REFUSED, "the signature has not the length that this key makes");
        goto out;
    }
    if (edwards ? !verify_edwards(key, digest, signature)
                : !verify(key, rsa, digest, ec ? der : signature.data, ec ? der_len : signature.len)) {
        rc = fault_set(f, E_REFUSED, "the signature does not hold");
        goto out;
    }
    rc = OK;
out:
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    return rc;
}

enum outcome question_answered(const struct site_question *asked, const char *what,
                               const struct site_question *answered, const struct digest *digest, struct span signature,
                               struct fault *f)
{
    const char *wrong = NULL;
    if (!digest_equal(&answered->estate, &asked->estate))
        wrong = "estate";
    else if (!digest_equal(&answered->challenge, &asked->challenge))
        wrong = "challenge";
    else if (strcmp(answered->token, asked->token) != 0 || strcmp(answered->site, asked->site) != 0)
        wrong = "site";
    else if (strcmp(answered->serial, asked->serial) != 0)
        wrong = "serial number";
    if (wrong)
        return fault_set(f, E_REFUSED, "the %s of %s at %s is for another %s", what, asked->token, asked->site, wrong);
    if (digest_signature_verify(asked->identity, digest, signature, f))
        return fault_context(f, "the identity signature of %s at %s", asked->token, asked->site);
    return OK;
}
