#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/lines.h"

/* Verification without the log's folder: of a transcript's entries. */

static enum outcome verify(int fd, struct span memory, uint64_t length, struct span note, const struct note_key *key,
                           log_visitor *visit, void *context, struct checkpoint *ret, struct fault *f)
{
    struct tree tree = {.bytes = 0};
    struct lines lines = {.fd = -1};
    struct checkpoint c;
    const struct merkle_edge start = {.size = 0};
    moment last = INT64_MIN;
    struct visit v = {.call = visit, .context = context, .last = &last};
    enum outcome rc = lines_open(fd, memory, 0, &lines, f);
    if (!rc)
        rc = tree_follow(&tree, &lines, note, key, &c, f);
    if (rc)
        goto out;
    if (c.size == 0 || tree.bytes != length) {
        rc = fault_set(f, E_REFUSED, c.size ? "there are bytes after the last signed entry" : "the log is empty");
        goto out;
    }
    if (memcmp(tree.keys[0].key.public_key, key->public_key, sizeof key->public_key) != 0 ||
        strcmp(tree.keys[0].key.name, key->name) != 0) {
        rc = fault_set(f, E_REFUSED, "the log was begun with another key than the one expected");
        goto out;
    }
    lines_close(&lines);
    rc = lines_open(fd, memory, 0, &lines, f);
    if (!rc)
        rc = tree_visit(&tree, &start, &lines, &v, f);
    if (!rc && ret)
        *ret = c;
out:
    lines_close(&lines);
    tree_clear(&tree);
    return rc;
}

enum outcome log_verify_bytes(struct span entries, struct span checkpoint, const struct note_key *key,
                              log_visitor *visit, void *context, struct fault *f)
{
    return verify(-1, entries, entries.len, checkpoint, key, visit, context, NULL, f);
}

enum outcome log_verify_file(const char *entries, struct span checkpoint, const struct note_key *key,
                             log_visitor *visit, void *context, struct checkpoint *ret, struct fault *f)
{
    enum outcome rc = OK;
    struct stat s;
    int fd = open(entries, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fault_errno(f, "cannot open", entries);
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
        rc = fault_set(f, E_REFUSED, "%s is not a regular file", entries);
    else
        rc = verify(fd, (struct span){NULL, 0}, (uint64_t)s.st_size, checkpoint, key, visit, context, ret, f);
    close(fd);
    return rc;
}
