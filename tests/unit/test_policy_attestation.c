#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "policy/attestation.h"
#include "policy/signature.h"

/* What a vendor certifies, and what only looks like it. */
#define NOW INT64_C(1780272000) /* 2026-06-01T00:00:00Z */
#define YEAR (365 * INT64_C(86400))
#define CA "critical,CA:TRUE"

struct made {
    const char *name, *issuer; /* issuer: the name of another one; NULL: itself */
    const char *constraints;   /* basicConstraints; NULL: none */
    const char *usage;         /* keyUsage; NULL: none */
    int64_t from, until;       /* seconds from NOW */
    const char *digest;
    int more;     /* NID of another extension, critical; 0: none */
    unsigned rsa; /* bits; 0: EC P-256 */
};
static const struct made table[] = {
    {"root", NULL, CA, "critical,keyCertSign", -YEAR, 10 * YEAR, "SHA256", 0, 0},
    {"device", "root", CA, NULL, -YEAR, 10 * YEAR, "SHA256", 0, 0},
    {"batch", "root", CA ",pathlen:0", NULL, -YEAR, 10 * YEAR, "SHA256", 0, 0},
    {"below", "batch", CA, NULL, -YEAR, 10 * YEAR, "SHA256", 0, 0},
    {"stranger", NULL, CA, NULL, -YEAR, 10 * YEAR, "SHA256", 0, 0},
    {"no-ca", "root", "CA:FALSE", NULL, -YEAR, 10 * YEAR, "SHA256", 0, 0},
    {"plain", "root", NULL, NULL, -YEAR, 10 * YEAR, "SHA256", 0, 0},
    {"signs-lists", "root", CA, "cRLSign", -YEAR, 10 * YEAR, "SHA256", 0, 0},
    {"short", "root", CA, NULL, -YEAR, -1, "SHA256", 0, 0},
    {"later", "root", CA, NULL, 1, YEAR, "SHA256", 0, 0},
    {"sha1", "root", CA, NULL, -YEAR, YEAR, "SHA1", 0, 0},
    {"small", "root", CA, NULL, -YEAR, YEAR, "SHA256", 0, 1024},
    {"critical", "root", CA, NULL, -YEAR, YEAR, "SHA256", NID_netscape_comment, 0},
    {"key", "device", NULL, NULL, -YEAR, YEAR, "SHA256", 0, 0},
    {"offers", "device", NULL, NULL, -YEAR, YEAR, "SHA256", 0, 3072},
    {"by-root", "root", NULL, NULL, -YEAR, YEAR, "SHA256", 0, 0},
    {"imported", "device", NULL, NULL, -YEAR, YEAR, "SHA256", 0, 0},
    {"self", NULL, CA, NULL, -YEAR, YEAR, "SHA256", 0, 0},
};
#define COUNT (sizeof table / sizeof *table)

static struct {
    X509 *all[COUNT];
    EVP_PKEY *keys[COUNT], *key, *offers; /* key: of every leaf but `offers` */
    struct policy *policy;
    struct buf identity, transport;
} x;

static size_t index_of(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(table[i].name, name) == 0)
            return i;
    fail_msg("no certificate %s", name);
    return 0;
}

static void extend(X509 *c, int nid, const char *value)
{
    X509_EXTENSION *e = value != NULL ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;

    assert_true(value == NULL || (e != NULL && X509_add_ext(c, e, -1) == 1));
    X509_EXTENSION_free(e);
}

/* `issuer` signs `key` under the subject `name`. */
static X509 *certify(const struct made *m, const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *signer)
{
    X509 *c = X509_new();
    X509_NAME *n = X509_get_subject_name(c);

    assert_int_equal(X509_set_version(c, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(c), (long)(1 + index_of(m->name))), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(c, issuer != NULL ? X509_get_subject_name(issuer) : n), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(c), (time_t)(NOW + m->from)));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(c), (time_t)(NOW + m->until)));
    assert_int_equal(X509_set_pubkey(c, key), 1);
    extend(c, NID_basic_constraints, m->constraints);
    extend(c, NID_key_usage, m->usage);
    extend(c, m->more, m->more != 0 ? "critical,something" : NULL);
    assert_true(X509_sign(c, signer, EVP_get_digestbyname(m->digest)) > 0);
    return c;
}

static void spki_of(EVP_PKEY *key, struct buf *ret)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);

    assert_true(len > 0);
    buf_put(ret, der, (size_t)len);
    OPENSSL_free(der);
}

