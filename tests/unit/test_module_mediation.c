#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/file.h"
#include "core/limits.h"

/* docs/mediation.md as module/functions.def has it. `make mediation` runs this program with the argument "write". */

#define PAGE "docs/mediation.md"

struct row {
    const char *name, *kind, *note;
};
static const struct row rows_2_40[] = {
#define FUNCTION_2_40(name, kind, note, params, args) {#name, #kind, note},
#include "module/functions.def"
};
static const struct row rows_3_0[] = {
#define FUNCTION_3_0(name, kind, note, params, args) {#name, #kind, note},
#include "module/functions.def"
};
static const struct row rows_3_2[] = {
#define FUNCTION_3_2(name, kind, note, params, args) {#name, #kind, note},
#include "module/functions.def"
};

static const struct kind {
    const char *name, *word, *meaning;
} kinds[] = {
    {"ALWAYS", "own", "Quorate answers, also before C_Initialize"},
    {"OWN", "own", "Quorate answers: handles, slots, sessions are its own"},
    {"GATE", "gate", "the policy is asked for the operation that stands beside it, before anything goes down"},
    {"PASS", "pass", "goes to the HSM with the session translated; takes no lock"},
    {"MESSAGE", "message",
     "goes to the HSM if the key that was judged at the beginning may still be used, without a lock; where its rule "
     "requires something, people are asked for this message"},
    {"PART", "part",
     "goes to the HSM with the session translated, without a lock, or to the message that is kept under approvals"},
    {"OBJECT", "pass", "goes to the HSM with session and object translated; takes no lock"},
    {"DENY", "deny", "CKR_FUNCTION_NOT_SUPPORTED"},
};

static const struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static void rows_put(struct buf *b, const char *title, const struct row *rows, size_t count)
{
    buf_putf(b, "\n## %s\n\n| function | kind | |\n| --- | --- | --- |\n", title);
    for (size_t i = 0; i < count; i++) {
        const struct kind *kind = kind_of(rows[i].kind);

        buf_putf(b, "| `%s` | %s | %s |\n", rows[i].name, kind ? kind->word : "",
                 kind && !rows[i].note[0] ? kind->meaning : rows[i].note);
    }
}

static void page_put(struct buf *b)
{
    buf_puts(
        b, "# What becomes of each PKCS#11 function\n\n"
           "Made by `make mediation` from the table that the entry points and function lists come from\n"
           "(`module/functions.def`); `make check` fails where the two differ. The module never hands out a function\n"
           "list, an interface or a handle of an HSM's own module, and offers the interface of 3.0 only where every\n"
           "HSM module has it. What is a key's birth, use, change or end is a gate; what the gate asks is named by\n"
           "the operations of the policy.\n\n");
    for (size_t i = 1; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kinds[i].name, "OBJECT") != 0)
            buf_putf(b, "- **%s**: %s\n", kinds[i].word, kinds[i].meaning);
    rows_put(b, "PKCS#11 2.40", rows_2_40, sizeof(rows_2_40) / sizeof(*rows_2_40));
    rows_put(b, "PKCS#11 3.0", rows_3_0, sizeof(rows_3_0) / sizeof(*rows_3_0));
    rows_put(b, "PKCS#11 3.2", rows_3_2, sizeof(rows_3_2) / sizeof(*rows_3_2));
}

static void the_page_is_current(void **state)
{
    struct buf want = BUF(LIMIT_DOCUMENT), have = BUF(LIMIT_DOCUMENT);
    struct fault f = {0};

    (void)state;
    page_put(&want);
    assert_false(want.failed);
    if (file_read(PAGE, true, &have, &f) != OK)
        fail_msg("%s", f.text);
    if (!span_equal(buf_span(&want), buf_span(&have)))
        fail_msg(PAGE " differs from module/functions.def: run `make mediation`");
    buf_free(&want);
    buf_free(&have);
}

static void every_row_says_what_it_does(void **state)
{
    const struct row *const lists[] = {rows_2_40, rows_3_0, rows_3_2};
    const size_t counts[] = {68, 24, 12};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < counts[i]; k++) {
            assert_non_null(kind_of(lists[i][k].kind));
            assert_true(lists[i][k].note[0] || strncmp(kind_of(lists[i][k].kind)->meaning, "goes to the HSM", 15) == 0);
        }
}

static bool row_known(const char *name, size_t len)
{
    const struct row *const lists[] = {rows_2_40, rows_3_0, rows_3_2};
    const size_t counts[] = {68, 24, 12};

    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < counts[i]; k++)
            if (strlen(lists[i][k].name) == len && memcmp(lists[i][k].name, name, len) == 0)
                return true;
    return false;
}

/* Requests, findings and the log name functions as the table does. */
static void names_in_the_module_are_rows(void **state)
{
    struct buf text = BUF(LIMIT_DOCUMENT);
    struct fault f = {0};
    size_t found = 0;
    glob_t files = {0};

    (void)state;
    assert_int_equal(glob("module/*.c", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        buf_clear(&text);
        if (file_read(files.gl_pathv[i], true, &text, &f) != OK)
            fail_msg("%s", f.text);
        for (const char *at = buf_str(&text); (at = strstr(at, "\"C_")) != NULL; at++) {
            size_t len = strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_");

            if (!row_known(at + 1, len))
                fail_msg("%s: %.*s is no row of module/functions.def", files.gl_pathv[i], (int)len, at + 1);
            found++;
        }
    }
    assert_true(found > 20);
    globfree(&files);
    buf_free(&text);
}

static int page_write(void)
{
    struct buf page = BUF(LIMIT_DOCUMENT);
    struct fault f = {0};
    int status = 1;

    page_put(&page);
    if (!page.failed && file_replace(PAGE, buf_span(&page), 0644, &f) == OK)
        status = 0;
    else
        fprintf(stderr, "%s\n", f.text);
    buf_free(&page);
    return status;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_current),
        cmocka_unit_test(every_row_says_what_it_does),
        cmocka_unit_test(names_in_the_module_are_rows),
    };

    if (argc == 2 && strcmp(argv[1], "write") == 0)
        return page_write();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
