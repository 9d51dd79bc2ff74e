/* The cosigners of a policy: tlog-policy lines, who makes a quorum, and what a rule may ask of them. */
#include "policy/cosigners.h"

#include "core/encode.h"
#include "test_policy_fixture.h"

/* A verifier key of type 4 whose public key is 32 times this byte. */
static const char *vkey(const char *name, uint8_t byte)
{
    static char text[4][128];
    static unsigned next;
    char *t = text[next++ % 4];
    uint8_t body[33] = {4};
    struct digest d;
    struct buf b = BUF(128);

    memset(body + 1, byte, 32);
    assert_true(digest_of(&d, 3, span_str(name), span_str("\n"), span_of(body, sizeof body)));
    buf_putf(&b, "%s+", name);
    hex_put(&b, span_of(d.bytes, 4));
    buf_puts(&b, "+");
    base64_put(&b, span_of(body, sizeof body));
    snprintf(t, sizeof text[0], "%s", buf_str(&b));
    buf_free(&b);
    return t;
}

static enum outcome line(struct cosigners *c, struct fault *f, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static enum outcome line(struct cosigners *c, struct fault *f, const char *format, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return cosigners_line(c, text, f);
}

static struct cosigners three(void)
{
    struct cosigners c = {0};
    struct fault f = {0};

    assert_int_equal(line(&c, &f, "witness a %s", vkey("a.example", 1)), OK);
    assert_int_equal(line(&c, &f, "witness b %s http://127.0.0.1:1/", vkey("b.example", 2)), OK);
    assert_int_equal(line(&c, &f, "  witness\tc %s", vkey("c.example", 3)), OK);
    return c;
}

static void test_quorum(void **state)
{
    (void)state;
    static const struct {
        const char *group;
        bool signed_by[3], met;
    } rows[] = {
        {"group g 2 a b c", {true, true, false}, true},    {"group g 2 a b c", {false, true, false}, false},
        {"group g all a b c", {true, true, true}, true},   {"group g all a b c", {true, true, false}, false},
        {"group g any a b c", {false, false, true}, true}, {"group g any a b", {false, false, true}, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cosigners c = three();
        struct fault f = {0};

        assert_int_equal(cosigners_line(&c, rows[i].group, &f), OK);
        assert_int_equal(cosigners_line(&c, "quorum g", &f), OK);
        assert_int_equal(cosigners_met(&c, rows[i].signed_by), rows[i].met);
        cosigners_clear(&c);
    }
    struct cosigners none = {0};
    assert_false(cosigners_met(&none, (bool[1]){true}));
}

static void test_groups_of_groups(void **state)
{
    (void)state;
    struct cosigners c = three();
    struct fault f = {0};

    assert_int_equal(cosigners_line(&c, "group ab any a b", &f), OK);
    assert_int_equal(cosigners_line(&c, "group all all ab c", &f), OK);
    assert_int_equal(cosigners_line(&c, "quorum all", &f), OK);
    assert_true(cosigners_met(&c, (bool[3]){false, true, true}));
    assert_false(cosigners_met(&c, (bool[3]){true, true, false}));
    assert_non_null(c.items[1].url);
    assert_null(c.items[0].url);
    cosigners_clear(&c);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "log x",
        "witness d",
        "witness d not-a-key",
        "witness a.b+00000000+AAAA x",
        "group g 2 a",
        "group g 0 a",
        "group g 1",
        "group g 1 a a",
        "group g 1 unknown",
        "group g 1 g",
        "group a 1 b",
        "group none 1 b",
        "quorum unknown",
        "quorum none",
        "quorum a b",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cosigners c = three();
        struct fault f = {0};

        if (cosigners_line(&c, bad[i], &f) != E_INVALID || f.text[0] == '\0')
            fail_msg("\"%s\" was taken", bad[i]);
        cosigners_clear(&c);
    }
}

/* One key under two names would be counted twice. */
static void test_one_key_twice(void **state)
{
    (void)state;
    struct cosigners c = three();
    struct fault f = {0};

    assert_int_equal(line(&c, &f, "witness d %s", vkey("d.example", 1)), E_INVALID);
    assert_non_null(strstr(f.text, "one key"));
    assert_int_equal(cosigners_line(&c, "group g 1 a b", &f), OK);
    assert_int_equal(cosigners_line(&c, "group h 1 a c", &f), E_INVALID);
    assert_non_null(strstr(f.text, "twice"));
    cosigners_clear(&c);
    /* a log's key, type 1, is no cosigner's; nor is one whose hash is another's */
    c = (struct cosigners){0};
    char wrong[128];
    snprintf(wrong, sizeof wrong, "%s", vkey("e.example", 9));
    wrong[0] = 'f';
    assert_int_equal(line(&c, &f, "witness e %s", wrong), E_INVALID);
    cosigners_clear(&c);
}

#define RULE(what) "  - {id: use, when: {operation: use, token: root, label: k}, require: {" what "}}\n"
#define ONE "otherwise: deny\ncosigners:\n  policy:\n    - witness a %s\n    - quorum a\n  close: true\n"

static struct policy *with_cosigners(const char *rules)
{
    char end[512];

    snprintf(end, sizeof end, ONE, vkey("a.example", 1));
    return fixture_policy(rules, end);
}

static void test_in_the_policy(void **state)
{
    (void)state;
    struct policy *p = with_cosigners(RULE("cosigned: true")), *none = NULL;
    struct fault f = {0};

    assert_true(p->cosigners.before_close);
    assert_false(p->cosigners.closing);
    assert_int_equal(p->cosigners.count, 1);
    assert_true(p->rules[0].cosigned);
    policy_free(p);
    assert_int_equal(fixture_parse(RULE("cosigned: true"), FIXTURE_END, &none, &f), E_INVALID);
    assert_non_null(strstr(f.text, "no cosigners"));
    assert_int_equal(fixture_parse("  - {id: x, when: {operation: adopt-policy}, require: {cosigned: true}}\n",
                                   FIXTURE_END, &none, &f),
                     E_INVALID);
    if (strstr(f.text, "required of use") == NULL)
        fail_msg("%s", f.text);
    assert_int_equal(fixture_parse(RULE("quorum: {of: key-custodian, at-least: 1}"),
                                   FIXTURE_END "cosigners: {policy: [quorum a]}\n", &none, &f),
                     E_INVALID);
    assert_null(none);
}

/* Allowed from the moment on that the birth's entry is among those that were cosigned. */
static void test_use_of_a_cosigned_key(void **state)
{
    (void)state;
    struct policy *p = with_cosigners(RULE("cosigned: true"));
    struct fault f = {0};
    struct strings held = {0};
    struct key_fact key = {.born = T0, .seq = 7, .sites = &held};
    struct request_frame frame = {.made = T0,
                                  .expires = T0 + 100,
                                  .policy = p->digest,
                                  .policy_version = p->version,
                                  .rule = "use",
                                  .log_size = 9};
    json_t *subject =
        fixture_subject("\"operation\":\"use\",\"token\":\"root\",\"label\":\"k\",\"function\":\"C_Sign\","
                        "\"mechanism\":{\"type\":\"CKM_ECDSA\"},\"object\":\"token\",\"class\":\"private-key\"",
                        "uid:1");
    struct request *r = NULL;

    memset(frame.nonce, 1, sizeof frame.nonce);
    if (request_compose(subject, &frame, &r, &f) != OK)
        fail_msg("%s", f.text);
    for (uint64_t cosigned = 6; cosigned <= 9; cosigned++) {
        struct evidence e = {.at = T0, .key = &key, .cosigned = cosigned};
        struct verdict *v = NULL;

        assert_int_equal(policy_evaluate(p, r, &e, &v, &f), OK);
        assert_int_equal(v->decision, cosigned > 7 ? DECISION_ALLOW : DECISION_PENDING);
        verdict_free(v);
    }
    struct evidence unknown = {.at = T0, .cosigned = 100};
    struct verdict *v = NULL;
    assert_int_equal(policy_evaluate(p, r, &unknown, &v, &f), OK);
    assert_int_equal(v->decision, DECISION_PENDING);
    verdict_free(v);
    request_free(r);
    json_decref(subject);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quorum),        cmocka_unit_test(test_groups_of_groups),
        cmocka_unit_test(test_bad_lines),     cmocka_unit_test(test_one_key_twice),
        cmocka_unit_test(test_in_the_policy), cmocka_unit_test(test_use_of_a_cosigned_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
