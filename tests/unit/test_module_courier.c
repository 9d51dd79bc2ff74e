#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/limits.h"
#include "module/courier.h"
#include "tests/unit/scratch.h"

/* Commands that a site's binding may name, and what they may do to the process that runs them: nothing. */

enum { PATIENT = 60 };

static volatile sig_atomic_t children_seen;

static void child_seen(int number)
{
    (void)number;
    children_seen++;
}

static int setup(void **state)
{
    struct sigaction a = {.sa_handler = child_seen};
    sigaction(SIGCHLD, &a, NULL);
    return scratch_make(state);
}

static int teardown(void **state)
{
    signal(SIGCHLD, SIG_DFL);
    return scratch_remove(state);
}

static int fds_open(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Runs `sh -c script`. */
static enum outcome run(const char *script, struct span message, unsigned seconds, struct buf *answer, struct fault *f)
{
    struct strings command = {0};
    int fds = fds_open();
    assert_true(strings_add(&command, "sh") && strings_add(&command, "-c") && strings_add(&command, script));
    *answer = BUF(LIMIT_ANSWER);
    *f = (struct fault){OK, ""};
    enum outcome outcome = courier_run(&command, message, seconds, answer, f);
    strings_free(&command);
    assert_int_equal(fds_open(), fds);
    assert_int_equal(children_seen, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing for the host to wait for */
    return outcome;
}

static void fails(const char *script, struct span message, unsigned seconds, const char *text)
{
    struct buf answer;
    struct fault f;
    assert_int_equal(run(script, message, seconds, &answer, &f), E_DEVICE);
    if (strstr(f.text, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, f.text);
    buf_free(&answer);
}

static void there_and_back(void **state)
{
    struct buf message = BUF(LIMIT_MESSAGE), answer;
    struct fault f;
    (void)state;
    for (int i = 0; i < 60000; i++)
        buf_putf(&message, "line %d\n", i);
    assert_int_equal(run("cat", buf_span(&message), PATIENT, &answer, &f), OK);
    assert_true(span_equal(buf_span(&message), buf_span(&answer)));
    buf_free(&answer);
    /* One that answers without having read. */
    assert_int_equal(run("echo yes", buf_span(&message), PATIENT, &answer, &f), OK);
    assert_string_equal(buf_str(&answer), "yes\n");
    buf_free(&answer);
    buf_free(&message);
}

static void what_it_is_given(void **state)
{
    struct buf answer;
    struct fault f;
    char line[64];
    int null = open("/dev/null", O_RDONLY), secret = fcntl(null, F_DUPFD, 77); /* inherited, if nobody minds */
    (void)state;
    setenv("SECRET_OF_THE_HOST", "1", 1);
    assert_int_equal(run("env; ls /proc/self/fd | tr '\\n' ' '; pwd; ps -o tty= -p $$; trap '' PIPE; kill -USR1 $$; :",
                         span_str("x"), PATIENT, &answer, &f),
                     E_DEVICE);
    assert_non_null(strstr(f.text, "ended by a signal")); /* the host's handlers and masks are not the command's */
    assert_null(strstr(buf_str(&answer), "SECRET_OF_THE_HOST"));
    assert_non_null(strstr(buf_str(&answer), "LC_ALL=C\n"));
    snprintf(line, sizeof line, " %d ", secret);
    assert_null(strstr(buf_str(&answer), line));
    buf_free(&answer);
    close(null);
    close(secret);
}

static void commands_that_harm_nothing(void **state)
{
    static char much[200000];
    const struct span big = span_of(much, sizeof much);
    (void)state;
    memset(much, 'm', sizeof much);
    fails("exit 3", span_str("x"), PATIENT, "status");
    fails("exit 0", span_str("x"), PATIENT, "printed nothing");
    fails("exec 0<&-; sleep 0.1; exit 1", big, PATIENT, "status");
    fails("echo no way through >&2; exit 255", span_str("x"), PATIENT, "it says: no way through");
    fails("yes", span_str("x"), PATIENT, "more than an answer may be");
    fails("yes >&2 & sleep 0.2; kill $!; exit 1", span_str("x"), PATIENT, "it says: y");
    fails("sleep 600", span_str("x"), 1, "in time");
    fails("trap '' TERM HUP INT; while :; do sleep 1; done", big, 1, "in time");
    fails("echo yes; exec 1>&-; sleep 600", span_str("x"), 1, "in time");
    fails("kill -9 $$", span_str("x"), PATIENT, "signal");
    fails("echo half; kill -9 $$", span_str("x"), PATIENT, "signal");
}

/* Killed with all that it began. */
static void nothing_is_left_running(void **state)
{
    char script[600], line[32] = "";
    (void)state;
    snprintf(script, sizeof script, "sleep 600 & echo $! >%s; wait", in("pid"));
    fails(script, span_str("x"), 1, "in time");
    FILE *file = fopen(in("pid"), "r");
    char state_of[64], kind = 'Z';
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    long pid = strtol(line, NULL, 10);
    assert_true(pid > 1);
    /* Gone, or waiting for somebody else to bury it. */
    for (int i = 0; i < 1000 && kind != 0; i++) {
        snprintf(state_of, sizeof state_of, "/proc/%ld/stat", pid);
        file = fopen(state_of, "r");
        kind = 0;
        if (file != NULL && fscanf(file, "%*d %*s %c", &kind) == 1 && kind == 'Z')
            kind = 0;
        if (file != NULL)
            fclose(file);
        usleep(5000);
    }
    assert_int_equal(kind, 0);
}

static void commands_that_are_none(void **state)
{
    struct buf answer = BUF(LIMIT_ANSWER);
    struct fault f;
    static char *const names[] = {"no-such-courier", "./courier", "/no/such/courier", "/etc/passwd"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *words[] = {names[i]};
        struct strings command = {.items = words, .count = 1};
        assert_int_equal(courier_run(&command, span_str("x"), PATIENT, &answer, &f), E_DEVICE);
        assert_non_null(strstr(f.text, names[i]));
    }
    buf_free(&answer);
}

/* Hosts that want to hear of no child at all. */
static void a_host_that_ignores_children(void **state)
{
    struct buf answer;
    struct fault f;
    struct sigaction before, ignore = {.sa_handler = SIG_IGN, .sa_flags = SA_NOCLDWAIT};
    (void)state;
    sigaction(SIGCHLD, &ignore, &before);
    assert_int_equal(run("cat", span_str("still"), PATIENT, &answer, &f), OK);
    assert_string_equal(buf_str(&answer), "still");
    buf_free(&answer);
    fails("exit 4", span_str("x"), PATIENT, "status");
    sigaction(SIGCHLD, &before, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_it_is_given),
        cmocka_unit_test(commands_that_harm_nothing),
        cmocka_unit_test(nothing_is_left_running),
        cmocka_unit_test(commands_that_are_none),
        cmocka_unit_test(a_host_that_ignores_children),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
