#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "audit_log_fixture.h"
#include "death.h"

/* Waits for a child; its exit status, or minus the signal that ended it. */
static int child_end(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void append_put(const char *folder, const char *text)
{
    char *path = path_join(folder, "entries");
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

static struct entry last_entry(const struct log *l, uint64_t back)
{
    struct fault f;
    struct entry e;
    struct buf bytes = BUF(LIMIT_ENTRY);
    assert_int_equal(log_entry_bytes(l, log_size(l) - 1 - back, &bytes, &f), OK);
    assert_int_equal(entry_parse(buf_span(&bytes), &e, &f), OK);
    buf_free(&bytes);
    return e;
}

static void torn_line_is_quarantined(void **state)
{
    (void)state;
    char *folder = log_made();
    struct log *l = log_opened(folder), *reader = log_opened(folder);
    static const char torn[] = "{\"body\":{\"said\":\"half a li";
    append_put(folder, torn);
    struct fault f;
    assert_int_equal(log_refresh(reader, &f), OK); /* readers do not see what was never acknowledged */
    assert_int_equal(log_size(reader), 1);
    log_close(log_opened(folder));

    say(l, "after the crash");
    assert_int_equal(log_size(l), 3);
    struct entry e = last_entry(l, 1);
    int64_t bytes = 0;
    struct digest d, wanted;
    assert_int_equal(e.type, ENTRY_RECOVERED);
    assert_int_equal(json_want_integer(e.body, "bytes", &bytes, &f), OK);
    assert_int_equal(bytes, strlen(torn));
    assert_int_equal(json_want_digest(e.body, "digest", &d, &f), OK);
    assert_true(digest_one(&wanted, span_str(torn)));
    assert_true(digest_equal(&d, &wanted));
    entry_clear(&e);
    struct buf kept = file_bytes(folder, "quarantine/1-1");
    assert_true(span_equal(buf_span(&kept), span_str(torn)));
    buf_free(&kept);

    append_put(folder, "\n"); /* once more; and each only once */
    say(l, "after the next");
    say(l, "and on");
    assert_int_equal(log_size(l), 6);
    assert_int_equal(log_refresh(reader, &f), OK);
    assert_int_equal(log_size(reader), 6);
    log_close(l);
    log_close(reader);
    log_gone(folder);
}

static void too_much_behind_the_end(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made(), *text = malloc(LIMIT_TAIL + 2);
    struct log *l = log_opened(folder);
    memset(text, 'x', LIMIT_TAIL + 1);
    text[LIMIT_TAIL + 1] = '\0';
    append_put(folder, text);
    assert_int_equal(log_said(l, "after more than a crash", &f), E_REFUSED);
    assert_int_equal(log_size(l), 1);
    log_close(l);
    free(text);
    log_gone(folder);
}

/* kill -9 at every step, while a torn line waits to be settled too: afterwards the log is good, what was acknowledged
 * stands, and every byte set aside is accounted for. */
static void killed_at_every_step(void **state)
{
    (void)state;
    unsigned step = 1;
    for (int ended = -SIGKILL; ended == -SIGKILL; step++) {
        char *folder = log_made();
        append_put(folder, "torn");
        pid_t pid = fork();
        if (pid == 0) {
            struct fault f;
            struct log *l = log_opened(folder);
            die_at_step(step);
            _exit(log_said(l, "alive", &f) == OK ? 0 : 1);
        }
        ended = child_end(pid);
        assert_true(ended == 0 || ended == -SIGKILL);
        struct log *l = log_opened(folder);
        uint64_t before = log_size(l);
        assert_true(before >= 1 && before <= 3);
        assert_true(ended != 0 || before == 3);
        say(l, "after it");
        unsigned recovered = 0;
        for (uint64_t back = 0; back + 1 < log_size(l); back++) {
            struct entry e = last_entry(l, back);
            recovered += e.type == ENTRY_RECOVERED;
            entry_clear(&e);
        }
        assert_true(recovered >= 1);
        log_close(l);
        log_close(log_opened(folder));
        log_gone(folder);
    }
    assert_int_equal(step - 2, 10); /* two of the settling, four of each append */
}

static void killed_between_cut_and_word(void **state)
{
    (void)state;
    char *folder = log_made();
    append_put(folder, "torn");
    pid_t pid = fork();
    if (pid == 0) {
        struct fault f;
        die_at_step(2); /* tail-copied, tail-cut */
        log_said(log_opened(folder), "never", &f);
        _exit(1);
    }
    assert_int_equal(child_end(pid), -SIGKILL);
    struct log *l = log_opened(folder);
    say(l, "after it");
    assert_int_equal(log_size(l), 3);
    struct entry e = last_entry(l, 1);
    assert_int_equal(e.type, ENTRY_RECOVERED);
    entry_clear(&e);
    log_close(l);
    log_gone(folder);
}

enum { PROCESSES = 4, APPENDS = 50 };

static void several_processes(void **state)
{
    (void)state;
    char *folder = log_made();
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i])
            continue;
        struct fault f;
        struct log *l = log_opened(folder);
        int failed = 0;
        for (int n = 0; n < APPENDS; n++)
            failed |= log_said(l, "one of many", &f) != OK;
        log_close(l);
        _exit(failed);
    }
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(child_end(pids[i]), 0);
    struct log *l = log_opened(folder);
    assert_int_equal(log_size(l), 1 + PROCESSES * APPENDS);
    log_close(l);
    log_gone(folder);
}

