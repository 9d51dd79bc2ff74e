#include "tests/unit/scratch.h"

#include <dirent.h>
#include <string.h>
#include <sys/wait.h>

#include "core/file.h"

static void holds(const char *name, const char *expected)
{
    struct buf b = BUF(100);
    struct fault f = {0};

    assert_int_equal(file_read(in(name), false, &b, &f), OK);
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
}

static void refused(const char *name, bool trusted, enum outcome expected)
{
    struct buf b = BUF(8);
    struct fault f = {0};

    buf_puts(&b, "old");
    assert_int_equal(file_read(in(name), trusted, &b, &f), expected);
    assert_int_equal(f.outcome, expected);
    assert_non_null(strstr(f.text, name));
    buf_free(&b);
}

/* Names in the folder, dot files among them. */
static unsigned entries(void)
{
    DIR *folder = opendir(scratch);
    unsigned count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 2; /* . and .. */
}

static void test_replace_and_create(void **state)
{
    struct fault f = {0};
    struct stat st;

    (void)state;
    assert_int_equal(file_create(in("a"), span_str("one"), 0600, &f), OK);
    assert_int_equal(stat(in("a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(file_create(in("a"), span_str("two"), 0600, &f), E_BUSY);
    holds("a", "one");
    assert_int_equal(file_replace(in("a"), span_str("three"), 0644, &f), OK);
    holds("a", "three");
    assert_int_equal(stat(in("a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(file_replace(in("b"), span_str(""), 0600, &f), OK);
    holds("b", "");
    assert_int_equal(entries(), 2);
    assert_int_equal(file_replace(in("none/a"), span_str("x"), 0600, &f), E_ABSENT);
    assert_true(file_exists(in("a")));
    assert_int_equal(file_remove(in("a"), &f), OK);
    assert_false(file_exists(in("a")));
    assert_int_equal(file_remove(in("a"), &f), OK);
    assert_int_equal(file_remove(in("none/a"), &f), OK);
}

static void test_replace_does_not_follow_a_link(void **state)
{
    struct fault f = {0};

    (void)state;
    assert_int_equal(file_create(in("target"), span_str("safe"), 0600, &f), OK);
    assert_int_equal(symlink("target", in("link")), 0);
    assert_int_equal(file_create(in("link"), span_str("x"), 0600, &f), E_BUSY);
    assert_int_equal(file_replace(in("link"), span_str("x"), 0600, &f), OK);
    holds("target", "safe");
    holds("link", "x");
}

static void test_read_refuses(void **state)
{
    struct fault f = {0};

    (void)state;
    refused("gone", false, E_ABSENT);
    refused("gone/gone", false, E_ABSENT);
    assert_int_equal(symlink("/etc/passwd", in("link")), 0);
    refused("link", false, E_REFUSED);
    assert_int_equal(mkfifo(in("pipe"), 0600), 0);
    refused("pipe", false, E_REFUSED);
    assert_int_equal(mkdir(in("sub"), 0700), 0);
    refused("sub", false, E_REFUSED);
    assert_int_equal(file_create(in("eight"), span_str("12345678"), 0600, &f), OK);
    holds("eight", "12345678");
    assert_int_equal(file_create(in("nine"), span_str("123456789"), 0600, &f), OK);
    refused("nine", false, E_MEMORY);
}

static void test_trust(void **state)
{
    struct fault f = {0};
    struct buf b = BUF(100);

    (void)state;
    assert_int_equal(file_create(in("a"), span_str("x"), 0600, &f), OK);
    assert_int_equal(file_read(in("a"), true, &b, &f), OK);
    assert_int_equal(chmod(in("a"), 0644), 0);
    assert_int_equal(file_read(in("a"), true, &b, &f), OK);
    assert_int_equal(chmod(in("a"), 0664), 0);
    refused("a", true, E_REFUSED);
    assert_int_equal(chmod(in("a"), 0602), 0);
    refused("a", true, E_REFUSED);
    assert_int_equal(file_read(in("a"), false, &b, &f), OK);
    assert_int_equal(chmod(in("a"), 0600), 0);
    assert_int_equal(chmod(scratch, 0770), 0);
    refused("a", true, E_REFUSED);
    assert_int_equal(chmod(scratch, 01777), 0);
    assert_int_equal(file_read(in("a"), true, &b, &f), OK);
    buf_free(&b);
}

static void test_trust_asks_for_the_owner(void **state)
{
    struct fault f = {0};

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give files away */
    assert_int_equal(file_create(in("a"), span_str("x"), 0600, &f), OK);
    assert_int_equal(chown(in("a"), 12345, 0), 0);
    refused("a", true, E_REFUSED);
    assert_int_equal(chown(in("a"), 0, 0), 0);
    assert_int_equal(chown(scratch, 12345, 0), 0);
    refused("a", true, E_REFUSED);
}

static void test_folders(void **state)
{
    struct strings names = {0};
    struct fault f = {0};

    (void)state;
    assert_int_equal(folder_make(in("sub"), 0700, &f), OK);
    assert_int_equal(folder_make(in("sub"), 0700, &f), OK);
    assert_int_equal(folder_make(in("no/sub"), 0700, &f), E_IO);
    assert_int_equal(folder_sync(in("sub"), &f), OK);
    assert_int_equal(folder_sync(in("no"), &f), E_IO);
    assert_int_equal(file_create(in("b"), span_str("x"), 0600, &f), OK);
    assert_int_equal(file_create(in("B"), span_str("x"), 0600, &f), OK);
    assert_int_equal(file_create(in(".hidden"), span_str("x"), 0600, &f), OK);
    assert_int_equal(folder_make(in("b"), 0700, &f), E_REFUSED);
    assert_int_equal(symlink("sub", in("link")), 0);
    assert_int_equal(folder_make(in("link"), 0700, &f), E_REFUSED);
    assert_int_equal(folder_list(scratch, &names, &f), OK);
    assert_int_equal(names.count, 4);
    assert_string_equal(names.items[0], "B");
    assert_string_equal(names.items[1], "b");
    assert_string_equal(names.items[2], "link");
    assert_string_equal(names.items[3], "sub");
    strings_free(&names);
    assert_int_equal(folder_list(in("no"), &names, &f), E_ABSENT);
    assert_int_equal(folder_list(in("sub"), &names, &f), OK);
    assert_int_equal(names.count, 0);
}

static void joined_is(const char *a, const char *b, const char *expected)
{
    char *path = path_join(a, b);

    assert_string_equal(path, expected);
    free(path);
}

static void folder_is(const char *path, const char *expected)
{
    char *found = path_folder(path);

    assert_string_equal(found, expected);
    free(found);
}

static void test_paths(void **state)
{
    (void)state;
    joined_is("a", "b", "a/b");
    joined_is("a/", "b", "a/b");
    joined_is("/", "b", "/b");
    joined_is("a", "/b", "/b");
    folder_is("a", ".");
    folder_is("a/b", "a");
    folder_is("/a", "/");
    folder_is("a//b", "a");
    folder_is("//a", "/");
}

static void test_lock_excludes(void **state)
{
    struct lock *a = NULL, *b = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(lock_take(in("lock"), true, &a, &f), OK);
    assert_int_equal(lock_take(in("lock"), false, &b, &f), E_BUSY);
    assert_null(b);
    lock_release(a);
    assert_int_equal(lock_take(in("lock"), false, &b, &f), OK);
    lock_release(b);
    lock_release(NULL);
    assert_int_equal(lock_take(in("no/lock"), true, &a, &f), E_IO);
    assert_int_equal(symlink("lock", in("link")), 0);
    assert_int_equal(lock_take(in("link"), true, &a, &f), E_IO);
}

static void test_lock_outlives_a_child(void **state)
{
    struct lock *a = NULL, *b = NULL;
    struct fault f = {0};
    int status = -1;
    pid_t child;

    (void)state;
    assert_int_equal(lock_take(in("lock"), true, &a, &f), OK);
    child = fork();
    if (child == 0) {
        lock_release(a);
        _exit(lock_take(in("lock"), false, &b, &f) == E_BUSY ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(lock_take(in("lock"), false, &b, &f), E_BUSY);
    lock_release(a);
    assert_int_equal(lock_take(in("lock"), false, &b, &f), OK);
    lock_release(b);
}

static void test_lock_waits_and_ends_with_its_process(void **state)
{
    struct lock *a = NULL;
    struct fault f = {0};
    int ready[2], status = -1;
    char byte = 0;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        enum outcome o = lock_take(in("lock"), true, &a, &f);
        if (o != OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        usleep(50000);
        _exit(0); /* nothing released: the kernel does */
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(lock_take(in("lock"), true, &a, &f), OK);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    lock_release(a);
    close(ready[0]);
    close(ready[1]);
}

static void test_lock_of_a_removed_file(void **state)
{
    struct lock *a = NULL, *b = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(lock_take(in("lock"), true, &a, &f), OK);
    assert_int_equal(unlink(in("lock")), 0);
    assert_int_equal(lock_take(in("lock"), false, &b, &f), OK);
    assert_true(file_exists(in("lock")));
    lock_release(a);
    lock_release(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_replace_and_create),
        IN_SCRATCH(test_replace_does_not_follow_a_link),
        IN_SCRATCH(test_read_refuses),
        IN_SCRATCH(test_trust),
        IN_SCRATCH(test_trust_asks_for_the_owner),
        IN_SCRATCH(test_folders),
        cmocka_unit_test(test_paths),
        IN_SCRATCH(test_lock_excludes),
        IN_SCRATCH(test_lock_outlives_a_child),
        IN_SCRATCH(test_lock_waits_and_ends_with_its_process),
        IN_SCRATCH(test_lock_of_a_removed_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
