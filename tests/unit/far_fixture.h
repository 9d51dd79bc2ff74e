#ifndef QUORATE_TESTS_FAR_FIXTURE_H
#define QUORATE_TESTS_FAR_FIXTURE_H

/* A site that judges by itself, on a SoftHSM token of its own, and a host whose offers the test makes: the host needs no
 * HSM for them, only the transport key's public half. */

#include "tests/unit/depth_fixture.h"

#include <openssl/rsa.h>

#include "audit/document.h"
#include "module/enrolment.h"
#include "module/far.h"

struct far_pair {
    struct depth d;      /* the host */
    struct estate *host; /* d.world's */
    struct world *site;
    char bindings[128]; /* of the site */
};

static inline void far_approve(struct estate *e, const struct request *r)
{
    struct fault f;
    struct buf der = BUF(65536);
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&der);
        assert_good(signature_make(depth_people[i].key, depth_people[i].certificate, buf_span(&r->bytes), &der, &f));
        assert_good(estate_approve(e, r, depth_people[i].id, buf_span(&der), &f));
    }
    buf_free(&der);
}

static inline json_t *far_pins(const struct estate *host)
{
    struct buf vkey = BUF(LIMIT_NOTE);
    note_key_put(log_first_key(host->log), &vkey);
    json_t *json = json_pack("{ssssssssssss}", "environment", host->state.environment, "estate",
                             digest_hex(&host->state.estate).hex, "log-key", buf_str(&vkey), "origin",
                             host->state.origin, "site", "glasgow", "token", "root");
    assert_non_null(json);
    buf_free(&vkey);
    return json;
}

/* The site's home: introduced by its own quorum, as `quorate introduce` does. */
static inline void far_home(struct far_pair *p)
{
    struct fault f;
    struct estate *e = NULL;
    struct policy *policy = NULL;
    struct answer a = {0};
    struct buf bytes = BUF(65536);
    char path[160], text[512];
    uint64_t intent = 0;
    snprintf(text, sizeof text,
             "home: ./far\npolicy: ./policy.yaml\ntokens:\n  root:\n    glasgow: {module: " SOFTHSM
             ", serial: %s, pin: \"file:pins/glasgow\"}\n",
             p->d.serials[2]);
    depth_write(p->d.folder, "far.yaml", text);
    snprintf(p->bindings, sizeof p->bindings, "%s/far.yaml", p->d.folder);
    snprintf(path, sizeof path, "%s/policy.yaml", p->d.folder);
    assert_good(estate_create(p->bindings, "rehearsal", NULL, &f));
    assert_good(estate_open(p->bindings, &e, &f));
    assert_good(file_read(path, true, &bytes, &f));
    assert_good(policy_parse(path, buf_span(&bytes), &policy, &f));
    assert_good(estate_roster_import(e, policy, p->d.folder, &f));
    struct asking_context context = {.judge = policy};
    json_t *subject = asking_subject(e, OP_ADOPT_POLICY, NULL), *version = json_object(), *body = far_pins(p->host);
    assert_true(json_put_digest(version, "canonical", &policy->canonical) &&
                json_put_digest(version, "digest", &policy->digest) && json_put_integer(version, "version", 1) &&
                json_put(subject, "policy", version) && json_put(subject, "host", far_pins(p->host)));
    assert_good(estate_ask(e, subject, &context, &a, &f));
    far_approve(e, a.request);
    assert_good(estate_intend(e, a.request, &context, NULL, &intent, &f));
    json_t *verdict = json_deep_copy(json_object_get(state_intent(&e->state, intent)->body, "verdict"));
    assert_true(json_put_digest(body, "request", &a.request->id) && json_put(body, "verdict", json_incref(verdict)));
    assert_good(estate_append(e, ENTRY_INTRODUCED, body, NULL, &f));
    json_decref(body);
    struct digest kept;
    assert_good(estate_keep(e, "policies", ".yaml", buf_span(&bytes), &kept, &f));
    body = json_object();
    assert_true(json_put_digest(body, "canonical", &policy->canonical) &&
                json_put_digest(body, "digest", &policy->digest) && json_put_digest(body, "request", &a.request->id) &&
                json_put(body, "verdict", verdict) && json_put_integer(body, "version", 1));
    assert_good(estate_append(e, ENTRY_POLICY, body, NULL, &f));
    json_decref(body);
    answer_clear(&a);
    policy_free(policy);
    buf_free(&bytes);
    estate_close(e);
}

