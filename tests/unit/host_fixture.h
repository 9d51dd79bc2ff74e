#ifndef QUORATE_TESTS_HOST_FIXTURE_H
#define QUORATE_TESTS_HOST_FIXTURE_H

#include "tests/unit/estate_fixture.h"

#include "estate/host.h"

/* A host and a site that is elsewhere, each with its home; for tests of what the site makes of the host's log. */

static struct estate *host_estate, *site_estate; /* estate_at_hand is one of them */

static inline void good(enum outcome o, const struct fault *f)
{
    if (o != OK)
        fail_msg("%s", f->text);
}

static inline json_t *pins(void)
{
    struct buf vkey = BUF(LIMIT_NOTE);
    struct estate *h = host_estate;
    json_t *json = NULL;

    note_key_put(log_first_key(h->log), &vkey);
    json = json_pack("{ssssssssssss}", "environment", h->state.environment, "estate", digest_hex(&h->state.estate).hex,
                     "log-key", buf_str(&vkey), "origin", h->state.origin, "site", "there", "token", "root");
    assert_non_null(json);
    buf_free(&vkey);
    return json;
}

/* A request for adopt-policy of the file, with `host` (taken, may be NULL), approved by so many. */
static inline struct request *asked(const char *name, json_t *host, size_t approvals, struct policy **ret)
{
    struct fault f = {OK, ""};
    struct estate *e = estate_at_hand;
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct answer a = {0};
    struct asking_context c = {0};
    struct digest kept;
    struct request *r = NULL;
    json_t *subject = asking_subject(e, OP_ADOPT_POLICY, NULL), *policy = json_object();

    good(file_read(in(name), true, &bytes, &f), &f);
    good(policy_parse(name, buf_span(&bytes), ret, &f), &f);
    c.judge = e->policy == NULL ? *ret : NULL;
    good(estate_roster_import(e, *ret, scratch, &f), &f);
    good(estate_keep(e, "policies", ".yaml", buf_span(&bytes), &kept, &f), &f);
    assert_true(json_put_digest(policy, "canonical", &(*ret)->canonical) &&
                json_put_digest(policy, "digest", &(*ret)->digest) &&
                json_put_integer(policy, "version", (*ret)->version) && json_put(subject, "policy", policy) &&
                (host == NULL || json_put(subject, "host", host)));
    good(estate_ask(e, subject, &c, &a, &f), &f);
    assert_non_null(a.request);
    for (size_t i = 0; i < approvals; i++)
        good(approve(a.request, i, &f), &f);
    r = a.request;
    a.request = NULL;
    answer_clear(&a);
    buf_free(&bytes);
    return r;
}

/* The entry `policy` of that request, with a verdict that may be forged. */
static inline void entered(const struct request *r, const struct policy *p, json_t *verdict_taken)
{
    struct fault f = {OK, ""};
    json_t *body = json_object();

    assert_true(json_put_digest(body, "canonical", &p->canonical) && json_put_digest(body, "digest", &p->digest) &&
                json_put_digest(body, "request", &r->id) && json_put_integer(body, "version", p->version) &&
                json_put(body, "verdict", verdict_taken));
    good(estate_append(estate_at_hand, ENTRY_POLICY, body, NULL, &f), &f);
    json_decref(body);
}

static inline json_t *forged_verdict(void)
{
    return json_pack("{s[ss]ssss}", "counted", "ann", "bob", "decision", "allow", "rule", "estate");
}

/* An intent that nobody approved: who holds the log's key can write it. */
static inline void forged_intent(const struct request *r, bool votes)
{
    struct fault f = {OK, ""};
    const struct state_request *known = state_request(&estate_at_hand->state, &r->id);
    json_t *body = json_object(), *evidence = json_object(), *seqs = json_array();

    for (size_t i = 0; votes && i < known->vote_count; i++)
        json_array_append_new(seqs, json_integer((json_int_t)known->votes[i].seq));
    assert_true(json_put(evidence, "approvals", seqs) && json_put(evidence, "rejections", json_array()) &&
                json_put_moment(evidence, "at", log_time(estate_at_hand->log)) &&
                json_put(body, "evidence", evidence) &&
                json_put_string(body, "operation", operation_name(r->subject->operation)) &&
                json_put_digest(body, "request", &r->id) && json_put(body, "verdict", forged_verdict()));
    good(estate_append(estate_at_hand, ENTRY_INTENT, body, NULL, &f), &f);
    json_decref(body);
}

