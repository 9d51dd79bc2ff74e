#include "audit/log_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/log_inner.h"
#include "core/limits.h"

static enum outcome make_folder(const char *folder, const struct note_key *first, struct fault *f)
{
    struct buf vkey = BUF(LIMIT_NOTE);
    char *path = path_join(folder, "vkey"), *entries = path_join(folder, "entries");
    enum outcome rc = path && entries ? folder_make(folder, 0755, f) : fault_memory(f);
    note_key_put(first, &vkey);
    buf_puts(&vkey, "\n");
    if (!rc && vkey.failed)
        rc = fault_memory(f);
    if (!rc && !file_exists(entries))
        rc = file_create(entries, span_of(NULL, 0), 0644, f);
    if (!rc && !file_exists(path))
        rc = file_create(path, buf_span(&vkey), 0644, f);
    free(path);
    free(entries);
    buf_free(&vkey);
    return rc;
}

static bool begun_with(const struct log *l, const struct note_key *first)
{
    const struct note_key *key = log_first_key(l);
    return !strcmp(key->name, first->name) && !memcmp(key->public_key, first->public_key, sizeof first->public_key);
}

enum outcome log_copy_open(const char *folder, const struct note_key *first, log_visitor *visit, void *context,
                           struct log **ret, struct fault *f)
{
    struct log *l = NULL;
    char *checkpoint = path_join(folder, "checkpoint");
    bool begun = checkpoint && file_exists(checkpoint);
    enum outcome rc = !checkpoint ? fault_memory(f) : begun ? OK : make_folder(folder, first, f);
    if (!rc)
        rc = log_prepare(folder, visit, context, &l, f);
    if (!rc) {
        free(l->confidential); /* what its host keeps to itself never came here */
        l->confidential = NULL;
    }
    if (!rc && begun)
        rc = log_open_prepared(l, f);
    if (!rc && begun && !begun_with(l, first))
        rc = fault_set(f, E_REFUSED, "%s holds another log than the one that was introduced", folder);
    if (!rc) {
        *ret = l;
        l = NULL; /* taken by the caller */
    }
    log_close(l);
    free(checkpoint);
    return rc;
}

static enum outcome write_behind(const struct log *l, struct span lines, struct fault *f)
{
    int fd = -1;
    size_t done = 0;
    enum outcome rc = log_open_entries(l, O_RDWR, &fd, f);
    if (rc)
        return rc;
    if (ftruncate(fd, (off_t)l->tree.bytes) != 0)
        rc = fault_errno(f, "cannot cut", l->entries);
    while (!rc && done < lines.len) {
        ssize_t n = pwrite(fd, lines.data + done, lines.len - done, (off_t)(l->tree.bytes + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            rc = fault_errno(f, "cannot write", l->entries);
        else
            done += (size_t)n;
    }
    if (!rc && fdatasync(fd) != 0)
        rc = fault_errno(f, "cannot make durable", l->entries);
    close(fd);
    return rc;
}

enum outcome log_copy_extend(struct log *l, struct span lines, struct span note, struct fault *f)
{
    struct note_key first = l->tree.key_count ? *log_first_key(l) : l->key;
    uint64_t bytes = l->tree.bytes;
    enum outcome rc = write_behind(l, lines, f);
    if (!rc)
        rc = log_follow(l, note, f);
    if (!rc && !begun_with(l, &first))
        rc = fault_set(f, E_REFUSED, "it is another log than the one that was introduced");
    if (!rc && l->tree.bytes != bytes + lines.len)
        rc = fault_set(f, E_REFUSED, "there are lines behind the signed entries");
    return rc;
}

enum outcome log_copy_keep(struct log *l, struct span note, struct fault *f)
{
    enum outcome rc = file_replace(l->checkpoint, note, 0644, f);
    buf_clear(&l->note);
    buf_put(&l->note, note.data, note.len);
    if (!rc && l->note.failed)
        rc = fault_memory(f);
    /* The hashes of full tiles, for proofs. */
    return rc ? rc : log_publish(l, false, f);
}
