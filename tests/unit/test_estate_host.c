#include "tests/unit/host_fixture.h"

/* A site that is elsewhere follows the host's log, and judges it: what does not hold is refused, and nothing of it stays. */

static void the_log_is_followed(void **state)
{
    struct fault f = {OK, ""};
    struct host *h = NULL;
    struct request *r = NULL;
    struct policy *p = NULL;
    struct digest left, right;
    uint64_t size = log_size(host_estate->log), seq = 0;

    (void)state;
    taken_in(0);
    taken_in(0);    /* the same again */
    taken_in(size); /* nothing */
    policy_write("policy2.yaml", 2);
    r = asked("policy2.yaml", NULL, 2, &p);
    good(estate_intend(host_estate, r, NULL, NULL, &seq, &f), &f);
    entered(r, p, json_deep_copy(json_object_get(state_intent(&host_estate->state, seq)->body, "verdict")));
    taken_in(size - 1);
    good(host_open(site_estate, &h, &f), &f);
    assert_int_equal(h->copy->policy->version, 2);
    log_root(h->copy->log, &left);
    log_root(host_estate->log, &right);
    assert_true(digest_equal(&left, &right));
    /* The record is all there: a request's votes too. */
    assert_true(strlen(in("far/host/requests")) > 0);
    host_close(h);
    request_free(r);
    policy_free(p);
}

static void messages_for_others(void **state)
{
    struct buf bytes;

    (void)state;
    exported(0, "root", "elsewhere", &bytes);
    assert_non_null(strstr(followed(&bytes, NULL), "the message is for root at elsewhere"));
    buf_free(&bytes);
    exported(0, "toor", "there", &bytes);
    assert_non_null(strstr(followed(&bytes, NULL), "the message is for toor"));
    buf_free(&bytes);
    refused(0, digest_hex(&host_estate->state.estate).hex,
            "0000000000000000000000000000000000000000000000000000000000000000", "another estate");
}

static void gaps_and_steps_back(void **state)
{
    struct buf old;
    struct policy *p = NULL;

    (void)state;
    exported(0, "root", "there", &old);
    refused(1, NULL, NULL, "only 0 are known here");
    taken_in(0);
    policy_write("policy2.yaml", 2);
    request_free(asked("policy2.yaml", NULL, 1, &p));
    taken_in(0);
    assert_non_null(strstr(followed(&old, NULL), "older than what this site has seen"));
    buf_free(&old);
    policy_free(p);
}

static void altered_entries_and_notes(void **state)
{
    (void)state;
    refused(0, "\"person\":\"ann\"", "\"person\":\"bob\"", "");
    refused(0, "\"name\":\"fixture\"", "\"name\":\"fixturf\"", "signed root");
    refused(0, "\\n\\n", "\\n\\nx", "");
    taken_in(0);
}

/* A copy of the host's home that went on by itself, with the same key. */
static void a_fork_is_refused(void **state)
{
    struct fault f = {OK, ""};
    struct estate *original = host_estate, *other = NULL;
    struct policy *p = NULL;

    (void)state;
    taken_in(0);
    scratch_run("cp -a home home2");
    text_write("other.yaml", "home: ./home2\npolicy: ./policy.yaml\ntokens:\n  root:\n    here: {carried: true}\n");
    policy_write("policy2.yaml", 2);
    request_free(asked("policy2.yaml", NULL, 1, &p));
    policy_free(p);
    taken_in(0);
    good(estate_open(in("other.yaml"), &other, &f), &f);
    host_estate = estate_at_hand = other;
    request_free(asked("policy2.yaml", NULL, 2, &p));
    policy_free(p);
    refused(0, NULL, NULL, "forks the host's log");
    estate_close(other);
    host_estate = estate_at_hand = original;
}

static void what_nobody_approved(void **state)
{
    struct policy *p = NULL;
    struct request *r = NULL;

    (void)state;
    taken_in(0);
    policy_write("policy2.yaml", 2);
    r = asked("policy2.yaml", NULL, 1, &p);
    forged_intent(r, true);
    refused(0, NULL, NULL, "computed again, the verdict is pending");
    request_free(r);
    policy_free(p);
}

static void a_policy_out_of_nowhere(void **state)
{
    struct policy *p = NULL;
    struct request *r = NULL;

    (void)state;
    taken_in(0);
    policy_write("policy2.yaml", 2);
    r = asked("policy2.yaml", NULL, 2, &p);
    entered(r, p, forged_verdict());
    refused(0, NULL, NULL, "nothing that was decided says so");
    request_free(r);
    policy_free(p);
}

