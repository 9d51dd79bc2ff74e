#include "tests/unit/tool_fixture.h"

/* `quorate suspend` and `quorate resume`: by request and approvals, seen by every process, ended only by a quorum. */

static void approved(const char *line)
{
    assert_int_equal(quorate(line), 1);
    says("waits for people");
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--yes")), 0);
    assert_int_equal(quorate(line), 1);
    assert_int_equal(quorate(vote_line("approve", "bob", "bob", "--yes")), 0);
    assert_int_equal(quorate(line), 0);
}

static int begin(void **state)
{
    int rc = make(state);

    if (rc == 0)
        adopt("policy.yaml");
    return rc;
}

static void test_a_scope_and_back(void **state)
{
    (void)state;
    approved("quorate suspend token:root --reason smoke");
    says("suspended");
    assert_int_equal(quorate("quorate suspend token:root --reason smoke"), 0);
    says("suspended already");
    assert_int_equal(quorate("quorate status --offline"), 0);
    says("token:root is suspended");
    says("quorate resume token:root");
    assert_int_equal(quorate("quorate resume estate"), 1);
    says("estate is not suspended");
    assert_true(state_suspended(&estate_at_hand->state, NULL, NULL) == false);
    approved("quorate resume token:root");
    says("resumed");
    waiting(); /* follows the log */
    assert_false(state_suspended(&estate_at_hand->state, "root", "any"));
}

/* Nothing goes on meanwhile but what leads out of it. */
static void test_an_estate_suspended_can_only_resume(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0};

    (void)state;
    approved("quorate suspend estate --reason incident");
    assert_int_equal(estate_ask(estate_at_hand, question("key"), NULL, &a, &f), OK);
    assert_false(a.plain);
    assert_int_equal(a.verdict->decision, DECISION_DENY);
    answer_clear(&a);
    assert_int_equal(quorate("quorate log show --type suspended"), 0);
    says("incident");
    approved("quorate resume estate");
}

static void test_what_is_no_scope(void **state)
{
    (void)state;
    assert_int_equal(quorate("quorate suspend everything --reason x"), 2);
    says("expected estate, token:ID or key:LABEL@TOKEN");
    assert_int_equal(quorate("quorate suspend token:other --reason x"), 2);
    says("no token other");
    assert_int_equal(quorate("quorate suspend key:a@b@other --reason x"), 2);
    assert_int_equal(quorate("quorate suspend estate"), 2);
    says("--reason");
    assert_int_equal(estate_at_hand->state.suspension_count, 0);
}

/* Died between decision and entry: the same command finishes. */
static void test_a_decision_survives_a_crash(void **state)
{
    struct fault f = {OK, ""};
    struct request *r = NULL;
    struct digest id;
    uint64_t intent = 0;

    (void)state;
    assert_int_equal(quorate("quorate suspend key:a@root --reason lost"), 1);
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--yes")), 0);
    assert_int_equal(quorate(vote_line("approve", "bob", "bob", "--yes")), 0);
    assert_int_equal(digest_parse(waiting(), &id, &f), OK);
    assert_int_equal(estate_request(estate_at_hand, &id, &r, &f), OK);
    assert_int_equal(estate_intend(estate_at_hand, r, NULL, NULL, &intent, &f), OK);
    request_free(r);
    assert_int_equal(quorate("quorate suspend key:a@root --reason lost"), 0);
    waiting();
    assert_true(state_suspended(&estate_at_hand->state, "root", "a"));
    assert_false(state_suspended(&estate_at_hand->state, "root", "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_scope_and_back, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_an_estate_suspended_can_only_resume, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_what_is_no_scope, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_a_decision_survives_a_crash, begin, estate_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
