#include "module/drill.h"
#include "tests/unit/mock_sites_fixture.h"
#include "tests/unit/one_estate.h"

/* Keys of Ed25519: at HSMs that wrap them and take them in, and at ones that do not. The third site has two seconds for an
 * answer. */

#define RULES                                                                                                          \
    "  - id: both\n"                                                                                                   \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"

static int setup(void **state)
{
    (void)state;
    depth_glasgow = "answer-within: 2 seconds, ";
    mock_sites_make(&d, RULES);
    return 0;
}

static int as_usual(void **state)
{
    (void)state;
    hsm_reset();
    return 0;
}

/* The curve by its object identifier, or by its name. */
static enum outcome edwards_birth(const char *label, bool by_name, struct fault *f)
{
    static const CK_BYTE oid[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
    static const CK_BYTE name[] = {0x13, 0x0c, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9'};
    struct depth_question q;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    memcpy(depth_kind.curve, by_name ? name : oid, by_name ? sizeof name : sizeof oid);
    depth_kind.curve_len = by_name ? sizeof name : sizeof oid;
    depth_ask_approved(&d, &q, CKM_EC_EDWARDS_KEY_PAIR_GEN, label, "");
    enum outcome outcome = depth_birth(&d, &q, &secret, &public, f);
    depth_forget(&q);
    return outcome;
}

/* HSMs that wrap it and take it in have it proven there, and drilled, like any other key. */
static void ed25519_goes_where_it_is_carried(void **state)
{
    static const char *const labels[] = {"app-edwards-1", "app-edwards-2"};
    const struct state *s = &d.world->estate->state;
    struct fault f;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        if (i == 1)
            hsm_steer(2, "lacks 2 rsa-aes");
        assert_good(edwards_birth(labels[i], i == 1, &f));
        assert_string_equal(s->keys[s->key_count - 1].type, "EC:Ed25519");
        assert_string_equal(s->keys[s->key_count - 1].label, labels[i]);
        assert_int_equal(s->keys[s->key_count - 1].sites.count, 3);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(depth_count(&d, depth_sites[k], CKO_PRIVATE_KEY, labels[i]), 1);
    }
    json_t *report = NULL;
    assert_good(drill_run(d.world, "root", "glasgow", &report, &f));
    assert_int_equal(json_integer_value(json_object_get(report, "unproven")), 0);
    json_decref(report);
}

/* The HSM that does not, says so when it is asked: rolled back everywhere, and the reason names curve and site. */
static void ed25519_is_rolled_back_by_name(void **state)
{
    static const struct {
        const char *label, *why;
        size_t site;
        const char *line;
    } rows[] = {{"app-edwards-a", "CKR_KEY_NOT_WRAPPABLE", 0, "refuses 0 edwards"},
                {"app-edwards-b", "CKR_ATTRIBUTE_VALUE_INVALID", 2, "refuses 2 edwards"},
                {"app-edwards-c", "receipt", 2, "refuses 2 edwards-seed"}};
    struct state *s = &d.world->estate->state;
    struct fault f;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hsm_steer(rows[i].site, rows[i].line);
        assert_int_not_equal(edwards_birth(rows[i].label, false, &f), OK);
        assert_text("the key of Ed25519 did not come to");
        assert_text(rows[i].why);
        assert_text("choose P-256");
        if (rows[i].site == 2)
            assert_text("glasgow");
        assert_int_equal(s->intents[s->intent_count - 1].state, INTENT_ROLLED_BACK);
        assert_int_equal(s->requests[s->request_count - 1].state, REQUEST_PENDING);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(depth_count(&d, depth_sites[k], CKO_PRIVATE_KEY, rows[i].label), 0);
        as_usual(state);
        /* The same approvals do where it is carried. */
        assert_good(edwards_birth(rows[i].label, false, &f));
    }
    /* A site that only does not answer has nothing to do with the curve. */
    hsm_steer(2, "C_UnwrapKey hang times=1");
    assert_int_equal(edwards_birth("app-edwards-d", false, &f), E_DEVICE);
    assert_null(strstr(f.text, "Ed25519"));
    hsm_steer(2, "reset");
    while (lower_answers(world_lower(d.world, hsm[2].path), &f) != OK)
        usleep(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ed25519_goes_where_it_is_carried, as_usual),
        cmocka_unit_test_setup(ed25519_is_rolled_back_by_name, as_usual),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
