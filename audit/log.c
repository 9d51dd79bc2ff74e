#include "audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/log_inner.h"
#include "core/limits.h"

enum outcome log_open_entries(const struct log *l, int flags, int *ret, struct fault *f)
{
    struct stat s;
    int fd = open(l->entries, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fault_errno(f, "cannot open", l->entries);
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
        close(fd);
        return fault_set(f, E_REFUSED, "%s is not a regular file", l->entries);
    }
    *ret = fd;
    return OK;
}

/* Verifies what the new checkpoint adds, first the hashes of all, then the contents of each. */
static enum outcome read_news(struct log *l, const struct checkpoint *c, struct fault *f)
{
    int fd = -1;
    struct lines lines = {.fd = -1};
    uint64_t first = l->tree.edge.size, offset = tree_bytes(&l->tree);
    enum outcome rc = log_open_entries(l, O_RDONLY, &fd, f);
    if (!rc)
        rc = lines_open(fd, span_of(NULL, 0), offset, &lines, f);
    if (!rc)
        rc = tree_extend(&l->tree, &lines, c, f);
    if (rc)
        goto out;
    lines_close(&lines);
    rc = lines_open(fd, span_of(NULL, 0), offset, &lines, f);
    if (rc)
        goto out;
    struct visit visit = {.call = l->visit, .context = l->visit_context, .key = &l->key, .last = &l->last};
    rc = tree_visit(&l->tree, &lines, first, &visit, f);
out:
    lines_close(&lines);
    if (fd >= 0)
        close(fd);
    l->broken = rc && l->tree.edge.size != first;
    return rc;
}

static enum outcome read_checkpoint(const struct log *l, struct buf *ret_note, struct stat *ret_seen,
                                    struct checkpoint *ret, struct fault *f)
{
    if (stat(l->checkpoint, ret_seen) != 0)
        return fault_errno(f, "cannot read", l->checkpoint);
    enum outcome rc = file_read(l->checkpoint, false, ret_note, f);
    return rc ? rc : checkpoint_open(buf_span(ret_note), &l->key, ret, f);
}

enum outcome log_refresh(struct log *l, struct fault *f)
{
    enum outcome rc = OK;
    struct buf note = BUF(LIMIT_NOTE);
    struct stat seen;
    struct checkpoint c;
    if (l->broken) {
        rc = fault_set(f, E_REFUSED, "an entry could not be taken in before; close the log and open it again");
        goto out;
    }
    rc = read_checkpoint(l, &note, &seen, &c, f);
    if (rc)
        goto out;
    if (!span_equal(buf_span(&note), buf_span(&l->note))) {
        rc = read_news(l, &c, f);
        if (rc)
            goto out;
        buf_free(&l->note);
        l->note = note;
        note = BUF(LIMIT_NOTE); /* taken by the log */
        l->root = c.root;
    }
    l->seen = seen;
out:
    buf_free(&note);
    return rc ? fault_context(f, "log %s", l->entries) : OK;
}

bool log_changed(const struct log *l)
{
    struct stat s;
    if (stat(l->checkpoint, &s) != 0)
        return true;
    return s.st_dev != l->seen.st_dev || s.st_ino != l->seen.st_ino || s.st_size != l->seen.st_size ||
           s.st_mtim.tv_sec != l->seen.st_mtim.tv_sec || s.st_mtim.tv_nsec != l->seen.st_mtim.tv_nsec;
}

/* `vkey` is one line. */
static enum outcome read_vkey(const char *path, struct note_key *ret, struct fault *f)
{
    struct buf line = BUF(LIMIT_NOTE);
    enum outcome rc = file_read(path, false, &line, f);
    if (rc)
        goto out;
    if (line.len < 2 || line.data[line.len - 1] != '\n' || memchr(line.data, '\0', line.len) ||
        memchr(line.data, '\n', line.len) != line.data + line.len - 1) {
        rc = fault_set(f, E_INVALID, "%s is not one line", path);
        goto out;
    }
    line.data[line.len - 1] = '\0';
    rc = note_key_parse(buf_str(&line), ret, f);
    if (rc)
        fault_context(f, "%s", path);
out:
    buf_free(&line);
    return rc;
}

