#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "ceremony/certificate.h"
#include "ceremony/certificate_der.h"
#include "core/limits.h"

#define FROM INT64_C(1780272000) /* 2026-06-01T00:00:00Z */

static const char profile_text[] =
    "id: root\nissuer: self\nkey: EC:P-256\nsignature: SHA256\nserial-bits: 120\n"
    "validity: 25 years\n"
    "subject: [{C: GB}, {OU: \"00\"}, {CN: Root}, {x500UniqueIdentifier: "
    "\"0200000000000100\"}]\n"
    "extensions:\n"
    "  - {extension: basicConstraints, critical: true, ca: true}\n"
    "  - {extension: keyUsage, critical: true, usage: [keyCertSign, cRLSign]}\n"
    "  - {extension: certificatePolicies, critical: true, policies: [1.3.6.1.4.1.32473.1]}\n"
    "  - {extension: subjectKeyIdentifier, critical: false, method: 2}\n"
    "  - {extension: authorityKeyIdentifier, critical: false, method: 2}\n";

struct fixture {
    struct profile *profile;
    EVP_PKEY *key;
    struct buf spki, tbs, der;
};

static struct span key_spki(EVP_PKEY *key, struct buf *ret)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);

    assert_true(len > 0);
    buf_clear(ret);
    buf_put(ret, der, (size_t)len);
    OPENSSL_free(der);
    return buf_span(ret);
}

static void compose(const struct profile *p, struct span spki, struct buf *ret)
{
    struct certificate_inputs in = {.public_key = spki, .not_before = FROM};
    struct fault f = {0};

    memset(in.serial, 0xa5, sizeof in.serial);
    if (certificate_compose(p, &in, ret, &f) != OK)
        fail_msg("%s", f.text);
}

static int fixture_make(void **state)
{
    static struct fixture x;
    struct fault f = {0};

    x = (struct fixture){.spki = BUF(4096), .tbs = BUF(LIMIT_CERTIFICATE), .der = BUF(LIMIT_CERTIFICATE)};
    if (profile_parse("p.yaml", span_str(profile_text), &x.profile, &f) != OK)
        fail_msg("%s", f.text);
    x.key = EVP_EC_gen("P-256");
    assert_non_null(x.key);
    compose(x.profile, key_spki(x.key, &x.spki), &x.tbs);
    if (signed_structure_make(x.key, buf_span(&x.spki), "SHA256", buf_span(&x.tbs), &x.der, &f) != OK)
        fail_msg("%s", f.text);
    *state = &x;
    return 0;
}

static int fixture_end(void **state)
{
    struct fixture *x = *state;

    profile_free(x->profile);
    EVP_PKEY_free(x->key);
    buf_free(&x->spki);
    buf_free(&x->tbs);
    buf_free(&x->der);
    return 0;
}

static enum outcome check(const struct fixture *x, struct span der, struct fault *f)
{
    return certificate_check(x->profile, der, buf_span(&x->spki), buf_span(&x->spki), f);
}

/* Signed again after it was altered: what is refused is the field. */
static void refused_signed(const struct fixture *x, struct span tbs, const char *text)
{
    struct buf der = BUF(LIMIT_CERTIFICATE);
    struct fault f = {0};

    if (signed_structure_make(x->key, buf_span(&x->spki), "SHA256", tbs, &der, &f) != OK)
        fail_msg("%s", f.text);
    if (check(x, buf_span(&der), &f) != E_REFUSED)
        fail_msg("taken, instead of: %s", text);
    if (strstr(f.text, text) == NULL)
        fail_msg("said: %s\n... instead of: %s", f.text, text);
    buf_free(&der);
}

static const unsigned tags[] = {
    DER_CONTEXT_CONSTRUCTED(0), DER_INTEGER, DER_SEQUENCE, DER_SEQUENCE, DER_SEQUENCE, DER_SEQUENCE, DER_SEQUENCE,
    DER_CONTEXT_CONSTRUCTED(3)};
#define FIELDS (sizeof tags / sizeof *tags)
enum { VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS };

static void fields_of(struct span tbs, struct span ret[FIELDS])
{
    struct span content = {0};

    assert_true(der_take(&tbs, DER_SEQUENCE, &content, NULL));
    for (size_t i = 0; i < FIELDS; i++)
        assert_true(der_take(&content, tags[i], NULL, &ret[i]));
    assert_int_equal(content.len, 0);
}

