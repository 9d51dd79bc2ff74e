#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/log_inner.h"
#include "core/limits.h"

/* The bytes behind the signed entries. */
static enum outcome read_tail(const struct log *l, struct buf *ret, struct fault *f)
{
    struct stat s;
    uint64_t from = l->tree.bytes;
    if (fstat(l->fd, &s) != 0)
        return fault_errno(f, "cannot examine", l->entries);
    if ((uint64_t)s.st_size < from)
        return fault_set(f, E_REFUSED, "log %s: damage: the entries end before the signed size", l->entries);
    if ((uint64_t)s.st_size - from > LIMIT_TAIL)
        return fault_set(f, E_REFUSED,
                         "log %s: %" PRIu64 " bytes stand behind the signed entries, more than a crash can leave; "
                         "find out who wrote them and move them away",
                         l->entries, (uint64_t)s.st_size - from);
    uint8_t piece[4096];
    while (from < (uint64_t)s.st_size) {
        ssize_t n = pread(l->fd, piece, sizeof piece, (off_t)from);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fault_errno(f, "cannot read", l->entries);
        buf_put(ret, piece, (size_t)n);
        from += (uint64_t)n;
    }
    return ret->failed ? fault_memory(f) : OK;
}

/* A durable copy as quarantine/SEQ-N, SEQ the entry that the bytes would have begun. */
static enum outcome copy_tail(const struct log *l, struct span tail, struct fault *f)
{
    enum outcome rc = E_BUSY;
    for (unsigned n = 1; rc == E_BUSY; n++) {
        char name[64];
        snprintf(name, sizeof name, "%" PRIu64 "-%u", log_size(l), n);
        char *path = path_join(l->quarantine, name);
        rc = path ? file_create(path, tail, 0600, f) : fault_memory(f);
        free(path);
    }
    return rc;
}

/* Says what was put into quarantine at this size. Also what an earlier process had put there and then not come to say. */
static enum outcome tell(struct log *l, struct fault *f)
{
    enum outcome rc = OK;
    struct strings names = {.items = NULL};
    struct buf bytes = BUF(LIMIT_TAIL);
    json_t *body = NULL;
    char *path = NULL, prefix[32];
    int len = snprintf(prefix, sizeof prefix, "%" PRIu64 "-", log_size(l));
    rc = folder_list(l->quarantine, &names, f);
    for (size_t i = 0; !rc && i < names.count; i++) {
        struct digest d;
        if (strncmp(names.items[i], prefix, (size_t)len) != 0)
            continue;
        free(path);
        path = path_join(l->quarantine, names.items[i]);
        rc = path ? file_read(path, false, &bytes, f) : fault_memory(f);
        if (rc)
            break;
        json_decref(body);
        body = json_object();
        if (!digest_one(&d, buf_span(&bytes)) || !json_put_integer(body, "bytes", (int64_t)bytes.len) ||
            !json_put_digest(body, "digest", &d))
            rc = fault_memory(f);
        else
            rc = log_append(l, ENTRY_RECOVERED, NULL, body, NULL, f);
    }
    json_decref(body);
    free(path);
    strings_free(&names);
    buf_free(&bytes);
    return rc;
}

/* True where the quarantine is as it was when this object last told what is in it: a change since then would show in the
 * folder's time, which is a while older than that look. */
static bool told_before(const struct log *l, const struct stat *now)
{
    const struct stat *then = &l->told;
    return now->st_ino == then->st_ino && now->st_dev == then->st_dev && now->st_mtim.tv_sec == then->st_mtim.tv_sec &&
           now->st_mtim.tv_nsec == then->st_mtim.tv_nsec;
}

/* Whether the folder's time had moved on by then: by more than the 2 s of the coarsest clocks that file systems keep, or the
 * tick of those that have more than seconds. */
static bool is_past(const struct timespec *t, const struct timespec *now)
{
    int64_t apart = (now->tv_sec - t->tv_sec) * (int64_t)1000000000 + now->tv_nsec - t->tv_nsec;
    return apart > (t->tv_nsec ? 20000000 : INT64_C(3000000000));
}

static enum outcome tell_news(struct log *l, struct fault *f)
{
    struct stat s = {.st_ino = 0};
    struct timespec now = {0};
    bool there = stat(l->quarantine, &s) == 0 && S_ISDIR(s.st_mode);
    if (there && told_before(l, &s))
        return OK;
    /* a copy of a home may have lost an empty folder */
    enum outcome rc = there ? OK : folder_make(l->quarantine, 0755, f);
    clock_gettime(CLOCK_REALTIME, &now);
    if (!rc)
        rc = tell(l, f);
    if (!rc && there && is_past(&s.st_mtim, &now))
        l->told = s;
    return rc;
}

enum outcome log_settle(struct log *l, struct fault *f)
{
    struct buf tail = BUF(LIMIT_TAIL);
    enum outcome rc = read_tail(l, &tail, f);
    if (!rc && tail.len > 0)
        rc = folder_make(l->quarantine, 0755, f);
    if (rc)
        goto out;
    if (tail.len > 0) {
        rc = copy_tail(l, buf_span(&tail), f);
        if (rc)
            goto out;
        log_step("tail-copied");
        if (ftruncate(l->fd, (off_t)l->tree.bytes) != 0 || fsync(l->fd) != 0) {
            l->poisoned = true;
            rc = fault_errno(f, "cannot cut the torn end off", l->entries);
            goto out;
        }
        log_step("tail-cut");
    }
    rc = tell_news(l, f);
out:
    buf_free(&tail);
    return rc;
}
