#include <stdlib.h>

#include "tests/unit/test_policy_fixture.h"

/* What the parser accepts, and the exact position and words of what it refuses. */

#define PRINT "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define PRINT2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define HEAD "quorate: 1\nsemantics: 1\nname: smki\nversion: 3\n"
#define TAIL "rules: []\notherwise: deny\n"
#define PERSON(id, print) "  - {id: " id ", name: N, organisation: O, roles: [r], fingerprint: \"" print "\"}\n"
#define ONE "people:\n" PERSON("a", PRINT)
#define SITES "sites:\n  - {id: s1, at: [1, 2]}\n  - {id: s2, at: [3, 4]}\n"

static enum outcome parse(const char *text, struct policy **ret, struct fault *f)
{
    return policy_parse("p.yaml", span_str(text), ret, f);
}

struct refusal {
    const char *text, *message;
};

/* Whole documents. */
static const struct refusal documents[] = {
    {"", "p.yaml:1:1: "},
    {"- a\n", "p.yaml:1:1: a map was expected"},
    {HEAD ONE "otherwise: deny\n", "p.yaml:1:1: the key \"rules\" is missing"},
    {HEAD ONE "rules: []\n", "p.yaml:1:1: the key \"otherwise\" is missing"},
    {"semantics: 1\nname: n\nversion: 1\npeople: []\n" TAIL, "p.yaml:1:1: the key \"quorate\" is missing"},
    {"quorate: 2\nsemantics: 1\nname: n\nversion: 1\npeople: []\n" TAIL, "p.yaml:1:10: quorate must be 1"},
    {"quorate: 1\nsemantics: 2\nname: n\nversion: 1\npeople: []\n" TAIL, "p.yaml:2:12: semantics must be 1"},
    {HEAD ONE "rules: []\notherwise: allow\n", "p.yaml:8:12: otherwise must be deny"},
    {HEAD ONE "rules: []\notherwise: [deny]\n", "p.yaml:8:12: otherwise must be deny"},
    {HEAD ONE "rule: []\nrules: []\notherwise: deny\n", "p.yaml:7:1: unknown key \"rule\", did you mean \"rules\"?"},
    {HEAD ONE "name: again\n" TAIL, "p.yaml:7:1: "},
    {"quorate: 1\nsemantics: 1\nname: n\nversion: 0\npeople: []\n" TAIL, "p.yaml:4:10: 0 is out of range"},
    {"quorate: 1\nsemantics: 1\nname: \"a b\"\nversion: 1\npeople: []\n" TAIL, "p.yaml:3:7: \"a b\" is no name"},
    {HEAD "people: x\n" TAIL, "p.yaml:5:9: expected a list of people"},
    {HEAD "people: []\n" TAIL, "p.yaml:5:9: an empty list of people: nobody could approve anything"},
    {HEAD ONE "sites: x\n" TAIL, "p.yaml:7:8: expected a list of sites"},
    {HEAD ONE "tokens: x\n" TAIL, "p.yaml:7:9: expected a list of tokens"},
    {HEAD ONE "rules: x\notherwise: deny\n", "p.yaml:7:8: expected a list of rules"},
    {HEAD ONE "confidential: {born: personal}\n" TAIL, "p.yaml:7:16: an entry of type \"born\" is never confidential; "
                                                       "answer, artifact, deviation or exhibit was expected"},
    {HEAD ONE "confidential: {answer: A Class}\n" TAIL, "p.yaml:7:24: \"A Class\" is no name"},
    {HEAD ONE "confidential: personal\n" TAIL, "p.yaml:7:15: a map was expected: NAME: CLASS"},
    {HEAD ONE "confidential: {}\n" TAIL, "p.yaml:7:15: a map was expected: NAME: CLASS"},

    /* people */
    {HEAD "people:\n" PERSON("a", PRINT) PERSON("a", PRINT2) TAIL, "p.yaml:7:10: a is declared twice"},
    {HEAD "people:\n" PERSON("a", PRINT) PERSON("b", PRINT) TAIL, "p.yaml:7:64: a and b have one certificate"},
    {HEAD "people:\n  - {id: a, name: N, organisation: O, roles: [], fingerprint: \"" PRINT "\"}\n" TAIL,
     "p.yaml:6:46: a list that is not empty was expected"},
    {HEAD "people:\n  - {id: a, name: N, roles: [r], fingerprint: \"" PRINT "\"}\n" TAIL,
     "p.yaml:6:5: the key \"organisation\" is missing"},
    {HEAD "people:\n  - {id: a, name: N, organisation: O, roles: [r], fingerprint: \"sha256:11\"}\n" TAIL,
     "p.yaml:6:64: "},
    {HEAD "people:\n  - {id: a, name: N, organisation: O, roles: [r], from: 2026-02-30, fingerprint: \"" PRINT
          "\"}\n" TAIL,
     "p.yaml:6:57: "},
    {HEAD "people:\n  - {id: a, name: N, organisation: O, roles: [r], from: 2026-02-02, until: 2026-02-02, "
          "fingerprint: \"" PRINT "\"}\n" TAIL,
     "p.yaml:6:76: until is exclusive and must be after from"},
    {HEAD "people:\n  - {id: a, name: N, organisation: O, roles: [r], alternate-for: b, fingerprint: \"" PRINT
          "\"}\n" TAIL,
     "p.yaml:6:66: no person b is declared"},
    {HEAD "people:\n  - {id: a, name: N, organisation: O, roles: [r], alternate-for: a, fingerprint: \"" PRINT
          "\"}\n" TAIL,
     "p.yaml:6:66: nobody is an alternate for themselves"},
    {HEAD "people:\n  - {id: a, name: N, organisation: O, roles: [r], alternate-for: b, fingerprint: \"" PRINT "\"}\n"
          "  - {id: b, name: N, organisation: O, roles: [r], alternate-for: c, fingerprint: \"" PRINT2 "\"}\n"
          "  - {id: c, name: N, organisation: O, roles: [r], fingerprint: \"sha256:"
          "3333333333333333333333333333333333333333333333333333333333333333\"}\n" TAIL,
     "p.yaml:6:66: b is an alternate for c; name the principal"},
    {HEAD "people:\n  - {id: a, name: N, organisation: O, roles: [r], fingerprint: \"" PRINT "\", "
          "alternate-for: {person: b, from: 2026-02-02, until: 2026-02-01}}\n" TAIL,
     "p.yaml:6:154: from must be before until"},

    /* sites and tokens */
    {HEAD ONE "sites:\n  - {id: s1, at: [91, 2]}\n" TAIL,
     "p.yaml:8:19: expected degrees between -90 and 90 such as 51.51"},
    {HEAD ONE "sites:\n  - {id: s1, at: [1, 2], answer-within: 0 seconds}\n" TAIL, "p.yaml:8:41: "},
    {HEAD ONE "sites:\n  - {id: s1, at: [1, 2], answer-within: soon}\n" TAIL, "p.yaml:8:41: "},
    {HEAD ONE "sites:\n  - {id: s1, at: [1, 2], answer-within: 25 hours}\n" TAIL,
     "p.yaml:8:41: expected from 1 second to 1 day"},
    {HEAD ONE "sites:\n  - {id: s1, at: [1, 2], answer-within: 1 month}\n" TAIL, "p.yaml:8:41: expected from"},
    {HEAD ONE "sites:\n  - {id: s1, at: [1, 180.1]}\n" TAIL, "p.yaml:8:22: expected degrees between -180 and 180"},
    {HEAD ONE "sites:\n  - {id: s1, at: [1e1, 2]}\n" TAIL, "p.yaml:8:19: expected degrees"},
    {HEAD ONE "sites:\n  - {id: s1, at: [1., 2]}\n" TAIL, "p.yaml:8:19: expected degrees"},
    {HEAD ONE "sites:\n  - {id: s1, at: [\"1,5\", 2]}\n" TAIL, "p.yaml:8:19: expected degrees"},
    {HEAD ONE "sites:\n  - {id: s1, at: [-, 2]}\n" TAIL, "p.yaml:8:"},
    {HEAD ONE "sites:\n  - {id: s1, at: [1, 1.0123456789]}\n" TAIL, "p.yaml:8:22: expected degrees"},
    {HEAD ONE "sites:\n  - {id: s1, at: [1]}\n" TAIL, "p.yaml:8:18: expected [latitude, longitude]"},
    {HEAD ONE "sites:\n  - {id: s1, at: 1}\n" TAIL, "p.yaml:8:18: expected [latitude, longitude]"},
    {HEAD ONE SITES "  - {id: s1, at: [1, 2]}\n" TAIL, "p.yaml:10:10: site s1 is declared twice"},
    {HEAD ONE SITES "tokens:\n  - {id: t, primary: s3}\n" TAIL, "p.yaml:11:22: no site s3 is declared"},
    {HEAD ONE SITES "tokens:\n  - {id: t, primary: s1, replicas: [s2, s3]}\n" TAIL,
     "p.yaml:11:41: no site s3 is declared"},
    {HEAD ONE SITES "tokens:\n  - {id: t, primary: s1, replicas: [s1]}\n" TAIL,
     "p.yaml:11:37: s1 is the primary; a replica must be at another site"},
    {HEAD ONE SITES "tokens:\n  - {id: t, primary: s1, replicas: [s2, s2]}\n" TAIL,
     "p.yaml:11:41: \"s2\" is repeated in this list"},
    {HEAD ONE SITES "tokens:\n  - {id: t, primary: s1, replicas: [s2], failover: sign}\n" TAIL,
     "p.yaml:11:52: \"sign\" is nothing that a replica does"},
    {HEAD ONE SITES "tokens:\n  - {id: t, primary: s1, failover: use}\n" TAIL,
     "p.yaml:11:36: token t has no replicas that uses could go to"},
    {HEAD ONE SITES "tokens:\n  - {id: t, primary: s1}\n  - {id: t, primary: s2}\n" TAIL,
     "p.yaml:12:10: token t is declared twice"},
    {HEAD ONE TAIL "succession: {of: [r], at-least: 1}\n", "p.yaml:9:14: unknown key \"of\""},
    {HEAD ONE TAIL "succession: {quorum: {of: [r]}}\n", "p.yaml:9:22: the key \"at-least\" is missing"},
};

