#include <openssl/err.h>
#include <string.h>

#include "ceremony/certificate.h"
#include "ceremony/certificate_der.h"
#include "ceremony/certificate_key.h"
#include "core/limits.h"

/* SEQUENCE { what is signed, AlgorithmIdentifier, BIT STRING }: certificates and CSRs alike. */
struct parts {
    struct span tbs, algorithm, signature;
};

static enum outcome parts_open(struct span der, struct parts *ret, struct fault *f)
{
    struct span rest = der, whole = {NULL, 0};
    struct parts p = {0};

    if (!der_take(&rest, DER_SEQUENCE, &whole, NULL))
        return fault_set(f, E_REFUSED, "no signed structure in DER: its length is not that of its %zu bytes", der.len);
    if (rest.len > 0)
        return fault_set(f, E_REFUSED, "%zu bytes follow the signed structure; nothing was expected there", rest.len);
    if (!der_take(&whole, DER_SEQUENCE, NULL, &p.tbs))
        return fault_set(f, E_REFUSED, "what is signed is not DER");
    if (!der_take(&whole, DER_SEQUENCE, NULL, &p.algorithm))
        return fault_set(f, E_REFUSED, "the signature's algorithm is not DER");
    if (!der_take(&whole, DER_BIT_STRING, &p.signature, NULL) || p.signature.len < 2 || p.signature.data[0] != 0 ||
        whole.len > 0)
        return fault_set(f, E_REFUSED, "the signature is not the BIT STRING that ends the structure");
    p.signature = span_of(p.signature.data + 1, p.signature.len - 1); /* without the count of unused bits: 0 */
    *ret = p;
    return OK;
}

enum outcome signed_structure_open(struct span der, struct span *ret_tbs, struct fault *f)
{
    struct parts p = {0};
    enum outcome o = parts_open(der, &p, f);

    if (o == OK)
        *ret_tbs = p.tbs;
    return o;
}

enum outcome signed_structure_check(struct span der, struct span public_key, const char *digest, struct fault *f)
{
    struct parts p = {0};
    struct buf algorithm = BUF(64);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY *key = NULL;
    char type[16] = "";
    enum outcome o = context != NULL ? parts_open(der, &p, f) : fault_memory(f);

    if (o == OK)
        o = spki_open(public_key, &key, type, f);
    if (o != OK)
        goto out;
    signature_algorithm_put(&algorithm, type, digest);
    if (algorithm.failed || !span_equal(buf_span(&algorithm), p.algorithm))
        o = fault_set(f, E_REFUSED, "signature algorithm: not the one that a key of type %s and %s make", type, digest);
    else if (EVP_DigestVerifyInit_ex(context, NULL, key_hashes(type) ? digest : NULL, crypto_context(), NULL, key,
                                     NULL) != 1 ||
             EVP_DigestVerify(context, p.signature.data, p.signature.len, p.tbs.data, p.tbs.len) != 1)
        o = fault_set(f, E_REFUSED, "signature: it does not hold by the issuer's key");
out:
    ERR_clear_error();
    EVP_PKEY_free(key);
    EVP_MD_CTX_free(context);
    buf_free(&algorithm);
    return o;
}

static enum outcome structure_put(struct span tbs, const char *type, const char *digest, struct span signature,
                                  struct buf *b, struct fault *f)
{
    size_t whole = der_begin(b, DER_SEQUENCE);

    buf_put(b, tbs.data, tbs.len);
    signature_algorithm_put(b, type, digest);
    der_put_bits(b, signature);
    der_end(b, whole);
    return b->failed ? fault_memory(f) : OK;
}

enum outcome signed_structure_make(EVP_PKEY *key, struct span public_key, const char *digest, struct span tbs,
                                   struct buf *ret_der, struct fault *f)
{
    struct buf der = BUF(LIMIT_CERTIFICATE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY *public = NULL;
    uint8_t signature[1024];
    size_t len = sizeof signature;
    char type[16] = "";
    enum outcome o = context != NULL ? spki_open(public_key, &public, type, f) : fault_memory(f);

    if (o != OK)
        goto out;
    if (EVP_DigestSignInit_ex(context, NULL, key_hashes(type) ? digest : NULL, crypto_context(), NULL, key, NULL) !=
            1 ||
        EVP_DigestSign(context, signature, &len, tbs.data, tbs.len) != 1) {
        o = fault_set(f, E_DEVICE, "the key does not sign");
        goto out;
    }
    o = structure_put(tbs, type, digest, span_of(signature, len), &der, f);
    if (o == OK && signed_structure_check(buf_span(&der), public_key, digest, f) != OK) {
        fault_set(f, E_DEVICE, "what was signed does not verify by the key's public half; nothing was kept");
        o = E_DEVICE;
    }
    if (o == OK) {
        buf_put(ret_der, der.data, der.len);
        o = ret_der->failed ? fault_memory(f) : OK;
    }
out:
    ERR_clear_error();
    EVP_PKEY_free(public);
    EVP_MD_CTX_free(context);
    buf_free(&der);
    return o;
}

enum outcome signed_structure_join(struct span raw, struct span public_key, const char *digest, struct span tbs,
                                   struct buf *ret_der, struct fault *f)
{
    struct buf signature = BUF(1024), der = BUF(LIMIT_CERTIFICATE);
    EVP_PKEY *public = NULL;
    char type[16] = "";
    enum outcome o = spki_open(public_key, &public, type, f);

