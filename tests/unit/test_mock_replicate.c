#include "module/drill.h"
#include "module/recovery.h"
#include "module/replicate.h"
#include "tests/unit/mock_sites_fixture.h"
#include "tests/unit/one_estate.h"

/* Keys that exist are brought to an HSM that people clone to, by its vendor's own tools: the third site. */

#define BIRTH(label, more)                                                                                             \
    "  - id: birth of " label "\n"                                                                                     \
    "    when: {operation: generate, token: root, label: \"^" label "-\"}\n"                                           \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature" more "}}\n"
#define WAY(label, more)                                                                                               \
    "  - id: way of " label "\n"                                                                                       \
    "    when: {operation: replicate, token: root, label: \"^" label "-\"}\n"                                          \
    "    require: {quorum: {of: key-custodian, at-least: 2}" more "}\n"
#define CLONES ", transport: {allow: [cloned]}"
#define RULES                                                                                                          \
    BIRTH("late", ", deferred: 1 hours")                                                                               \
    WAY("late", CLONES)                                                                                                \
    BIRTH("brief", ", deferred: 2 seconds")                                                                            \
    WAY("brief", CLONES) BIRTH("now", "") WAY("now", CLONES) BIRTH("kept", ", deferred: 1 hours") WAY("kept", "")

static int setup(void **state)
{
    (void)state;
    mock_binding_more[2] = ", cloned: acme";
    mock_sites_make(&d, RULES);
    return 0;
}

/* A key at the first two sites, born while the third was away. */
static const struct state_key *born(const char *label)
{
    const struct state *s = &d.world->estate->state;
    struct depth_question q;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    struct fault f;
    hsm_steer(2, "absent 2");
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, label, "");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    depth_forget(&q);
    hsm_steer(2, "present 2");
    assert_int_equal(s->keys[s->key_count - 1].sites.count, 2);
    return &s->keys[s->key_count - 1];
}

/* *ret_status: what the answer says; empty where there is none. */
static enum outcome brought(const char *label, char *ret_status, char *ret_missing, struct fault *f)
{
    json_t *report = NULL;
    const char *status = NULL, *missing = NULL;
    enum outcome outcome = replicate_run(d.world, "root", label, "glasgow", &report, f);
    status = json_string_or_null(report, "status");
    missing = json_string_or_null(report, "missing");
    snprintf(ret_status, 32, "%s", status != NULL ? status : "");
    snprintf(ret_missing, 1024, "%s", missing != NULL ? missing : "");
    json_decref(report);
    return outcome;
}

static const struct state_intent *last_intent(void)
{
    const struct state *s = &d.world->estate->state;
    return &s->intents[s->intent_count - 1];
}

static void asked_and_approved(const char *label)
{
    struct state *s = &d.world->estate->state;
    char status[32], missing[1024];
    struct fault f;
    assert_good(brought(label, status, missing, &f));
    assert_string_equal(status, "pending");
    depth_approve(d.world->estate, &s->requests[s->request_count - 1].id, "key-custodian");
}

/* The vendor's tool: from the primary to the third site. */
static void tool(const char *id, const char *how)
{
    char line[256];
    snprintf(line, sizeof line, "clone-out 0 %s/keys", d.folder);
    hsm_steer(0, line);
    snprintf(line, sizeof line, "clone-in 2 %s/keys %s %s", d.folder, id, how);
    hsm_steer(2, line);
}

static void count_at_each(const char *label, size_t third)
{
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PRIVATE_KEY, label), i == 2 ? third : 1);
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PUBLIC_KEY, label), i == 2 ? third : 1);
    }
}

static void under_its_own_id(void **state)
{
    const struct state *s = &d.world->estate->state;
    char id[64], status[32], missing[1024];
    struct fault f;
    json_t *report = NULL;
    (void)state;
    snprintf(id, sizeof id, "%s", born("late-1")->id);
    asked_and_approved("late-1");
    assert_good(brought("late-1", status, missing, &f));
    assert_string_equal(status, "provisional");
    assert_non_null(strstr(missing, id));
    assert_non_null(strstr(missing, "from slough to glasgow with acme"));
    assert_int_equal(last_intent()->state, INTENT_PROVISIONAL);
    size_t intents = s->intent_count;
    assert_good(brought("late-1", status, missing, &f));
    assert_string_equal(status, "provisional");
    assert_int_equal(s->intent_count, intents);
    /* What could leave that HSM is not the key: undone there, and nowhere else. */
    tool(id, "extractable");
    assert_int_equal(brought("late-1", status, missing, &f), E_REFUSED);
    assert_text("rolled back");
    assert_int_equal(last_intent()->state, INTENT_ROLLED_BACK);
    count_at_each("late-1", 0);
    /* The same approvals do; without its public half too. */
    assert_good(brought("late-1", status, missing, &f));
    assert_string_equal(status, "provisional");
    tool(id, "private");
    assert_good(brought("late-1", status, missing, &f));
    assert_string_equal(status, "replicated");
    assert_int_equal(last_intent()->state, INTENT_SETTLED);
    count_at_each("late-1", 1);
    assert_good(brought("late-1", status, missing, &f));
    assert_string_equal(status, "held");
    assert_good(drill_run(d.world, "root", "glasgow", &report, &f));
    assert_int_equal(json_integer_value(json_object_get(report, "unproven")), 0);
    json_decref(report);
}

static void gone_when_its_time_is_over(void **state)
{
    char id[64], status[32], missing[1024];
    struct fault f;
    (void)state;
    snprintf(id, sizeof id, "%s", born("brief-1")->id);
    asked_and_approved("brief-1");
    assert_good(brought("brief-1", status, missing, &f));
    assert_string_equal(status, "provisional");
    tool(id, "");
    count_at_each("brief-1", 1);
    while (moment_now() <= last_intent()->until)
        usleep(20000);
    assert_good(settle_run(d.world, NULL, &f));
    assert_int_equal(last_intent()->state, INTENT_ROLLED_BACK);
    assert_int_equal(last_intent()->orphans.count, 0);
    count_at_each("brief-1", 0);
}

/* By the rule of its birth no receipt may come later: nobody is asked. By the rule of its way people may not clone it. */
static void only_as_the_rules_say(void **state)
{
    const struct state *s = &d.world->estate->state;
    char status[32], missing[1024];
    struct fault f;
    (void)state;
    born("now-1");
    size_t requests = s->request_count;
    assert_int_equal(brought("now-1", status, missing, &f), E_REFUSED);
    assert_text("does not say `deferred`");
    assert_int_equal(s->request_count, requests);
    born("kept-1");
    asked_and_approved("kept-1");
    size_t intents = s->intent_count;
    assert_int_equal(brought("kept-1", status, missing, &f), E_REFUSED);
    assert_text("by the tools of acme");
    assert_text("`transport: {allow: [cloned]}`");
    assert_int_equal(s->intent_count, intents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(under_its_own_id),
        cmocka_unit_test(gone_when_its_time_is_over),
        cmocka_unit_test(only_as_the_rules_say),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