enum outcome log_open(const char *folder, log_visitor *visit, void *context, struct log **ret, struct fault *f)
{
    enum outcome rc = OK;
    char *vkey = path_join(folder, "vkey");
    struct log *l = calloc(1, sizeof *l);
    if (!l || !vkey) {
        rc = fault_memory(f);
        goto out;
    }
    l->fd = -1;
    l->note = BUF(LIMIT_NOTE);
    l->visit = visit;
    l->visit_context = context;
    l->last = INT64_MIN;
    l->entries = path_join(folder, "entries");
    l->checkpoint = path_join(folder, "checkpoint");
    l->key_file = path_join(folder, "key");
    l->lock_file = path_join(folder, "lock");
    l->quarantine = path_join(folder, "quarantine");
    if (!l->entries || !l->checkpoint || !l->key_file || !l->lock_file || !l->quarantine) {
        rc = fault_memory(f);
        goto out;
    }
    rc = read_vkey(vkey, &l->key, f);
    if (!rc)
        rc = log_refresh(l, f);
    if (!rc && log_size(l) == 0)
        rc = fault_set(f, E_REFUSED, "log %s: an empty log has no genesis", l->entries);
    if (rc)
        goto out;
    *ret = l;
    l = NULL; /* taken by the caller */
out:
    log_close(l);
    free(vkey);
    return rc;
}

void log_close(struct log *l)
{
    if (!l)
        return;
    log_end(l);
    tree_clear(&l->tree);
    buf_free(&l->note);
    EVP_PKEY_free(l->secret);
    free(l->entries);
    free(l->checkpoint);
    free(l->key_file);
    free(l->lock_file);
    free(l->quarantine);
    free(l);
}

uint64_t log_size(const struct log *l)
{
    return l->tree.edge.size;
}

void log_root(const struct log *l, struct digest *ret)
{
    *ret = l->root;
}

const struct note_key *log_verifier(const struct log *l)
{
    return &l->key;
}

const char *log_origin(const struct log *l)
{
    return l->key.name;
}

enum outcome log_entry_bytes(const struct log *l, uint64_t seq, struct buf *ret, struct fault *f)
{
    if (seq >= log_size(l))
        return fault_set(f, E_ABSENT, "the log has %" PRIu64 " entries, none is numbered %" PRIu64, log_size(l), seq);
    int fd = -1;
    struct lines lines = {.fd = -1};
    struct span line;
    struct digest leaf;
    enum outcome rc = log_open_entries(l, O_RDONLY, &fd, f);
    if (!rc)
        rc = lines_open(fd, span_of(NULL, 0), seq ? l->tree.ends[seq - 1] : 0, &lines, f);
    if (!rc)
        rc = lines_next(&lines, &line, f);
    if (rc)
        goto out;
    merkle_leaf(line, &leaf);
    if (!digest_equal(&leaf, &l->tree.leaves[seq])) {
        rc = fault_set(f, E_REFUSED, "log %s: damage: entry %" PRIu64 " is not what was signed", l->entries, seq);
        goto out;
    }
    buf_put(ret, line.data, line.len);
    rc = ret->failed ? fault_memory(f) : OK;
out:
    lines_close(&lines);
    if (fd >= 0)
        close(fd);
    return rc;
}

enum outcome log_checkpoint_bytes(const struct log *l, struct buf *ret, struct fault *f)
{
    buf_put(ret, l->note.data, l->note.len);
    return ret->failed ? fault_memory(f) : OK;
}

enum outcome log_inclusion(const struct log *l, uint64_t seq, uint64_t size, struct merkle_proof *ret, struct fault *f)
{
    if (size > log_size(l) || !merkle_inclusion(l->tree.leaves, size, seq, ret))
        return fault_set(f, E_ABSENT, "no entry %" PRIu64 " in the first %" PRIu64 " of this log", seq, size);
    return OK;
}

enum outcome log_consistency(const struct log *l, uint64_t old_size, uint64_t size, struct merkle_proof *ret,
                             struct fault *f)
{
    if (size > log_size(l) || !merkle_consistency(l->tree.leaves, old_size, size, ret))
        return fault_set(f, E_ABSENT, "this log never grew from %" PRIu64 " to %" PRIu64 " entries", old_size, size);
    return OK;
}

enum outcome log_verify_bytes(struct span entries, struct span checkpoint, const struct note_key *key,
                              log_visitor *visit, void *context, struct fault *f)
{
    struct tree tree = {.leaves = NULL};
    struct lines lines = {.fd = -1};
    struct checkpoint c;
    moment last = INT64_MIN;
    struct visit v = {.call = visit, .context = context, .key = key, .last = &last};
    enum outcome rc = checkpoint_open(checkpoint, key, &c, f);
    if (!rc)
        rc = lines_open(-1, entries, 0, &lines, f);
    if (!rc)
        rc = tree_extend(&tree, &lines, &c, f);
    if (rc)
        goto out;
    if (c.size == 0 || tree_bytes(&tree) != entries.len) {
        rc = fault_set(f, E_REFUSED, c.size ? "there are bytes after the last signed entry" : "the log is empty");
        goto out;
    }
    lines_close(&lines);
    rc = lines_open(-1, entries, 0, &lines, f);
    if (!rc)
        rc = tree_visit(&tree, &lines, 0, &v, f);
out:
    lines_close(&lines);
    tree_clear(&tree);
    return rc;
}
