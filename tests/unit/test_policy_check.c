#include <stdlib.h>

#include "tests/unit/test_policy_fixture.h"

/* What `policy check` says of rules that can never be met, or are one loss away from that. */

#define ADOPT "  - {id: adopt, when: {operation: adopt-policy}, require: {quorum: {of: authority, at-least: 2}}}\n"
#define ADOPT_LINE_NEXT 30u /* of the rule after it */
#define END "otherwise: deny\nsuccession: {quorum: {of: [authority, key-custodian], at-least: 3}}\n"
#define RULE(require) ADOPT "  - {id: r, when: {operation: generate}, require: {" require "}}\n"

#define QUORUM "{quorum: {of: authority, at-least: 2}}"
#define SELF_SIGNS RULE("replicas: {at-least: 1, prove: attest, deferred: 14 days, provisional-use: [self-sign]}")
#define USE(when, effect) "  - {id: use, when: {operation: use" when "}, " effect "}\n"
#define USELESS "unmet policy.yaml:30: rule \"r\": `provisional-use` has no effect: "

struct row {
    const char *name, *rules, *end;
    const char *remarks[5]; /* kind and text, in order: "broken ", "unmet ", "frail " before it */
};

static const struct row rows[] = {
    {"nothing to say", ADOPT, END, {NULL}},
    {"no rules", "  []\n", END, {"broken policy.yaml: no rule for adopt-policy: this policy could never be replaced"}},
    {"no succession", ADOPT, "otherwise: deny\n", {"broken policy.yaml: no succession: "}},
    {"succession cannot form",
     ADOPT,
     "otherwise: deny\nsuccession: {quorum: {of: witness, at-least: 9}}\n",
     {"broken policy.yaml:31: succession: needs 9 people who are witness; the policy has 3 on 2026-06-01T00:00:00Z"}},
    {"succession is frail",
     ADOPT,
     "otherwise: deny\nsuccession: {quorum: {of: authority, at-least: 3}}\n",
     {"frail policy.yaml:31: succession: could not be met any more without a1, a2 or a3"}},
    {"adoption denied",
     "  - {id: adopt, when: {operation: adopt-policy}, deny: true}\n",
     END,
     {"broken policy.yaml:29: rule \"adopt\": denies adopt-policy"}},
    {"adoption by anyone",
     "  - {id: adopt, when: {operation: adopt-policy}, allow: true}\n",
     END,
     {"broken policy.yaml:29: rule \"adopt\": lets anyone replace the policy"}},
    {"adoption without people",
     "  - {id: adopt, when: {operation: adopt-policy}, require: {ceremony: x}}\n",
     END,
     {"broken policy.yaml:29: rule \"adopt\": lets anyone replace the policy",
      "unmet policy.yaml:29: rule \"adopt\": needs a ceremony"}},
    {"adoption cannot form",
     "  - {id: adopt, when: {operation: adopt-policy}, require: {quorum: {of: authority, at-least: 4}}}\n",
     END,
     {"broken policy.yaml:29: rule \"adopt\": the declared people cannot bring its quorum together",
      "unmet policy.yaml:29: rule \"adopt\": needs 4 people who are authority; the policy has 3 on "
      "2026-06-01T00:00:00Z"}},
    {"adoption is frail",
     "  - {id: adopt, when: {operation: adopt-policy}, require: {quorum: {of: authority, at-least: 3}}}\n",
     END,
     {"frail policy.yaml:29: rule \"adopt\": could not be met any more without a1, a2 or a3"}},
    {"adoption in a ceremony that nobody can open",
     "  - {id: adopt, when: {operation: adopt-policy}, require: {ceremony: x, quorum: {of: authority, at-least: 2}}}\n",
     END,
     {"broken policy.yaml:29: rule \"adopt\": adopt-policy needs a ceremony that nobody can open",
      "unmet policy.yaml:29: rule \"adopt\": needs a ceremony, and nobody can open one"}},
    {"a ceremony that can open",
     RULE("ceremony: x") "  - {id: open, when: {operation: open-ceremony}, require: {quorum: {of: authority, at-least: "
                         "1}}}\n",
     END,
     {NULL}},
    {"role that nobody holds",
     RULE("quorum: {of: emperor, at-least: 1}"),
     END,
     {"unmet policy.yaml:30: rule \"r\": needs 1 people who are emperor; the policy has 0 on 2026-06-01T00:00:00Z"}},
    /* c1 to c5, admin, and the alternates alt1 and alt2 of c1 in one place: six; the leaver and the newcomer do not count */
    {"six custodians",
     RULE("quorum: {of: key-custodian, at-least: 6}"),
     END,
     {"frail policy.yaml:30: rule \"r\": could not be met any more without c2, c3, c4, c5 or admin"}},
    {"seven custodians",
     RULE("quorum: {of: key-custodian, at-least: 7}"),
     END,
     {"unmet policy.yaml:30: rule \"r\": needs 7 people who are key-custodian; the policy has 6 on "
      "2026-06-01T00:00:00Z"}},
    {"an excluded role",
     RULE("quorum: {of: key-custodian, at-least: 6, except: administrator}"),
     END,
     {"unmet policy.yaml:30: rule \"r\": needs 6 "}},
    {"organisations", RULE("quorum: {of: key-custodian, at-least: 3, organisations: 3}"), END, {NULL}},
    {"organisations that hang on each",
     RULE("quorum: {of: witness, at-least: 3, organisations: 3}"),
     END,
     {"frail policy.yaml:30: rule \"r\": could not be met any more without alt1, alt3 or w1"}},
    {"organisations that there are not",
     RULE("quorum: {of: authority, at-least: 2, organisations: 2}"),
     END,
     {"unmet policy.yaml:30: rule \"r\": needs people of 2 organisations who are authority; the policy has 1 on "
      "2026-06-01T00:00:00Z"}},
    {"replicas in reserve", RULE("replicas: {at-least: 2, prove: attest}"), END, {NULL}},
    {"replicas that hang on each",
     RULE("replicas: {at-least: 2, prove: attest, apart-km: 100}"),
     END,
     {"frail policy.yaml:30: rule \"r\": no key of token root could be born any more without site cardiff or glasgow"}},
    {"replicas too far",
     RULE("replicas: {at-least: 1, prove: attest, apart-km: 1000}"),
     END,
     {"unmet policy.yaml:30: rule \"r\": needs 1 replicas of token root; 0 of its declared sites lie as the rule "
      "asks"}},
    {"replicas by tag",
     RULE("replicas: {at-least: 2, prove: attest, tagged: north}"),
     END,
     {"unmet policy.yaml:30: rule \"r\": needs 2 replicas of token root; 1 of"}},
    {"replicas by country",
     RULE("replicas: {at-least: 1, prove: attest, countries: FR}"),
     END,
     {"unmet policy.yaml:30: rule \"r\": needs 1 replicas of token root; 0 of"}},
    {"replicas by name",
     RULE("replicas: {at-least: 1, prove: attest, sites: windsor}"),
     END,
     {"frail policy.yaml:30: rule \"r\": no key of token root could be born any more without site windsor"}},
    {"attested by people", RULE("replicas: {at-least: 2, prove: attest, hardware: attested-by-people}"), END, {NULL}},
    {"attested by either", RULE("replicas: {at-least: 2, prove: attest, hardware: attested}"), END, {NULL}},
    {"attested by a vendor whose roots nobody lists",
     RULE("replicas: {at-least: 1, prove: attest, hardware: attested-by-vendor}"),
     END,
     {"unmet policy.yaml:30: rule \"r\": needs 1 replicas of token root; 0 of its declared sites lie as the rule asks "
      "and "
      "list a vendor's roots (`attested-by`)"}},
    {"fresh alone", RULE("replicas: {at-least: 1, prove: attest, fresh: 30 days}"), END, {NULL}},
    {"deferred alone", RULE("replicas: {at-least: 1, prove: attest, deferred: 14 days}"), END, {NULL}},
    {"fresh where files are carried",
     RULE("replicas: {at-least: 1, prove: attest, deferred: 14 days, fresh: 6 months}"),
     END,
     {NULL}},
    {"fresh where keys may be cloned",
     RULE("replicas: {at-least: 1, prove: attest, deferred: 14 days, fresh: 6 months}, transport: {allow: cloned}"),
     END,
     {NULL}},
    {"self-sign that no rule lets be approved", SELF_SIGNS, END, {USELESS}},
    {"self-sign under an approved use", SELF_SIGNS USE("", "require: " QUORUM), END, {NULL}},
    {"self-sign of the same token", SELF_SIGNS USE(", token: root", "require: " QUORUM), END, {NULL}},
    {"self-sign of another class", SELF_SIGNS USE(", class: secret-key", "require: " QUORUM), END, {USELESS}},
    {"self-sign of its class", SELF_SIGNS USE(", class: [private-key, data]", "require: " QUORUM), END, {NULL}},
    {"self-sign of session objects", SELF_SIGNS USE(", object: session", "require: " QUORUM), END, {USELESS}},
    {"self-sign plainly allowed", SELF_SIGNS USE("", "allow: true"), END, {USELESS}},
    {"self-sign denied", SELF_SIGNS USE("", "deny: true"), END, {USELESS}},
    {"self-sign by uses in number",
     SELF_SIGNS USE("", "require: {quorum: {of: authority, at-least: 2}, uses: {at-most: 5, within: 1 hour}}"),
     END,
     {USELESS}},
};

