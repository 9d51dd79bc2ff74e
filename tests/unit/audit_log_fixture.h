#ifndef QUORATE_TESTS_AUDIT_LOG_FIXTURE_H
#define QUORATE_TESTS_AUDIT_LOG_FIXTURE_H

#include <sys/stat.h>
#include <unistd.h>

#include "audit/log.h"
#include "audit_fixture.h"
#include "core/file.h"
#include "core/limits.h"
#include "tests/scratch_folder.h"

#define ORIGIN "quorate.example/test"

/* A fresh log in a fresh folder; the path is the caller's. */
static inline char *log_made(void)
{
    struct fault f;
    char folder[64];
    assert_true(scratch_folder(folder, sizeof folder, "log"));
    json_t *body = json_quoted("{'environment':'rehearsal','name':'test','policy':'%s'}", HEX("policy"));
    if (log_create(folder, ORIGIN, body, &f))
        fail_msg("%s", f.text);
    json_decref(body);
    return strdup(folder);
}

/* Files moved about as nobody should. */
static inline void shell(const char *command)
{
    assert_int_equal(system(command), 0);
}

static inline void log_gone(char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
    free(folder);
}

/* Runs a shell's command there. */
static inline void in_folder(const char *folder, const char *what)
{
    char command[400];
    snprintf(command, sizeof command, "cd '%s' && %s", folder, what);
    assert_int_equal(system(command), 0);
}

static inline struct log *log_opened(const char *folder)
{
    struct fault f;
    struct log *l = NULL;
    if (log_open(folder, NULL, NULL, &l, &f))
        fail_msg("%s", f.text);
    return l;
}

static inline enum outcome log_said(struct log *l, const char *text, struct fault *f)
{
    json_t *body = json_object();
    assert_true(json_put_string(body, "said", text));
    enum outcome rc = log_begin(l, f);
    if (!rc)
        rc = log_append(l, ENTRY_STEP, NULL, body, NULL, f);
    log_end(l);
    json_decref(body);
    return rc;
}

static inline void say(struct log *l, const char *text)
{
    struct fault f;
    if (log_said(l, text, &f))
        fail_msg("%s", f.text);
}

static inline struct buf file_bytes(const char *folder, const char *name)
{
    struct fault f;
    struct buf b = BUF(1 << 20);
    char *path = path_join(folder, name);
    if (file_read(path, false, &b, &f))
        fail_msg("%s", f.text);
    free(path);
    return b;
}

static inline void file_put(const char *folder, const char *name, struct span bytes)
{
    struct fault f;
    char *path = path_join(folder, name);
    assert_int_equal(file_replace(path, bytes, 0644, &f), OK);
    free(path);
}

/* Opening it must fail like that, and the reason must name `word`. */
static inline void log_refused(const char *folder, enum outcome outcome, const char *word)
{
    struct fault f;
    struct log *l = NULL;
    enum outcome rc = log_open(folder, NULL, NULL, &l, &f);
    log_close(l);
    if (rc != outcome || !strstr(f.text, word))
        fail_msg("%d, not %d: %s", rc, outcome, rc ? f.text : "it opened");
}

#endif
