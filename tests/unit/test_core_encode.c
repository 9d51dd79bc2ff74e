#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/encode.h"
#include "core/fault.h"
#include "core/limits.h"

static void test_buf_grows_and_ends_with_nul(void **state)
{
    struct buf b = BUF(1000);

    (void)state;
    assert_string_equal(buf_str(&b), "");
    for (int i = 0; i < 100; i++)
        buf_putf(&b, "%d,", i % 10);
    assert_false(b.failed);
    assert_int_equal(b.len, 200);
    assert_int_equal(strlen(buf_str(&b)), 200);
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_string_equal(buf_str(&b), "");
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.max, 1000);
}

static void test_buf_bound_is_sticky(void **state)
{
    struct buf b = BUF(4);

    (void)state;
    buf_puts(&b, "1234");
    assert_false(b.failed);
    buf_puts(&b, "5");
    assert_true(b.failed);
    buf_puts(&b, "");
    assert_true(b.failed);
    assert_null(buf_take(&b));
    assert_string_equal(buf_str(&b), "1234");
    buf_clear(&b);
    assert_false(b.failed);
    buf_putf(&b, "%s", "12345");
    assert_true(b.failed);
    buf_free(&b);
}

static void test_buf_take(void **state)
{
    struct buf b = BUF(10);
    char *taken;

    (void)state;
    taken = buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
    buf_puts(&b, "ab");
    taken = buf_take(&b);
    assert_string_equal(taken, "ab");
    assert_null(b.data);
    free(taken);
}

static void test_span_equal(void **state)
{
    (void)state;
    assert_true(span_equal(span_of(NULL, 0), span_str("")));
    assert_false(span_equal(span_str("a"), span_str("")));
    assert_false(span_equal(span_str("a"), span_str("b")));
}

static void test_fault_texts(void **state)
{
    struct fault f = {0};
    char longer[2000];

    (void)state;
    assert_int_equal(fault_set(&f, E_REFUSED, "no %s", "way"), E_REFUSED);
    assert_int_equal(fault_context(&f, "site %d", 3), E_REFUSED);
    assert_string_equal(f.text, "site 3: no way");
    fault_set(&f, E_INVALID, "again: %s", f.text);
    assert_string_equal(f.text, "again: site 3: no way");
    fault_set(&f, E_INVALID,
              "a\x1b[2J\n\xff"
              "b");
    assert_string_equal(f.text, "a\xEF\xBF\xBD[2J\xEF\xBF\xBD\xEF\xBF\xBD"
                                "b");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    fault_set(&f, E_INVALID, "%s", longer);
    assert_int_equal(strlen(f.text), sizeof f.text - 1);
    fault_context(&f, "%s", longer);
    assert_int_equal(f.outcome, E_INVALID);
}

static void test_hex(void **state)
{
    struct fault f = {0};
    uint8_t out[3] = {9, 9, 9};
    struct buf b = BUF(10);

    (void)state;
    hex_put(&b, span_of("\x00\xab\xff", 3));
    assert_string_equal(buf_str(&b), "00abff");
    assert_int_equal(hex_parse("00abff", out, 3, &f), OK);
    assert_memory_equal(out, "\x00\xab\xff", 3);
    for (size_t i = 0; i < 6; i++) {
        static const char *const wrong[] = {"00ABff", "00abf", "00abff0", "00abfg", "", " 0abff"};
        out[0] = 9;
        assert_int_equal(hex_parse(wrong[i], out, 3, &f), E_INVALID);
        assert_int_equal(out[0], 9);
    }
    buf_clear(&b);
    assert_int_equal(hex_parse_buf("0aff", &b, &f), OK);
    assert_true(span_equal(buf_span(&b), span_of("\x0a\xff", 2)));
    assert_int_equal(hex_parse_buf("0", &b, &f), E_INVALID);
    assert_int_equal(hex_parse_buf("0x", &b, &f), E_INVALID);
    assert_int_equal(b.len, 2);
    assert_int_equal(hex_parse_buf("000000000000000000", &b, &f), E_MEMORY);
    buf_free(&b);
}

static void test_base64_known_answers(void **state)
{
    /* RFC 4648 section 10 */
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct buf b = BUF(100);
        struct fault f = {0};

        base64_put(&b, span_str(vectors[i][0]));
        assert_string_equal(buf_str(&b), vectors[i][1]);
        buf_clear(&b);
        assert_int_equal(base64_parse(span_str(vectors[i][1]), &b, &f), OK);
        assert_string_equal(buf_str(&b), vectors[i][0]);
        buf_free(&b);
    }
}

