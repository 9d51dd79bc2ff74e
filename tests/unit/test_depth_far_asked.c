#include "audit/listing.h"
#include "module/things.h"
#include "tests/unit/far_fixture.h"

/* What a site that judges by itself can be asked of keys that live there. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature, sites: "        \
    "glasgow}, transport: {allow: [oaep-sha1]}}\n"

#define CHALLENGE "1111111111111111111111111111111111111111111111111111111111111111"

static struct far_pair p;
static struct far_birth living;

/* One key is born there. */
static int setup(void **state)
{
    struct site_answer a;
    struct buf message;
    (void)state;
    far_make(&p, RULES);
    far_taken(&p, &living, "app-1");
    far_born(&p, &living);
    far_message(&p, MESSAGE_BORN, json_pack("{sI}", "intent", (json_int_t)living.intent), &message);
    assert_string_equal(far_answers(&p, MESSAGE_BORN, &message, &a), "");
    site_answer_clear(&a);
    buf_free(&message);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    far_birth_clear(&living);
    far_end(&p);
    return 0;
}

/* The answer must be given; the caller's. `more` is taken. */
static json_t *answered(enum message_kind kind, json_t *more_taken)
{
    struct site_answer a;
    struct buf message;
    far_message(&p, kind, more_taken, &message);
    const char *why = far_answers(&p, kind, &message, &a);
    if (why[0] != '\0')
        fail_msg("%s", why);
    buf_free(&message);
    return a.json;
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
    json_t *answer = answered(MESSAGE_INVENTORY, json_pack("{ss}", "challenge", CHALLENGE));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_as_it_lies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
