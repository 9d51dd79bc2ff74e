#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/note.h"
#include "ceremony/tool.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/estate.h"
#include "tests/sweep/sweep.h"

/* A home goes on at another machine, as the command line does it: the new home's key, and the move. */

#define ORIGIN "elsewhere.example/2"

static int bad(const char *what, const struct fault *f)
{
    fprintf(stderr, "%s%s%s\n", what, f ? ": " : "", f ? f->text : "");
    return 1;
}

static void beside(char ret[192], const char *folder, const char *name)
{
    snprintf(ret, 192, "%.128s/%s", folder, name);
}

/* The new home's key, and how people name it, in the folder. */
static void key_make(const char *folder)
{
    struct buf pem = BUF_SECRET(LIMIT_NOTE), vkey = BUF(1024);
    struct note_key key;
    EVP_PKEY *secret = NULL;
    uint8_t public[32];
    char path[192];
    struct fault f;
    enum outcome rc = log_key_generate(&secret, &pem, public, &f);
    EVP_PKEY_free(secret);
    if (!rc)
        rc = note_key_make(ORIGIN, public, &key, &f);
    beside(path, folder, "new.key");
    if (!rc)
        rc = file_create(path, buf_span(&pem), 0600, &f);
    if (!rc)
        note_key_put(&key, &vkey);
    beside(path, folder, "new.vkey");
    if (!rc)
        rc = file_create(path, buf_span(&vkey), 0644, &f);
    buf_free(&pem);
    buf_free(&vkey);
    if (rc)
        exit(bad("the new home's key", &f));
}

static int move(const char *folder)
{
    char path[192], bindings[192];
    struct buf vkey = BUF(1024);
    struct fault f;
    beside(path, folder, "new.vkey");
    beside(bindings, folder, "bindings.yaml");
    if (file_read(path, false, &vkey, &f) != OK)
        exit(bad("the new home's key", &f));
    char name[1024];
    snprintf(name, sizeof name, "%s", buf_str(&vkey));
    char *const words[] = {"quorate", "log", "move", name, "--bindings", bindings, NULL};
    int rc = tool_run(6, words);
    buf_free(&vkey);
    return rc;
}

void home_move_ask(const char *folder)
{
    key_make(folder);
    if (move(folder) != 1)
        exit(bad("the move was not asked for", NULL));
}

static int move_here(void)
{
    return move(spot.folder) != 0;
}

static int new_home(void)
{
    char path[192];
    beside(path, spot.home, "new.key");
    char *const words[] = {"quorate", "log", "new-home", ORIGIN, path, NULL};
    return tool_run(5, words) != 0;
}

/* How often the log moved, as the estate has it. */
static enum outcome moves_count(size_t *ret, struct fault *f)
{
    char bindings[192];
    struct estate *e = NULL;
    beside(bindings, spot.folder, "bindings.yaml");
    enum outcome rc = estate_open(bindings, &e, f);
    if (!rc)
        *ret = e->state.move_count;
    estate_close(e);
    return rc;
}

/* An entry more, where this home has the key in force. */
static enum outcome write_one(struct fault *f)
{
    char bindings[192];
    struct estate *e = NULL;
    json_t *body = json_pack("{s:s, s:s}", "site", "cardiff", "token", "root");
    beside(bindings, spot.folder, "bindings.yaml");
    enum outcome rc = estate_open(bindings, &e, f);
    if (!rc)
        rc = estate_append(e, ENTRY_HEAD, body, NULL, f);
    estate_close(e);
    json_decref(body);
    return rc;
}

/* The old home can write until the move is in the log, and nothing afterwards; with the new key the log goes on. */
static int check_move(void)
{
    struct fault f;
    size_t moves = 0;
    char from[192], to[192];
    if (shown_check(&f) || moves_count(&moves, &f))
        return bad("afterwards", &f);
    if (told_good && moves == 0)
        return bad("it was said to have moved, and has not", NULL);
    if (moves == 0 && (write_one(&f) || move_here() != 0 || moves_count(&moves, &f)))
        return bad("not moved when it was asked for again", &f);
    if (moves != 1)
        return bad("moved more than once", NULL);
    if (write_one(&f) == OK)
        return bad("the old home still writes", NULL);
    beside(from, spot.folder, "new.key");
    beside(to, spot.home, "log/key.new");
    if (rename(from, to) != 0)
        return bad("the new key", NULL);
    beside(from, spot.home, "log/key");
    unlink(from);
    return write_one(&f) || shown_check(&f) ? bad("the log does not go on elsewhere", &f) : 0;
}

/* No key, or a whole one that nobody else may read; and where there is none, it can be made. */
static int check_new_home(void)
{
    struct fault f;
    EVP_PKEY *key = NULL;
    struct buf pem = BUF_SECRET(LIMIT_NOTE);
    uint8_t public[32];
    char path[192];
    beside(path, spot.home, "new.key");
    if (!file_exists(path) && (told_good || new_home() != 0))
        return bad("the new home has no key", NULL);
    enum outcome rc = file_read(path, true, &pem, &f);
    if (!rc)
        rc = log_key_load(buf_span(&pem), &key, public, &f);
    EVP_PKEY_free(key);
    buf_free(&pem);
    return rc ? bad("the new home's key", &f) : 0;
}

const struct deed home_operations[] = {
    {"log-move", &stage_three, NULL, move_here, check_move, false, false},
    {"new-home", &stage_three, NULL, new_home, check_new_home, false, false},
    {.name = NULL},
};