/* One rule, which begins at 29:5 of the fixture. */
#define WHEN(more) "  - {id: r, when: {operation: generate}, " more "}\n"
#define USES(text) "  - {id: r, when: {operation: use}, require: {uses: {" text "}}}\n"
#define NEEDS(more) WHEN("require: {" more "}")
static const struct refusal rule_refusals[] = {
    {"  - {when: {operation: generate}, allow: true}\n", "policy.yaml:29:5: the key \"id\" is missing"},
    {"  - {id: r, allow: true}\n", "policy.yaml:29:5: the key \"when\" is missing"},
    {"  - {id: r, when: {}, allow: true}\n", "policy.yaml:29:19: the key \"operation\" is missing"},
    {"  - {id: otherwise, when: {operation: use}, allow: true}\n", "policy.yaml:29:10: a rule's id is at most"},
    {WHEN("allow: true") WHEN("deny: true"), "policy.yaml:30:10: two rules are called \"r\""},
    {"  - {id: r, when: {operation: generate}}\n",
     "policy.yaml:29:5: expected exactly one of allow: true, deny: true and require"},
    {WHEN("allow: true, deny: true"), "policy.yaml:29:5: expected exactly one of"},
    {WHEN("allow: false"), "policy.yaml:29:49: allow can only be true"},
    {WHEN("deny: false"), "policy.yaml:29:48: deny can only be true"},
    {WHEN("allow: yes"), "policy.yaml:29:49: \"yes\" is not known here"},
    {"  - {id: r, when: {operation: sing}, allow: true}\n", "policy.yaml:29:31: unknown operation sing"},
    {"  - {id: r, when: {operation: [use, sing]}, allow: true}\n", "policy.yaml:29:37: unknown operation sing"},
    {"  - {id: r, when: {operation: use, token: leaf}, allow: true}\n", "policy.yaml:29:43: no token leaf is declared"},
    {"  - {id: r, when: {operation: use, class: [key]}, allow: true}\n",
     "policy.yaml:29:44: \"key\" is not known here"},
    {"  - {id: r, when: {operation: use, object: card}, allow: true}\n",
     "policy.yaml:29:44: \"card\" is not known here"},
    {"  - {id: r, when: {operation: use, labels: a}, allow: true}\n",
     "policy.yaml:29:36: unknown key \"labels\", did you mean \"label\"?"},
    {"  - {id: r, when: {operation: use, label: \"(\"}, allow: true}\n",
     "policy.yaml:29:43: not a POSIX extended regular expression: "},
    {"  - {id: r, when: {operation: use, label: '(a)\\1'}, allow: true}\n",
     "policy.yaml:29:43: back-references such as \\1 are not allowed"},
    {"  - {id: r, when: {operation: use, label: '((a{1,99}){1,99}){1,99}'}, allow: true}\n",
     "policy.yaml:29:43: the expression repeats too much"},
    {"  - {id: r, when: {operation: use, label: 'a{4097}'}, allow: true}\n",
     "policy.yaml:29:43: the expression repeats too much"},
    {"  - {id: r, when: {operation: use, label: '(a)\\9'}, allow: true}\n",
     "policy.yaml:29:43: back-references such as \\9 are not allowed"},
    {WHEN("allow: true, wait: 5 minutes"), "policy.yaml:29:55: not yet: wait"},
    {WHEN("allow: true, expires: 5 minutes"), "policy.yaml:29:64: only a rule with require makes requests that expire"},
    {NEEDS(""), "policy.yaml:29:51: an empty requirement"},
    {NEEDS("uses: 10"), "policy.yaml:29:58: a map was expected"},
    {NEEDS("uses: {at-most: 5, within: 1 hour}"), "policy.yaml:29:58: uses can only be required of use"},
    {USES("at-most: 0, within: 1 hour"), "policy.yaml:29:63: 0 is out of range"},
    {USES("at-most: 5, within: 1 month"), "policy.yaml:29:74: expected a time in seconds"},
    {USES("at-most: 5"), "policy.yaml:29:53: the key \"within\" is missing"},
    {NEEDS("sealed: true"), "policy.yaml:29:52: not yet: sealed"},
    {NEEDS("cosigned: 2"), "policy.yaml:29:62: \"2\" is not known here"},
    {NEEDS("provisional-use: [self-sign]"), "policy.yaml:29:52: unknown key \"provisional-use\""},
    {NEEDS("replicas: {at-least: 1, prove: attest, provisional-use: [self-sign]}"),
     "policy.yaml:29:108: without `deferred` no key is ever provisional"},
    {NEEDS("replicas: {at-least: 1, prove: attest, deferred: 14 days, provisional-use: [sign]}"),
     "policy.yaml:29:128: \"sign\" is not known here"},
    {NEEDS("replicas: {at-least: 1, prove: attest, deferred: 14 days, provisional-use: []}"), "policy.yaml:29:"},
    {NEEDS("replicas: {at-least: 1, prove: attest, deferred: soon}"), "policy.yaml:29:"},
    {NEEDS("replicas: {at-least: 1, prove: attest, spares: 2}"),
     "policy.yaml:29:99: without `deferred` no offer is ever carried"},
    {NEEDS("replicas: {at-least: 1, prove: attest, deferred: 1 day, spares: 9}"),
     "policy.yaml:29:116: 9 is out of range; a whole number from 0 to 8"},
    {NEEDS("replicas: {at-least: 1, prove: attest, deferred: 1 day, spares: none}"), "policy.yaml:29:116: "},
    {NEEDS("extractable: open"), "policy.yaml:29:65: \"open\" is not known here"},
    {NEEDS("transport: {allow: [rot13]}"), "policy.yaml:29:72: \"rot13\" is not known here"},
    {NEEDS("transport: oaep-sha1"), "policy.yaml:29:63: a map was expected"},
    {NEEDS("quorum: {of: [], at-least: 1}"), "policy.yaml:29:65: a list that is not empty was expected"},
    {NEEDS("quorum: {of: x, at-least: 0}"), "policy.yaml:29:78: 0 is out of range"},
    {NEEDS("quorum: {of: x, at-least: three}"), "policy.yaml:29:78: \"three\" is no number"},
    {NEEDS("quorum: {of: x, at-least: 2, organisations: 3}"), "policy.yaml:29:96: 3 organisations need at-least: 3"},
    {NEEDS("quorum: {of: x, at-least: 2, within: 2 months}"), "policy.yaml:29:89: expected a time in seconds"},
    {NEEDS("quorum: {of: x, at-least: 2, within: soon}"), "policy.yaml:29:89: \"soon\" is no length of time"},
    {NEEDS("quorum: {of: x, at-least: 2, atleast: 1}"),
     "policy.yaml:29:81: unknown key \"atleast\", did you mean \"at-least\"?"},
    {NEEDS("ceremony: []"), "policy.yaml:29:62: a list that is not empty was expected"},
    {NEEDS("replicas: {at-least: 1}"), "policy.yaml:29:62: the key \"prove\" is missing"},
    {NEEDS("replicas: {at-least: 16, prove: attest}"), "policy.yaml:29:73: 16 is out of range"},
    {NEEDS("replicas: {at-least: 1, prove: trust}"), "policy.yaml:29:83: \"trust\" is not known here"},
    {NEEDS("replicas: {at-least: 1, prove: attest, sites: [leeds]}"), "policy.yaml:29:99: no site leeds is declared"},
    {NEEDS("replicas: {at-least: 2, prove: attest, sites: [cardiff]}"),
     "policy.yaml:29:98: 1 sites can never hold at-least: 2 replicas"},
    {NEEDS("replicas: {at-least: 1, prove: attest, apart-km: 0}"), "policy.yaml:29:101: 0 is out of range"},
    {NEEDS("replicas: {at-least: 1, prove: attest, hardware: sworn}"),
     "policy.yaml:29:101: \"sworn\" is not known here"},
    {NEEDS("key: {}"), "policy.yaml:29:57: nothing is asked of the key"},
    {NEEDS("key: {types: [EC:P384]}"), "policy.yaml:29:66: unknown key type EC:P384"},
    {NEEDS("key: {types: [RSA:1024]}"), "policy.yaml:29:66: unknown key type RSA:1024"},
    {NEEDS("key: {types: [\"RSA:03072\"]}"), "policy.yaml:29:66: unknown key type RSA:03072"},
    {NEEDS("key: {usage: [sign, verify]}"), "policy.yaml:29:72: \"verify\" is not known here"},
    {"  - {id: r, when: {operation: use}, require: {key: {types: EC:P-256}}}\n",
     "policy.yaml:29:47: key can only be required of generate"},
    {"  - {id: r, when: {operation: [generate, use]}, require: {replicas: {at-least: 1, prove: attest}}}\n",
     "policy.yaml:29:59: replicas can only be required of generate"},
    {"  - {id: r, when: {operation: [replicate, use]}, require: {transport: {allow: oaep-sha1}}}\n",
     "policy.yaml:29:60: transport can only be required of generate and replicate"},
    {"  - {id: r, when: {operation: replicate}, require: {extractable: trusted-wrap-only}}\n",
     "policy.yaml:29:53: extractable can only be required of generate;"},
    {"  - {id: r, when: {operation: use}, require: {extractable: closed}}\n",
     "policy.yaml:29:47: extractable can only be required of generate"},
    {"  - {id: r, when: {operation: open-ceremony}, require: {ceremony: x}}\n",
     "policy.yaml:29:67: no ceremony is open yet where one is to be opened"},
};

