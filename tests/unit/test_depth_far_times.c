#include "tests/unit/clock_off.h"
#include "tests/unit/far_fixture.h"

/* When an offer is taken in at the far end, and when it is too early, too late, or stopped. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature, sites: "        \
    "glasgow}, transport: {allow: [oaep-sha1]}}\n"                                                                     \
    "  - id: late\n"                                                                                                   \
    "    when: {operation: generate, token: root, label: \"^late-\"}\n"                                                \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature, sites: "        \
    "glasgow, deferred: 1 hour}, transport: {allow: [oaep-sha1]}}\n"

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

/* The message is made before; the site looks at it so many seconds off. */
static void refused_at(time_t off, const struct buf *message, const char *needle)
{
    clock_off = off;
    far_refused(&p, MESSAGE_OFFER, message, needle);
    clock_off = 0;
}

/* An intent is not kept for later, nor taken from a host whose clock is ahead. */
static void an_intent_too_far_from_the_clock(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    far_offered(&p, &b, "app-8", &message);
    refused_at(LIMIT_CLOCK + 60, &message, "more than 900 seconds apart");
    refused_at(-LIMIT_CLOCK - 60, &message, "more than 900 seconds apart");
    assert_int_equal(far_count(&p, "app-8"), 0);
    clock_off = -LIMIT_CLOCK + 60;
    json_decref(far_answered(&p, MESSAGE_OFFER, &message));
    clock_off = 0;
    assert_int_equal(far_count(&p, "app-8"), 1);
    far_rolled_back(&p, &b);
    buf_free(&message);
    far_birth_clear(&b);
}

static void far_provisional(const struct far_birth *b, moment until)
{
    struct fault f;
    json_t *body = json_object();
    assert_true(json_put_integer(body, "intent", (int64_t)b->intent) &&
                json_put(body, "sites", json_pack("[s]", "glasgow")) && json_put_moment(body, "until", until));
    assert_good(estate_append(p.host, ENTRY_PROVISIONAL, body, NULL, &f));
    json_decref(body);
}

/* What is carried may come as late as the rule lets it, whatever the host's log says. */
static void carried_within_its_time(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    for (int later = 0; later < 2; later++) {
        far_intend(&p, &b, later ? "late-2" : "late-1");
        far_offer_make(&p, &b);
        far_offer_log(&p, &b);
        far_provisional(&b, state_intent(&p.host->state, b.intent)->at + (later ? 7200 : 3600));
        far_offer_message(&p, &b, &message);
        if (later) {
            far_refused(&p, MESSAGE_OFFER, &message, "the birth waited for its receipts until");
        } else {
            refused_at(3600 + LIMIT_CLOCK + 60, &message, "the birth waited for its receipts until");
            refused_at(-LIMIT_CLOCK - 60, &message, "more than 900 seconds apart");
            assert_int_equal(far_count(&p, "late-1"), 0);
            clock_off = 3500; /* the last test that takes anything in: the site's log does not go back */
            json_decref(far_answered(&p, MESSAGE_OFFER, &message));
            clock_off = 0;
            assert_int_equal(far_count(&p, "late-1"), 1);
        }
        far_rolled_back(&p, &b);
        buf_free(&message);
        far_birth_clear(&b);
    }
}

/* Decided at that estate. */
static void suspend(struct estate *e, const char *scope)
{
    struct fault f;
    struct answer a = {0};
    json_t *subject = asking_subject(e, OP_SUSPEND, NULL), *body = json_object();
    uint64_t intent = 0;
    assert_true(json_put_string(subject, "scope", scope) && json_put_string(subject, "reason", "here"));
    assert_good(estate_ask(e, subject, NULL, &a, &f));
    far_approve(e, a.request);
    assert_good(estate_intend(e, a.request, NULL, NULL, &intent, &f));
    assert_true(
        json_put_digest(body, "request", &a.request->id) && json_put_string(body, "scope", scope) &&
        json_put_string(body, "reason", "here") &&
        json_put(body, "verdict", json_deep_copy(json_object_get(state_intent(&e->state, intent)->body, "verdict"))));
    assert_good(estate_append(e, ENTRY_SUSPENDED, body, NULL, &f));
    json_decref(body);
    answer_clear(&a);
}

/* The host suspended after the offer was made: what travels with the message says so. */
static void suspended_at_the_host(void **state)
{
    struct far_birth b;
    struct buf message;
    (void)state;
    far_offered(&p, &b, "app-7", &message);
    buf_free(&message);
    suspend(p.host, "key:app-7@root");
    far_offer_message(&p, &b, &message);
    far_refused(&p, MESSAGE_OFFER, &message, "is suspended");
    assert_int_equal(far_count(&p, "app-7"), 0);
    far_rolled_back(&p, &b);
    buf_free(&message);
    far_birth_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_intent_too_far_from_the_clock),
        cmocka_unit_test(suspended_at_the_host),
        cmocka_unit_test(carried_within_its_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