    EVP_PKEY_free(public);
    if (o != OK)
        return o;
    if (strncmp(type, "RSA:", 4) == 0 || !key_hashes(type)) {
        buf_put(&signature, raw.data, raw.len);
    } else { /* Ecdsa-Sig-Value, RFC 3279, section 2.2.3 */
        size_t pair = der_begin(&signature, DER_SEQUENCE);

        der_put_unsigned(&signature, span_of(raw.data, raw.len / 2));
        der_put_unsigned(&signature, span_of(raw.data + raw.len / 2, raw.len - raw.len / 2));
        der_end(&signature, pair);
    }
    o = signature.failed ? fault_memory(f) : structure_put(tbs, type, digest, buf_span(&signature), &der, f);
    if (o == OK)
        o = signed_structure_check(buf_span(&der), public_key, digest, f);
    if (o == OK) {
        buf_put(ret_der, der.data, der.len);
        o = ret_der->failed ? fault_memory(f) : OK;
    }
    buf_free(&signature);
    buf_free(&der);
    return o;
}

/* DigestInfo (RFC 8017, section 9.2). */
static void digest_info_put(struct buf *b, const char *digest, struct span hash)
{
    static const struct {
        const char *digest, *oid;
    } hashes[] = {{"SHA256", "2.16.840.1.101.3.4.2.1"},
                  {"SHA384", "2.16.840.1.101.3.4.2.2"},
                  {"SHA512", "2.16.840.1.101.3.4.2.3"}};
    size_t info = der_begin(b, DER_SEQUENCE), algorithm = der_begin(b, DER_SEQUENCE);

    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        if (strcmp(hashes[i].digest, digest) == 0)
            der_put_oid(b, hashes[i].oid);
    }
    der_put(b, DER_NULL, span_of(NULL, 0));
    der_end(b, algorithm);
    der_put(b, DER_OCTET_STRING, hash);
    der_end(b, info);
}

enum outcome signed_data_digest(struct span public_key, const char *digest, struct span tbs, struct digest *ret,
                                struct fault *f)
{
    struct buf data = BUF(LIMIT_CERTIFICATE);
    EVP_PKEY *key = NULL;
    uint8_t hash[EVP_MAX_MD_SIZE];
    size_t len = 0;
    char type[16] = "";
    enum outcome o = spki_open(public_key, &key, type, f);

    EVP_PKEY_free(key);
    if (o != OK)
        return o;
    if (!key_hashes(type))
        buf_put(&data, tbs.data, tbs.len);
    else if (EVP_Q_digest(crypto_context(), digest, NULL, tbs.data, tbs.len, hash, &len) != 1)
        o = fault_set(f, E_INVALID, "libcrypto knows no hash %s", digest);
    else if (strncmp(type, "RSA:", 4) == 0)
        digest_info_put(&data, digest, span_of(hash, len));
    else
        buf_put(&data, hash, len);
    if (o == OK && (data.failed || !digest_one(ret, buf_span(&data))))
        o = fault_memory(f);
    ERR_clear_error();
    buf_free(&data);
    return o;
}

/* r or s, as long as the curve's order. */
static bool half_put(struct span *rest, size_t size, struct buf *b)
{
    struct span number = {NULL, 0};

    if (!der_take(rest, DER_INTEGER, &number, NULL))
        return false;
    if (number.len == size + 1 && number.data[0] == 0)
        number = span_of(number.data + 1, size);
    if (number.len > size)
        return false;
    for (size_t i = number.len; i < size; i++)
        buf_put(b, "", 1);
    buf_put(b, number.data, number.len);
    return !b->failed;
}

enum outcome signed_signature_digest(struct span der, struct span public_key, struct digest *ret, struct fault *f)
{
    struct parts p = {0};
    struct buf raw = BUF(1024);
    struct span rest = {NULL, 0}, pair = {NULL, 0};
    EVP_PKEY *key = NULL;
    char type[16] = "";
    enum outcome o = parts_open(der, &p, f);

    if (o == OK)
        o = spki_open(public_key, &key, type, f);
    if (o != OK)
        goto out;
    rest = p.signature;
    if (strncmp(type, "RSA:", 4) == 0 || !key_hashes(type)) {
        buf_put(&raw, rest.data, rest.len);
    } else {
        size_t size = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;

        if (!der_take(&rest, DER_SEQUENCE, &pair, NULL) || rest.len > 0 || !half_put(&pair, size, &raw) ||
            !half_put(&pair, size, &raw) || pair.len > 0)
            o = fault_set(f, E_REFUSED, "signature: not two numbers of the curve's length");
    }
    if (o == OK && (raw.failed || !digest_one(ret, buf_span(&raw))))
        o = fault_memory(f);
out:
    EVP_PKEY_free(key);
    buf_free(&raw);
    return o;
}
