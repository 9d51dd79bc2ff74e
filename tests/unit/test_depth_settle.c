#include "tests/unit/depth_labour.h"
#include "tests/unit/one_estate.h"

/* Sites that are away, births that died. */

#define RULES                                                                                                          \
    "  - id: two of two\n"                                                                                             \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"                                                                                          \
    "  - id: one of two\n"                                                                                             \
    "    when: {operation: generate, token: root, label: \"^spare-\"}\n"                                               \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"

static char nowhere[] = "00000000deadbeef";

static int setup(void **state)
{
    (void)state;
    depth_begin(&d, RULES);
    return 0;
}

static void third_hsm_missing(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    struct binding *b = bound("glasgow");
    char *serial = b->serial;
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-missing", "");
    uint64_t size = log_size(d.world->estate->log);
    b->serial = nowhere;
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_DEVICE);
    assert_text("glasgow");
    assert_text("asks for 2 replicas, 1 are ready");
    b->serial = d.serials[1]; /* there, but another one's */
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_DEVICE);
    assert_text("glasgow");
    b->serial = serial;
    assert_int_equal(log_size(d.world->estate->log), size);
    assert_int_equal(depth_count(&d, "slough", CKO_PRIVATE_KEY, "app-missing"), 0);
    depth_forget(&q);
}

static void the_rule_counts_not_the_policy(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    struct binding *b = bound("glasgow");
    char *serial = b->serial;
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "spare-1", "");
    b->serial = nowhere;
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    b->serial = serial;
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "spare-1"), 1);
    assert_int_equal(depth_count(&d, "glasgow", CKO_PRIVATE_KEY, "spare-1"), 0);
    depth_forget(&q);
}

/* A birth that got as far as an offer to cardiff and died there; cardiff is then away. */
static uint64_t birth_left(const char *label)
{
    struct depth_labour l;
    struct fault f;
    depth_labour_begin(&d, label, &l);
    assert_good(birth_send(&l.k, 0, 1, &f));
    depth_labour_end(&l);
    return l.k.intent;
}

static void an_orphan_blocks_births(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    struct binding *b = bound("cardiff");
    char *serial = b->serial;
    json_t *report = json_array();
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "spare-2", "");
    uint64_t intent = birth_left("app-orphan");
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-orphan"), 1);
    b->serial = nowhere;
    assert_int_equal(settle_run(d.world, report, &f), E_REFUSED);
    assert_text("cardiff");
    const struct state_intent *i = state_intent(&d.world->estate->state, intent);
    assert_int_equal(i->state, INTENT_ROLLED_BACK);
    assert_true(strings_have(&i->orphans, "cardiff"));
    /* Another birth would do without cardiff, but not while something lies there. */
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_REFUSED);
    assert_text("not settled");
    b->serial = serial;
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    assert_int_equal(state_intent(&d.world->estate->state, intent)->orphans.count, 0);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-orphan"), 0);
    depth_forget(&q);
    json_decref(report);
}

static void a_living_birth_is_left_alone(void **state)
{
    struct fault f;
    struct lock *lock = NULL;
    json_t *report = json_array();
    (void)state;
    uint64_t intent = birth_left("app-living");
    struct digest request = state_intent(&d.world->estate->state, intent)->request;
    assert_good(birth_lock(d.world->estate, &request, &lock, &f));
    assert_good(settle_run(d.world, report, &f));
    assert_int_equal(json_array_size(report), 1);
    assert_int_equal(state_intent(&d.world->estate->state, intent)->state, INTENT_OPEN);
    lock_release(lock);
    assert_good(settle_run(d.world, report, &f));
    assert_int_equal(state_intent(&d.world->estate->state, intent)->state, INTENT_ROLLED_BACK);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-living"), 0);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(third_hsm_missing),
        cmocka_unit_test(the_rule_counts_not_the_policy),
        cmocka_unit_test(an_orphan_blocks_births),
        cmocka_unit_test(a_living_birth_is_left_alone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
