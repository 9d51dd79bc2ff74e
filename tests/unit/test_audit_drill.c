#include <openssl/evp.h>

#include "audit/document.h"
#include "audit/drill.h"
#include "audit_fixture.h"
#include "core/limits.h"
#include "site_answers.h"

/* A site's answer to a drill as a document, and what the state makes of its entry. */

static EVP_PKEY *replica;
static struct buf replica_spki;
static struct digest fingerprint;

static int keys_make(void **state)
{
    replica = EVP_PKEY_Q_keygen(crypto_context(), NULL, "EC", "P-256");
    replica_spki = spki_of(replica);
    return digest_one(&fingerprint, buf_span(&replica_spki)) ? identity_make(state) : -1;
}

static int keys_free(void **state)
{
    EVP_PKEY_free(replica);
    buf_free(&replica_spki);
    return identity_free(state);
}

static void answer_sign(struct drill *d)
{
    struct fault f;
    struct digest digest;
    assert_int_equal(drill_digest(d, &digest, &f), OK);
    buf_free(&d->signature);
    d->signature = signed_by(identity, &digest);
}

/* Three keys: one signed, one attested, one gone. */
static struct drill answer_made(void)
{
    struct digest digest;
    struct drill d = {.estate = digest_named("estate"),
                      .challenge = digest_named("challenge"),
                      .nonce = digest_named("nonce"),
                      .token = "root",
                      .site = "cardiff",
                      .serial = "0123",
                      .keys = calloc(3, sizeof *d.keys),
                      .key_count = 3};
    assert_non_null(d.keys);
    d.keys[0] = (struct drill_key){.born = 7, .proof = "signature"};
    d.keys[1] = (struct drill_key){.born = 9, .proof = "attested"};
    d.keys[2] = (struct drill_key){.born = 12, .reason = strdup("no such key on the HSM")};
    assert_true(drill_statement_digest(&d, &fingerprint, &digest));
    d.keys[0].proof_signature = signed_by(replica, &digest);
    answer_sign(&d);
    return d;
}

/* Figures made with Python's hashlib from docs/FORMAT.md. */
static void known_digests(void **state)
{
    (void)state;
    struct fault f;
    struct digest digest, key = digest_named("key");
    struct drill_key one = {.born = 7, .proof = "attested"};
    struct drill d = {.estate = digest_named("estate"),
                      .challenge = digest_named("challenge"),
                      .nonce = digest_named("nonce"),
                      .token = "root",
                      .site = "cardiff",
                      .serial = "0123",
                      .keys = &one,
                      .key_count = 1};
    assert_true(drill_statement_digest(&d, &key, &digest));
    assert_string_equal(digest_hex(&digest).hex, "93af66d382845c2395021a3523058c3bc4e4c4c35ffd3d3dc96c231632c7cb75");
    assert_int_equal(drill_digest(&d, &digest, &f), OK);
    assert_string_equal(digest_hex(&digest).hex, "a60b2b36cfae18f2d496997cff9c4c06e6253d3760ac616a5cde9edecc37c419");
}