static enum outcome count(void *context, const struct entry *e, struct fault *f)
{
    (void)f;
    uint64_t *next = context;
    assert_int_equal(e->seq, *next); /* in order, once */
    ++*next;
    return OK;
}

static void two_in_one_process(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *a = NULL, *b = NULL;
    uint64_t seen_a = 0, seen_b = 0;
    assert_int_equal(log_open(folder, count, &seen_a, &a, &f), OK);
    assert_int_equal(log_open(folder, count, &seen_b, &b, &f), OK);
    for (unsigned i = 0; i < 10; i++) {
        say(a, "a");
        assert_true(log_changed(b));
        say(b, "b");
        assert_true(log_changed(a));
    }
    assert_int_equal(log_refresh(a, &f), OK);
    assert_false(log_changed(a));
    assert_int_equal(log_size(a), 21);
    assert_int_equal(log_size(b), 21);
    assert_int_equal(seen_a, 21);
    assert_int_equal(seen_b, 21);
    log_close(a);
    log_close(b);
    log_gone(folder);
}

static enum outcome no_steps(void *context, const struct entry *e, struct fault *f)
{
    (void)context;
    return e->type == ENTRY_STEP ? fault_set(f, E_INVALID, "no steps here") : OK;
}

static void a_check_that_refuses(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    log_set_check(l, no_steps, NULL);
    assert_int_equal(log_said(l, "refused", &f), E_INVALID);
    assert_string_equal(f.text, "no steps here");
    assert_int_equal(log_size(l), 1);
    log_set_check(l, NULL, NULL);
    say(l, "taken");
    assert_int_equal(log_size(l), 2);
    log_close(l);
    log_gone(folder);
}

static void a_visitor_that_refuses(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = NULL, *writer = log_opened(folder);
    assert_int_equal(log_open(folder, no_steps, NULL, &l, &f), OK);
    assert_int_equal(log_said(l, "durable, but not understood", &f), E_INVALID);
    assert_int_equal(log_refresh(l, &f), E_REFUSED);
    assert_int_equal(log_said(l, "no more", &f), E_REFUSED);
    log_close(l);
    assert_int_equal(log_open(folder, no_steps, NULL, &l, &f), E_INVALID);
    log_gone(folder);
    folder = log_made();
    log_close(writer);
    writer = log_opened(folder);
    assert_int_equal(log_open(folder, no_steps, NULL, &l, &f), OK);
    say(writer, "by another");
    assert_int_equal(log_refresh(l, &f), E_INVALID);
    assert_int_equal(log_refresh(l, &f), E_REFUSED); /* it has seen a part: never as if nothing had been */
    log_close(l);
    say(writer, "the log itself is good");
    log_close(writer);
    log_gone(folder);
}