/* A message of the host, as it is now; `more` is taken. */
static inline void far_message(struct far_pair *p, enum message_kind kind, json_t *more_taken, struct buf *ret)
{
    struct fault f;
    *ret = BUF(LIMIT_MESSAGE);
    assert_good(estate_refresh(p->host, &f));
    assert_good(message_compose(p->host, kind, "root", "glasgow", 0, more_taken, ret, &f));
    json_decref(more_taken);
}

/* The site's answer to these bytes; "" or why it refused. *ret is valid where it did not. */
static inline const char *far_answers(struct far_pair *p, enum message_kind kind, const struct buf *message,
                                      struct site_answer *ret)
{
    static struct fault f;
    struct buf answer = BUF(LIMIT_ANSWER);
    bool refused = false;
    f = (struct fault){OK, ""};
    assert_good(far_accept(p->site, buf_span(message), &answer, &refused, &f));
    struct fault g = {OK, ""};
    enum outcome outcome = answer_read(buf_span(&answer), &p->host->state.estate, kind, "root", "glasgow", ret, &g);
    assert_int_equal(outcome, refused ? E_REFUSED : OK);
    if (refused)
        assert_non_null(strstr(g.text, "root at glasgow refuses: "));
    buf_free(&answer);
    return refused ? f.text : "";
}

/* It did not refuse: what it says; the caller's. */
static inline json_t *far_answered(struct far_pair *p, enum message_kind kind, const struct buf *message)
{
    struct site_answer a;
    const char *why = far_answers(p, kind, message, &a);
    if (why[0] != '\0')
        fail_msg("%s", why);
    return a.json;
}

/* The same to what the host asks now; the caller's. `more` is taken. */
static inline json_t *far_asked(struct far_pair *p, enum message_kind kind, json_t *more_taken)
{
    struct buf message;
    far_message(p, kind, more_taken, &message);
    json_t *answer = far_answered(p, kind, &message);
    buf_free(&message);
    return answer;
}

static inline void far_refused(struct far_pair *p, enum message_kind kind, const struct buf *message,
                               const char *needle)
{
    struct site_answer a;
    const char *why = far_answers(p, kind, message, &a);
    if (strstr(why, needle) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, needle);
}

static inline void far_introduced(struct far_pair *p)
{
    struct fault f;
    struct buf message, answer = BUF(LIMIT_ANSWER);
    struct site_answer a;
    json_t *report = NULL;
    struct digest id;
    far_message(p, MESSAGE_POLICY, NULL, &message);
    assert_string_equal(far_answers(p, MESSAGE_POLICY, &message, &a), "");
    site_answer_clear(&a);
    assert_good(far_introduce(p->site, (struct span){NULL, 0}, &answer, &f));
    for (int round = 0; round < 2; round++) {
        assert_good(enrol_carried(p->d.world, "root", "glasgow", NULL, buf_span(&answer), &report, &f));
        assert_string_equal(depth_status(report), round == 0 ? "pending" : "enrolled");
        if (round == 0) {
            assert_good(digest_parse(json_string_or_null(report, "request"), &id, &f));
            depth_approve(p->host, &id, "authority");
        }
        json_decref(report);
    }
    buf_free(&message);
    buf_free(&answer);
}

static inline void far_make(struct far_pair *p, const char *rules)
{
    struct fault f;
    memset(p, 0, sizeof *p);
    depth_make(&p->d, rules);
    p->host = p->d.world->estate;
    depth_enrol(&p->d, "slough");
    p->host->bindings->tokens[0].sites[2].reach = REACH_CARRIED;
    far_home(p);
    assert_good(world_open(p->bindings, &p->site, &f));
    far_introduced(p);
}

static inline void far_end(struct far_pair *p)
{
    world_close(p->site);
    depth_end(&p->d);
}

/* A birth at the host that the test carries out by hand. */
struct far_birth {
    struct depth_question q;
    uint64_t intent;
    EVP_PKEY *key;
    struct offer offer;
    struct digest digest;
};

/* id: the CKA_ID that it gets, in hex. */
static inline void far_intend_as(struct far_pair *p, struct far_birth *b, const char *label, const char *id)
{
    struct fault f;
    memset(b, 0, sizeof *b);
    depth_ask_approved(&p->d, &b->q, CKM_EC_KEY_PAIR_GEN, label, label);
    json_t *more = json_pack("{s[ss]ssssssss}", "sites", "slough", "glasgow", "function", "C_GenerateKeyPair", "class",
                             "private-key", "type", "EC:P-384", "caller-id", id);
    assert_good(estate_intend(p->host, b->q.answer.request, &p->d.world->context, more, &b->intent, &f));
    json_decref(more);
    b->key = EVP_EC_gen("P-384");
    assert_non_null(b->key);
}

