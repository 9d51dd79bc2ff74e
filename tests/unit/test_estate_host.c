#include "tests/unit/estate_fixture.h"

#include "estate/host.h"

/* A site that is elsewhere follows the host's log, and judges it: what does not hold is refused, and nothing of it stays. */

static struct estate *host_estate, *site_estate; /* estate_at_hand is one of them */

static void good(enum outcome o, const struct fault *f)
{
    if (o != OK)
        fail_msg("%s", f->text);
}

static json_t *pins(void)
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
static struct request *asked(const char *name, json_t *host, size_t approvals, struct policy **ret)
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
static void entered(const struct request *r, const struct policy *p, json_t *verdict_taken)
{
    struct fault f = {OK, ""};
    json_t *body = json_object();

    assert_true(json_put_digest(body, "canonical", &p->canonical) && json_put_digest(body, "digest", &p->digest) &&
                json_put_digest(body, "request", &r->id) && json_put_integer(body, "version", p->version) &&
                json_put(body, "verdict", verdict_taken));
    good(estate_append(estate_at_hand, ENTRY_POLICY, body, NULL, &f), &f);
    json_decref(body);
}

static json_t *forged_verdict(void)
{
    return json_pack("{s[ss]ssss}", "counted", "ann", "bob", "decision", "allow", "rule", "estate");
}

/* An intent that nobody approved: who holds the log's key can write it. */
static void forged_intent(const struct request *r, bool votes)
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

static void introduced(void)
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

static int setup(void **state)
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

static int teardown(void **state)
{
    estate_close(site_estate);
    estate_at_hand = host_estate;
    return estate_end(state);
}

static void exported(uint64_t from, const char *token, const char *site, struct buf *ret)
{
    struct fault f = {OK, ""};

    *ret = BUF(LIMIT_MESSAGE);
    good(message_compose(host_estate, MESSAGE_POLICY, token, site, from, NULL, ret, &f), &f);
}

/* What the site says of these bytes: "" where it takes them in. seen: of the host's log afterwards. */
static const char *followed(const struct buf *bytes, uint64_t *ret_seen)
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

static void taken_in(uint64_t from)
{
    struct buf bytes;
    uint64_t seen = 0;

    exported(from, "root", "there", &bytes);
    assert_string_equal(followed(&bytes, &seen), "");
    assert_int_equal(seen, log_size(host_estate->log));
    buf_free(&bytes);
}

/* `from` replaced by `to` in the newest message; refused with `why`, and nothing of it stays. */
static void refused(uint64_t from, const char *old, const char *new, const char *why)
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

static void the_log_is_followed(void **state)
{
    struct fault f = {OK, ""};
    struct host *h = NULL;
    struct request *r = NULL;
    struct policy *p = NULL;
    struct digest left, right;
    uint64_t size = log_size(host_estate->log), seq = 0;

    (void)state;
    taken_in(0);
    taken_in(0);    /* the same again */
    taken_in(size); /* nothing */
    policy_write("policy2.yaml", 2);
    r = asked("policy2.yaml", NULL, 2, &p);
    good(estate_intend(host_estate, r, NULL, NULL, &seq, &f), &f);
    entered(r, p, json_deep_copy(json_object_get(state_intent(&host_estate->state, seq)->body, "verdict")));
    taken_in(size - 1);
    good(host_open(site_estate, &h, &f), &f);
    assert_int_equal(h->copy->policy->version, 2);
    log_root(h->copy->log, &left);
    log_root(host_estate->log, &right);
    assert_true(digest_equal(&left, &right));
    /* The record is all there: a request's votes too. */
    assert_true(strlen(in("far/host/requests")) > 0);
    host_close(h);
    request_free(r);
    policy_free(p);
}

static void messages_for_others(void **state)
{
    struct buf bytes;

    (void)state;
    exported(0, "root", "elsewhere", &bytes);
    assert_non_null(strstr(followed(&bytes, NULL), "the message is for root at elsewhere"));
    buf_free(&bytes);
    exported(0, "toor", "there", &bytes);
    assert_non_null(strstr(followed(&bytes, NULL), "the message is for toor"));
    buf_free(&bytes);
    refused(0, digest_hex(&host_estate->state.estate).hex,
            "0000000000000000000000000000000000000000000000000000000000000000", "another estate");
}

static void gaps_and_steps_back(void **state)
{
    struct buf old;
    struct policy *p = NULL;

    (void)state;
    exported(0, "root", "there", &old);
    refused(1, NULL, NULL, "only 0 are known here");
    taken_in(0);
    policy_write("policy2.yaml", 2);
    request_free(asked("policy2.yaml", NULL, 1, &p));
    taken_in(0);
    assert_non_null(strstr(followed(&old, NULL), "older than what this site has seen"));
    buf_free(&old);
    policy_free(p);
}

static void altered_entries_and_notes(void **state)
{
    (void)state;
    refused(0, "\"person\":\"ann\"", "\"person\":\"bob\"", "");
    refused(0, "\"name\":\"fixture\"", "\"name\":\"fixturf\"", "signed root");
    refused(0, "\\n\\n", "\\n\\nx", "");
    taken_in(0);
}

