#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "core/limits.h"
#include "policy/signature.h"

/* Exactly one DER certificate, in its only encoding. */
static enum outcome parse_der(struct span bytes, X509 **ret, struct fault *f)
{
    X509 *c = X509_new_ex(crypto_context(), NULL);
    const unsigned char *at = bytes.data;
    unsigned char *again = NULL;
    int len = 0;
    enum outcome o = E_INVALID;

    if (c == NULL)
        return fault_memory(f);
    if (d2i_X509(&c, &at, (long)bytes.len) == NULL) {
        c = NULL; /* freed by the decoder */
        o = fault_set(f, E_INVALID, "not a certificate");
        goto out;
    }
    len = i2d_X509(c, &again);
    if (len < 0 || at != bytes.data + bytes.len || !span_equal(bytes, span_of(again, (size_t)len))) {
        o = fault_set(f, E_INVALID, "the certificate is not strict DER, or has bytes after its end");
        goto out;
    }
    *ret = c;
    c = NULL; /* taken by the caller */
    o = OK;
out:
    OPENSSL_free(again);
    X509_free(c);
    return o;
}

static enum outcome parse_pem(struct span bytes, X509 **ret, struct fault *f)
{
    BIO *bio = BIO_new_mem_buf(bytes.data, (int)bytes.len);
    char *name = NULL, *header = NULL, *second = NULL, *second_header = NULL;
    unsigned char *der = NULL, *second_der = NULL;
    long len = 0, second_len = 0;
    enum outcome o = E_INVALID;

    if (bio == NULL)
        return fault_memory(f);
    if (PEM_read_bio(bio, &name, &header, &der, &len) != 1) {
        o = fault_set(f, E_INVALID, "neither a PEM nor a DER certificate");
        goto out;
    }
    if (strcmp(name, PEM_STRING_X509) != 0 || *header != '\0' ||
        PEM_read_bio(bio, &second, &second_header, &second_der, &second_len) == 1) {
        o = fault_set(f, E_INVALID, "expected one certificate and nothing else in the PEM file");
        goto out;
    }
    o = parse_der(span_of(der, (size_t)len), ret, f);
out:
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    OPENSSL_free(second);
    OPENSSL_free(second_header);
    OPENSSL_clear_free(second_der, (size_t)second_len);
    BIO_free(bio);
    return o;
}

enum outcome certificate_parse(struct span bytes, X509 **ret, struct fault *f)
{
    enum outcome o = E_INVALID;

    if (bytes.len == 0 || bytes.len > LIMIT_CERTIFICATE)
        return fault_set(f, E_INVALID, "a certificate has between 1 and %u bytes, this file %zu", LIMIT_CERTIFICATE,
                         bytes.len);
    ERR_set_mark();
    /* DER of a certificate is a SEQUENCE (X.690, 8.9: 0x30). */
    o = bytes.data[0] == 0x30 ? parse_der(bytes, ret, f) : parse_pem(bytes, ret, f);
    ERR_pop_to_mark();
    return o;
}

enum outcome certificate_der(X509 *c, struct buf *ret, struct fault *f)
{
    unsigned char *der = NULL;
    int len = i2d_X509(c, &der);

    if (len > 0)
        buf_put(ret, der, (size_t)len);
    OPENSSL_free(der);
    return len <= 0 || ret->failed ? fault_memory(f) : OK;
}

enum outcome certificate_digests(X509 *c, struct signer *ret, struct fault *f)
{
    unsigned char *der = NULL, *spki = NULL;
    int der_len = i2d_X509(c, &der), spki_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &spki);
    struct signer made;
    enum outcome o = E_IO;

    if (der_len <= 0 || spki_len <= 0 || !digest_one(&made.fingerprint, span_of(der, (size_t)der_len)) ||
        !digest_one(&made.public_key, span_of(spki, (size_t)spki_len))) {
        o = fault_set(f, E_IO, "the certificate could not be hashed: libcrypto is broken or out of memory");
        goto out;
    }
    *ret = made;
    o = OK;
out:
    OPENSSL_free(der);
    OPENSSL_free(spki);
    return o;
}

static enum outcome person_signer(const struct policy *p, const struct person *h, struct span certificate,
                                  struct signer *ret, struct fault *f)
{
    X509 *c = NULL;
    struct signer made;
    enum outcome o = certificate_parse(certificate, &c, f);

    if (o == OK)
        o = certificate_digests(c, &made, f);
    X509_free(c);
    if (o != OK) {
        fault_context(f, "%s:%u: the certificate of %s", p->file, h->line, h->id);
        return o;
    }
    if (!digest_equal(&made.fingerprint, &h->fingerprint))
        return fault_set(f, E_REFUSED, "%s:%u: the certificate of %s is sha256:%s, and the policy says sha256:%s",
                         p->file, h->line, h->id, digest_hex(&made.fingerprint).hex, digest_hex(&h->fingerprint).hex);
    *ret = made;
    return OK;
}

enum outcome roster_check(const struct policy *p, const struct span *certificates, struct fault *f)
{
    struct signer *signers = OPENSSL_zalloc((p->person_count + 1) * sizeof *signers);
    enum outcome o = signers == NULL ? fault_memory(f) : OK;

    for (size_t i = 0; o == OK && i < p->person_count; i++) {
        if (certificates[i].len == 0)
            continue;
        o = person_signer(p, &p->people[i], certificates[i], &signers[i], f);
        for (size_t k = 0; o == OK && k < i; k++)
            if (certificates[k].len > 0 && digest_equal(&signers[k].public_key, &signers[i].public_key))
                o = fault_set(f, E_REFUSED,
                              "%s:%u: %s and %s have one public key; every person needs a key of their own", p->file,
                              p->people[i].line, p->people[k].id, p->people[i].id);
    }
    OPENSSL_free(signers);
    return o;
}