/* The hex of a label, by which its key is found. */
static inline const char *far_id(const char *label)
{
    static char hex[2 * LIMIT_LABEL + 1];
    for (size_t i = 0; label[i] != '\0'; i++)
        snprintf(hex + 2 * i, sizeof hex - 2 * i, "%02x", (unsigned)(unsigned char)label[i]);
    return hex;
}

static inline void far_intend(struct far_pair *p, struct far_birth *b, const char *label)
{
    far_intend_as(p, b, label, far_id(label));
}

static inline void far_wrap(struct span spki, EVP_PKEY *key, struct offer *o)
{
    uint8_t secret[32], blob[1024];
    const uint8_t *der = spki.data;
    unsigned char *plain = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &plain), out = 0, last = 0;
    size_t sealed = sizeof blob;
    EVP_PKEY *transport = d2i_PUBKEY(NULL, &der, (long)spki.len);
    assert_true(len > 0 && transport != NULL && random_bytes(secret, sizeof secret));
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX_set_flags(cipher, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    assert_int_equal(EVP_EncryptInit_ex(cipher, EVP_aes_256_wrap_pad(), NULL, secret, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(cipher, blob, &out, plain, len), 1);
    assert_int_equal(EVP_EncryptFinal_ex(cipher, blob + out, &last), 1);
    buf_put(&o->wrapped_key, blob, (size_t)(out + last));
    EVP_PKEY_CTX *rsa = EVP_PKEY_CTX_new(transport, NULL);
    assert_true(EVP_PKEY_encrypt_init(rsa) == 1 && EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_OAEP_PADDING) == 1);
    assert_int_equal(EVP_PKEY_encrypt(rsa, blob, &sealed, secret, sizeof secret), 1);
    buf_put(&o->wrapped_secret, blob, sealed);
    EVP_PKEY_CTX_free(rsa);
    EVP_CIPHER_CTX_free(cipher);
    EVP_PKEY_free(transport);
    PKCS8_PRIV_KEY_INFO_free(info);
    OPENSSL_free(plain);
}

/* The offer of the birth's key, not logged yet. */
static inline void far_offer_make(struct far_pair *p, struct far_birth *b)
{
    struct fault f;
    struct offer *o = &b->offer;
    unsigned char *der = NULL;
    offer_clear(o);
    *o = (struct offer){.estate = p->host->state.estate,
                        .intent = state_intent(&p->host->state, b->intent)->digest,
                        .token = "root",
                        .site = "glasgow",
                        .mechanism = "oaep-sha1+aes-kwp",
                        .wrapped_key = BUF(LIMIT_BLOB),
                        .wrapped_secret = BUF(LIMIT_BLOB),
                        .public_key = BUF(LIMIT_ATTRIBUTE)};
    int len = i2d_PUBKEY(b->key, &der);
    assert_true(len > 0);
    buf_put(&o->public_key, der, (size_t)len);
    OPENSSL_free(der);
    assert_good(template_to_json(&b->q.template.secret, &o->attributes, &f));
    assert_good(template_to_json(&b->q.template.public, &o->public_attributes, &f));
    assert_true(random_bytes(o->challenge.bytes, sizeof o->challenge.bytes));
    far_wrap(buf_span(&state_site(&p->host->state, "root", "glasgow")->transport), b->key, o);
}

static inline json_t *far_offer_json(const struct offer *o, struct digest *ret_digest)
{
    struct fault f;
    struct buf bytes = BUF(LIMIT_OFFER);
    json_t *json = NULL;
    assert_good(offer_compose(o, &bytes, &f));
    assert_true(digest_one(ret_digest, buf_span(&bytes)));
    assert_good(json_parse_canonical(buf_span(&bytes), &json, &f));
    buf_free(&bytes);
    return json;
}

static inline void far_offer_log(struct far_pair *p, struct far_birth *b)
{
    struct fault f;
    json_t *body = json_object();
    struct digest attributes, blobs = offer_blob_digest(&b->offer);
    json_decref(far_offer_json(&b->offer, &b->digest));
    assert_good(json_digest(b->offer.attributes, &attributes, &f));
    assert_true(json_put_digest(body, "attributes-digest", &attributes) && json_put_digest(body, "blobs", &blobs) &&
                json_put_digest(body, "challenge", &b->offer.challenge) &&
                json_put_integer(body, "intent", (int64_t)b->intent) &&
                json_put_string(body, "mechanism", b->offer.mechanism) && json_put_digest(body, "offer", &b->digest) &&
                json_put_string(body, "site", "glasgow") &&
                json_put_bytes_hex(body, "public-key", buf_span(&b->offer.public_key)));
    assert_good(estate_append(p->host, ENTRY_OFFER, body, NULL, &f));
    json_decref(body);
}

