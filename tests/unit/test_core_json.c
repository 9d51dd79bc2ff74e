#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/limits.h"

static enum outcome parse(const char *text, size_t len, struct fault *f)
{
    json_t *value = NULL;
    enum outcome o = json_parse_canonical(span_of(text, len), &value, f);

    if (o == OK)
        assert_non_null(value);
    else
        assert_null(value);
    json_decref(value);
    return o;
}

static void canonical_is(const char *source, const char *expected)
{
    json_t *value = json_loads(source, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    struct buf b = BUF(4096);
    struct fault f = {0};
    enum outcome o;

    assert_non_null(value);
    o = json_canonical(value, &b, &f);
    if (expected == NULL) {
        assert_int_equal(o, E_INVALID);
        assert_int_equal(b.len, 0);
    } else {
        assert_int_equal(o, OK);
        assert_string_equal(buf_str(&b), expected);
        assert_int_equal(parse(expected, strlen(expected), &f),
                         expected[0] == '{' || expected[0] == '[' ? OK : E_INVALID);
    }
    buf_free(&b);
    json_decref(value);
}

static void test_sorting(void **state)
{
    (void)state;
    canonical_is("{\"b\": 1, \"a\": [ ], \"aa\": {}}", "{\"a\":[],\"aa\":{},\"b\":1}");
    /* RFC 8785 section 3.2.3, its own example, with strings for values */
    canonical_is(
        "{\"\\u20ac\":\"Euro\",\"\\r\":\"CR\",\"\\ufb33\":\"Dalet\",\"1\":\"One\",\"\\ud83d\\ude00\":\"Smile\","
        "\"\\u0080\":\"Control\",\"\\u00f6\":\"o\"}",
        "{\"\\r\":\"CR\",\"1\":\"One\",\"\xC2\x80\":\"Control\",\"\xC3\xB6\":\"o\",\"\xE2\x82\xAC\":\"Euro\","
        "\"\xF0\x9F\x98\x80\":\"Smile\",\"\xEF\xAC\xB3\":\"Dalet\"}");
}

static void test_escapes(void **state)
{
    (void)state;
    canonical_is("[\"\\u0000\"]", NULL);
    canonical_is("[\"\\u001F\\u0001\\b\\t\\n\\f\\r\\\"\\\\\\/\\u007f\\u2028\"]",
                 "[\"\\u001f\\u0001\\b\\t\\n\\f\\r\\\"\\\\/\x7f\xE2\x80\xA8\"]");
}

static void test_numbers(void **state)
{
    (void)state;
    canonical_is("[0,-1,9007199254740991,-9007199254740991]", "[0,-1,9007199254740991,-9007199254740991]");
    canonical_is("[9007199254740992]", NULL);
    canonical_is("[-9007199254740992]", NULL);
    canonical_is("[1.5]", NULL);
    canonical_is("[1.0]", NULL);
}

static void test_narrowed_away(void **state)
{
    (void)state;
    canonical_is("[true]", NULL);
    canonical_is("[false]", NULL);
    canonical_is("{\"a\":null}", NULL);
}

static void test_failure_leaves_what_was_there(void **state)
{
    json_t *value = json_loads("{\"a\":1,\"b\":null}", 0, NULL);
    struct buf b = BUF(100);
    struct fault f = {0};

    (void)state;
    buf_puts(&b, "kept");
    assert_int_equal(json_canonical(value, &b, &f), E_INVALID);
    assert_string_equal(buf_str(&b), "kept");
    buf_free(&b);
    b = BUF(3);
    json_object_del(value, "b");
    assert_int_equal(json_canonical(value, &b, &f), E_MEMORY);
    buf_free(&b);
    json_decref(value);
}

static void test_parse_refuses_other_forms(void **state)
{
    static const char *const wrong[] = {"",
                                        " {}",
                                        "{} ",
                                        "{}\n",
                                        "{\"a\": 1}",
                                        "{\"b\":1,\"a\":2}",
                                        "{\"a\":01}",
                                        "{\"a\":-0}",
                                        "{\"a\":1.0}",
                                        "{\"a\":1e2}",
                                        "{\"a\":true}",
                                        "{\"a\":null}",
                                        "{\"a\":1",
                                        "{\"a\":1}}",
                                        "[1,]",
                                        "[\"\\u0041\"]",
                                        "[\"\\/\"]",
                                        "[\"\\u001F\"]",
                                        "[\"\\u0000\"]",
                                        "{\"a\":1,\"a\":1}",
                                        "\"a\"",
                                        "1",
                                        "[\"\xC3\"]",
                                        "\xEF\xBB\xBF{}",
                                        "[99999999999999999999]",
                                        "[9007199254740992]",
                                        "[1.5]",
                                        "[\"\xED\xA0\x80\"]"};
    struct fault f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        f.text[0] = '\0';
        if (parse(wrong[i], strlen(wrong[i]), &f) != E_INVALID)
            fail_msg("accepted: %s", wrong[i]);
        assert_true(f.text[0] != '\0');
    }
    assert_int_equal(parse("{}\0", 3, &f), E_INVALID);
    assert_int_equal(parse("{\"a\":[1,\"x\"]}", 13, &f), OK);
}

