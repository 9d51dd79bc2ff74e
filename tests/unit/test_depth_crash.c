#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/death.h"
#include "tests/unit/one_estate.h"

/* Processes that die at any durable step of the log: a birth leaves, after recovery, a whole key or none. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"
#define LABEL "app-crash"

static int setup(void **state)
{
    (void)state;
    depth_make(&d, RULES);
    depth_enrol(&d, "slough");
    depth_enrol(&d, "cardiff");
    world_close(d.world);
    d.world = NULL;
    return 0;
}

static void world_begin(void)
{
    struct fault f;
    assert_good(world_open(d.bindings, &d.world, &f));
}

static void world_end(void)
{
    world_close(d.world);
    d.world = NULL;
}

/* A child's whole life. 0: it went through. */
static int birthing(unsigned step)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    if (world_open(d.bindings, &d.world, &f) != OK)
        return 2;
    depth_login(&d);
    if (depth_ask(&d, &q, CKM_EC_KEY_PAIR_GEN, LABEL, "crash-id") != DECISION_ALLOW)
        return 3;
    die_at_step(step);
    return depth_birth(&d, &q, &secret, &public, &f) == OK ? 0 : 4;
}

/* True: the child died at its step; otherwise it must have come through. */
static bool died_at(int life(unsigned step), unsigned step)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(life(step));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!died)
        assert_int_equal(WEXITSTATUS(status), 0);
    return died;
}

static int enrolling(unsigned step)
{
    struct fault f;
    json_t *report = NULL;
    if (world_open(d.bindings, &d.world, &f) != OK)
        return 2;
    die_at_step(step);
    return enrol_run(d.world, "root", "glasgow", NULL, &report, &f) == OK &&
                   strcmp(depth_status(report), "enrolled") == 0
               ? 0
               : 4;
}

/* An enrolment takes up where it was cut off, with the same keys and the same approvals. */
static void enrolment_at_every_step(void **state)
{
    struct fault f;
    struct digest id = {0};
    json_t *report = NULL;
    unsigned step = 1;
    (void)state;
    world_begin();
    assert_good(enrol_run(d.world, "root", "glasgow", NULL, &report, &f));
    assert_good(digest_parse(json_string_or_null(report, "request"), &id, &f));
    depth_approve(d.world->estate, &id, "authority");
    json_decref(report);
    world_end();
    while (died_at(enrolling, step)) {
        world_begin();
        assert_good(settle_run(d.world, NULL, &f));
        world_end();
        step++;
    }
    assert_true(step > 5);
    world_begin();
    const struct state_site *s = state_site(&d.world->estate->state, "root", "glasgow");
    assert_non_null(s);
    assert_true(s->placed);
    assert_int_equal(state_request(&d.world->estate->state, &id)->state, REQUEST_SPENT);
    assert_int_equal(depth_count(&d, "glasgow", CKO_PRIVATE_KEY, "quorate:transport"), 1);
    assert_int_equal(depth_count(&d, "glasgow", CKO_PRIVATE_KEY, "quorate:identity"), 1);
    world_end();
}

static void approve_anew(void)
{
    struct depth_question q;
    world_begin();
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, LABEL, "crash-id");
    depth_forget(&q);
    world_end();
}

static size_t keys_living(void)
{
    const struct state *s = &d.world->estate->state;
    size_t count = 0;
    for (size_t i = 0; i < s->key_count; i++)
        count += !s->keys[i].destroyed && strcmp(s->keys[i].label, LABEL) == 0;
    return count;
}

static void check_settled(void)
{
    struct fault f;
    json_t *report = json_array();
    struct strings offers = {0};
    const struct state *s = &d.world->estate->state;
    char *path = estate_path(d.world->estate, "offers", NULL);
    assert_good(settle_run(d.world, report, &f));
    for (size_t i = 0; i < s->intent_count; i++)
        assert_true(s->intents[i].state == INTENT_SETTLED || s->intents[i].state == INTENT_ROLLED_BACK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PRIVATE_KEY, LABEL), keys_living());
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PUBLIC_KEY, LABEL), keys_living());
    }
    assert_good(folder_list(path, &offers, &f));
    assert_int_equal(offers.count, 0);
    strings_free(&offers);
    free(path);
    json_decref(report);
}

/* Destroys the born key behind the estate's back, so that the next round may use its CKA_ID again. */
static void forget_keys(void)
{
    struct fault f;
    for (size_t i = 0; i < 3; i++) {
        struct site_link link = {0};
        assert_good(site_open(d.world, "root", depth_sites[i], i == 0 ? SITE_EITHER : SITE_MODULE, &link, &f));
        assert_good(site_destroy(&link, span_str("crash-id"), &f));
        site_close(&link);
    }
    const struct state_key *k = state_key(&d.world->estate->state, "root", "private-key", "63726173682d6964", LABEL);
    assert_non_null(k);
    json_t *body = json_object();
    assert_true(json_put_string(body, "class", "private-key") && json_put_string(body, "id", k->id) &&
                json_put_string(body, "label", LABEL) && json_put_string(body, "token", "root"));
    assert_good(estate_append(d.world->estate, ENTRY_DESTROYED, body, NULL, &f));
    json_decref(body);
}

static void birth_at_every_step(void **state)
{
    unsigned step = 1, finished = 0, rolled_back = 0;
    bool died = true;
    (void)state;
    for (; died; step++) {
        approve_anew();
        died = died_at(birthing, step);
        world_begin();
        if (d.world == NULL)
            return;
        check_settled();
        const struct state_key *k =
            state_key(&d.world->estate->state, "root", "private-key", "63726173682d6964", LABEL);
        finished += k != NULL;
        rolled_back += k == NULL;
        if (k != NULL)
            forget_keys();
        world_end();
    }
    print_message("%u steps: %u rolled back, %u finished\n", step - 1, rolled_back, finished);
    assert_true(rolled_back > 3 && finished > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(enrolment_at_every_step),
                                       cmocka_unit_test(birth_at_every_step)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
