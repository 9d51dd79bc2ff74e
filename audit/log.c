#include "audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/confidential.h"
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

struct merkle_source log_source(const struct log *l)
{
    return (struct merkle_source){tile_node, l->tiles};
}

enum outcome log_visit(struct log *l, const struct merkle_edge *from, struct fault *f)
{
    int fd = -1;
    struct lines lines = {.fd = -1};
    uint64_t offset = 0;
    enum outcome rc = log_open_entries(l, O_RDONLY, &fd, f);
    if (!rc)
        rc = log_offset(l, from->size, &offset, f);
    if (!rc)
        rc = lines_open(fd, span_of(NULL, 0), offset, &lines, f);
    if (rc)
        goto out;
    struct visit visit = {
        .call = l->visit, .context = l->visit_context, .confidential = l->confidential, .last = &l->last};
    rc = tree_visit(&l->tree, from, &lines, &visit, f);
out:
    lines_close(&lines);
    if (fd >= 0)
        close(fd);
    return rc;
}

enum outcome log_follow(struct log *l, struct span note, struct fault *f)
{
    int fd = -1;
    struct lines lines = {.fd = -1};
    struct checkpoint c;
    const struct merkle_edge first = l->tree.edge;
    enum outcome rc = log_open_entries(l, O_RDONLY, &fd, f);
    if (!rc)
        rc = lines_open(fd, span_of(NULL, 0), l->tree.bytes, &lines, f);
    if (!rc)
        rc = tree_follow(&l->tree, &lines, note, &l->key, &c, f);
    if (rc)
        goto out;
    rc = log_visit(l, &first, f);
    l->broken = rc != OK;
    if (rc)
        goto out;
    l->root = c.root;
    l->key = *tree_key(&l->tree, c.size);
out:
    lines_close(&lines);
    if (fd >= 0)
        close(fd);
    return rc;
}

static enum outcome log_read_checkpoint(const struct log *l, struct buf *ret_note, struct stat *ret_seen,
                                        struct fault *f)
{
    if (stat(l->checkpoint, ret_seen) != 0)
        return fault_errno(f, "cannot read", l->checkpoint);
    return file_read(l->checkpoint, false, ret_note, f);
}

