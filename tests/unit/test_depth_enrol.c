#include "tests/unit/depth_fixture.h"

static struct depth d;

static int setup(void **state)
{
    (void)state;
    depth_make(&d, "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    depth_end(&d);
    return 0;
}

static void asks_then_enrols(void **state)
{
    (void)state;
    depth_enrol(&d, "slough");
    const struct state_site *s = state_site(&d.world->estate->state, "root", "slough");
    assert_non_null(s);
    assert_string_equal(s->serial, d.serials[0]);
    assert_string_equal(s->hardware, "attested-by-people");
    assert_true(s->placed);
    assert_string_equal(s->place, "slough");
    assert_string_equal(s->latitude, "51.51");
    assert_int_equal(s->tags.count, 1);
    assert_int_equal(depth_count(&d, "slough", CKO_PRIVATE_KEY, "quorate:transport"), 1);
    assert_int_equal(depth_count(&d, "slough", CKO_PRIVATE_KEY, "quorate:identity"), 1);
}

static void enrolled_twice_is_refused(void **state)
{
    struct fault f;
    json_t *report = NULL;
    (void)state;
    assert_int_equal(enrol_run(d.world, "root", "slough", NULL, &report, &f), E_REFUSED);
    assert_text("enrolled already");
    assert_null(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_then_enrols),
        cmocka_unit_test(enrolled_twice_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
