#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/limits.h"
#include "core/yaml.h"

static struct yaml *good(const char *text)
{
    struct yaml *root = NULL;
    struct fault f = {0};

    if (yaml_parse("p.yaml", span_str(text), &root, &f) != OK)
        fail_msg("%s", f.text);
    return root;
}

/* The fault must be exactly this. */
static void bad_bytes(const void *text, size_t len, const char *expected)
{
    struct yaml *root = NULL;
    struct fault f = {0};

    assert_int_equal(yaml_parse("p.yaml", span_of(text, len), &root, &f), E_INVALID);
    assert_null(root);
    if (strncmp(f.text, expected, strlen(expected)) != 0)
        fail_msg("\"%s\" instead of \"%s\"", f.text, expected);
}

static void bad(const char *text, const char *expected)
{
    bad_bytes(text, strlen(text), expected);
}

static void test_tree_and_positions(void **state)
{
    struct yaml *root = good("# comment\nname: smki\nlist:\n  - one\n  - {a: 1, b: \"two\\n\"}\nempty:\n");
    const struct yaml *list = yaml_get(root, "list");

    (void)state;
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->count, 3);
    assert_string_equal(root->keys[0]->scalar, "name");
    assert_string_equal(yaml_get(root, "name")->scalar, "smki");
    assert_int_equal(yaml_get(root, "name")->line, 2);
    assert_int_equal(yaml_get(root, "name")->column, 7);
    assert_string_equal(yaml_get(root, "name")->name, "p.yaml");
    assert_int_equal(list->kind, YAML_LIST);
    assert_int_equal(list->count, 2);
    assert_int_equal(list->items[0]->line, 4);
    assert_int_equal(list->items[0]->column, 5);
    assert_string_equal(yaml_get(list->items[1], "b")->scalar, "two\n");
    assert_string_equal(yaml_get(root, "empty")->scalar, "");
    assert_int_equal(yaml_get(root, "empty")->line, 6);
    assert_null(yaml_get(root, "gone"));
    assert_null(yaml_get(list, "name"));
    yaml_free(root);
    yaml_free(NULL);
}

static void test_styles(void **state)
{
    struct yaml *root =
        good("---\na: 'it''s'\nb: |\n  x\n  y\nc: >-\n  x\n  y\nd: a b\n  c\n\"e\": 0x10\n? f\n: g\n...\n");

    (void)state;
    assert_string_equal(yaml_get(root, "a")->scalar, "it's");
    assert_string_equal(yaml_get(root, "b")->scalar, "x\ny\n");
    assert_string_equal(yaml_get(root, "c")->scalar, "x y");
    assert_string_equal(yaml_get(root, "d")->scalar, "a b c");
    assert_string_equal(yaml_get(root, "e")->scalar, "0x10");
    assert_string_equal(yaml_get(root, "f")->scalar, "g");
    yaml_free(root);
}

static void test_forbidden_yaml(void **state)
{
    (void)state;
    bad("a: &x 1\n", "p.yaml:1:7: an anchor");
    bad("a: 1\nb: *x\n", "p.yaml:2:5: an alias");
    bad("a: &x {b: 1}\n", "p.yaml:1:7: an anchor");
    bad("a: !!int 1\n", "p.yaml:1:10: a tag");
    bad("--- !foo\na: 1\n", "p.yaml:2:1: a tag");
    bad("a: ! x\n", "p.yaml:1:6: a tag");
    bad("a: 1\n<<: {b: 2}\n", "p.yaml:2:1: a merge key");
    bad("a: 1\n\"<<\": {b: 2}\n", "p.yaml:2:1: a merge key");
    bad("a: 1\n---\nb: 2\n", "p.yaml:2:1: a second document");
    bad("a: 1\n---\n", "p.yaml:2:1: a second document");
    bad("%YAML 1.2\n---\na: 1\n", "p.yaml:2:1: a directive");
    bad("%TAG ! tag:x,2000:\n---\na: 1\n", "p.yaml:2:1: a directive");
    bad("? [a, b]\n: 1\n", "p.yaml:1:3: a key must be plain text");
    bad("? {a: b}\n: 1\n", "p.yaml:1:3: a key must be plain text");
    bad("\"\": 1\n", "p.yaml:1:1: a key is empty");
    bad("a: 1\nb: 2\na: 3\n", "p.yaml:3:1: the key \"a\" is repeated; it stands in line 1 already");
    bad("x: {c: 1, b: 2, c: 3, \"c\": 4}\n", "p.yaml:1:17: the key \"c\" is repeated");
}

