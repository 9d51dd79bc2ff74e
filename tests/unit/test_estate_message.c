#include "tests/unit/estate_fixture.h"

#include "core/encode.h"
#include "estate/message.h"
#include "estate/message_inner.h"

#define E estate_at_hand

static void composed(enum message_kind kind, uint64_t from, const json_t *more, struct buf *ret)
{
    struct fault f = {OK, ""};

    *ret = BUF(LIMIT_MESSAGE);
    if (message_compose(E, kind, "root", "there", from, more, ret, &f) != OK)
        fail_msg("%s", f.text);
}

static json_t *one(const char *name, const char *value)
{
    return json_pack("{ss}", name, value);
}

static void a_message_brings_what_was_not_seen(void **state)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_MESSAGE), file = BUF(LIMIT_DOCUMENT), note = BUF(LIMIT_NOTE),
               kept = BUF(LIMIT_DOCUMENT);
    struct message m = {0};
    struct digest digest;
    char name[96];

    (void)state;
    adopt("policy.yaml");
    composed(MESSAGE_POLICY, 0, NULL, &bytes);
    assert_int_equal(message_read(buf_span(&bytes), &m, &f), OK);
    assert_int_equal(m.kind, MESSAGE_POLICY);
    assert_true(m.has_log);
    assert_int_equal(m.from, 0);
    assert_int_equal(m.size, log_size(E->log));
    assert_string_equal(m.token, "root");
    assert_string_equal(m.site, "there");
    assert_true(digest_equal(&m.estate, &E->state.estate));
    assert_int_equal(log_checkpoint_bytes(E->log, &note, &f), OK);
    assert_true(span_equal(m.note, buf_span(&note)));
    /* The log verifies from the message alone. */
    assert_int_equal(log_verify_bytes(m.entries, m.note, log_first_key(E->log), NULL, NULL, &f), OK);
    snprintf(name, sizeof name, "policies/%s.yaml", digest_hex(&E->state.policy).hex);
    assert_int_equal(message_file(&m, name, &file, &f), OK);
    assert_true(digest_one(&digest, buf_span(&file)) && digest_equal(&digest, &E->state.policy));
    /* Certificates of all people, request and both approvals. */
    assert_int_equal(json_object_size(json_object_get(m.json, "files")), 1 + PEOPLE + 3);
    assert_int_equal(message_file(&m, "policies/none.yaml", &file, &f), E_ABSENT);
    message_clear(&m);
    buf_free(&bytes);
    /* From its end on: nothing, but the checkpoint. */
    composed(MESSAGE_POLICY, log_size(E->log), NULL, &bytes);
    assert_int_equal(message_read(buf_span(&bytes), &m, &f), OK);
    assert_int_equal(m.entries.len, 0);
    assert_int_equal(json_object_size(json_object_get(m.json, "files")), 0);
    message_clear(&m);
    buf_free(&bytes);
    bytes = BUF(LIMIT_MESSAGE);
    assert_int_equal(message_compose(E, MESSAGE_POLICY, "root", "there", log_size(E->log) + 1, NULL, &bytes, &f),
                     E_INVALID);
    assert_int_equal(bytes.len, 0);
    buf_free(&bytes);
    buf_free(&file);
    buf_free(&note);
    buf_free(&kept);
}

static void a_document_that_is_gone_is_missed(void **state)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_MESSAGE);
    char name[128];

    (void)state;
    adopt("policy.yaml");
    snprintf(name, sizeof name, "home/requests/%s/ann.p7s", digest_hex(&E->state.requests[0].id).hex);
    assert_int_equal(unlink(in(name)), 0);
    assert_int_equal(message_compose(E, MESSAGE_POLICY, "root", "there", 0, NULL, &bytes, &f), E_ABSENT);
    assert_non_null(strstr(f.text, "ann.p7s"));
    buf_free(&bytes);
}

static void a_challenge_has_no_log(void **state)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(0);
    struct message m = {0};
    json_t *more = one("challenge", "00");

    (void)state;
    composed(MESSAGE_CHALLENGE, 77, more, &bytes);
    assert_int_equal(message_read(buf_span(&bytes), &m, &f), OK);
    assert_false(m.has_log);
    assert_string_equal(json_string_or_null(m.json, "challenge"), "00");
    message_clear(&m);
    buf_puts(&bytes, "{}\n");
    assert_int_equal(message_read(buf_span(&bytes), &m, &f), E_INVALID);
    assert_non_null(strstr(f.text, "behind a challenge"));
    buf_free(&bytes);
    json_decref(more);
}