static int setup(void **state)
{
    struct fault f = {0};
    struct signer digests;
    struct buf text = BUF(65536);

    (void)state;
    x.key = EVP_EC_gen("P-256");
    x.offers = EVP_RSA_gen(3072);
    x.identity = BUF(4096);
    x.transport = BUF(4096);
    for (size_t i = 0; i < COUNT; i++) {
        const struct made *m = &table[i];
        size_t by = m->issuer != NULL ? index_of(m->issuer) : i;
        bool leaf = i >= index_of("key"), offers = strcmp(m->name, "offers") == 0;

        x.keys[i] = offers ? x.offers : leaf ? x.key : m->rsa != 0 ? EVP_RSA_gen(m->rsa) : EVP_EC_gen("P-256");
        x.all[i] = certify(m, m->name, x.keys[i], by != i ? x.all[by] : NULL, x.keys[by]);
    }
    spki_of(x.key, &x.identity);
    spki_of(x.offers, &x.transport);
    assert_int_equal(certificate_digests(x.all[0], &digests, &f), OK);
    buf_putf(
        &text,
        "quorate: 1\nsemantics: 1\nname: v\nversion: 1\npeople:\n  - {id: a, name: A, organisation: O, roles: [r], "
        "fingerprint: \"sha256:%064d\"}\nsites:\n  - {id: here, at: [1, 2], attested-by: \"sha256:%s\"}\n"
        "  - {id: there, at: [1, 2]}\nrules: []\notherwise: deny\n",
        0, digest_hex(&digests.fingerprint).hex);
    if (policy_parse("p.yaml", buf_span(&text), &x.policy, &f) != OK)
        fail_msg("%s", f.text);
    buf_free(&text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        X509_free(x.all[i]);
        if (x.keys[i] != x.key && x.keys[i] != x.offers)
            EVP_PKEY_free(x.keys[i]);
    }
    EVP_PKEY_free(x.key);
    EVP_PKEY_free(x.offers);
    policy_free(x.policy);
    buf_free(&x.identity);
    buf_free(&x.transport);
    return 0;
}

static struct attested wanted(void)
{
    return (struct attested){x.policy, "here", buf_span(&x.identity), buf_span(&x.transport), NOW};
}

static X509 *leaf_under(const char *issuer)
{
    size_t by = index_of(issuer);

    return certify(&table[index_of("key")], "leaf", x.key, x.all[by], x.keys[by]);
}

static void pem_put(X509 *c, struct buf *b)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    assert_int_equal(PEM_write_bio_X509(bio, c), 1);
    long len = BIO_get_mem_data(bio, &text);
    buf_put(b, text, (size_t)len);
    BIO_free(bio);
}

/* names: of the table, or `>NAME`: a leaf under it. */
static void bundle(const char *names, struct buf *ret)
{
    char copy[200], *save = NULL;

    snprintf(copy, sizeof copy, "%s", names);
    for (char *name = strtok_r(copy, " ", &save); name != NULL; name = strtok_r(NULL, " ", &save)) {
        X509 *c = *name == '>' ? leaf_under(name + 1) : NULL;

        pem_put(c != NULL ? c : x.all[index_of(name)], ret);
        X509_free(c);
    }
}

static void made_in_any_order(void **state)
{
    static const struct {
        const char *names;
        size_t identity, transport;
    } good[] = {{"key device root", 3, 0},        {"root device key", 3, 0},
                {"by-root root", 2, 0},           {"stranger device root offers self key", 3, 3},
                {"key offers device root", 3, 3}, {"key key device device root root", 3, 0},
                {">batch batch root", 3, 0}};
    struct attested a = wanted();

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct fault f = {0};
        struct buf pem = BUF(65536), subject = BUF(1000), root = BUF(1000);
        struct digest fingerprint;
        json_t *document = NULL;

        bundle(good[i].names, &pem);
        if (attestation_make(buf_span(&pem), &a, &document, &f) != OK)
            fail_msg("%s: %s", good[i].names, f.text);
        assert_int_equal(json_array_size(json_object_get(document, "identity")), good[i].identity);
        assert_int_equal(json_array_size(json_object_get(document, "transport")), good[i].transport);
        assert_int_equal(attestation_verify(document, &a, &f), OK);
        assert_int_equal(attestation_names(document, "identity", &subject, &root, &fingerprint, &f), OK);
        assert_string_equal(buf_str(&root), "CN=root");
        assert_true(digest_equal(&fingerprint, &x.policy->sites[0].roots[0]));
        if (good[i].transport == 0)
            assert_int_equal(attestation_names(document, "transport", &subject, &root, &fingerprint, &f), E_ABSENT);
        json_decref(document);
        buf_free(&pem);
        buf_free(&subject);
        buf_free(&root);
    }
}