static const char *kind_name(enum remark_kind kind)
{
    return kind == REMARK_BROKEN ? "broken" : kind == REMARK_UNMET ? "unmet" : "frail";
}

static bool row_holds(const struct row *row)
{
    struct policy *p = fixture_policy(row->rules, row->end);
    struct remarks r = {0};
    struct fault f = {0};
    size_t want = 0;
    bool good = policy_check(p, T0, &r, &f) == OK;

    while (row->remarks[want] != NULL)
        want++;
    good = good && r.count == want;
    for (size_t i = 0; good && i < want; i++) {
        const char *kind = kind_name(r.items[i].kind), *text = row->remarks[i] + strlen(kind) + 1;

        good = strncmp(row->remarks[i], kind, strlen(kind)) == 0 && strstr(r.items[i].text, text) == r.items[i].text;
    }
    for (size_t i = 0; !good && i < r.count; i++)
        print_error("%s: %s %s\n", row->name, kind_name(r.items[i].kind), r.items[i].text);
    if (!good && r.count == 0)
        print_error("%s: no remark\n", row->name);
    remarks_free(&r);
    policy_free(p);
    return good;
}

static void test_remarks(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        wrong += !row_holds(&rows[i]);
    assert_int_equal(wrong, 0);
}

/* The same policy a month later: the newcomer counts. */
static void test_by_date(void **state)
{
    struct policy *p = fixture_policy(RULE("quorum: {of: key-custodian, at-least: 7}"), END);
    struct remarks r = {0};
    struct fault f = {0};

    (void)state;
    assert_int_equal(policy_check(p, T0 + 31 * 86400, &r, &f), OK);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.items[0].kind, REMARK_FRAIL);
    assert_int_equal(r.items[0].line, ADOPT_LINE_NEXT);
    remarks_free(&r);
    assert_int_equal(r.count, 0);
    policy_free(p);
}

