#include "ceremony_fixture.h"

#include "ceremony/run_record.h"

#define ID "a-key-1"

/* One entry of a made-up log: its body as JSON with ' for ". */
static void take(struct record *r, const char *ceremony, const char *type, const char *body)
{
    char text[1024];
    json_t *entry = json_object(), *parsed = NULL;
    struct fault f = {.outcome = OK};

    snprintf(text, sizeof text, "%s", body);
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    parsed = json_loads(text, 0, NULL);
    assert_non_null(parsed);
    assert_true(json_put(entry, "body", parsed));
    assert_true(json_put_integer(entry, "seq", (int64_t)r->next));
    assert_true(json_put_string(entry, "type", type));
    assert_true(ceremony == NULL || json_put_string(entry, "ceremony", ceremony));
    assert_int_equal(record_take(r, entry, &f), OK);
    json_decref(entry);
}

static void done(struct record *r, const char *step)
{
    char body[128];

    snprintf(body, sizeof body, "{'action':'x','actors':[],'result':{},'step':'%s'}", step);
    take(r, ID, "step", body);
}

static struct record record_made(void)
{
    struct record r = {0};
    struct fault f = {.outcome = OK};

    assert_int_equal(record_open(ID, &r, &f), OK);
    return r;
}

static void test_position(void **state)
{
    struct script *s = script_made();
    struct record r = record_made();
    struct fault f = {.outcome = OK};
    uint64_t begun = 0;
    size_t at = 99;

    (void)state;
    assert_int_equal(record_position(&r, s, &at, &f), OK);
    assert_int_equal(at, 0);
    for (size_t i = 0; i < 6; i++)
        done(&r, s->steps[i].id);
    /* another ceremony's steps are not ours */
    take(&r, "a-key-2", "step", "{'action':'x','actors':[],'result':{},'step':'2.2'}");
    take(&r, NULL, "request", "{'step':'2.2'}");
    assert_int_equal(record_position(&r, s, &at, &f), OK);
    assert_string_equal(s->steps[at].id, "2.2");
    assert_false(record_begun(&r, "2.2", &begun));
    /* begun is not done */
    take(&r, ID, "step", "{'action':'x','actors':[],'begun':'true','step':'2.2'}");
    assert_int_equal(record_position(&r, s, &at, &f), OK);
    assert_string_equal(s->steps[at].id, "2.2");
    assert_true(record_begun(&r, "2.2", &begun));
    assert_int_equal(begun, 8);
    for (; at < s->step_count; at++)
        done(&r, s->steps[at].id);
    assert_int_equal(record_position(&r, s, &at, &f), OK);
    assert_int_equal(at, s->step_count);
    record_clear(&r);
    script_free(s);
}

static void test_out_of_turn(void **state)
{
    static const char *const steps[][3] = {
        {"1.1", "1.3", NULL}, {"1.1", "1.1", NULL}, {"1.2", NULL, NULL}, {"9.9", NULL, NULL}};
    struct script *s = script_made();

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct record r = record_made();
        struct fault f = {.outcome = OK};
        size_t at = 99;

        for (size_t j = 0; j < 3 && steps[i][j] != NULL; j++)
            done(&r, steps[i][j]);
        assert_int_equal(record_position(&r, s, &at, &f), E_REFUSED);
        assert_int_equal(at, 99);
        assert_non_null(strstr(f.text, "out of turn"));
        record_clear(&r);
    }
    script_free(s);
}

static void test_custody(void **state)
{
    struct record r = record_made();
    bool sealed = false;

    (void)state;
    assert_null(record_bag(&r, "hsm", &sealed));
    /* in whatever ceremony */
    take(&r, "other-1", "step", "{'action':'seal-bag','actors':[],'result':{'bag':'A1','item':'hsm'},'step':'1.1'}");
    assert_string_equal(record_bag(&r, "hsm", &sealed), "A1");
    assert_true(sealed);
    assert_null(record_bag(&r, "hsm2", &sealed));
    take(&r, ID, "step", "{'action':'open-bag','actors':[],'result':{'bag':'A1','item':'hsm'},'step':'1.1'}");
    assert_string_equal(record_bag(&r, "hsm", &sealed), "A1");
    assert_false(sealed);
    /* left undone, only begun, or another action with such a result: no custody */
    take(&r, ID, "step", "{'action':'seal-bag','actors':[],'result':{},'step':'1.2'}");
    take(&r, ID, "step", "{'action':'record','actors':[],'result':{'bag':'A2','item':'hsm'},'step':'1.3'}");
    assert_string_equal(record_bag(&r, "hsm", &sealed), "A1");
    take(&r, ID, "step", "{'action':'seal-bag','actors':[],'result':{'bag':'A3','item':'hsm'},'step':'1.4'}");
    assert_string_equal(record_bag(&r, "hsm", &sealed), "A3");
    assert_true(sealed);
    record_clear(&r);
}

static void test_people_and_deviations(void **state)
{
    struct record r = record_made();
    json_t *seqs = NULL;

    (void)state;
    assert_false(record_present(&r, "h1"));
    take(&r, ID, "entered", "{'person':'h1','role':'holder','step':'1.2'}");
    take(&r, "other-1", "left", "{'person':'h1','step':'1.2'}");
    assert_true(record_present(&r, "h1"));
    take(&r, ID, "deviation", "{'accepted-by':'h1','cause':'torn','step':'1.4.1'}");
    assert_true(record_deviated(&r, "1.4.1", 0));
    assert_true(record_deviated(&r, "1.4.1", 2));
    assert_false(record_deviated(&r, "1.4.1", 3));
    assert_false(record_deviated(&r, "1.4.2", 0));
    take(&r, ID, "answer", "{'name':'n','person':'h1','step':'2.3','value':'1'}");
    assert_true(record_present(&r, "h1")); /* speaking is not leaving */
    take(&r, ID, "left", "{'person':'h1','step':'2.4'}");
    assert_false(record_present(&r, "h1"));
    take(&r, ID, "deviation", "{'accepted-by':'h1','cause':'late','step':'2.4'}");
    assert_int_equal(record_deviation_count(&r), 2);
    seqs = record_deviations(&r);
    assert_int_equal(json_array_size(seqs), 2);
    assert_int_equal(json_integer_value(json_array_get(seqs, 0)), 2);
    assert_int_equal(json_integer_value(json_array_get(seqs, 1)), 5);
    json_decref(seqs);
    record_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_out_of_turn),
        cmocka_unit_test(test_custody),
        cmocka_unit_test(test_people_and_deviations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