static void refused_by_name(void **state)
{
    static const struct {
        const char *names, *why;
    } bad[] = {
        {"device root", "none of its certificates is of the identity key"},
        {"offers device root", "none of its certificates is of the identity key"},
        {"self root", "the certificate of \"CN=self\": self-signed certificate"},
        {"key device", "none of its certificates is a root that the policy lists for here"},
        {">stranger stranger", "none of its certificates is a root that the policy lists for here"},
        {">stranger stranger root", "the certificate of \"CN=stranger\": self-signed certificate in certificate chain"},
        {"key root", "the certificate of \"CN=key\": unable to get local issuer certificate"},
        {">no-ca no-ca root", "the certificate of \"CN=no-ca\": invalid CA certificate"},
        {">plain plain root", "the certificate of \"CN=plain\": "},
        {">signs-lists signs-lists root", "the certificate of \"CN=signs-lists\": "},
        {">below below batch root", "path length constraint exceeded"},
        {">short short root", "the certificate of \"CN=short\": certificate has expired"},
        {">later later root", "the certificate of \"CN=later\": certificate is not yet valid"},
        {">sha1 sha1 root", "the certificate of \"CN=sha1\": CA signature digest algorithm too weak"},
        {">small small root", "the certificate of \"CN=small\": CA certificate key too weak"},
        {">critical critical root", "the certificate of \"CN=critical\": unhandled critical extension"},
        {"", "it is empty"},
    };
    struct attested a = wanted();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault f = {0};
        struct buf pem = BUF(65536);
        json_t *document = NULL;

        bundle(bad[i].names, &pem);
        enum outcome o = attestation_make(buf_span(&pem), &a, &document, &f);
        if (o == OK || document != NULL || strstr(f.text, bad[i].why) == NULL)
            fail_msg("%s: %d %s", bad[i].names, (int)o, f.text);
        buf_free(&pem);
    }
}

static void other_files(void **state)
{
    static const char *const texts[] = {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
                                        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "rubbish"};
    struct attested a = wanted();
    struct fault f = {0};
    json_t *document = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(attestation_make(span_str(texts[i]), &a, &document, &f), E_INVALID);
    struct buf many = BUF(1 << 20);
    for (size_t i = 0; i <= 2 * LIMIT_CHAIN; i++)
        bundle("device", &many);
    assert_int_equal(attestation_make(buf_span(&many), &a, &document, &f), E_INVALID);
    assert_non_null(strstr(f.text, "more than 16 certificates"));
    buf_free(&many);
    assert_null(document);
}

static json_t *good_document(void)
{
    struct attested a = wanted();
    struct fault f = {0};
    struct buf pem = BUF(65536);
    json_t *document = NULL;

    bundle("key offers device root", &pem);
    assert_int_equal(attestation_make(buf_span(&pem), &a, &document, &f), OK);
    buf_free(&pem);
    return document;
}

/* One list exactly: in order, none missing, none too many, none that ends beside the policy's roots; and nothing else. */
static void documents_that_do_not_hold(void **state)
{
    static const char *const orders[] = {"0",    "2",    "01",   "02",   "12",  "10", "210",  "021", "0112",
                                         "0122", "0012", "0312", "0132", "312", "",   "0123", "32",  "01201201201"};
    struct attested a = wanted();
    struct fault f = {0};
    json_t *good = good_document(), *identity = json_object_get(good, "identity"),
           *transport = json_object_get(good, "transport");

    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) { /* 3: the transport key's */
        json_t *list = json_array(), *changed = json_object();

        for (const char *at = orders[i]; *at != '\0'; at++)
            json_array_append(list, *at == '3' ? json_array_get(transport, 0)
                                               : json_array_get(identity, (size_t)(*at - '0')));
        json_object_set_new(changed, "identity", list);
        if (attestation_verify(changed, &a, &f) == OK)
            fail_msg("%s holds", orders[i]);
        json_decref(changed);
    }
    assert_int_equal(attestation_verify(NULL, &a, &f), E_REFUSED);
    json_object_set(good, "more", transport);
    assert_int_equal(attestation_verify(good, &a, &f), E_INVALID);
    json_object_del(good, "more");
    assert_int_equal(attestation_verify(good, &a, &f), OK);
    json_object_set(good, "transport", identity);
    assert_int_equal(attestation_verify(good, &a, &f), E_REFUSED);
    assert_non_null(
        strstr(f.text, "attestation of the transport key: the certificate of \"CN=key\": it is of another key"));
    json_object_del(good, "identity");
    assert_int_not_equal(attestation_verify(good, &a, &f), OK);
    json_decref(good);
}

