#include "audit/drill.h"
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/death.h"
#include "tests/unit/far_fixture.h"

/* The far end of a birth: it trusts nothing, takes a key in once, and ends what it began. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature, sites: "        \
    "glasgow}, transport: {allow: [oaep-sha1]}}\n"                                                                     \
    "  - id: stronger\n"                                                                                               \
    "    when: {operation: generate, token: root, label: \"^strong-\"}\n"                                              \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature, sites: "        \
    "glasgow}}\n"                                                                                                      \
    "  - id: ends\n"                                                                                                   \
    "    when: {operation: destroy, token: root}\n"                                                                    \
    "    require: {quorum: {of: key-custodian, at-least: 2}}\n"

static struct far_pair p;

static int setup(void **state)
{
    (void)state;
    far_make(&p, RULES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    far_end(&p);
    return 0;
}

static void settle_message(enum message_kind kind, uint64_t intent, struct buf *ret)
{
    far_message(&p, kind, json_pack("{sI}", "intent", (json_int_t)intent), ret);
}

/* What the site signed of the birth; the signature must be by its identity key. */
static void settled_as(enum message_kind kind, uint64_t message_intent, uint64_t birth, const char *outcome)
{
    struct fault f;
    struct buf message, signature = BUF(2048);
    struct digest digest;
    settle_message(kind, message_intent, &message);
    json_t *json = far_answered(&p, kind, &message);
    assert_string_equal(json_string_or_null(json, "outcome"), outcome);
    assert_true(settled_digest(&p.host->state.estate, "root", "glasgow", &state_intent(&p.host->state, birth)->digest,
                               outcome, &digest));
    assert_good(hex_parse_buf(json_string_or_null(json, "signature"), &signature, &f));
    assert_good(digest_signature_verify(buf_span(&state_site(&p.host->state, "root", "glasgow")->identity), &digest,
                                        buf_span(&signature), &f));
    json_decref(json);
    buf_free(&message);
    buf_free(&signature);
}

static void settle_refused(enum message_kind kind, uint64_t intent, const char *needle)
{
    struct buf message;
    settle_message(kind, intent, &message);
    far_refused(&p, kind, &message, needle);
    buf_free(&message);
}

static void receipt_good(const struct far_birth *b, const json_t *answer)
{
    struct fault f;
    struct buf bytes = BUF(LIMIT_OFFER);
    struct receipt r;
    struct checkpoint c;
    assert_good(json_canonical(json_object_get(answer, "receipt"), &bytes, &f));
    assert_good(receipt_parse(buf_span(&bytes), &r, &f));
    assert_good(receipt_verify(&r, &b->offer, &b->digest,
                               buf_span(&state_site(&p.host->state, "root", "glasgow")->identity), p.d.serials[2], &f));
    /* The site's own log anchors it. */
    assert_good(checkpoint_open(buf_span(&r.checkpoint), log_first_key(p.site->estate->log), &c, &f));
    receipt_clear(&r);
    buf_free(&bytes);
}

static void an_offer_is_taken_once_and_born(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    far_offered(&p, &b, "app-1", &message);
    json_t *first = far_answered(&p, MESSAGE_OFFER, &message);
    receipt_good(&b, first);
    assert_int_equal(far_count(&p, "app-1"), 1);
    /* The same again: the same receipt, no second key. */
    json_t *again = far_answered(&p, MESSAGE_OFFER, &message);
    assert_true(json_equal(json_object_get(first, "receipt"), json_object_get(again, "receipt")));
    assert_int_equal(far_count(&p, "app-1"), 1);
    settle_refused(MESSAGE_BORN, b.intent, "does not say that the key");
    settle_refused(MESSAGE_WITHDRAW, b.intent, "was rolled back: nothing of it is destroyed");
    far_born(&p, &b);
    settled_as(MESSAGE_BORN, b.intent, b.intent, "born");
    settled_as(MESSAGE_BORN, b.intent, b.intent, "born");
    assert_int_equal(far_count(&p, "app-1"), 1);
    settle_refused(MESSAGE_WITHDRAW, b.intent, "nothing of it is destroyed");
    far_refused(&p, MESSAGE_OFFER, &message, "older than what this site has seen");
    buf_free(&message);
    far_offer_message(&p, &b, &message);
    far_refused(&p, MESSAGE_OFFER, &message, "has ended");
    json_decref(first);
    json_decref(again);
    buf_free(&message);
    far_birth_clear(&b);
}