/* Votes that the intent leaves out, or a signature that is another's. */
static void votes_that_do_not_hold(void **state)
{
    struct policy *p = NULL;
    struct request *r = NULL;
    char mine[128], theirs[128];
    struct buf der = BUF(LIMIT_SIGNATURE);
    struct fault f = {OK, ""};

    (void)state;
    taken_in(0);
    policy_write("policy2.yaml", 2);
    r = asked("policy2.yaml", NULL, 2, &p);
    forged_intent(r, false);
    snprintf(mine, sizeof mine, "home/requests/%s/ann.p7s", digest_hex(&r->id).hex);
    snprintf(theirs, sizeof theirs, "%s", mine);
    refused(0, NULL, NULL, "does not rest on every vote");
    sign(1, 1, buf_span(&r->bytes), &der);
    good(file_replace(in(mine), buf_span(&der), 0644, &f), &f);
    refused(0, NULL, NULL, "not the signature that the log names");
    buf_free(&der);
    request_free(r);
    policy_free(p);
}

/* The last vote of the host's request, by ann, once more: renewing it, or the same approval written in another way. */
static void approved_again(const struct request *r, bool renews)
{
    const struct state_request *known = state_request(&host_estate->state, &r->id);
    const struct state_vote *last = &known->votes[known->vote_count - 1];
    struct digest_text before = digest_hex(&last->signature);
    struct buf der = BUF(LIMIT_SIGNATURE), document = BUF(LIMIT_REQUEST);
    struct fault f = {OK, ""};
    json_t *body = json_object();
    struct digest signature;
    char name[256];

    good(renewal_compose(&r->id, &last->signature, &document, &f), &f);
    sign(0, 0, renews ? buf_span(&document) : buf_span(&r->bytes), &der);
    assert_true(digest_one(&signature, buf_span(&der)) && json_put_digest(body, "certificate", &last->certificate) &&
                json_put_digest(body, "public-key", &last->public_key) && json_put_string(body, "person", "ann") &&
                json_put_digest(body, "request", &r->id) && json_put_digest(body, "signature", &signature) &&
                (!renews || json_put_digest(body, "renews", &last->signature)));
    snprintf(name, sizeof name, "home/requests/%s/ann%s%s.p7s", digest_hex(&r->id).hex, renews ? "." : "",
             renews ? before.hex : "");
    good(file_replace(in(name), buf_span(&der), 0644, &f), &f);
    good(estate_append(host_estate, ENTRY_APPROVAL, body, NULL, &f), &f);
    json_decref(body);
    buf_free(&document);
    buf_free(&der);
}

static void approvals_again(void **state)
{
    struct policy *p = NULL;
    struct request *r = NULL;
    uint64_t size = 0;

    (void)state;
    policy_write("policy2.yaml", 2);
    r = asked("policy2.yaml", NULL, 1, &p);
    taken_in(0);
    approved_again(r, true);
    approved_again(r, true);
    taken_in(0);
    size = log_size(host_estate->log);
    approved_again(r, false);
    refused(size, NULL, NULL, "ann approved before");
    request_free(r);
    policy_free(p);
}

/* A key that was made now, as SPKI in hex. kind: a curve, or the bits of an RSA key. */
static void key_put(json_t *facts, const char *name, const char *kind, unsigned long exponent)
{
    unsigned char *der = NULL;
    EVP_PKEY *key = NULL;
    if (kind[0] >= '1' && kind[0] <= '9') {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
        BIGNUM *e = BN_new();
        assert_true(BN_set_word(e, exponent) == 1 && EVP_PKEY_keygen_init(ctx) == 1 &&
                    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)strtol(kind, NULL, 10)) == 1 &&
                    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) == 1 && EVP_PKEY_generate(ctx, &key) == 1);
        BN_free(e);
        EVP_PKEY_CTX_free(ctx);
    } else {
        key = EVP_EC_gen(kind);
    }
    int len = key != NULL ? i2d_PUBKEY(key, &der) : 0;
    assert_true(len > 0 && json_put_bytes_hex(facts, name, span_of(der, (size_t)len)));
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static const char *identity_kind, *transport_kind;
static unsigned long transport_exponent;

/* What everybody approved and no vendor said: the site judges the certificates too. `entry`: put over what the subject says. */
static void enrolled_with(const char *facts, const char *entry, const char *why)
{
    struct fault f = {OK, ""};
    struct answer a = {0};
    struct asking_context c = {0};
    uint64_t intent = 0;
    json_t *body = json_loads(facts, 0, NULL), *over = json_loads(entry, 0, NULL), *subject = NULL;

    assert_true(body != NULL && over != NULL);
    key_put(body, "identity", identity_kind, 65537);
    key_put(body, "transport", transport_kind, transport_exponent);
    estate_at_hand = host_estate;
    subject = asking_subject(host_estate, OP_ENROL_SITE, NULL);
    assert_int_equal(json_object_update(subject, body), 0);
    good(estate_ask(host_estate, subject, &c, &a, &f), &f);
    assert_non_null(a.request);
    for (size_t i = 0; i < 2; i++)
        good(approve(a.request, i, &f), &f);
    good(estate_intend(host_estate, a.request, &c, NULL, &intent, &f), &f);
    json_t *verdict = json_object_get(state_intent(&host_estate->state, intent)->body, "verdict");
    assert_true(json_put_digest(body, "request", &a.request->id) &&
                json_put_digest(body, "challenge", &a.request->id) && json_put_string(body, "answer", "aa") &&
                json_put_string(body, "identity-id", "01") && json_put_string(body, "transport-id", "02") &&
                json_put(body, "verdict", json_deep_copy(verdict)));
    assert_int_equal(json_object_update(body, over), 0);
    good(estate_append(host_estate, ENTRY_SITE_ENROLLED, body, NULL, &f), &f);
    if (why != NULL)
        refused(0, NULL, NULL, why);
    else
        taken_in(0);
    json_decref(over);
    json_decref(body);
    answer_clear(&a);
}