/* Each byte of each certificate matters. */
static void bytes_that_are_others(void **state)
{
    struct attested a = wanted();
    struct fault f = {0};
    json_t *good = good_document(), *list = json_object_get(good, "identity");

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *hex = strdup(json_string_value(json_array_get(list, i)));
        size_t len = strlen(hex);

        for (size_t at = 0; at < len; at += 14) {
            char before = hex[at];

            hex[at] = before == '0' ? '1' : '0';
            json_array_set_new(list, i, json_string(hex));
            if (attestation_verify(good, &a, &f) == OK)
                fail_msg("certificate %zu, digit %zu: nobody noticed", i, at);
            hex[at] = before;
        }
        json_array_set_new(list, i, json_string(hex));
        free(hex);
    }
    assert_int_equal(attestation_verify(good, &a, &f), OK);
    json_decref(good);
}

/* What the policy wants the key's certificate to say, and how often. */
static void extensions_that_say_otherwise(void **state)
{
    static const struct {
        const char *said, *again; /* values in DER, in hex; NULL: no such extension */
        bool good;
    } cases[] = {{"03020001", NULL, true},
                 {"03020002", NULL, false},
                 {NULL, NULL, false},
                 {"03020001", "03020002", false},
                 {"0302000100", NULL, false}};
    struct attested a = wanted();
    struct site *s = &x.policy->sites[0];
    size_t by = index_of("device");

    (void)state;
    assert_true(strings_add(&s->extensions, "1.3.6.1.4.1.32473.1.3") && strings_add(&s->values, "03020001"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        X509 *c = certify(&table[index_of("imported")], "leaf", x.key, x.all[by], x.keys[by]);
        const char *values[] = {cases[i].said, cases[i].again};
        struct fault f = {0};
        struct buf pem = BUF(65536);
        json_t *document = NULL;

        for (size_t k = 0; k < 2 && values[k] != NULL; k++) {
            char text[64];

            snprintf(text, sizeof text, "DER:%s", values[k]);
            X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, "1.3.6.1.4.1.32473.1.3", text);
            assert_non_null(e);
            assert_int_equal(X509_add_ext(c, e, -1), 1);
            X509_EXTENSION_free(e);
        }
        assert_true(X509_sign(c, x.keys[by], EVP_sha256()) > 0);
        pem_put(c, &pem);
        bundle("device root", &pem);
        enum outcome o = attestation_make(buf_span(&pem), &a, &document, &f);
        if ((o == OK) != cases[i].good)
            fail_msg("case %zu: %s", i, f.text);
        if (o != OK)
            assert_non_null(strstr(f.text, "as the policy wants (`attested-with`)"));
        json_decref(document);
        buf_free(&pem);
        X509_free(c);
    }
    strings_free(&s->extensions);
    strings_free(&s->values);
}

static void other_keys_times_and_sites(void **state)
{
    struct attested a = wanted();
    struct fault f = {0};
    json_t *good = good_document();

    (void)state;
    a.site = "there";
    assert_int_equal(attestation_verify(good, &a, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "p.yaml lists no roots for there"));
    a.site = "nowhere";
    assert_int_equal(attestation_verify(good, &a, &f), E_REFUSED);
    a = wanted();
    a.at = NOW + YEAR - 1;
    assert_int_equal(attestation_verify(good, &a, &f), OK);
    a.at = NOW + YEAR + 1;
    assert_int_equal(attestation_verify(good, &a, &f), E_REFUSED);
    a.at = NOW - YEAR - 1;
    assert_int_equal(attestation_verify(good, &a, &f), E_REFUSED);
    a = wanted();
    a.identity = a.transport;
    assert_int_equal(attestation_verify(good, &a, &f), E_REFUSED);
    json_decref(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_in_any_order),
        cmocka_unit_test(refused_by_name),
        cmocka_unit_test(other_files),
        cmocka_unit_test(documents_that_do_not_hold),
        cmocka_unit_test(bytes_that_are_others),
        cmocka_unit_test(other_keys_times_and_sites),
        cmocka_unit_test(extensions_that_say_otherwise),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
