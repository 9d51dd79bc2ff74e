#include "tests/unit/host_fixture.h"

/* The host's log key is changed: the site goes by the one that its quorum decided, and by no other. */

/* The entry that puts the host's next log key in force; decided by its quorum, or by whoever holds the key before. */
static void log_key_changed(bool decided)
{
    struct fault f = {OK, ""};
    struct estate *e = host_estate;
    struct answer a = {0};
    struct buf vkey = BUF(1024);
    struct note_key key;
    uint64_t seq = 0;
    json_t *subject = asking_subject(e, OP_CHANGE_LOG_KEY, NULL), *body = json_object();

    good(log_begin(e->log, &f), &f);
    good(log_next_key(e->log, &key, &f), &f);
    log_end(e->log);
    note_key_put(&key, &vkey);
    assert_true(json_put_string(subject, "log-key", buf_str(&vkey)));
    good(estate_ask(e, subject, NULL, &a, &f), &f);
    for (size_t i = 0; decided && i < 2; i++)
        good(approve(a.request, i, &f), &f);
    if (decided)
        good(estate_intend(e, a.request, NULL, NULL, &seq, &f), &f);
    else
        forged_intent(a.request, true);
    assert_true(json_put_string(body, "log-key", buf_str(&vkey)) && json_put_digest(body, "request", &a.request->id) &&
                json_put(body, "verdict",
                         decided ? json_deep_copy(json_object_get(state_intent(&e->state, seq)->body, "verdict"))
                                 : forged_verdict()));
    good(estate_append(e, ENTRY_LOG_KEY, body, NULL, &f), &f);
    good(log_begin(e->log, &f), &f); /* from here on it signs */
    log_end(e->log);
    json_decref(body);
    answer_clear(&a);
    buf_free(&vkey);
}

/* The site goes on under the key that the host's quorum put in the place of the one that was pinned. */
static void the_hosts_key_is_changed(void **state)
{
    struct policy *p = NULL;

    (void)state;
    taken_in(0);
    log_key_changed(true);
    policy_write("policy2.yaml", 2);
    request_free(asked("policy2.yaml", NULL, 1, &p)); /* signed by the new key */
    taken_in(0);
    policy_free(p);
}

static void the_hosts_key_is_changed_by_nobody(void **state)
{
    struct policy *p = NULL;

    (void)state;
    taken_in(0);
    log_key_changed(false);
    refused(0, NULL, NULL, "computed again, the verdict is pending");
    policy_write("policy2.yaml", 2);
    request_free(asked("policy2.yaml", NULL, 1, &p));
    refused(0, NULL, NULL, "");
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_hosts_key_is_changed),
        T(the_hosts_key_is_changed_by_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
