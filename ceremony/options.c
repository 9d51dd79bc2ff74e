#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ceremony/columns.h"
#include "ceremony/tool.h"

#define HELP_COLUMNS 100 /* at most */

static const struct option option_bindings = {"bindings", "FILE", false, "the host's bindings file"};
static const struct option option_json = {"json", NULL, false, "answer in canonical JSON"};
static const struct option option_help = {"help", NULL, false, "this text"};

static const struct option *option_find(const struct command *c, const char *name, size_t len)
{
    const struct option *common[] = {&option_bindings, c->json ? &option_json : NULL, &option_help};

    for (const struct option *o = c->options; o && o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (common[i] && strlen(common[i]->name) == len && memcmp(common[i]->name, name, len) == 0)
            return common[i];
    return NULL;
}

static bool was_given(const struct arguments *a, const struct option *o)
{
    for (size_t i = 0; i < a->given_count; i++)
        if (a->given[i].option == o)
            return true;
    return false;
}

/* Takes the option words[*at] and, where it has one, its value. */
static enum outcome option_read(const struct command *c, int count, char *const *words, int *at, struct arguments *a,
                                struct fault *f)
{
    const char *word = words[*at] + 2, *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct option *o = option_find(c, word, len);
    const char *value = equals ? equals + 1 : NULL;

    if (!o)
        return fault_set(f, E_INVALID, "unknown option --%.*s; `quorate %s --help` lists what there is", (int)len, word,
                         c->name);
    if (!o->value && value)
        return fault_set(f, E_INVALID, "option --%s takes no value", o->name);
    if (!o->many && was_given(a, o))
        return fault_set(f, E_INVALID, "option --%s is given twice; once is enough", o->name);
    if (o->value && !value) {
        if (*at + 1 >= count)
            return fault_set(f, E_INVALID, "option --%s needs a value: --%s %s", o->name, o->name, o->value);
        value = words[++*at];
    }
    if (o->value && !*value)
        return fault_set(f, E_INVALID, "option --%s has an empty value; it wants %s", o->name, o->value);
    a->given[a->given_count++] = (struct given){o, value};
    a->help = a->help || o == &option_help;
    return OK;
}

static enum outcome operands_check(const struct arguments *a, struct fault *f)
{
    const struct command *c = a->command;

    if (a->operand_count < c->min)
        return fault_set(f, E_INVALID, "something is missing; the form is: quorate %s %s", c->name, c->operands);
    if (a->operand_count > c->max)
        return fault_set(f, E_INVALID, "\"%s\" is one word too many; the form is: quorate %s %s", a->operands[c->max],
                         c->name, c->operands);
    return OK;
}

enum outcome arguments_read(const struct command *c, int count, char *const *words, struct arguments *ret,
                            struct fault *f)
{
    struct arguments a = {.command = c};
    bool only_operands = false;
    enum outcome o = OK;
    size_t room = (size_t)count + 1;

    a.operands = calloc(room, sizeof *a.operands);
    a.given = calloc(room, sizeof *a.given);
    if (!a.operands || !a.given) {
        o = fault_memory(f);
        goto out;
    }
    for (int i = 0; i < count; i++) {
        if (!only_operands && strcmp(words[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && (strncmp(words[i], "--", 2) == 0 || strcmp(words[i], "-h") == 0)) {
            char help[] = "--help";
            char *const one[] = {help};
            int zero = 0;

            o = words[i][1] == 'h' ? option_read(c, 1, one, &zero, &a, f) : option_read(c, count, words, &i, &a, f);
        } else if (!only_operands && words[i][0] == '-' && words[i][1]) {
            o = fault_set(f, E_INVALID, "unknown option %s; options are written with two dashes", words[i]);
        } else {
            a.operands[a.operand_count++] = words[i];
        }
        if (o != OK)
            goto out;
    }
    if (!a.help)
        o = operands_check(&a, f);
out:
    if (o == OK)
        *ret = a;
    else
        arguments_clear(&a);
    return o;
}

void arguments_clear(struct arguments *a)
{
    free(a->operands);
    free(a->given);
    *a = (struct arguments){0};
}

const char *argument(const struct arguments *a, const char *name)
{
    for (size_t i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].option->name, name) == 0)
            return a->given[i].value;
    return NULL;
}

bool argument_flag(const struct arguments *a, const char *name)
{
    for (size_t i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].option->name, name) == 0)
            return true;
    return false;
}

enum outcome argument_want(const struct arguments *a, const char *name, const char **ret, struct fault *f)
{
    const char *value = argument(a, name);

    if (!value)
        return fault_set(f, E_INVALID, "option --%s is missing; `quorate %s --help` says what it is for", name,
                         a->command->name);
    *ret = value;
    return OK;
}

enum outcome argument_key(const struct arguments *a, const char **ret, struct fault *f)
{
    const char *given = argument(a, "key") != NULL ? NULL : secure_getenv(KEY_VARIABLE);

    if (given == NULL || given[0] == '\0')
        return argument_want(a, "key", ret, f);
    *ret = given;
    return OK;
}

static void option_put(struct buf *b, const struct option *o)
{
    char left[64];

    snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    buf_putf(b, "  %-24s  %s%s\n", left, o->help, o->many ? " (as often as needed)" : "");
}

/* No wider than is easily read. */
static size_t help_columns(void)
{
    size_t columns = columns_of(STDOUT_FILENO);

    return columns >= COLUMNS_MIN && columns < HELP_COLUMNS ? columns : HELP_COLUMNS;
}

static void command_help_put(const struct command *c, struct buf *b)
{
    buf_putf(b, "usage: quorate %s%s%s [options]\n\n%s.\n\n", c->name, *c->operands ? " " : "", c->operands,
             c->summary);
    columns_prose(c->about, help_columns(), b);
    buf_puts(b, "\noptions:\n");
    for (const struct option *o = c->options; o && o->name; o++)
        option_put(b, o);
    option_put(b, &option_bindings);
    if (c->json)
        option_put(b, &option_json);
    option_put(b, &option_help);
}

static void list_put(const char *group, struct buf *b)
{
    size_t len = group ? strlen(group) : 0;

    for (const struct command *c = commands; c->name; c++) {
        char left[64];

        if (!c->run || (group && (strncmp(c->name, group, len) != 0 || c->name[len] != ' ')))
            continue;
        snprintf(left, sizeof left, "%s%s%s", c->name, *c->operands ? " " : "", c->operands);
        buf_putf(b, "  %-24s  %s\n", left, c->summary);
    }
}

void help_put(const struct command *c, struct buf *b)
{
    if (c && c->run) {
        command_help_put(c, b);
        return;
    }
    buf_putf(b, "usage: quorate %s [options]\n\n%s.\n\n", c ? c->name : "COMMAND",
             c ? c->summary
               : "Quorate lets keys in HSMs be born, copied, used or destroyed only as a written policy says");
    list_put(c ? c->name : NULL, b);
    buf_puts(b, "\n");
    columns_prose(
        "`--help` after any of these says more. Exit status: 0 holds, 1 does not hold (refused, not verified, "
        "waiting for people), 2 usage or environment.",
        help_columns(), b);
}