static void test_every_changed_byte_is_noticed(void **state)
{
    static const char text[] = "{\"list\":[1,22],\"name\":\"caf\xC3\xA9\",\"text\":\"a\\nb\"}";
    struct fault f = {0};

    (void)state;
    assert_int_equal(parse(text, sizeof text - 1, &f), OK);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        assert_int_equal(parse(text, i, &f), E_INVALID);
        for (unsigned bit = 0; bit < 8; bit++) {
            char changed[sizeof text];
            json_t *value = NULL;
            struct buf again = BUF(200);

            memcpy(changed, text, sizeof text);
            changed[i] = (char)(changed[i] ^ (1 << bit));
            if (json_parse_canonical(span_of(changed, sizeof text - 1), &value, &f) == OK) {
                assert_int_equal(json_canonical(value, &again, &f), OK);
                assert_true(span_equal(buf_span(&again), span_of(changed, sizeof text - 1)));
                json_decref(value);
            }
            buf_free(&again);
        }
    }
}

static void nested(unsigned depth, char *ret)
{
    memset(ret, '[', depth);
    memset(ret + depth, ']', depth);
    ret[2 * depth] = '\0';
}

static void test_depth(void **state)
{
    char text[200001];
    struct fault f = {0};

    (void)state;
    nested(LIMIT_YAML_DEPTH + 1, text); /* the outermost is depth 0 */
    assert_int_equal(parse(text, strlen(text), &f), OK);
    nested(LIMIT_YAML_DEPTH + 2, text);
    assert_int_equal(parse(text, strlen(text), &f), E_INVALID);
    nested(100000, text);
    assert_int_equal(parse(text, strlen(text), &f), E_INVALID);
}

static void test_want(void **state)
{
    json_t *o = json_object(), *list = NULL;
    const char *text = "old";
    struct digest d, e;
    int64_t n = 7;
    moment t = 7;
    struct fault f = {0};

    (void)state;
    assert_true(digest_one(&d, span_str("abc")));
    assert_true(json_put_string(o, "s", "x"));
    assert_true(json_put_integer(o, "n", -5));
    assert_true(json_put_digest(o, "d", &d));
    assert_true(json_put_moment(o, "t", 0));
    assert_true(json_put_bytes_hex(o, "h", span_of("\x01\xfe", 2)));
    assert_true(json_put(o, "l", json_array()));
    assert_false(json_put_string(o, "bad", "\xff"));
    assert_false(json_put_string(o, "bad", NULL));
    assert_false(json_put(NULL, "bad", json_array()));
    assert_int_equal(json_want_string(o, "s", &text, &f), OK);
    assert_string_equal(text, "x");
    assert_int_equal(json_want_string(o, "n", &text, &f), E_INVALID);
    assert_non_null(strstr(f.text, "\"n\""));
    assert_int_equal(json_want_string(o, "gone", &text, &f), E_INVALID);
    assert_string_equal(text, "x");
    assert_int_equal(json_want_integer(o, "n", &n, &f), OK);
    assert_int_equal(n, -5);
    assert_int_equal(json_want_digest(o, "d", &e, &f), OK);
    assert_true(digest_equal(&d, &e));
    assert_int_equal(json_want_digest(o, "s", &e, &f), E_INVALID);
    assert_int_equal(json_want_moment(o, "t", &t, &f), OK);
    assert_int_equal(t, 0);
    assert_int_equal(json_want_moment(o, "s", &t, &f), E_INVALID);
    assert_int_equal(json_want_array(o, "l", &list, &f), OK);
    assert_int_equal(json_want_object(o, "l", &list, &f), E_INVALID);
    assert_string_equal(json_string_or_null(o, "h"), "01fe");
    assert_null(json_string_or_null(o, "l"));
    assert_null(json_string_or_null(o, "gone"));
    json_decref(o);
}

