#include <stdio.h>
#include <stdlib.h>

#include "policy/quorum.h"
#include "tests/unit/test_policy_rows.h"

/* Evaluation as one table (test_policy_rows.h): rules, subject, votes and world in; decision, rule, counted people and
 * findings out. */

struct scene {
    struct vote votes[16];
    size_t vote_count;
    struct site_fact sites[4];
    size_t site_count;
    struct ceremony_fact ceremony;
    struct key_fact key;
    char made_in[32];
    struct strings held;
    struct evidence e;
    struct request_frame frame;
    bool framed;
    char requester[32], rule[32], script[32], step[32], operation[32];
};

static const struct strings no_tags = {0};

static int64_t number(const char *text)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);

    assert_true(end != text);
    return value;
}

static void site_read(struct scene *s, const struct policy *p, const char *text)
{
    struct site_fact *fact = &s->sites[s->site_count++];
    char id[32] = "";
    const struct site *home = NULL;
    size_t n = strcspn(text, "!@~#%+>");

    assert_true(n < sizeof id && s->site_count <= 4);
    memcpy(id, text, n);
    home = policy_site(p, id);
    assert_non_null(home);
    *fact = (struct site_fact){.token = "root",
                               .site = home->id,
                               .enrolled = true,
                               .placed = true,
                               .latitude = home->at.latitude,
                               .longitude = home->at.longitude,
                               .country = home->at.country,
                               .tags = &home->at.tags,
                               .at_home = true,
                               .hardware = "attested-by-people"};
    for (text += n; *text != '\0'; text++) {
        if (*text == '!')
            fact->enrolled = false;
        else if (*text == '@') { /* on a table in Paris */
            fact->latitude = 48.86;
            fact->longitude = 2.35;
            fact->country = "FR";
            fact->tags = &no_tags;
            fact->at_home = false;
        } else if (*text == '~')
            fact->placed = fact->at_home = false;
        else if (*text == '>')
            fact->away = true, fact->placed = fact->at_home = false;
        else if (*text == '#')
            fact->hardware = "attested-by-vendor";
        else if (*text == '%')
            fact->hardware = NULL;
        else
            fact->drilled = T0 - 86400;
    }
}

static void sites_read(struct scene *s, const struct policy *p, const char *list)
{
    char copy[256], *rest = NULL;

    snprintf(copy, sizeof copy, "%s", list);
    s->site_count = 0;
    for (char *at = strtok_r(copy, ",", &rest); at != NULL; at = strtok_r(NULL, ",", &rest))
        site_read(s, p, at);
}

static void held_read(struct scene *s, const char *list)
{
    char copy[256], *rest = NULL;

    snprintf(copy, sizeof copy, "%s", list);
    for (char *at = strtok_r(copy, ",", &rest); at != NULL; at = strtok_r(NULL, ",", &rest))
        assert_true(strings_add(&s->held, at));
}

static void ceremony_read(struct scene *s, const char *text)
{
    assert_int_equal(sscanf(text, "%31[^/]/%31[^/]/%31s", s->script, s->step, s->operation), 3);
    s->ceremony = (struct ceremony_fact){
        .id = "ceremony-1", .script = s->script, .step = s->step, .operation = operation_parse(s->operation)};
    s->e.ceremony = &s->ceremony;
}

static void world_word(struct scene *s, const struct policy *p, const char *word)
{
    const char *value = strchr(word, '=');

    value = value == NULL ? "" : value + 1;
    if (strcmp(word, "voided") == 0)
        s->frame.policy.bytes[0] ^= 1;
    else if (strcmp(word, "suspended") == 0)
        s->e.suspended = true;
    else if (strcmp(word, "framed") == 0)
        s->framed = true;
    else if (strncmp(word, "expires=", 8) == 0)
        s->frame.expires = T0 + number(value);
    else if (strncmp(word, "at=", 3) == 0)
        s->e.at = T0 + number(value);
    else if (strncmp(word, "requester=", 10) == 0)
        snprintf(s->requester, sizeof s->requester, "%s", value);
    else if (strncmp(word, "rule=", 5) == 0)
        snprintf(s->rule, sizeof s->rule, "%s", value);
    else if (strncmp(word, "ceremony=", 9) == 0)
        ceremony_read(s, value);
    else if (strncmp(word, "sites=", 6) == 0)
        sites_read(s, p, value);
    else if (strncmp(word, "held=", 5) == 0)
        held_read(s, value);
    else if (strncmp(word, "born=", 5) == 0) {
        s->key = (struct key_fact){.born = T0 + number(value) * 86400, .sites = &s->held};
        s->e.key = &s->key;
    } else if (strncmp(word, "provisional=", 12) == 0) {
        s->key.provisional = true;
        s->key.until = T0 + 600;
        snprintf(s->made_in, sizeof s->made_in, "%s", value);
        s->key.ceremony = strcmp(value, "-") == 0 ? NULL : s->made_in;
    } else
        fail_msg("unknown word %s", word);
}

