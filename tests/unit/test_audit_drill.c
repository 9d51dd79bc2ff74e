#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "audit/document.h"
#include "audit/drill.h"
#include "audit_state_fixture.h"
#include "core/limits.h"

/* A site's answer to a drill as a document, and what the state makes of its entry. */

static EVP_PKEY *identity, *replica;
static struct buf identity_spki, replica_spki;
static struct digest fingerprint;

static struct buf spki_of(EVP_PKEY *key)
{
    uint8_t *der = NULL;
    struct buf b = BUF(4096);
    int len = i2d_PUBKEY(key, &der);
    assert_true(len > 0);
    buf_put(&b, der, (size_t)len);
    OPENSSL_free(der);
    return b;
}

/* As an HSM answers CKM_ECDSA. */
static struct buf signed_by(EVP_PKEY *key, const struct digest *d)
{
    struct buf b = BUF(LIMIT_ATTRIBUTE);
    uint8_t out[256];
    size_t len = sizeof out;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(crypto_context(), key, NULL);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, out, &len, d->bytes, 32), 1);
    EVP_PKEY_CTX_free(ctx);
    const uint8_t *p = out;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
    assert_non_null(sig);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32), 32);
    ECDSA_SIG_free(sig);
    buf_put(&b, out, 64);
    return b;
}

static int keys_make(void **state)
{
    (void)state;
    identity = EVP_PKEY_Q_keygen(crypto_context(), NULL, "EC", "P-256");
    replica = EVP_PKEY_Q_keygen(crypto_context(), NULL, "EC", "P-256");
    identity_spki = spki_of(identity);
    replica_spki = spki_of(replica);
    return digest_one(&fingerprint, buf_span(&replica_spki)) ? 0 : -1;
}

static int keys_free(void **state)
{
    (void)state;
    EVP_PKEY_free(identity);
    EVP_PKEY_free(replica);
    buf_free(&identity_spki);
    buf_free(&replica_spki);
    return 0;
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

static struct drill_question question(void)
{
    return (struct drill_question){.estate = digest_named("estate"),
                                   .challenge = digest_named("challenge"),
                                   .token = "root",
                                   .site = "cardiff",
                                   .serial = "0123",
                                   .identity = buf_span(&identity_spki)};
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
    struct drill_question asked = question();
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
    struct drill_question asked = question();
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
    struct drill_question asked = question();
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

/* Keys 10 and 11 at slough, 12 at slough and cardiff. */
static void held(struct state *s)
{
    found(s);
    enrol(s);
    static const struct row rows[] = {
        {1, ENTRY_BORN,
         "{'class':'secret-key','id':'01','label':'a','sites':['slough'],'token':'root','type':'AES:256'}"},
        {1, ENTRY_BORN,
         "{'class':'secret-key','id':'02','label':'b','sites':['slough'],'token':'root','type':'AES:256'}"},
        {1, ENTRY_BORN,
         "{'class':'secret-key','id':'03','label':'c','sites':['slough'],'token':'root','type':'AES:256'}"},
    };
    TELL(s, rows);
    assert_int_equal(s->keys[0].seq, 10);
    assert_true(strings_add(&s->keys[2].sites, "cardiff"));
    state_site(s, "root", "slough")->drilled = 0;
}

static void fresh_when_all_is_proven(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    const struct state_site *slough = state_site(&s, "root", "slough"), *cardiff = state_site(&s, "root", "cardiff");
    static const struct row some[] = {
        {0, ENTRY_DRILL, "{'failed':[],'proven':[11,10],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[10,10],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[9],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':['10'],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[10],'proven':[10],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12]," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[10],'reason':'away'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[],'reason':'x','receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[],'reason':''," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'more':'x','proven':[],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[],'receipt':'$d','site':'slough','token':'root'}"},
        {0, ENTRY_DRILL, /* cardiff does not hold it */
         "{'challenge':'$c','failed':[],'proven':[10],'receipt':'$d','site':'cardiff','token':'root'}"},
        /* not all of them */
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,12],'receipt':'$d'," DRILLED "}"},
    };
    TELL(&s, some);
    assert_int_equal(slough->drilled, 0);
    static const struct row all[] = {
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12],'receipt':'$d'," DRILLED "}"},
    };
    TELL(&s, all);
    assert_int_equal(slough->drilled, NOW);
    assert_int_equal(cardiff->drilled, 0); /* each site for itself */
    static const struct row away[] = {
        {1, ENTRY_DRILL, "{'failed':[10,11,12],'proven':[],'reason':'away'," DRILLED "}"},
    };
    TELL(&s, away);
    assert_int_equal(slough->drilled, NOW); /* of a site that does not answer nothing new is known */
    static const struct row gone[] = {
        {1, ENTRY_DRILL, "{'failed':[11],'proven':[10,12],'receipt':'$d'," DRILLED "}"},
    };
    TELL(&s, gone);
    assert_int_equal(slough->drilled, 0);
    static const struct row ended[] = {
        {1, ENTRY_DESTROYED, "{'class':'secret-key','id':'02','label':'b','sites':['slough'],'token':'root'}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12],'receipt':'$d'," DRILLED "}"},
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,12],'receipt':'$d'," DRILLED "}"},
    };
    TELL(&s, ended);
    assert_int_equal(slough->drilled, NOW);
    state_clear(&s);
}

