#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/file.h"

/* Options, dispatch, help, exit statuses; each command and option has its place in a manual page. */

#define COUNT(words) ((int)(sizeof(words) / sizeof *(words)))

static const struct command *named(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    fail_msg("no command %s", name);
    return NULL;
}

static enum outcome reads(const char *name, int count, const char *const *words, struct arguments *ret, struct fault *f)
{
    char copies[16][64], *list[16];

    for (int i = 0; i < count; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", words[i]);
        list[i] = copies[i];
    }
    return arguments_read(named(name), count, list, ret, f);
}

static void refuses(const char *name, int count, const char *const *words, const char *says)
{
    struct arguments a = {0};
    struct fault f = {.outcome = OK};

    assert_int_equal(reads(name, count, words, &a, &f), E_INVALID);
    if (!strstr(f.text, says))
        fail_msg("\"%s\" does not say \"%s\"", f.text, says);
    assert_null(a.operands);
    assert_null(a.given);
}

static void test_options_anywhere(void **state)
{
    char id[] = "abcdef", as[] = "--as", who[] = "custodian-1", key[] = "--key=k.pem", yes[] = "--yes",
         json[] = "--json";
    char *words[] = {as, who, id, key, yes, json};
    struct arguments a = {0};
    struct fault f = {.outcome = OK};
    const char *value = NULL;

    (void)state;
    assert_int_equal(arguments_read(named("approve"), COUNT(words), words, &a, &f), OK);
    assert_int_equal(a.operand_count, 1);
    assert_string_equal(a.operands[0], "abcdef");
    assert_string_equal(argument(&a, "as"), "custodian-1");
    assert_string_equal(argument(&a, "key"), "k.pem");
    assert_true(argument_flag(&a, "yes"));
    assert_true(argument_flag(&a, "json"));
    assert_false(argument_flag(&a, "bindings"));
    assert_null(argument(&a, "certificate"));
    assert_int_equal(argument_want(&a, "certificate", &value, &f), E_INVALID);
    assert_null(value);
    arguments_clear(&a);
}

static void test_repeats_and_ends(void **state)
{
    char op[] = "generate", approve[] = "--approve", one[] = "a", two[] = "b", end[] = "--", dash[] = "--json";
    char *many[] = {op, approve, one, approve, two}, *ended[] = {end, dash};
    struct arguments a = {0};
    struct fault f = {.outcome = OK};
    size_t approvals = 0;

    (void)state;
    assert_int_equal(arguments_read(named("policy explain"), COUNT(many), many, &a, &f), OK);
    for (size_t i = 0; i < a.given_count; i++)
        approvals += strcmp(a.given[i].option->name, "approve") == 0;
    assert_int_equal(approvals, 2);
    arguments_clear(&a);
    assert_int_equal(arguments_read(named("policy check"), COUNT(ended), ended, &a, &f), OK);
    assert_string_equal(a.operands[0], "--json");
    assert_false(argument_flag(&a, "json"));
    arguments_clear(&a);
}

static void test_bad_options(void **state)
{
    (void)state;
    refuses("status", 1, (const char *[]){"--nonsense"}, "unknown option --nonsense");
    refuses("status", 1, (const char *[]){"-x"}, "-x");
    refuses("status", 1, (const char *[]){"--offline=yes"}, "takes no value");
    refuses("status", 2, (const char *[]){"--offline", "--offline"}, "twice");
    refuses("status", 1, (const char *[]){"--bindings"}, "needs a value");
    refuses("status", 1, (const char *[]){"--bindings="}, "empty value");
    refuses("status", 1, (const char *[]){"more"}, "one word too many");
    refuses("policy check", 0, NULL, "FILE");
    refuses("request export", 2, (const char *[]){"--to", "folder"}, "ID");
}

static void test_help_asks_for_nothing_else(void **state)
{
    char help[] = "--help", brief[] = "-h";
    char *words[] = {help}, *briefly[] = {brief};
    struct arguments a = {0};
    struct fault f = {.outcome = OK};

    (void)state;
    assert_int_equal(arguments_read(named("approve"), 1, words, &a, &f), OK);
    assert_true(a.help);
    arguments_clear(&a);
    assert_int_equal(arguments_read(named("approve"), 1, briefly, &a, &f), OK);
    assert_true(a.help);
    arguments_clear(&a);
}

