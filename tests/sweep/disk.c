#include "tests/sweep/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t calling = PTHREAD_RWLOCK_INITIALIZER; /* read: a call to the HSM is being carried out */
static char watched[256];                                     /* "": nothing */
static size_t watched_len;
static unsigned long chosen;
static enum disk_fate its_fate;

static void arm(const char *folder, unsigned long at, enum disk_fate fate)
{
    chosen = at;
    its_fate = fate;
    watched_len = (size_t)snprintf(watched, sizeof watched, "%s%s", folder, folder[0] ? "/" : "");
}

void disk_arm(const char *folder, unsigned long at, enum disk_fate fate)
{
    journal_begin();
    arm(folder, at, fate);
}

void disk_join(void)
{
    arm(journal->folder, journal->chosen, journal->fate);
}

bool disk_armed(void)
{
    return watched[0] != '\0';
}

unsigned long disk_hit_at(void)
{
    return chosen;
}

void disk_disarm(void)
{
    watched[0] = '\0';
}

static const char *const kinds[] = {"open",   "mkdir",  "write", "truncate", "sync",
                                    "syncfs", "rename", "link",  "unlink",   "call"};

_Noreturn static void die(void)
{
    pthread_rwlock_wrlock(&calling);
    raise(SIGKILL);
    abort();
}

/* One more number. What becomes of this call; the process may end here. Called with the lock. */
static enum disk_fate event(const struct disk_record *r)
{
    if (++journal->events != chosen)
        return DISK_GOES_WELL;
    journal->hit = true;
    snprintf(journal->what, sizeof journal->what, "%s %s", kinds[r->kind], r->name);
    if (its_fate == DISK_DIES || (its_fate == DISK_TEARS && r->kind != DISK_WRITE))
        die();
    if (its_fate == DISK_PARTS) {
        kill(getppid(), SIGKILL);
        usleep(chosen % 2 * 50000); /* some at once, some when the other end has gone on */
    }
    return its_fate;
}

void disk_call(void)
{
    struct disk_record r = {.kind = DISK_CALL};
    if (watched[0] != '\0') {
        pthread_mutex_lock(&lock);
        event(&r);
        pthread_mutex_unlock(&lock);
    }
    pthread_rwlock_rdlock(&calling);
}

void disk_called(void)
{
    pthread_rwlock_unlock(&calling);
}

/* The path of a descriptor below the watched folder, or false. */
static bool path_of(int fd, char ret[512])
{
    char link[64];
    if (watched[0] == '\0')
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, ret, 511);
    if (len < 0)
        return false;
    ret[len] = '\0';
    return strncmp(ret, watched, watched_len) == 0 ||
           ((size_t)len == watched_len - 1 && strncmp(ret, watched, watched_len - 1) == 0);
}

static void name_put(char ret[112], const char *path)
{
    const char *slash = strrchr(path, '/');
    snprintf(ret, 112, "%.111s", slash ? slash + 1 : path);
}

static ino_t node_of(int fd)
{
    struct stat s;
    return fstat(fd, &s) == 0 ? s.st_ino : 0;
}

static ino_t node_at(int folder, const char *name)
{
    struct stat s;
    return fstatat(folder, name, &s, AT_SYMLINK_NOFOLLOW) == 0 ? s.st_ino : 0;
}

/* 0, or what the call fails with. */
static int error_of(enum disk_fate fate)
{
    return fate == DISK_EIO ? EIO : fate == DISK_ENOSPC ? ENOSPC : 0;
}

/* Begins a call that changes names: the record is begun, the lock held where true. *ret_error: the call fails so. */
static bool names_begin(enum disk_kind kind, int folder, const char *name, struct disk_record *ret, int *ret_error)
{
    char path[512];
    if (!path_of(folder, path))
        return false;
    pthread_mutex_lock(&lock);
    *ret = (struct disk_record){.kind = kind, .folder = node_of(folder), .node = node_at(folder, name)};
    name_put(ret->name, name);
    *ret_error = error_of(event(ret));
    return true;
}

static int names_end(const struct disk_record *r, int rc)
{
    int error = errno;
    if (rc >= 0)
        journal_keep(r, NULL);
    pthread_mutex_unlock(&lock);
    errno = error;
    return rc;
}