#define AT_HOME                                                                                                        \
    "'country':'GB','latitude':'51.51','longitude':'-0.59','place':'slough','site':'slough','tags':[],'token':'root'"

/* Out, sealed, arrived, answered; in between it is nowhere. */
static void from_place_to_place(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    const struct state_site *slough = state_site(&s, "root", "slough");
    static const struct row out[] = {
        {0, ENTRY_DEPARTED, "{'bag':'7','site':'leeds','token':'root'}"},
        {0, ENTRY_DEPARTED, "{'bag':'','site':'slough','token':'root'}"},
        {0, ENTRY_DEPARTED, "{'site':'slough','token':'root'}"},
        {0, ENTRY_DEPARTED, "{'bag':'7','more':'x','site':'slough','token':'root'}"},
        {1, ENTRY_DEPARTED, "{'bag':'7','carrier':'ann','site':'slough','token':'root'}"},
        {0, ENTRY_DEPARTED, "{'bag':'8','site':'slough','token':'root'}"},
    };
    TELL(&s, out);
    assert_true(slough->away);
    assert_false(slough->placed);
    assert_string_equal(slough->bag, "7");
    static const struct row in[] = {
        {0, ENTRY_ARRIVED, "{'bag':'7'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'aa','bag':'7'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'bag':'7','challenge':'$c'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'aa','challenge':'$c'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'aa','bag':'8','challenge':'$c'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'no','bag':'7','challenge':'$c'," AT_HOME "}"},
        {1, ENTRY_ARRIVED, "{'answer':'aa','bag':'7','challenge':'$c'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'aa','bag':'7','challenge':'$c'," AT_HOME "}"},
        {1, ENTRY_DEPARTED, "{'bag':'9','site':'slough','token':'root'}"},
    };
    TELL(&s, in);
    assert_true(slough->away);
    state_clear(&s);
}

#define RETIRED "'request':'$t','token':'root'"

/* Only after the others have proven every key, and since people decided it. */
static void retired_when_others_hold_all(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    static const struct row before[] = {
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12],'receipt':'$d'," DRILLED "}"}, /* before it was decided */
        {1, ENTRY_REQUEST,
         "{'operation':'retire-site','request':'$t','rule':'r','subject':'$ts','token':'root'," LATER "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'retire-site',"
         "'request':'$t','site':'cardiff','token':'root'," VERDICT "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
        {1, ENTRY_DRILL, "{'failed':[11],'proven':[10,12],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'slough'," VERDICT "}"}, /* that was not decided */
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'more':'x','site':'cardiff'," VERDICT "}"},
        {1, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
    };
    TELL(&s, before);
    const struct state_intent *i = &s.intents[0];
    assert_null(state_site(&s, "root", "cardiff"));
    assert_int_equal(s.keys[2].sites.count, 1);
    assert_true(strings_have(&s.keys[2].retired, "cardiff"));
    assert_true(strings_have(&i->orphans, "cardiff"));
    assert_int_equal(i->state, INTENT_SETTLED);
    assert_int_equal(request_named(&s, "t")->state, REQUEST_SPENT);
    assert_int_equal(i->seq, 15);
    static const struct row after[] = {
        {0, ENTRY_ACCEPTED, "{'intent':15,'sites':['slough']}"},
        {0, ENTRY_ACCEPTED, "{'intent':15,'sites':[]}"},
        {1, ENTRY_ACCEPTED, "{'intent':15,'sites':['cardiff']}"},
        {0, ENTRY_ACCEPTED, "{'intent':15,'sites':['cardiff']}"},
    };
    TELL(&s, after);
    assert_int_equal(s.keys[2].retired.count, 0);
    state_clear(&s);
}

static void not_with_the_only_replica(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    static const struct row rows[] = {
        {1, ENTRY_REQUEST,
         "{'operation':'retire-site','request':'$t','rule':'r','subject':'$ts','token':'root'," LATER "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'retire-site',"
         "'request':'$t','site':'slough','token':'root'," VERDICT "}"},
        {1, ENTRY_DRILL, "{'challenge':'$c','failed':[],'proven':[12],'receipt':'$d','site':'cardiff','token':'root'}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'slough'," VERDICT "}"},
    };
    TELL(&s, rows);
    assert_non_null(state_site(&s, "root", "slough"));
    state_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(not_this_question),
        cmocka_unit_test(documents_that_are_none),
        cmocka_unit_test(no_oracle),
        cmocka_unit_test(fresh_when_all_is_proven),
        cmocka_unit_test(retired_when_others_hold_all),
        cmocka_unit_test(not_with_the_only_replica),
        cmocka_unit_test(from_place_to_place),
    };
    return cmocka_run_group_tests(tests, keys_make, keys_free);
}
