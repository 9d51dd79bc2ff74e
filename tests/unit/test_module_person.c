#include "tests/unit/failover_fixture.h"

#include "module/drill.h"
#include "module/person.h"

/* PINs that a person says or types on the HSM's keypad, HSMs that a person attaches: all three sites over the link that a
 * test decides. slough has a keypad, cardiff's PIN is asked for, glasgow is attached one at a time. */

static lossy_hide_fn hide;
static lossy_keypad_fn keypad;
static const char *said; /* NULL: nobody answers */
static unsigned asked, attached;
static bool brings;

static bool pin_asked(void *context, const char *token, const char *site, const char *serial, unsigned char *ret,
                      size_t *len)
{
    assert_ptr_equal(context, &said);
    assert_string_equal(token, "root");
    assert_string_equal(site, "cardiff");
    assert_string_equal(serial, home.serials[1]);
    asked++;
    if (!said)
        return false;
    assert_true(strlen(said) < *len);
    *len = strlen(said);
    for (size_t i = 0; i < *len; i++)
        ret[i] = (unsigned char)said[i];
    return true;
}

static bool attach_asked(void *context, const char *token, const char *site, const char *serial)
{
    (void)context;
    assert_string_equal(token, "root");
    assert_string_equal(site, "glasgow");
    assert_string_equal(serial, home.serials[2]);
    attached++;
    if (attached == 2)
        hide(NULL); /* the first time they said so too early */
    return brings;
}

static const struct vendor_person somebody = {&said, pin_asked, attach_asked};

static void person_bindings(const char *path)
{
    static const char *const pins[] = {"protected-path", "prompt", "\"file:pins/glasgow\", attach: one-at-a-time"};
    char text[2048];
    size_t used = (size_t)snprintf(text, sizeof(text), "home: ./estate\npolicy: ./policy.yaml\ntokens:\n  root:\n");

    for (size_t i = 0; i < 3; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "    %s: {module: %s, serial: %s, pin: %s}\n",
                                 depth_sites[i], path, home.serials[i], pins[i]);
    depth_write(home.folder, "bindings.yaml", text);
}

static int person_make(void **state)
{
    struct fault f = {0};
    void *library, *found;

    (void)state;
    library = lossy_load();
    depth_make(&home, FAILOVER_RULES);
    world_close(home.world);
    person_bindings(depth_primary_module);
    found = symbol(library, "lossy_hide");
    memcpy(&hide, &found, sizeof(hide));
    found = symbol(library, "lossy_keypad");
    memcpy(&keypad, &found, sizeof(keypad));
    assert_good(world_open(home.bindings, &home.world, &f));
    return 0;
}

static int person_end(void **state)
{
    person_set(NULL);
    person_forget();
    return home_end(state);
}

static enum outcome enrol(const char *site, struct fault *f)
{
    json_t *report = NULL;
    enum outcome outcome = enrol_run(home.world, "root", site, NULL, &report, f);

    json_decref(report);
    return outcome;
}

static void a_keypad_is_there_or_nothing_is_tried(void **state)
{
    struct fault f = {0};

    (void)state;
    keypad(NULL);
    assert_int_equal(enrol("slough", &f), E_REFUSED);
    assert_text("no keypad");
    keypad(PIN);
    depth_enrol(&home, "slough");
    assert_int_equal(asked, 0);
}

static void a_pin_is_asked_for_once(void **state)
{
    struct fault f = {0};

    (void)state;
    person_set(NULL);
    assert_int_equal(enrol("cardiff", &f), E_REFUSED);
    assert_text("root at cardiff: its PIN is asked for on the terminal");
    person_set(&somebody);
    said = NULL;
    assert_int_equal(enrol("cardiff", &f), E_REFUSED);
    assert_int_equal(asked, 1);
    said = PIN;
    depth_enrol(&home, "cardiff"); /* twice on the HSM */
    assert_int_equal(asked, 2);
    person_forget();
    assert_int_equal(depth_count(&home, "cardiff", CKO_PRIVATE_KEY, "nothing"), 0);
    assert_int_equal(asked, 3);
}

static void an_hsm_is_waited_for(void **state)
{
    struct fault f = {0};

    (void)state;
    hide(home.serials[2]);
    brings = false;
    assert_int_equal(enrol("glasgow", &f), E_ABSENT);
    assert_int_equal(attached, 1);
    attached = 0;
    brings = true;
    depth_enrol(&home, "glasgow");
    assert_int_equal(attached, 2);
    person_set(NULL);
    hide(home.serials[2]);
    assert_int_equal(enrol("glasgow", &f), E_ABSENT);
    hide(NULL);
    person_set(&somebody);
}

/* Births, and all else that opens sites, by the same ways. */
static void a_key_is_born(void **state)
{
    struct depth_question question;
    CK_OBJECT_HANDLE secret = 0, half = 0;
    json_t *report = NULL;
    struct fault f = {0};

    (void)state;
    asked = 0;
    person_forget();
    depth_login(&home);
    depth_ask_approved(&home, &question, CKM_EC_KEY_PAIR_GEN, "rep-person", "");
    assert_good(depth_birth(&home, &question, &secret, &half, &f));
    depth_forget(&question);
    assert_int_equal(asked, 1);
    /* A drill reaches the keypad, the PIN that was typed and the HSM that was waited for. */
    assert_good(drill_run(home.world, NULL, NULL, &report, &f));
    assert_int_equal(json_integer_value(json_object_get(report, "unproven")), 0);
    assert_int_equal(json_array_size(json_object_get(report, "sites")), 3);
    assert_int_equal(asked, 1);
    json_decref(report);
}

/* The last one: a token whose PIN was refused is left alone by this process. */
static void a_wrong_pin_is_never_tried_again(void **state)
{
    struct lower *l = home.world->lowers[0];
    struct fault f = {0};
    CK_TOKEN_INFO info;
    CK_SLOT_ID slot = 0;

    (void)state;
    person_forget();
    asked = 0;
    said = "0000";
    assert_int_equal(enrol("cardiff", &f), E_DEVICE);
    assert_text("it is not tried again");
    said = PIN;
    assert_int_equal(enrol("cardiff", &f), E_REFUSED);
    assert_text("was refused before");
    assert_int_equal(asked, 1);
    assert_good(lower_find(l, home.serials[1], &slot, &f));
    assert_int_equal(l->f->C_GetTokenInfo(slot, &info), CKR_OK);
    assert_false(info.flags & CKF_USER_PIN_LOCKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_keypad_is_there_or_nothing_is_tried),
        cmocka_unit_test(a_pin_is_asked_for_once),
        cmocka_unit_test(an_hsm_is_waited_for),
        cmocka_unit_test(a_key_is_born),
        cmocka_unit_test(a_wrong_pin_is_never_tried_again),
    };
    return cmocka_run_group_tests(tests, person_make, person_end);
}
