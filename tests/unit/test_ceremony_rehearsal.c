#include "ceremony/verify_inner.h"
#include "tests/unit/ceremony_fixture.h"
#include "tests/unit/test_policy_fixture.h"

/* A run and its rehearsal that are alike but for one thing: what may not differ is named, and nothing else. */

struct run {
    struct verifier v;
    struct verified_ceremony ceremony;
    struct state_key keys[3];
    struct state_site site;
    struct verified_signed made;
    char *holders[3];
};

static struct script *script;
static struct policy *policy;

static int begin(void **state)
{
    struct fault f = {.outcome = OK};

    (void)state;
    assert_int_equal(script_with(28,
                                 "      - {step: Bring, by: admin, do: replicate, with: {token: root, label: brought, "
                                 "site: glasgow}}\n",
                                 &script, &f),
                     OK);
    policy = fixture_policy("  - {id: all, when: {operation: adopt-policy}, require: {quorum: {of: authority, "
                            "at-least: 1}}}\n",
                            FIXTURE_END);
    return 0;
}

static int end(void **state)
{
    (void)state;
    script_free(script);
    policy_free(policy);
    return 0;
}

/* One key that the ceremony makes, an older one of which it makes a certificate, and one that it brings to a site. */
static void run_make(struct run *r, char *environment)
{
    *r = (struct run){
        .site = {"root", "slough", "01", "maker", "model", "1.0", "2.0"},
        .made = {.certificate = true, .label = "elder", .token = "root"},
        .holders = {"slough", "cardiff", "glasgow"},
    };
    for (size_t i = 0; i < 3; i++)
        r->keys[i] = (struct state_key){
            .token = "root",
            .label = i == 0   ? "root-g1"
                     : i == 1 ? "elder"
                              : "brought",
            .type = "EC:P-256",
            .class_name = "private-key",
            .sites = {.items = r->holders, .count = 3},
        };
    r->ceremony = (struct verified_ceremony){
        .id = "a-key-1", .script = script, .people = json_array(), .signed_things = &r->made, .signed_count = 1};
    r->v = (struct verifier){
        .judge = policy,
        .ceremonies = &r->ceremony,
        .ceremony_count = 1,
        .software = json_pack("{s:s,s:s}", "quorate", "a", "quorate-pkcs11.so", "b"),
    };
    r->v.state.environment = environment;
    r->v.state.keys = r->keys;
    r->v.state.key_count = 3;
    r->v.state.sites = &r->site;
    r->v.state.site_count = 1;
}

static void run_clear(struct run *r)
{
    json_decref(r->ceremony.people);
    json_decref(r->v.software);
    claims_clear(&r->v.claims);
}

static void nothing(struct run *r)
{
    (void)r;
}

static void key_of_another_type(struct run *r)
{
    r->keys[0].type = "EC:P-384";
}

static void key_of_another_class(struct run *r)
{
    r->keys[0].class_name = "secret-key";
}

static void key_at_fewer_sites(struct run *r)
{
    r->keys[0].sites.count = 2;
}

static void key_that_is_not_there(struct run *r)
{
    r->keys[0].label = "root-g2";
}

static void older_key_of_another_type(struct run *r)
{
    r->keys[1].type = "RSA:3072";
}

static void brought_to_fewer_sites(struct run *r)
{
    r->keys[2].sites.count = 2;
}

static void certificate_of_another_key(struct run *r)
{
    r->made.label = "root-g1";
}

static void certificate_of_another_profile(struct run *r)
{
    r->made.profile.bytes[0] = 1;
}

static void no_certificate(struct run *r)
{
    r->ceremony.signed_count = 0;
}

static void hsm_of_another_model(struct run *r)
{
    r->site.model = "other";
}

static void hsm_of_another_serial(struct run *r)
{
    r->site.serial = "02";
}

static void another_module(struct run *r)
{
    json_object_set_new(r->v.software, "quorate-pkcs11.so", json_string("c"));
}

