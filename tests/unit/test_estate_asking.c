#include "tests/unit/estate_fixture.h"

static void ask(const char *label, struct answer *ret)
{
    struct fault f = {OK, ""};

    if (estate_ask(estate_at_hand, question(label), NULL, ret, &f) != OK)
        fail_msg("%s", f.text);
}

static bool finding_says(const struct verdict *v, const char *words)
{
    for (size_t i = 0; i < v->finding_count; i++)
        if (strstr(v->findings[i].text, words) != NULL)
            return true;
    return false;
}

static uint64_t count_type(enum entry_type type)
{
    struct fault f = {OK, ""};
    uint64_t count = 0;

    for (uint64_t i = 0; i < log_size(estate_at_hand->log); i++) {
        struct buf line = BUF(LIMIT_ENTRY);
        struct entry e = {0};

        assert_int_equal(log_entry_bytes(estate_at_hand->log, i, &line, &f), OK);
        assert_int_equal(entry_parse(buf_span(&line), &e, &f), OK);
        count += e.type == type;
        entry_clear(&e);
        buf_free(&line);
    }
    return count;
}

static void nothing_without_a_policy(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0};

    (void)state;
    assert_int_equal(estate_ask(estate_at_hand, question("x"), NULL, &a, &f), E_ABSENT);
    assert_non_null(strstr(f.text, "quorate policy adopt"));
    assert_int_equal(estate_policy_in_force(estate_at_hand, &f), E_ABSENT);
}

static void a_plain_allow_leaves_no_trace(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0};
    json_t *s = NULL;
    uint64_t before = 0;

    (void)state;
    adopt("policy.yaml");
    before = log_size(estate_at_hand->log);
    s = asking_subject(estate_at_hand, OP_USE, NULL);
    assert_true(json_put_string(s, "token", "root") && json_put_string(s, "function", "C_Sign"));
    assert_int_equal(estate_ask(estate_at_hand, s, NULL, &a, &f), OK);
    assert_true(a.plain);
    assert_null(a.request);
    assert_int_equal(log_size(estate_at_hand->log), before);
}

static void a_denial_is_logged_once_and_leaves_no_request(void **state)
{
    struct answer a = {0};

    (void)state;
    adopt("policy.yaml");
    for (int i = 0; i < 3; i++) {
        ask("bad-1", &a);
        assert_null(a.request);
        assert_int_equal(a.verdict->decision, DECISION_DENY);
        assert_string_equal(a.verdict->rule_id, "never");
        answer_clear(&a);
    }
    assert_int_equal(count_type(ENTRY_REFUSED), 1);
}

static void the_same_question_finds_its_request(void **state)
{
    struct answer a = {0}, b = {0}, other = {0};

    (void)state;
    adopt("policy.yaml");
    ask("k", &a);
    ask("k", &b);
    ask("l", &other);
    assert_true(digest_equal(&a.request->id, &b.request->id));
    assert_false(digest_equal(&a.request->id, &other.request->id));
    assert_int_equal(a.verdict->decision, DECISION_PENDING);
    assert_int_equal(count_type(ENTRY_REFUSED), 2);
    answer_clear(&a);
    answer_clear(&b);
    answer_clear(&other);
}

static void a_quorum_leads_to_an_intent_once(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0}, again = {0};
    uint64_t intent = 0;

    (void)state;
    adopt("policy.yaml");
    ask("k", &a);
    assert_int_equal(estate_intend(estate_at_hand, a.request, NULL, NULL, &intent, &f), E_PENDING);
    assert_int_equal(approve(a.request, 0, &f), OK);
    assert_int_equal(estate_intend(estate_at_hand, a.request, NULL, NULL, &intent, &f), E_PENDING);
    assert_int_equal(approve(a.request, 1, &f), OK);
    ask("k", &again);
    assert_int_equal(again.verdict->decision, DECISION_ALLOW);
    assert_int_equal(estate_intend(estate_at_hand, a.request, NULL, NULL, &intent, &f), OK);
    assert_int_equal(estate_intend(estate_at_hand, a.request, NULL, NULL, &intent, &f), E_BUSY);
    answer_clear(&again);
    answer_clear(&a);
}

