#include "module/grant.h"
#include "tests/unit/governed_fixture.h"

/* A change, which a rule plainly allows, of a key with replicas: all sites alike, or none, wherever it stops. */

static CK_FUNCTION_LIST *hsm;
static CK_RV (*real_set)(CK_SESSION_HANDLE, CK_OBJECT_HANDLE, CK_ATTRIBUTE_PTR, CK_ULONG);
static unsigned sets, fails_at; /* 0: none fails */

static CK_RV counted_set(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_PTR t, CK_ULONG count)
{
    return ++sets == fails_at ? CKR_DEVICE_ERROR : real_set(s, o, t, count);
}

static CK_RV rename_to(CK_OBJECT_HANDLE key, const char *label)
{
    char text[64];
    CK_ATTRIBUTE t[] = {{CKA_LABEL, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_SetAttributeValue(session, key, t, 1);
}

static CK_OBJECT_HANDLE replicated(const char *label)
{
    CK_OBJECT_HANDLE public = 0, key = 0;

    approved(make_pair(session, label, true, &public, &key));
    return key;
}

static void named_everywhere(const char *label, size_t wanted)
{
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(count_at(depth_sites[i], CKO_PRIVATE_KEY, label), wanted);
}

static void settle(void)
{
    struct world *w = world_current();
    struct fault f = {0};

    pthread_mutex_lock(&w->lock);
    assert_good(grants_settle(w, "root", NULL, &f));
    pthread_mutex_unlock(&w->lock);
}

static int begin(void **state)
{
    int rc = life_begin(state);

    hsm = world_lower(world_current(), SOFTHSM)->f;
    real_set = hsm->C_SetAttributeValue;
    hsm->C_SetAttributeValue = counted_set;
    sets = fails_at = 0;
    return rc;
}

static int end(void **state)
{
    hsm->C_SetAttributeValue = real_set;
    return life_end(state);
}

static const struct state_intent *last_intent(void)
{
    const struct state *s = &world_current()->estate->state;

    return &s->intents[s->intent_count - 1];
}

static void all_sites_follow_and_nobody_is_asked(void **state)
{
    CK_OBJECT_HANDLE key = replicated("rep-free-1");
    size_t before = pending();

    (void)state;
    assert_ok(rename_to(key, "rep-free-2"));
    assert_int_equal(sets, 3);
    assert_int_equal(pending(), before);
    named_everywhere("rep-free-2", 1);
    named_everywhere("rep-free-1", 0);
    assert_non_null(key_named("rep-free-2"));
    assert_string_equal(last_intent()->operation, "modify");
    assert_int_equal(last_intent()->state, INTENT_SETTLED);
    assert_ok(rename_to(key, "rep-free-1"));
    named_everywhere("rep-free-1", 1);
}

/* The other name is under another rule, and both count. */
static void the_new_name_is_asked_about_all_the_same(void **state)
{
    CK_OBJECT_HANDLE key = replicated("rep-free-3");

    (void)state;
    assert_rv(rename_to(key, "rep-held"), CKR_ACTION_PROHIBITED);
    assert_int_equal(sets, 0);
    approve_all();
    assert_ok(rename_to(key, "rep-held"));
    named_everywhere("rep-held", 1);
}

static void it_stops_at_a_site(void **state)
{
    CK_OBJECT_HANDLE key = replicated("rep-free-4");

    (void)state;
    fails_at = 1; /* the primary: nothing is changed */
    assert_rv(rename_to(key, "rep-free-5"), CKR_DEVICE_ERROR);
    named_everywhere("rep-free-4", 1);
    assert_int_equal(last_intent()->state, INTENT_ROLLED_BACK);
    sets = 0;
    fails_at = 3; /* one replica is behind, and recovery goes on with it */
    assert_rv(rename_to(key, "rep-free-5"), CKR_DEVICE_ERROR);
    assert_int_equal(count_at("slough", CKO_PRIVATE_KEY, "rep-free-5"), 1);
    assert_int_equal(last_intent()->state, INTENT_OPEN);
    settle();
    assert_int_equal(last_intent()->state, INTENT_SETTLED);
    named_everywhere("rep-free-5", 1);
    assert_non_null(key_named("rep-free-5"));
}

static void not_where_a_site_is_away(void **state)
{
    CK_OBJECT_HANDLE key = replicated("rep-free-6");
    struct world *w = world_current();
    size_t requests = w->estate->state.request_count;
    const struct binding *bound = bindings_site(w->estate->bindings, "root", "glasgow");
    char *serial = bound->serial, other[] = "0000000000000000";

    (void)state;
    ((struct binding *)(uintptr_t)bound)->serial = other;
    assert_rv(rename_to(key, "rep-free-7"), CKR_DEVICE_ERROR);
    assert_non_null(strstr(refusal_text(), "glasgow"));
    ((struct binding *)(uintptr_t)bound)->serial = serial;
    assert_int_equal(sets, 0);
    assert_int_equal(w->estate->state.request_count, requests);
    named_everywhere("rep-free-6", 1);
    assert_ok(rename_to(key, "rep-free-7"));
    named_everywhere("rep-free-7", 1);
}

#define CHANGE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {CHANGE(all_sites_follow_and_nobody_is_asked),
                                       CHANGE(the_new_name_is_asked_about_all_the_same), CHANGE(it_stops_at_a_site),
                                       CHANGE(not_where_a_site_is_away)};

    return cmocka_run_group_tests(tests, make_home, home_end);
}
