#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ceremony/columns.h"
#include "ceremony/print.h"

/* Lines that are wider than a terminal. */

static void folds(const char *text, size_t columns, const char *wanted)
{
    struct buf b = BUF(OUTPUT_MAX);

    columns_fold(span_str(text), columns, &b);
    assert_string_equal(buf_str(&b), wanted);
    buf_free(&b);
}

static void what_fits_stays(void **state)
{
    (void)state;
    folds("", 40, "");
    folds("\n\n", 40, "\n\n");
    folds("just as wide as it may be", 25, "just as wide as it may be");
    folds("one\ntwo  three\n", 40, "one\ntwo  three\n");
    folds("  trailing blanks   ", 40, "  trailing blanks   ");
}

static void broken_at_blanks(void **state)
{
    (void)state;
    folds("a line without any cells goes on a little to the right\nnext", 20,
          "a line without any\n    cells goes on a\n    little to the\n    right\nnext");
    folds("  indented by two, and what follows by two more steps", 24,
          "  indented by two, and\n      what follows by\n      two more steps");
    /* The last cell that begins in the first half; those to the right of it are words like others. */
    folds("  name      what it is, in words\n", 24, "  name      what it is,\n            in words\n");
    folds("  name  a  one two three four five  six", 24,
          "  name  a  one two three\n           four five\n           six");
}

/* A digest is copied with the mouse: it is neither broken nor moved for nothing. */
static void long_words_stay_whole(void **state)
{
    (void)state;
    folds("  digest    0123456789abcdef0123456789abcdef", 24, "  digest    0123456789abcdef0123456789abcdef");
    folds("0123456789abcdef0123456789abcdef and more", 20, "0123456789abcdef0123456789abcdef\n    and more");
    folds("see 0123456789abcdef0123456789abcdef and more", 20, "see 0123456789abcdef0123456789abcdef\n    and more");
}

/* Columns are counted, not bytes; what sets a colour has none. */
static void characters_and_colours(void **state)
{
    (void)state;
    assert_int_equal(columns_count(span_str("\033[1m\xC3\xA9t\xC3\xA9\033[0m")), 3);
    assert_int_equal(columns_count(span_str("\033[1")), 0);
    folds("\033[32m\xC3\xA9\xC3\xA9\xC3\xA9 \xC3\xA9\xC3\xA9\xC3\xA9\033[0m", 7,
          "\033[32m\xC3\xA9\xC3\xA9\xC3\xA9 \xC3\xA9\xC3\xA9\xC3\xA9\033[0m");
    folds("  \033[2mname\033[0m      what it is, in words", 24,
          "  \033[2mname\033[0m      what it is,\n            in words");
}

static void prose_is_joined(void **state)
{
    struct buf b = BUF(OUTPUT_MAX);

    (void)state;
    columns_prose("One paragraph,\nwhose lines were\nbroken elsewhere.", 20, &b);
    assert_string_equal(buf_str(&b), "One paragraph, whose\nlines were broken\nelsewhere.\n");
    buf_free(&b);
}

/* What print_out and print_exact write to a terminal of 40 columns. */
static void on_a_terminal(void **state)
{
    static const char text[] = "  name      so much that it does not fit there";
    struct winsize size = {.ws_row = 24, .ws_col = 40};
    char seen[256] = "";
    struct buf b = BUF(OUTPUT_MAX);
    struct fault f = {OK, ""};
    int host = -1, terminal = -1, kept = dup(STDOUT_FILENO);

    (void)state;
    buf_puts(&b, text);
    assert_int_equal(openpty(&host, &terminal, NULL, NULL, &size), 0);
    assert_int_equal(columns_of(terminal), 40);
    assert_int_equal(columns_of(open("/dev/null", O_RDONLY | O_CLOEXEC)), 0);
    fflush(stdout);
    assert_true(dup2(terminal, STDOUT_FILENO) >= 0);
    enum outcome folded = print_out(&b, &f), exact = print_exact(&b, &f);
    dup2(kept, STDOUT_FILENO);
    assert_int_equal(folded, OK);
    assert_int_equal(exact, OK);
    size_t len = strlen("  name      so much that it does not fit\r\n            there") + sizeof text - 1, at = 0;
    while (at < len) {
        ssize_t n = read(host, seen + at, sizeof seen - 1 - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    assert_string_equal(seen, "  name      so much that it does not fit\r\n            there"
                              "  name      so much that it does not fit there");
    close(kept);
    close(host);
    close(terminal);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_stays),       cmocka_unit_test(broken_at_blanks),
        cmocka_unit_test(long_words_stay_whole), cmocka_unit_test(characters_and_colours),
        cmocka_unit_test(prose_is_joined),       cmocka_unit_test(on_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