static void another_person(struct run *r)
{
    json_array_append_new(r->ceremony.people, json_string("mallory"));
}

static void other_bindings(struct run *r)
{
    r->ceremony.bindings.bytes[0] = 1;
}

/* In the run, and in the rehearsal. */
static void one_thing_differs(void **state)
{
    static const struct {
        void (*edit)(struct run *r);
        const char *refused; /* NULL: it may differ */
        size_t told;         /* beside the environment; in the run */
    } rows[] = {
        {nothing, NULL, 0},
        {key_of_another_type, "the key root-g1", 0},
        {key_of_another_class, "the key root-g1", 0},
        {key_at_fewer_sites, "the key root-g1", 0},
        {key_that_is_not_there, "the key root-g1", 0},
        {older_key_of_another_type, "the key elder", 0},
        {brought_to_fewer_sites, "the key brought", 0},
        {certificate_of_another_key, "the key ", 0},
        {certificate_of_another_profile, "the certificate profile of elder", 0},
        {no_certificate, "the number of certificates", 0},
        {hsm_of_another_model, "the HSM of slough", 0},
        {hsm_of_another_serial, NULL, 1},
        {another_module, "the program quorate-pkcs11.so", 1},
        {another_person, "roles of a-key-1", 0},
        {other_bindings, NULL, 1},
    };

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        struct run real, rehearsal;
        struct strings told = {0}, refused = {0};

        run_make(&real, "test");
        run_make(&rehearsal, "rehearsal");
        rows[i / 2].edit(i % 2 ? &rehearsal : &real);
        verify_rehearsal(&real.v, &rehearsal.v, &told, &refused);
        const bool named = rows[i / 2].refused && refused.count == 1 &&
                           strncmp(refused.items[0], rows[i / 2].refused, strlen(rows[i / 2].refused)) == 0;
        if (rows[i / 2].refused ? !named : refused.count > 0)
            fail_msg("row %zu: %zu refused, first %s", i, refused.count, refused.count ? refused.items[0] : "none");
        assert_int_equal(claims_hold(&real.v.claims), rows[i / 2].refused == NULL);
        if (told.count != 1 + rows[i / 2].told)
            fail_msg("row %zu: %zu told", i, told.count);
        strings_free(&told);
        strings_free(&refused);
        run_clear(&real);
        run_clear(&rehearsal);
    }
}

/* The rehearsal lacks an HSM of the run: that, and which one. */
static void one_hsm_less(void **state)
{
    struct run real, rehearsal;
    struct strings told = {0}, refused = {0};

    (void)state;
    run_make(&real, "test");
    run_make(&rehearsal, "rehearsal");
    rehearsal.v.state.site_count = 0;
    verify_rehearsal(&real.v, &rehearsal.v, &told, &refused);
    assert_int_equal(refused.count, 2);
    assert_string_equal(refused.items[0], "the number of enrolled sites");
    assert_string_equal(refused.items[1], "the HSM of slough");
    strings_free(&told);
    strings_free(&refused);
    run_clear(&real);
    run_clear(&rehearsal);
}

/* Neither two runs nor two rehearsals. */
static void not_a_rehearsal(void **state)
{
    static char *const environments[][2] = {{"test", "test"}, {"rehearsal", "rehearsal"}, {"rehearsal", "test"}};

    (void)state;
    for (size_t i = 0; i < sizeof environments / sizeof *environments; i++) {
        struct run real, rehearsal;
        struct strings told = {0}, refused = {0};

        run_make(&real, environments[i][0]);
        run_make(&rehearsal, environments[i][1]);
        verify_rehearsal(&real.v, &rehearsal.v, &told, &refused);
        assert_false(claims_hold(&real.v.claims));
        strings_free(&told);
        strings_free(&refused);
        run_clear(&real);
        run_clear(&rehearsal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_thing_differs, begin, end),
        cmocka_unit_test_setup_teardown(one_hsm_less, begin, end),
        cmocka_unit_test_setup_teardown(not_a_rehearsal, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