static void a_dropped_signature_counts_and_is_logged(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0}, again = {0};
    struct buf der = BUF(LIMIT_SIGNATURE);
    char name[200];

    (void)state;
    adopt("policy.yaml");
    ask("k", &a);
    for (size_t i = 0; i < 2; i++) {
        sign(i, i, buf_span(&a.request->bytes), &der);
        snprintf(name, sizeof name, "home/requests/%s/%s.p7s", digest_hex(&a.request->id).hex, person_ids[i]);
        assert_int_equal(file_replace(in(name), buf_span(&der), 0644, &f), OK);
        buf_clear(&der);
    }
    ask("k", &again);
    assert_int_equal(again.verdict->decision, DECISION_ALLOW);
    assert_int_equal(count_type(ENTRY_APPROVAL), 4); /* two of them for the policy */
    answer_clear(&again);
    ask("k", &again);
    assert_int_equal(count_type(ENTRY_APPROVAL), 4);
    answer_clear(&again);
    answer_clear(&a);
    buf_free(&der);
}

static void what_does_not_count_says_why(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0}, other = {0}, again = {0};
    struct buf der = BUF(LIMIT_SIGNATURE);

    (void)state;
    adopt("policy.yaml");
    ask("k", &a);
    ask("l", &other);
    /* a leaver's approval is recorded, and named in the verdict */
    assert_int_equal(approve(a.request, 4, &f), OK);
    ask("k", &again);
    assert_true(finding_says(again.verdict, "left"));
    assert_int_equal(again.verdict->counted.count, 0);
    answer_clear(&again);
    /* twice by one person */
    assert_int_equal(approve(a.request, 0, &f), OK);
    assert_int_equal(approve(a.request, 0, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "already"));
    /* another person's certificate */
    sign(1, 1, buf_span(&a.request->bytes), &der);
    assert_int_equal(estate_approve(estate_at_hand, a.request, "cy", buf_span(&der), &f), E_REFUSED);
    assert_non_null(strstr(f.text, "signed by bob, not by cy"));
    /* for another request */
    assert_int_equal(estate_approve(estate_at_hand, other.request, "bob", buf_span(&der), &f), E_REFUSED);
    /* nobody */
    assert_int_equal(estate_approve(estate_at_hand, a.request, "eve", buf_span(&der), &f), E_REFUSED);
    answer_clear(&a);
    answer_clear(&other);
    buf_free(&der);
}

static void an_altered_signature_stops_counting(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0}, again = {0};
    char name[200];

    (void)state;
    adopt("policy.yaml");
    ask("k", &a);
    assert_int_equal(approve(a.request, 0, &f), OK);
    assert_int_equal(approve(a.request, 1, &f), OK);
    snprintf(name, sizeof name, "home/requests/%s/bob.p7s", digest_hex(&a.request->id).hex);
    assert_int_equal(unlink(in(name)), 0);
    ask("k", &again);
    assert_int_equal(again.verdict->decision, DECISION_PENDING);
    assert_true(finding_says(again.verdict, "bob"));
    answer_clear(&again);
    text_write(name, "rubbish");
    ask("k", &again);
    assert_int_equal(again.verdict->decision, DECISION_PENDING);
    answer_clear(&again);
    answer_clear(&a);
}

static void rejections_close_a_request(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0};

    (void)state;
    adopt("policy.yaml");
    ask("k", &a);
    assert_int_equal(approve(a.request, 0, &f), OK);
    assert_int_equal(approve(a.request, 1, &f), OK);
    assert_int_equal(reject(a.request, 1, "not today", &f), OK); /* outweighs bob's approval; ann, cy, dee remain */
    assert_int_equal(state_request(&estate_at_hand->state, &a.request->id)->state, REQUEST_PENDING);
    assert_int_equal(reject(a.request, 2, "nor ever", &f), OK);
    assert_int_equal(reject(a.request, 3, "no", &f), OK); /* nobody but ann is left */
    assert_int_equal(state_request(&estate_at_hand->state, &a.request->id)->state, REQUEST_REJECTED);
    assert_int_equal(approve(a.request, 2, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "rejected"));
    answer_clear(&a);
}

static void a_new_policy_voids_what_is_pending(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0};

    (void)state;
    adopt("policy.yaml");
    ask("k", &a);
    policy_write("policy.yaml", 2);
    assert_int_equal(estate_policy_in_force(estate_at_hand, &f), E_REFUSED);
    adopt("policy.yaml");
    assert_int_equal(estate_policy_in_force(estate_at_hand, &f), OK);
    assert_int_equal(state_request(&estate_at_hand->state, &a.request->id)->state, REQUEST_VOID);
    assert_int_equal(approve(a.request, 0, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "void"));
    answer_clear(&a);
}