static void vote_read(struct scene *s, const char *word)
{
    struct vote *v = &s->votes[s->vote_count++];
    char who[32] = "", key[32] = "";
    bool rejects = *word == '-';
    const char *at = strchr(word, '@'), *same = strchr(word, '=');
    int len = 0;

    assert_true(s->vote_count <= 16 && at != NULL);
    word += rejects;
    len = (int)((same == NULL ? at : same) - word);
    snprintf(who, sizeof who, "%.*s", len, word);
    snprintf(key, sizeof key, "%.*s", same == NULL ? len : (int)(at - same) - 1, same == NULL ? word : same + 1);
    *v = (struct vote){.kind = strcmp(who, "?") == 0 ? VOTE_UNUSABLE
                               : rejects             ? VOTE_REJECTION
                                                     : VOTE_APPROVAL,
                       .fingerprint = fixture_print(who),
                       .at = T0 + number(at == NULL ? "" : at + 1),
                       .seq = s->vote_count,
                       .what = rejects ? "not now" : "c9.p7s: not a DER CMS structure"};
    assert_true(digest_of(&v->public_key, 2, span_str("key"), span_str(key)));
}

static void scene_read(struct scene *s, const struct row *row, const struct policy *p)
{
    char copy[512], *rest = NULL;

    *s = (struct scene){.requester = "uid:1000"};
    s->e.at = T0 + 100;
    s->frame = (struct request_frame){
        .policy = p->digest, .policy_version = p->version, .made = T0 - 1000, .expires = T0 + 7 * 86400};
    snprintf(s->rule, sizeof s->rule, "%s", row->rule);
    sites_read(s, p, "slough,cardiff,glasgow,windsor");
    snprintf(copy, sizeof copy, "%s", row->votes);
    for (char *at = strtok_r(copy, " ", &rest); at != NULL; at = strtok_r(NULL, " ", &rest))
        vote_read(s, at);
    snprintf(copy, sizeof copy, "%s", row->world);
    for (char *at = strtok_r(copy, " ", &rest); at != NULL; at = strtok_r(NULL, " ", &rest))
        world_word(s, p, at);
    s->frame.rule = s->rule;
    s->frame.ceremony = s->framed ? "ceremony-1" : NULL;
    s->frame.step = s->framed ? "s1" : NULL;
    s->e.votes = s->votes;
    s->e.vote_count = s->vote_count;
    s->e.sites = s->sites;
    s->e.site_count = s->site_count;
}

static bool has_finding(const struct verdict *v, const char *code)
{
    for (size_t i = 0; i < v->finding_count; i++)
        if (strcmp(v->findings[i].code, code) == 0)
            return true;
    return false;
}

static bool row_compare(const struct row *row, const struct verdict *v)
{
    char copy[256], *rest = NULL;
    struct buf counted = BUF(1024), said = BUF(LIMIT_DOCUMENT);
    bool good = v->decision == row->decision && strcmp(v->rule_id, row->rule) == 0;

    for (size_t i = 0; i < v->counted.count; i++)
        buf_putf(&counted, "%s%s", i == 0 ? "" : " ", v->counted.items[i]);
    good = good && strcmp(buf_str(&counted), row->counted) == 0;
    snprintf(copy, sizeof copy, "%s", row->finding);
    for (char *at = strtok_r(copy, " ", &rest); at != NULL; at = strtok_r(NULL, " ", &rest))
        good = good && (*at == '!' ? !has_finding(v, at + 1) : has_finding(v, at));
    if (!good) {
        verdict_put(v, &said);
        print_error(
            "row \"%s\": wanted %s by %s, counted \"%s\", findings %s; counted \"%s\", and this came out:\n%s\n",
            row->name, decision_name(row->decision), row->rule, row->counted, row->finding, buf_str(&counted),
            buf_str(&said));
    }
    buf_free(&counted);
    buf_free(&said);
    return good;
}