/* Reads the message with `from` replaced by `to` everywhere: it must be refused, saying `why`. */
static void refused(const struct buf *good, const char *from, const char *to, const char *why)
{
    struct fault f = {OK, ""};
    struct buf bad = BUF(LIMIT_MESSAGE);
    struct message m = {0};
    const char *text = buf_str(good), *at = NULL;
    enum outcome o = OK;

    while ((at = strstr(text, from)) != NULL) {
        buf_put(&bad, text, (size_t)(at - text));
        buf_puts(&bad, to);
        text = at + strlen(from);
    }
    assert_true(bad.len > 0 || at == NULL);
    buf_puts(&bad, text);
    o = message_read(buf_span(&bad), &m, &f);
    assert_int_not_equal(o, OK);
    if (strstr(f.text, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", f.text, why);
    buf_free(&bad);
}

static void rubbish_is_refused(void **state)
{
    struct fault f = {OK, ""};
    struct buf good = BUF(0), cut = BUF(LIMIT_MESSAGE);
    struct message m = {0};

    (void)state;
    adopt("policy.yaml");
    composed(MESSAGE_POLICY, 0, NULL, &good);
    refused(&good, "message/policy/v1", "message/policy/v2", "no message that is known");
    refused(&good, "message/policy/v1", "answer/policy/v1", "no message that is known");
    refused(&good, "\"from\":0", "\"from\":1", "are announced");
    refused(&good, "\"from\":0", "\"from\":-1", "no part of a log");
    refused(&good, "\"from\":0", "\"form\":0", "\"from\" is missing");
    refused(&good, "\"from\":0", "\"from\": 0", "canonical");
    refused(&good, "\"site\":\"there\"", "\"site\":\"../there\"", "no name");
    refused(&good, "\"site\":\"there\"", "\"site\":\"there\",\"size\":1", "");
    refused(&good, "people/", "peoples", "no file that a message may bring");
    refused(&good, "ann.p7s", "../ann.p7s", "no file that a message may bring");
    refused(&good, ".yaml", ".yaml/../../x", "no file that a message may bring");
    refused(&good, "request.json", "request.json2", "no file that a message may bring");
    refused(&good, "{", "[", "");
    assert_int_equal(message_read(span_of(NULL, 0), &m, &f), E_INVALID);
    assert_int_equal(message_read(span_str("\n"), &m, &f), E_INVALID);
    assert_int_equal(message_read(span_str("{}\n"), &m, &f), E_INVALID);
    /* Cut short at any place. */
    for (size_t len = 0; len < good.len; len += 1 + len / 16)
        assert_int_not_equal(message_read(span_of(good.data, len), &m, &f), OK);
    buf_put(&cut, good.data, good.len);
    buf_puts(&cut, "x");
    assert_int_equal(message_read(buf_span(&cut), &m, &f), E_INVALID);
    buf_free(&cut);
    buf_free(&good);
}

static void a_file_is_read_strictly(void **state)
{
    struct fault f = {OK, ""};
    struct buf good = BUF(0), file = BUF(LIMIT_DOCUMENT);
    struct message m = {0};

    (void)state;
    adopt("policy.yaml");
    composed(MESSAGE_POLICY, 0, NULL, &good);
    assert_int_equal(message_read(buf_span(&good), &m, &f), OK);
    json_object_set_new(json_object_get(m.json, "files"), "people/x.der", json_string("AB=="));
    assert_int_equal(message_file(&m, "people/x.der", &file, &f), E_INVALID);
    assert_non_null(strstr(f.text, "people/x.der"));
    message_clear(&m);
    buf_free(&file);
    buf_free(&good);
}

static void an_answer_is_for_its_message(void **state)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_ANSWER);
    struct site_answer a = {0};
    struct digest root, other = {{1}}, estate = E->state.estate;
    json_t *more = json_pack("{sssssi}", "outcome", "born", "signature", "00", "intent", 7);

    (void)state;
    log_root(E->log, &root);
    assert_int_equal(answer_compose(E, &estate, MESSAGE_BORN, "root", "there", 3, &root, more, &bytes, &f), OK);
    assert_int_equal(answer_read(buf_span(&bytes), &estate, MESSAGE_BORN, "root", "there", &a, &f), OK);
    assert_int_equal(a.seen, 3);
    assert_true(digest_equal(&a.root, &root));
    assert_true(a.note.len > 0);
    assert_int_equal(json_integer_value(json_object_get(a.json, "intent")), 7);
    site_answer_clear(&a);
    assert_int_equal(answer_read(buf_span(&bytes), &estate, MESSAGE_WITHDRAW, "root", "there", &a, &f), E_REFUSED);
    assert_int_equal(answer_read(buf_span(&bytes), &other, MESSAGE_BORN, "root", "there", &a, &f), E_REFUSED);
    assert_int_equal(answer_read(buf_span(&bytes), &estate, MESSAGE_BORN, "root", "here", &a, &f), E_REFUSED);
    assert_int_equal(answer_read(buf_span(&bytes), &estate, MESSAGE_BORN, "toor", "there", &a, &f), E_REFUSED);
    assert_int_equal(answer_read(span_of(bytes.data, bytes.len - 1), &estate, MESSAGE_BORN, "root", "there", &a, &f),
                     E_INVALID);
    assert_non_null(strstr(f.text, "root at there"));
    json_decref(more);
    buf_free(&bytes);
}

