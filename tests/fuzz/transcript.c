#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/merkle.h"
#include "audit/note.h"
#include "ceremony/tool.h"
#include "core/encode.h"
#include "core/limits.h"
#include "golden.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The verifier on a real transcript that the bytes alter: files, bytes, lines, members of entries; sometimes the log is signed
 * again by a key that the trust file names then. It ends, and holds only what nobody altered. */
static const uint8_t *input, *input_end;

static unsigned next(void)
{
    return input < input_end ? *input++ : 0;
}

static unsigned next_two(void)
{
    unsigned high = next();
    return high << 8 | next();
}

static size_t one_of(unsigned n, size_t count)
{
    return count ? n % count : 0;
}

static char folder[] = "/tmp/quorate-fuzz-XXXXXX", *transcript, *trust_file;
static EVP_PKEY *secret;
static struct note_key key;
static char key_line[256];
static struct buf own_trust = BUF(1 << 16), golden_trust = BUF(1 << 16);

static struct {
    struct buf bytes;
    bool gone;
} files[GOLDEN_FILES];
/* What nothing names: a file, a folder, folders deeper than any, a link. */
static const char *const extras[] = {"more", "people/more.der", "empty/", "a/b/c/d/", "people/link@"};
static const char *extra;

static json_t *entries[2 * GOLDEN_LINES]; /* where the log is signed again */
static size_t entry_count;

static void must(bool held)
{
    if (!held)
        abort();
}

static void put(const char *name, struct span bytes)
{
    struct fault f;
    char *path = path_join(transcript, name), *above = path_folder(path), *top = path_folder(above);
    mkdir(top, 0700);
    mkdir(above, 0700);
    must(file_show(path, bytes, 0644, &f) == OK);
    free(path);
    free(above);
    free(top);
}

static void drop(const char *name)
{
    char *path = path_join(transcript, name);
    must(path && unlink(path) == 0);
    free(path);
}

