#include "ceremony_fixture.h"
#include "scratch.h"

#include "ceremony/answers.h"
#include "core/file.h"

static const char *const people = "people: {admin: boss, holder: [h1, h2], witness: [w1]}\n";
static const char *const keys = "keys: {h1: h1.uri, h2: h2.pem}\n";
static const char *const answers = "answers: {1.4.1: {bag: A1}, 1.4.2: {bag: A2}, 2.3: {n: \"42\"}}\n";

static void file_put(const char *name, const char *text)
{
    char path[128];
    struct fault f = {.outcome = OK};

    snprintf(path, sizeof path, "%s/%s", scratch, name);
    assert_int_equal(file_replace(path, span_str(text), 0600, &f), OK);
}

static enum outcome read_with(const struct script *s, const char *p, const char *k, const char *a, struct answers **ret,
                              struct cast *ret_cast, struct fault *f)
{
    char text[4096], path[128];

    snprintf(text, sizeof text, "%s%s%s", p, k, a);
    file_put("answers.yaml", text);
    snprintf(path, sizeof path, "%s/answers.yaml", scratch);
    return answers_read(path, s, ret, ret_cast, f);
}

static const struct {
    const char *people, *keys, *answers, *said;
} bad[] = {
    {"people: {admin: boss, holder: [h1, h2], witnes: [w1]}\n", NULL, NULL,
     "1:41: the script a-key has no role \"witnes\""},
    {"people: {admin: boss, holder: [h1, boss], witness: [w1]}\n", NULL, NULL,
     "1:31: boss is named as admin and as holder: one person holds one role"},
    {"people: [boss]\n", NULL, NULL, "1:9: a map was expected: ROLE: PERSON, or ROLE: [PERSON, ...]"},
    {"persons: {}\n", NULL, NULL, "1:1: unknown key \"persons\""},
    {NULL, "keys: {h1: h1.uri}\n", NULL, "2:7: h2 may have to sign in step 2.1 and has no key under `keys`"},
    {NULL, "", NULL, "h1 may have to sign in step 2.1 and has no key under `keys`"},
    {NULL, "keys: {h1: h1.uri, h2: h2.pem, x: x.pem}\n", NULL, "2:32: x fills no role under `people`"},
    {NULL, NULL, "answers: {1.4.1: {bag: A1}, 2.3: {n: \"42\"}}\n",
     "3:10: step 1.4.2 (open-bag) needs \"bag\" and has no answer"},
    {NULL, NULL, "", "step 1.4.1 (open-bag) needs \"bag\" and has no answer"},
    {NULL, NULL, "answers: {1.4.1: {bag: A1}, 1.4.2: {bag: A2}, 2.3: {n: \"42\"}, 9.9: {}}\n",
     "3:63: the script a-key has no step 9.9"},
    {NULL, NULL, "answers: {1.4.1: {bga: A1}, 1.4.2: {bag: A2}, 2.3: {n: \"42\"}}\n",
     "3:19: step 1.4.1 (open-bag) asks for nothing called \"bga\""},
    {NULL, NULL, "answers: {1.4.1: {bag: [A1]}, 1.4.2: {bag: A2}, 2.3: {n: \"42\"}}\n", "3:24: text was expected"},
    {NULL, NULL, "answers: {1.4.1: [{bag: A1}, {}], 1.4.2: {bag: A2}, 2.3: {n: \"42\"}}\n",
     "3:30: step 1.4.1 (open-bag) also needs \"bag\""},
    {NULL, NULL, "answers: {1.4.1: {deviation: {cause: torn}}, 1.4.2: {bag: A2}, 2.3: {n: \"42\"}}\n",
     "3:30: the key \"accepted-by\" is missing"},
    {NULL, NULL, "answers: {1.4.1: {deviation: {cause: torn, accepted-by: x}}, 1.4.2: {bag: A2}, 2.3: {n: \"42\"}}\n",
     "3:57: x fills no role under `people`"},
    {NULL, NULL, "answers: {1.4.1: {bag: A1}, 1.4.2: {bag: A2}, 2.1: {reject: x, reason: no}, 2.3: {n: \"42\"}}\n",
     "3:61: x fills no role under `people`"},
    {NULL, NULL, "answers: {1.4.1: [A1], 1.4.2: {bag: A2}, 2.3: {n: \"42\"}}\n",
     "3:19: an attempt was expected: a map of names and values"},
};

