#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/limits.h"
#include "estate/to_be_signed.h"

/* What a provisional key may sign: its own certificate and nothing else. */

struct made {
    struct buf tbs, spki;
};

static void der_of(struct buf *ret, unsigned char *der, int len)
{
    assert_true(len > 0);
    buf_put(ret, der, (size_t)len);
    OPENSSL_free(der);
}

static void name_set(X509_NAME *n, const char *text)
{
    assert_int_equal(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0), 1);
}

static void make(struct made *m, const char *issuer, const char *subject, bool other_key)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    X509 *c = X509_new();
    unsigned char *der = NULL;

    *m = (struct made){.tbs = BUF(LIMIT_CERTIFICATE), .spki = BUF(LIMIT_CERTIFICATE)};
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), 7);
    X509_gmtime_adj(X509_getm_notBefore(c), 0);
    X509_gmtime_adj(X509_getm_notAfter(c), 86400);
    name_set(X509_get_issuer_name(c), issuer);
    name_set(X509_get_subject_name(c), subject);
    X509_set_pubkey(c, other_key ? other : key);
    assert_true(X509_sign(c, key, EVP_sha256()) > 0);
    int len = i2d_re_X509_tbs(c, &der);
    der_of(&m->tbs, der, len);
    der = NULL;
    len = i2d_PUBKEY(key, &der);
    der_of(&m->spki, der, len);
    X509_free(c);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void clear(struct made *m)
{
    buf_free(&m->tbs);
    buf_free(&m->spki);
}

/* SHA-256 of the hash of these bytes, as a bare ECDSA or within a DigestInfo. */
static struct digest given(struct span tbs, const char *hash, bool info)
{
    static const uint8_t sha256_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                          0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0,    4,    32};
    uint8_t md[EVP_MAX_MD_SIZE];
    size_t len = 0;
    struct digest d;

    assert_int_equal(EVP_Q_digest(NULL, hash, NULL, tbs.data, tbs.len, md, &len), 1);
    assert_true(digest_of(&d, 2, (struct span){sha256_info, info ? sizeof sha256_info : 0}, (struct span){md, len}));
    return d;
}

static void refused(const struct made *m, struct digest data, const char *why)
{
    struct fault f = {OK, ""};

    assert_int_equal(self_signed_check(buf_span(&m->tbs), buf_span(&m->spki), &data, &f), E_REFUSED);
    assert_non_null(strstr(f.text, why));
}

static void its_own_certificate(void **state)
{
    static const char *const hashes[] = {"SHA256", "SHA384", "SHA512"};
    struct fault f = {OK, ""};
    struct made m;
    struct digest whole;

    (void)state;
    make(&m, "Root", "Root", false);
    for (size_t i = 0; i < 3; i++) {
        struct digest data = given(buf_span(&m.tbs), hashes[i], false);

        assert_int_equal(self_signed_check(buf_span(&m.tbs), buf_span(&m.spki), &data, &f), OK);
    }
    struct digest info = given(buf_span(&m.tbs), "SHA256", true);
    assert_int_equal(self_signed_check(buf_span(&m.tbs), buf_span(&m.spki), &info, &f), OK);
    assert_true(digest_one(&whole, buf_span(&m.tbs)));
    assert_int_equal(self_signed_check(buf_span(&m.tbs), buf_span(&m.spki), &whole, &f), OK);
    /* Another hash, other bytes, a byte more or less. */
    refused(&m, given(buf_span(&m.tbs), "SHA1", false), "not the certificate's");
    refused(&m, given(buf_span(&m.spki), "SHA256", false), "not the certificate's");
    buf_put(&m.tbs, "", 1);
    refused(&m, given(buf_span(&m.tbs), "SHA256", false), "no certificate");
    m.tbs.len -= 2;
    refused(&m, given(buf_span(&m.tbs), "SHA256", false), "no certificate");
    m.tbs.len = 0;
    refused(&m, given(buf_span(&m.tbs), "SHA256", false), "no certificate");
    clear(&m);
}

static void of_others(void **state)
{
    struct made m, csr;

    (void)state;
    make(&m, "Root", "Device", false);
    refused(&m, given(buf_span(&m.tbs), "SHA256", false), "issuer is not its subject");
    clear(&m);
    make(&m, "Root", "Root", true);
    refused(&m, given(buf_span(&m.tbs), "SHA256", false), "another key's");
    /* The inner part of a request for a certificate names no issuer at all. */
    X509_REQ *r = X509_REQ_new();
    unsigned char *der = NULL;
    name_set(X509_REQ_get_subject_name(r), "Root");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ_set_pubkey(r, key);
    csr = (struct made){.tbs = BUF(LIMIT_CERTIFICATE), .spki = m.spki};
    int len = i2d_re_X509_REQ_tbs(r, &der);
    der_of(&csr.tbs, der, len);
    refused(&csr, given(buf_span(&csr.tbs), "SHA256", false), "no certificate");
    buf_free(&csr.tbs);
    X509_REQ_free(r);
    EVP_PKEY_free(key);
    clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_own_certificate),
        cmocka_unit_test(of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