static void a_refusal_says_why(void **state)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_ANSWER);
    struct site_answer a = {0};
    struct digest root = {{0}}, estate = E->state.estate;
    json_t *more = one("text", "the offer was taken before");

    (void)state;
    assert_int_equal(answer_compose(NULL, &estate, MESSAGE_KINDS, "root", "there", 0, &root, more, &bytes, &f), OK);
    assert_int_equal(answer_read(buf_span(&bytes), &estate, MESSAGE_OFFER, "root", "there", &a, &f), E_REFUSED);
    assert_string_equal(f.text, "root at there refuses: the offer was taken before");
    json_decref(more);
    buf_free(&bytes);
    more = one("receipt", "x");
    bytes = BUF(LIMIT_ANSWER);
    assert_int_equal(answer_compose(E, &estate, MESSAGE_OFFER, "root", "there", 0, &root, more, &bytes, &f), OK);
    buf_puts(&bytes, "\n");
    assert_int_equal(answer_read(buf_span(&bytes), &estate, MESSAGE_OFFER, "root", "there", &a, &f), E_INVALID);
    json_decref(more);
    buf_free(&bytes);
}

/* Of the files beside a request: who approved again has a name and what is renewed, and nothing else. */
static void names_of_votes(void **state)
{
#define D64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const char *const good[] = {"ann.p7s", "ann." D64 ".p7s", "a.b." D64 ".p7s", D64 ".p7s", D64 "." D64 ".p7s"};
    static const char *const bad[] = {"." D64 ".p7s",      "ann." D64 ".reject.p7s", "a/b." D64 ".p7s",
                                      "../a." D64 ".p7s",  "ann." D64 "p7s",         "ann" D64 ".p7s",
                                      D64 "a." D64 ".p7s", "ann." D64 "0.p7s"};
    char name[256];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(name, sizeof name, "requests/" D64 "/%s", good[i]);
        assert_true(message_file_named(name));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(name, sizeof name, "requests/" D64 "/%s", bad[i]);
        assert_false(message_file_named(name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_brings_what_was_not_seen, estate_make, estate_end),
        cmocka_unit_test_setup_teardown(a_document_that_is_gone_is_missed, estate_make, estate_end),
        cmocka_unit_test_setup_teardown(a_challenge_has_no_log, estate_make, estate_end),
        cmocka_unit_test(names_of_votes),
        cmocka_unit_test_setup_teardown(rubbish_is_refused, estate_make, estate_end),
        cmocka_unit_test_setup_teardown(a_file_is_read_strictly, estate_make, estate_end),
        cmocka_unit_test_setup_teardown(an_answer_is_for_its_message, estate_make, estate_end),
        cmocka_unit_test_setup_teardown(a_refusal_says_why, estate_make, estate_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