static inline void far_offer_message(struct far_pair *p, struct far_birth *b, struct buf *ret)
{
    json_t *more = json_object();
    struct digest ignored;
    assert_true(json_put(more, "offer", far_offer_json(&b->offer, &ignored)));
    far_message(p, MESSAGE_OFFER, more, ret);
}

/* From the question to a message with the logged offer. */
static inline void far_offered(struct far_pair *p, struct far_birth *b, const char *label, struct buf *ret)
{
    far_intend(p, b, label);
    far_offer_make(p, b);
    far_offer_log(p, b);
    far_offer_message(p, b, ret);
}

/* The site took it in. */
static inline void far_taken(struct far_pair *p, struct far_birth *b, const char *label)
{
    struct site_answer a;
    struct buf message;
    far_offered(p, b, label, &message);
    assert_string_equal(far_answers(p, MESSAGE_OFFER, &message, &a), "");
    site_answer_clear(&a);
    buf_free(&message);
}

static inline void far_intent_entry(struct far_pair *p, const struct far_birth *b, enum entry_type type,
                                    const char *name, json_t *value_taken)
{
    struct fault f;
    json_t *body = json_object();
    assert_true(json_put_integer(body, "intent", (int64_t)b->intent) && json_put(body, name, value_taken));
    assert_good(estate_append(p->host, type, body, NULL, &f));
    json_decref(body);
}

/* The host logs the receipt, and the birth. */
static inline void far_born(struct far_pair *p, const struct far_birth *b)
{
    struct fault f;
    json_t *body = json_object();
    struct digest receipt = {{7}};
    assert_true(json_put_digest(body, "offer", &b->digest) && json_put_digest(body, "receipt", &receipt) &&
                json_put_string(body, "site", "glasgow") && json_put_integer(body, "intent", (int64_t)b->intent));
    assert_good(estate_append(p->host, ENTRY_RECEIPT, body, NULL, &f));
    json_decref(body);
    assert_good(intent_born(p->host, b->intent, buf_span(&b->offer.public_key), &f));
}

/* A key that lives there, and the site knows it. */
static inline void far_living(struct far_pair *p, struct far_birth *b, const char *label)
{
    far_taken(p, b, label);
    far_born(p, b);
    json_decref(far_asked(p, MESSAGE_BORN, json_pack("{sI}", "intent", (json_int_t)b->intent)));
}

static inline void far_rolled_back(struct far_pair *p, const struct far_birth *b)
{
    far_intent_entry(p, b, ENTRY_ROLLED_BACK, "reason", json_string("for the test"));
}

static inline void far_birth_clear(struct far_birth *b)
{
    depth_forget(&b->q);
    EVP_PKEY_free(b->key);
    offer_clear(&b->offer);
}

/* How many private keys with this label the site's HSM holds. */
static inline size_t far_count(struct far_pair *p, const char *label)
{
    struct site_link link = {0};
    struct fault f;
    CK_OBJECT_HANDLE found[8];
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    size_t count = 0;
    char text[64];
    snprintf(text, sizeof text, "%s", label);
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, text, strlen(text)}};
    assert_good(site_open(p->site, "root", "glasgow", SITE_EITHER, &link, &f));
    assert_good(site_find(&link, match, 2, found, 8, &count, &f));
    site_close(&link);
    return count;
}

/* The site's own people suspend its token. */
static inline void far_suspended(struct far_pair *p)
{
    struct fault f;
    struct estate *e = p->site->estate;
    struct answer a = {0};
    json_t *subject = asking_subject(e, OP_SUSPEND, NULL), *body = json_object();
    uint64_t intent = 0;
    assert_true(json_put_string(subject, "scope", "token:root") && json_put_string(subject, "reason", "here"));
    assert_good(estate_ask(e, subject, NULL, &a, &f));
    far_approve(e, a.request);
    assert_good(estate_intend(e, a.request, NULL, NULL, &intent, &f));
    assert_true(
        json_put_digest(body, "request", &a.request->id) && json_put_string(body, "scope", "token:root") &&
        json_put_string(body, "reason", "here") &&
        json_put(body, "verdict", json_deep_copy(json_object_get(state_intent(&e->state, intent)->body, "verdict"))));
    assert_good(estate_append(e, ENTRY_SUSPENDED, body, NULL, &f));
    json_decref(body);
    answer_clear(&a);
}

#endif