static void test_errors(void **state)
{
    struct script *s = script_made();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct answers *a = NULL;
        struct cast cast = {0};
        struct fault f = {.outcome = OK};
        enum outcome o =
            read_with(s, bad[i].people != NULL ? bad[i].people : people, bad[i].keys != NULL ? bad[i].keys : keys,
                      bad[i].answers != NULL ? bad[i].answers : answers, &a, &cast, &f);

        assert_int_not_equal(o, OK);
        assert_null(a);
        assert_int_equal(cast.count, 0);
        if (strstr(f.text, bad[i].said) == NULL || strstr(f.text, "answers.yaml:") == NULL)
            fail_msg("case %zu: \"%s\" was expected, not \"%s\"", i, bad[i].said, f.text);
    }
    script_free(s);
}

static void test_attempts(void **state)
{
    struct script *s = script_made();
    struct answers *a = NULL;
    struct cast cast = {0};
    struct fault f = {.outcome = OK};
    const struct step *bag = script_step(s, "1.4.1");
    const char *with_two = "answers:\n  1.4.1: [{bag: A1}, {bag: A2, deviation: {cause: torn, accepted-by: w1}}]\n"
                           "  1.4.2: {deviation: {cause: lost, accepted-by: w1}}\n  2.3: {n: \"42\", by: w1}\n";

    (void)state;
    if (read_with(s, people, keys, with_two, &a, &cast, &f) != OK)
        fail_msg("%s", f.text);
    assert_int_equal(cast.count, 4);
    assert_string_equal(cast.items[0].person, "boss"); /* sorted */
    assert_string_equal(yaml_get(answers_peek(a, bag), "bag")->scalar, "A1");
    assert_string_equal(yaml_get(answers_next(a, bag), "bag")->scalar, "A1");
    assert_string_equal(yaml_get(answers_next(a, bag), "bag")->scalar, "A2");
    assert_null(answers_next(a, bag));
    assert_null(answers_next(a, bag));
    assert_null(answers_next(a, script_step(s, "1.1")));
    assert_non_null(answers_next(a, script_step(s, "2.3")));
    answers_free(a);
    cast_clear(&cast);
    script_free(s);
}

static void test_keys(void **state)
{
    struct script *s = script_made();
    struct answers *a = NULL;
    struct cast cast = {0};
    struct fault f = {.outcome = OK};
    char *key = NULL, path[128];

    (void)state;
    file_put("h1.uri", "pkcs11:token=h1\n");
    file_put("h2.pem", "-----BEGIN PRIVATE KEY-----\n");
    assert_int_equal(read_with(s, people, keys, answers, &a, &cast, &f), OK);
    assert_int_equal(answers_key(a, "h1", &key, &f), OK);
    assert_string_equal(key, "pkcs11:token=h1");
    free(key);
    key = NULL;
    assert_int_equal(answers_key(a, "h2", &key, &f), OK);
    snprintf(path, sizeof path, "%s/h2.pem", scratch);
    assert_string_equal(key, path);
    free(key);
    key = NULL;
    assert_int_equal(answers_key(a, "w1", &key, &f), E_ABSENT);
    assert_null(key);
    snprintf(path, sizeof path, "%s/h2.pem", scratch);
    assert_int_equal(file_remove(path, &f), OK);
    assert_int_not_equal(answers_key(a, "h2", &key, &f), OK);
    assert_null(key);
    answers_free(a);
    cast_clear(&cast);
    script_free(s);
}

static void test_people_alone(void **state)
{
    struct script *s = script_made();
    struct cast cast = {0};
    struct fault f = {.outcome = OK};
    char path[128];

    (void)state;
    file_put("people.yaml", people);
    snprintf(path, sizeof path, "%s/people.yaml", scratch);
    assert_int_equal(people_read(path, s, &cast, &f), OK);
    assert_int_equal(cast_holders(&cast, "holder"), 2);
    cast_clear(&cast);
    file_put("people.yaml", "people: {admin: boss}\nkeys: {}\n");
    assert_int_equal(people_read(path, s, &cast, &f), E_INVALID);
    assert_non_null(strstr(f.text, ":2:1: unknown key \"keys\""));
    assert_int_equal(cast.count, 0);
    script_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_people_alone),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
