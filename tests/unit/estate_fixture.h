#ifndef QUORATE_TESTS_ESTATE_FIXTURE_H
#define QUORATE_TESTS_ESTATE_FIXTURE_H

/* A home with a policy of five people, each with a P-256 key and a certificate; no HSM. */
#include "tests/unit/scratch.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "core/file.h"
#include "core/limits.h"
#include "estate/asking.h"
#include "policy/signature.h"

#define PEOPLE 5
static const char *const person_ids[PEOPLE] = {"ann", "bob", "cy", "dee", "left"};
static EVP_PKEY *person_keys[PEOPLE];
static X509 *person_certificates[PEOPLE];

static void person_make(size_t i)
{
    X509 *x = X509_new();
    X509_NAME *name = NULL;

    person_keys[i] = EVP_EC_gen("P-256");
    assert_non_null(person_keys[i]);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), (long)i + 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)person_ids[i], -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, person_keys[i]);
    assert_true(X509_sign(x, person_keys[i], EVP_sha256()) > 0);
    person_certificates[i] = x;
}

static void text_write(const char *name, const char *text)
{
    struct fault f = {OK, ""};

    assert_int_equal(file_replace(in(name), span_str(text), 0600, &f), OK);
}

static void policy_write(const char *name, unsigned version)
{
    struct buf b = BUF(LIMIT_DOCUMENT);

    buf_putf(&b, "quorate: 1\nsemantics: 1\nname: fixture\nversion: %u\npeople:\n", version);
    for (size_t i = 0; i < PEOPLE; i++) {
        struct signer s;
        struct fault f = {OK, ""};

        assert_int_equal(certificate_digests(person_certificates[i], &s, &f), OK);
        buf_putf(&b, "  - {id: %s, name: %s, organisation: %s, roles: [keeper], fingerprint: \"sha256:%s\"%s}\n",
                 person_ids[i], person_ids[i], i % 2 == 0 ? "one" : "two", digest_hex(&s.fingerprint).hex,
                 i == 4 ? ", from: 2020-01-01, until: 2021-01-01" : "");
    }
    buf_puts(&b, "sites:\n  - {id: here, at: [51.5, -0.6], country: GB}\n"
                 "tokens:\n  - {id: root, primary: here}\n"
                 "rules:\n"
                 "  - {id: signed, when: {operation: use, label: \"^ca-\"}, require: {quorum: {of: keeper, at-least: "
                 "2}}}\n"
                 "  - {id: free, when: {operation: use}, allow: true}\n"
                 "  - {id: never, when: {operation: generate, label: \"^bad\"}, deny: true}\n"
                 "  - {id: two, when: {operation: generate}, require: {quorum: {of: keeper, at-least: 2}}}\n"
                 "  - {id: estate, when: {operation: [adopt-policy, enrol-site, suspend, resume, change-log-key]}, "
                 "require: {quorum: "
                 "{of: keeper, "
                 "at-least: 2, reject-at: 2}}}\n"
                 "otherwise: deny\nsuccession: {quorum: {of: keeper, at-least: 3}}\n");
    text_write(name, buf_str(&b));
    buf_free(&b);
}

static struct estate *estate_at_hand;

static int estate_make(void **state)
{
    struct fault f = {OK, ""};

    scratch_make(state);
    for (size_t i = 0; i < PEOPLE; i++) {
        char name[64];
        FILE *out = NULL;

        person_make(i);
        assert_int_equal(folder_make(in("people"), 0700, &f), OK);
        snprintf(name, sizeof name, "people/%s.pem", person_ids[i]);
        out = fopen(in(name), "w");
        assert_non_null(out);
        assert_true(PEM_write_X509(out, person_certificates[i]));
        fclose(out);
    }
    policy_write("policy.yaml", 1);
    text_write("bindings.yaml", "home: ./home\npolicy: ./policy.yaml\ntokens:\n  root:\n"
                                "    here: {carried: true}\n");
    if (estate_create(in("bindings.yaml"), "test", "fixture.test/1", &f) != OK ||
        estate_open(in("bindings.yaml"), &estate_at_hand, &f) != OK) {
        print_error("%s\n", f.text);
        return -1;
    }
    return 0;
}

