#include "tests/unit/tool_fixture.h"

/* The program itself, from a bare home to a policy in force: votes with PEM keys, and an end at each step of the log. */

static const char *adopt_line(const char *file)
{
    static char line[256];

    snprintf(line, sizeof line, "quorate policy adopt %s/%s", scratch, file);
    return line;
}

static void test_first_policy(void **state)
{
    (void)state;
    assert_int_equal(quorate("quorate policy explain use"), 2);
    says("no policy is in force yet");
    assert_int_equal(quorate(adopt_line("policy.yaml")), 1);
    says("waits for people");
    assert_int_equal(quorate("quorate request list"), 0);
    says("adopt-policy");
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "")), 0);
    assert_int_equal(quorate(adopt_line("policy.yaml")), 1);
    assert_int_equal(quorate(vote_line("approve", "bob", "bob", "--yes --json")), 0);
    says("\"vote\":\"approval\"");
    assert_int_equal(quorate(adopt_line("policy.yaml")), 0);
    says("in force");
    assert_int_equal(quorate(adopt_line("policy.yaml")), 0);
    says("in force already");
    assert_int_equal(quorate("quorate log check"), 0);
    assert_int_equal(quorate("quorate status --offline"), 0);
    assert_int_equal(quorate("quorate policy explain use"), 0);
}

static void test_what_cannot_be_first(void **state)
{
    (void)state;
    policy_write("other.yaml", 2);
    assert_int_equal(quorate(adopt_line("other.yaml")), 1);
    says("not the policy that this estate was made with");
    assert_int_equal(quorate(adopt_line("absent.yaml")), 2);
    assert_int_equal(quorate(adopt_line("policy.yaml --succession")), 2);
    text_write("other.yaml", "quorate: 1\n");
    assert_int_equal(quorate(adopt_line("other.yaml")), 2);
    says("other.yaml:1:");
    assert_int_equal(unlink(in("people/cy.pem")), 0);
    assert_int_equal(quorate(adopt_line("policy.yaml")), 2);
    says("cy");
    assert_int_equal(quorate("quorate request list"), 0);
    says("No request waits");
}

static void test_votes_refused_before_signing(void **state)
{
    (void)state;
    assert_int_equal(quorate(adopt_line("policy.yaml")), 1);
    assert_int_equal(quorate(vote_line("approve", "ann", "bob", "")), 1);
    says("the key does not belong to the certificate");
    assert_int_equal(quorate(vote_line("approve", "eve", "ann", "")), 1);
    says("\"eve\" is nobody");
    assert_int_equal(quorate(vote_line("approve", "ann", "nobody", "")), 2);
    says("nobody.key");
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--certificate /dev/absent")), 2);
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--certificate /dev/null")), 1);
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "--card-module /dev/null")), 2);
    assert_int_equal(quorate(vote_line("reject", "ann", "ann", "")), 2);
    says("--reason");
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "")), 0);
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "")), 1);
    says("already");
    assert_int_equal(quorate("quorate approve abcdef --as ann --key k"), 2);
    assert_int_equal(quorate("quorate approve abc --as ann --key k"), 2);
}

static void test_rejections_close(void **state)
{
    (void)state;
    assert_int_equal(quorate(adopt_line("policy.yaml")), 1);
    assert_int_equal(quorate(vote_line("reject", "ann", "ann", "--reason early")), 0);
    assert_int_equal(quorate(vote_line("reject", "bob", "bob", "--reason early")), 0);
    assert_int_equal(quorate(vote_line("approve", "cy", "cy", "")), 1);
    says("rejected");
    assert_int_equal(quorate(vote_line("reject", "cy", "cy", "--reason early")), 1);
}

static void test_later_policies(void **state)
{
    (void)state;
    adopt("policy.yaml");
    policy_write("second.yaml", 1);
    text_write("policy.yaml", "");
    assert_int_equal(quorate("quorate status --offline"), 1);
    says("but the policy in force is");
    policy_write("second.yaml", 2);
    assert_int_equal(quorate(adopt_line("second.yaml")), 1);
    assert_int_equal(quorate(vote_line("approve", "ann", "ann", "")), 0);
    assert_int_equal(quorate(vote_line("approve", "bob", "bob", "")), 0);
    assert_int_equal(quorate(adopt_line("second.yaml")), 0);
    says("beware"); /* the bindings' file is not this one */
    policy_write("first.yaml", 1);
    assert_int_equal(quorate(adopt_line("first.yaml")), 1);
    says("version 2 is in force");
}

static unsigned steps_left;

static void end_here(const char *step)
{
    (void)step;
    if (steps_left-- == 0)
        _exit(99);
}

/* However early the command ends, the next one finishes it, and the log holds. */
static void test_an_end_at_each_step(void **state)
{
    bool ended = true;

    for (unsigned step = 0; ended; step++) {
        if (step > 0)
            assert_int_equal(estate_end(state) | make(state), 0);
        assert_int_equal(quorate(adopt_line("policy.yaml")), 1);
        assert_int_equal(quorate(vote_line("approve", "ann", "ann", "")), 0);
        assert_int_equal(quorate(vote_line("approve", "bob", "bob", "")), 0);
        steps_left = step;
        log_step_hook = end_here;
        ended = quorate(adopt_line("policy.yaml")) == 99;
        log_step_hook = NULL;
        assert_int_equal(quorate(adopt_line("policy.yaml")), 0);
        says("in force");
        assert_int_equal(quorate("quorate log check"), 0);
        assert_true(ended || step > 4);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, make, estate_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_first_policy),     CASE(test_what_cannot_be_first), CASE(test_votes_refused_before_signing),
        CASE(test_rejections_close), CASE(test_later_policies),       CASE(test_an_end_at_each_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