#define NAMES(kind_, folder_, name_, call)                                                                             \
    struct disk_record r;                                                                                              \
    int error = 0;                                                                                                     \
    if (!names_begin(kind_, folder_, name_, &r, &error))                                                               \
        return call;                                                                                                   \
    if (error) {                                                                                                       \
        pthread_mutex_unlock(&lock);                                                                                   \
        errno = error;                                                                                                 \
        return -1;                                                                                                     \
    }                                                                                                                  \
    return names_end(&r, call)

#define WRAPPED(type, name, ...)                                                                                       \
    type __real_##name(__VA_ARGS__);                                                                                   \
    type __wrap_##name(__VA_ARGS__)
WRAPPED(int, openat, int folder, const char *name, int flags, ...);
WRAPPED(int, open, const char *path, int flags, ...);
WRAPPED(int, renameat, int from, const char *name, int to, const char *other);
WRAPPED(int, renameat2, int from, const char *name, int to, const char *other, unsigned flags);
WRAPPED(int, linkat, int from, const char *name, int to, const char *other, int flags);
WRAPPED(int, unlinkat, int folder, const char *name, int flags);
WRAPPED(int, unlink, const char *path);
WRAPPED(int, rmdir, const char *path);
WRAPPED(int, mkdir, const char *path, mode_t mode);
WRAPPED(int, fsync, int fd);
WRAPPED(int, fdatasync, int fd);
WRAPPED(int, syncfs, int fd);
WRAPPED(int, ftruncate, int fd, off_t len);
WRAPPED(ssize_t, write, int fd, const void *bytes, size_t len);
WRAPPED(ssize_t, pwrite, int fd, const void *bytes, size_t len, off_t at);

static int make_at(int folder, const char *name, int flags, mode_t mode)
{
    struct disk_record r;
    int error = 0, fd = -1;
    /* What is there already changes nothing. */
    if (!(flags & O_CREAT) || node_at(folder, name) != 0 || !names_begin(DISK_MAKE, folder, name, &r, &error))
        return __real_openat(folder, name, flags, mode);
    errno = error;
    if (!error)
        fd = __real_openat(folder, name, flags, mode);
    if (fd >= 0)
        r.node = node_of(fd);
    return names_end(&r, fd);
}

int __wrap_openat(int folder, const char *name, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return make_at(folder, name, flags, mode);
}

/* The folder of a path, opened, for calls that name one; its last part. */
static int folder_of(const char *path, const char **ret_name)
{
    char folder[512];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    *ret_name = slash ? slash + 1 : path;
    return __real_open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list more;
    const char *name = NULL;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (watched[0] == '\0' || !(flags & O_CREAT))
        return __real_open(path, flags, mode);
    int folder = folder_of(path, &name), fd = -1;
    if (folder < 0)
        return -1;
    fd = make_at(folder, name, flags, mode);
    int error = errno;
    close(folder);
    errno = error;
    return fd;
}

static int renaming(int from, const char *name, const char *other, unsigned flags, bool with_flags)
{
    struct disk_record r;
    int error = 0, rc = -1;
    if (!names_begin(DISK_RENAME, from, name, &r, &error))
        return with_flags ? __real_renameat2(from, name, from, other, flags) : __real_renameat(from, name, from, other);
    name_put(r.to, other);
    errno = error;
    if (!error)
        rc = with_flags ? __real_renameat2(from, name, from, other, flags) : __real_renameat(from, name, from, other);
    return names_end(&r, rc);
}

int __wrap_renameat(int from, const char *name, int to, const char *other)
{
    if (from != to)
        abort();
    return renaming(from, name, other, 0, false);
}

int __wrap_renameat2(int from, const char *name, int to, const char *other, unsigned flags)
{
    if (from != to)
        abort();
    return renaming(from, name, other, flags, true);
}

int __wrap_linkat(int from, const char *name, int to, const char *other, int flags)
{
    struct disk_record r;
    int error = 0, rc = -1;
    if (!names_begin(DISK_LINK, from, name, &r, &error))
        return __real_linkat(from, name, to, other, flags);
    name_put(r.to, other);
    errno = error;
    if (!error)
        rc = __real_linkat(from, name, to, other, flags);
    return names_end(&r, rc);
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
    NAMES(DISK_REMOVE, folder, name, __real_unlinkat(folder, name, flags));
}