static void test_members(void **state)
{
    json_t *o = json_pack("{s:i,s:i}", "a", 1, "bc", 2);
    struct fault f = {0};

    (void)state;
    assert_int_equal(json_members(o, "a bc", &f), OK);
    assert_int_equal(json_members(o, "a ?bc ?d", &f), OK);
    assert_int_equal(json_members(o, "a", &f), E_INVALID);
    assert_non_null(strstr(f.text, "\"bc\""));
    assert_int_equal(json_members(o, "a b bc", &f), E_INVALID);
    assert_int_equal(json_members(o, "a bc d", &f), E_INVALID);
    assert_non_null(strstr(f.text, "\"d\""));
    json_object_set_new(o, "", json_integer(1));
    assert_int_equal(json_members(o, "a bc", &f), E_INVALID);
    assert_int_equal(json_members(NULL, "a", &f), E_INVALID);
    json_decref(o);
}

static void test_digest_of_the_canonical_form(void **state)
{
    json_t *o = json_pack("{s:i,s:s}", "b", 1, "a", "x");
    struct digest d, e;
    struct fault f = {0};

    (void)state;
    assert_int_equal(json_digest(o, &d, &f), OK);
    assert_true(digest_one(&e, span_str("{\"a\":\"x\",\"b\":1}")));
    assert_true(digest_equal(&d, &e));
    json_decref(o);
}

static enum outcome parse_many(const char *unit, size_t count, bool own, struct fault *f)
{
    struct buf b = BUF(8u * LIMIT_YAML_NODES);
    json_t *value = NULL;
    enum outcome o;

    buf_puts(&b, "[");
    for (size_t i = 0; i < count; i++) {
        buf_puts(&b, i > 0 ? "," : "");
        buf_puts(&b, unit);
    }
    buf_puts(&b, "]");
    assert_false(b.failed);
    o = own ? json_parse_own(buf_span(&b), &value, f) : json_parse_canonical(buf_span(&b), &value, f);
    assert_true((value != NULL) == (o == OK));
    json_decref(value);
    buf_free(&b);
    return o;
}

/* What is short on a wire may be long in memory. */
static void test_values(void **state)
{
    struct fault f;

    (void)state;
    assert_int_equal(parse_many("{}", LIMIT_YAML_NODES / 2 - 1, false, &f), OK);
    assert_int_equal(parse_many("{}", LIMIT_YAML_NODES / 2 + 1, false, &f), E_MEMORY);
    assert_int_equal(parse_many("1", LIMIT_YAML_NODES - 1, false, &f), OK);
    assert_int_equal(parse_many("1", LIMIT_YAML_NODES + 1, false, &f), E_MEMORY);
    assert_int_equal(parse_many("1", LIMIT_YAML_NODES + 1, true, &f), OK);
    assert_int_equal(parse_many("\"[,,\\\"{\"", LIMIT_YAML_NODES / 2, false, &f), OK); /* in strings nothing counts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_narrowed_away),
        cmocka_unit_test(test_failure_leaves_what_was_there),
        cmocka_unit_test(test_parse_refuses_other_forms),
        cmocka_unit_test(test_every_changed_byte_is_noticed),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_want),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_digest_of_the_canonical_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
