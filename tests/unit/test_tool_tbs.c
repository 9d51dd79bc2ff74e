#include "tests/unit/tool_fixture.h"

#include "ceremony/tbs.h"

/* What a digest stands for: the bytes to be signed lie beside the request, and are shown only if they are those. */

static int begin(void **state)
{
    int rc = make(state);

    if (rc == 0)
        adopt("policy.yaml");
    return rc;
}

/* A request for a signature over these bytes, as C_Sign with CKM_ECDSA gets them. */
static struct digest ask(struct span signed_bytes, const char *kind)
{
    json_t *s = asking_subject(estate_at_hand, OP_USE, NULL), *data = json_object();
    struct digest digest;
    struct answer a = {0};
    struct fault f = {OK, ""};
    struct digest id;

    assert_true(digest_one(&digest, signed_bytes) && json_put_string(data, "kind", kind) &&
                json_put_digest(data, "sha256", &digest));
    assert_true(json_put_string(s, "token", "root") && json_put_string(s, "function", "C_Sign") &&
                json_put_string(s, "label", "ca-1") && json_put_string(s, "class", "private-key") &&
                json_put(s, "data", data));
    assert_int_equal(estate_ask(estate_at_hand, s, NULL, &a, &f), OK);
    assert_non_null(a.request);
    id = a.request->id;
    answer_clear(&a);
    return id;
}

static struct digest ask_hashed(struct span tbs)
{
    struct digest hash;

    assert_true(digest_one(&hash, tbs));
    return ask((struct span){hash.bytes, sizeof hash.bytes}, "digest");
}

static void beside(const struct digest *id, struct span tbs)
{
    struct fault f = {OK, ""};

    assert_int_equal(tbs_keep(estate_at_hand, id, tbs, &f), OK);
}

static struct span certificate_tbs(unsigned char **ret)
{
    int len = i2d_re_X509_tbs(person_certificates[1], ret);

    assert_true(len > 0);
    return span_of(*ret, (size_t)len);
}

static void test_a_certificate(void **state)
{
    unsigned char *der = NULL;
    struct span tbs = certificate_tbs(&der);
    struct digest id = ask_hashed(tbs);

    (void)state;
    beside(&id, tbs);
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--yes")), 0);
    says("a certificate (");
    says("Subject: CN=bob");
    says("Not After");
    assert_int_equal(quorate("quorate request list"), 0);
    OPENSSL_free(der);
}

static void test_a_request_for_a_certificate(void **state)
{
    X509_REQ *req = X509_REQ_new();
    unsigned char *der = NULL;
    int len = 0;
    struct digest id;

    (void)state;
    assert_true(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_ASC,
                                           (const unsigned char *)"an applicant", -1, -1, 0));
    assert_true(X509_REQ_set_pubkey(req, person_keys[0]));
    assert_true(X509_REQ_sign(req, person_keys[0], EVP_sha256()) > 0);
    len = i2d_re_X509_REQ_tbs(req, &der);
    id = ask(span_of(der, (size_t)len), "message");
    beside(&id, span_of(der, (size_t)len));
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--yes")), 0);
    says("a certificate request (CSR)");
    says("an applicant");
    OPENSSL_free(der);
    X509_REQ_free(req);
}

static void test_a_revocation_list(void **state)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = ASN1_TIME_set(NULL, 1700000000);
    unsigned char *der = NULL;
    int len = 0;
    struct digest id;

    (void)state;
    assert_true(X509_CRL_set_version(crl, 1) && X509_CRL_set1_lastUpdate(crl, now) &&
                X509_CRL_set1_nextUpdate(crl, now) &&
                X509_CRL_set_issuer_name(crl, X509_get_subject_name(person_certificates[2])));
    assert_true(X509_CRL_sign(crl, person_keys[0], EVP_sha256()) > 0);
    len = i2d_re_X509_CRL_tbs(crl, &der);
    id = ask_hashed(span_of(der, (size_t)len));
    beside(&id, span_of(der, (size_t)len));
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--yes")), 0);
    says("a revocation list (CRL)");
    says("CN=cy");
    OPENSSL_free(der);
    X509_CRL_free(crl);
    ASN1_TIME_free(now);
}

/* One bit: nobody signs, and nothing of it is shown. */
static void test_other_bytes(void **state)
{
    unsigned char *der = NULL;
    struct span tbs = certificate_tbs(&der);
    struct digest id = ask_hashed(tbs);

    (void)state;
    der[tbs.len - 1] ^= 1;
    beside(&id, tbs);
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--yes")), 1);
    says("is not what request");
    assert_int_equal(quorate(vote_line("reject", "ann", "ann", "--yes --reason swapped")), 0);
    OPENSSL_free(der);
}

static void test_something_else(void **state)
{
    struct digest id = ask(span_str("no certificate"), "message");

    (void)state;
    beside(&id, span_str("no certificate"));
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--yes")), 0);
    says("neither certificate, CRL nor CSR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_certificate, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_a_request_for_a_certificate, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_a_revocation_list, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_other_bytes, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_something_else, begin, estate_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
