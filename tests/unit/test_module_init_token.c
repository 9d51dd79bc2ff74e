#include "module/token_keys.h"
#include "tests/unit/governed_fixture.h"

/* A token that is made new forgets its keys, and the record says so of each; of one estate, in this order. */

static CK_UTF8CHAR so_pin[] = "97531", user_pin[] = PIN, label[32] = "anything                        ";

static CK_RV make_new(void)
{
    return q->C_InitToken(0, so_pin, sizeof(so_pin) - 1, label);
}

/* Past the module: the user's PIN as it was. */
static void give_pin(void)
{
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *hsm = below(&slot);
    CK_SESSION_HANDLE s = 0;

    assert_ok(hsm->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s));
    assert_ok(hsm->C_Login(s, CKU_SO, so_pin, sizeof(so_pin) - 1));
    assert_ok(hsm->C_InitPIN(s, user_pin, sizeof(user_pin) - 1));
    assert_ok(hsm->C_CloseSession(s));
}

static int life_without_sessions(void **state)
{
    (void)state;
    assert_ok(initialise());
    return 0;
}

#define WITHOUT_SESSIONS(test) cmocka_unit_test_setup_teardown(test, life_without_sessions, life_end)

static void keys_make(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0;

    session = open_session(CKF_RW_SESSION);
    assert_ok(login(session));
    if (!key_named("gov-one"))
        assert_ok(make_pair(session, "gov-one", true, &public, &private));
    if (!key_named("gov-two"))
        make_aes("gov-two", false);
}

static size_t living(void)
{
    const struct state *s = &world_current()->estate->state;
    size_t count = 0;

    for (size_t i = 0; i < s->key_count; i++)
        count += !s->keys[i].destroyed;
    return count;
}

static void settle(uint64_t intent)
{
    struct world *w = world_current();
    struct fault f = {0};

    assert_good(estate_refresh(w->estate, &f));
    assert_good(settle_run(w, NULL, &f));
    assert_int_equal(state_intent(&w->estate->state, intent)->state, INTENT_SETTLED);
}

static void a_death_before_ends_no_key(void **state)
{
    (void)state;
    keys_make();
    assert_rv(make_new(), CKR_FUNCTION_REJECTED);
    assert_int_equal(living(), 2);
    approve_all();
    settle(begun_and_dead(NULL));
    assert_int_equal(living(), 2);
    assert_int_equal(logged(ENTRY_DESTROYED), 0);
    assert_int_equal(count_at("slough", CKO_SECRET_KEY, "gov-two"), 1);
    assert_rv(make_new(), CKR_FUNCTION_REJECTED); /* the approval is spent */
}

/* Its keys are gone, whatever the record says so far. */
static void a_death_after_ends_them_all(void **state)
{
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *hsm = below(&slot);
    uint64_t intent = 0;

    (void)state;
    assert_rv(make_new(), CKR_FUNCTION_REJECTED);
    approve_all();
    intent = begun_and_dead(NULL);
    assert_ok(hsm->C_InitToken(slot, so_pin, sizeof(so_pin) - 1, label));
    settle(intent);
    assert_int_equal(living(), 0);
    assert_int_equal(logged(ENTRY_DESTROYED), 2);
    give_pin();
}

/* Not made new, but short of one key: that one alone is ended. */
static void what_is_still_there_lives(void **state)
{
    struct token_keys keys = {.items = NULL};
    struct fault f = {0};
    CK_OBJECT_HANDLE lower = 0;
    struct session_view view = {0};
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *hsm = below(&slot);
    CK_OBJECT_HANDLE found[8];
    uint64_t intent = 0;

    (void)state;
    keys_make();
    assert_good(token_keys_of(world_current(), "root", &keys, &f));
    assert_int_equal(keys.count, 2);
    assert_false(keys.replicated);
    token_keys_clear(&keys);
    assert_rv(make_new(), CKR_FUNCTION_REJECTED);
    approve_all();
    intent = begun_and_dead(NULL);
    assert_int_equal(find_label(session, "gov-two", found), 1);
    lower = found[0];
    assert_true(session_view(session, &view) && object_lower(&lower, view.place));
    assert_ok(hsm->C_DestroyObject(view.lower, lower)); /* past the module */
    settle(intent);
    assert_null(key_named("gov-two"));
    assert_non_null(key_named("gov-one"));
}

static void each_key_ends_in_the_record(void **state)
{
    size_t before = logged(ENTRY_DESTROYED), used = logged(ENTRY_USED);
    CK_OBJECT_HANDLE found[8];

    (void)state;
    keys_make();
    assert_rv(make_new(), CKR_FUNCTION_REJECTED);
    approve_all();
    assert_rv(make_new(), CKR_SESSION_EXISTS); /* rolled back: nothing ended */
    assert_int_equal(living(), 2);
    assert_ok(q->C_CloseAllSessions(0));
    assert_ok(make_new());
    assert_int_equal(living(), 0);
    assert_int_equal(logged(ENTRY_DESTROYED), before + 2);
    assert_int_equal(logged(ENTRY_USED), used + 1);
    give_pin();
    session = open_session(CKF_RW_SESSION);
    assert_ok(login(session));
    assert_int_equal(find_label(session, "gov-two", found), 0);
}

/* A rule that plainly allows. */
#define PLAIN                                                                                                          \
    "  - {id: new, when: {operation: initialise}, allow: true}\n"                                                      \
    "  - {id: births, when: {operation: generate, label: \"^gov-\"}, allow: true}\n"                                   \
    "  - {id: replicated, when: {operation: generate, label: \"^rep-\"}, require: {quorum: {of: key-custodian, "       \
    "at-least: 2}, replicas: {at-least: 2, prove: signature}, extractable: closed, transport: {allow: "                \
    "[oaep-sha1]}}}\n"

static int plain_home(void **state)
{
    (void)state;
    depth_begin_closed(&home, PLAIN);
    return 0;
}

static void plainly_allowed_they_end_too(void **state)
{
    (void)state;
    keys_make();
    assert_ok(q->C_CloseAllSessions(0));
    assert_ok(make_new());
    assert_int_equal(living(), 0);
    assert_int_equal(logged(ENTRY_DESTROYED), 2);
    give_pin();
}

static void replicas_want_people(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0;

    (void)state;
    session = open_session(CKF_RW_SESSION);
    assert_ok(login(session));
    approved(make_pair(session, "rep-1", true, &public, &private));
    assert_ok(q->C_CloseAllSessions(0));
    assert_rv(make_new(), CKR_FUNCTION_REJECTED);
    assert_refusal("replicas at other sites");
    assert_non_null(key_named("rep-1"));
}

int main(void)
{
    const struct CMUnitTest governed[] = {
        WITHOUT_SESSIONS(a_death_before_ends_no_key),
        WITHOUT_SESSIONS(a_death_after_ends_them_all),
        WITHOUT_SESSIONS(what_is_still_there_lives),
        WITHOUT_SESSIONS(each_key_ends_in_the_record),
    };
    const struct CMUnitTest plain[] = {WITHOUT_SESSIONS(replicas_want_people)};
    const struct CMUnitTest alone[] = {WITHOUT_SESSIONS(plainly_allowed_they_end_too)};
    int failed = cmocka_run_group_tests(governed, make_home, home_end);

    failed += cmocka_run_group_tests(plain, plain_home, home_end);
    return failed + cmocka_run_group_tests(alone, plain_home, home_end);
}