static void there_and_back(void **state)
{
    (void)state;
    struct fault f;
    struct drill d = answer_made(), back = {0};
    struct site_question asked = question();
    struct buf bytes = BUF(LIMIT_DRILL), again = BUF(LIMIT_DRILL);
    assert_int_equal(drill_compose(&d, &bytes, &f), OK);
    assert_int_equal(drill_parse(buf_span(&bytes), &back, &f), OK);
    assert_int_equal(drill_compose(&back, &again, &f), OK);
    assert_true(span_equal(buf_span(&bytes), buf_span(&again)));
    assert_int_equal(drill_verify(&back, &asked, &f), OK);
    assert_int_equal(back.key_count, 3);
    assert_int_equal(drill_key_verify(&back, &back.keys[0], buf_span(&replica_spki), true, &f), OK);
    assert_int_equal(drill_key_verify(&back, &back.keys[1], span_of(NULL, 0), true, &f), OK);
    assert_int_equal(drill_key_verify(&back, &back.keys[1], buf_span(&replica_spki), false, &f), OK);
    /* who can sign must */
    assert_int_equal(drill_key_verify(&back, &back.keys[1], buf_span(&replica_spki), true, &f), E_REFUSED);
    assert_int_equal(drill_key_verify(&back, &back.keys[2], buf_span(&replica_spki), false, &f), E_REFUSED);
    assert_string_equal(f.text, "no such key on the HSM");
    assert_int_equal(drill_key_verify(&back, &back.keys[0], buf_span(&identity_spki), true, &f), E_REFUSED);
    assert_int_equal(drill_key_verify(&back, &back.keys[0], span_of(NULL, 0), true, &f), E_REFUSED);
    /* one byte more or less is no document */
    for (size_t i = 0; i < bytes.len; i++) {
        struct drill cut = {0};
        assert_int_not_equal(drill_parse(span_of(bytes.data, i), &cut, &f), OK);
    }
    buf_puts(&bytes, " ");
    struct drill more = {0};
    assert_int_equal(drill_parse(buf_span(&bytes), &more, &f), E_INVALID);
    drill_clear(&d);
    drill_clear(&back);
    buf_free(&bytes);
    buf_free(&again);
}

static void not_this_question(void **state)
{
    (void)state;
    struct fault f;
    struct drill d = answer_made();
    struct site_question asked = question();
    asked.estate = digest_named("other");
    assert_int_equal(drill_verify(&d, &asked, &f), E_REFUSED);
    asked = question();
    asked.challenge = digest_named("other");
    assert_int_equal(drill_verify(&d, &asked, &f), E_REFUSED);
    asked = question();
    asked.token = "leaf";
    assert_int_equal(drill_verify(&d, &asked, &f), E_REFUSED);
    asked = question();
    asked.site = "glasgow";
    assert_int_equal(drill_verify(&d, &asked, &f), E_REFUSED);
    asked = question();
    asked.serial = "4567";
    assert_int_equal(drill_verify(&d, &asked, &f), E_REFUSED);
    asked = question();
    asked.identity = buf_span(&replica_spki);
    assert_int_equal(drill_verify(&d, &asked, &f), E_REFUSED);
    /* a key added after the HSM signed */
    asked = question();
    d.key_count = 2;
    assert_int_equal(drill_verify(&d, &asked, &f), E_REFUSED);
    d.key_count = 3;
    assert_int_equal(drill_verify(&d, &asked, &f), OK);
    drill_clear(&d);
}

