#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "audit/note.h"

static bool public_half(EVP_PKEY *key, uint8_t ret_public[32])
{
    size_t len = 32;
    return EVP_PKEY_is_a(key, "ED25519") && EVP_PKEY_get_raw_public_key(key, ret_public, &len) && len == 32;
}

enum outcome log_key_generate(EVP_PKEY **ret, struct buf *ret_pem, uint8_t ret_public[32], struct fault *f)
{
    enum outcome rc = E_IO;
    const char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    EVP_PKEY *key = EVP_PKEY_Q_keygen(crypto_context(), NULL, "ED25519");
    if (!bio || !key || !public_half(key, ret_public) ||
        !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) {
        fault_set(f, rc, "libcrypto cannot make an Ed25519 key");
        goto out;
    }
    long len = BIO_get_mem_data(bio, &pem);
    buf_put(ret_pem, pem, len > 0 ? (size_t)len : 0);
    if (len <= 0 || ret_pem->failed) {
        rc = fault_memory(f);
        goto out;
    }
    *ret = key;
    key = NULL; /* taken by the caller */
    rc = OK;
out:
    EVP_PKEY_free(key);
    BIO_free(bio);
    return rc;
}

/* libcrypto would ask on the terminal of whoever hosts us. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    (void)text, (void)size, (void)writing, (void)context;
    return -1;
}

enum outcome log_key_load(struct span pem, EVP_PKEY **ret, uint8_t ret_public[32], struct fault *f)
{
    enum outcome rc = E_INVALID;
    EVP_PKEY *key = NULL;
    BIO *bio = pem.len > INT32_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
    if (bio)
        key = PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, NULL, crypto_context(), NULL);
    if (!key || !public_half(key, ret_public)) {
        fault_set(f, rc, "not an Ed25519 private key in PKCS#8 PEM without passphrase");
        goto out;
    }
    *ret = key;
    key = NULL; /* taken by the caller */
    rc = OK;
out:
    EVP_PKEY_free(key);
    BIO_free(bio);
    return rc;
}