static void test_broken_yaml(void **state)
{
    (void)state;
    bad("", "p.yaml:1:1: the document is empty");
    bad("# only this\n", "p.yaml:2:1: the document is empty");
    bad("a: [1, 2\n", "p.yaml:2:1: ");
    bad("a: b: c\n", "p.yaml:1:5: ");
    bad("a: 1\n\tb: 2\n", "p.yaml:");
    bad("a: \"x\n", "p.yaml:1:5: ");
    bad("@a\n", "p.yaml:1:1: ");
    bad("a: 1\n b: 2\n", "p.yaml:1:4: ");
    bad("{", "p.yaml:");
    bad("]", "p.yaml:");
}

static void test_bytes(void **state)
{
    (void)state;
    bad_bytes("a: 1\0\n", 6, "p.yaml:1:5: the invisible character U+0000");
    bad("a: \xff\n", "p.yaml:1:4: the document is not UTF-8 here");
    bad("\xEF\xBB\xBF"
        "a: 1\n",
        "p.yaml:1:1: the invisible character U+FEFF");
    bad("a: 1\nb: x\xE2\x80\xAEy\n", "p.yaml:2:5: the invisible character U+202E");
    bad("a: \x1b[0m\n", "p.yaml:1:4: the invisible character U+001B");
    bad("a: 1\rb: 2\n", "p.yaml:1:5: the invisible character U+000D");
    bad("a: \"x\\0y\"\n", "p.yaml:1:4: the text holds a NUL");
    yaml_free(good("a: 1\r\nb: caf\xC3\xA9\r\n"));
}

static void test_limits(void **state)
{
    char text[4 * LIMIT_YAML_DEPTH + 8] = "";
    struct buf large = BUF(LIMIT_DOCUMENT + 1);

    (void)state;
    memset(text, '[', LIMIT_YAML_DEPTH);
    memset(text + LIMIT_YAML_DEPTH, ']', LIMIT_YAML_DEPTH);
    yaml_free(good(text));
    memset(text, '[', LIMIT_YAML_DEPTH + 2);
    memset(text + LIMIT_YAML_DEPTH + 2, ']', LIMIT_YAML_DEPTH + 2);
    bad(text, "p.yaml:1:26: the document is nested too deeply");
    buf_puts(&large, "[");
    while (large.len + 2 < LIMIT_YAML_NODES * 2 + 10)
        buf_puts(&large, "a,");
    buf_puts(&large, "]");
    assert_false(large.failed);
    bad(buf_str(&large), "p.yaml:1:");
    buf_clear(&large);
    while (!large.failed)
        buf_puts(&large, "#");
    bad(buf_str(&large), "p.yaml:1:1: the document is too large");
    buf_free(&large);
}

