#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/encode.h"
#include "core/mirror.h"

char *path_join(const char *a, const char *b)
{
    char *joined = NULL;
    size_t len = strlen(a);

    if (b[0] == '/')
        return strdup(b);
    while (len > 1 && a[len - 1] == '/')
        len--;
    if (asprintf(&joined, "%.*s%s%s", (int)len, a, len == 1 && a[0] == '/' ? "" : "/", b) < 0)
        return NULL;
    return joined;
}

bool path_lies_in(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

char *path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    while (slash > path && slash[-1] == '/')
        slash--;
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

bool file_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* Opens the folder of a path and finds the name in it, so that what is checked is what is used. */
static enum outcome folder_open(const char *path, int *ret_folder, const char **ret_name, struct fault *f)
{
    char *folder = path_folder(path);
    const char *slash = strrchr(path, '/');
    enum outcome o = OK;
    int fd = -1;

    if (folder == NULL)
        return fault_memory(f);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        o = fault_errno(f, "cannot open the folder of", path);
        if (errno == ENOENT)
            o = f->outcome = E_ABSENT;
        goto out;
    }
    *ret_folder = fd;
    *ret_name = slash == NULL ? path : slash + 1;
out:
    free(folder);
    return o;
}

/* Nobody but root and us may have written it. A sticky folder lets others add files, never change ours. */
static enum outcome trust_check(const struct stat *st, bool folder, const char *path, struct fault *f)
{
    const char *what = folder ? "the folder of " : "";

    if (st->st_uid != 0 && st->st_uid != geteuid())
        return fault_set(f, E_REFUSED, "%s%s belongs to uid %u; it must belong to root or to you", what, path,
                         (unsigned)st->st_uid);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0 && !(folder && (st->st_mode & S_ISVTX) != 0))
        return fault_set(f, E_REFUSED, "others may write to %s%s; take that from them (chmod go-w) after checking it",
                         what, path);
    return OK;
}

/* Reads to the end, at most ret->max bytes. */
static enum outcome read_all(int fd, const char *path, struct buf *ret, struct fault *f)
{
    uint8_t chunk[16384];
    enum outcome o = OK;
    ssize_t n;

    buf_clear(ret);
    do {
        n = read(fd, chunk, sizeof chunk);
        if (n > 0)
            buf_put(ret, chunk, (size_t)n);
    } while ((n > 0 && !ret->failed) || (n < 0 && errno == EINTR));
    if (n < 0)
        o = fault_errno(f, "cannot read", path);
    else if (ret->failed)
        o = fault_set(f, E_MEMORY, "%s is larger than %zu bytes, the limit for such a file", path, ret->max);
    explicit_bzero(chunk, sizeof chunk);
    if (o != OK)
        buf_clear(ret);
    return o;
}

enum outcome file_read(const char *path, bool trusted, struct buf *ret, struct fault *f)
{
    int folder = -1, fd = -1;
    const char *name = NULL;
    struct stat st, folder_st;
    enum outcome o = folder_open(path, &folder, &name, f);

    if (o != OK)
        return o;
    fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        o = fault_errno(f, "cannot open", path);
        if (errno == ENOENT)
            o = f->outcome = E_ABSENT;
        else if (errno == ELOOP)
            o = fault_set(f, E_REFUSED, "%s is a symbolic link; name the file itself", path);
        goto out;
    }
    if (fstat(fd, &st) != 0 || fstat(folder, &folder_st) != 0) {
        o = fault_errno(f, "cannot examine", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        o = fault_set(f, E_REFUSED, "%s is not a regular file", path);
        goto out;
    }
    if (trusted) {
        o = trust_check(&st, false, path, f);
        if (o == OK)
            o = trust_check(&folder_st, true, path, f);
        if (o != OK)
            goto out;
    }
    o = read_all(fd, path, ret, f);
out:
    if (fd >= 0)
        close(fd);
    close(folder);
    return o;
}

static enum outcome write_all(int fd, struct span bytes, const char *path, struct fault *f)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fault_errno(f, "cannot write", path);
        bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
    }
    return OK;
}

/* A new file with a name nobody knows, filled and, where asked, on the disk. */
static enum outcome temporary_write(int folder, const char *name, struct span bytes, mode_t mode, bool durable,
                                    const char *path, struct fault *f)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    enum outcome o;

    if (fd < 0)
        return fault_errno(f, "cannot create a file beside", path);
    o = write_all(fd, bytes, path, f);
    if (o == OK && durable && fsync(fd) != 0)
        o = fault_errno(f, "cannot make durable", path);
    if (close(fd) != 0 && o == OK)
        o = fault_errno(f, "cannot close", path);
    if (o != OK)
        unlinkat(folder, name, 0);
    return o;
}

/* Gives the temporary file a name that must be free. renameat2 works where link does not (FAT), and the other way
 * round (some network file systems). */