/* The TBS with its field `index` replaced, left out where `instead` is empty, and `tail` behind all. */
static void field_replace(struct span tbs, size_t index, struct span instead, struct span tail, struct buf *ret)
{
    struct span fields[FIELDS];
    size_t whole = 0;

    fields_of(tbs, fields);
    buf_clear(ret);
    whole = der_begin(ret, DER_SEQUENCE);
    for (size_t i = 0; i < FIELDS; i++) {
        struct span one = i == index ? instead : fields[i];

        buf_put(ret, one.data, one.len);
    }
    buf_put(ret, tail.data, tail.len);
    der_end(ret, whole);
    assert_false(ret->failed);
}

/* The bytes `from` stand in the TBS once; they become `to`, of the same length. */
static void bytes_replace(struct span tbs, struct span from, struct span to, struct buf *ret)
{
    uint8_t *at = NULL;

    assert_int_equal(from.len, to.len);
    buf_clear(ret);
    buf_put(ret, tbs.data, tbs.len);
    at = memmem(ret->data, ret->len, from.data, from.len);
    assert_non_null(at);
    memcpy(at, to.data, to.len);
}

/* As OpenSSL reads it, by its own means. */
static void test_read_by_others(void **state)
{
    const struct fixture *x = *state;
    const unsigned char *at = x->der.data;
    X509 *c = d2i_X509(NULL, &at, (long)x->der.len);
    const ASN1_BIT_STRING *eui = NULL;
    const X509_NAME *subject = NULL;
    struct tm tm = {0};
    char name[128];
    uint8_t hash[20];
    uint8_t *point = NULL;
    size_t len = 0;

    assert_non_null(c);
    assert_ptr_equal(at, x->der.data + x->der.len);
    assert_int_equal(X509_get_version(c), X509_VERSION_3);
    assert_int_equal(X509_get_signature_nid(c), NID_ecdsa_with_SHA256);
    assert_int_equal(X509_verify(c, x->key), 1);
    assert_int_equal(X509_check_ca(c), 1);
    assert_int_equal(X509_get_key_usage(c), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_get_ext_count(c), 5);
    assert_int_equal(ASN1_INTEGER_get(X509_get0_serialNumber(c)) == 0, 0);
    assert_int_equal(X509_get0_serialNumber(c)->length, 16);
    assert_int_equal(X509_get0_serialNumber(c)->data[0], 1);
    assert_int_equal(ASN1_TIME_to_tm(X509_get0_notBefore(c), &tm), 1);
    assert_int_equal(timegm(&tm), FROM);
    assert_int_equal(X509_get0_notAfter(c)->type, V_ASN1_GENERALIZEDTIME);
    assert_memory_equal(X509_get0_notAfter(c)->data, "20510531235959Z", 15);
    subject = X509_get_subject_name(c);
    assert_int_equal(X509_NAME_cmp(subject, X509_get_issuer_name(c)), 0);
    assert_int_equal(X509_NAME_entry_count(subject), 4);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(c), NID_organizationalUnitName, name, sizeof name) ==
                2);
    assert_string_equal(name, "00");
    eui = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, 3));
    assert_int_equal(eui->type, V_ASN1_BIT_STRING);
    assert_int_equal(eui->length, 8); /* trailing zero bits are part of it */
    assert_memory_equal(eui->data, "\x02\0\0\0\0\0\1\0", 8);
    len = EVP_PKEY_get1_encoded_public_key(x->key, &point);
    assert_int_equal(len, 65);
    assert_int_equal(EVP_Q_digest(NULL, "SHA1", NULL, point, len, hash, NULL), 1);
    hash[12] = (uint8_t)(0x40 | (hash[12] & 0x0f));
    assert_int_equal(X509_get0_subject_key_id(c)->length, 8);
    assert_memory_equal(X509_get0_subject_key_id(c)->data, hash + 12, 8);
    assert_memory_equal(X509_get0_authority_key_id(c)->data, hash + 12, 8);
    OPENSSL_free(point);
    X509_free(c);
}