static void keys_of(const char *identity, const char *transport, unsigned long exponent)
{
    identity_kind = identity;
    transport_kind = transport;
    transport_exponent = exponent;
}

#define HSM(hardware)                                                                                                  \
    "{\"firmware\":\"1\",\"hardware\":\"" hardware                                                                     \
    "\",\"manufacturer\":\"m\",\"model\":\"m\",\"serial\":\"1\",\"site\":\"here\","                                    \
    "\"token\":\"root\""
#define CERTIFICATES "\"attestation\":{\"identity\":[\"3000\",\"3000\"]}"

static void what_people_attest(void **state)
{
    (void)state;
    keys_of("P-256", "3072", 65537);
    taken_in(0);
    enrolled_with(HSM("attested-by-people") "}", "{}", NULL);
}

static void what_no_vendor_said(void **state)
{
    (void)state;
    keys_of("P-256", "3072", 65537);
    taken_in(0);
    enrolled_with(HSM("attested-by-vendor") "," CERTIFICATES "}", "{}", "lists no roots for here");
}

static void another_attestation(void **state)
{
    (void)state;
    keys_of("P-256", "3072", 65537);
    taken_in(0);
    enrolled_with(HSM("attested-by-vendor") "," CERTIFICATES "}",
                  "{\"attestation\":{\"identity\":[\"3000\",\"3001\"]}}", "another attestation");
}

/* Keys on which nothing should rest, although everybody approved them. */
static void weak_keys(void **state)
{
    (void)state;
    taken_in(0);
    keys_of("secp256k1", "3072", 65537);
    enrolled_with(HSM("attested-by-people") "}", "{}", "the identity key is not one of");
}

static void a_weak_transport_key(void **state)
{
    (void)state;
    taken_in(0);
    keys_of("P-384", "2048", 65537);
    enrolled_with(HSM("attested-by-people") "}", "{}", "the transport key is no RSA key of at least 3072 bits");
}

static void a_small_exponent(void **state)
{
    (void)state;
    taken_in(0);
    keys_of("P-521", "3072", 3);
    enrolled_with(HSM("attested-by-people") "}", "{}", "with an odd exponent above 65536");
}

/* An older copy of the site's folder of the host's log would let a host say everything again. */
static void a_copy_that_was_put_back(void **state)
{
    struct fault f = {OK, ""};
    struct host *h = NULL;
    json_t *body = json_object();

    (void)state;
    taken_in(0);
    good(host_open(site_estate, &h, &f), &f);
    assert_true(host_seen_put(h, body));
    host_close(h);
    h = NULL;
    good(estate_append(site_estate, ENTRY_SEEN, body, NULL, &f), &f);
    json_decref(body);
    scratch_run("rm -rf far/host");
    assert_int_equal(host_open(site_estate, &h, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "our own log says were seen"));
}

static void a_home_that_was_never_introduced(void **state)
{
    struct fault f = {OK, ""};
    struct host *h = NULL;

    (void)state;
    assert_int_equal(host_open(host_estate, &h, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "quorate introduce"));
}

static void an_examination_keeps_nothing(void **state)
{
    struct fault f = {OK, ""};
    struct buf bytes;
    struct message m = {0};
    struct estate *seen = NULL;
    struct note_key key;

    (void)state;
    exported(0, "root", "there", &bytes);
    good(message_read(buf_span(&bytes), &m, &f), &f);
    good(host_examine(&m, &seen, &key, &f), &f);
    assert_true(digest_equal(&seen->state.estate, &host_estate->state.estate));
    assert_int_equal(seen->policy->version, 1);
    assert_memory_equal(key.public_key, log_first_key(host_estate->log)->public_key, 32);
    estate_close(seen);
    message_clear(&m);
    buf_free(&bytes);
    exported(1, "root", "there", &bytes);
    good(message_read(buf_span(&bytes), &m, &f), &f);
    assert_int_equal(host_examine(&m, &seen, &key, &f), E_INVALID);
    assert_non_null(strstr(f.text, "--from 0"));
    message_clear(&m);
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_log_is_followed),
        T(messages_for_others),
        T(gaps_and_steps_back),
        T(altered_entries_and_notes),
        T(a_fork_is_refused),
        T(what_nobody_approved),
        T(a_policy_out_of_nowhere),
        T(votes_that_do_not_hold),
        T(approvals_again),

        T(what_people_attest),
        T(what_no_vendor_said),
        T(another_attestation),
        T(weak_keys),
        T(a_weak_transport_key),
        T(a_small_exponent),
        T(a_copy_that_was_put_back),
        T(a_home_that_was_never_introduced),
        T(an_examination_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