static void born_there(struct far_birth *b, const char *label)
{
    far_taken(&p, b, label);
    far_born(&p, b);
    settled_as(MESSAGE_BORN, b->intent, b->intent, "born");
}

static void a_rolled_back_birth_leaves_nothing(void **state)
{
    struct far_birth b;
    (void)state;
    far_taken(&p, &b, "app-2");
    assert_int_equal(far_count(&p, "app-2"), 1);
    far_rolled_back(&p, &b);
    settled_as(MESSAGE_WITHDRAW, b.intent, b.intent, "withdrawn");
    assert_int_equal(far_count(&p, "app-2"), 0);
    settled_as(MESSAGE_WITHDRAW, b.intent, b.intent, "withdrawn");
    settle_refused(MESSAGE_BORN, b.intent, "does not say that the key");
    far_birth_clear(&b);
    /* The second attempt of that request; and a third without the second's withdrawal. */
    far_taken(&p, &b, "app-2");
    far_rolled_back(&p, &b);
    far_birth_clear(&b);
    far_taken(&p, &b, "app-2");
    assert_int_equal(far_count(&p, "app-2"), 1);
    far_rolled_back(&p, &b);
    settled_as(MESSAGE_WITHDRAW, b.intent, b.intent, "withdrawn");
    assert_int_equal(far_count(&p, "app-2"), 0);
    far_birth_clear(&b);
}

/* Nothing of it ever came: that nothing is there is said all the same. */
static void a_withdrawal_of_what_never_came(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    far_offered(&p, &b, "app-3", &message);
    far_rolled_back(&p, &b);
    settled_as(MESSAGE_WITHDRAW, b.intent, b.intent, "withdrawn");
    buf_free(&message);
    far_birth_clear(&b);
}

static void another_key_in_the_offer(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    far_offered(&p, &b, "app-4", &message);
    buf_free(&message);
    EVP_PKEY_free(b.key);
    b.key = EVP_EC_gen("P-384");
    far_offer_make(&p, &b);
    far_offer_message(&p, &b, &message);
    far_refused(&p, MESSAGE_OFFER, &message, "another key is in it than the one logged");
    assert_int_equal(far_count(&p, "app-4"), 0);
    buf_free(&message);
    /* What describes the key otherwise than people approved is not helped by the log. */
    json_object_set_new(b.offer.attributes, "CKA_DECRYPT", json_string("true"));
    far_offer_log(&p, &b);
    far_offer_message(&p, &b, &message);
    far_refused(&p, MESSAGE_OFFER, &message, "another key than the one that people approved");
    buf_free(&message);
    /* Blobs that do not hold the key that the offer names: the replica cannot prove it. */
    far_offer_make(&p, &b);
    struct offer other = {.wrapped_key = BUF(LIMIT_BLOB), .wrapped_secret = BUF(LIMIT_BLOB)};
    EVP_PKEY *stranger = EVP_EC_gen("P-384");
    far_wrap(buf_span(&state_site(&p.host->state, "root", "glasgow")->transport), stranger, &other);
    buf_free(&b.offer.wrapped_key);
    buf_free(&b.offer.wrapped_secret);
    b.offer.wrapped_key = other.wrapped_key;
    b.offer.wrapped_secret = other.wrapped_secret;
    far_offer_log(&p, &b);
    far_offer_message(&p, &b, &message);
    json_t *answer = far_answered(&p, MESSAGE_OFFER, &message);
    struct fault f;
    struct buf bytes = BUF(LIMIT_OFFER);
    struct receipt r;
    assert_good(json_canonical(json_object_get(answer, "receipt"), &bytes, &f));
    assert_good(receipt_parse(buf_span(&bytes), &r, &f));
    assert_int_equal(receipt_verify(&r, &b.offer, &b.digest,
                                    buf_span(&state_site(&p.host->state, "root", "glasgow")->identity), p.d.serials[2],
                                    &f),
                     E_REFUSED);
    assert_text("the proof of the replica");
    far_rolled_back(&p, &b);
    settled_as(MESSAGE_WITHDRAW, b.intent, b.intent, "withdrawn");
    assert_int_equal(far_count(&p, "app-4"), 0);
    EVP_PKEY_free(stranger);
    receipt_clear(&r);
    json_decref(answer);
    buf_free(&bytes);
    buf_free(&message);
    far_birth_clear(&b);
}

