#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/buf.h"

/* The address sanitizer's mlock does nothing: there the pages are looked at in the other tree only. */
#ifdef __SANITIZE_ADDRESS__
#define LOCKS false
#else
#define LOCKS true
#endif

/* Kilobytes of this process that are locked into memory. */
static unsigned long locked(void)
{
    unsigned long found = 0;
    char line[128];
    FILE *file = fopen("/proc/self/status", "re");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, "VmLck:", 6) == 0)
            found = strtoul(line + 6, NULL, 10);
    fclose(file);
    return found;
}

static void a_secret_lies_in_locked_pages(void **state)
{
    struct buf b = BUF_SECRET(100000);
    unsigned long before = locked();
    char part[1000];

    (void)state;
    memset(part, 's', sizeof(part));
    buf_puts(&b, "secret");
    assert_true(!LOCKS || locked() > before);
    for (int i = 0; i < 20; i++) /* it grows, and moves */
        buf_put(&b, part, sizeof(part));
    assert_false(b.failed);
    assert_memory_equal(b.data, "secretsss", 9);
    assert_int_equal(b.len, 20006);
    assert_true(!LOCKS || locked() >= before + 20);
    assert_null(buf_take(&b)); /* what it gave away would be freed as other memory is */
    buf_free(&b);
    assert_int_equal(locked(), before);
    assert_true(b.secret); /* used again, it is one still */
}

static void a_child_does_not_get_it(void **state)
{
    struct buf b = BUF_SECRET(100);
    int status = 0;
    pid_t pid;

    (void)state;
    buf_puts(&b, "secret");
    pid = fork();
    if (pid == 0)
        _exit(b.data[0] == 0 && b.data[5] == 0 ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(buf_str(&b), "secret");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_lies_in_locked_pages),
        cmocka_unit_test(a_child_does_not_get_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
