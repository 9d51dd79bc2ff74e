#include "ceremony_fixture.h"

#include "ceremony/run_cast.h"
#include "core/buf.h"

#define NOW INT64_C(1780272000) /* 2026-06-01T00:00:00Z */

static void person_put(struct buf *b, const char *id, const char *organisation, const char *roles, const char *more)
{
    struct digest d;

    assert_true(digest_one(&d, span_str(id)));
    buf_putf(b, "  - {id: %s, name: %s, organisation: %s, roles: [%s], fingerprint: \"sha256:%s\"%s}\n", id, id,
             organisation, roles, digest_hex(&d).hex, more);
}

static struct policy *policy_made(void)
{
    struct buf b = BUF(LIMIT_DOCUMENT);
    struct policy *p = NULL;
    struct fault f = {.outcome = OK};

    buf_puts(&b, "quorate: 1\nsemantics: 1\nname: test\nversion: 3\npeople:\n");
    person_put(&b, "boss", "Operator", "ceremony-administrator", "");
    person_put(&b, "boss2", "Operator", "ceremony-administrator", "");
    person_put(&b, "both", "Operator", "\"ceremony-administrator\", key-custodian", "");
    person_put(&b, "h1", "Operator", "key-custodian", "");
    person_put(&b, "h2", "Provider", "key-custodian", "");
    person_put(&b, "old", "Provider", "key-custodian", ", until: 2026-06-01");
    person_put(&b, "new", "Provider", "key-custodian", ", from: 2026-06-02");
    person_put(&b, "w1", "Authority", "witness", "");
    person_put(&b, "w2", "Operator", "witness", "");
    buf_puts(&b, "sites:\n  - {id: s, at: [51.51, -0.59]}\n  - {id: t, at: [55.86, -4.25]}\n"
                 "tokens:\n  - {id: root, primary: s, replicas: [t]}\n"
                 "rules:\n  - id: changes\n    when: {operation: adopt-policy}\n"
                 "    require: {quorum: {of: key-custodian, at-least: 1}}\n"
                 "otherwise: deny\nsuccession: {quorum: {of: key-custodian, at-least: 2}}\n");
    if (policy_parse("policy.yaml", buf_span(&b), &p, &f) != OK)
        fail_msg("%s", f.text);
    buf_free(&b);
    return p;
}

/* "boss h1,h2 w1": administrators, holders, witnesses; "-" nobody. */
static enum outcome check(const struct script *s, const struct policy *p, const char *who, struct fault *f)
{
    static const char *const roles[] = {"admin", "holder", "witness"};
    struct cast c = {0};
    char text[256], *rest = NULL, *group = NULL;
    enum outcome o = OK;
    size_t role = 0;

    snprintf(text, sizeof text, "%s", who);
    for (group = strtok_r(text, " ", &rest); group != NULL && role < 3; group = strtok_r(NULL, " ", &rest), role++) {
        char *inner = NULL;

        for (char *one = strtok_r(group, ",", &inner); one != NULL; one = strtok_r(NULL, ",", &inner)) {
            if (strcmp(one, "-") != 0 && o == OK)
                o = cast_add(&c, one, roles[role], f);
        }
    }
    if (o == OK)
        o = cast_check(&c, s, p, NOW, f);
    cast_clear(&c);
    return o;
}

static const struct {
    const char *who, *said;
} bad[] = {
    {"- h1,h2 w1", "the role admin is not filled: the script asks for 1 of ceremony-administrator"},
    {"boss h1 w1", "the role holder is filled by 1, but the script asks for 2 at least"},
    {"boss,boss2 h1,h2 w1", "the role admin is filled by 2 people, but step 1.1 asks for its one holder"},
    {"boss h1,h1 w1", "h1 is named twice as holder"},
    {"boss h1,boss w1", "boss is named as admin and as holder: one person holds one role"},
    {"boss h1,nobody w1", "nobody, named as holder, is nobody in the policy test version 3"},
    {"boss h1,w1 w2", "w1 may not be holder: by the policy they are no key-custodian"},
    {"boss h1,old w1", "old may not be holder any more: they were on the roster until 2026-06-01T00:00:00Z"},
    {"boss h1,new w1", "new may not be holder yet: they are on the roster from 2026-06-02T00:00:00Z"},
    {"boss h1,both w1", "both may not be holder, who approves: they are an administrator by the policy, "},
    {"boss h1,h2 w2", "w2 may not be witness: they are of the organisation Operator, as boss, who is admin"},
};

static void test_refusals(void **state)
{
    struct script *s = script_made();
    struct policy *p = policy_made();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault f = {.outcome = OK};

        assert_int_equal(check(s, p, bad[i].who, &f), E_REFUSED);
        if (strncmp(f.text, bad[i].said, strlen(bad[i].said)) != 0)
            fail_msg("case %zu: \"%s\" was expected, not \"%s\"", i, bad[i].said, f.text);
    }
    policy_free(p);
    script_free(s);
}

static void test_good(void **state)
{
    struct script *s = script_made();
    struct policy *p = policy_made();
    struct fault f = {.outcome = OK};

    (void)state;
    if (check(s, p, "boss h1,h2 w1", &f) != OK)
        fail_msg("%s", f.text);
    policy_free(p);
    script_free(s);
}

static void test_json(void **state)
{
    struct cast c = {0}, again = {0};
    struct fault f = {.outcome = OK};
    json_t *people = NULL;

    (void)state;
    assert_int_equal(cast_add(&c, "w1", "witness", &f), OK);
    assert_int_equal(cast_add(&c, "a1", "admin", &f), OK);
    people = cast_json(&c);
    assert_int_equal(cast_from_json(people, &again, &f), OK);
    assert_int_equal(again.count, 2);
    assert_string_equal(again.items[0].person, "a1");
    assert_string_equal(cast_role(&again, "w1"), "witness");
    assert_null(cast_role(&again, "w2"));
    assert_null(cast_holder(&again, "admin", 1));
    assert_int_equal(json_array_append_new(people, json_object()), 0);
    cast_clear(&again);
    assert_int_equal(cast_from_json(people, &again, &f), E_INVALID);
    assert_int_equal(again.count, 0);
    json_decref(people);
    cast_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
