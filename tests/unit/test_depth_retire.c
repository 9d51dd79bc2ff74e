#include "module/drill.h"
#include "module/retire.h"
#include "tests/unit/clock_off.h"
#include "tests/unit/one_estate.h"

/* A retirement that waits for a site that files are carried to: how its time, a suspension and a death end it. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"                                                                                          \
    "  - {id: sites, when: {operation: [retire-site, resume]}, require: {quorum: {of: authority, at-least: 2}}, "      \
    "expires: 30 days}\n"

static int setup(void **state)
{
    struct fault f;
    struct depth_question q;
    CK_OBJECT_HANDLE secret = CK_INVALID_HANDLE, public = CK_INVALID_HANDLE;
    (void)state;
    depth_begin(&d, RULES);
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-1", "");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    depth_forget(&q);
    return 0;
}

/* Glasgow's HSM, reached so from now on. */
static void reached(enum reach how)
{
    bound("glasgow")->reach = how;
}

static const struct state_intent *last_intent(void)
{
    const struct state *s = &d.world->estate->state;
    return &s->intents[s->intent_count - 1];
}

static void retire_says(const char *site, enum outcome wanted, const char *status, const char *text)
{
    struct fault f = {.text = ""};
    json_t *report = NULL;
    enum outcome outcome = retire_run(d.world, "root", site, &report, &f);
    if (outcome != wanted || (text != NULL && strstr(f.text, text) == NULL))
        fail_msg("%d: %s", outcome, f.text);
    if (status != NULL)
        assert_string_equal(json_string_or_null(report, "status"), status);
    json_decref(report);
}

/* Asked, approved, begun: it waits for glasgow. */
static void waits(void)
{
    struct digest request;
    reached(REACH_CARRIED);
    retire_says("cardiff", OK, "pending", NULL);
    request = d.world->estate->state.requests[d.world->estate->state.request_count - 1].id;
    depth_approve(d.world->estate, &request, "authority");
    retire_says("cardiff", OK, "waiting", NULL);
    assert_int_equal(last_intent()->state, INTENT_OPEN);
    assert_int_equal(last_intent()->until, last_intent()->at + LIMIT_INQUIRY);
}

static void settled(enum outcome wanted, const char *text)
{
    struct fault f = {.text = ""}, said = {.text = ""};
    enum outcome outcome = retirement_settle(d.world, last_intent()->seq, &said, &f);
    if (outcome != wanted || strstr(outcome == OK ? said.text : f.text, text) == NULL)
        fail_msg("%d: %s%s", outcome, said.text, f.text);
}

/* Whoever is at it has the lock: nobody else goes on with it. */
static void one_at_a_time(void **state)
{
    struct fault f;
    struct lock *lock = NULL;
    (void)state;
    waits();
    struct digest request = last_intent()->request;
    assert_good(birth_lock(d.world->estate, &request, &lock, &f));
    settled(OK, "being carried out by another process");
    retire_says("cardiff", E_BUSY, NULL, "being retired by another process");
    lock_release(lock);
    settled(OK, "glasgow: awaited until");
    retire_says("glasgow", E_REFUSED, NULL, "one site after the other");
    retire_says("cardiff", OK, "waiting", NULL);
}

/* What it waits for is not proven by a drill besides, but by its own; an HSM that is reached again is asked. */
static void proven_by_its_own_challenge(void **state)
{
    struct fault f;
    bool whole = false;
    (void)state;
    reached(REACH_MODULE);
    assert_good(drill_site(d.world, "root", "glasgow", NULL, NULL, &whole, &f));
    assert_true(whole);
    reached(REACH_CARRIED);
    settled(OK, "glasgow: awaited until");
}

/* Its time undoes it; the approval, whose time is longer, holds. */
static void undone_by_its_time(void **state)
{
    (void)state;
    clock_off = LIMIT_INQUIRY - 60;
    settled(OK, "glasgow: awaited until");
    clock_off = LIMIT_INQUIRY + 60;
    settled(E_REFUSED, "was awaited until");
    assert_int_equal(last_intent()->state, INTENT_ROLLED_BACK);
    assert_non_null(state_site(&d.world->estate->state, "root", "cardiff"));
    retire_says("cardiff", OK, "waiting", NULL);
    reached(REACH_MODULE);
    settled(E_REFUSED, "interrupted; it is rolled back, and the approval stands until");
    retire_says("cardiff", OK, "retired", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(proven_by_its_own_challenge),
        cmocka_unit_test(undone_by_its_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