static bool refused(const char *what, enum outcome o, const struct fault *f, struct policy *p, const char *message)
{
    bool good = o == E_INVALID && p == NULL && strncmp(f->text, message, strlen(message)) == 0;

    if (!good)
        print_error("%s\nwanted: %s\ngot (%d): %s\n\n", what, message, (int)o, o == OK ? "" : f->text);
    policy_free(p);
    return good;
}

static void test_documents(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct policy *p = NULL;
        struct fault f = {0};
        enum outcome o = parse(documents[i].text, &p, &f);

        wrong += !refused(documents[i].text, o, &f, p, documents[i].message);
    }
    assert_int_equal(wrong, 0);
}

static void test_rules(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rule_refusals / sizeof *rule_refusals; i++) {
        struct policy *p = NULL;
        struct fault f = {0};
        enum outcome o = fixture_parse(rule_refusals[i].text, FIXTURE_END, &p, &f);

        wrong += !refused(rule_refusals[i].text, o, &f, p, rule_refusals[i].message);
    }
    assert_int_equal(wrong, 0);
}

static void label_is(const char *expression, const char *label, bool matches)
{
    struct buf rules = BUF(LIMIT_DOCUMENT);
    struct policy *p = NULL;

    buf_putf(&rules, "  - {id: r, when: {operation: use, label: '%s'}, allow: true}\n", expression);
    p = fixture_policy(buf_str(&rules), FIXTURE_END);
    if ((policy_match(p, OP_USE, "root", label, NULL, -1) != NULL) != matches)
        fail_msg("%s and %s", expression, label);
    policy_free(p);
    buf_free(&rules);
}

