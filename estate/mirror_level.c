#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/limits.h"
#include "core/mirror.h"
#include "estate/mirrors.h"

#define ENTRIES "log/entries"
#define CHECKPOINT "log/checkpoint"

/* What is not copied as a whole: entries and checkpoint go by the log's rules, last; the others are caches. */
static const char *const apart[] = {ENTRIES,      CHECKPOINT, "log/public", "log/edge",
                                    "log/places", "log/lock", "snapshot"};

struct copy {
    int from, to;
    const char *from_path, *to_path;
    struct stat there; /* of `to` */
};

static void copy_close(struct copy *c)
{
    if (c->from >= 0)
        close(c->from);
    if (c->to >= 0)
        close(c->to);
}

static enum outcome copy_open(const char *from, const char *to, mode_t mode, struct copy *ret, struct fault *f)
{
    struct copy c = {.from = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK),
                     .to = open(to, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode),
                     .from_path = from,
                     .to_path = to};
    struct stat s;
    enum outcome o = OK;
    if (c.from < 0 || fstat(c.from, &s) != 0)
        o = fault_errno(f, "cannot read", from);
    else if (c.to < 0 || fstat(c.to, &c.there) != 0)
        o = fault_errno(f, "cannot write", to);
    else if (!S_ISREG(s.st_mode) || !S_ISREG(c.there.st_mode))
        o = fault_set(f, E_REFUSED, "%s or %s is not a regular file", from, to);
    if (o == OK)
        *ret = c;
    else
        copy_close(&c);
    return o;
}

