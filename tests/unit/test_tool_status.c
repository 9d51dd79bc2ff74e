#include "tests/unit/tool_fixture.h"

/* The exit status of every command: 0 holds, 1 does not hold, 2 usage or environment. */

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static int begin(void **state)
{
    int rc = make(state);

    if (rc == 0)
        adopt("policy.yaml");
    return rc;
}

/* Neither bindings nor any file that is named: nothing was judged, so nothing can fail to hold. */
static void test_nothing_is_there(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        char line[512];
        int len = snprintf(line, sizeof line, "quorate %s --bindings %s", c->name, in("missing/bindings.yaml"));

        for (unsigned i = 0; i < c->min; i++)
            len += snprintf(line + len, sizeof line - (size_t)len, " %s", in("missing/file"));
        if (!c->run)
            continue;
        if (quorate(line) != 2)
            fail_msg("%s: ended otherwise than with 2", line);
        says("quorate: ");
        snprintf(line, sizeof line, "quorate %s --no-such-option", c->name);
        if (quorate(line) != 2)
            fail_msg("%s: ended otherwise than with 2", line);
        says("--no-such-option");
        snprintf(line, sizeof line, "quorate %s --help", c->name);
        if (quorate(line) != 0)
            fail_msg("%s: ended otherwise than with 0", line);
    }
}

struct row {
    const char *line; /* after "quorate "; %s is the folder of this test */
    int status;
    const char *text;
};

static void rows_hold(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf line = BUF(1024);

        buf_puts(&line, "quorate ");
        for (const char *at = rows[i].line, *next; at; at = next) {
            next = strstr(at, "%s");
            buf_put(&line, at, next ? (size_t)(next - at) : strlen(at));
            buf_puts(&line, next ? scratch : "");
            next = next ? next + 2 : NULL;
        }
        int status = quorate(buf_str(&line));

        says(rows[i].text);
        if (status != rows[i].status)
            fail_msg("%s: ended with %d instead of %d", buf_str(&line), status, rows[i].status);
        buf_free(&line);
    }
}

static void test_an_estate_is_there(void **state)
{
    static const struct row rows[] = {
        {"status --offline", 0, "in force"},
        {"log check", 0, "holds"},
        {"log show", 0, "genesis"},
        {"log show --type nonsense", 2, "no such type"},
        {"log show --from x", 2, "expected an entry's number"},
        {"log prove 0", 0, "c2sp.org/tlog-proof"},
        {"log prove 9999999", 2, "9999999"},
        {"log prove x", 2, "expected an entry's number"},
        {"policy check %s/policy.yaml", 0, ""},
        {"policy check %s/none.yaml", 2, "none.yaml"},
        {"request show " ZEROS, 2, "no request"},
        {"request export " ZEROS " --to %s/out", 2, "no request"},
        {"approve " ZEROS " --as ann --key %s/ann.key --yes", 2, "no request"},
        {"reject " ZEROS " --as ann --key %s/ann.key --reason r", 2, "no request"},
        {"resume estate", 1, "not suspended"},
        {"transcript nobody-1 %s/out", 1, "not closed"},
        {"init --environment test", 1, ""},
    };

    (void)state;
    rows_hold(rows, sizeof rows / sizeof *rows);
}

/* A transcript that is no folder was not verified; one that is empty does not hold. */
static void test_a_transcript_that_is_none(void **state)
{
#define TRUST " --trust tests/golden/1/trust.yaml"
    static const struct row rows[] = {
        {"verify %s/none" TRUST, 2, "none"},
        {"verify %s/policy.yaml" TRUST, 2, "is no folder"},
        {"verify %s/empty" TRUST, 1, "does NOT hold"},
        {"verify tests/golden/1/transcript" TRUST, 0, "The transcript holds."},
        {"verify tests/golden/1/transcript --trust %s/none.yaml", 2, "none.yaml"},
        {"verify tests/golden/1/transcript" TRUST " --rehearsal %s/none --rehearsal-trust tests/golden/1/trust.yaml", 2,
         "none"},
    };

    (void)state;
    assert_int_equal(mkdir(in("empty"), 0700), 0);
    rows_hold(rows, sizeof rows / sizeof *rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_there, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_an_estate_is_there, begin, estate_end),
        cmocka_unit_test_setup_teardown(test_a_transcript_that_is_none, begin, estate_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