static void test_labels(void **state)
{
    char long_one[257] = "";
    struct buf rules = BUF(LIMIT_DOCUMENT);
    struct policy *p = NULL;
    struct fault f = {0};

    (void)state;
    label_is("^[a-z]{1,20}-[0-9]{4}$", "root-2026", true);
    label_is("^[a-z]{1,20}-[0-9]{4}$", "root-202", false);
    label_is("^(root|oca)-", "oca-1", true);
    label_is("^(root|oca)-", "xoca-1", false);
    label_is("^a\\.b$", "a.b", true);
    label_is("^a\\.b$", "axb", false);
    label_is("^a\\\\1$", "a\\1", true);            /* an escaped backslash, and no back-reference */
    label_is("^[[:alpha:]]+$", "\xc3\xa4", false); /* bytes of the C locale, whatever the host has set */
    memset(long_one, 'a', 255);
    label_is(long_one, long_one, true);
    long_one[255] = 'a';
    buf_putf(&rules, "  - {id: r, when: {operation: use, label: %s}, allow: true}\n", long_one);
    assert_int_equal(fixture_parse(buf_str(&rules), FIXTURE_END, &p, &f), E_INVALID);
    assert_string_equal(f.text, "policy.yaml:29:43: the expression is longer than 255 bytes");
    buf_free(&rules);
}