static void test_members(void **state)
{
    struct yaml *root = good("id: x\nrols: [a]\n");
    struct fault f = {0};

    (void)state;
    assert_int_equal(yaml_members(root, "id ?rols", &f), OK);
    assert_int_equal(yaml_members(root, "id roles ?name", &f), E_INVALID);
    assert_string_equal(f.text, "p.yaml:2:1: unknown key \"rols\", did you mean \"roles\"?");
    assert_int_equal(yaml_members(root, "id organisation", &f), E_INVALID);
    assert_non_null(strstr(f.text, "p.yaml:2:1: unknown key \"rols\"; known here"));
    assert_int_equal(yaml_members(root, "id rols name", &f), E_INVALID);
    assert_string_equal(f.text, "p.yaml:1:1: the key \"name\" is missing");
    assert_int_equal(yaml_members(root->items[1], "a", &f), E_INVALID);
    assert_non_null(strstr(f.text, "p.yaml:2:7: a map was expected"));
    yaml_free(root);
}

static void test_readers(void **state)
{
    struct yaml *root = good("n: root-1.a_b\nc: 12\nb: true\nm: 2026-01-01\nd: 15 minutes\n"
                             "f: sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\ne: deny\n");
    struct fault f = {0};
    char *text = NULL;
    unsigned n = 0;
    bool b = false;
    moment t = 0;
    struct span_of_time d = {0};
    struct digest digest;

    (void)state;
    assert_int_equal(yaml_name(yaml_get(root, "n"), &text, &f), OK);
    assert_string_equal(text, "root-1.a_b");
    free(text);
    assert_int_equal(yaml_text(yaml_get(root, "d"), &text, &f), OK);
    assert_string_equal(text, "15 minutes");
    free(text);
    assert_int_equal(yaml_count(yaml_get(root, "c"), 12, 12, &n, &f), OK);
    assert_int_equal(n, 12);
    assert_int_equal(yaml_count(yaml_get(root, "c"), 1, 11, &n, &f), E_INVALID);
    assert_int_equal(yaml_bool(yaml_get(root, "b"), &b, &f), OK);
    assert_true(b);
    assert_int_equal(yaml_moment(yaml_get(root, "m"), &t, &f), OK);
    assert_true(t == 1767225600);
    assert_int_equal(yaml_duration(yaml_get(root, "d"), &d, &f), OK);
    assert_true(d.seconds == 900);
    assert_int_equal(yaml_fingerprint(yaml_get(root, "f"), &digest, &f), OK);
    assert_int_equal(yaml_choice(yaml_get(root, "e"), "allow deny", &n, &f), OK);
    assert_int_equal(n, 1);
    yaml_free(root);
}

static void test_readers_refuse(void **state)
{
    static const char *const counts[] = {"-1", "+1",         "01",   "1.0", "0x1", "1_0",
                                         "a",  "9999999999", "\"\"", "[1]", "1 2"};
    static const char *const names[] = {"-a",
                                        ".a",
                                        "_a",
                                        "A",
                                        "a/b",
                                        "a b",
                                        "\xC3\xA9",
                                        "''",
                                        "{a: b}",
                                        "..",
                                        "a2345678901234567890123456789012345678901234567890123456789012345"};
    static const char *const bools[] = {"yes", "True", "on", "1", "''", "[true]"};
    struct fault f = {0};
    char *text = NULL;
    unsigned n = 0;
    bool b = false;

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct yaml *root = good(counts[i]);
        assert_int_equal(yaml_count(root, 0, 100, &n, &f), E_INVALID);
        assert_memory_equal(f.text, "p.yaml:1:1: ", 12);
        yaml_free(root);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct yaml *root = good(names[i]);
        assert_int_equal(yaml_name(root, &text, &f), E_INVALID);
        assert_memory_equal(f.text, "p.yaml:1:1: ", 12);
        yaml_free(root);
    }
    for (size_t i = 0; i < sizeof bools / sizeof bools[0]; i++) {
        struct yaml *root = good(bools[i]);
        assert_int_equal(yaml_bool(root, &b, &f), E_INVALID);
        assert_memory_equal(f.text, "p.yaml:1:1: ", 12);
        yaml_free(root);
    }
    assert_null(text);
    assert_false(b);
}

