#include "tests/unit/tool_fixture.h"

/* Approvals of people who cannot reach the home: a request goes out, an approval comes back, nothing on the way counts. */

static int begin(void **state)
{
    int rc = make(state);

    if (rc == 0)
        adopt("policy.yaml");
    if (rc == 0 && quorate("quorate suspend token:root --reason away") != 1)
        rc = -1;
    return rc;
}

static const char *words(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *words(const char *format, ...)
{
    static char line[1024];
    va_list list;

    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    return line;
}

static const char *export_line(const char *folder)
{
    return words("quorate request export %.12s --to %s/%s", waiting(), scratch, folder);
}

/* The person's own machine: no bindings, no home. */
static const char *file_line(const char *folder, const char *person, const char *key)
{
    return words("quorate approve --file %s/%s/request.json --as %s --key %s/%s.key --bindings /nowhere --yes", scratch,
                 folder, person, scratch, key);
}

static const char *import_line(const char *folder, const char *person, const char *as)
{
    return words("quorate approve %.12s --as %s --import %s/%s/%s.p7s", waiting(), as, scratch, folder, person);
}

static void test_out_and_back(void **state)
{
    (void)state;
    assert_int_equal(quorate(export_line("out")), 0);
    says("approve --file");
    assert_int_equal(quorate(export_line("out")), 2); /* nothing there is replaced */
    says("is not empty");
    assert_int_equal(quorate(file_line("out", "ann", "ann")), 0);
    says("has signed request");
    says("--import");
    assert_int_equal(quorate(file_line("out", "bob", "bob")), 0);
    assert_int_equal(quorate("quorate suspend token:root --reason away"), 1);
    assert_int_equal(quorate(import_line("out", "ann", "ann")), 0);
    assert_int_equal(quorate(import_line("out", "ann", "ann")), 1);
    says("approved request");
    assert_int_equal(quorate("quorate suspend token:root --reason away"), 1);
    assert_int_equal(quorate(import_line("out", "bob", "bob")), 0);
    assert_int_equal(quorate("quorate suspend token:root --reason away"), 0);
    says("suspended");
}

static void test_what_comes_back_wrong(void **state)
{
    (void)state;
    assert_int_equal(quorate(export_line("out")), 0);
    assert_int_equal(quorate(file_line("out", "bob", "ann")), 1);
    says("bob"); /* the key is not that of the certificate */
    assert_int_equal(quorate(file_line("out", "../bob", "bob")), 2);
    assert_int_equal(quorate(file_line("out", "ann", "ann")), 0);
    assert_int_equal(quorate(import_line("out", "ann", "bob")), 1);
    assert_int_not_equal(quorate(import_line("out", "bob", "bob")), 0); /* bob never signed */
    assert_int_equal(quorate("quorate suspend token:root --reason away"), 1);
    says("0 of 2");
}

/* One bit of the request that people get to see: what they sign is then another request. */
static void test_a_request_altered_on_the_way(void **state)
{
    struct buf bytes = BUF(1u << 20);
    struct fault f = {OK, ""};
    char path[300], *reason = NULL;

    (void)state;
    assert_int_equal(quorate(export_line("out")), 0);
    snprintf(path, sizeof path, "%s/out/request.json", scratch);
    assert_int_equal(file_read(path, false, &bytes, &f), OK);
    reason = memmem(bytes.data, bytes.len, "away", 4);
    assert_non_null(reason);
    reason[0] ^= 1;
    assert_int_equal(file_replace(path, buf_span(&bytes), 0600, &f), OK);
    assert_int_equal(quorate(file_line("out", "ann", "ann")), 0);
    assert_int_equal(quorate(import_line("out", "ann", "ann")), 1);
    bytes.data[0] ^= 1;
    assert_int_equal(file_replace(path, buf_span(&bytes), 0600, &f), OK);
    assert_int_not_equal(quorate(file_line("out", "bob", "bob")), 0);
    assert_int_equal(quorate("quorate suspend token:root --reason away"), 1);
    says("0 of 2");
    buf_free(&bytes);
}

static const char *reject_line(const char *person)
{
    return words(
        "quorate reject --file %s/out/request.json --as %s --key %s/%s.key --reason no-need --bindings /nowhere --yes",
        scratch, person, scratch, person);
}

static const char *rejected_line(const char *person, const char *as, const char *suffix)
{
    return words("quorate reject %.12s --as %s --import %s/out/%s.%s", waiting(), as, scratch, person, suffix);
}

static void test_a_rejection_comes_back(void **state)
{
    (void)state;
    assert_int_equal(quorate(export_line("out")), 0);
    assert_int_equal(quorate(file_line("out", "ann", "ann")), 0);
    assert_int_equal(quorate(reject_line("bob")), 0);
    says("has signed the rejection of request");
    says("quorate reject");
    assert_int_equal(quorate(reject_line("bob")), 1); /* nothing there is replaced */
    /* An approval is no rejection, nor is one person's that of another. */
    assert_int_equal(quorate(rejected_line("ann", "ann", "p7s")), 2);
    assert_int_equal(quorate(rejected_line("bob", "bob", "reject.json")), 2);
    says("PERSON.reject.p7s");
    assert_int_equal(quorate(rejected_line("bob", "ann", "reject.p7s")), 1);
    assert_int_not_equal(
        quorate(words("quorate approve %.12s --as bob --import %s/out/bob.reject.p7s", waiting(), scratch)), 0);
    waiting();
    assert_int_equal(estate_at_hand->state.requests[estate_at_hand->state.request_count - 1].vote_count, 0);
    assert_int_equal(quorate(rejected_line("bob", "bob", "reject.p7s")), 0);
    says("bob has rejected request");
    assert_int_equal(quorate("quorate suspend token:root --reason away"), 1); /* asks anew: that one is closed */
    assert_int_equal(quorate(words("quorate log show --type rejection")), 0);
    says("no-need");
}

/* Another reason than the one that was signed. */
static void test_a_rejection_altered_on_the_way(void **state)
{
    struct buf bytes = BUF(1u << 20);
    struct fault f = {OK, ""};
    char path[300], *reason = NULL;

    (void)state;
    assert_int_equal(quorate(export_line("out")), 0);
    assert_int_equal(quorate(reject_line("bob")), 0);
    snprintf(path, sizeof path, "%s/out/bob.reject.json", scratch);
    assert_int_equal(file_read(path, false, &bytes, &f), OK);
    reason = memmem(bytes.data, bytes.len, "no-need", 7);
    assert_non_null(reason);
    reason[0] ^= 1;
    assert_int_equal(file_replace(path, buf_span(&bytes), 0600, &f), OK);
    assert_int_equal(quorate(rejected_line("bob", "bob", "reject.p7s")), 1);
    buf_free(&bytes);
}

static void test_options_that_do_not_go_together(void **state)
{
    (void)state;
    assert_int_equal(quorate("quorate approve --as ann"), 2);
    says("ID or --file");
    assert_int_equal(quorate("quorate approve abc --file x --as ann"), 2);
    assert_int_equal(quorate("quorate approve abc --import x --as ann --key k"), 2);
    says("without --key");
    assert_int_equal(quorate("quorate reject --as ann --reason no"), 2);
    says("ID or --file");
    assert_int_equal(quorate("quorate reject abc --import x --as ann --reason no"), 2);
    says("without --reason");
    assert_int_equal(quorate("quorate reject --file x --as ann --key k"), 2);
    says("reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_out_and_back, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_what_comes_back_wrong, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_a_request_altered_on_the_way, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_a_rejection_comes_back, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_a_rejection_altered_on_the_way, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_options_that_do_not_go_together, begin, estate_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