static struct verdict *row_judge(const struct row *row, struct policy **ret_policy)
{
    struct scene s;
    struct policy *p = fixture_policy(row->rules, FIXTURE_END);
    json_t *subject = NULL;
    struct request *r = NULL;
    struct verdict *v = NULL;
    struct fault f = {0};

    scene_read(&s, row, p);
    subject = fixture_subject(row->subject, s.requester);
    if (request_compose(subject, &s.frame, &r, &f) != OK)
        fail_msg("row \"%s\": %s", row->name, f.text);
    if (policy_evaluate(p, r, &s.e, &v, &f) != OK)
        fail_msg("row \"%s\": %s", row->name, f.text);
    json_decref(subject);
    request_free(r);
    strings_free(&s.held);
    *ret_policy = p;
    return v;
}

static void test_table(void **state)
{
    size_t wrong = 0;

    (void)state;
    assert_true(sizeof rows / sizeof *rows >= 80);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy *p = NULL;
        struct verdict *v = row_judge(&rows[i], &p);

        wrong += !row_compare(&rows[i], v);
        verdict_free(v);
        policy_free(p);
    }
    assert_int_equal(wrong, 0);
}

static void sites_are(const char *rules, const char *world, const char *want)
{
    const struct row row = {"sites", rules, GENERATE, "", world, DECISION_ALLOW, "r", "", ""};
    struct policy *p = NULL;
    struct verdict *v = row_judge(&row, &p);
    struct buf got = BUF(256);

    for (size_t i = 0; i < v->sites.count; i++)
        buf_putf(&got, "%s%s", i == 0 ? "" : " ", v->sites.items[i]);
    assert_string_equal(buf_str(&got), want);
    buf_free(&got);
    verdict_free(v);
    policy_free(p);
}

static void test_sites(void **state)
{
    (void)state;
    sites_are(REPLICAS(""), "", "cardiff glasgow windsor");
    sites_are(APART, "", "cardiff glasgow"); /* Windsor lies beside Slough */
    sites_are(REPLICAS(", sites: [glasgow, windsor]"), "", "glasgow windsor");
    sites_are(APART, "sites=slough,glasgow,windsor", "glasgow");
    sites_are(REPLICAS(""), "sites=slough!,cardiff", "");
    /* of two largest sets the one of the first declared */
    sites_are(REPLICAS(", apart-km: 200"), "sites=slough@,cardiff,glasgow,windsor", "cardiff glasgow");
}

static void test_words(void **state)
{
    const struct row row = {"words", THREE_OF_TWO, GENERATE, "c1@1 -c2@2 old@3", "", DECISION_PENDING, "r", "c1", ""};
    struct policy *p = NULL;
    struct verdict *v = row_judge(&row, &p);
    struct buf b = BUF(LIMIT_DOCUMENT);
    json_t *json = verdict_json(v);
    struct fault f = {0};

    (void)state;
    assert_int_equal(v->line, FIXTURE_RULE_LINE);
    verdict_put(v, &b);
    assert_string_equal(
        buf_str(&b),
        "policy.yaml:29: rule \"r\": pending\n"
        "  against: c2 (Operator) rejected it on 2026-06-01T00:00:02Z: not now\n"
        "  met: c1 (Operator) approved on 2026-06-01T00:00:01Z\n"
        "  note: old approved, which does not count: had left the roster\n"
        "  missing: 1 of 3 approvals by key-custodian from 1 of 2 organisations; these can still approve: c3, c4, c5, "
        "alt1, alt2 and admin\n");
    buf_clear(&b);
    verdict_put_short(v, &b);
    assert_string_equal(buf_str(&b),
                        "waits, by policy.yaml:29: rule \"r\": 1 of 3 approvals by key-custodian from 1 of 2 "
                        "organisations; these can still approve: c3, c4, c5, alt1, alt2 and admin");
    buf_clear(&b);
    assert_int_equal(json_canonical(json, &b, &f), OK);
    assert_string_equal(buf_str(&b), "{\"counted\":[\"c1\"],\"decision\":\"pending\",\"rule\":\"r\"}");
    json_decref(json);
    buf_free(&b);
    verdict_free(v);
    policy_free(p);
}

