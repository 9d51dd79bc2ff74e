#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

struct lock {
    int fd;
    atomic_uint holders;
};

/* 0: locked; 1: locked, but the file was removed or replaced meanwhile; -1: errno. */
static int lock_fd(int fd, const char *path, bool wait)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat held, named;

    while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &whole) != 0) {
        if (errno != EINTR)
            return -1;
    }
    if (fstat(fd, &held) != 0)
        return -1;
    if (lstat(path, &named) != 0)
        return errno == ENOENT ? 1 : -1;
    return held.st_dev != named.st_dev || held.st_ino != named.st_ino;
}

static int lock_open(const char *path, struct fault *f)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

    if (fd < 0) {
        fault_errno(f, "cannot open the lock", path);
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        fault_set(f, E_REFUSED, "the lock %s is not a regular file", path);
        close(fd);
        return -1;
    }
    return fd;
}

enum outcome lock_take(const char *path, bool wait, struct lock **ret, struct fault *f)
{
    struct lock *l = calloc(1, sizeof *l);
    enum outcome o = OK;
    int got = 1;

    if (l == NULL)
        return fault_memory(f);
    l->fd = -1;
    atomic_init(&l->holders, 1);
    while (got == 1) {
        if (l->fd >= 0)
            close(l->fd);
        l->fd = lock_open(path, f);
        if (l->fd < 0) {
            o = f->outcome;
            goto out;
        }
        got = lock_fd(l->fd, path, wait);
    }
    if (got < 0) {
        o = fault_errno(f, "cannot lock", path);
        if (errno == EAGAIN || errno == EACCES)
            o = fault_set(f, E_BUSY, "%s is held by another process or thread", path);
        goto out;
    }
    *ret = l;
    l = NULL; /* the caller's */
out:
    lock_release(l);
    return o;
}

struct lock *lock_share(struct lock *l)
{
    if (l != NULL)
        atomic_fetch_add(&l->holders, 1);
    return l;
}

void lock_release(struct lock *l)
{
    if (l == NULL || atomic_fetch_sub(&l->holders, 1) > 1)
        return;
    if (l->fd >= 0)
        close(l->fd); /* never F_UNLCK: in a forked child that would free the parent's lock */
    free(l);
}
