#include "audit/listing.h"
#include "module/things.h"
#include "tests/unit/far_fixture.h"

/* What a site that judges by itself can be asked of keys that live there. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature, sites: "        \
    "glasgow}, transport: {allow: [oaep-sha1]}}\n"                                                                     \
    "  - id: free ends\n"                                                                                              \
    "    when: {operation: destroy, token: root, label: \"^app-free\"}\n"                                              \
    "    allow: true\n"                                                                                                \
    "  - id: other ends\n"                                                                                             \
    "    when: {operation: destroy, token: root}\n"                                                                    \
    "    require: {quorum: {of: key-custodian, at-least: 2}}\n"

#define CHALLENGE "1111111111111111111111111111111111111111111111111111111111111111"

static struct far_pair p;
static struct far_birth living;

static int setup(void **state)
{
    (void)state;
    far_make(&p, RULES);
    far_living(&p, &living, "app-1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    far_birth_clear(&living);
    far_end(&p);
    return 0;
}

/* All that lies there, and that the identity key signed it for this challenge. */
static void listed_as_it_lies(void **state)
{
    struct fault f;
    struct listing l;
    struct things things;
    struct site_question asked = {
        .estate = p.host->state.estate, .token = "root", .site = "glasgow", .serial = p.d.serials[2]};
    const struct state_site *site = state_site(&p.host->state, "root", "glasgow");
    size_t keys = 0, publics = 0;
    (void)state;
    json_t *answer = far_asked(&p, MESSAGE_INVENTORY, json_pack("{ss}", "challenge", CHALLENGE));
    assert_good(listing_read(json_object_get(answer, "receipt"), &l, &f));
    assert_good(digest_parse(CHALLENGE, &asked.challenge, &f));
    asked.identity = buf_span(&site->identity);
    assert_good(listing_verify(&l, &asked, &f));
    assert_string_equal(json_string_value(json_array_get(l.transports, 0)), site->transport_id);
    assert_good(things_parse(l.objects, &things, &f));
    for (size_t i = 0; i < things.count; i++) {
        struct digest identity;
        assert_true(digest_one(&identity, buf_span(&site->identity)));
        assert_false(things.items[i].session);
        keys += strcmp(things.items[i].class, "private-key") == 0;
        publics += things.items[i].has_public && digest_equal(&things.items[i].public_key, &identity);
    }
    assert_true(keys >= 3); /* identity, transport, and a key that was born */
    assert_int_equal(publics, 1);
    asked.challenge.bytes[0] ^= 1;
    assert_int_equal(listing_verify(&l, &asked, &f), E_REFUSED);
    things_clear(&things);
    listing_clear(&l);
    json_decref(answer);
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

static json_t *end_of(const struct far_birth *b)
{
    return json_pack("{sI}", "born", (json_int_t)key_of(b)->seq);
}

static void end_refused(json_t *more_taken, const char *needle)
{
    struct site_answer a;
    struct buf message;
    far_message(&p, MESSAGE_END, more_taken, &message);
    const char *why = far_answers(&p, MESSAGE_END, &message, &a);
    if (strstr(why, needle) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, needle);
    buf_free(&message);
}

/* The host's log says that it ended, and left it there. */
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

/* What a rule plainly allows: there as here. The signature is of the birth, and the same again. */
static void ends_that_a_rule_allows(void **state)
{
    struct fault f;
    struct far_birth b;
    struct buf signature = BUF(2048);
    struct digest digest;
    (void)state;
    far_living(&p, &b, "app-free-1");
    end_refused(end_of(&b), "does not say that the key of entry");
    ended(&b);
    assert_int_equal(far_count(&p, "app-free-1"), 1);
    for (int again = 0; again < 2; again++) {
        json_t *answer = far_asked(&p, MESSAGE_END, end_of(&b));
        assert_int_equal(far_count(&p, "app-free-1"), 0);
        assert_string_equal(json_string_or_null(answer, "outcome"), "destroyed");
        assert_int_equal(json_integer_value(json_object_get(answer, "born")), (json_int_t)key_of(&b)->seq);
        assert_true(settled_digest(&p.host->state.estate, "root", "glasgow",
                                   &state_intent(&p.host->state, b.intent)->digest, "destroyed", &digest));
        buf_clear(&signature);
        assert_good(hex_parse_buf(json_string_or_null(answer, "signature"), &signature, &f));
        assert_good(digest_signature_verify(buf_span(&state_site(&p.host->state, "root", "glasgow")->identity), &digest,
                                            buf_span(&signature), &f));
        json_decref(answer);
    }
    buf_free(&signature);
    far_birth_clear(&b);
}

/* A host that says so of a key whose end people approve is not believed. */
static void ends_that_no_rule_allows(void **state)
{
    struct far_birth b;
    (void)state;
    far_living(&p, &b, "app-2");
    ended(&b);
    end_refused(end_of(&b), "lets the key \"app-2\" be destroyed without approvals");
    assert_int_equal(far_count(&p, "app-2"), 1);
    end_refused(json_pack("{si}", "born", 1), "does not say that the key of entry 1");
    end_refused(json_pack("{si}", "born", -1), "does not say that the key of entry -1");
    far_birth_clear(&b);
}

/* At the site's own word: nothing is destroyed meanwhile. */
static void no_end_while_suspended(void **state)
{
    struct far_birth b;
    (void)state;
    far_living(&p, &b, "app-free-2");
    ended(&b);
    far_suspended(&p);
    end_refused(end_of(&b), "is suspended");
    assert_int_equal(far_count(&p, "app-free-2"), 1);
    far_birth_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_as_it_lies),
        cmocka_unit_test(ends_that_a_rule_allows),
        cmocka_unit_test(ends_that_no_rule_allows),
        cmocka_unit_test(no_end_while_suspended),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