/* Everything at once, as the design's example has it. */
static const char whole[] =
    "  - id: birth of a CA key\n"
    "    when: {operation: generate, token: root, label: \"^(root|oca)-\", class: [private-key], object: token}\n"
    "    expires: 2 days\n"
    "    while-suspended: true\n"
    "    require:\n"
    "      ceremony: [root-oca-key-generation, oca-rollover]\n"
    "      quorum: {of: key-custodian, at-least: 3, organisations: 2, within: 15 minutes, except: auditor, reject-at: "
    "2}\n"
    "      replicas: {at-least: 2, prove: signature, apart-km: 100, tagged: mainland, countries: [GB], sites: "
    "[cardiff, "
    "glasgow], placed-within: 7 days, hardware: attested-by-people, fresh: 12 months}\n"
    "      key: {types: [EC:P-256, EC:P-384], usage: [sign], lifetime: 24 months}\n"
    "      extractable: closed\n"
    "      transport: {allow: [oaep-sha1]}\n"
    "  - {id: travels, when: {operation: generate}, require: {extractable: trusted-wrap-only}}\n"
    "  - {id: brought, when: {operation: [generate, replicate]}, require: {transport: {allow: oaep-sha1}}}\n"
    "  - {id: media, when: {operation: generate}, require: {replicas: {at-least: 1, prove: attest, deferred: 1 day, "
    "spares: 8}}}\n"
    "  - {id: one, when: {operation: generate}, require: {replicas: {at-least: 1, prove: attest, deferred: 1 day, "
    "spares: 0}}}\n"
    "  - {id: use, when: {operation: [use, destroy]}, allow: true}\n";

