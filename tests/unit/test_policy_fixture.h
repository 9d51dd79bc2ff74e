#ifndef QUORATE_TESTS_POLICY_FIXTURE_H
#define QUORATE_TESTS_POLICY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/limits.h"
#include "policy/evaluate.h"

/* One roster, three sites and one token for all policy tests; the rules are each test's own. */

#define T0 INT64_C(1780272000) /* 2026-06-01T00:00:00Z */

/* A fingerprint that stands for a person's certificate: the SHA-256 of the id. */
static inline struct digest fixture_print(const char *id)
{
    struct digest d;

    assert_true(digest_one(&d, span_str(id)));
    return d;
}

static inline void fixture_person(struct buf *b, const char *id, const char *organisation, const char *roles,
                                  const char *more)
{
    struct digest d = fixture_print(id);

    buf_putf(b, "  - {id: %s, name: %s, organisation: %s, roles: [%s], fingerprint: \"sha256:%s\"%s}\n", id, id,
             organisation, roles, digest_hex(&d).hex, more);
}

/* The document up to `rules:`; the first rule's line is FIXTURE_RULE_LINE. */
#define FIXTURE_RULE_LINE 29u
static inline void fixture_head(struct buf *b)
{
    buf_puts(b, "quorate: 1\nsemantics: 1\nname: smki\nversion: 3\npeople:\n");
    fixture_person(b, "c1", "Operator", "key-custodian", "");
    fixture_person(b, "c2", "Operator", "key-custodian", "");
    fixture_person(b, "c3", "Provider", "key-custodian", "");
    fixture_person(b, "c4", "Provider", "key-custodian", "");
    fixture_person(b, "c5", "Assurer", "key-custodian", "");
    fixture_person(b, "old", "Operator", "key-custodian", ", until: 2026-06-01");
    fixture_person(b, "new", "Operator", "key-custodian", ", from: 2026-07-01");
    fixture_person(b, "alt1", "Provider", "witness", ", alternate-for: c1");
    fixture_person(b, "alt2", "Assurer", "key-custodian", ", alternate-for: c1");
    fixture_person(b, "alt3", "Operator", "witness", ", alternate-for: {person: c3, from: 2026-06-02}");
    fixture_person(b, "admin", "Operator", "administrator, key-custodian", "");
    fixture_person(b, "a1", "Authority", "authority", "");
    fixture_person(b, "a2", "Authority", "authority", "");
    fixture_person(b, "a3", "Authority", "authority", ", alternate-for: new");
    fixture_person(b, "w1", "Assurer", "witness", ", alternate-for: old");
    buf_puts(b, "sites:\n"
                "  - {id: slough, at: [51.51, -0.59], country: GB, tags: [mainland]}\n"
                "  - {id: cardiff, at: [51.48, -3.18], country: GB, tags: [mainland]}\n"
                "  - {id: glasgow, at: [55.86, -4.25], country: GB, tags: [mainland, north]}\n"
                "  - {id: windsor, at: [51.48, -0.61], country: GB, tags: [mainland]}\n"
                "tokens:\n"
                "  - {id: root, primary: slough, replicas: [cardiff, glasgow, windsor]}\nrules:\n");
}

/* rules: the list's text; the closing lines follow. */
static inline enum outcome fixture_parse(const char *rules, const char *end, struct policy **ret, struct fault *f)
{
    struct buf b = BUF(LIMIT_DOCUMENT);
    enum outcome o = E_INVALID;

    fixture_head(&b);
    buf_puts(&b, rules);
    buf_puts(&b, end);
    assert_false(b.failed);
    o = policy_parse("policy.yaml", buf_span(&b), ret, f);
    buf_free(&b);
    return o;
}

#define FIXTURE_END "otherwise: deny\nsuccession: {quorum: {of: [authority, key-custodian], at-least: 5}}\n"

static inline struct policy *fixture_policy(const char *rules, const char *end)
{
    struct policy *p = NULL;
    struct fault f = {0};

    if (fixture_parse(rules, end, &p, &f) != OK)
        fail_msg("%s", f.text);
    return p;
}

#define FIXTURE_COMMON                                                                                                 \
    "\"environment\":\"rehearsal\",\"estate\":\"0000000000000000000000000000000000000000000000000000000000000000\","   \
    "\"origin\":\"example/log\""

/* A subject from the members that are not common to all. */
static inline json_t *fixture_subject(const char *members, const char *requester)
{
    struct buf b = BUF(LIMIT_REQUEST);
    json_t *json = NULL;
    json_error_t e;

    buf_putf(&b, "{" FIXTURE_COMMON ",\"requester\":\"%s\",%s}", requester, members);
    json = json_loads(buf_str(&b), JSON_REJECT_DUPLICATES, &e);
    if (json == NULL)
        fail_msg("%s in %s", e.text, buf_str(&b));
    buf_free(&b);
    return json;
}

#endif