static void test_dispatch(void **state)
{
    char policy[] = "policy", explain[] = "explain", use[] = "use", nonsense[] = "nonsense", prefix[] = "pol";
    char *two[] = {policy, explain, use}, *group[] = {policy, nonsense}, *none[] = {nonsense}, *cut[] = {prefix};
    const struct command *c = NULL;
    struct fault f = {.outcome = OK};
    int taken = 0;

    (void)state;
    assert_int_equal(command_find(COUNT(two), two, &c, &taken, &f), OK);
    assert_string_equal(c->name, "policy explain");
    assert_int_equal(taken, 2);
    assert_int_equal(command_find(COUNT(group), group, &c, &taken, &f), OK);
    assert_string_equal(c->name, "policy");
    assert_null(c->run);
    assert_int_equal(command_find(COUNT(none), none, &c, &taken, &f), E_INVALID);
    assert_non_null(strstr(f.text, "nonsense"));
    assert_int_equal(command_find(COUNT(cut), cut, &c, &taken, &f), E_INVALID);
}

static void test_exit_status(void **state)
{
    (void)state;
    assert_int_equal(exit_status(OK), 0);
    assert_int_equal(exit_status(E_REFUSED), 1);
    assert_int_equal(exit_status(E_PENDING), 1);
    assert_int_equal(exit_status(E_BUSY), 1);
    assert_int_equal(exit_status(E_ABSENT), 2);
    assert_int_equal(exit_status(E_INVALID), 2);
    assert_int_equal(exit_status(E_IO), 2);
    assert_int_equal(exit_status(E_DEVICE), 2);
    assert_int_equal(exit_status(E_MEMORY), 2);
}

/* All manual pages, one after the other, without the backslashes before dashes. */
static void pages_read(struct buf *ret)
{
    struct strings names = {0};
    struct fault f = {.outcome = OK};

    assert_int_equal(folder_list("docs/man", &names, &f), OK);
    for (size_t i = 0; i < names.count; i++) {
        struct buf page = BUF(1u << 20);
        char *path = path_join("docs/man", names.items[i]);

        assert_int_equal(file_read(path, false, &page, &f), OK);
        for (size_t k = 0; k < page.len; k++)
            if (page.data[k] != '\\')
                buf_put(ret, &page.data[k], 1);
        free(path);
        buf_free(&page);
    }
    strings_free(&names);
    assert_false(ret->failed);
}

/* The section that begins at `.SS "quorate NAME` ends where the next begins. */
static void section_of(const struct buf *pages, const struct command *c, struct buf *ret)
{
    char head[128];
    const char *start = NULL, *end = NULL;

    snprintf(head, sizeof head, ".SS \"quorate %s%s%s\"\n", c->name, *c->operands ? " " : "", c->operands);
    start = strstr(buf_str(pages), head);
    if (!start) {
        fail_msg("no manual section for \"quorate %s %s\"", c->name, c->operands);
        return;
    }
    start += strlen(head);
    end = strstr(start, "\n.S");
    buf_put(ret, start, end ? (size_t)(end - start) : strlen(start));
}

static void test_help_and_manual(void **state)
{
    struct buf pages = BUF(1u << 22);

    (void)state;
    pages_read(&pages);
    for (const struct command *c = commands; c->name; c++) {
        struct buf help = BUF(OUTPUT_MAX), section = BUF(1u << 20);

        assert_true(strlen(c->summary) > 10);
        help_put(c, &help);
        assert_non_null(strstr(buf_str(&help), c->summary));
        if (c->run) {
            assert_true(strlen(c->about) > 10);
            section_of(&pages, c, &section);
        }
        for (const struct option *o = c->options; c->run && o->name; o++) {
            char dashed[64];

            snprintf(dashed, sizeof dashed, "--%s", o->name);
            if (!strstr(buf_str(&section), dashed))
                fail_msg("the manual of %s does not name %s", c->name, dashed);
            assert_non_null(strstr(buf_str(&help), dashed));
            assert_true(strlen(o->help) > 5);
        }
        buf_free(&section);
        buf_free(&help);
    }
    buf_free(&pages);
}

static void test_program_help_lists_all(void **state)
{
    struct buf help = BUF(OUTPUT_MAX);

    (void)state;
    help_put(NULL, &help);
    for (const struct command *c = commands; c->name; c++)
        if (c->run)
            assert_non_null(strstr(buf_str(&help), c->name));
    buf_free(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_anywhere), cmocka_unit_test(test_repeats_and_ends),
        cmocka_unit_test(test_bad_options),      cmocka_unit_test(test_help_asks_for_nothing_else),
        cmocka_unit_test(test_dispatch),         cmocka_unit_test(test_exit_status),
        cmocka_unit_test(test_help_and_manual),  cmocka_unit_test(test_program_help_lists_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
