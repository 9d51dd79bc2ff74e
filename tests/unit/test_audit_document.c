#include <openssl/evp.h>

#include "audit/document.h"
#include "audit_fixture.h"
#include "core/limits.h"
#include "hsm_answers.h"

static EVP_PKEY *key_made(const char *type, const char *curve_or_null)
{
    EVP_PKEY *key = curve_or_null ? EVP_PKEY_Q_keygen(crypto_context(), NULL, type, curve_or_null)
                                  : EVP_PKEY_Q_keygen(crypto_context(), NULL, type, (size_t)2048);
    assert_non_null(key);
    return key;
}

/* Figures made with Python's hashlib from docs/FORMAT.md. */
static void known_digests(void **state)
{
    (void)state;
    struct fault f;
    struct digest d, estate = digest_named("estate"), challenge = digest_named("challenge");
    struct statement s = {.estate = estate,
                          .offer = digest_named("offer"),
                          .challenge = challenge,
                          .nonce = digest_named("nonce"),
                          .site = "cardiff"};
    assert_true(statement_digest(&s, &d));
    assert_string_equal(digest_hex(&d).hex, "3f52d0c3a3e7fba570808c0fe56adc1b5aa82d030f9f8d25fe847a127fabe6e6");
    assert_true(challenge_digest(&estate, "root", "cardiff", &challenge, &d));
    assert_string_equal(digest_hex(&d).hex, "21f39b3d1a9a7ea09a072d44b5ddf1d348a1a1d903dbf9d8454445ae2dbc92cc");
    struct receipt r = {.estate = estate,
                        .intent = digest_named("intent"),
                        .offer = s.offer,
                        .challenge = challenge,
                        .nonce = s.nonce,
                        .token = "root",
                        .site = "cardiff",
                        .serial = "0123",
                        .proof = "attested"};
    assert_int_equal(receipt_digest(&r, &d, &f), OK);
    assert_string_equal(digest_hex(&d).hex, "a4587348e3dd31a884c0271045dab9d2b3ca4f04b4724daf510542cdc9b8ee8e");
    struct offer o = {.wrapped_key = BUF(16), .wrapped_secret = BUF(16)};
    buf_puts(&o.wrapped_key, "key");
    d = offer_blob_digest(&o);
    assert_string_equal(digest_hex(&d).hex, "ee7d640f50aa6ffbbfb7330867cbd4bbf843dc4c6ce427d7395cd18be201fd1b");
    buf_puts(&o.wrapped_secret, "secret");
    d = offer_blob_digest(&o);
    assert_string_equal(digest_hex(&d).hex, "c470df9ea095c3a28de0ba6f04ff981d7a266f2b9c02e2931813b43469645ce1");
    offer_clear(&o);
}

/* An offer, the digest of its bytes, and the site's good answer. */
struct exchange {
    EVP_PKEY *replica, *identity;
    struct buf spki; /* of the identity */
    struct offer offer;
    struct digest offer_digest;
    struct receipt receipt;
};

static void sign_receipt(struct exchange *x)
{
    struct fault f;
    struct digest d;
    assert_int_equal(receipt_digest(&x->receipt, &d, &f), OK);
    buf_free(&x->receipt.signature);
    x->receipt.signature = signed_by(x->identity, &d);
}