enum outcome log_refresh(struct log *l, struct fault *f)
{
    enum outcome rc = OK;
    struct buf note = BUF(LIMIT_NOTE);
    struct stat seen;
    if (l->broken) {
        rc = fault_set(f, E_REFUSED, "an entry could not be taken in before; close the log and open it again");
        goto out;
    }
    rc = log_read_checkpoint(l, &note, &seen, f);
    if (rc)
        goto out;
    if (log_size(l) == 0 || !span_equal(buf_span(&note), buf_span(&l->note))) {
        rc = log_follow(l, buf_span(&note), f);
        if (rc)
            goto out;
        buf_free(&l->note);
        l->note = note;
        note = BUF(LIMIT_NOTE); /* taken by the log */
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

static bool paths_set(struct log *l, const char *folder)
{
    const struct {
        char **path;
        const char *name;
    } paths[] = {{&l->entries, "entries"}, {&l->checkpoint, "checkpoint"}, {&l->next_checkpoint, "checkpoint.next"},
                 {&l->key_file, "key"},    {&l->next_key_file, "key.new"}, {&l->vkey_file, "vkey"},
                 {&l->lock_file, "lock"},  {&l->quarantine, "quarantine"}, {&l->public, "public"},
                 {&l->edge, "edge"},       {&l->places, "places"},         {&l->confidential, "confidential"}};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        *paths[i].path = path_join(folder, paths[i].name);
        if (!*paths[i].path)
            return false;
    }
    return true;
}

enum outcome log_prepare(const char *folder, log_visitor *visit, void *context, struct log **ret, struct fault *f)
{
    enum outcome rc = OK;
    struct log *l = calloc(1, sizeof *l);
    if (!l)
        return fault_memory(f);
    l->fd = -1;
    l->note = BUF(LIMIT_NOTE);
    l->pending = BUF(LIMIT_TAIL);
    l->visit = visit;
    l->visit_context = context;
    l->last = INT64_MIN;
    l->tiles = calloc(1, sizeof *l->tiles);
    l->place = calloc(1, sizeof *l->place);
    rc = l->tiles && l->place && paths_set(l, folder) ? tree_start(&l->tree, f) : fault_memory(f);
    if (!rc)
        rc = read_vkey(l->vkey_file, &l->key, f);
    if (rc)
        goto out;
    l->tiles->edge = l->tree.tiles;
    l->tiles->folder = l->public;
    *ret = l;
    l = NULL; /* taken by the caller */
out:
    log_close(l);
    return rc;
}

/* Tiles that were lost are made again by whoever can. */
static void heal_tiles(struct log *l)
{
    struct fault ignored = {.outcome = OK};
    uint64_t full = log_size(l) / TILE_WIDTH;
    char *first = tile_path(l->public, 0, 0, TILE_WIDTH),
         *last = tile_path(l->public, 0, full ? full - 1 : 0, TILE_WIDTH);
    if (full && first && last && !(tile_whole(first) && tile_whole(last)) &&
        !lock_take(l->lock_file, false, &l->lock, &ignored)) {
        (void)log_publish_held(l, true, &ignored);
        log_end(l);
    }
    free(first);
    free(last);
}

enum outcome log_open_prepared(struct log *l, struct fault *f)
{
    enum outcome rc = log_refresh(l, f);
    if (!rc)
        rc = log_adopt_free(l, f);
    if (!rc)
        heal_tiles(l);
    return rc;
}

enum outcome log_open(const char *folder, log_visitor *visit, void *context, struct log **ret, struct fault *f)
{
    struct log *l = NULL;
    enum outcome rc = log_prepare(folder, visit, context, &l, f);
    if (!rc)
        rc = log_open_prepared(l, f);
    if (!rc) {
        *ret = l;
        l = NULL; /* taken by the caller */
    }
    log_close(l);
    return rc;
}

/* What others may want to read, and what lets the next open be short. Neither is missed by the log: no fault is told. */
static void leave_caches(struct log *l)
{
    struct fault ignored = {.outcome = OK};
    if (l->writer != getpid() || l->poisoned || l->broken || l->lock)
        return;
    if (lock_take(l->lock_file, false, &l->lock, &ignored))
        return; /* whoever appends now will see to it */
    if (!log_refresh(l, &ignored)) {
        (void)log_cache_save(l, &ignored);
        (void)log_publish_held(l, false, &ignored);
    }
    log_end(l);
}

void log_close(struct log *l)
{
    if (!l)
        return;
    log_end(l);
    l->visit = NULL;
    leave_caches(l);
    tree_clear(&l->tree);
    if (l->tiles)
        tile_reader_clear(l->tiles);
    free(l->tiles);
    free(l->place);
    buf_free(&l->note);
    buf_free(&l->pending);
    EVP_PKEY_free(l->secret);
    free(l->entries);
    free(l->checkpoint);
    free(l->next_checkpoint);
    free(l->key_file);
    free(l->next_key_file);
    free(l->vkey_file);
    free(l->lock_file);
    free(l->quarantine);
    free(l->public);
    free(l->edge);
    free(l->places);
    free(l->confidential);
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

const struct note_key *log_first_key(const struct log *l)
{
    return &l->tree.keys[0].key;
}

const char *log_origin(const struct log *l)
{
    return l->key.name;
}

/* From the remembered place, or from that of the tile that it is in. */
enum outcome log_offset(const struct log *l, uint64_t seq, uint64_t *ret, struct fault *f)
{
    int fd = -1;
    struct lines lines = {.fd = -1};
    struct span line;
    struct log_place at = {.seq = seq / TILE_WIDTH * TILE_WIDTH};
    enum outcome rc = OK;
    if (seq == l->tree.edge.size) {
        *ret = l->tree.bytes;
        return OK;
    }
    at.offset = l->tree.places[seq / TILE_WIDTH];
    if (l->place->seq <= seq && l->place->seq > at.seq)
        at = *l->place;
    rc = log_open_entries(l, O_RDONLY, &fd, f);
    if (!rc)
        rc = lines_open(fd, span_of(NULL, 0), at.offset, &lines, f);
    for (; !rc && at.seq < seq; at.seq++) {
        rc = lines_next(&lines, &line, f);
        at.offset += rc ? 0 : line.len + 1;
    }
    if (rc)
        goto out;
    *l->place = at;
    *ret = at.offset;
out:
    lines_close(&lines);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* The leaf is that of the signed tree. */
static enum outcome check_leaf(const struct log *l, uint64_t seq, struct span line, struct fault *f)
{
    struct merkle_source source = log_source(l);
    struct digest leaf, known;
    struct merkle_proof proof;
    merkle_leaf(line, &leaf);
    enum outcome rc = OK;
    if (seq >= (log_size(l) & ~(uint64_t)(TILE_WIDTH - 1))) {
        rc = tile_node(l->tiles, 0, seq, &known, f);
        if (!rc && digest_equal(&leaf, &known))
            return OK;
    } else {
        rc = merkle_inclusion(&source, log_size(l), seq, &proof, f);
        if (!rc && merkle_verify_inclusion(&leaf, seq, log_size(l), &l->root, proof.nodes, proof.count))
            return OK;
    }
    return rc ? rc
              : fault_set(f, E_REFUSED,
                          "log %s: damage: entry %" PRIu64 ", or its hash in %s, is not what was signed; "
                          "`quorate log publish --all` makes the hashes again",
                          l->entries, seq, l->public);
}

enum outcome log_entry_bytes(const struct log *l, uint64_t seq, struct buf *ret, struct fault *f)
{
    if (seq >= log_size(l))
        return fault_set(f, E_ABSENT, "the log has %" PRIu64 " entries, none is numbered %" PRIu64, log_size(l), seq);
    int fd = -1;
    struct lines lines = {.fd = -1};
    struct span line = {.data = NULL};
    uint64_t offset = 0;
    enum outcome rc = log_open_entries(l, O_RDONLY, &fd, f);
    if (!rc)
        rc = log_offset(l, seq, &offset, f);
    if (!rc)
        rc = lines_open(fd, span_of(NULL, 0), offset, &lines, f);
    if (!rc)
        rc = lines_next(&lines, &line, f);
    if (!rc)
        rc = check_leaf(l, seq, line, f);
    if (rc)
        goto out;
    *l->place = (struct log_place){seq + 1, offset + line.len + 1};
    buf_put(ret, line.data, line.len);
    rc = ret->failed ? fault_memory(f) : OK;
out:
    lines_close(&lines);
    if (fd >= 0)
        close(fd);
    return rc;
}

enum outcome log_entry(const struct log *l, uint64_t seq, struct entry *ret, struct fault *f)
{
    struct entry e = {.json = NULL};
    struct buf line = BUF(LIMIT_ENTRY);
    enum outcome rc = log_entry_bytes(l, seq, &line, f);
    if (!rc)
        rc = entry_parse(buf_span(&line), &e, f);
    if (!rc)
        rc = confidential_fetch(l->confidential, &e, f);
    if (rc)
        goto out;
    *ret = e;
    e.json = NULL; /* taken by ret */
out:
    entry_clear(&e);
    buf_free(&line);
    return rc;
}

enum outcome log_confidential(const struct log *l, const struct digest *commit, struct buf *ret, struct fault *f)
{
    return confidential_read(l->confidential, commit, ret, f);
}

enum outcome log_checkpoint_bytes(const struct log *l, struct buf *ret, struct fault *f)
{
    buf_put(ret, l->note.data, l->note.len);
    return ret->failed ? fault_memory(f) : OK;
}

enum outcome log_checkpoint_open(const struct log *l, struct span note, struct checkpoint *ret, struct fault *f)
{
    struct checkpoint c;
    enum outcome rc = checkpoint_peek(note, &c, f);
    const struct note_key *key = rc ? NULL : tree_key(&l->tree, c.size);
    if (!rc && (!key || c.size > log_size(l)))
        rc = fault_set(f, E_REFUSED, "the checkpoint is of %" PRIu64 " entries, the log has %" PRIu64, c.size,
                       log_size(l));
    return rc ? rc : checkpoint_open(note, key, ret, f);
}

enum outcome log_root_at(const struct log *l, uint64_t size, struct digest *ret, struct fault *f)
{
    struct merkle_source source = log_source(l);
    if (size > log_size(l))
        return fault_set(f, E_ABSENT, "the log has %" PRIu64 " entries, not %" PRIu64 " yet", log_size(l), size);
    return merkle_root_at(&source, size, ret, f);
}

enum outcome log_inclusion(const struct log *l, uint64_t seq, uint64_t size, struct merkle_proof *ret, struct fault *f)
{
    struct merkle_source source = log_source(l);
    if (size > log_size(l))
        return fault_set(f, E_ABSENT, "the log has %" PRIu64 " entries, not %" PRIu64 " yet", log_size(l), size);
    return merkle_inclusion(&source, size, seq, ret, f);
}

enum outcome log_consistency(const struct log *l, uint64_t old_size, uint64_t size, struct merkle_proof *ret,
                             struct fault *f)
{
    struct merkle_source source = log_source(l);
    if (size > log_size(l))
        return fault_set(f, E_ABSENT, "the log has %" PRIu64 " entries, not %" PRIu64 " yet", log_size(l), size);
    return merkle_consistency(&source, old_size, size, ret, f);
}
