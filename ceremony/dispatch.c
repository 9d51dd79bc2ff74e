#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/print.h"
#include "ceremony/progress.h"
#include "ceremony/tool.h"

int exit_status(enum outcome o)
{
    switch (o) {
    case OK:
        return 0;
    case E_REFUSED:
    case E_PENDING:
    case E_BUSY:
        return 1;
    case E_INVALID:
    case E_ABSENT:
    case E_DEVICE:
    case E_IO:
    case E_MEMORY:
        break;
    }
    return 2;
}

/* How many of the words an entry's name takes; 0: it is another command. */
static int name_taken(const char *name, int count, char *const *words)
{
    int taken = 0;

    while (*name && taken < count) {
        size_t len = strcspn(name, " ");

        if (strlen(words[taken]) != len || memcmp(words[taken], name, len) != 0)
            return 0;
        taken++;
        name += len;
        name += *name == ' ';
    }
    return *name ? 0 : taken;
}

enum outcome command_find(int count, char *const *words, const struct command **ret, int *ret_taken, struct fault *f)
{
    const struct command *best = NULL;
    int best_taken = 0;

    for (const struct command *c = commands; c->name; c++) {
        int taken = name_taken(c->name, count, words);

        if (taken > best_taken) {
            best = c;
            best_taken = taken;
        }
    }
    if (!best)
        return fault_set(f, E_INVALID, "there is no command \"%s\"; `quorate --help` lists them all", words[0]);
    *ret = best;
    *ret_taken = best_taken;
    return OK;
}

static enum outcome help_out(const struct command *c, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o;

    help_put(c, &b);
    o = print_out(&b, f);
    buf_free(&b);
    return o;
}

static bool asks_for_help(int count, char *const *words)
{
    return count > 0 && (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0);
}

static enum outcome command_run(int count, char *const *words, struct fault *f)
{
    const struct command *c = NULL;
    struct arguments a = {0};
    int taken = 0;
    enum outcome o;

    if (count == 0)
        return fault_set(f, E_INVALID, "no command is given; `quorate --help` lists them all");
    if (asks_for_help(count, words))
        return help_out(NULL, f);
    o = command_find(count, words, &c, &taken, f);
    if (o != OK)
        return o;
    count -= taken;
    words += taken;
    if (!c->run) {
        if (asks_for_help(count, words))
            return help_out(c, f);
        return fault_set(f, E_INVALID, "%s%s%s is no command; `quorate %s --help` lists what there is", c->name,
                         count > 0 ? " " : "", count > 0 ? words[0] : "", c->name);
    }
    o = arguments_read(c, count, words, &a, f);
    if (o != OK)
        return o;
    o = a.help ? help_out(c, f) : c->run(&a, f);
    arguments_clear(&a);
    return o;
}

static void fault_out(const struct fault *f)
{
    struct buf b = BUF(sizeof f->text * 4);

    buf_puts(&b, "quorate: ");
    print_text(&b, f->text);
    buf_puts(&b, "\n");
    print_aside(&b);
    buf_free(&b);
}

int tool_run(int argc, char *const *argv)
{
    struct fault f = {.outcome = OK};
    enum outcome o;

    /* A reader that went away is an error of writing, not an end without a word. */
    signal(SIGPIPE, SIG_IGN);
    progress_watch();
    o = command_run(argc > 0 ? argc - 1 : 0, argv + (argc > 0), &f);
    if (o != OK && f.text[0])
        fault_out(&f);
    return exit_status(o);
}