static void an_altered_request_is_refused(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0};
    struct request *r = NULL;
    char name[200];
    struct digest id;

    (void)state;
    adopt("policy.yaml");
    ask("k", &a);
    assert_int_equal(estate_request_find(estate_at_hand, "zz", &id, &f), E_INVALID);
    assert_int_equal(estate_request_find(estate_at_hand, "000000000000", &id, &f), E_ABSENT);
    snprintf(name, sizeof name, "home/requests/%s/request.json", digest_hex(&a.request->id).hex);
    text_write(name, "{}");
    assert_int_not_equal(estate_request(estate_at_hand, &a.request->id, &r, &f), OK);
    assert_null(r);
    answer_clear(&a);
}

/* Writes that many requests that nobody decided. */
static void requests_log(size_t count)
{
    struct fault f = {OK, ""};

    assert_int_equal(log_begin(estate_at_hand->log, &f), OK);
    for (size_t i = 0; i < count; i++) {
        json_t *body = json_object();
        struct digest id;

        if (i % 1024 == 0)
            log_group(estate_at_hand->log);
        assert_true(random_bytes(id.bytes, sizeof id.bytes));
        assert_true(json_put_digest(body, "request", &id) && json_put_digest(body, "subject", &id) &&
                    json_put_string(body, "operation", "generate") && json_put_string(body, "rule", "two") &&
                    json_put_moment(body, "expires", moment_now() + 3600));
        assert_int_equal(log_append(estate_at_hand->log, ENTRY_REQUEST, NULL, body, NULL, &f), OK);
        if (i % 1024 == 1023 || i + 1 == count)
            assert_int_equal(log_group_end(estate_at_hand->log, &f), OK);
        json_decref(body);
    }
    log_end(estate_at_hand->log);
}

static void an_application_cannot_fill_the_home(void **state)
{
    struct fault f = {OK, ""};
    struct answer a = {0}, last = {0}, again = {0}, officer = {0};
    json_t *suspend = NULL;
    uint64_t before = 0;

    (void)state;
    adopt("policy.yaml");
    ask("k", &a);
    requests_log(LIMIT_PENDING - 2);
    ask("l", &last);
    assert_int_equal(last.verdict->decision, DECISION_PENDING);
    before = log_size(estate_at_hand->log);
    assert_int_equal(estate_ask(estate_at_hand, question("m"), NULL, &again, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "quorate request list"));
    assert_int_equal(log_size(estate_at_hand->log), before);
    /* what was asked before goes on, what nobody can approve is refused as ever, and officers are not in its way */
    ask("k", &again);
    assert_true(digest_equal(&again.request->id, &a.request->id));
    answer_clear(&again);
    ask("bad-1", &again);
    assert_int_equal(again.verdict->decision, DECISION_DENY);
    answer_clear(&again);
    suspend = asking_subject(estate_at_hand, OP_SUSPEND, NULL);
    assert_true(json_put_string(suspend, "scope", "estate") && json_put_string(suspend, "reason", "flooded"));
    assert_int_equal(estate_ask(estate_at_hand, suspend, NULL, &officer, &f), OK);
    assert_non_null(officer.request);
    /* both are decided: there is room for one */
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(reject(a.request, i, "not wanted", &f), OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(reject(officer.request, i, "not wanted", &f), OK);
    answer_clear(&officer);
    assert_int_equal(estate_ask(estate_at_hand, question("m"), NULL, &again, &f), OK);
    answer_clear(&again);
    assert_int_equal(estate_ask(estate_at_hand, question("n"), NULL, &again, &f), E_REFUSED);
    /* all are over */
    for (size_t i = 0; i < estate_at_hand->state.request_count; i++)
        estate_at_hand->state.requests[i].expires = moment_now();
    assert_int_equal(estate_ask(estate_at_hand, question("n"), NULL, &again, &f), OK);
    answer_clear(&again);
    answer_clear(&last);
    answer_clear(&a);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, estate_make, estate_end)
    const struct CMUnitTest tests[] = {
        T(nothing_without_a_policy),
        T(a_plain_allow_leaves_no_trace),
        T(a_denial_is_logged_once_and_leaves_no_request),
        T(the_same_question_finds_its_request),
        T(a_quorum_leads_to_an_intent_once),
        T(a_dropped_signature_counts_and_is_logged),
        T(what_does_not_count_says_why),
        T(an_altered_signature_stops_counting),
        T(rejections_close_a_request),
        T(a_new_policy_voids_what_is_pending),
        T(an_altered_request_is_refused),
        T(an_application_cannot_fill_the_home),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
