#include "module/vendor_table.h"
#include "tests/unit/depth_fixture.h"

static struct depth d;

static int setup(void **state)
{
    (void)state;
    depth_make(&d, "");
    world_set_current(d.world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_set_current(NULL);
    depth_end(&d);
    return 0;
}

static enum outcome call(const char *verb, const char *question, json_t **ret, struct fault *f)
{
    char *answer = NULL;
    enum outcome outcome = (enum outcome)vendor_interface()->call(verb, question, &answer, f->text, sizeof f->text);
    *ret = NULL;
    if (answer != NULL) {
        struct fault ignored;
        assert_int_equal(json_parse_canonical(span_str(answer), ret, &ignored), OK);
        vendor_interface()->release(answer);
    }
    return outcome;
}

static void questions_that_are_none(void **state)
{
    struct fault f = {0};
    json_t *answer = NULL;
    (void)state;
    assert_int_equal(call("dance", "{}", &answer, &f), E_INVALID);
    assert_text("dance");
    assert_int_equal(call("settle", "{ }", &answer, &f), E_INVALID);
    assert_int_equal(call("settle", "{\"all\":\"true\"}", &answer, &f), E_INVALID);
    assert_int_equal(call("enrol", "{\"token\":\"root\"}", &answer, &f), E_INVALID);
    assert_text("site");
    assert_int_equal(call("enrol", "", &answer, &f), E_INVALID);
    assert_int_equal(vendor_interface()->call(NULL, NULL, NULL, NULL, 0), E_INVALID);
    assert_null(answer);
}

static void enrolment_waits_then_holds(void **state)
{
    struct fault f = {0};
    json_t *answer = NULL;
    struct digest id;
    const char *question = "{\"site\":\"slough\",\"token\":\"root\"}";
    (void)state;
    assert_int_equal(call("enrol", question, &answer, &f), E_PENDING);
    assert_true(f.text[0] != '\0');
    assert_string_equal(depth_status(answer), "pending");
    assert_good(digest_parse(json_string_or_null(answer, "request"), &id, &f));
    json_decref(answer);
    depth_approve(d.world->estate, &id, "authority");
    assert_good(call("enrol", question, &answer, &f));
    assert_string_equal(depth_status(answer), "enrolled");
    json_decref(answer);
}

static void tokens_answer(void **state)
{
    struct fault f = {0};
    json_t *answer = NULL, *item = NULL;
    size_t i = 0;
    (void)state;
    assert_good(call("tokens", "{}", &answer, &f));
    assert_int_equal(json_array_size(json_object_get(answer, "tokens")), 3);
    json_array_foreach(json_object_get(answer, "tokens"), i, item)
    {
        bool slough = strcmp(json_string_or_null(item, "site"), "slough") == 0;
        assert_string_equal(json_string_or_null(item, "state"), slough ? "ready" : "not-enrolled");
    }
    json_decref(answer);
    assert_good(call("settle", "{}", &answer, &f));
    assert_int_equal(json_array_size(json_object_get(answer, "settled")), 0);
    json_decref(answer);
}

static void a_ceremony_must_be_open(void **state)
{
    struct fault f = {0};
    json_t *answer = NULL;
    (void)state;
    assert_int_equal(call("ceremony", "{\"ceremony\":\"c-1\"}", &answer, &f), E_ABSENT);
    assert_int_equal(call("ceremony", "{\"ceremony\":\"../../x\"}", &answer, &f), E_ABSENT);
    assert_int_equal(call("step", "{\"step\":\"1.1\"}", &answer, &f), E_REFUSED);
    assert_good(call("ceremony", "{}", &answer, &f));
    json_decref(answer);
    assert_null(d.world->context.ceremony);
}

static void refusals_are_the_threads_own(void **state)
{
    struct fault f = {0}, why = {0};
    json_t *answer = NULL;
    struct digest request = {{0xab}};
    (void)state;
    fault_set(&why, E_PENDING, "three custodians are missing");
    refusal_set(&why);
    refusal_name(&request);
    assert_good(call("refusal", "{}", &answer, &f));
    assert_string_equal(json_string_or_null(answer, "text"), why.text);
    assert_string_equal(json_string_or_null(answer, "request"), digest_hex(&request).hex);
    json_decref(answer);
    refusal_set(NULL);
    assert_good(call("refusal", "{}", &answer, &f));
    assert_string_equal(json_string_or_null(answer, "text"), "");
    assert_null(json_object_get(answer, "request"));
    json_decref(answer);
}

static void without_a_world(void **state)
{
    struct fault f = {0};
    json_t *answer = NULL;
    (void)state;
    world_set_current(NULL);
    assert_int_equal(call("tokens", "{}", &answer, &f), E_REFUSED);
    assert_text("C_Initialize");
    assert_good(call("refusal", "{}", &answer, &f));
    json_decref(answer);
    world_set_current(d.world);
}

/* What lies on an HSM only for as long as a session is told apart from what is on the token. What is no key is not the log's
 * concern there either: SoftHSM leaves such an object where it fails to make one on the token. */
static void inventory_sees_sessions(void **state)
{
    struct fault f = {0};
    CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
    CK_OBJECT_CLASS data = CKO_DATA;
    CK_OBJECT_HANDLE empty = CK_INVALID_HANDLE;
    int64_t differences = 0;
    CK_ULONG len = 32, sessions = 0;
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    json_t *answer = NULL, *site = NULL, *item = NULL;
    size_t i = 0, k = 0;
    (void)state;
    depth_login(&d);
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &no, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_VALUE_LEN, &len, sizeof len}};
    CK_FUNCTION_LIST *below = world_token(d.world, "root")->lower->f;
    CK_ATTRIBUTE nothing[] = {{CKA_CLASS, &data, sizeof data}, {CKA_TOKEN, &no, 1}};
    assert_good(call("inventory", "{\"token\":\"root\"}", &answer, &f));
    assert_good(json_want_integer(answer, "differences", &differences, &f));
    json_decref(answer);
    assert_int_equal(below->C_GenerateKey(d.session, &mechanism, t, 3, &key), CKR_OK);
    assert_int_equal(below->C_CreateObject(d.session, nothing, 2, &empty), CKR_OK);
    assert_good(call("inventory", "{\"token\":\"root\"}", &answer, &f));
    assert_int_equal(json_integer_value(json_object_get(answer, "differences")), differences + 1);
    json_array_foreach(json_object_get(answer, "sites"), i, site)
    {
        json_array_foreach(json_object_get(site, "objects"), k, item) sessions +=
            strcmp(json_string_or_null(item, "kind"), "session") == 0;
    }
    assert_int_equal(sessions, 1);
    json_decref(answer);
    assert_int_equal(below->C_DestroyObject(d.session, key), CKR_OK);
    assert_int_equal(below->C_DestroyObject(d.session, empty), CKR_OK);
    assert_int_equal(below->C_CloseSession(d.session), CKR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_that_are_none),
        cmocka_unit_test(enrolment_waits_then_holds),
        cmocka_unit_test(tokens_answer),
        cmocka_unit_test(a_ceremony_must_be_open),
        cmocka_unit_test(refusals_are_the_threads_own),
        cmocka_unit_test(without_a_world),
        cmocka_unit_test(inventory_sees_sessions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
