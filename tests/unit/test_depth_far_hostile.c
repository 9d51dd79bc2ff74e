#include "tests/unit/far_fixture.h"

/* A host that has its log's key and turns on a site elsewhere: with approvals that are real, for something else than people
 * meant. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root}\n"                                                                   \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature, sites: "        \
    "glasgow}, transport: {allow: [oaep-sha1]}}\n"                                                                     \
    "  - id: pairs of the other\n"                                                                                     \
    "    when: {operation: generate, token: other}\n"                                                                  \
    "    require: {quorum: {of: key-custodian, at-least: 1}, replicas: {at-least: 1, prove: signature, sites: "        \
    "glasgow}, transport: {allow: [oaep-sha1]}}\n"                                                                     \
    "  - id: free ends\n"                                                                                              \
    "    when: {operation: destroy, token: root, label: \"^free-\"}\n"                                                 \
    "    allow: true\n"                                                                                                \
    "  - id: other ends\n"                                                                                             \
    "    when: {operation: destroy, token: root}\n"                                                                    \
    "    require: {quorum: {of: key-custodian, at-least: 2}}\n"

static struct far_pair p;
static struct far_birth root_key; /* what all of this is about */

static int setup(void **state)
{
    (void)state;
    depth_token_more = "}\n  - {id: other, primary: slough, replicas: [glasgow]";
    far_make(&p, RULES);
    far_living(&p, &root_key, "root-1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    far_birth_clear(&root_key);
    far_end(&p);
    return 0;
}

static const struct state_key *key_of(const struct far_birth *b)
{
    const struct state *s = &p.host->state;
    for (size_t i = 0; i < s->key_count; i++)
        if (s->keys[i].intent == b->intent)
            return &s->keys[i];
    fail();
    return NULL;
}

/* `modified`, which nobody approved: member, its value. */
static void modified(const struct far_birth *b, const char *name, const char *value)
{
    struct fault f;
    const struct state_key *k = key_of(b);
    json_t *body = json_pack("{ssssssssss}", "class", k->class_name, "id", k->id, "label", k->label, "token", k->token,
                             name, value);
    assert_non_null(body);
    assert_good(estate_append(p.host, ENTRY_MODIFIED, body, NULL, &f));
    json_decref(body);
}

static void ended(const struct far_birth *b)
{
    struct fault f;
    const struct state_key *k = key_of(b);
    json_t *body = json_pack("{ssssssss s[] s[ss]}", "class", k->class_name, "id", k->id, "label", k->label, "token",
                             k->token, "sites", "left", "slough", "glasgow");
    assert_non_null(body);
    assert_good(estate_append(p.host, ENTRY_DESTROYED, body, NULL, &f));
    json_decref(body);
}

static void end_refused(const struct far_birth *b, const char *needle)
{
    struct buf message;
    far_message(&p, MESSAGE_END, json_pack("{sI}", "born", (json_int_t)key_of(b)->seq), &message);
    far_refused(&p, MESSAGE_END, &message, needle);
    buf_free(&message);
}

static void offer_refused(struct far_birth *b, const char *needle)
{
    struct buf message;
    far_offer_make(&p, b);
    far_offer_log(&p, b);
    far_offer_message(&p, b, &message);
    far_refused(&p, MESSAGE_OFFER, &message, needle);
    buf_free(&message);
    far_rolled_back(&p, b);
    far_birth_clear(b);
}

/* The CKA_ID of a key is no part of what people approve: it must not be that of what stands here already. */
static void an_id_that_another_key_has(void **state)
{
    const struct state_host *h = p.site->estate->state.host;
    struct far_birth b;
    (void)state;
    far_intend_as(&p, &b, "free-1", far_id("root-1"));
    offer_refused(&b, "the key \"root-1\" that came here has the CKA_ID of entry");
    far_intend_as(&p, &b, "free-1", h->identity_id);
    offer_refused(&b, "that of a key of this site's own");
    far_intend_as(&p, &b, "free-1", h->transport_id);
    offer_refused(&b, "that of a key of this site's own");
    far_intend_as(&p, &b, "free-1", "");
    offer_refused(&b, "gives a key no CKA_ID");
    assert_int_equal(far_count(&p, "free-1"), 0);
    assert_int_equal(far_count(&p, "root-1"), 1);
}

/* A key that may go freely gets, in the host's log, the CKA_ID of one that may not. */
static void an_end_under_anothers_id(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    far_living(&p, &b, "free-2");
    modified(&b, "new-id", far_id("root-1"));
    ended(&b);
    far_message(&p, MESSAGE_END, json_pack("{sI}", "born", (json_int_t)key_of(&b)->seq), &message);
    json_decref(far_answered(&p, MESSAGE_END, &message));
    buf_free(&message);
    assert_int_equal(far_count(&p, "free-2"), 0);
    assert_int_equal(far_count(&p, "root-1"), 1);
    far_birth_clear(&b);
}

static void far_end_intend(const char *label, const struct state_key *named, const char *id, uint64_t *ret)
{
    struct fault f;
    struct answer a = {0};
    json_t *subject = asking_subject(p.host, OP_DESTROY, NULL);
    json_t *more = json_pack("{sssss[ss]}", "class", "private-key", "id", id, "sites", "slough", "glasgow");
    assert_true(json_put_string(subject, "token", "root") && json_put_string(subject, "label", label) &&
                json_put_string(subject, "function", "C_DestroyObject") &&
                json_put_string(subject, "class", "private-key") && json_put_string(subject, "object", "token") &&
                json_put_digest(subject, "key", &named->fingerprint));
    assert_good(estate_ask(p.host, subject, &p.d.world->context, &a, &f));
    depth_approve(p.host, &a.request->id, "key-custodian");
    assert_good(estate_intend(p.host, a.request, &p.d.world->context, more, ret, &f));
    json_decref(more);
    answer_clear(&a);
}

/* Two keys of one name: people let the one go, the host's intent names the other. */
static void an_end_of_another_key_of_that_name(void **state)
{
    struct far_birth b, second;
    struct buf message;
    uint64_t end = 0;
    (void)state;
    far_living(&p, &b, "twin");
    far_intend_as(&p, &second, "twin", far_id("twin-2"));
    far_offer_make(&p, &second);
    far_offer_log(&p, &second);
    far_offer_message(&p, &second, &message);
    json_decref(far_answered(&p, MESSAGE_OFFER, &message));
    buf_free(&message);
    far_born(&p, &second);
    far_message(&p, MESSAGE_BORN, json_pack("{sI}", "intent", (json_int_t)second.intent), &message);
    json_decref(far_answered(&p, MESSAGE_BORN, &message));
    buf_free(&message);
    far_end_intend("twin", key_of(&b), far_id("twin-2"), &end);
    far_message(&p, MESSAGE_WITHDRAW, json_pack("{sI}", "intent", (json_int_t)end), &message);
    far_refused(&p, MESSAGE_WITHDRAW, &message, "people approved the end of another key");
    buf_free(&message);
    assert_int_equal(far_count(&p, "twin"), 2);
    far_birth_clear(&b);
    far_birth_clear(&second);
}

/* Glasgow has another HSM for another token; what people approved of that token is nothing to this one. */
static void other_enrolled(const char *site)
{
    struct fault f;
    struct answer a = {0};
    uint64_t intent = 0;
    unsigned char *der = NULL;
    EVP_PKEY *identity = EVP_EC_gen("P-256"), *transport = EVP_RSA_gen(3072);
    EVP_PKEY *const keys[] = {identity, transport};
    static const char *const names[] = {"identity", "transport"};
    json_t *facts = json_pack("{ssssssssssssss}", "firmware", "1", "hardware", "attested-by-people", "manufacturer",
                              "m", "model", "m", "serial", site, "site", site, "token", "other");
    for (size_t i = 0; i < 2; i++) {
        int len = i2d_PUBKEY(keys[i], &der);
        assert_true(len > 0 && json_put_bytes_hex(facts, names[i], span_of(der, (size_t)len)));
        OPENSSL_free(der);
        der = NULL;
        EVP_PKEY_free(keys[i]);
    }
    json_t *subject = asking_subject(p.host, OP_ENROL_SITE, NULL);
    assert_int_equal(json_object_update(subject, facts), 0);
    assert_good(estate_ask(p.host, subject, &p.d.world->context, &a, &f));
    depth_approve(p.host, &a.request->id, "authority");
    json_t *more = json_pack("{ss}", "site", site);
    assert_good(estate_intend(p.host, a.request, &p.d.world->context, more, &intent, &f));
    assert_true(json_put_string(facts, "answer", "00") && json_put_digest(facts, "challenge", &a.request->id) &&
                json_put_string(facts, "identity-id", "01") && json_put_string(facts, "transport-id", "02") &&
                json_put_digest(facts, "request", &a.request->id) &&
                json_put(facts, "verdict",
                         json_deep_copy(json_object_get(state_intent(&p.host->state, intent)->body, "verdict"))));
    assert_good(estate_append(p.host, ENTRY_SITE_ENROLLED, facts, NULL, &f));
    json_decref(facts);
    json_decref(more);
    answer_clear(&a);
}

static void a_key_of_another_token(void **state)
{
    struct fault f;
    struct far_birth b;
    struct answer a = {0};
    (void)state;
    other_enrolled("slough");
    other_enrolled("glasgow");
    far_intend(&p, &b, "stray");
    far_rolled_back(&p, &b);
    json_t *subject = json_deep_copy(b.q.answer.request->subject->json);
    assert_true(json_put_string(subject, "token", "other"));
    assert_good(estate_ask(p.host, subject, &p.d.world->context, &a, &f));
    depth_approve(p.host, &a.request->id, "key-custodian");
    json_t *more = json_pack("{s[ss]ssssss}", "sites", "slough", "glasgow", "function", "C_GenerateKeyPair", "class",
                             "private-key", "type", "EC:P-384");
    assert_good(estate_intend(p.host, a.request, &p.d.world->context, more, &b.intent, &f));
    json_decref(more);
    answer_clear(&a);
    offer_refused(&b, "brings no key to root at glasgow");
    assert_int_equal(far_count(&p, "stray"), 0);
}

/* Last, for it leaves the key under another name: a key whose end people approve is called as one that goes freely. */
static void an_end_under_another_name(void **state)
{
    (void)state;
    modified(&root_key, "new-label", "free-3");
    ended(&root_key);
    end_refused(&root_key, "came here as \"root-1\", not as \"free-3\"");
    assert_int_equal(far_count(&p, "root-1"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_that_another_key_has),         cmocka_unit_test(an_end_under_anothers_id),
        cmocka_unit_test(an_end_of_another_key_of_that_name), cmocka_unit_test(a_key_of_another_token),
        cmocka_unit_test(an_end_under_another_name),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