/* Fills the piece from an offset, less at the end; -1: errno. */
static ssize_t piece_read(int fd, uint8_t *piece, size_t size, uint64_t offset)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = pread(fd, piece + have, size - have, (off_t)(offset + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

/* From an offset to `end`, which becomes the file's length; durable. end UINT64_MAX: to wherever the first one ends. */
static enum outcome copy_from(const struct copy *c, uint64_t offset, uint64_t end, struct fault *f)
{
    uint8_t piece[65536];
    ssize_t n = 1;
    while (offset < end && n > 0) {
        size_t want = end - offset < sizeof piece ? (size_t)(end - offset) : sizeof piece;
        n = piece_read(c->from, piece, want, offset);
        if (n < 0)
            return fault_errno(f, "cannot read", c->from_path);
        for (ssize_t done = 0; done < n;) {
            ssize_t written = pwrite(c->to, piece + done, (size_t)(n - done), (off_t)(offset + (uint64_t)done));
            if (written < 0 && errno == EINTR)
                continue;
            if (written <= 0)
                return fault_errno(f, "cannot write", c->to_path);
            done += written;
        }
        offset += (uint64_t)n;
    }
    explicit_bzero(piece, sizeof piece); /* keys are copied too */
    if (ftruncate(c->to, (off_t)offset) != 0 || fsync(c->to) != 0)
        return fault_errno(f, "cannot make durable", c->to_path);
    return OK;
}

/* Where the two begin to differ, at most `end`: to a piece. */
static enum outcome copy_compare(const struct copy *c, uint64_t end, uint64_t *ret, struct fault *f)
{
    uint8_t a[16384], b[16384];
    uint64_t offset = 0;
    while (offset < end) {
        size_t want = end - offset < sizeof a ? (size_t)(end - offset) : sizeof a;
        ssize_t n = piece_read(c->from, a, want, offset), m = piece_read(c->to, b, want, offset);
        if (n < 0 || m < 0)
            return fault_errno(f, "cannot compare", c->to_path);
        if (n == 0 || n != m || memcmp(a, b, (size_t)n) != 0)
            break;
        offset += (uint64_t)n;
    }
    explicit_bzero(a, sizeof a);
    explicit_bzero(b, sizeof b);
    *ret = offset < end ? offset : end;
    return OK;
}

/* One file of the home, whole or not at all. Keys are small, and lie in locked pages meanwhile. */
static enum outcome file_bring(const char *from, const struct stat *s, const char *to, struct fault *f)
{
    struct buf bytes = s->st_size <= LIMIT_NOTE ? BUF_SECRET(LIMIT_NOTE) : BUF(LIMIT_MIRRORED);
    enum outcome o = file_read(from, false, &bytes, f);
    if (o == OK)
        o = file_replace(to, buf_span(&bytes), s->st_mode & 0777, f);
    buf_free(&bytes);
    return o;
}

/* The mirror's is written after the home's: a death between the two may have left another file of that length. */
static bool is_newer(const struct stat *home, const struct stat *mirror)
{
    const struct timespec *a = &home->st_mtim, *b = &mirror->st_mtim;
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static enum outcome file_level(const char *from, const struct stat *s, const char *to, bool contents, struct fault *f)
{
    struct stat there;
    struct copy c = {.from = -1, .to = -1};
    uint64_t same = 0;
    bool equal = lstat(to, &there) == 0 && S_ISREG(there.st_mode) && there.st_size == s->st_size;
    enum outcome o = OK;
    if (equal && (contents || is_newer(s, &there))) {
        o = copy_open(from, to, 0600, &c, f);
        if (o == OK)
            o = copy_compare(&c, (uint64_t)s->st_size, &same, f);
        copy_close(&c);
        equal = o == OK && same == (uint64_t)s->st_size;
    }
    return o == OK && !equal ? file_bring(from, s, to, f) : o;
}

static bool is_apart(const char *inner)
{
    size_t len = strlen(inner);
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
        if (strcmp(inner, apart[i]) == 0)
            return true;
    return len >= 5 && (strcmp(inner + len - 5, ".lock") == 0 || strcmp(inner + len - 5, "/lock") == 0);
}

/* What the mirror has and the home has not: an offer that is over, a key that was taken in. */
static enum outcome extra_remove(const char *from, const char *to, struct fault *f)
{
    struct strings names = {0};
    enum outcome o = folder_list(to, &names, f);
    for (size_t i = 0; i < names.count && o == OK; i++) {
        char *here = path_join(from, names.items[i]), *there = path_join(to, names.items[i]);
        struct stat s;
        if (here == NULL || there == NULL)
            o = fault_memory(f);
        else if (!file_exists(here) && lstat(there, &s) == 0 && S_ISREG(s.st_mode))
            o = file_remove(there, f);
        free(here);
        free(there);
    }
    strings_free(&names);
    return o;
}

static enum outcome folder_level(const char *home, const char *mirror, const char *inner, bool contents,
                                 struct fault *f);

static enum outcome one_level(const char *home, const char *mirror, const char *inner, bool contents, struct fault *f)
{
    char *here = path_join(home, inner), *there = path_join(mirror, inner);
    struct stat s = {.st_mode = 0};
    enum outcome o = OK;
    if (here == NULL || there == NULL)
        o = fault_memory(f);
    else if (lstat(here, &s) != 0)
        o = errno == ENOENT ? OK : fault_errno(f, "cannot examine", here); /* gone a moment ago */
    else if (S_ISDIR(s.st_mode))
        o = folder_level(home, mirror, inner, contents, f);
    else if (S_ISREG(s.st_mode))
        o = file_level(here, &s, there, contents || strncmp(inner, "log/", 4) == 0,
                       f); /* one key is as long as another */
    free(here);
    free(there);
    return o;
}

/* inner: the folder's path in the home, "" for the home itself. */
static enum outcome folder_level(const char *home, const char *mirror, const char *inner, bool contents,
                                 struct fault *f)
{
    char *from = *inner ? path_join(home, inner) : strdup(home),
         *to = *inner ? path_join(mirror, inner) : strdup(mirror);
    struct strings names = {0};
    enum outcome o = from != NULL && to != NULL ? folder_make(to, 0700, f) : fault_memory(f);
    if (o == OK)
        o = folder_list(from, &names, f);
    for (size_t i = 0; i < names.count && o == OK; i++) {
        char *next = *inner ? path_join(inner, names.items[i]) : strdup(names.items[i]);
        if (next == NULL)
            o = fault_memory(f);
        else if (!is_apart(next))
            o = one_level(home, mirror, next, contents, f);
        free(next);
    }
    if (o == OK && *inner)
        o = extra_remove(from, to, f);
    strings_free(&names);
    free(from);
    free(to);
    return o;
}

/* The mirror's checkpoint must be one of this log. */
static enum outcome sign_judge(const struct estate *e, const char *mirror, struct span note, uint64_t *ret_size,
                               struct fault *f)
{
    struct checkpoint c;
    struct digest root;
    enum outcome o = log_checkpoint_open(e->log, note, &c, f);
    if (o == OK)
        o = log_root_at(e->log, c.size, &root, f);
    if (o == OK && !digest_equal(&root, &c.root))
        o = fault_set(f, E_REFUSED, "its root at %llu entries is another", (unsigned long long)c.size);
    if (o == OK)
        *ret_size = c.size;
    else if (o != E_MEMORY)
        o = fault_set(
            f, E_REFUSED,
            "the mirror %s holds another log than the home, or more of it (%s): nothing is written any more. Find "
            "out which of the two is the truth; see \"Mirrors\" in quorate(1)",
            mirror, f->text);
    return o;
}

static enum outcome sign_read(const char *mirror, struct buf *ret, struct fault *f)
{
    char *path = path_join(mirror, CHECKPOINT);
    enum outcome o = path != NULL ? file_read(path, false, ret, f) : fault_memory(f);
    free(path);
    return o;
}

static enum outcome entries_open(const struct estate *e, const char *mirror, struct copy *ret, char **ret_paths,
                                 struct fault *f)
{
    ret_paths[0] = path_join(e->bindings->home, ENTRIES);
    ret_paths[1] = path_join(mirror, ENTRIES);
    return ret_paths[0] != NULL && ret_paths[1] != NULL ? copy_open(ret_paths[0], ret_paths[1], 0644, ret, f)
                                                        : fault_memory(f);
}

/* From what the mirror has signed on, so that no tail of it that the home has given up stays. */
static enum outcome entries_level(const struct estate *e, const char *mirror, uint64_t signed_size, bool contents,
                                  struct fault *f)
{
    struct copy c = {.from = -1, .to = -1};
    char *paths[2] = {NULL, NULL};
    uint64_t from = 0, end = 0;
    enum outcome o = entries_open(e, mirror, &c, paths, f);
    if (o == OK)
        o = log_offset(e->log, log_size(e->log), &end, f);
    if (o == OK && signed_size > 0)
        o = log_offset(e->log, signed_size, &from, f);
    if (o == OK && from > (uint64_t)c.there.st_size)
        from = (uint64_t)c.there.st_size;
    if (o == OK && contents)
        o = copy_compare(&c, from, &from, f);
    if (o == OK)
        o = copy_from(&c, from, end, f);
    copy_close(&c);
    free(paths[0]);
    free(paths[1]);
    return o;
}

static enum outcome checkpoint_bring(const struct estate *e, const char *mirror, struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE);
    char *path = path_join(mirror, CHECKPOINT);
    enum outcome o = path != NULL ? log_checkpoint_bytes(e->log, &note, f) : fault_memory(f);
    if (o == OK)
        o = file_replace(path, buf_span(&note), 0644, f);
    free(path);
    buf_free(&note);
    return o;
}

static bool is_empty_folder(const char *path)
{
    struct strings names = {0};
    struct fault ignored = {OK, ""};
    bool empty = folder_list(path, &names, &ignored) == OK && names.count == 0;
    strings_free(&names);
    return empty;
}

/* By whatever names: what lies in the home, or in another mirror, or has one of them in it, is no second copy. */
static enum outcome mirror_apart(const struct estate *e, const char *mirror, struct fault *f)
{
    const struct strings *all = &e->bindings->mirrors;
    char *path = realpath(mirror, NULL);
    enum outcome o = OK;
    for (size_t i = 0; i <= all->count && o == OK && path != NULL; i++) {
        const char *name = i < all->count ? all->items[i] : e->bindings->home;
        char *other = strcmp(name, mirror) != 0 ? realpath(name, NULL) : NULL;
        if (other != NULL && (path_lies_in(path, other) || path_lies_in(other, path)))
            o = fault_set(f, E_REFUSED, "it is the same place as %s, or one lies in the other", name);
        free(other);
    }
    free(path); /* NULL: it is not there, which is said where it is looked for */
    return o;
}

enum outcome mirror_level(const struct estate *e, const char *mirror, bool contents, bool fill, struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE);
    uint64_t size = 0;
    enum outcome o = fill && is_empty_folder(mirror) ? OK : mirror_present(mirror, CHECKPOINT, f);
    if (o == OK)
        o = sign_read(mirror, &note, f);
    if (o == OK)
        o = sign_judge(e, mirror, buf_span(&note), &size, f);
    else if (o == E_ABSENT)
        o = OK;
    buf_free(&note);
    if (o != OK)
        return o;
    o = mirror_apart(e, mirror, f);
    if (o == OK)
        o = folder_level(e->bindings->home, mirror, "", contents, f);
    if (o == OK)
        o = entries_level(e, mirror, size, contents, f);
    if (o == OK)
        o = checkpoint_bring(e, mirror, f);
    return o == OK ? OK : fault_context(f, "the mirror %s of the home cannot be brought level", mirror);
}

enum outcome mirror_is_level(const struct estate *e, const char *mirror, bool *ret, struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE), ours = BUF(LIMIT_NOTE);
    char *entries = path_join(mirror, ENTRIES);
    uint64_t size = 0, end = 0;
    struct stat s;
    enum outcome o = entries != NULL ? mirror_present(mirror, CHECKPOINT, f) : fault_memory(f);
    if (o == OK)
        o = sign_read(mirror, &note, f);
    if (o == OK)
        o = log_checkpoint_bytes(e->log, &ours, f);
    bool same = o == OK && span_equal(buf_span(&note), buf_span(&ours));
    if (o == OK && !same)
        o = sign_judge(e, mirror, buf_span(&note), &size, f);
    if (o == OK)
        o = log_offset(e->log, log_size(e->log), &end, f);
    if (o == OK)
        *ret = same && lstat(entries, &s) == 0 && S_ISREG(s.st_mode) && (uint64_t)s.st_size == end;
    free(entries);
    buf_free(&note);
    buf_free(&ours);
    return o;
}

enum outcome mirror_extend(const struct estate *e, const char *mirror, struct fault *f)
{
    struct copy c = {.from = -1, .to = -1};
    char *paths[2] = {NULL, NULL};
    enum outcome o = mirror_present(mirror, CHECKPOINT, f);
    if (o == OK)
        o = entries_open(e, mirror, &c, paths, f);
    if (o == OK)
        o = copy_from(&c, (uint64_t)c.there.st_size, UINT64_MAX, f);
    if (o != OK)
        fault_context(f, "the mirror %s of the home", mirror);
    copy_close(&c);
    free(paths[0]);
    free(paths[1]);
    return o;
}
