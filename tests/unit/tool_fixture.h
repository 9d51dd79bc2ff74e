#ifndef QUORATE_TESTS_TOOL_FIXTURE_H
#define QUORATE_TESTS_TOOL_FIXTURE_H

/* The program itself over the home of estate_fixture.h: each command line a process of its own. */

#include <fcntl.h>
#include <sys/wait.h>

#include "ceremony/tool.h"
#include "tests/unit/estate_fixture.h"

/* Runs a command line as a process of its own; its exit status. What it says is in scratch/said. */
static inline int quorate(const char *line)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        char copy[512], *words[32] = {NULL}, *rest = copy;
        int count = 0, said = open(in("said"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

        snprintf(copy, sizeof copy, "%s", line);
        for (char *word = strtok_r(copy, " ", &rest); word && count < 31; word = strtok_r(NULL, " ", &rest))
            words[count++] = word;
        dup2(said, STDOUT_FILENO);
        dup2(said, STDERR_FILENO);
        close(said);
        setenv("QUORATE_BINDINGS", in("bindings.yaml"), 1);
        _exit(tool_run(count, words));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void says(const char *text)
{
    struct buf said = BUF(1u << 20);
    struct fault f = {OK, ""};

    assert_int_equal(file_read(in("said"), false, &said, &f), OK);
    if (!strstr(buf_str(&said), text))
        fail_msg("\"%s\" is not said, but: %s", text, buf_str(&said));
    buf_free(&said);
}

/* The newest request that waits. */
static inline const char *waiting(void)
{
    static struct digest_text id;
    struct fault f = {OK, ""};
    const struct state *s = &estate_at_hand->state;

    assert_int_equal(estate_refresh(estate_at_hand, &f), OK);
    assert_true(s->request_count > 0);
    id = digest_hex(&s->requests[s->request_count - 1].id);
    return id.hex;
}

static inline const char *vote_line(const char *verb, const char *person, const char *key, const char *more)
{
    static char line[512];

    snprintf(line, sizeof line, "quorate %s %.10s --as %s --key %s/%s.key %s", verb, waiting(), person, scratch, key,
             more);
    return line;
}

/* The keys as files. */
static inline int make(void **state)
{
    int rc = estate_make(state);

    for (size_t i = 0; rc == 0 && i < PEOPLE; i++) {
        char name[64];
        FILE *out = NULL;

        snprintf(name, sizeof name, "%s.key", person_ids[i]);
        out = fopen(in(name), "w");
        assert_non_null(out);
        assert_true(PEM_write_PrivateKey(out, person_keys[i], NULL, NULL, 0, NULL, NULL));
        fclose(out);
    }
    return rc;
}

#endif