static void test_holds(void **state)
{
    const struct fixture *x = *state;
    struct span tbs = {0};
    struct fault f = {0};

    if (check(x, buf_span(&x->der), &f) != OK)
        fail_msg("%s", f.text);
    assert_int_equal(signed_structure_open(buf_span(&x->der), &tbs, &f), OK);
    assert_true(span_equal(tbs, buf_span(&x->tbs)));
}

/* Whatever chance gives, and however many bits are asked. */
static void test_serials(void **state)
{
    const struct fixture *x = *state;
    static const unsigned bits[] = {64, 65, 71, 72, 119, 120, 126, 127};
    static const uint8_t fills[] = {0x00, 0xff, 0x80, 0x01};

    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        for (size_t j = 0; j < sizeof fills; j++) {
            struct profile p = *x->profile;
            struct certificate_inputs in = {.public_key = buf_span(&x->spki), .not_before = FROM};
            struct buf tbs = BUF(LIMIT_CERTIFICATE), der = BUF(LIMIT_CERTIFICATE);
            struct fault f = {0};
            const unsigned char *at = NULL;
            X509 *c = NULL;
            BIGNUM *serial = NULL;

            p.serial_bits = bits[i];
            memset(in.serial, fills[j], sizeof in.serial);
            assert_int_equal(certificate_compose(&p, &in, &tbs, &f), OK);
            assert_int_equal(signed_structure_make(x->key, in.public_key, "SHA256", buf_span(&tbs), &der, &f), OK);
            if (certificate_check(&p, buf_span(&der), in.public_key, in.public_key, &f) != OK)
                fail_msg("%u bits of %02x: %s", bits[i], fills[j], f.text);
            at = der.data;
            c = d2i_X509(NULL, &at, (long)der.len);
            serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(c), NULL);
            assert_false(BN_is_negative(serial));
            assert_int_equal(BN_num_bits(serial), bits[i] + 1);
            BN_free(serial);
            X509_free(c);
            buf_free(&der);
            buf_free(&tbs);
        }
    }
}

static void test_serial_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE);
    static const struct {
        const char *der;
        size_t len;
        const char *text;
    } cases[] = {
        {"\x02\x01\x01", 3, "serial number: not a 1 and then 120 bits of chance"},
        {"\x02\x01\x00", 3, "serial number: not a 1"},
        {"\x02\x00", 2, "serial number: not DER"},
        {"\x02\x10\x81"
         "123456789012345",
         18, "serial number: it is negative"},
        {"\x02\x10\x03"
         "123456789012345",
         18, "serial number: not a 1"},
        {"\x02\x11\x00\x01"
         "123456789012345",
         19, "serial number: not a 1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        field_replace(buf_span(&x->tbs), SERIAL, span_of(cases[i].der, cases[i].len), span_of(NULL, 0), &tbs);
        refused_signed(x, buf_span(&tbs), cases[i].text);
    }
    buf_free(&tbs);
}