static void test_whole(void **state)
{
    struct policy *p = fixture_policy(whole, FIXTURE_END);
    const struct rule *r = policy_rule(p, "birth of a CA key");

    (void)state;
    assert_non_null(r);
    assert_int_equal(r->line, FIXTURE_RULE_LINE);
    assert_int_equal(r->operations, 1u << OP_GENERATE);
    assert_int_equal(r->object, 1);
    assert_int_equal(r->expires.seconds, 2 * 86400);
    assert_true(r->while_suspended && r->has_quorum && r->extractable_closed && !r->trusted_wrap_only);
    assert_int_equal(policy_rule(p, "brought")->transport.count, 1);
    assert_true(policy_rule(p, "travels")->trusted_wrap_only && !policy_rule(p, "travels")->extractable_closed);
    assert_int_equal(r->quorum.at_least, 3);
    assert_int_equal(r->quorum.organisations, 2);
    assert_int_equal(r->quorum.within, 900);
    assert_int_equal(r->quorum.reject_at, 2);
    assert_true(strings_have(&r->quorum.except, "auditor"));
    assert_true(r->replicas.present && r->replicas.prove_signature);
    assert_float_equal(r->replicas.apart_km, 100, 0);
    assert_int_equal(r->replicas.placed_within.seconds, 7 * 86400);
    assert_int_equal(r->replicas.fresh.months, 12);
    assert_int_equal(r->replicas.spares, 1);
    assert_int_equal(policy_rule(p, "media")->replicas.spares, 8);
    assert_int_equal(policy_rule(p, "one")->replicas.spares, 0);
    assert_string_equal(r->replicas.hardware, "attested-by-people");
    assert_int_equal(r->key.lifetime.months, 24);
    assert_true(strings_have(&r->transport, "oaep-sha1"));
    assert_int_equal(policy_rule(p, "use")->effect, EFFECT_ALLOW);
    assert_int_equal(policy_rule(p, "use")->operations, 1u << OP_USE | 1u << OP_DESTROY);
    assert_int_equal(policy_rule(p, "use")->expires.seconds, 86400);
    assert_int_equal(p->version, 3);
    assert_int_equal(p->succession.at_least, 5);
    assert_int_equal(p->otherwise_line, FIXTURE_RULE_LINE + 16);
    assert_null(policy_rule(p, "none"));
    policy_free(p);
}

