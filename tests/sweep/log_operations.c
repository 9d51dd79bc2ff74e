#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log.h"
#include "core/file.h"
#include "core/limits.h"
#include "tests/sweep/sweep.h"

/* The log alone: what an append does, what recovers it, what changes its key and shows it to the public. */

static struct log *opened;

static int stop(const struct fault *f)
{
    fprintf(stderr, "%s\n", f->text);
    return 1;
}

static enum outcome say(struct log *l, unsigned i, struct fault *f)
{
    struct digest d;
    json_t *body = json_object();
    digest_of(&d, 1, span_of(&i, sizeof i));
    enum outcome rc =
        json_put_digest(body, "said", &d) ? log_append(l, ENTRY_STEP, NULL, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return rc;
}

/* Every third time three entries that become durable together. */
static enum outcome add(struct log *l, unsigned i, struct fault *f)
{
    enum outcome rc = log_begin(l, f);
    bool group = i % 3 == 2;
    if (rc)
        return rc;
    if (group)
        log_group(l);
    for (unsigned n = 0; !rc && n < (group ? 3u : 1u); n++)
        rc = say(l, i, f);
    if (!rc && group)
        rc = log_group_end(l, f);
    log_end(l);
    return rc;
}

static enum outcome fill(unsigned count, struct fault *f)
{
    struct log *l = NULL;
    enum outcome rc = log_open(spot.log, NULL, NULL, &l, f);
    for (unsigned i = 0; !rc && i < count; i++)
        rc = add(l, 0, f);
    log_close(l);
    return rc;
}

static enum outcome create(struct fault *f)
{
    struct digest policy = {{0}};
    json_t *body = json_object();
    enum outcome rc = json_put_string(body, "environment", "test") && json_put_string(body, "name", "sweep") &&
                              json_put_digest(body, "policy", &policy)
                          ? log_create(spot.log, "sweep.test/log", body, f)
                          : fault_memory(f);
    json_decref(body);
    return rc;
}

static void made(enum outcome rc, const struct fault *f)
{
    if (rc)
        exit(stop(f));
}

static void make_empty(const char *folder)
{
    struct fault f;
    spot_set(folder);
    made(folder_make(spot.home, 0700, &f), &f);
}

static void make_short(const char *folder)
{
    struct fault f;
    make_empty(folder);
    made(create(&f), &f);
}

/* Two entries short of a tile: it is filled in the middle of an append. */
static void make_long(const char *folder)
{
    struct fault f;
    make_short(folder);
    made(fill(253, &f), &f);
}

static void make_tiled(const char *folder)
{
    struct fault f;
    make_short(folder);
    made(fill(300, &f), &f);
}

/* What a death in the middle of a line leaves. */
static void make_torn(const char *folder)
{
    char path[256];
    make_short(folder);
    snprintf(path, sizeof path, "%s/entries", spot.log);
    FILE *file = fopen(path, "ae");
    if (!file || fputs("{\"body\":{\"said\":\"", file) < 0 || fclose(file) != 0)
        exit(3);
}

static int begin(void)
{
    struct fault f;
    return log_open(spot.log, NULL, NULL, &opened, &f) ? stop(&f) : 0;
}

static int run_append(void)
{
    struct fault f;
    enum outcome rc = OK;
    for (unsigned i = 0; !rc && i < 5; i++)
        rc = add(opened, i, &f);
    log_close(opened);
    return rc ? stop(&f) : 0;
}

static int run_change_key(void)
{
    struct fault f;
    struct note_key key;
    struct buf text = BUF(LIMIT_NOTE);
    json_t *body = json_object();
    enum outcome rc = log_begin(opened, &f);
    if (!rc)
        rc = log_next_key(opened, &key, &f);
    if (!rc) {
        note_key_put(&key, &text);
        rc = json_put_string(body, "log-key", buf_str(&text)) ? log_append(opened, ENTRY_LOG_KEY, NULL, body, NULL, &f)
                                                              : fault_memory(&f);
    }
    log_end(opened);
    if (!rc)
        rc = add(opened, 0, &f);
    log_close(opened);
    buf_free(&text);
    json_decref(body);
    return rc ? stop(&f) : 0;
}

static int run_publish(void)
{
    struct fault f;
    enum outcome rc = log_publish(opened, true, &f);
    log_close(opened);
    return rc ? stop(&f) : 0;
}

static int run_create(void)
{
    struct fault f;
    return create(&f) ? stop(&f) : 0;
}

enum outcome shown_check(struct fault *f)
{
    struct log *l = NULL;
    enum outcome rc = log_open(spot.log, NULL, NULL, &l, f);
    for (size_t i = 0; !rc && i < shown_count; i++) {
        struct digest root;
        rc = log_root_at(l, shown[i].size, &root, f);
        if (!rc && !digest_equal(&root, &shown[i].root))
            rc = fault_set(f, E_REFUSED, "another root");
        if (rc)
            fault_context(f, "the checkpoint shown at %llu", (unsigned long long)shown[i].size);
    }
    log_close(l);
    return rc;
}

/* It leads on from all that was shown, can be appended to, and proofs come from its public folder. */
static int check(void)
{
    struct fault f;
    struct log *l = NULL;
    struct merkle_proof proof;
    enum outcome rc = shown_check(&f);
    if (!rc)
        rc = log_open(spot.log, NULL, NULL, &l, &f);
    for (unsigned i = 0; !rc && i < 3; i++)
        rc = add(l, i, &f);
    if (!rc)
        rc = log_inclusion(l, 0, log_size(l), &proof, &f);
    log_close(l);
    l = NULL;
    if (!rc)
        rc = log_open_at(spot.log, NULL, NULL, NULL, &l, &f);
    log_close(l);
    return rc ? stop(&f) : 0;
}

/* Where no checkpoint is, nothing was ever acknowledged: it is the last that is made. */
static int check_created(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/checkpoint", spot.log);
    return file_exists(path) ? check() : 0;
}

static const struct stage stage_empty = {"nothing", false, make_empty},
                          stage_short = {"a short log", false, make_short},
                          stage_long = {"a log before a tile's end", false, make_long},
                          stage_tiled = {"a log with a tile", false, make_tiled},
                          stage_torn = {"a torn log", false, make_torn};

const struct deed log_operations[] = {
    {"append", &stage_short, begin, run_append, check, false, false},
    {"append-tile", &stage_long, begin, run_append, check, false, false},
    {"append-torn", &stage_torn, begin, run_append, check, false, false},
    {"change-log-key", &stage_short, begin, run_change_key, check, false, false},
    {"publish", &stage_tiled, begin, run_publish, check, false, false},
    {"create", &stage_empty, NULL, run_create, check_created, false, false},
    {.name = NULL},
};