/* Fields in whose place another one of the same shape stands. */
static void test_fields_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE), other = BUF(4096), name = BUF(256);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    size_t list = 0, set = 0, pair = 0;

    list = der_begin(&name, DER_SEQUENCE);
    set = der_begin(&name, DER_SET);
    pair = der_begin(&name, DER_SEQUENCE);
    der_put_oid(&name, "2.5.4.3");
    der_put(&name, DER_UTF8_STRING, span_str("Root"));
    der_end(&name, pair);
    der_end(&name, set);
    der_end(&name, list);
    const struct {
        size_t field;
        struct span instead;
        const char *text;
    } cases[] = {
        {VERSION, span_of("\xa0\x03\x02\x01\x01", 5), "version: not as the profile root has it"},
        {VERSION, span_of("", 0), "version: missing"},
        {ALGORITHM, span_of("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 12), "signature algorithm: not as"},
        {ISSUER, buf_span(&name), "issuer: not as"},
        {ISSUER, span_of("\x30\x00", 2), "issuer: not as"},
        {SUBJECT, buf_span(&name), "subject: not as"},
        {KEY, key_spki(key, &other), "public key: not as"},
        {EXTENSIONS, span_of("", 0), "extensions: missing"},
        {EXTENSIONS, span_of("\xa3\x02\x30\x00", 4), "extension basicConstraints: missing"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        field_replace(buf_span(&x->tbs), cases[i].field, cases[i].instead, span_of(NULL, 0), &tbs);
        refused_signed(x, buf_span(&tbs), cases[i].text);
    }
    field_replace(buf_span(&x->tbs), FIELDS, span_of(NULL, 0), span_of("\x05\x00", 2), &tbs);
    refused_signed(x, buf_span(&tbs), "extensions: something follows it");
    EVP_PKEY_free(key);
    buf_free(&name);
    buf_free(&other);
    buf_free(&tbs);
}

static void test_validity_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE);
    static const struct {
        const char *from, *to, *text;
    } cases[] = {
        {"20510531235959Z", "20510601000000Z",
         "validity: the last second is 2051-06-01T00:00:00Z, by the profile root it is 2051-05-31T23:59:59Z"},
        {"20510531235959Z", "20510531235958Z", "validity: the last second is 2051-05-31T23:59:58Z"},
        {"20510531235959Z", "99991231235959Z", "validity: the last second is 9999"},
        {"260601000000Z", "260601000001Z",
         "validity: the last second is 2051-05-31T23:59:59Z, by the profile root it is "
         "2051-06-01T00:00:00Z"},
        {"260601000000Z", "260631000000Z", "validity: not two times"},
        {"260601000000Z", "26060100000\0Z", "validity: not two times"},
        {"20510531235959Z", "20510531235959+", "validity: not two times"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].from);

        bytes_replace(buf_span(&x->tbs), span_of(cases[i].from, len), span_of(cases[i].to, len), &tbs);
        refused_signed(x, buf_span(&tbs), cases[i].text);
    }
    /* A GeneralizedTime before 2050 means the same, but is not how it is written. */
    field_replace(buf_span(&x->tbs), VALIDITY,
                  span_of("\x30\x22\x18\x0f"
                          "20260601000000Z\x18\x0f"
                          "20510531235959Z",
                          36),
                  span_of(NULL, 0), &tbs);
    refused_signed(x, buf_span(&tbs), "validity: not as the profile root has it");
    buf_free(&tbs);
}

#define EXTENSION_COUNT 5

/* The TBS with other extensions: the order, and -1 for what is left out. */
static void extensions_order(struct span tbs, const int *order, size_t count, struct buf *ret)
{
    struct span fields[FIELDS], list = {0}, content = {0}, each[EXTENSION_COUNT];
    struct buf b = BUF(LIMIT_CERTIFICATE);
    size_t explicit = 0, sequence = 0;

    fields_of(tbs, fields);
    assert_true(der_take(&fields[EXTENSIONS], DER_CONTEXT_CONSTRUCTED(3), &list, NULL));
    assert_true(der_take(&list, DER_SEQUENCE, &content, NULL));
    for (size_t i = 0; i < EXTENSION_COUNT; i++)
        assert_true(der_take(&content, DER_SEQUENCE, NULL, &each[i]));
    explicit = der_begin(&b, DER_CONTEXT_CONSTRUCTED(3));
    sequence = der_begin(&b, DER_SEQUENCE);
    for (size_t i = 0; i < count; i++) {
        if (order[i] >= 0)
            buf_put(&b, each[order[i]].data, each[order[i]].len);
    }
    der_end(&b, sequence);
    der_end(&b, explicit);
    field_replace(tbs, EXTENSIONS, buf_span(&b), span_of(NULL, 0), ret);
    buf_free(&b);
}

static void test_extensions_order(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE);
    static const int swapped[] = {0, 2, 1, 3, 4}, doubled[] = {0, 1, 2, 3, 4, 4}, same[] = {0, 1, 2, 3, 4};
    struct fault f = {0};

    for (int i = 0; i < EXTENSION_COUNT; i++) {
        int order[] = {0, 1, 2, 3, 4};
        char text[64];

        order[i] = -1;
        extensions_order(buf_span(&x->tbs), order, EXTENSION_COUNT, &tbs);
        snprintf(text, sizeof text, "extension %s: missing", x->profile->extensions[i].name);
        refused_signed(x, buf_span(&tbs), text);
    }
    extensions_order(buf_span(&x->tbs), swapped, EXTENSION_COUNT, &tbs);
    refused_signed(x, buf_span(&tbs), "extension keyUsage: missing, or not as");
    extensions_order(buf_span(&x->tbs), doubled, EXTENSION_COUNT + 1, &tbs);
    refused_signed(x, buf_span(&tbs), "extensions: there are more than the profile root has");
    extensions_order(buf_span(&x->tbs), same, EXTENSION_COUNT, &tbs);
    assert_true(span_equal(buf_span(&tbs), buf_span(&x->tbs)));
    assert_int_equal(check(x, buf_span(&x->der), &f), OK);
    buf_free(&tbs);
}

