#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "core/limits.h"
#include "policy/signature.h"

/* Signatures as stock libcrypto makes them, and what must not pass for one. */

struct holder {
    EVP_PKEY *key;
    X509 *certificate;
    struct buf der;
    struct signer digests;
};

static struct holder ec, ec_twin, ec_other, rsa; /* the twin: same issuer and serial as ec, another key */
static const struct span document = {(const uint8_t *)"{\"type\":\"quorate/request/v1\"}", 29};

static void holder_make(struct holder *h, EVP_PKEY *key, const char *name, long serial)
{
    struct fault f = {0};
    X509_NAME *subject = NULL;
    X509_EXTENSION *ski = NULL;
    char id[] = "01:02:03:00";

    id[10] = (char)('0' + serial);
    h->der = BUF(LIMIT_CERTIFICATE);
    h->key = key;
    h->certificate = X509_new();
    assert_non_null(h->key);
    assert_non_null(h->certificate);
    subject = X509_get_subject_name(h->certificate);
    assert_int_equal(X509_set_version(h->certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(h->certificate), serial), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(h->certificate, subject), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(h->certificate), -1000));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(h->certificate), -500)); /* validity is the roster's business */
    assert_int_equal(X509_set_pubkey(h->certificate, h->key), 1);
    ski = X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_key_identifier, id);
    assert_int_equal(X509_add_ext(h->certificate, ski, -1), 1);
    X509_EXTENSION_free(ski);
    assert_true(X509_sign(h->certificate, h->key, EVP_sha256()) > 0);
    assert_int_equal(certificate_der(h->certificate, &h->der, &f), OK);
    assert_int_equal(certificate_digests(h->certificate, &h->digests, &f), OK);
}

static void holder_free(struct holder *h)
{
    EVP_PKEY_free(h->key);
    X509_free(h->certificate);
    buf_free(&h->der);
}

static int setup(void **state)
{
    (void)state;
    holder_make(&ec, EVP_EC_gen("P-256"), "custodian-1", 1);
    holder_make(&ec_twin, EVP_EC_gen("P-256"), "custodian-1", 1);
    holder_make(&ec_other, EVP_EC_gen("P-384"), "custodian-2", 2);
    holder_make(&rsa, EVP_RSA_gen(2048), "custodian-3", 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    holder_free(&ec);
    holder_free(&ec_twin);
    holder_free(&ec_other);
    holder_free(&rsa);
    return 0;
}

/* What `openssl cms -sign -binary -outform DER` does, with these flags besides. */
static struct buf stock(const struct holder *h, const EVP_MD *md, unsigned flags)
{
    struct buf b = BUF(LIMIT_SIGNATURE);
    unsigned all = CMS_BINARY | CMS_PARTIAL | flags;
    BIO *in = BIO_new_mem_buf(document.data, (int)document.len);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, in, all);
    unsigned char *der = NULL;
    int len = 0;

    assert_non_null(cms);
    assert_non_null(CMS_add1_signer(cms, h->certificate, h->key, md, all));
    assert_int_equal(CMS_final(cms, in, NULL, all), 1);
    len = i2d_CMS_ContentInfo(cms, &der);
    assert_true(len > 0);
    buf_put(&b, der, (size_t)len);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    return b;
}

static enum outcome verify(struct span der, const struct holder *known, struct signer *ret)
{
    struct fault f = {0};
    struct span one = {0};
    enum outcome o = E_INVALID;

    if (known != NULL)
        one = buf_span(&known->der);
    o = signature_verify(der, document, &one, known != NULL, ret, &f);
    assert_true(o == OK || f.text[0] != '\0');
    return o;
}

static void holds(struct buf b, const struct holder *by, const struct holder *known)
{
    struct signer s = {0};

    assert_int_equal(verify(buf_span(&b), known, &s), OK);
    assert_true(digest_equal(&s.fingerprint, &by->digests.fingerprint));
    assert_true(digest_equal(&s.public_key, &by->digests.public_key));
    buf_free(&b);
}