static void what_the_rule_does_not_allow(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    far_offered(&p, &b, "strong-1", &message);
    far_refused(&p, MESSAGE_OFFER, &message, "does not allow by name");
    assert_int_equal(far_count(&p, "strong-1"), 0);
    far_rolled_back(&p, &b);
    buf_free(&message);
    far_birth_clear(&b);
}

/* An offer of an estate, a token, a site that are not ours, and rubbish. */
static void offers_for_others_and_rubbish(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    far_intend(&p, &b, "app-5");
    far_offer_make(&p, &b);
    snprintf(b.offer.site, sizeof b.offer.site, "cardiff");
    far_offer_message(&p, &b, &message);
    far_refused(&p, MESSAGE_OFFER, &message, "does not name this offer");
    buf_free(&message);
    far_rolled_back(&p, &b);
    far_birth_clear(&b);
    message = BUF(LIMIT_MESSAGE);
    buf_puts(&message, "{\"type\":\"nonsense\"}\n");
    far_refused(&p, MESSAGE_OFFER, &message, "no message that is known here");
    buf_free(&message);
    settle_refused(MESSAGE_BORN, 1, "is no intent");
    settle_refused(MESSAGE_WITHDRAW, 999999, "is no intent");
}

static void suspended_here_or_there(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    far_offered(&p, &b, "app-6", &message);
    far_suspended(&p);
    far_refused(&p, MESSAGE_OFFER, &message, "is suspended");
    assert_int_equal(far_count(&p, "app-6"), 0);
    far_rolled_back(&p, &b);
    buf_free(&message);
    far_birth_clear(&b);
}

/* A key that was born goes only where people decided so. */
static void a_born_key_ends_by_quorum(void **state)
{
    struct fault f;
    struct far_birth b;
    struct answer a = {0};
    uint64_t end = 0;
    (void)state;
    born_there(&b, "app-7");
    json_t *subject = asking_subject(p.host, OP_DESTROY, NULL);
    assert_true(json_put_string(subject, "token", "root") && json_put_string(subject, "label", "app-7") &&
                json_put_string(subject, "function", "C_DestroyObject") &&
                json_put_string(subject, "class", "private-key") && json_put_string(subject, "object", "token") &&
                json_put_digest(subject, "key",
                                &state_key(&p.host->state, "root", "private-key", far_id("app-7"), NULL)->fingerprint));
    assert_good(estate_ask(p.host, json_incref(subject), &p.d.world->context, &a, &f));
    depth_approve(p.host, &a.request->id, "key-custodian");
    json_t *more =
        json_pack("{sssss[ss]}", "class", "private-key", "id", far_id("app-7"), "sites", "slough", "glasgow");
    assert_good(estate_intend(p.host, a.request, &p.d.world->context, more, &end, &f));
    settled_as(MESSAGE_WITHDRAW, end, b.intent, "destroyed");
    assert_int_equal(far_count(&p, "app-7"), 0);
    settled_as(MESSAGE_WITHDRAW, end, b.intent, "destroyed");
    json_decref(more);
    json_decref(subject);
    answer_clear(&a);
    far_birth_clear(&b);
    /* A later key of that name and CKA_ID does not go by the end that people approved of the first. */
    born_there(&b, "app-7");
    settle_refused(MESSAGE_WITHDRAW, end, "has the CKA_ID of entry");
    assert_int_equal(far_count(&p, "app-7"), 1);
    far_birth_clear(&b);
}

/* True: the site died at that step of its log while it took the message in. */
static bool dies_at(const struct buf *message, unsigned step)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct buf answer = BUF(LIMIT_ANSWER);
        struct fault f;
        bool ignored = false;
        if (world_open(p.bindings, &p.site, &f) != OK)
            _exit(2);
        die_at_step(step);
        _exit(far_accept(p.site, buf_span(message), &answer, &ignored, &f) == OK && !ignored ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!died)
        assert_int_equal(WEXITSTATUS(status), 0);
    return died;
}

