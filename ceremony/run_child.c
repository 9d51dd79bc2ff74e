#include "ceremony/run_child.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ceremony/tool.h"
#include "core/buf.h"
#include "core/limits.h"

#define WORDS_MAX 24

extern char **environ;

/* Ours, but for the key. The list is the caller's, and its last text: what comes before is ours still. */
static char **environment_with(const char *key, char **ret_last)
{
    size_t count = 0, kept = 0;
    char **made = NULL, *last = NULL;

    while (environ[count] != NULL)
        count++;
    made = calloc(count + 2, sizeof *made);
    if (made == NULL || asprintf(&last, KEY_VARIABLE "=%s", key) < 0) {
        free(made);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], KEY_VARIABLE "=", sizeof KEY_VARIABLE) != 0)
            made[kept++] = environ[i];
    made[kept] = *ret_last = last;
    return made;
}

static enum outcome child_start(const char *const *words, const char *key, int out, pid_t *ret, struct fault *f)
{
    posix_spawn_file_actions_t actions;
    char *argv[WORDS_MAX + 2] = {NULL};
    char *last = NULL, **with_key = environment_with(key, &last);
    enum outcome o = OK;
    int rc = 0;

    if (with_key == NULL)
        return fault_memory(f);
    argv[0] = strdup("quorate");
    for (size_t i = 0; i < WORDS_MAX && words[i] != NULL; i++)
        argv[i + 1] = strdup(words[i]);
    rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0 && out >= 0) {
        rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (rc == 0)
            rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (rc == 0)
            rc = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    }
    if (rc == 0)
        rc = posix_spawn(ret, "/proc/self/exe", &actions, NULL, argv, with_key);
    if (rc != 0) {
        errno = rc;
        o = fault_errno(f, "cannot start", "/proc/self/exe");
    }
    posix_spawn_file_actions_destroy(&actions);
    for (size_t i = 0; i <= WORDS_MAX; i++)
        free(argv[i]);
    explicit_bzero(last, strlen(last));
    free(last);
    free(with_key);
    return o;
}

static void said_read(int fd, struct buf *ret)
{
    char chunk[4096];
    ssize_t n = 0;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n > 0)
            buf_put(ret, chunk, (size_t)n);
        else if (errno != EINTR)
            return;
    }
}

/* The last line of what it said, without the program's name before it. */
static const char *last_word(struct buf *said)
{
    char *text = said->len > 0 ? (char *)said->data : NULL, *line = NULL;
    size_t len = said->len;

    if (text == NULL)
        return "it gave no reason";
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    line = strrchr(text, '\n');
    line = line != NULL ? line + 1 : text;
    return strncmp(line, "quorate: ", 9) == 0 ? line + 9 : line;
}

enum outcome child_run(const char *const *words, const char *key, bool quiet, struct fault *f)
{
    struct buf said = BUF(LIMIT_CHILD_OUTPUT);
    int pipe_ends[2] = {-1, -1}, status = 0;
    pid_t child = -1;
    enum outcome o = OK;

    if (quiet && pipe2(pipe_ends, O_CLOEXEC) != 0)
        return fault_errno(f, "cannot make", "a pipe");
    o = child_start(words, key, pipe_ends[1], &child, f);
    if (quiet)
        close(pipe_ends[1]);
    if (o == OK && quiet)
        said_read(pipe_ends[0], &said);
    while (o == OK && waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            o = fault_errno(f, "cannot wait for", "quorate");
    }
    if (o == OK && !WIFEXITED(status))
        o = fault_set(f, E_IO, "quorate %s was killed", words[0]);
    else if (o == OK && WEXITSTATUS(status) != 0)
        o = fault_set(f, WEXITSTATUS(status) == 1 ? E_REFUSED : E_INVALID, "%s",
                      quiet ? last_word(&said) : "that did not hold; its reason stands above");
    if (quiet)
        close(pipe_ends[0]);
    buf_free(&said);
    return o;
}