/* A reason or a file's name may hold what moves a terminal's cursor. */
static void test_terminal(void **state)
{
    struct policy *p = fixture_policy(QUORUM("at-least: 1"), FIXTURE_END);
    json_t *subject = fixture_subject(GENERATE, "uid:0");
    struct vote vote = {.kind = VOTE_UNUSABLE, .what = "\033[2Jc1.p7s"};
    struct evidence e = {.at = T0, .votes = &vote, .vote_count = 1};
    struct request_frame frame = {.rule = "r", .policy = p->digest, .made = T0, .expires = T0 + 1};
    struct request *r = NULL;
    struct verdict *v = NULL;
    struct fault f = {0};
    struct buf b = BUF(LIMIT_DOCUMENT);

    (void)state;
    assert_int_equal(request_compose(subject, &frame, &r, &f), OK);
    assert_int_equal(policy_evaluate(p, r, &e, &v, &f), OK);
    verdict_put(v, &b);
    assert_null(strchr(buf_str(&b), '\033'));
    assert_non_null(strstr(buf_str(&b), "c1.p7s"));
    buf_free(&b);
    verdict_free(v);
    request_free(r);
    json_decref(subject);
    policy_free(p);
}

static void test_key_in_order(void **state)
{
    struct policy *p = fixture_policy(BORN("", ", lifetime: 1 day"), FIXTURE_END);
    struct key_fact key = {.born = T0};
    struct evidence e = {.at = T0 + 86399, .key = &key};
    const char *code = NULL;
    struct buf why = BUF(1024);

    (void)state;
    assert_true(policy_key_in_order(p, "root", "app-1", "private-key", &e, &code, &why));
    assert_int_equal(why.len, 0);
    e.at = T0 + 86400;
    assert_false(policy_key_in_order(p, "root", "app-1", "private-key", &e, &code, &why));
    assert_string_equal(code, "lifetime");
    assert_non_null(strstr(buf_str(&why), "2026-06-02T00:00:00Z"));
    assert_true(policy_key_in_order(p, "root", "tls-1", "private-key", &e, &code, &why));
    e.key = NULL;
    assert_true(policy_key_in_order(p, "root", "app-1", "private-key", &e, &code, &why));
    buf_free(&why);
    policy_free(p);
}

static void test_succession_absent(void **state)
{
    struct policy *p = fixture_policy("  []\n", "otherwise: deny\n");
    json_t *subject = fixture_subject(SUCCEED, "uid:0");
    struct evidence e = {.at = T0};
    struct request_frame frame = {.rule = "succession", .policy = p->digest, .made = T0, .expires = T0 + 1};
    struct request *r = NULL;
    struct verdict *v = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(request_compose(subject, &frame, &r, &f), OK);
    assert_int_equal(policy_evaluate(p, r, &e, &v, &f), OK);
    assert_int_equal(v->decision, DECISION_DENY);
    assert_true(has_finding(v, "succession"));
    verdict_free(v);
    request_free(r);
    json_decref(subject);
    policy_free(p);
}

static void capacity_is(const struct policy *p, const char *ids, size_t people, size_t organisations)
{
    bool marked[32] = {false};
    char copy[64], *rest = NULL;
    struct capacity c = {0};

    snprintf(copy, sizeof copy, "%s", ids);
    for (char *id = strtok_r(copy, " ", &rest); id != NULL; id = strtok_r(NULL, " ", &rest))
        marked[policy_person(p, id) - p->people] = true;
    assert_true(quorum_capacity(p, marked, T0, &c));
    assert_int_equal(c.people, people);
    assert_int_equal(c.organisations, organisations);
}

/* One place stands for one organisation at a time, whoever of its holders comes. */
static void test_capacity(void **state)
{
    struct policy *p = fixture_policy("  []\n", FIXTURE_END);

    (void)state;
    capacity_is(p, "", 0, 0);
    capacity_is(p, "c1 c2 c3", 3, 2);
    capacity_is(p, "c1 alt1", 1, 1);
    capacity_is(p, "c1 c2 alt1", 2, 2); /* c2 for the Operator, so that alt1 may stand for the Provider */
    capacity_is(p, "c1 alt1 alt2 c2 admin", 3, 2);
    policy_free(p);
}

static void test_distance(void **state)
{
    (void)state;
    assert_float_equal(place_distance_km(51.51, -0.59, 51.48, -3.18), 179.3, 0.5);
    assert_float_equal(place_distance_km(0, 0, 0, 180), 20015.1, 0.5);
    assert_float_equal(place_distance_km(12, 34, 12, 34), 0, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),    cmocka_unit_test(test_sites),        cmocka_unit_test(test_words),
        cmocka_unit_test(test_terminal), cmocka_unit_test(test_key_in_order), cmocka_unit_test(test_succession_absent),
        cmocka_unit_test(test_distance), cmocka_unit_test(test_capacity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
