#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "ceremony/describe.h"
#include "ceremony/summary.h"

/* Entries in one line, text for terminals. */

#define REQUEST "4d377b8d04c35b7c25b83b3c5d8e83bae08034c93b6aa04f9bf6f2b0e18de384"

static void sums(enum entry_type type, const char *json, const char *want)
{
    json_t *body = json_loads(json, 0, NULL);
    struct buf b = BUF(OUTPUT_MAX);

    assert_non_null(body);
    summary_put(&b, type, body);
    assert_false(b.failed);
    assert_string_equal(buf_str(&b), want);
    buf_free(&b);
    json_decref(body);
}

static void test_entries(void **state)
{
    (void)state;
    sums(ENTRY_APPROVAL, "{\"person\":\"authority-1\",\"request\":\"" REQUEST "\",\"signature\":\"" REQUEST "\"}",
         "authority-1 request 4d377b8d04c3");
    sums(ENTRY_REJECTION, "{\"person\":\"authority-1\",\"reason\":\"not this week\",\"request\":\"" REQUEST "\"}",
         "authority-1 reason not this week request 4d377b8d04c3");
    sums(ENTRY_REQUEST,
         "{\"label\":\"app-1\",\"operation\":\"generate\",\"request\":\"" REQUEST "\",\"token\":\"root\"}",
         "generate \"app-1\" root request 4d377b8d04c3");
    sums(ENTRY_REFUSED, "{\"findings\":[\"no rule allows it\",\"more\"],\"operation\":\"generate\"}",
         "generate: no rule allows it");
    sums(ENTRY_POLICY, "{\"digest\":\"" REQUEST "\",\"version\":2}", "version 2 digest 4d377b8d04c3");
    sums(ENTRY_RECEIPT, "{\"intent\":12,\"site\":\"cardiff\"}", "cardiff intent 12");
    sums(ENTRY_ARRIVED, "{\"latitude\":\"55.86\",\"longitude\":\"-4.25\",\"site\":\"glasgow\",\"token\":\"root\"}",
         "root glasgow at 55.86 -4.25");
    sums(ENTRY_RECOVERED, "{\"bytes\":9}", "bytes 9");
    sums(ENTRY_STEP, "{}", "");
}

static void test_a_label_cannot_move_the_cursor(void **state)
{
    (void)state;
    sums(ENTRY_BORN, "{\"label\":\"a\\u001b[2Jb\"}", "\"a\xEF\xBF\xBD[2Jb\"");
}

static void test_headline(void **state)
{
    struct buf b = BUF(OUTPUT_MAX);

    (void)state;
    headline_put(&b, "generate", "EC:P-384", "app-1", "root");
    assert_string_equal(buf_str(&b), "generate EC:P-384 \"app-1\" on root");
    buf_clear(&b);
    headline_put(&b, "adopt-policy", "", NULL, NULL);
    assert_string_equal(buf_str(&b), "adopt-policy");
    buf_free(&b);
}

static void test_states(void **state)
{
    struct state_request r = {.state = REQUEST_PENDING, .expires = 100};
    struct verdict pending = {.decision = DECISION_PENDING}, allow = {.decision = DECISION_ALLOW},
                   deny = {.decision = DECISION_DENY};

    (void)state;
    assert_string_equal(request_word(&r, 99), "pending");
    assert_string_equal(request_word(&r, 100), "expired");
    assert_int_equal(request_holds(&r, &pending), E_PENDING);
    assert_int_equal(request_holds(&r, &allow), OK);
    assert_int_equal(request_holds(&r, &deny), E_REFUSED);
    assert_int_equal(request_holds(NULL, NULL), E_REFUSED);
    assert_false(request_closed(&r));
    r.state = REQUEST_REJECTED;
    assert_true(request_closed(&r));
    assert_string_equal(request_word(&r, 0), "rejected");
    assert_int_equal(request_holds(&r, NULL), E_REFUSED);
    r.state = REQUEST_SPENT;
    assert_int_equal(request_holds(&r, NULL), OK);
    r.state = REQUEST_VOID;
    assert_string_equal(request_word(&r, 0), "void");
    assert_int_equal(request_holds(&r, NULL), E_REFUSED);
}

/* No terminal here: no colour, cells padded by characters, not by bytes. */
static void test_columns(void **state)
{
    struct buf b = BUF(OUTPUT_MAX);

    (void)state;
    print_cell(&b, TONE_GOOD, "\xC3\xA9t\xC3\xA9", 5);
    print_cell(&b, TONE_PLAIN, NULL, 3);
    assert_string_equal(buf_str(&b), "\xC3\xA9t\xC3\xA9    -    ");
    buf_clear(&b);
    print_field(&b, "name", "%s", "two\nlines");
    assert_string_equal(buf_str(&b), "  name              two\xEF\xBF\xBDlines\n");
    buf_free(&b);
}

static void test_words(void **state)
{
    struct digest d = {{0}};
    struct buf b = BUF(OUTPUT_MAX);
    size_t lines = 0, words = 0;

    (void)state;
    d.bytes[31] = 1;
    print_words(&b, &d);
    for (const char *p = buf_str(&b); *p; p++) {
        lines += *p == '\n';
        words += *p != ' ' && *p != '\n' && (p[1] == ' ' || p[1] == '\n');
    }
    assert_int_equal(lines, 8);
    assert_int_equal(words, 32);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),  cmocka_unit_test(test_a_label_cannot_move_the_cursor),
        cmocka_unit_test(test_headline), cmocka_unit_test(test_states),
        cmocka_unit_test(test_columns),  cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