static int name_freely(int folder, const char *temporary, const char *name)
{
    if (renameat2(folder, temporary, folder, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (linkat(folder, temporary, folder, name, 0) != 0)
        return -1;
    unlinkat(folder, temporary, 0);
    return 0;
}

enum way { WAY_CREATE, WAY_REPLACE, WAY_SHOW };

static enum outcome file_write(const char *path, struct span bytes, mode_t mode, enum way way, struct fault *f)
{
    struct buf temporary = BUF(64);
    const char *name = NULL;
    uint8_t chance[12];
    int folder = -1;
    enum outcome o = folder_open(path, &folder, &name, f);

    if (o != OK)
        return o;
    if (!random_bytes(chance, sizeof chance)) {
        o = fault_set(f, E_IO, "libcrypto has no random bytes for the name of a temporary file");
        goto out;
    }
    buf_puts(&temporary, ".new-");
    hex_put(&temporary, span_of(chance, sizeof chance));
    if (temporary.failed) {
        o = fault_memory(f);
        goto out;
    }
    o = temporary_write(folder, buf_str(&temporary), bytes, mode, way != WAY_SHOW, path, f);
    if (o != OK)
        goto out;
    if ((way != WAY_CREATE ? renameat(folder, buf_str(&temporary), folder, name)
                           : name_freely(folder, buf_str(&temporary), name)) != 0) {
        o = fault_errno(f, "cannot write", path);
        if (errno == EEXIST && way == WAY_CREATE)
            o = fault_set(f, E_BUSY, "%s is there already", path);
        unlinkat(folder, buf_str(&temporary), 0);
        goto out;
    }
    if (way != WAY_SHOW && fsync(folder) != 0)
        o = fault_errno(f, "cannot make durable the folder of", path);
out:
    buf_free(&temporary);
    close(folder);
    return o;
}

struct mirrored {
    struct span bytes;
    mode_t mode;
};

/* The folders that are only made again where they are wanted may be missing on a mirror. */
static enum outcome write_there(const char *there, void *context, struct fault *f)
{
    const struct mirrored *m = context;
    enum outcome o = file_write(there, m->bytes, m->mode, WAY_REPLACE, f);

    if (o == E_ABSENT && (o = folder_make_above(there, 0700, f)) == OK)
        o = file_write(there, m->bytes, m->mode, WAY_REPLACE, f);
    return o;
}

enum outcome file_replace(const char *path, struct span bytes, mode_t mode, struct fault *f)
{
    struct mirrored m = {bytes, mode};
    enum outcome o = file_write(path, bytes, mode, WAY_REPLACE, f);

    return o == OK ? mirror_each(path, write_there, &m, f) : o;
}

/* What not every mirror has is taken back: whoever tries again finds it free. */
enum outcome file_create(const char *path, struct span bytes, mode_t mode, struct fault *f)
{
    struct mirrored m = {bytes, mode};
    enum outcome o = file_write(path, bytes, mode, WAY_CREATE, f);

    if (o != OK)
        return o;
    o = mirror_each(path, write_there, &m, f);
    if (o != OK)
        unlink(path);
    return o;
}

enum outcome file_show(const char *path, struct span bytes, mode_t mode, struct fault *f)
{
    return file_write(path, bytes, mode, WAY_SHOW, f);
}

static enum outcome move_one(const char *path, const char *name, struct fault *f)
{
    const char *old = NULL;
    int folder = -1;
    enum outcome o = folder_open(path, &folder, &old, f);

    if (o != OK)
        return o;
    if (renameat(folder, old, folder, name) != 0)
        o = fault_errno(f, "cannot rename", path);
    close(folder);
    return o;
}

/* What a mirror did not get before a crash it is given when it is brought level. */
static enum outcome move_there(const char *there, void *context, struct fault *f)
{
    return file_exists(there) ? move_one(there, context, f) : OK;
}

enum outcome file_move(const char *path, const char *name, struct fault *f)
{
    char to[256];
    enum outcome o = move_one(path, name, f);

    if (o == OK && (size_t)snprintf(to, sizeof to, "%s", name) >= sizeof to)
        o = fault_set(f, E_INVALID, "the name of a file is too long: %s", name);
    return o == OK ? mirror_each(path, move_there, to, f) : o;
}

static enum outcome remove_one(const char *path, struct fault *f)
{
    const char *name = NULL;
    int folder = -1;
    enum outcome o = folder_open(path, &folder, &name, f);

    if (o == E_ABSENT)
        return OK;
    if (o != OK)
        return o;
    if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
        o = fault_errno(f, "cannot remove", path);
    else if (fsync(folder) != 0)
        o = fault_errno(f, "cannot make durable the folder of", path);
    close(folder);
    return o;
}

static enum outcome remove_there(const char *there, void *context, struct fault *f)
{
    (void)context;
    return remove_one(there, f);
}

enum outcome file_remove(const char *path, struct fault *f)
{
    enum outcome o = remove_one(path, f);

    return o == OK ? mirror_each(path, remove_there, NULL, f) : o;
}