/* The canonical form is a document of the same meaning, and its digest does not depend on how the file is laid out. */
static void test_canonical(void **state)
{
    struct policy *p = fixture_policy(whole, FIXTURE_END), *again = NULL,
                  *spaced = fixture_policy(whole, "\n" FIXTURE_END);
    struct digest source;
    struct fault f = {0};

    (void)state;
    assert_true(digest_one(&source, buf_span(&p->source)));
    assert_true(digest_equal(&p->digest, &source));
    assert_int_equal(policy_parse("policy.json", buf_span(&p->canonical_json), &again, &f), OK);
    assert_true(digest_equal(&again->canonical, &p->canonical));
    assert_true(digest_equal(&again->digest, &p->canonical));
    assert_false(digest_equal(&again->digest, &p->digest));
    assert_int_equal(again->rule_count, p->rule_count);
    assert_true(digest_equal(&spaced->canonical, &p->canonical));
    assert_false(digest_equal(&spaced->digest, &p->digest));
    policy_free(again);
    policy_free(spaced);
    policy_free(p);
}

/* Every prefix of a policy is refused, or is a policy, and never anything worse. */
static void test_truncated(void **state)
{
    struct policy *p = fixture_policy(whole, FIXTURE_END);
    size_t len = p->source.len, accepted = 0;

    (void)state;
    for (size_t n = 0; n < len; n += 7) {
        struct policy *cut = NULL;
        struct fault f = {0};

        if (policy_parse("cut.yaml", span_of(p->source.data, n), &cut, &f) == OK)
            accepted++;
        else
            assert_true(f.text[0] != '\0' && cut == NULL);
        policy_free(cut);
    }
    assert_true(accepted <= 3); /* where only the succession is cut away */
    policy_free(p);
}

static void test_too_long(void **state)
{
    struct buf b = BUF(2 * LIMIT_DOCUMENT);
    struct policy *p = NULL;
    struct fault f = {0};

    (void)state;
    while (b.len <= LIMIT_DOCUMENT)
        buf_puts(&b, "# a comment\n");
    assert_int_equal(policy_parse("long.yaml", buf_span(&b), &p, &f), E_MEMORY);
    assert_null(p);
    buf_free(&b);
}

static void test_promotions(void **state)
{
    static const char text[] = HEAD ONE SITES "tokens:\n  - {id: t, primary: s1, replicas: [s2], failover: use}\n" TAIL;
    struct policy *p = NULL;
    struct fault f = {0};
    struct token *t = NULL;

    (void)state;
    assert_int_equal(policy_parse("p.yaml", span_str(text), &p, &f), OK);
    t = &p->tokens[0];
    assert_true(t->failover_use);
    token_promote(t, "s2");
    token_promote(t, "s2");
    assert_string_equal(t->primary, "s2");
    assert_string_equal(t->replicas.items[0], "s1");
    token_promote(t, "s3");
    assert_string_equal(t->primary, "s1");
    token_promote(t, NULL);
    assert_string_equal(t->replicas.items[0], "s2");
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),  cmocka_unit_test(test_rules),     cmocka_unit_test(test_whole),
        cmocka_unit_test(test_canonical),  cmocka_unit_test(test_truncated), cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_promotions), cmocka_unit_test(test_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