#define ROOT "\"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\""
#define WITH(map) "attested-by: " ROOT ", attested-with: " map

/* What a site says of its HSM's vendor. */
static void test_vendors(void **state)
{
    static const struct {
        const char *text, *why; /* NULL: it is well formed */
    } cases[] = {
        {"attested-by: " ROOT, NULL},
        {WITH("{1.2.30: \"0500\", 0.1: \"05\"}"), NULL},
        {"attested-by: maker.pem", "p.yaml:5:43: "},
        {"attested-by: []", "p.yaml:5:43: "},
        {"attested-by: [" ROOT ", " ROOT "]", "p.yaml:5:"},
        {"attested-by: [" ROOT ", \"sha256:00\"]", "p.yaml:5:119: "},
        {"attested-with: {1.2: \"05\"}", "p.yaml:5:45: without `attested-by`"},
        {WITH("{}"), "a map of at most 16 was expected"},
        {WITH("\"05\""), "a map of at most 16 was expected"},
        {WITH("{1.2: [\"05\"]}"), "p.yaml:5:"},
        {WITH("{1.2: \"5\"}"), "expected the extension's value in hex"},
        {WITH("{1.2: \"0X\"}"), "expected the extension's value in hex"},
        {WITH("{1.2: \"AA\"}"), "expected the extension's value in hex"},
        {WITH("{1.2: \"\"}"), "p.yaml:5:"},
        {WITH("{1: \"05\"}"), "expected an object identifier"},
        {WITH("{1.02: \"05\"}"), "expected an object identifier"},
        {WITH("{1.2.: \"05\"}"), "expected an object identifier"},
        {WITH("{.1.2: \"05\"}"), "expected an object identifier"},
        {WITH("{origin: \"05\"}"), "expected an object identifier"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct policy *p = NULL;
        struct fault f = {0};
        char text[700];

        snprintf(text, sizeof text,
                 "quorate: 1\nsemantics: 1\nname: n\nversion: 1\nsites: [{id: s1, at: [1, 2], %s}]\npeople: [{id: a, "
                 "name: A, organisation: O, roles: [r], fingerprint: " ROOT "}]\nrules: []\notherwise: deny\n",
                 cases[i].text);
        enum outcome o = policy_parse("p.yaml", span_str(text), &p, &f);
        if (cases[i].why == NULL ? o != OK : o != E_INVALID || strstr(f.text, cases[i].why) == NULL)
            fail_msg("%s: %s", cases[i].text, f.text);
        policy_free(p);
    }
}

/* Hardware as the log knows it. */
static void test_hardware_now(void **state)
{
    static const struct {
        const char *wanted, *cardiff;
        size_t unmet;
    } cases[] = {
        {"attested-by-vendor", "attested-by-vendor", 0},
        {"attested-by-vendor", "attested-by-people", 1},
        {"attested-by-vendor", NULL, 1},
        {"attested-by-people", "attested-by-people", 0},
        {"attested-by-people", "attested-by-vendor", 0},
        {"attested", "attested-by-people", 0},
        {"attested", "attested-by-vendor", 0},
        {"attested", NULL, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char rule[400];
        struct remarks r = {0};
        struct fault f = {0};
        size_t unmet = 0;

        snprintf(rule, sizeof rule, RULE("replicas: {at-least: 1, prove: attest, sites: cardiff, hardware: %s}"),
                 cases[i].wanted);
        struct policy *p = fixture_policy(rule, END);
        struct site_fact sites[] = {
            {.token = "root", .site = "slough", .enrolled = true},
            {.token = "root", .site = "cardiff", .enrolled = true, .hardware = cases[i].cardiff}};

        assert_int_equal(policy_check_sites(p, sites, 2, T0, &r, &f), OK);
        for (size_t k = 0; k < r.count; k++)
            unmet += r.items[k].kind == REMARK_UNMET;
        assert_int_equal(unmet, cases[i].unmet);
        assert_true(unmet == 0 || strstr(r.items[0].text, "are enrolled, attested, there, and drilled") != NULL);
        remarks_free(&r);
        policy_free(p);
    }
}

/* Sites as the log knows them: who is retired, on the way or not drilled in time does not count. */
static void test_sites_now(void **state)
{
    static const struct {
        const char *name;
        struct site_fact cardiff;
        size_t unmet, frail;
    } cases[] = {
        {"all there", {.enrolled = true, .drilled = T0 - 86400}, 0, 1},
        {"one retired", {.drilled = T0 - 86400}, 1, 0},
        {"one on its way", {.enrolled = true, .away = true, .drilled = T0 - 86400}, 1, 0},
        {"one never drilled", {.enrolled = true}, 1, 0},
        {"one drilled just in time", {.enrolled = true, .drilled = T0 - 30 * 86400}, 0, 1},
        {"one drilled too long ago", {.enrolled = true, .drilled = T0 - 30 * 86400 - 1}, 1, 0},
    };
    struct policy *p =
        fixture_policy(RULE("replicas: {at-least: 2, prove: attest, sites: [cardiff, glasgow], fresh: 30 days}"), END);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct site_fact sites[] = {{.token = "root", .site = "slough", .enrolled = true},
                                    cases[i].cardiff,
                                    {.token = "root", .site = "glasgow", .enrolled = true, .drilled = T0},
                                    {.token = "root", .site = "windsor", .enrolled = true, .drilled = T0}};
        struct remarks r = {0};
        struct fault f = {0};
        size_t unmet = 0;

        sites[1].token = "root";
        sites[1].site = "cardiff";
        assert_int_equal(policy_check_sites(p, sites, 4, T0, &r, &f), OK);
        for (size_t k = 0; k < r.count; k++)
            unmet += r.items[k].kind == REMARK_UNMET;
        if (unmet != cases[i].unmet || r.count - unmet != cases[i].frail)
            fail_msg("%s: %zu unmet of %zu", cases[i].name, unmet, r.count);
        remarks_free(&r);
    }
    policy_free(p);
}

static void test_facts(void **state)
{
    struct policy *p = fixture_policy("  []\n", "otherwise: deny\n");
    const struct person *h = policy_person(p, "alt3");
    struct digest print = fixture_print("c2"), none = {0};

    (void)state;
    assert_string_equal(h->alternate_for, "c3");
    assert_int_equal(h->alternate_from, T0 + 86400);
    assert_true(h->alternate_until == MOMENT_NEVER && h->until == MOMENT_NEVER && h->from == 0);
    assert_int_equal(policy_person(p, "old")->until, T0);
    assert_ptr_equal(policy_person_by_fingerprint(p, &print), policy_person(p, "c2"));
    assert_null(policy_person_by_fingerprint(p, &none));
    assert_null(policy_person(p, "nobody"));
    assert_float_equal(policy_site(p, "cardiff")->at.longitude, -3.18, 1e-12);
    assert_string_equal(policy_site(p, "cardiff")->at.longitude_text, "-3.18");
    assert_string_equal(policy_token(p, "root")->primary, "slough");
    assert_null(policy_token(p, "leaf"));
    assert_int_equal(p->succession.at_least, 0);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),   cmocka_unit_test(test_remarks),      cmocka_unit_test(test_by_date),
        cmocka_unit_test(test_vendors), cmocka_unit_test(test_hardware_now), cmocka_unit_test(test_sites_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