static struct exchange exchange_made(EVP_PKEY *replica_taken, const char *may_sign)
{
    struct fault f;
    struct buf bytes = BUF(LIMIT_OFFER);
    struct exchange x = {.replica = replica_taken, .identity = key_made("EC", "P-256")};
    x.spki = spki_of(x.identity);
    x.offer = (struct offer){.estate = digest_named("estate"),
                             .intent = digest_named("intent"),
                             .challenge = digest_named("challenge"),
                             .token = "root",
                             .site = "cardiff",
                             .mechanism = "oaep-sha1+aes-kwp",
                             .wrapped_key = BUF(16),
                             .wrapped_secret = BUF(16),
                             .attributes = json_quoted("{'CKA_SIGN':'%s'}", may_sign)};
    buf_puts(&x.offer.wrapped_key, "key");
    buf_puts(&x.offer.wrapped_secret, "secret");
    if (x.replica) {
        x.offer.public_key = spki_of(x.replica);
        x.offer.public_attributes = json_quoted("{'CKA_VERIFY':'%s'}", may_sign);
    }
    assert_int_equal(offer_compose(&x.offer, &bytes, &f), OK);
    assert_true(digest_one(&x.offer_digest, buf_span(&bytes)));
    buf_free(&bytes);
    bool proves = x.replica && !strcmp(may_sign, "true");
    x.receipt = (struct receipt){.estate = x.offer.estate,
                                 .intent = x.offer.intent,
                                 .offer = x.offer_digest,
                                 .challenge = x.offer.challenge,
                                 .nonce = digest_named("nonce"),
                                 .token = "root",
                                 .site = "cardiff",
                                 .serial = "0123"};
    snprintf(x.receipt.proof, sizeof x.receipt.proof, "%s", proves ? "signature" : "attested");
    if (proves) {
        struct digest d;
        struct statement s = {x.offer.estate, x.offer_digest, x.offer.challenge, x.receipt.nonce, "cardiff"};
        assert_true(statement_digest(&s, &d));
        x.receipt.proof_signature = signed_by(x.replica, &d);
    }
    sign_receipt(&x);
    return x;
}

static void exchange_clear(struct exchange *x)
{
    EVP_PKEY_free(x->replica);
    EVP_PKEY_free(x->identity);
    buf_free(&x->spki);
    offer_clear(&x->offer);
    receipt_clear(&x->receipt);
}

static enum outcome judge(const struct exchange *x)
{
    struct fault f;
    return receipt_verify(&x->receipt, &x->offer, &x->offer_digest, buf_span(&x->spki), "0123", &f);
}

static void good_receipts(void **state)
{
    (void)state;
    struct exchange all[] = {
        exchange_made(key_made("EC", "P-256"), "true"),   exchange_made(key_made("EC", "P-384"), "true"),
        exchange_made(key_made("EC", "P-521"), "true"),   exchange_made(key_made("RSA", NULL), "true"),
        exchange_made(key_made("RSA", NULL), "false"),    exchange_made(NULL, "true"),
        exchange_made(key_made("ED25519", NULL), "true"),
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(judge(&all[i]), OK);
        exchange_clear(&all[i]);
    }
}

/* Every field, altered on the way (the identity signature no longer fits) and by the site itself (signed again). */
static void alter_fields(struct exchange x)
{
    uint8_t *const bytes[] = {
        x.receipt.estate.bytes,         x.receipt.intent.bytes,      x.receipt.offer.bytes,
        x.receipt.challenge.bytes,      x.receipt.nonce.bytes,       (uint8_t *)x.receipt.token,
        (uint8_t *)x.receipt.site,      (uint8_t *)x.receipt.serial, (uint8_t *)x.receipt.proof,
        x.receipt.proof_signature.data,
    };
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
        for (unsigned again = 0; again < 2; again++) {
            if (!bytes[i] || (again && bytes[i] == x.receipt.nonce.bytes && !x.offer.public_key.len))
                continue; /* attested: no signature to alter, and the nonce is the site's own affair */
            bytes[i][0] ^= 1;
            if (again)
                sign_receipt(&x);
            if (judge(&x) != E_REFUSED)
                fail_msg("field %zu, %s", i, again ? "signed again" : "as it was signed");
            bytes[i][0] ^= 1;
            sign_receipt(&x);
            assert_int_equal(judge(&x), OK);
        }
    for (size_t at = 0; at < x.receipt.signature.len; at += 7) {
        x.receipt.signature.data[at] ^= 1;
        assert_int_equal(judge(&x), E_REFUSED);
        x.receipt.signature.data[at] ^= 1;
    }
    exchange_clear(&x);
}

static void altered_fields(void **state)
{
    (void)state;
    alter_fields(exchange_made(key_made("EC", "P-384"), "true"));
    alter_fields(exchange_made(key_made("ED25519", NULL), "true"));
    alter_fields(exchange_made(NULL, "true"));
}