static void test_extensions_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE);
    static const struct {
        const char *from, *to;
        size_t len;
        const char *text;
    } cases[] = {
        {"\x55\x1d\x13\x01\x01\xff", "\x55\x1d\x13\x01\x01\x00", 6, "extension basicConstraints"},
        {"\x30\x03\x01\x01\xff", "\x30\x03\x01\x01\x00", 5, "extension basicConstraints"},
        {"\x55\x1d\x0f", "\x55\x1d\x25", 3, "extension keyUsage"},
        {"\x03\x02\x01\x06", "\x03\x02\x01\x86", 4, "extension keyUsage"},
        {"\x81\xfd\x59\x01", "\x81\xfd\x59\x02", 4, "extension certificatePolicies"},
        {"\x55\x1d\x0e\x04\x0a\x04\x08", "\x55\x1d\x0e\x04\x0a\x80\x08", 7, "extension subjectKeyIdentifier"},
        {"\x55\x1d\x23\x04\x0c\x30\x0a\x80", "\x55\x1d\x23\x04\x0c\x30\x0a\x81", 8, "extension authorityKeyIdentifier"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes_replace(buf_span(&x->tbs), span_of(cases[i].from, cases[i].len), span_of(cases[i].to, cases[i].len),
                      &tbs);
        refused_signed(x, buf_span(&tbs), cases[i].text);
    }
    buf_free(&tbs);
}

/* What surrounds the TBS: length, algorithm, signature. */
static void test_structure_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf der = BUF(LIMIT_CERTIFICATE);
    struct fault f = {0};
    struct span rest = buf_span(&x->der), content = {0};

    buf_put(&der, x->der.data, x->der.len);
    buf_put(&der, "", 1);
    assert_int_equal(check(x, buf_span(&der), &f), E_REFUSED);
    assert_non_null(strstr(f.text, "1 bytes follow"));
    assert_int_equal(check(x, span_of(der.data, der.len - 2), &f), E_REFUSED);
    assert_non_null(strstr(f.text, "its length is not that of its"));
    /* The same with a length in three octets where two do. */
    assert_true(der_take(&rest, DER_SEQUENCE, &content, NULL));
    buf_clear(&der);
    buf_put(&der, "\x30\x83\x00", 3);
    buf_put(&der, x->der.data + 2, 2);
    buf_put(&der, content.data, content.len);
    assert_int_equal(check(x, buf_span(&der), &f), E_REFUSED);
    assert_non_null(strstr(f.text, "no signed structure in DER"));
    /* Every single bit. */
    for (size_t i = 0; i < 8 * x->der.len; i++) {
        buf_clear(&der);
        buf_put(&der, x->der.data, x->der.len);
        der.data[i / 8] ^= (uint8_t)(1u << i % 8);
        f.text[0] = '\0';
        if (check(x, buf_span(&der), &f) != E_REFUSED)
            fail_msg("bit %zu may be either", i);
        assert_true(f.text[0] != '\0');
    }
    buf_free(&der);
}

static void test_keys_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf spki = BUF(4096), tbs = BUF(LIMIT_CERTIFICATE), der = BUF(LIMIT_CERTIFICATE);
    struct certificate_inputs in = {.not_before = FROM};
    EVP_PKEY *p384 = EVP_EC_gen("P-384"), *other = EVP_EC_gen("P-256"), *compressed = EVP_EC_gen("P-256");
    struct fault f = {0};

    in.public_key = key_spki(p384, &spki);
    assert_int_equal(certificate_compose(x->profile, &in, &tbs, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "the key is of type EC:P-384, the profile root asks for EC:P-256"));
    assert_int_equal(EVP_PKEY_set_utf8_string_param(compressed, "point-format", "compressed"), 1);
    in.public_key = key_spki(compressed, &spki);
    assert_int_equal(certificate_compose(x->profile, &in, &tbs, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "uncompressed point"));
    in.public_key = key_spki(other, &spki);
    assert_int_equal(certificate_check(x->profile, buf_span(&x->der), in.public_key, in.public_key, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "public key: not as"));
    assert_int_equal(certificate_check(x->profile, buf_span(&x->der), buf_span(&x->spki), in.public_key, &f),
                     E_REFUSED);
    assert_non_null(strstr(f.text, "signed by their own key"));
    /* A key that is not the public half's: nothing comes out. */
    assert_int_equal(signed_structure_make(other, buf_span(&x->spki), "SHA256", buf_span(&x->tbs), &der, &f), E_DEVICE);
    assert_int_equal(der.len, 0);
    assert_int_equal(tbs.len, 0);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(other);
    EVP_PKEY_free(compressed);
    buf_free(&der);
    buf_free(&tbs);
    buf_free(&spki);
}

