#include "tests/unit/scratch.h"

#include <string.h>

#include "core/bindings.h"
#include "core/file.h"

static char path[100];

static int bindings_make(void **state)
{
    unsetenv("QUORATE_BINDINGS");
    if (scratch_make(state) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/bindings.yaml", scratch);
    return 0;
}

static void written(const char *at, const char *text)
{
    struct fault f = {0};

    assert_int_equal(file_replace(at, span_str(text), 0600, &f), OK);
}

#define HEAD "home: ./estate\npolicy: policy.yaml\ntokens:\n  root:\n"
#define SLOUGH "    slough: {module: /usr/lib/x.so, serial: 24ec434da03aa98a, pin: \"file:pins/root-slough\"}\n"

static void test_all_ways(void **state)
{
    struct bindings *b = NULL;
    struct fault f = {0};
    struct digest d;
    char expected[120];
    const struct binding *site;
    static const char text[] =
        HEAD SLOUGH "    cardiff: {courier: [ssh, -v, -v, hsm@cardiff]}\n"
                    "    glasgow: {carried: true}\n"
                    "  apps:\n"
                    "    slough: {module: lib/y.so, serial: \"1\", pin: prompt}\n"
                    "    cardiff: {module: lib/y.so, serial: \"2\", pin: protected-path, login: module, remote: true}\n"
                    "    glasgow: {module: lib/y.so, serial: \"3\", pin: prompt, remote: false, so-pin: \"file:so\"}\n";

    (void)state;
    written(path, text);
    if (bindings_load(path, &b, &f) != OK)
        fail_msg("%s", f.text);
    assert_string_equal(b->path, path);
    snprintf(expected, sizeof expected, "%s/estate", scratch);
    assert_string_equal(b->home, expected);
    snprintf(expected, sizeof expected, "%s/policy.yaml", scratch);
    assert_string_equal(b->policy, expected);
    assert_true(digest_one(&d, span_str(text)));
    assert_true(digest_equal(&d, &b->digest));
    assert_int_equal(b->token_count, 2);
    assert_int_equal(bindings_token(b, "root")->site_count, 3);
    assert_null(bindings_token(b, "gone"));
    assert_null(bindings_site(b, "gone", "slough"));
    assert_null(bindings_site(b, "root", "gone"));
    site = bindings_site(b, "root", "slough");
    assert_int_equal(site->reach, REACH_MODULE);
    assert_string_equal(site->module, "/usr/lib/x.so");
    assert_string_equal(site->serial, "24ec434da03aa98a");
    assert_int_equal(site->pin_kind, PIN_FILE);
    snprintf(expected, sizeof expected, "%s/pins/root-slough", scratch);
    assert_string_equal(site->pin_path, expected);
    assert_int_equal(site->line, 5);
    site = bindings_site(b, "root", "cardiff");
    assert_int_equal(site->reach, REACH_COURIER);
    assert_int_equal(site->courier.count, 4);
    assert_string_equal(site->courier.items[3], "hsm@cardiff");
    assert_int_equal(bindings_site(b, "root", "glasgow")->reach, REACH_CARRIED);
    snprintf(expected, sizeof expected, "%s/lib/y.so", scratch);
    assert_string_equal(bindings_site(b, "apps", "slough")->module, expected);
    assert_int_equal(bindings_site(b, "apps", "slough")->pin_kind, PIN_PROMPT);
    assert_int_equal(bindings_site(b, "apps", "cardiff")->pin_kind, PIN_PROTECTED_PATH);
    assert_true(bindings_site(b, "apps", "cardiff")->login_by_module);
    assert_false(bindings_site(b, "apps", "slough")->login_by_module);
    site = bindings_site(b, "apps", "slough");
    assert_int_equal(site->remote, REMOTE_LOOK);
    assert_false(site->so_pin);
    assert_int_equal(bindings_site(b, "apps", "glasgow")->remote, REMOTE_NO);
    assert_true(bindings_site(b, "apps", "glasgow")->so_pin);
    snprintf(expected, sizeof expected, "%s/so", scratch);
    assert_string_equal(bindings_site(b, "apps", "glasgow")->so_pin_path, expected);
    assert_int_equal(bindings_remote(b, site->module), REMOTE_YES); /* one of its sites says so */
    assert_int_equal(bindings_remote(b, bindings_site(b, "root", "slough")->module), REMOTE_LOOK);
    bindings_free(b);
}

static void test_where_they_are(void **state)
{
    struct bindings *b = NULL;
    struct fault f = {0};
    char expected[120];

    (void)state;
    written(path, HEAD SLOUGH);
    setenv("QUORATE_BINDINGS", path, 1);
    assert_int_equal(bindings_load(NULL, &b, &f), OK);
    bindings_free(b);
    b = NULL;
    assert_int_equal(bindings_load("", &b, &f), OK);
    bindings_free(b);
    b = NULL;
    assert_int_equal(bindings_load("/nonexistent/b.yaml", &b, &f), E_ABSENT);
    assert_non_null(strstr(f.text, "/nonexistent/b.yaml"));
    snprintf(expected, sizeof expected, "%s/gone.yaml", scratch);
    assert_int_equal(bindings_load(expected, &b, &f), E_ABSENT);
    assert_int_equal(chdir(scratch), 0);
    assert_int_equal(bindings_load("bindings.yaml", &b, &f), OK);
    assert_string_equal(b->path, path);
    bindings_free(b);
    assert_int_equal(chdir("/"), 0);
    unsetenv("QUORATE_BINDINGS");
}

static void test_mirrors(void **state)
{
    struct bindings *b = NULL;
    struct fault f = {0};
    char expected[600];

    (void)state;
    written(path, "home-mirrors: [/media/a/estate, ./estate-2]\n" HEAD SLOUGH);
    assert_int_equal(bindings_load(path, &b, &f), OK);
    assert_int_equal(b->mirrors.count, 2);
    assert_string_equal(b->mirrors.items[0], "/media/a/estate");
    snprintf(expected, sizeof expected, "%s/estate-2", scratch);
    assert_string_equal(b->mirrors.items[1], expected);
    bindings_free(b);
}

static void test_others_may_not_write(void **state)
{
    struct bindings *b = NULL;
    struct fault f = {0};

    (void)state;
    written(path, HEAD SLOUGH);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(bindings_load(path, &b, &f), E_REFUSED);
    assert_null(b);
}

static void test_wrong_documents(void **state)
{
    static const char *const rows[][2] = {
        {"policy: p\ntokens: {a: {b: {carried: true}}}\n", ":1:1: the key \"home\" is missing"},
        {"home: h\ntokens: {a: {b: {carried: true}}}\n", ":1:1: the key \"policy\" is missing"},
        {"home: h\npolicy: p\n", ":1:1: the key \"tokens\" is missing"},
        {"home: h\npolicy: p\ntokens: {}\n", ":3:9: a map of 1 to "},
        {"home: h\npolicy: p\ntokens: [a]\n", ":3:9: a map of 1 to "},
        {"home: h\npolicy: p\ntokens: {a: {}}\n", ":3:13: the sites of token \"a\""},
        {"home:\npolicy: p\ntokens: {a: {b: {carried: true}}}\n", ":1:1: nothing stands here"},
        {HEAD "    Slough: {carried: true}\n", ":5:5: \"Slough\" is no name"},
        {HEAD "    a: {carried: true}\nhouse: x\n", ":6:1: unknown key \"house\", did you mean \"home\"?"},
        {HEAD "    a: {carrid: true}\n", ":5:9: unknown key \"carrid\", did you mean \"carried\"?"},
        {HEAD "    a: {carried: false}\n", ":5:18: carried is either true or left out"},
        {HEAD "    a: {carried: maybe}\n", ":5:18: \"maybe\" is not known here"},
        {HEAD "    a: {}\n", ":5:8: exactly one way"},
        {HEAD "    a: carried\n", ":5:8: a map was expected"},
        {HEAD "    a: {carried: true, courier: [x]}\n", ":5:8: exactly one way"},
        {HEAD "    a: {carried: true, pin: prompt}\n", ":5:8: serial, pin, so-pin, login, remote and attach belong to"},
        {HEAD "    a: {carried: true, so-pin: prompt}\n", ":5:8: serial, pin, so-pin, login, remote"},
        {HEAD "    a: {module: m.so, serial: x, pin: prompt, so-pin: 12345678}\n",
         ":5:55: a way to the PIN was expected"},
        {HEAD "    a: {courier: []}\n", ":5:18: the courier's command"},
        {HEAD "    a: {courier: ssh}\n", ":5:18: the courier's command"},
        {HEAD "    a: {courier: [ssh, [x]]}\n", ":5:24: text was expected, not a list"},
        {HEAD "    a: {module: m.so, pin: prompt}\n", ":5:8: a site with a module needs"},
        {HEAD "    a: {module: m.so, serial: x}\n", ":5:8: a site with a module needs"},
        {HEAD "    a: {module: m.so, serial: x, pin: 1234}\n", ":5:39: a way to the PIN was expected"},
        {HEAD "    a: {module: m.so, serial: x, pin: 'file:'}\n", ":5:39: a way to the PIN was expected"},
        {HEAD "    a: {module: m.so, serial: 'x ', pin: prompt}\n", ":5:31: \"x \" is no serial number"},
        {HEAD "    a: {module: m.so, serial: x2345678901234567, pin: prompt}\n", ":5:31: \"x2345678901234567\" is no"},
        {HEAD "    a: {module: m.so, serial: x, pin: prompt}\n    b: {module: ./m.so, serial: x, pin: prompt}\n",
         ":6:5: site \"b\" has the serial number x that line 5 has already"},
        {HEAD "    a: {module: m.so, serial: x, pin: sealed}\n", ":5:39: not yet: "},
        {HEAD "    a: {cloned: acme}\n", ":5:17: cloned says how keys come to a site; the HSM itself is asked by"},
        {HEAD "    a: {carried: true, cloned: acme}\n", ":5:32: cloned says how keys come to a site"},
        {HEAD "    a: {module: m.so, serial: x, pin: prompt, cloned: \"a b\"}\n", ":5:55: "},
        {HEAD "    a: {module: m.so, serial: x, pin: prompt, attach: all}\n", ":5:55: \"all\" is no way to attach"},
        {HEAD "    a: {carried: true, attach: one-at-a-time}\n", ":5:8: serial, pin, so-pin, login, remote and attach"},
        {HEAD "    a: {module: m.so, serial: x, pin: prompt, login: module}\n", ":5:54: login: module needs a PIN"},
        {HEAD "    a: {module: m.so, serial: x, pin: \"file:p\", login: me}\n", ":5:56: \"me\" is no way to log in"},
        {HEAD "    a: {carried: true, remote: true}\n", ":5:8: serial, pin, so-pin, login, remote and attach belong"},
        {HEAD "    a: {module: m.so, serial: x, pin: prompt, remote: far}\n", ":5:55: \"far\" is not known here"},
        {HEAD "    a: {carried: true, login: module}\n", ":5:8: serial, pin, so-pin, login, remote and attach belong"},
        {"home-mirrors: []\n" HEAD "    a: {carried: true}\n", ":1:15: "},
        {"home-mirrors: ./estate\n" HEAD "    a: {carried: true}\n", ":1:15: a folder apart from "},
        {"home-mirrors: ./estate/log\n" HEAD "    a: {carried: true}\n", ":1:15: a folder apart from "},
        {"home-mirrors: [/m/a, /m]\n" HEAD "    a: {carried: true}\n", ":1:15: a folder apart from /m/a"},
        {"home-mirrors: [a, b, c, d, e]\n" HEAD "    a: {carried: true}\n", ":1:15: at most 4 mirrors"},
        {HEAD "    a: {carried: true}\n    a: {carried: true}\n", ":6:5: the key \"a\" is repeated"},
        {"home: [", ":2:1: flow sequence without"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bindings *b = NULL;
        struct fault f = {0};

        written(path, rows[i][0]);
        assert_int_equal(bindings_load(path, &b, &f), E_INVALID);
        assert_null(b);
        assert_memory_equal(f.text, path, strlen(path));
        if (strncmp(f.text + strlen(path), rows[i][1], strlen(rows[i][1])) != 0)
            fail_msg("row %zu: \"%s\" instead of \"%s\"", i, f.text + strlen(path), rows[i][1]);
        assert_null(strstr(f.text, "1234\""));
    }
}

static void pin_is(const char *content, const char *expected)
{
    struct bindings *b = NULL;
    struct buf pin = BUF(300);
    struct fault f = {0};
    const struct binding *site;

    assert_int_equal(bindings_load(path, &b, &f), OK);
    site = bindings_site(b, "root", "slough");
    if (content != NULL)
        written(site->pin_path, content);
    if (expected == NULL) {
        assert_int_equal(binding_pin(site, &pin, &f), E_DEVICE);
        assert_non_null(strstr(f.text, site->pin_path));
        assert_null(content != NULL && content[0] > ' ' ? strstr(f.text, content) : NULL);
    } else {
        assert_int_equal(binding_pin(site, &pin, &f), OK);
        assert_string_equal(buf_str(&pin), expected);
    }
    buf_free(&pin);
    bindings_free(b);
}

static void test_pins(void **state)
{
    struct bindings *b = NULL;
    struct buf pin = BUF(10);
    struct fault f = {0};
    char at[200], longer[260];

    (void)state;
    written(path, HEAD SLOUGH "    cardiff: {module: m.so, serial: x, pin: prompt}\n    glasgow: {carried: true}\n");
    snprintf(at, sizeof at, "%s/pins", scratch);
    assert_int_equal(folder_make(at, 0700, &f), OK);
    pin_is(NULL, NULL);
    pin_is("1234\n", "1234");
    pin_is("1234", "1234");
    pin_is("12 34 ", "12 34 ");
    pin_is("", NULL);
    pin_is("\n", NULL);
    pin_is("1234\n\n", NULL);
    pin_is("1234\n5678\n", NULL);
    pin_is("1234\r\n", NULL);
    memset(longer, '1', sizeof longer);
    longer[257] = '\0';
    pin_is(longer, NULL);
    longer[256] = '\0';
    pin_is(longer, longer);
    assert_int_equal(bindings_load(path, &b, &f), OK);
    assert_int_equal(binding_pin(bindings_site(b, "root", "cardiff"), &pin, &f), E_REFUSED);
    assert_int_equal(binding_pin(bindings_site(b, "root", "glasgow"), &pin, &f), E_REFUSED);
    assert_int_equal(chmod(bindings_site(b, "root", "slough")->pin_path, 0666), 0);
    assert_int_equal(binding_pin(bindings_site(b, "root", "slough"), &pin, &f), E_DEVICE);
    bindings_free(b);
    buf_free(&pin);
}

#define WITH_BINDINGS(test) cmocka_unit_test_setup_teardown(test, bindings_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BINDINGS(test_all_ways),        WITH_BINDINGS(test_where_they_are),
        WITH_BINDINGS(test_mirrors),         WITH_BINDINGS(test_others_may_not_write),
        WITH_BINDINGS(test_wrong_documents), WITH_BINDINGS(test_pins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