static void fails(struct buf b, const struct holder *known, enum outcome want)
{
    struct signer s = {0}, untouched = {0};

    assert_int_equal(verify(buf_span(&b), known, &s), want);
    assert_memory_equal(&s, &untouched, sizeof s);
    buf_free(&b);
}

static void test_stock(void **state)
{
    (void)state;
    for (unsigned attributes = 0; attributes <= 1; attributes++) {
        unsigned flags = CMS_DETACHED | (attributes ? 0u : CMS_NOATTR);

        holds(stock(&ec, EVP_sha256(), flags), &ec, NULL);
        holds(stock(&ec_other, EVP_sha384(), flags), &ec_other, NULL);
        holds(stock(&rsa, EVP_sha256(), flags), &rsa, NULL);
        holds(stock(&rsa, EVP_sha512(), flags), &rsa, NULL);
        holds(stock(&ec, EVP_sha256(), flags | CMS_NOCERTS), &ec, &ec);
        holds(stock(&ec, EVP_sha256(), flags | CMS_NOCERTS | CMS_USE_KEYID), &ec, &ec);
        fails(stock(&ec, EVP_sha256(), flags | CMS_NOCERTS), NULL, E_REFUSED);
        fails(stock(&ec, EVP_sha256(), flags | CMS_NOCERTS), &rsa, E_REFUSED);
        fails(stock(&ec, EVP_sha256(), flags | CMS_NOCERTS), &ec_twin, E_REFUSED);
    }
}

/* Two certificates with one issuer and serial: the key decides. */
static void test_twins(void **state)
{
    struct buf b = stock(&ec, EVP_sha256(), CMS_DETACHED | CMS_NOCERTS);
    struct span known[] = {buf_span(&ec_twin.der), span_str("rubbish"), buf_span(&ec.der)};
    struct signer s = {0};
    struct fault f = {0};

    (void)state;
    assert_int_equal(signature_verify(buf_span(&b), document, known, 3, &s, &f), OK);
    assert_true(digest_equal(&s.fingerprint, &ec.digests.fingerprint));
    buf_free(&b);
}

static void test_own(void **state)
{
    const struct holder *all[] = {&ec, &ec_other, &rsa};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buf b = BUF(LIMIT_SIGNATURE);
        struct fault f = {0};

        assert_int_equal(signature_make(all[i]->key, all[i]->certificate, document, &b, &f), OK);
        holds(b, all[i], NULL);
    }
}

static void test_own_refused(void **state)
{
    struct buf b = BUF(LIMIT_SIGNATURE);
    struct fault f = {0};

    (void)state;
    assert_int_equal(signature_make(ec.key, rsa.certificate, document, &b, &f), E_DEVICE); /* not its certificate */
    assert_int_equal(signature_make(ec.key, ec.certificate, span_str(""), &b, &f), E_INVALID);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

/* A certificate inside that is not the signer's is no reason to look for another one elsewhere. */
static void test_certificate_of_another(void **state)
{
    struct buf made = stock(&ec, EVP_sha256(), CMS_DETACHED | CMS_NOCERTS), b = BUF(LIMIT_SIGNATURE);
    const unsigned char *at = made.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)made.len);
    unsigned char *der = NULL;
    int len = 0;

    (void)state;
    assert_int_equal(CMS_add1_cert(cms, rsa.certificate), 1);
    len = i2d_CMS_ContentInfo(cms, &der);
    buf_put(&b, der, (size_t)len);
    fails(b, &ec, E_REFUSED);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    buf_free(&made);
}