static void false_proofs(void **state)
{
    (void)state;
    struct fault f;
    struct exchange x = exchange_made(key_made("EC", "P-256"), "true"), o = exchange_made(NULL, "true");
    snprintf(x.receipt.proof, sizeof x.receipt.proof, "attested"); /* who can sign must */
    sign_receipt(&x);
    assert_int_equal(judge(&x), E_REFUSED);
    buf_free(&x.receipt.proof_signature);
    sign_receipt(&x);
    assert_int_equal(judge(&x), E_REFUSED);
    snprintf(x.receipt.proof, sizeof x.receipt.proof, "signature");
    sign_receipt(&x);
    assert_int_equal(judge(&x), E_REFUSED);
    struct digest d;
    struct statement s = {x.offer.estate, x.offer_digest, x.offer.challenge, x.receipt.nonce, "cardiff"};
    assert_true(statement_digest(&s, &d));
    x.receipt.proof_signature = signed_by(x.identity, &d); /* by another key */
    sign_receipt(&x);
    assert_int_equal(judge(&x), E_REFUSED);
    assert_int_equal(receipt_verify(&x.receipt, &x.offer, &x.offer_digest, buf_span(&o.spki), "0123", &f), E_REFUSED);
    snprintf(o.receipt.proof, sizeof o.receipt.proof, "signature"); /* of a secret key: by nobody knows what */
    o.receipt.proof_signature = signed_by(o.identity, &d);
    sign_receipt(&o);
    assert_int_equal(judge(&o), E_REFUSED);
    exchange_clear(&x);
    exchange_clear(&o);
}

static void documents_read_back(void **state)
{
    (void)state;
    struct fault f;
    struct exchange x = exchange_made(key_made("EC", "P-256"), "true");
    struct buf a = BUF(LIMIT_OFFER), b = BUF(LIMIT_OFFER);
    struct offer o;
    struct receipt r;
    assert_int_equal(offer_compose(&x.offer, &a, &f), OK);
    assert_int_equal(offer_parse(buf_span(&a), &o, &f), OK);
    assert_int_equal(offer_compose(&o, &b, &f), OK);
    assert_true(span_equal(buf_span(&a), buf_span(&b)));
    offer_clear(&o);
    for (size_t len = 0; len < a.len; len++)
        assert_int_equal(offer_parse(span_of(a.data, len), &o, &f), E_INVALID);
    buf_clear(&a);
    buf_clear(&b);
    assert_int_equal(receipt_compose(&x.receipt, &a, &f), OK);
    assert_int_equal(receipt_parse(buf_span(&a), &r, &f), OK);
    assert_int_equal(receipt_compose(&r, &b, &f), OK);
    assert_true(span_equal(buf_span(&a), buf_span(&b)));
    receipt_clear(&r);
    for (size_t len = 0; len < a.len; len++)
        assert_int_equal(receipt_parse(span_of(a.data, len), &r, &f), E_INVALID);
    for (size_t at = 0; at < a.len; at++) { /* no byte may change without anybody noticing */
        a.data[at] ^= 1;
        if (receipt_parse(buf_span(&a), &r, &f) == OK) {
            assert_int_equal(receipt_verify(&r, &x.offer, &x.offer_digest, buf_span(&x.spki), "0123", &f), E_REFUSED);
            receipt_clear(&r);
        }
        a.data[at] ^= 1;
    }
    buf_free(&a);
    buf_free(&b);
    exchange_clear(&x);
}