static void test_outlived(void **state)
{
    const struct fixture *x = *state;
    struct certificate_inputs in = {.public_key = buf_span(&x->spki), .not_before = INT64_C(253370764800)}; /* 9999 */
    struct buf tbs = BUF(LIMIT_CERTIFICATE), der = BUF(LIMIT_CERTIFICATE);
    struct profile p = *x->profile;
    struct fault f = {0};

    assert_int_equal(certificate_compose(&p, &in, &tbs, &f), E_INVALID);
    assert_non_null(strstr(f.text, "outlive the calendar"));
    p.no_expiry = true;
    in.not_before = FROM;
    assert_int_equal(certificate_compose(&p, &in, &tbs, &f), OK);
    assert_non_null(memmem(tbs.data, tbs.len,
                           "\x18\x0f"
                           "99991231235959Z",
                           17));
    assert_int_equal(signed_structure_make(x->key, in.public_key, "SHA256", buf_span(&tbs), &der, &f), OK);
    if (certificate_check(&p, buf_span(&der), in.public_key, in.public_key, &f) != OK)
        fail_msg("%s", f.text);
    p.self_issued = false;
    assert_int_equal(certificate_compose(&p, &in, &tbs, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "issued by another authority"));
    buf_free(&der);
    buf_free(&tbs);
}

static void test_csr(void **state)
{
    const struct fixture *x = *state;
    struct buf info = BUF(LIMIT_CERTIFICATE), der = BUF(LIMIT_CERTIFICATE), spki = BUF(4096);
    struct profile other = *x->profile;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct fault f = {0};
    const unsigned char *at = NULL;
    X509_REQ *csr = NULL;

    assert_int_equal(csr_compose(x->profile, buf_span(&x->spki), &info, &f), OK);
    assert_int_equal(signed_structure_make(x->key, buf_span(&x->spki), "SHA256", buf_span(&info), &der, &f), OK);
    if (csr_check(x->profile, buf_span(&der), buf_span(&x->spki), &f) != OK)
        fail_msg("%s", f.text);
    at = der.data;
    csr = d2i_X509_REQ(NULL, &at, (long)der.len);
    assert_non_null(csr);
    assert_int_equal(X509_REQ_verify(csr, x->key), 1);
    assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(csr)), 4);
    X509_REQ_free(csr);
    /* Another key, another subject, a certificate in its place, a byte more. */
    assert_int_equal(csr_check(x->profile, buf_span(&der), key_spki(key, &spki), &f), E_REFUSED);
    assert_non_null(strstr(f.text, "public key: not as"));
    other.subject = (struct buf){.data = (uint8_t *)"\x30\x00", .len = 2, .max = 2};
    assert_int_equal(csr_check(&other, buf_span(&der), buf_span(&x->spki), &f), E_REFUSED);
    assert_non_null(strstr(f.text, "subject: not as"));
    assert_int_equal(csr_check(x->profile, buf_span(&x->der), buf_span(&x->spki), &f), E_REFUSED);
    assert_non_null(strstr(f.text, "version: missing"));
    buf_put(&der, "", 1);
    assert_int_equal(csr_check(x->profile, buf_span(&der), buf_span(&x->spki), &f), E_REFUSED);
    assert_non_null(strstr(f.text, "1 bytes follow"));
    EVP_PKEY_free(key);
    buf_free(&spki);
    buf_free(&der);
    buf_free(&info);
}