static inline void introduced(void)
{
    struct fault f = {OK, ""};
    struct policy *p = NULL;
    uint64_t seq = 0;
    struct request *r = NULL;
    json_t *body = pins(), *verdict = NULL;
    struct asking_context c = {0};

    estate_at_hand = site_estate;
    r = asked("policy.yaml", pins(), 2, &p);
    c.judge = p;
    good(estate_intend(site_estate, r, &c, NULL, &seq, &f), &f);
    verdict = json_object_get(state_intent(&site_estate->state, seq)->body, "verdict");
    assert_true(json_put_digest(body, "request", &r->id) && json_put(body, "verdict", json_deep_copy(verdict)));
    good(estate_append(site_estate, ENTRY_INTRODUCED, body, NULL, &f), &f);
    entered(r, p, json_deep_copy(json_object_get(state_intent(&site_estate->state, seq)->body, "verdict")));
    assert_non_null(site_estate->state.host);
    assert_string_equal(site_estate->state.host->site, "there");
    estate_at_hand = host_estate;
    json_decref(body);
    request_free(r);
    policy_free(p);
}

static inline int setup(void **state)
{
    struct fault f = {OK, ""};

    if (estate_make(state) != 0)
        return -1;
    host_estate = estate_at_hand;
    text_write("far.yaml", "home: ./far\npolicy: ./policy.yaml\ntokens:\n  root:\n    here: {carried: true}\n");
    good(estate_create(in("far.yaml"), "test", "far.test/1", &f), &f);
    good(estate_open(in("far.yaml"), &site_estate, &f), &f);
    adopt("policy.yaml");
    introduced();
    return 0;
}

static inline int teardown(void **state)
{
    estate_close(site_estate);
    estate_at_hand = host_estate;
    return estate_end(state);
}

static inline void exported(uint64_t from, const char *token, const char *site, struct buf *ret)
{
    struct fault f = {OK, ""};

    *ret = BUF(LIMIT_MESSAGE);
    good(message_compose(host_estate, MESSAGE_POLICY, token, site, from, NULL, ret, &f), &f);
}

/* What the site says of these bytes: "" where it takes them in. seen: of the host's log afterwards. */
static inline const char *followed(const struct buf *bytes, uint64_t *ret_seen)
{
    static struct fault f;
    struct message m = {0};
    struct host *h = NULL;

    f = (struct fault){OK, ""};
    good(host_open(site_estate, &h, &f), &f);
    if (message_read(buf_span(bytes), &m, &f) == OK && host_follow(h, &m, &f) == OK)
        f.text[0] = '\0';
    message_clear(&m);
    host_close(h);
    if (ret_seen != NULL) {
        struct fault g = {OK, ""};

        good(host_open(site_estate, &h, &g), &g);
        *ret_seen = h->copy->state.size;
        host_close(h);
    }
    return f.text;
}

static inline void taken_in(uint64_t from)
{
    struct buf bytes;
    uint64_t seen = 0;

    exported(from, "root", "there", &bytes);
    assert_string_equal(followed(&bytes, &seen), "");
    assert_int_equal(seen, log_size(host_estate->log));
    buf_free(&bytes);
}

/* `from` replaced by `to` in the newest message; refused with `why`, and nothing of it stays. */
static inline void refused(uint64_t from, const char *old, const char *new, const char *why)
{
    struct buf bytes = BUF(0), bad = BUF(LIMIT_MESSAGE);
    uint64_t before = 0, after = 0;
    struct fault f = {OK, ""};
    struct host *h = NULL;
    const char *at = NULL, *said = NULL;

    good(host_open(site_estate, &h, &f), &f);
    before = h->copy->state.size;
    host_close(h);
    exported(from, "root", "there", &bytes);
    at = old != NULL ? strstr(buf_str(&bytes), old) : NULL;
    assert_true(old == NULL || at != NULL);
    if (old != NULL) {
        buf_put(&bad, bytes.data, (size_t)(at - buf_str(&bytes)));
        buf_puts(&bad, new);
        buf_puts(&bad, at + strlen(old));
    }
    said = followed(old != NULL ? &bad : &bytes, &after);
    if (strstr(said, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", said, why);
    assert_int_equal(before, after);
    buf_free(&bad);
    buf_free(&bytes);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