/* A write that fails half way: nothing more by this object, and a fresh look settles it. */
static void a_full_disk_poisons(void **state)
{
    (void)state;
    char *folder = log_made();
    pid_t pid = fork();
    if (pid == 0) {
        struct fault f;
        struct log *l = log_opened(folder);
        struct buf entries = file_bytes(folder, "entries");
        struct rlimit limit, full;
        signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &limit);
        full = limit;
        full.rlim_cur = entries.len + 10;
        setrlimit(RLIMIT_FSIZE, &full);
        int wrong = log_said(l, "does not fit", &f) != E_IO;
        setrlimit(RLIMIT_FSIZE, &limit);
        wrong |= log_said(l, "fits, but the state is unknown", &f) != E_REFUSED;
        log_close(l);
        _exit(wrong);
    }
    assert_int_equal(child_end(pid), 0);
    struct log *l = log_opened(folder);
    assert_int_equal(log_size(l), 1);
    say(l, "after it");
    assert_int_equal(log_size(l), 3);
    log_close(l);
    log_gone(folder);
}

/* A process cuts a torn end off and dies before it says so: another that lives tells it. */
static void the_living_tell(void **state)
{
    (void)state;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    usleep(50000);
    say(l, "one");
    say(l, "two");
    file_put(folder, "quarantine/3-1", span_str("torn"));
    say(l, "three");
    assert_int_equal(log_size(l), 5);
    say(l, "four");
    assert_int_equal(log_size(l), 6);
    log_close(l);
    log_gone(folder);
}

/* The power failed after a checkpoint was durable, and what made it seen was lost. */
static void durable_and_not_shown(void **state)
{
    (void)state;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say(l, "first");
    in_folder(folder, "cp checkpoint older");
    say(l, "seen by somebody");
    in_folder(folder, "mv checkpoint checkpoint.next && cp older checkpoint");
    struct log *reader = log_opened(folder);
    assert_int_equal(log_size(reader), 3);
    log_close(reader);
    in_folder(folder, "test ! -e checkpoint.next && ! cmp -s older checkpoint");
    say(l, "and on");
    assert_int_equal(log_size(l), 4);

    /* By whoever appends first, where it came meanwhile. */
    in_folder(folder, "cp checkpoint older");
    say(l, "seen by somebody too");
    log_close(l);
    in_folder(folder, "mv checkpoint newer && cp older checkpoint");
    l = log_opened(folder);
    assert_int_equal(log_size(l), 4);
    in_folder(folder, "mv newer checkpoint.next");
    say(l, "and on");
    assert_int_equal(log_size(l), 6);

    /* One that is older than what stands there says nothing. */
    in_folder(folder, "mv older checkpoint.next");
    log_close(log_opened(folder));
    in_folder(folder, "test ! -e checkpoint.next");
    assert_int_equal(log_size(l), 6);
    log_close(l);
    log_gone(folder);
}

static void a_next_checkpoint_that_nobody_signed(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say(l, "first");
    in_folder(folder, "sed '2s/.*/7/' checkpoint >checkpoint.next");
    log_refused(folder, E_REFUSED, "checkpoint.next");
    assert_int_equal(log_said(l, "not on top of it", &f), E_REFUSED);
    assert_non_null(strstr(f.text, "checkpoint.next"));
    in_folder(folder, "echo >checkpoint.next");
    log_refused(folder, E_INVALID, "checkpoint.next");
    in_folder(folder, "rm checkpoint.next");
    say(l, "without it");
    assert_int_equal(log_size(l), 3);
    log_close(l);
    log_gone(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_living_tell),
        cmocka_unit_test(torn_line_is_quarantined),
        cmocka_unit_test(too_much_behind_the_end),
        cmocka_unit_test(killed_at_every_step),
        cmocka_unit_test(killed_between_cut_and_word),
        cmocka_unit_test(several_processes),
        cmocka_unit_test(two_in_one_process),
        cmocka_unit_test(a_check_that_refuses),
        cmocka_unit_test(a_visitor_that_refuses),
        cmocka_unit_test(a_full_disk_poisons),
        cmocka_unit_test(durable_and_not_shown),
        cmocka_unit_test(a_next_checkpoint_that_nobody_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