static void documents_that_are_none(void **state)
{
    (void)state;
#define FRAME(keys)                                                                                                    \
    "{\"challenge\":\"" D "\",\"estate\":\"" D "\",\"keys\":" keys ",\"nonce\":\"" D                                   \
    "\",\"serial\":\"1\",\"signature\":\"aa\",\"site\":\"s\",\"token\":\"t\",\"type\":\"quorate/drill/v1\"}"
#define D "1111111111111111111111111111111111111111111111111111111111111111"
    static const struct {
        enum outcome outcome;
        const char *text;
    } rows[] = {
        {OK, FRAME("[]")},
        {OK, FRAME("[{\"born\":7,\"proof\":\"attested\"},{\"born\":8,\"reason\":\"gone\"}]")},
        {OK, FRAME("[{\"born\":7,\"proof\":\"signature\",\"proof-signature\":\"aa\"}]")},
        {E_INVALID, FRAME("[{\"born\":7}]")},
        {E_INVALID, FRAME("[{\"born\":-1,\"proof\":\"attested\"}]")},
        {E_INVALID, FRAME("[{\"born\":\"7\",\"proof\":\"attested\"}]")},
        {E_INVALID, FRAME("[{\"born\":7,\"proof\":\"attested\"},{\"born\":7,\"proof\":\"attested\"}]")},
        {E_INVALID, FRAME("[{\"born\":8,\"proof\":\"attested\"},{\"born\":7,\"proof\":\"attested\"}]")},
        {E_INVALID, FRAME("[{\"born\":7,\"proof\":\"attested\",\"reason\":\"x\"}]")},
        {E_INVALID, FRAME("[{\"born\":7,\"proof\":\"said\"}]")},
        {E_INVALID, FRAME("[{\"born\":7,\"proof\":\"signature\"}]")},
        {E_INVALID, FRAME("[{\"born\":7,\"proof\":\"attested\",\"proof-signature\":\"aa\"}]")},
        {E_INVALID, FRAME("[{\"born\":7,\"proof-signature\":\"aa\",\"reason\":\"x\"}]")},
        {E_INVALID, FRAME("[{\"born\":7,\"more\":\"x\",\"proof\":\"attested\"}]")},
        {E_INVALID, FRAME("[7]")},
        {E_INVALID, FRAME("{}")},
        {E_INVALID, "{}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fault f;
        struct drill d = {0};
        enum outcome outcome = drill_parse(span_str(rows[i].text), &d, &f);
        if (outcome != rows[i].outcome)
            fail_msg("%d: %s", outcome, rows[i].text);
        drill_clear(&d);
    }
}

/* What a drill makes keys sign is of no use anywhere else, and nothing else passes for it. */
static void no_oracle(void **state)
{
    (void)state;
    struct fault f;
    struct digest drilled, proof, challenge, answer;
    struct drill d = answer_made();
    struct statement s = {
        .estate = d.estate, .offer = fingerprint, .challenge = d.challenge, .nonce = d.nonce, .site = "cardiff"};
    assert_true(drill_statement_digest(&d, &fingerprint, &drilled));
    /* with every field that an attacker could choose the same */
    assert_true(statement_digest(&s, &proof));
    assert_true(challenge_digest(&d.estate, "root", "cardiff", &d.challenge, &challenge));
    assert_int_equal(drill_digest(&d, &answer, &f), OK);
    assert_false(digest_equal(&drilled, &proof));
    assert_false(digest_equal(&drilled, &challenge));
    assert_false(digest_equal(&drilled, &answer));
    assert_int_equal(digest_signature_verify(buf_span(&replica_spki), &proof, buf_span(&d.keys[0].proof_signature), &f),
                     E_REFUSED);
    /* The site's nonce is in it: the same question never gives the same bytes. */
    d.nonce = digest_named("another nonce");
    assert_true(drill_statement_digest(&d, &fingerprint, &proof));
    assert_false(digest_equal(&drilled, &proof));
    d.nonce = digest_named("nonce");

    /* The identity's signature over a drill is none over the receipt with the same bytes behind the prefix, and a receipt
     * is no drill. */
    struct offer o = {.estate = d.estate,
                      .intent = digest_named("intent"),
                      .challenge = d.challenge,
                      .token = "root",
                      .site = "cardiff"};
    struct receipt r = {.estate = d.estate,
                        .intent = o.intent,
                        .offer = digest_named("offer"),
                        .challenge = d.challenge,
                        .nonce = d.nonce,
                        .token = "root",
                        .site = "cardiff",
                        .serial = "0123",
                        .proof = "attested"};
    struct digest offer = r.offer;
    r.signature = signed_by(identity, &answer);
    assert_int_equal(receipt_verify(&r, &o, &offer, buf_span(&identity_spki), "0123", &f), E_REFUSED);
    struct digest receipt;
    assert_int_equal(receipt_digest(&r, &receipt, &f), OK);
    buf_free(&d.signature);
    d.signature = signed_by(identity, &receipt);
    struct site_question asked = question();
    assert_int_equal(drill_verify(&d, &asked, &f), E_REFUSED);
    buf_free(&d.signature);
    d.signature = signed_by(identity, &challenge);
    assert_int_equal(drill_verify(&d, &asked, &f), E_REFUSED);
    struct buf bytes = BUF(LIMIT_DRILL);
    assert_int_equal(drill_compose(&d, &bytes, &f), OK);
    struct receipt none = {0};
    assert_int_equal(receipt_parse(buf_span(&bytes), &none, &f), E_INVALID);
    buf_free(&bytes);
    receipt_clear(&r);
    drill_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),     cmocka_unit_test(there_and_back),
        cmocka_unit_test(not_this_question), cmocka_unit_test(documents_that_are_none),
        cmocka_unit_test(no_oracle),
    };
    return cmocka_run_group_tests(tests, keys_make, keys_free);
}