static void test_wrong(void **state)
{
    struct buf b = stock(&ec, EVP_sha256(), CMS_DETACHED);
    struct fault f = {0};
    struct signer s = {0};

    (void)state;
    assert_int_equal(signature_verify(buf_span(&b), span_str("{\"type\":\"quorate/request/v2\"}"), NULL, 0, &s, &f),
                     E_REFUSED);
    assert_string_equal(f.text, "the signature does not hold over this document");
    assert_int_equal(signature_verify(buf_span(&b), span_str(""), NULL, 0, &s, &f), E_REFUSED);
    buf_put(&b, "", 1);
    fails(b, NULL, E_INVALID); /* a byte after the end */
    fails(BUF(16), NULL, E_INVALID);
    b = BUF(2 * LIMIT_SIGNATURE);
    while (b.len <= LIMIT_SIGNATURE)
        buf_puts(&b, "0000000000");
    fails(b, NULL, E_INVALID);
    fails(stock(&ec, EVP_sha1(), CMS_DETACHED), NULL, E_REFUSED);
    fails(stock(&ec, EVP_sha1(), CMS_DETACHED | CMS_NOATTR), NULL, E_REFUSED);
    fails(stock(&ec, EVP_sha256(), 0), NULL, E_INVALID); /* holds the document */
}

static void test_every_byte(void **state)
{
    struct buf b = stock(&ec, EVP_sha256(), CMS_DETACHED);
    size_t tolerated = 0;

    (void)state;
    for (size_t n = 0; n < b.len; n++) { /* truncated anywhere */
        struct signer s = {0};

        assert_int_not_equal(verify(span_of(b.data, n), &ec, &s), OK);
    }
    for (size_t i = 0; i < b.len; i++) {
        struct signer s = {0};

        b.data[i] ^= 1;
        tolerated += verify(buf_span(&b), &ec, &s) == OK && digest_equal(&s.fingerprint, &ec.digests.fingerprint);
        b.data[i] ^= 1;
    }
    assert_true(tolerated <= 2); /* the two version numbers, which say nothing */
    buf_free(&b);
}

static void test_two_signers(void **state)
{
    struct buf b = BUF(LIMIT_SIGNATURE);
    unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_DETACHED;
    BIO *in = BIO_new_mem_buf(document.data, (int)document.len);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, in, flags);
    unsigned char *der = NULL;
    int len = 0;

    (void)state;
    assert_non_null(CMS_add1_signer(cms, ec.certificate, ec.key, EVP_sha256(), flags));
    assert_non_null(CMS_add1_signer(cms, rsa.certificate, rsa.key, EVP_sha256(), flags));
    assert_int_equal(CMS_final(cms, in, NULL, flags), 1);
    len = i2d_CMS_ContentInfo(cms, &der);
    assert_true(len > 0);
    buf_put(&b, der, (size_t)len);
    fails(b, NULL, E_INVALID);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
}

/* Bytes that nobody signed must not travel with a signature. */
static void test_unsigned_attribute(void **state)
{
    struct buf made = stock(&ec, EVP_sha256(), CMS_DETACHED), b = BUF(LIMIT_SIGNATURE);
    const unsigned char *at = made.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)made.len);
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    unsigned char *der = NULL;
    int len = 0;

    (void)state;
    assert_int_equal(CMS_unsigned_add1_attr_by_NID(si, NID_pkcs9_challengePassword, MBSTRING_ASC, "x", 1), 1);
    len = i2d_CMS_ContentInfo(cms, &der);
    buf_put(&b, der, (size_t)len);
    fails(b, NULL, E_INVALID);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    buf_free(&made);
}

/* Indefinite lengths: what `openssl cms -sign -stream` writes. */
static void test_ber(void **state)
{
    struct buf b = BUF(LIMIT_SIGNATURE);
    unsigned flags = CMS_BINARY | CMS_STREAM | CMS_DETACHED;
    BIO *in = BIO_new_mem_buf(document.data, (int)document.len), *out = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = CMS_sign(ec.certificate, ec.key, NULL, in, flags);
    char *data = NULL;
    long len = 0;

    (void)state;
    assert_int_equal(i2d_CMS_bio_stream(out, cms, in, (int)flags), 1);
    len = BIO_get_mem_data(out, &data);
    assert_true(len > 2 && (unsigned char)data[1] == 0x80);
    buf_put(&b, data, (size_t)len);
    fails(b, NULL, E_INVALID);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(out);
}