static void test_moment_faults_have_a_position(void **state)
{
    struct yaml *root = good("a: tomorrow\nb: 3 parsecs\nc: sha256:00\nd: [x]\n");
    struct span_of_time d;
    struct digest digest;
    struct fault f = {0};
    unsigned n;
    moment t;

    (void)state;
    assert_int_equal(yaml_moment(yaml_get(root, "a"), &t, &f), E_INVALID);
    assert_memory_equal(f.text, "p.yaml:1:4: ", 12);
    assert_int_equal(yaml_duration(yaml_get(root, "b"), &d, &f), E_INVALID);
    assert_memory_equal(f.text, "p.yaml:2:4: ", 12);
    assert_int_equal(yaml_fingerprint(yaml_get(root, "c"), &digest, &f), E_INVALID);
    assert_memory_equal(f.text, "p.yaml:3:4: ", 12);
    assert_int_equal(yaml_choice(yaml_get(root, "a"), "today", &n, &f), E_INVALID);
    assert_memory_equal(f.text, "p.yaml:1:4: ", 12);
    assert_int_equal(yaml_choice(yaml_get(root, "d"), "x", &n, &f), E_INVALID);
    assert_memory_equal(f.text, "p.yaml:4:4: ", 12);
    yaml_free(root);
}

static void test_strings(void **state)
{
    struct yaml *root = good("a: one\nb: [x, y]\nc: []\nd: [x, x]\ne: [[x]]\nf: {x: y}\ng:\nh: [x, '']\n");
    struct strings s = {0};
    struct fault f = {0};

    (void)state;
    assert_int_equal(yaml_strings(yaml_get(root, "a"), &s, &f), OK);
    assert_int_equal(s.count, 1);
    assert_true(strings_have(&s, "one"));
    strings_free(&s);
    assert_int_equal(yaml_strings(yaml_get(root, "b"), &s, &f), OK);
    assert_int_equal(s.count, 2);
    assert_string_equal(s.items[1], "y");
    assert_false(strings_have(&s, "z"));
    strings_free(&s);
    for (const char *key = "cdefgh"; *key != '\0'; key++) {
        char name[2] = {*key, '\0'};
        assert_int_equal(yaml_strings(yaml_get(root, name), &s, &f), E_INVALID);
        assert_int_equal(s.count, 0);
    }
    for (int i = 0; i < 9; i++)
        assert_true(strings_add(&s, "again"));
    assert_int_equal(s.count, 9);
    strings_free(&s);
    assert_null(s.items);
    yaml_free(root);
}

static void test_to_json(void **state)
{
    struct yaml *root = good("b: [1, true, ~, 'x']\na: {c: }\n");
    struct fault f = {0};
    json_t *json = NULL;
    char *text;

    (void)state;
    assert_int_equal(yaml_to_json(root, &json, &f), OK);
    text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(text, "{\"a\":{\"c\":\"\"},\"b\":[\"1\",\"true\",\"~\",\"x\"]}");
    free(text);
    json_decref(json);
    yaml_free(root);
}

static void test_truncations_never_crash(void **state)
{
    static const char text[] = "a: {b: [1, \"x\\u00e9\"], c: 'd'}\ne:\n  - |\n    f\n  - >\n    g\n? h\n: i\n";

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        for (int c = 0; c < 128; c++) {
            char changed[sizeof text];
            struct yaml *root = NULL;
            struct fault f = {0};

            memcpy(changed, text, sizeof text);
            changed[len] = (char)c;
            if (yaml_parse("p", span_of(changed, c == 0 ? len : sizeof text - 1), &root, &f) != OK)
                assert_memory_equal(f.text, "p:", 2);
            yaml_free(root);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_and_positions),
        cmocka_unit_test(test_styles),
        cmocka_unit_test(test_forbidden_yaml),
        cmocka_unit_test(test_broken_yaml),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_readers_refuse),
        cmocka_unit_test(test_moment_faults_have_a_position),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_to_json),
        cmocka_unit_test(test_truncations_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