#define BY_PATH(kind, path, call)                                                                                      \
    const char *name = NULL;                                                                                           \
    if (watched[0] == '\0')                                                                                            \
        return call;                                                                                                   \
    int folder = folder_of(path, &name), rc = -1;                                                                      \
    if (folder < 0)                                                                                                    \
        return -1;                                                                                                     \
    rc = by_folder(kind, folder, name, path, mode_);                                                                   \
    int kept = errno;                                                                                                  \
    close(folder);                                                                                                     \
    errno = kept;                                                                                                      \
    return rc

static int by_folder(enum disk_kind kind, int folder, const char *name, const char *path, mode_t mode)
{
    struct disk_record r;
    int error = 0, rc = -1;
    bool ours = names_begin(kind, folder, name, &r, &error);
    errno = error;
    if (!error && kind == DISK_FOLDER)
        rc = __real_mkdir(path, mode);
    else if (!error)
        rc = __real_unlinkat(folder, name, mode ? AT_REMOVEDIR : 0);
    if (rc == 0 && kind == DISK_FOLDER && ours)
        r.node = node_at(folder, name);
    return ours ? names_end(&r, rc) : rc;
}

int __wrap_mkdir(const char *path, mode_t mode_)
{
    BY_PATH(DISK_FOLDER, path, __real_mkdir(path, mode_));
}

int __wrap_unlink(const char *path)
{
    const mode_t mode_ = 0;
    BY_PATH(DISK_REMOVE, path, __real_unlink(path));
}

int __wrap_rmdir(const char *path)
{
    const mode_t mode_ = 1;
    BY_PATH(DISK_REMOVE, path, __real_rmdir(path));
}

/* Begins a call on an open file, likewise. */
static bool file_begin(enum disk_kind kind, int fd, struct disk_record *ret, enum disk_fate *ret_fate)
{
    char path[512];
    if (!path_of(fd, path))
        return false;
    pthread_mutex_lock(&lock);
    *ret = (struct disk_record){.kind = kind, .node = node_of(fd)};
    name_put(ret->name, path);
    *ret_fate = event(ret);
    return true;
}

static int syncing(enum disk_kind kind, int fd, int (*real)(int fd))
{
    struct disk_record r;
    enum disk_fate fate;
    if (!file_begin(kind, fd, &r, &fate))
        return real(fd);
    errno = error_of(fate);
    return names_end(&r, errno ? -1 : 0); /* no power fails here: what counts is that the journal has it */
}

int __wrap_fsync(int fd)
{
    return syncing(DISK_SYNC, fd, __real_fsync);
}

int __wrap_fdatasync(int fd)
{
    return syncing(DISK_SYNC, fd, __real_fdatasync);
}

int __wrap_syncfs(int fd)
{
    return syncing(DISK_SYNC_ALL, fd, __real_syncfs);
}

int __wrap_ftruncate(int fd, off_t len)
{
    struct disk_record r;
    enum disk_fate fate;
    int rc = -1;
    if (!file_begin(DISK_CUT, fd, &r, &fate))
        return __real_ftruncate(fd, len);
    r.at = len;
    errno = error_of(fate);
    if (!errno)
        rc = __real_ftruncate(fd, len);
    return names_end(&r, rc);
}

/* at < 0: where the file stands. */
static ssize_t writing(int fd, const void *bytes, size_t len, off_t at)
{
    struct disk_record r;
    enum disk_fate fate;
    ssize_t n = -1;
    if (!file_begin(DISK_WRITE, fd, &r, &fate))
        return at < 0 ? __real_write(fd, bytes, len) : __real_pwrite(fd, bytes, len, at);
    r.at = at < 0 ? lseek(fd, 0, SEEK_CUR) : at;
    if ((fate == DISK_SHORT || fate == DISK_TEARS) && len > 1)
        len /= 2;
    errno = fate == DISK_EINTR ? EINTR : error_of(fate);
    if (!errno)
        n = at < 0 ? __real_write(fd, bytes, len) : __real_pwrite(fd, bytes, len, at);
    r.len = n > 0 ? (size_t)n : 0;
    int error = errno;
    if (n > 0)
        journal_keep(&r, bytes);
    if (fate == DISK_TEARS)
        die();
    pthread_mutex_unlock(&lock);
    errno = error;
    return n;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    return writing(fd, bytes, len, -1);
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return writing(fd, bytes, len, at);
}