static struct buf pem_of(const struct holder *h, const char *before, bool twice, bool with_key)
{
    struct buf b = BUF(LIMIT_DOCUMENT);
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    long len = 0;

    BIO_puts(out, before);
    assert_int_equal(PEM_write_bio_X509(out, h->certificate), 1);
    if (twice)
        assert_int_equal(PEM_write_bio_X509(out, h->certificate), 1);
    if (with_key)
        assert_int_equal(PEM_write_bio_PrivateKey(out, h->key, NULL, NULL, 0, NULL, NULL), 1);
    len = BIO_get_mem_data(out, &data);
    buf_put(&b, data, (size_t)len);
    BIO_free(out);
    return b;
}

static void parses(struct buf b, enum outcome want)
{
    X509 *c = NULL;
    struct fault f = {0};

    assert_int_equal(certificate_parse(buf_span(&b), &c, &f), want);
    assert_true((c != NULL) == (want == OK));
    if (c != NULL)
        assert_int_equal(X509_cmp(c, ec.certificate), 0);
    X509_free(c);
    buf_free(&b);
}

static void test_certificate(void **state)
{
    struct buf der = BUF(LIMIT_DOCUMENT), large = BUF(LIMIT_DOCUMENT);

    (void)state;
    parses(pem_of(&ec, "", false, false), OK);
    parses(pem_of(&ec, "subject=CN = custodian-1\n", false, false), OK);
    parses(pem_of(&ec, "", true, false), E_INVALID);
    parses(pem_of(&ec, "", false, true), E_INVALID);
    parses(BUF(1), E_INVALID);
    buf_puts(&der, "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n");
    parses(der, E_INVALID);
    der = BUF(LIMIT_DOCUMENT);
    buf_put(&der, ec.der.data, ec.der.len);
    parses(der, OK);
    der = BUF(LIMIT_DOCUMENT);
    buf_put(&der, ec.der.data, ec.der.len - 1);
    parses(der, E_INVALID);
    der = BUF(LIMIT_DOCUMENT);
    buf_put(&der, ec.der.data, ec.der.len);
    buf_put(&der, "", 1);
    parses(der, E_INVALID);
    while (large.len <= LIMIT_CERTIFICATE)
        buf_puts(&large, "0000000000");
    parses(large, E_INVALID);
}

static enum outcome roster(const struct holder *a, const struct holder *b, const struct digest *print_of_b,
                           struct fault *f)
{
    struct person people[] = {{.id = (char[]){"a"}, .fingerprint = a->digests.fingerprint, .line = 7},
                              {.id = (char[]){"b"}, .fingerprint = *print_of_b, .line = 8}};
    struct policy p = {.file = (char[]){"p.yaml"}, .people = people, .person_count = 2};
    struct span certificates[2] = {buf_span(&a->der)}; /* an empty span: not at hand */

    if (b != NULL)
        certificates[1] = buf_span(&b->der);
    return roster_check(&p, certificates, f);
}

static void test_roster(void **state)
{
    struct fault f = {0};
    struct holder renewed = {0};

    (void)state;
    EVP_PKEY_up_ref(ec.key);
    holder_make(&renewed, ec.key, "custodian-1 again", 9);
    assert_int_equal(roster(&ec, &rsa, &rsa.digests.fingerprint, &f), OK);
    assert_int_equal(roster(&ec, NULL, &rsa.digests.fingerprint, &f), OK);
    assert_int_equal(roster(&ec, &rsa, &ec_other.digests.fingerprint, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "p.yaml:8: the certificate of b is sha256:"));
    assert_int_equal(roster(&ec, &renewed, &renewed.digests.fingerprint, &f), E_REFUSED);
    assert_string_equal(f.text, "p.yaml:8: a and b have one public key; every person needs a key of their own");
    holder_free(&renewed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stock),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_own_refused),
        cmocka_unit_test(test_certificate_of_another),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_two_signers),
        cmocka_unit_test(test_ber),
        cmocka_unit_test(test_unsigned_attribute),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_roster),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