/* One member set to something else, or with NULL taken away: E_INVALID. */
static void bad_members(void **state)
{
    (void)state;
    static const struct {
        int offer;
        const char *name, *value;
    } bad[] = {
        {1, "type", "quorate/offer/v2"},
        {1, "mechanism", "aes"},
        {1, "mechanism", "rsa-aes-key-wrap-sha256"},
        {1, "wrapped-key", ""},
        {1, "wrapped-key", "0G"},
        {1, "wrapped-secret", NULL},
        {1, "public-key", NULL},
        {1, "public-attributes", "x"},
        {1, "attributes", NULL},
        {1, "site", ""},
        {1, "estate", "00"},
        {1, "more", "x"},
        {0, "type", "quorate/offer/v1"},
        {0, "proof", "trust me"},
        {0, "proof", "attested"},
        {0, "proof-signature", NULL},
        {0, "signature", ""},
        {0, "signature", NULL},
        {0, "serial", "123456789012345678901234567890123"},
        {0, "site", "a\nb"},
        {0, "nonce", "AA"},
        {0, "more", "x"},
    };
    struct fault f;
    struct exchange x = exchange_made(key_made("EC", "P-256"), "true");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = BUF(LIMIT_OFFER);
        struct offer o;
        struct receipt r;
        json_t *json = NULL;
        assert_int_equal(bad[i].offer ? offer_compose(&x.offer, &b, &f) : receipt_compose(&x.receipt, &b, &f), OK);
        assert_int_equal(json_parse_canonical(buf_span(&b), &json, &f), OK);
        if (bad[i].value)
            assert_true(json_put_string(json, bad[i].name, bad[i].value));
        else
            assert_int_equal(json_object_del(json, bad[i].name), 0);
        buf_clear(&b);
        assert_int_equal(json_canonical(json, &b, &f), OK);
        if ((bad[i].offer ? offer_parse(buf_span(&b), &o, &f) : receipt_parse(buf_span(&b), &r, &f)) != E_INVALID)
            fail_msg("%s %s", bad[i].name, bad[i].value ? bad[i].value : "missing");
        json_decref(json);
        buf_free(&b);
    }
    exchange_clear(&x);
}

static void bad_keys_and_signatures(void **state)
{
    (void)state;
    struct fault f;
    struct digest d = digest_named("x"), else_ = digest_named("y");
    EVP_PKEY *ec = key_made("EC", "P-256"), *ed = EVP_PKEY_Q_keygen(crypto_context(), NULL, "ED25519");
    struct buf spki = spki_of(ec), other = spki_of(ed), good = signed_by(ec, &d);
    struct buf edwards = signed_by(ed, &d);
    assert_int_equal(digest_signature_verify(buf_span(&spki), &d, buf_span(&good), &f), OK);
    assert_int_equal(digest_signature_verify(buf_span(&spki), &d, span_of(good.data, good.len - 1), &f), E_REFUSED);
    assert_int_equal(digest_signature_verify(buf_span(&spki), &d, span_of(NULL, 0), &f), E_REFUSED);
    assert_int_equal(digest_signature_verify(buf_span(&other), &d, buf_span(&good), &f), E_REFUSED);
    assert_int_equal(digest_signature_verify(buf_span(&other), &d, buf_span(&edwards), &f), OK);
    assert_int_equal(digest_signature_verify(buf_span(&other), &d, span_of(edwards.data, 63), &f), E_REFUSED);
    assert_int_equal(digest_signature_verify(buf_span(&other), &d, span_of(NULL, 0), &f), E_REFUSED);
    assert_int_equal(digest_signature_verify(buf_span(&other), &else_, buf_span(&edwards), &f), E_REFUSED);
    assert_int_equal(digest_signature_verify(buf_span(&spki), &d, buf_span(&edwards), &f), E_REFUSED);
    assert_int_equal(digest_signature_verify(span_of(NULL, 0), &d, buf_span(&good), &f), E_INVALID);
    assert_int_equal(digest_signature_verify(span_of(spki.data, spki.len - 1), &d, buf_span(&good), &f), E_INVALID);
    buf_puts(&spki, "x");
    assert_int_equal(digest_signature_verify(buf_span(&spki), &d, buf_span(&good), &f), E_INVALID);
    memset(good.data, 0, good.len);
    spki.len--;
    assert_int_equal(digest_signature_verify(buf_span(&spki), &d, buf_span(&good), &f), E_REFUSED);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
    buf_free(&spki);
    buf_free(&other);
    buf_free(&good);
    buf_free(&edwards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),           cmocka_unit_test(good_receipts),
        cmocka_unit_test(altered_fields),          cmocka_unit_test(false_proofs),
        cmocka_unit_test(documents_read_back),     cmocka_unit_test(bad_members),
        cmocka_unit_test(bad_keys_and_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