static void test_base64_strict(void **state)
{
    static const char *const wrong[] = {"Zh==", "Zm9=",  "Zg",   "Zg=",  "Zg==\n", " Zg==",    "Zg==Zg==", "Z===",
                                        "====", "Zm9v=", "Zm-_", "Z=g=", "Zm 9v",  "Zg==Zm9v", "=Zg="};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buf b = BUF(100);
        struct fault f = {0};

        assert_int_equal(base64_parse(span_str(wrong[i]), &b, &f), E_INVALID);
        assert_int_equal(b.len, 0);
        buf_free(&b);
    }
}

static void test_utf8(void **state)
{
    static const char *const good[] = {"", "abc", "caf\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x94\x91", "\xED\x9F\xBF"};
    static const char *const bad[] = {"a\nb",
                                      "\x7f",
                                      "\xC2\x85",
                                      "\xC0\x80",
                                      "\xE0\x80\x80",
                                      "\xED\xA0\x80",
                                      "\xF4\x90\x80\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\x80",
                                      "\xE2\x82",
                                      "\xFF"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(utf8_printable(span_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(utf8_printable(span_str(bad[i])));
    assert_false(utf8_printable(span_of("a\0b", 3)));
}

static void test_printable(void **state)
{
    struct buf b = BUF(100);

    (void)state;
    printable_put(&b, span_of("a\0\x1b[\xE2\x80\xA8\xC3", 8));
    assert_string_equal(buf_str(&b), "a\xEF\xBF\xBD\xEF\xBF\xBD[\xEF\xBF\xBD\xEF\xBF\xBD");
    buf_free(&b);
}

static void word_of(uint8_t byte, char ret[16])
{
    struct buf b = BUF(15);

    words_put(&b, span_of(&byte, 1));
    assert_false(b.failed);
    memcpy(ret, buf_str(&b), b.len + 1);
    buf_free(&b);
}

static void test_words_distinct(void **state)
{
    char words[256][16];

    (void)state;
    for (int i = 0; i < 256; i++) {
        size_t len;
        word_of((uint8_t)i, words[i]);
        len = strlen(words[i]);
        assert_in_range(len, 3, 7);
        assert_int_equal(strspn(words[i], "abcdefghijklmnopqrstuvwxyz"), len);
        for (int j = 0; j < i; j++) {
            if (strncmp(words[i], words[j], 4) == 0)
                fail_msg("%s and %s begin alike", words[i], words[j]);
        }
    }
}

static void test_words_fixed(void **state)
{
    struct buf b = BUF(100);

    (void)state;
    words_put(&b, span_of("\x00\x01\xff", 3));
    assert_string_equal(buf_str(&b), "acid actor zipper");
    buf_clear(&b);
    words_put(&b, span_of("", 0));
    assert_string_equal(buf_str(&b), "");
    buf_free(&b);
}

static void test_degrees(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"51.51", 51.51},
                {"-0.59", -0.59},
                {"0", 0},
                {"90", 90},
                {"-90.000", -90},
                {"089.5", 89.5},
                {"0.000000001", 0.000000001},
                {"1.00000000000000000000009", 1}};
    static const char *const bad[] = {"",    "-",     "+1",   ".5",         "1.",
                                      "1e1", " 1",    "1 ",   "1,5",        "0x10",
                                      "nan", "inf",   "--1",  "1.5.",       "90.000000000000000000001",
                                      "91",  "-90.1", "1000", "4294967296", "18446744073709551617"};
    double value = 0;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(degrees_parse(good[i].text, 90, &value));
        assert_true(value == good[i].value);
        assert_true(degrees_parse(good[i].text, 90, NULL));
    }
    value = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(degrees_parse(bad[i], 90, &value));
    assert_true(value == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_grows_and_ends_with_nul),
        cmocka_unit_test(test_buf_bound_is_sticky),
        cmocka_unit_test(test_buf_take),
        cmocka_unit_test(test_span_equal),
        cmocka_unit_test(test_fault_texts),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_base64_known_answers),
        cmocka_unit_test(test_base64_strict),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_printable),
        cmocka_unit_test(test_words_distinct),
        cmocka_unit_test(test_words_fixed),
        cmocka_unit_test(test_degrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
