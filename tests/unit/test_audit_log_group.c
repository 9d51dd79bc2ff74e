#include <fcntl.h>

#include "audit_log_fixture.h"

/* Entries that become durable together, and what an append need not look at again. */

/* Entries of a group count together, from its end on, or not at all. */
static void groups_count_together(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder), *other = log_opened(folder);
    json_t *body = json_object();
    uint64_t seq = 0;
    assert_int_equal(log_begin(l, &f), OK);
    assert_int_equal(log_group_end(l, &f), E_REFUSED);
    log_group(l);
    assert_int_equal(log_group_end(l, &f), OK); /* of nothing */
    log_group(l);
    for (int i = 0; i < 300; i++)
        assert_int_equal(log_append(l, ENTRY_STEP, NULL, body, &seq, &f), OK);
    assert_int_equal(seq, 300);
    assert_int_equal(log_append(l, ENTRY_LOG_KEY, NULL, body, NULL, &f), E_INVALID);
    assert_int_equal(log_refresh(other, &f), OK);
    assert_int_equal(log_size(other), 1);
    assert_int_equal(log_group_end(l, &f), OK);
    assert_int_equal(log_append(l, ENTRY_STEP, NULL, body, NULL, &f), OK);
    log_end(l);
    assert_int_equal(log_refresh(other, &f), OK);
    assert_int_equal(log_size(other), 302);

    assert_int_equal(log_begin(l, &f), OK);
    log_group(l);
    assert_int_equal(log_append(l, ENTRY_STEP, NULL, body, NULL, &f), OK);
    log_end(l); /* without its end */
    assert_int_equal(log_begin(l, &f), E_REFUSED);
    log_close(l);
    say(other, "after what did not count");
    assert_int_equal(log_size(other), 303); /* nothing of it was written */
    log_close(other);
    log_close(log_opened(folder));
    json_decref(body);
    log_gone(folder);
}

/* No more than what a crash may leave behind; a refusal takes nothing back. */
static void a_group_has_an_end(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made(), text[60001];
    struct log *l = log_opened(folder);
    json_t *body = json_object();
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_true(json_put_string(body, "said", text));
    assert_int_equal(log_begin(l, &f), OK);
    log_group(l);
    enum outcome rc = OK;
    unsigned taken = 0;
    for (; !rc && taken < 100; taken += !rc)
        rc = log_append(l, ENTRY_STEP, NULL, body, NULL, &f);
    assert_int_equal(rc, E_MEMORY);
    assert_int_equal(taken, LIMIT_TAIL / 60073);
    assert_int_equal(log_group_end(l, &f), OK);
    assert_int_equal(log_append(l, ENTRY_STEP, NULL, body, NULL, &f), OK);
    log_end(l);
    log_close(l);
    l = log_opened(folder);
    assert_int_equal(log_size(l), taken + 2);
    log_close(l);
    json_decref(body);
    log_gone(folder);
}

/* What another appended is seen even where the checkpoint's file looks as it did: the times of file systems are coarse. */
static void looks_deceive(void **state)
{
    (void)state;
    struct fault f;
    struct stat before, after;
    char *folder = log_made(), *path = path_join(folder, "checkpoint");
    struct log *l = log_opened(folder), *other = log_opened(folder);
    say(l, "one");
    assert_int_equal(stat(path, &before), 0);
    in_folder(folder, "ln checkpoint kept");
    say(other, "two");
    in_folder(folder, "cat checkpoint >kept && mv kept checkpoint");
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_ino == before.st_ino && after.st_size == before.st_size);
    assert_false(log_changed(l));
    assert_int_equal(log_said(l, "three", &f), OK);
    assert_int_equal(log_size(l), 4);
    log_close(l);
    log_close(other);
    l = log_opened(folder);
    assert_int_equal(log_size(l), 4);
    log_close(l);
    free(path);
    log_gone(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_count_together),
        cmocka_unit_test(a_group_has_an_end),
        cmocka_unit_test(looks_deceive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