/* What an HSM is given: the hash for ECDSA, its DigestInfo for RSA (the prefix as RFC 8017, section 9.2, has it). */
static void test_data_digest(void **state)
{
    static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    const struct fixture *x = *state;
    struct span tbs = buf_span(&x->tbs);
    EVP_PKEY *rsa = EVP_RSA_gen(3072);
    struct buf spki = BUF(4096), der = BUF(LIMIT_CERTIFICATE);
    struct digest hash, expected, found;
    struct fault f = {0};

    assert_true(digest_one(&hash, tbs));
    assert_true(digest_one(&expected, span_of(hash.bytes, sizeof hash.bytes)));
    assert_int_equal(signed_data_digest(buf_span(&x->spki), "SHA256", tbs, &found, &f), OK);
    assert_true(digest_equal(&found, &expected));
    assert_true(digest_of(&expected, 2, span_of(info, sizeof info), span_of(hash.bytes, sizeof hash.bytes)));
    assert_int_equal(signed_data_digest(key_spki(rsa, &spki), "SHA256", tbs, &found, &f), OK);
    assert_true(digest_equal(&found, &expected));
    assert_int_equal(signed_data_digest(buf_span(&spki), "SHA3", tbs, &found, &f), E_INVALID);
    assert_int_equal(signed_structure_make(rsa, buf_span(&spki), "SHA384", tbs, &der, &f), OK);
    assert_int_equal(signed_structure_check(buf_span(&der), buf_span(&spki), "SHA384", &f), OK);
    assert_int_equal(signed_structure_check(buf_span(&der), buf_span(&spki), "SHA256", &f), E_REFUSED);
    assert_non_null(strstr(f.text, "signature algorithm: not the one"));
    EVP_PKEY_free(rsa);
    buf_free(&der);
    buf_free(&spki);
}

static void test_der(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool good;
    } cases[] = {
        {"\x30\x00", 2, true},
        {"\x30\x01", 2, false},
        {"\x30", 1, false},
        {"\x31\x00", 2, false},
        {"\x30\x80\x00\x00", 4, false},
        {"\x30\x81\x01x", 4, false},
        {"\x30\x82\x00\x01x", 5, false},
        {"\x30\x81", 2, false},
        {"\x30\xff\x01", 3, false},
        {"\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff", 10, false},
        {"\x30\x87\xff\xff\xff\xff\xff\xff\xff", 9, false},
    };
    static const size_t lengths[] = {0, 1, 127, 128, 255, 256, 65535, 65536};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span rest = span_of(cases[i].bytes, cases[i].len), content = {0};

        if (der_take(&rest, DER_SEQUENCE, &content, NULL) != cases[i].good)
            fail_msg("case %zu", i);
        assert_int_equal(rest.len, cases[i].good ? 0 : cases[i].len);
    }
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct buf zeros = BUF(70000), put = BUF(70100), begun = BUF(70100);
        struct span rest = {0}, content = {0};
        size_t at = 0;

        for (size_t j = 0; j < lengths[i]; j++)
            buf_put(&zeros, "", 1);
        der_put(&put, DER_OCTET_STRING, buf_span(&zeros));
        at = der_begin(&begun, DER_OCTET_STRING);
        buf_put(&begun, zeros.data, zeros.len);
        der_end(&begun, at);
        rest = buf_span(&put);
        assert_true(span_equal(rest, buf_span(&begun)));
        assert_true(der_take(&rest, DER_OCTET_STRING, &content, NULL));
        assert_int_equal(content.len, lengths[i]);
        assert_int_equal(rest.len, 0);
        buf_free(&begun);
        buf_free(&put);
        buf_free(&zeros);
    }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_read_by_others),    WITH_FIXTURE(test_holds),
        WITH_FIXTURE(test_serials),           WITH_FIXTURE(test_serial_refused),
        WITH_FIXTURE(test_fields_refused),    WITH_FIXTURE(test_validity_refused),
        WITH_FIXTURE(test_extensions_order),  WITH_FIXTURE(test_extensions_refused),
        WITH_FIXTURE(test_structure_refused), WITH_FIXTURE(test_keys_refused),
        WITH_FIXTURE(test_outlived),          WITH_FIXTURE(test_csr),
        WITH_FIXTURE(test_data_digest),       cmocka_unit_test(test_der),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
