#include "tests/unit/certificate_fixture.h"

#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <time.h>

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

/* Ed25519 (RFC 8410, RFC 8032): no parameters, no hash, the signature as it comes; and of no byte another value. */
static void test_edwards(void **state)
{
    static const uint8_t algorithm[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
    char text[sizeof profile_text + 64];
    struct profile *p = NULL;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct buf spki = BUF(4096), tbs = BUF(LIMIT_CERTIFICATE), der = BUF(LIMIT_CERTIFICATE),
               joined = BUF(LIMIT_CERTIFICATE);
    const char *at = strstr(profile_text, "key: EC:P-256\nsignature: SHA256");
    struct digest expected, found;
    struct fault f = {0};

    (void)state;
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*skey: EC:Ed25519\nsignature: Ed25519%s", (int)(at - profile_text), profile_text,
             at + strlen("key: EC:P-256\nsignature: SHA256"));
    assert_int_equal(profile_parse("p.yaml", span_str(text), &p, &f), OK);
    compose(p, key_spki(key, &spki), &tbs);
    assert_int_equal(signed_structure_make(key, buf_span(&spki), "Ed25519", buf_span(&tbs), &der, &f), OK);
    if (certificate_check(p, buf_span(&der), buf_span(&spki), buf_span(&spki), &f) != OK)
        fail_msg("%s", f.text);
    assert_memory_equal(der.data + der.len - 64 - 3 - sizeof algorithm, algorithm, sizeof algorithm);
    assert_true(digest_one(&expected, buf_span(&tbs)));
    assert_int_equal(signed_data_digest(buf_span(&spki), "Ed25519", buf_span(&tbs), &found, &f), OK);
    assert_true(digest_equal(&found, &expected));
    assert_true(digest_one(&expected, span_of(der.data + der.len - 64, 64)));
    assert_int_equal(signed_signature_digest(buf_span(&der), buf_span(&spki), &found, &f), OK);
    assert_true(digest_equal(&found, &expected));
    assert_int_equal(signed_structure_join(span_of(der.data + der.len - 64, 64), buf_span(&spki), "Ed25519",
                                           buf_span(&tbs), &joined, &f),
                     OK);
    assert_true(span_equal(buf_span(&joined), buf_span(&der)));
    assert_int_equal(
        signed_structure_join(span_of(der.data, 64), buf_span(&spki), "Ed25519", buf_span(&tbs), &joined, &f),
        E_REFUSED);
    for (size_t i = 0; i < der.len; i++) {
        der.data[i] ^= 1;
        if (certificate_check(p, buf_span(&der), buf_span(&spki), buf_span(&spki), &f) != E_REFUSED)
            fail_msg("byte %zu", i);
        der.data[i] ^= 1;
    }
    profile_free(p);
    EVP_PKEY_free(key);
    buf_free(&joined);
    buf_free(&der);
    buf_free(&tbs);
    buf_free(&spki);
}

/* What an HSM gave before is put together again: two numbers of the curve's length, however they begin. */
static void test_join(void **state)
{
    const struct fixture *x = *state;
    struct span tbs = buf_span(&x->tbs), spki = buf_span(&x->spki);
    struct buf made = BUF(LIMIT_CERTIFICATE), joined = BUF(LIMIT_CERTIFICATE);
    struct fault f = {0};
    bool short_number = false, high = false;

    for (unsigned i = 0; i < 2000 && !(short_number && high && i > 8); i++) {
        uint8_t raw[64] = {0}, hash[32] = {0};
        struct digest expected, found;
        ECDSA_SIG *pair = NULL;
        size_t len = sizeof hash;
        struct buf der = BUF(256);
        const unsigned char *at = NULL;
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(crypto_context(), x->key, NULL);
        size_t room = 256;

        assert_int_equal(EVP_Q_digest(crypto_context(), "SHA256", NULL, tbs.data, tbs.len, hash, &len), 1);
        buf_zeros(&der, room);
        assert_int_equal(EVP_PKEY_sign_init(context), 1);
        assert_int_equal(EVP_PKEY_sign(context, der.data, &room, hash, sizeof hash), 1);
        at = der.data;
        pair = d2i_ECDSA_SIG(NULL, &at, (long)room);
        assert_non_null(pair);
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32), 32);
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32), 32);
        short_number = short_number || raw[0] == 0 || raw[32] == 0;
        high = high || raw[0] >= 0x80 || raw[32] >= 0x80;
        buf_clear(&joined);
        assert_int_equal(signed_structure_join(span_of(raw, sizeof raw), spki, "SHA256", tbs, &joined, &f), OK);
        assert_int_equal(signed_signature_digest(buf_span(&joined), spki, &found, &f), OK);
        assert_true(digest_one(&expected, span_of(raw, sizeof raw)));
        assert_true(digest_equal(&expected, &found));
        raw[40] ^= 1;
        assert_int_equal(signed_structure_join(span_of(raw, sizeof raw), spki, "SHA256", tbs, &made, &f), E_REFUSED);
        assert_int_equal(signed_structure_join(span_of(raw, i % 64), spki, "SHA256", tbs, &made, &f), E_REFUSED);
        ECDSA_SIG_free(pair);
        EVP_PKEY_CTX_free(context);
        buf_free(&der);
    }
    assert_true(short_number && high);
    assert_int_equal(made.len, 0);
    buf_free(&made);
    buf_free(&joined);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_read_by_others),
        WITH_FIXTURE(test_holds),
        WITH_FIXTURE(test_serials),
        WITH_FIXTURE(test_structure_refused),
        WITH_FIXTURE(test_keys_refused),
        WITH_FIXTURE(test_outlived),
        WITH_FIXTURE(test_csr),
        WITH_FIXTURE(test_data_digest),
        WITH_FIXTURE(test_edwards),
        WITH_FIXTURE(test_join),
        cmocka_unit_test(test_der),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
