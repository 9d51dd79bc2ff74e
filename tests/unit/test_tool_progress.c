#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "audit_log_fixture.h"
#include "ceremony/progress.h"

/* Who waits for a long verification at a terminal sees how far it is; a program that reads the output does not. */

#define ENTRIES 20001

static char *long_log(void)
{
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    json_t *body = json_object();
    assert_int_equal(log_begin(l, &f), OK);
    for (unsigned i = 1; i < ENTRIES; i++) {
        if (i % 2000 == 1)
            log_group(l);
        assert_int_equal(log_append(l, ENTRY_STEP, NULL, body, NULL, &f), OK);
        if (i % 2000 == 0 || i + 1 == ENTRIES)
            assert_int_equal(log_group_end(l, &f), OK);
    }
    log_end(l);
    log_close(l);
    json_decref(body);
    return folder;
}

/* In a process of its own, whose errors go there. */
static void check_log(const char *folder, int err)
{
    pid_t child = fork();
    int status = -1;
    assert_true(child >= 0);
    if (child == 0) {
        struct fault f;
        struct log *l = NULL;
        dup2(err, STDERR_FILENO);
        progress_watch();
        _exit(log_open(folder, NULL, NULL, &l, &f) ? 1 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static size_t read_all(int fd, char *ret, size_t room)
{
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0 && len + 1 < room) {
        n = read(fd, ret + len, room - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    ret[len] = '\0';
    return len;
}

static void at_a_terminal(void **state)
{
    char text[16384], *folder = long_log();
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    (void)state;
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0 && fcntl(master, F_SETFL, O_NONBLOCK) == 0);
    check_log(folder, slave);
    read_all(master, text, sizeof text);
    assert_non_null(strstr(text, " 40 % [################                        ] 8192 of 20001 entries"));
    assert_non_null(strstr(text, "\r100 % [########################################] 20001 of 20001 entries"));
    assert_string_equal(text + strlen(text) - 4, "\r\033[K"); /* and is gone when it is done */
    close(slave);
    close(master);
    log_gone(folder);
}

static void not_into_a_file(void **state)
{
    char text[16] = "", *folder = long_log();
    int ends[2];
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    check_log(folder, ends[1]);
    close(ends[1]);
    assert_int_equal(read_all(ends[0], text, sizeof text), 0);
    close(ends[0]);
    log_gone(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(at_a_terminal), cmocka_unit_test(not_into_a_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
