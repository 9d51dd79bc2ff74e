#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/digest.h"
#include "core/moment.h"

static void test_format_and_parse(void **state)
{
    static const struct {
        moment t;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00Z"},
                {951782400, "2000-02-29T00:00:00Z"},
                {1795352580, "2026-11-22T13:03:00Z"},
                {-1, "1969-12-31T23:59:59Z"},
                {253402300799, "9999-12-31T23:59:59Z"},
                {4107542399, "2100-02-28T23:59:59Z"},
                {-62135596800, "0001-01-01T00:00:00Z"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fault f = {0};
        moment t = 1;

        assert_string_equal(moment_format(rows[i].t).text, rows[i].text);
        assert_int_equal(moment_parse(rows[i].text, &t, &f), OK);
        assert_true(t == rows[i].t);
    }
    assert_string_equal(moment_format(MOMENT_NEVER).text, "never");
}

static void test_every_day_there_and_back(void **state)
{
    struct fault f = {0};

    (void)state;
    for (moment t = -86400 * 1000; t < (moment)86400 * 100000; t += 86399) {
        moment back = 0;
        assert_int_equal(moment_parse(moment_format(t).text, &back, &f), OK);
        assert_true(back == t);
    }
}

static void test_parse_is_strict(void **state)
{
    static const char *const wrong[] = {"",
                                        "2026-11-22",
                                        "2026-11-22T13:03:00",
                                        "2026-11-22T13:03:00z",
                                        "2026-11-22 13:03:00Z",
                                        "2026-11-22T13:03:00+00:00",
                                        "2026-02-29T00:00:00Z",
                                        "2026-13-01T00:00:00Z",
                                        "2026-00-01T00:00:00Z",
                                        "2026-01-00T00:00:00Z",
                                        "2026-01-01T24:00:00Z",
                                        "2026-01-01T00:60:00Z",
                                        "2026-01-01T23:59:60Z",
                                        "0000-01-01T00:00:00Z",
                                        "2026-01-01T00:00:00Z ",
                                        "2026-1-01T00:00:00ZZ",
                                        "+026-01-01T00:00:00Z",
                                        "never"};
    struct fault f = {0};
    moment t = 5;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(moment_parse(wrong[i], &t, &f), E_INVALID);
    assert_true(t == 5);
    assert_int_equal(moment_parse_loose("1970-01-02", &t, &f), OK);
    assert_true(t == 86400);
    assert_int_equal(moment_parse_loose("1970-01-02T00:00:01Z", &t, &f), OK);
    assert_true(t == 86401);
    assert_int_equal(moment_parse_loose("1970-02-30", &t, &f), E_INVALID);
    assert_int_equal(moment_parse_loose("1970-02-3", &t, &f), E_INVALID);
    assert_true(t == 86401);
}

static void duration_is(const char *text, int64_t seconds, int months)
{
    struct span_of_time d = {0};
    struct fault f = {0};

    assert_int_equal(duration_parse(text, &d, &f), OK);
    assert_true(d.seconds == seconds);
    assert_int_equal(d.months, months);
}

static void test_durations(void **state)
{
    static const char *const wrong[] = {
        "",        "15",      "minutes",   "0 minutes", "-1 day", "1  day",       "1 days ", "1 fortnight",
        "01 days", "1 dayss", "1.5 hours", " 1 day",    "1 Day",  "1000000 days", "1 s",     "9999999999999 days"};
    struct span_of_time d = {.seconds = 3};
    struct fault f = {0};

    (void)state;
    duration_is("1 second", 1, 0);
    duration_is("15 minutes", 900, 0);
    duration_is("24 hours", 86400, 0);
    duration_is("7 days", 604800, 0);
    duration_is("2 weeks", 1209600, 0);
    duration_is("24 months", 0, 24);
    duration_is("10 years", 0, 120);
    duration_is("999999 years", 0, 11999988);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (duration_parse(wrong[i], &d, &f) != E_INVALID)
            fail_msg("accepted: %s", wrong[i]);
    }
    assert_true(d.seconds == 3);
}

static void added_is(const char *from, const char *length, const char *to)
{
    struct span_of_time d = {0};
    struct fault f = {0};
    moment t = 0;

    assert_int_equal(moment_parse_loose(from, &t, &f), OK);
    assert_int_equal(duration_parse(length, &d, &f), OK);
    assert_string_equal(moment_format(moment_add(t, d)).text, to);
}

static void test_adding(void **state)
{
    (void)state;
    added_is("2026-01-31", "1 month", "2026-02-28T00:00:00Z");
    added_is("2028-01-31T10:00:00Z", "1 month", "2028-02-29T10:00:00Z");
    added_is("2026-11-22", "24 months", "2028-11-22T00:00:00Z");
    added_is("2028-02-29", "1 year", "2029-02-28T00:00:00Z");
    added_is("2026-12-31T23:59:59Z", "1 second", "2027-01-01T00:00:00Z");
    added_is("1960-03-31", "11 months", "1961-02-28T00:00:00Z");
    added_is("2026-01-01", "999999 years", "never");
    added_is("9999-12-31", "2 days", "never");
    assert_true(moment_add(MOMENT_NEVER, (struct span_of_time){.seconds = 1}) == MOMENT_NEVER);
    assert_true(moment_add(5, (struct span_of_time){0}) == 5);
}

static void test_sha256(void **state)
{
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; /* FIPS 180-4 */
    static const char none[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct digest d, e;

    (void)state;
    assert_true(digest_one(&d, span_str("abc")));
    assert_string_equal(digest_hex(&d).hex, abc);
    assert_true(digest_of(&e, 3, span_str("a"), span_of(NULL, 0), span_str("bc")));
    assert_true(digest_equal(&d, &e));
    assert_true(digest_of(&e, 0));
    assert_string_equal(digest_hex(&e).hex, none);
    assert_false(digest_equal(&d, &e));
}

static void test_digest_texts(void **state)
{
    static const char *const wrong[] = {"",
                                        "sha256:",
                                        "BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
                                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
                                        "SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"};
    static const char right[] = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct fault f = {0};
    struct digest d = {{1}}, e = d;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(digest_parse(wrong[i], &d, &f), E_INVALID);
        assert_int_equal(digest_parse_prefixed(wrong[i], &d, &f), E_INVALID);
    }
    assert_int_equal(digest_parse(right, &d, &f), E_INVALID);
    assert_int_equal(digest_parse_prefixed(right + 7, &d, &f), E_INVALID);
    assert_true(digest_equal(&d, &e));
    assert_int_equal(digest_parse_prefixed(right, &d, &f), OK);
    assert_string_equal(digest_hex(&d).hex, right + 7);
}

static void test_random(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    (void)state;
    assert_true(random_bytes(a, sizeof a));
    assert_true(random_bytes(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_ptr_equal(crypto_context(), crypto_context());
    assert_non_null(crypto_context());
}

static void durations_read_as_people_write_them(void **state)
{
    (void)state;
    assert_string_equal(duration_format(900).text, "15 minutes");
    assert_string_equal(duration_format(3600).text, "1 hour");
    assert_string_equal(duration_format(90).text, "90 seconds");
    assert_string_equal(duration_format(172800).text, "2 days");
    assert_string_equal(duration_format(1).text, "1 second");
    assert_string_equal(duration_format(0).text, "0 seconds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_read_as_people_write_them),
        cmocka_unit_test(test_format_and_parse),
        cmocka_unit_test(test_every_day_there_and_back),
        cmocka_unit_test(test_parse_is_strict),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_adding),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_digest_texts),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