static int leave_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static void leave(void)
{
    (void)nftw(folder, leave_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void start(void)
{
    struct fault f;
    struct buf pem = BUF_SECRET(LIMIT_NOTE), line = BUF(256);
    uint8_t public[32];
    golden_load();
    must(mkdtemp(folder) && atexit(leave) == 0);
    transcript = path_join(folder, "transcript");
    trust_file = path_join(folder, "trust.yaml");
    must(transcript && trust_file && mkdir(transcript, 0700) == 0);
    for (size_t i = 0; i < golden_count; i++)
        put(golden_files[i].name, buf_span(&golden_files[i].bytes));
    must(file_read("tests/golden/1/trust.yaml", false, &golden_trust, &f) == OK);
    must(log_key_generate(&secret, &pem, public, &f) == OK);
    must(note_key_make("demo.rehearsal.quorate/62decc7e", public, &key, &f) == OK);
    note_key_put(&key, &line);
    snprintf(key_line, sizeof key_line, "%s", buf_str(&line));
    const char *policy = strstr(buf_str(&golden_trust), "policy:");
    buf_putf(&own_trust, "log-key: \"%s\"\n%s", key_line, policy);
    buf_free(&pem);
    buf_free(&line);
}

static void extra_put(void)
{
    size_t len = strlen(extra);
    char *path = path_join(transcript, extra);
    for (char *at = path + strlen(transcript) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    if (extra[len - 1] == '@')
        must(symlink("../entries", path) == 0);
    else if (extra[len - 1] != '/')
        put(extra, span_str("x"));
    free(path);
}

static void extra_remove(void)
{
    char *path = path_join(transcript, extra), *above = NULL;
    while (path && strlen(path) > strlen(transcript) && remove(path) == 0) {
        above = path_folder(path);
        free(path);
        path = above;
    }
    free(path);
}

/* Of a file: bytes changed, cut off, added; the file gone, or another in its place. */
static void alter_file(size_t i, unsigned how)
{
    struct buf *b = &files[i].bytes;
    size_t at = b->len ? next_two() % b->len : 0;
    if (how == 0 && b->len)
        b->data[at] = (uint8_t)next();
    else if (how == 1 && b->len)
        b->len = at;
    else if (how == 2)
        for (unsigned n = next() % 64; n > 0; n--)
            buf_put(b, &(uint8_t){(uint8_t)next()}, 1);
    else if (how == 3)
        files[i].gone = true;
    else if (how == 5)
        extra = extras[one_of(next(), sizeof extras / sizeof *extras)];
    else {
        struct span other = buf_span(&golden_files[one_of(next(), golden_count)].bytes);
        buf_clear(b);
        buf_put(b, other.data, other.len);
    }
}

/* The nth member of an object, objects and lists within it counted too. */
static json_t *holder(json_t *value, unsigned *n, char *ret_name, size_t room)
{
    const char *name;
    json_t *inner, *found = NULL;
    json_object_foreach(value, name, inner)
    {
        if ((*n)-- == 0) {
            snprintf(ret_name, room, "%s", name);
            return value;
        }
        found = json_is_object(inner) ? holder(inner, n, ret_name, room) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

static json_t *another_value(void)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "estate",
                                        "token:root",
                                        "2026-11-22T13:03:00Z",
                                        "9999-12-31T23:59:59Z",
                                        "true",
                                        "1.1",
                                        "custodian-1",
                                        "administrator",
                                        "allow",
                                        "rejected"};
    unsigned how = next();
    char name[65], text[256] = "";
    if (how < 12)
        return json_string(texts[how]);
    if (how < 16)
        return json_integer((json_int_t)next_two() - 3);
    if (how < 20)
        return how & 1 ? json_array() : json_object();
    if (how < 24) {
        for (unsigned n = 0, end = next(); n < end; n++)
            text[n] = (char)(32 + next() % 95);
        return json_string(text);
    }
    /* a member of another entry */
    unsigned n = next() % 24;
    json_t *from = entries[one_of(next_two(), entry_count)], *at = holder(from, &n, name, sizeof name);
    return at ? json_deep_copy(json_object_get(at, name)) : json_integer(1);
}

static void alter_entry(unsigned how)
{
    size_t at = one_of(next_two(), entry_count), other = one_of(next_two(), entry_count);
    char name[65];
    json_t *kept = entries[at];
    unsigned n = next() % 24;
    if (how == 0) {
        entries[at] = entries[other];
        entries[other] = kept;
    } else if (how == 1 && entry_count > 2) {
        json_decref(kept);
        memmove(&entries[at], &entries[at + 1], (--entry_count - at) * sizeof *entries);
    } else if (how == 2 && entry_count < 2 * GOLDEN_LINES) {
        memmove(&entries[at + 1], &entries[at], (entry_count++ - at) * sizeof *entries);
        entries[at] = json_deep_copy(entries[other == at + 1 ? at + 1 : other]);
    } else {
        json_t *in = holder(kept, &n, name, sizeof name);
        if (in && how == 3)
            json_object_del(in, name);
        else if (in)
            json_object_set_new(in, how == 4 ? "more" : name, another_value());
    }
}

/* The lines anew, numbered and signed: false where they are no entries. */
static bool sign_again(void)
{
    struct fault f;
    struct buf *lines = &files[golden_entries].bytes, text = BUF(LIMIT_NOTE), note = BUF(LIMIT_NOTE);
    struct merkle_edge edge = {.size = 0};
    struct checkpoint c = {.size = entry_count};
    bool good = true;
    buf_clear(lines);
    json_object_set_new(json_object_get(entries[0], "body"), "log-key", json_string(key_line));
    for (size_t i = 0; i < entry_count && good; i++) {
        struct digest leaf;
        size_t before = lines->len;
        json_object_set_new(entries[i], "seq", json_integer((json_int_t)i));
        good = json_canonical(entries[i], lines, &f) == OK;
        merkle_leaf(span_of(lines->data + before, lines->len - before), &leaf);
        merkle_push(&edge, &leaf);
        buf_puts(lines, "\n");
    }
    snprintf(c.origin, sizeof c.origin, "%s", key.name);
    merkle_root(&edge, &c.root);
    checkpoint_put(&c, &text);
    good = good && note_sign(buf_span(&text), &key, secret, &note, &f) == OK;
    for (size_t i = 0; i < golden_count && good; i++)
        if (!strcmp(golden_files[i].name, "checkpoint")) {
            buf_free(&files[i].bytes);
            files[i].bytes = note;
            note = BUF(0); /* taken by the file */
        }
    buf_free(&text);
    buf_free(&note);
    return good;
}

/* As the program's command; what it prints goes nowhere. */
static int verified(bool signed_again)
{
    struct fault f;
    char words[][16] = {"quorate", "verify", "--trust", "--json"};
    char *argv[] = {words[0], words[1], transcript, words[2], trust_file, words[3], NULL};
    must(file_show(trust_file, buf_span(signed_again ? &own_trust : &golden_trust), 0644, &f) == OK);
    fflush(stdout);
    fflush(stderr);
    int out = dup(1), err = dup(2), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    must(out >= 0 && err >= 0 && nowhere >= 0 && dup2(nowhere, 1) == 1 && dup2(nowhere, 2) == 2);
    int status = tool_run(6, argv);
    fflush(stdout);
    must(dup2(out, 1) == 1 && dup2(err, 2) == 2);
    close(out);
    close(err);
    close(nowhere);
    return status;
}

static void alter(bool again)
{
    for (unsigned n = next() % 8; n > 0; n--) {
        unsigned how = next() % 16;
        if (how < 6)
            alter_file(one_of(next(), golden_count), how);
        else if (again)
            alter_entry(how % 6);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool same = true;
    input = data;
    input_end = data + size;
    if (!secret)
        start();
    for (size_t i = 0; i < golden_count; i++) {
        files[i].bytes = BUF(1 << 21);
        files[i].gone = false;
        buf_put(&files[i].bytes, golden_files[i].bytes.data, golden_files[i].bytes.len);
    }
    bool again = next() & 1;
    for (entry_count = 0; again && entry_count < golden_line_count; entry_count++)
        entries[entry_count] =
            json_loadb((const char *)golden_lines[entry_count].data, golden_lines[entry_count].len, 0, NULL);
    extra = NULL;
    alter(again);
    again = again && sign_again();
    for (size_t i = 0; i < golden_count; i++) {
        if (!files[i].gone && span_equal(buf_span(&files[i].bytes), buf_span(&golden_files[i].bytes)))
            continue;
        same = false;
        if (files[i].gone)
            drop(golden_files[i].name);
        else
            put(golden_files[i].name, buf_span(&files[i].bytes));
    }
    if (extra)
        extra_put();
    if ((verified(again) == 0) != (same && !extra))
        abort();
    if (extra)
        extra_remove();
    for (size_t i = 0; i < golden_count; i++) {
        if (files[i].gone || !span_equal(buf_span(&files[i].bytes), buf_span(&golden_files[i].bytes)))
            put(golden_files[i].name, buf_span(&golden_files[i].bytes));
        buf_free(&files[i].bytes);
    }
    for (size_t i = 0; i < entry_count; i++)
        json_decref(entries[i]);
    entry_count = 0;
    return 0;
}
