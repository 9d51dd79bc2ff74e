#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ceremony/run_child.h"
#include "ceremony/tool.h"

/* A child of the runner gets the key of a person in its environment: arguments are seen by everybody on the host. This program
 * is its own child. */

#define KEY "pkcs11:token=card?pin-value=1234"

static int child(int argc, char **argv)
{
    const char *key = secure_getenv(KEY_VARIABLE);
    struct arguments none = {.command = commands};
    struct fault f = {.outcome = OK};
    const char *read = NULL;

    for (int i = 0; i < argc; i++)
        if (strstr(argv[i], "pin-value")) {
            printf("quorate: the PIN is an argument\n");
            return 2;
        }
    if (argc != 3 || !key || strcmp(key, KEY) != 0 || argument_key(&none, &read, &f) != OK || strcmp(read, KEY) != 0) {
        printf("quorate: the key is not there\n");
        return 2;
    }
    printf("quorate: refused as asked\n");
    return strcmp(argv[2], "refuse") == 0;
}

static void the_key_is_no_argument(void **state)
{
    static const char *const good[] = {"child", "go on", NULL}, *const bad[] = {"child", "refuse", NULL};
    struct fault f = {.outcome = OK};

    (void)state;
    setenv(KEY_VARIABLE, "another, of the runner's own", 1);
    if (child_run(good, KEY, true, &f) != OK)
        fail_msg("%s", f.text);
    assert_int_equal(child_run(bad, KEY, true, &f), E_REFUSED);
    assert_string_equal(f.text, "refused as asked");
    assert_string_equal(getenv(KEY_VARIABLE), "another, of the runner's own");
    unsetenv(KEY_VARIABLE);
}

/* What is given goes before the environment; neither is a fault. */
static void given_goes_first(void **state)
{
    const struct command *c = NULL;
    struct fault f = {.outcome = OK};
    struct arguments a = {0};
    char *find[] = {"approve"}, *with[] = {"abcdef", "--as", "ann", "--key", "mine.key"},
         *without[] = {"abcdef", "--as", "ann"};
    const char *key = NULL;
    int taken = 0;

    (void)state;
    assert_int_equal(command_find(1, find, &c, &taken, &f), OK);
    assert_int_equal(arguments_read(c, 3, without, &a, &f), OK);
    assert_int_equal(argument_key(&a, &key, &f), E_INVALID);
    setenv(KEY_VARIABLE, "", 1);
    assert_int_equal(argument_key(&a, &key, &f), E_INVALID);
    setenv(KEY_VARIABLE, KEY, 1);
    assert_int_equal(argument_key(&a, &key, &f), OK);
    assert_string_equal(key, KEY);
    arguments_clear(&a);
    assert_int_equal(arguments_read(c, 5, with, &a, &f), OK);
    assert_int_equal(argument_key(&a, &key, &f), OK);
    assert_string_equal(key, "mine.key");
    arguments_clear(&a);
    unsetenv(KEY_VARIABLE);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_no_argument),
        cmocka_unit_test(given_goes_first),
    };

    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