/* A copy of the host's home that went on by itself, with the same key. */
static void a_fork_is_refused(void **state)
{
    struct fault f = {OK, ""};
    struct estate *original = host_estate, *other = NULL;
    struct policy *p = NULL;

    (void)state;
    taken_in(0);
    scratch_run("cp -a home home2");
    text_write("other.yaml", "home: ./home2\npolicy: ./policy.yaml\ntokens:\n  root:\n    here: {carried: true}\n");
    policy_write("policy2.yaml", 2);
    request_free(asked("policy2.yaml", NULL, 1, &p));
    policy_free(p);
    taken_in(0);
    good(estate_open(in("other.yaml"), &other, &f), &f);
    host_estate = estate_at_hand = other;
    request_free(asked("policy2.yaml", NULL, 2, &p));
    policy_free(p);
    refused(0, NULL, NULL, "forks the host's log");
    estate_close(other);
    host_estate = estate_at_hand = original;
}

static void what_nobody_approved(void **state)
{
    struct policy *p = NULL;
    struct request *r = NULL;

    (void)state;
    taken_in(0);
    policy_write("policy2.yaml", 2);
    r = asked("policy2.yaml", NULL, 1, &p);
    forged_intent(r, true);
    refused(0, NULL, NULL, "computed again, the verdict is pending");
    request_free(r);
    policy_free(p);
}

static void a_policy_out_of_nowhere(void **state)
{
    struct policy *p = NULL;
    struct request *r = NULL;

    (void)state;
    taken_in(0);
    policy_write("policy2.yaml", 2);
    r = asked("policy2.yaml", NULL, 2, &p);
    entered(r, p, forged_verdict());
    refused(0, NULL, NULL, "nothing that was decided says so");
    request_free(r);
    policy_free(p);
}

/* Votes that the intent leaves out, or a signature that is another's. */
static void votes_that_do_not_hold(void **state)
{
    struct policy *p = NULL;
    struct request *r = NULL;
    char mine[128], theirs[128];
    struct buf der = BUF(LIMIT_SIGNATURE);
    struct fault f = {OK, ""};

    (void)state;
    taken_in(0);
    policy_write("policy2.yaml", 2);
    r = asked("policy2.yaml", NULL, 2, &p);
    forged_intent(r, false);
    snprintf(mine, sizeof mine, "home/requests/%s/ann.p7s", digest_hex(&r->id).hex);
    snprintf(theirs, sizeof theirs, "%s", mine);
    refused(0, NULL, NULL, "does not rest on every vote");
    sign(1, 1, buf_span(&r->bytes), &der);
    good(file_replace(in(mine), buf_span(&der), 0644, &f), &f);
    refused(0, NULL, NULL, "not the signature that the log names");
    buf_free(&der);
    request_free(r);
    policy_free(p);
}

/* An older copy of the site's folder of the host's log would let a host say everything again. */
static void a_copy_that_was_put_back(void **state)
{
    struct fault f = {OK, ""};
    struct host *h = NULL;
    json_t *body = json_object();

    (void)state;
    taken_in(0);
    good(host_open(site_estate, &h, &f), &f);
    assert_true(host_seen_put(h, body));
    host_close(h);
    h = NULL;
    good(estate_append(site_estate, ENTRY_SEEN, body, NULL, &f), &f);
    json_decref(body);
    scratch_run("rm -rf far/host");
    assert_int_equal(host_open(site_estate, &h, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "our own log says were seen"));
}

static void a_home_that_was_never_introduced(void **state)
{
    struct fault f = {OK, ""};
    struct host *h = NULL;

    (void)state;
    assert_int_equal(host_open(host_estate, &h, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "quorate introduce"));
}

static void an_examination_keeps_nothing(void **state)
{
    struct fault f = {OK, ""};
    struct buf bytes;
    struct message m = {0};
    struct estate *seen = NULL;
    struct note_key key;

    (void)state;
    exported(0, "root", "there", &bytes);
    good(message_read(buf_span(&bytes), &m, &f), &f);
    good(host_examine(&m, &seen, &key, &f), &f);
    assert_true(digest_equal(&seen->state.estate, &host_estate->state.estate));
    assert_int_equal(seen->policy->version, 1);
    assert_memory_equal(key.public_key, log_first_key(host_estate->log)->public_key, 32);
    estate_close(seen);
    message_clear(&m);
    buf_free(&bytes);
    exported(1, "root", "there", &bytes);
    good(message_read(buf_span(&bytes), &m, &f), &f);
    assert_int_equal(host_examine(&m, &seen, &key, &f), E_INVALID);
    assert_non_null(strstr(f.text, "--from 0"));
    message_clear(&m);
    buf_free(&bytes);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_log_is_followed),
        T(messages_for_others),
        T(gaps_and_steps_back),
        T(altered_entries_and_notes),
        T(a_fork_is_refused),
        T(what_nobody_approved),
        T(a_policy_out_of_nowhere),
        T(votes_that_do_not_hold),
        T(a_copy_that_was_put_back),
        T(a_home_that_was_never_introduced),
        T(an_examination_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