/* Whatever was left: the same message again ends in the one receipt, or the withdrawal in nothing. */
static void deaths_at_every_step(void **state)
{
    (void)state;
    bool died = true;
    unsigned step = 1;
    for (; died; step++) {
        struct far_birth b;
        struct buf message;
        struct fault f;
        far_offered(&p, &b, "app-8", &message);
        world_close(p.d.world); /* a child has its own */
        world_close(p.site);
        p.site = p.d.world = NULL;
        died = dies_at(&message, step);
        assert_good(world_open(p.d.bindings, &p.d.world, &f));
        p.host = p.d.world->estate;
        p.host->bindings->tokens[0].sites[2].reach = REACH_CARRIED;
        assert_good(world_open(p.bindings, &p.site, &f));
        if (step % 2 == 0) {
            json_t *json = far_answered(&p, MESSAGE_OFFER, &message);
            receipt_good(&b, json);
            json_decref(json);
            assert_int_equal(far_count(&p, "app-8"), 1);
        }
        far_rolled_back(&p, &b);
        settled_as(MESSAGE_WITHDRAW, b.intent, b.intent, "withdrawn");
        assert_int_equal(far_count(&p, "app-8"), 0);
        buf_free(&message);
        far_birth_clear(&b);
    }
    assert_true(step > 6);
}

#define CHALLENGE "1111111111111111111111111111111111111111111111111111111111111111"

static void drill_message(json_t *keys_taken, struct buf *ret)
{
    far_message(&p, MESSAGE_DRILL, json_pack("{s:s,s:o}", "challenge", CHALLENGE, "keys", keys_taken), ret);
}

/* The keys are those that the host's log says are here, whatever the message names. */
static void drilled_by_the_log(void **state)
{
    struct fault f;
    struct buf message, bytes = BUF(LIMIT_DRILL);
    struct drill d = {.keys = NULL};
    const struct state *s = &p.host->state;
    const struct state_key *key = s->keys;
    struct site_question asked = {.estate = s->estate, .token = "root", .site = "glasgow", .serial = p.d.serials[2]};
    (void)state;
    while (!state_key_at(key, "root", "glasgow"))
        key++;
    json_int_t born = (json_int_t)key->seq;
    drill_message(json_pack("[I]", born), &message);
    json_t *answer = far_answered(&p, MESSAGE_DRILL, &message);
    buf_free(&message);
    assert_good(json_canonical(json_object_get(answer, "receipt"), &bytes, &f));
    assert_good(drill_parse(buf_span(&bytes), &d, &f));
    assert_good(digest_parse(CHALLENGE, &asked.challenge, &f));
    asked.identity = buf_span(&state_site(s, "root", "glasgow")->identity);
    assert_good(drill_verify(&d, &asked, &f));
    assert_int_equal(d.key_count, 1);
    assert_good(drill_key_verify(&d, &d.keys[0], buf_span(&key->public_key), true, &f));
    json_decref(answer);
    json_t *const wrong[] = {json_pack("[I,I]", born, born), json_pack("[I]", born + 1), json_pack("[i]", -1),
                             json_pack("[s]", "all"), json_pack("{}")};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        drill_message(wrong[i], &message);
        far_refused(&p, MESSAGE_DRILL, &message, i == 4 ? "keys" : "no birth of a key that lives here");
        buf_free(&message);
    }
    drill_clear(&d);
    buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_is_taken_once_and_born),
        cmocka_unit_test(drilled_by_the_log),
        cmocka_unit_test(a_rolled_back_birth_leaves_nothing),
        cmocka_unit_test(a_withdrawal_of_what_never_came),
        cmocka_unit_test(another_key_in_the_offer),
        cmocka_unit_test(what_the_rule_does_not_allow),
        cmocka_unit_test(offers_for_others_and_rubbish),
        cmocka_unit_test(a_born_key_ends_by_quorum),
        cmocka_unit_test(deaths_at_every_step),
        cmocka_unit_test(suspended_here_or_there),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