static int estate_end(void **state)
{
    estate_close(estate_at_hand);
    estate_at_hand = NULL;
    for (size_t i = 0; i < PEOPLE; i++) {
        EVP_PKEY_free(person_keys[i]);
        X509_free(person_certificates[i]);
    }
    return scratch_remove(state);
}

/* A signature of person i over a document, with the certificate of person c. */
static void sign(size_t i, size_t c, struct span document, struct buf *ret)
{
    struct fault f = {OK, ""};
    enum outcome o = signature_make(person_keys[i], person_certificates[c], document, ret, &f);

    if (o != OK)
        print_error("%s\n", f.text);
    assert_int_equal(o, OK);
}

static inline enum outcome approve(const struct request *r, size_t i, struct fault *f)
{
    struct buf der = BUF(LIMIT_SIGNATURE);
    enum outcome o = E_MEMORY;

    sign(i, i, buf_span(&r->bytes), &der);
    o = estate_approve(estate_at_hand, r, person_ids[i], buf_span(&der), f);
    buf_free(&der);
    return o;
}

static inline enum outcome reject(const struct request *r, size_t i, const char *reason, struct fault *f)
{
    struct buf der = BUF(LIMIT_SIGNATURE), document = BUF(LIMIT_REQUEST);
    enum outcome o = rejection_compose(&r->id, reason, &document, f);

    assert_int_equal(o, OK);
    sign(i, i, buf_span(&document), &der);
    o = estate_reject(estate_at_hand, r, person_ids[i], buf_span(&document), buf_span(&der), f);
    buf_free(&der);
    buf_free(&document);
    return o;
}

/* Adopts FILE as `quorate policy adopt` does, approved by ann and bob. */
static inline void adopt(const char *name)
{
    struct estate *e = estate_at_hand;
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct policy *p = NULL;
    struct answer a = {0};
    struct asking_context c = {0};
    json_t *subject = NULL, *policy = json_object(), *body = json_object();
    struct digest kept;
    uint64_t intent = 0;

    assert_int_equal(file_read(in(name), true, &bytes, &f), OK);
    if (policy_parse(name, buf_span(&bytes), &p, &f) != OK)
        print_error("%s\n", f.text);
    assert_non_null(p);
    c.judge = e->policy == NULL ? p : NULL;
    if (estate_roster_import(e, p, scratch, &f) != OK)
        fail_msg("%s", f.text);
    subject = asking_subject(e, OP_ADOPT_POLICY, NULL);
    assert_true(json_put_digest(policy, "canonical", &p->canonical) && json_put_digest(policy, "digest", &p->digest) &&
                json_put_integer(policy, "version", p->version) && json_put(subject, "policy", policy));
    if (estate_ask(e, subject, &c, &a, &f) != OK)
        fail_msg("%s", f.text);
    assert_non_null(a.request);
    assert_int_equal(approve(a.request, 0, &f), OK);
    assert_int_equal(approve(a.request, 1, &f), OK);
    if (estate_intend(e, a.request, &c, NULL, &intent, &f) != OK)
        fail_msg("%s", f.text);
    assert_int_equal(estate_keep(e, "policies", ".yaml", buf_span(&bytes), &kept, &f), OK);
    assert_true(
        json_put_digest(body, "canonical", &p->canonical) && json_put_digest(body, "digest", &p->digest) &&
        json_put_digest(body, "request", &a.request->id) && json_put_integer(body, "version", p->version) &&
        json_put(body, "verdict", json_deep_copy(json_object_get(state_intent(&e->state, intent)->body, "verdict"))));
    if (estate_append(e, ENTRY_POLICY, body, NULL, &f) != OK)
        fail_msg("%s", f.text);
    json_decref(body);
    answer_clear(&a);
    policy_free(p);
    buf_free(&bytes);
}

/* A question for a key of that label, as the module would ask it. */
static inline json_t *question(const char *label)
{
    json_t *s = asking_subject(estate_at_hand, OP_GENERATE, NULL);

    assert_true(json_put_string(s, "token", "root") && json_put_string(s, "function", "C_GenerateKey") &&
                json_put_string(s, "label", label) && json_put_string(s, "class", "secret-key"));
    return s;
}

#endif
