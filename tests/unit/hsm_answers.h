#ifndef QUORATE_TESTS_HSM_ANSWERS_H
#define QUORATE_TESTS_HSM_ANSWERS_H

/* What an HSM would give out of a key that the test holds. */

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "audit_fixture.h"

static inline struct buf spki_of(EVP_PKEY *key)
{
    uint8_t *der = NULL;
    struct buf b = BUF(4096);
    int len = i2d_PUBKEY(key, &der);
    assert_true(len > 0);
    buf_put(&b, der, (size_t)len);
    OPENSSL_free(der);
    return b;
}

static inline struct buf signed_by_edwards(EVP_PKEY *key, const struct digest *d)
{
    struct buf b = BUF(64);
    uint8_t out[64];
    size_t len = sizeof out;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, NULL, crypto_context(), NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSign(ctx, out, &len, d->bytes, 32), 1);
    EVP_MD_CTX_free(ctx);
    buf_put(&b, out, len);
    return b;
}

/* As an HSM answers CKM_ECDSA, CKM_RSA_PKCS and CKM_EDDSA: r||s, PKCS#1 v1.5, or RFC 8032's. */
static inline struct buf signed_by(EVP_PKEY *key, const struct digest *d)
{
    if (EVP_PKEY_is_a(key, "ED25519"))
        return signed_by_edwards(key, d);
    struct buf b = BUF(4096);
    uint8_t out[1024];
    size_t len = sizeof out;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(crypto_context(), key, NULL);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    if (EVP_PKEY_is_a(key, "RSA")) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()), 1);
    }
    assert_int_equal(EVP_PKEY_sign(ctx, out, &len, d->bytes, 32), 1);
    EVP_PKEY_CTX_free(ctx);
    if (EVP_PKEY_is_a(key, "RSA")) {
        buf_put(&b, out, len);
        return b;
    }
    const uint8_t *p = out;
    int half = (EVP_PKEY_get_bits(key) + 7) / 8;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
    assert_non_null(sig);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, half), half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, half), half);
    ECDSA_SIG_free(sig);
    buf_put(&b, out, 2 * (size_t)half);
    return b;
}

#endif
