#include "module/birth.h"
#include "module/key_sites.h"
#include "module/recovery.h"
#include "tests/unit/governed_fixture.h"

/* What an intent means whose process died before its end was in the log. */

static enum intent_state settled(uint64_t intent)
{
    struct world *w = world_current();
    struct fault f = {0};

    assert_good(estate_refresh(w->estate, &f));
    assert_good(settle_run(w, NULL, &f));
    return state_intent(&w->estate->state, intent)->state;
}

static void a_use_that_died_may_be_tried_again(void **state)
{
    CK_OBJECT_HANDLE public = 0, key = 0;
    unsigned char data[32] = {0}, signature[64];
    size_t rolled;

    (void)state;
    assert_ok(make_pair(session, "gov-dead", true, &public, &key));
    assert_rv(sign(session, key, data, 32, signature), CKR_FUNCTION_REJECTED);
    approve_all();
    rolled = logged(ENTRY_ROLLED_BACK);
    begun_and_dead(NULL);
    assert_ok(sign(session, key, data, 32, signature)); /* nothing had come out */
    assert_int_equal(logged(ENTRY_ROLLED_BACK), rolled + 1);
}

/* Whether a PIN was changed before the death nobody can know: it was approved once. */
static void a_pin_change_that_died_is_spent(void **state)
{
    CK_UTF8CHAR pin[] = PIN;
    uint64_t intent;

    (void)state;
    assert_rv(q->C_SetPIN(session, pin, sizeof(pin) - 1, pin, sizeof(pin) - 1), CKR_FUNCTION_REJECTED);
    approve_all();
    intent = begun_and_dead(NULL);
    assert_int_equal(settled(intent), INTENT_SETTLED);
    assert_rv(q->C_SetPIN(session, pin, sizeof(pin) - 1, pin, sizeof(pin) - 1), CKR_FUNCTION_REJECTED);
}

static json_t *more_of(const char *label)
{
    struct key_sites sites = {.token = NULL};
    struct fault f = {0};
    json_t *more = NULL;

    assert_good(key_sites_of(world_current(), key_named(label), &sites, &f));
    more = key_sites_more(&sites);
    assert_non_null(more);
    key_sites_clear(&sites);
    return more;
}

static void an_end_that_died_is_finished(void **state)
{
    CK_OBJECT_HANDLE key = make_aes("gov-dying", false);
    uint64_t intent;
    json_t *more = NULL;

    (void)state;
    assert_rv(q->C_DestroyObject(session, key), CKR_ACTION_PROHIBITED);
    approve_all();
    more = more_of("gov-dying");
    intent = begun_and_dead(more);
    json_decref(more);
    assert_int_equal(settled(intent), INTENT_SETTLED);
    assert_null(key_named("gov-dying"));
    assert_int_equal(count_at("slough", CKO_SECRET_KEY, "gov-dying"), 0);
}

/* The HSM says how far a change came. */
static void a_change_that_died_is_what_the_hsm_holds(void **state)
{
    CK_OBJECT_HANDLE key = make_aes("gov-change", false), lower = key;
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *hsm = below(&slot);
    struct session_view view = {0};
    CK_BYTE other[] = "other-id";
    CK_ATTRIBUTE change[] = {{CKA_ID, other, 8}};
    json_t *more = more_of("gov-change");

    (void)state;
    assert_rv(q->C_SetAttributeValue(session, key, change, 1), CKR_ACTION_PROHIBITED);
    approve_all();
    assert_int_equal(settled(begun_and_dead(more)), INTENT_ROLLED_BACK);
    assert_true(session_view(session, &view) && object_lower(&lower, view.place));
    {
        uint64_t intent = begun_and_dead(more);

        assert_ok(hsm->C_SetAttributeValue(view.lower, lower, change, 1));
        assert_int_equal(settled(intent), INTENT_SETTLED);
    }
    assert_string_equal(key_named("gov-change")->id, "6f746865722d6964");
    json_decref(more);
}

/* Another process was quicker: of the key that both were at there is nothing left to end or to change. */
static void what_ended_meanwhile(const char *label, bool change)
{
    CK_OBJECT_HANDLE key = make_aes(label, false);
    CK_BYTE other[] = "late-id";
    CK_ATTRIBUTE id = {CKA_ID, other, 7};
    json_t *more = more_of(label), *ended = NULL;
    struct estate *e = NULL;
    struct fault f = {0};
    uint64_t intent;

    assert_rv(change ? q->C_SetAttributeValue(session, key, &id, 1) : q->C_DestroyObject(session, key),
              CKR_ACTION_PROHIBITED);
    approve_all();
    intent = begun_and_dead(more);
    json_decref(more);
    ended = json_pack("{s:s,s:s,s:s,s:s,s:[s]}", "class", "secret-key", "id", key_named(label)->id, "label", label,
                      "token", "root", "sites", "slough");
    assert_good(estate_open(home.bindings, &e, &f));
    assert_good(estate_append(e, ENTRY_DESTROYED, ended, NULL, &f));
    estate_close(e);
    json_decref(ended);
    assert_int_equal(settled(intent), INTENT_ROLLED_BACK);
}

static void a_second_end_that_died_is_rolled_back(void **state)
{
    (void)state;
    what_ended_meanwhile("gov-twice", false);
}

static void a_change_of_what_ended_is_rolled_back(void **state)
{
    (void)state;
    what_ended_meanwhile("gov-late", true);
}

/* A key that came in and was not born yet is known by its id, and goes. */
static void an_import_that_died_leaves_nothing(void **state)
{
    unsigned char value[32] = "another value of thirty-one byt";
    CK_OBJECT_HANDLE key = 0, made = 0;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_SLOT_ID slot = 0;
    CK_FUNCTION_LIST *hsm = below(&slot);
    struct session_view view = {0};
    struct buf id = BUF(32);
    struct fault f = {0};
    uint64_t intent;
    json_t *more = json_pack("{s:s,s:[s],s:s}", "class", "secret-key", "sites", "slough", "function", "C_CreateObject");

    (void)state;
    assert_rv(import_secret("gov-lost", value, &key), CKR_FUNCTION_REJECTED);
    approve_all();
    intent = begun_and_dead(more);
    json_decref(more);
    assert_good(estate_refresh(world_current()->estate, &f));
    assert_good(intent_key_id(&state_intent(&world_current()->estate->state, intent)->digest, &id, &f));
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &type, sizeof(type)},
                        {CKA_TOKEN, &yes, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_SENSITIVE, &yes, 1},
                        {CKA_LABEL, (char[]){"gov-lost"}, 8},
                        {CKA_VALUE, value, 32},
                        {CKA_ID, id.data, id.len}};
    assert_true(session_view(session, &view));
    assert_ok(hsm->C_CreateObject(view.lower, t, 8, &made));
    assert_int_equal(count_at("slough", CKO_SECRET_KEY, "gov-lost"), 1);
    assert_int_equal(settled(intent), INTENT_ROLLED_BACK);
    assert_int_equal(count_at("slough", CKO_SECRET_KEY, "gov-lost"), 0);
    assert_ok(import_secret("gov-lost", value, &key)); /* the approval stands */
    buf_free(&id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOVERNED(a_use_that_died_may_be_tried_again),    GOVERNED(a_pin_change_that_died_is_spent),
        GOVERNED(an_end_that_died_is_finished),          GOVERNED(a_change_that_died_is_what_the_hsm_holds),
        GOVERNED(a_second_end_that_died_is_rolled_back), GOVERNED(a_change_of_what_ended_is_rolled_back),
        GOVERNED(an_import_that_died_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, make_home, home_end);
}
