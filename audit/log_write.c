#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/confidential.h"
#include "audit/log_inner.h"
#include "core/limits.h"

#define GROUP_TILES 4 /* so many are made durable one by one; more by syncing all of the file system */

static enum outcome sign_checkpoint(const struct note_key *key, EVP_PKEY *secret, const struct merkle_edge *edge,
                                    struct checkpoint *ret, struct buf *ret_note, struct fault *f)
{
    enum outcome rc = OK;
    struct buf text = BUF(LIMIT_NOTE);
    struct checkpoint c = {.size = edge->size};
    memcpy(c.origin, key->name, sizeof c.origin);
    merkle_root(edge, &c.root);
    checkpoint_put(&c, &text);
    rc = text.failed ? fault_memory(f) : note_sign(buf_span(&text), key, secret, ret_note, f);
    if (!rc)
        *ret = c;
    buf_free(&text);
    return rc;
}

/* The genesis as it will stand in the entries, its newline included, and the first checkpoint. */
static enum outcome make_genesis(const char *origin, json_t *body, struct buf *ret_pem, struct buf *ret_vkey,
                                 struct buf *ret_line, struct buf *ret_note, struct fault *f)
{
    EVP_PKEY *secret = NULL;
    struct note_key key;
    struct merkle_edge edge = {.size = 0};
    struct checkpoint c;
    struct digest leaf;
    uint8_t public[32];
    enum outcome rc = log_key_generate(&secret, ret_pem, public, f);
    if (!rc)
        rc = note_key_make(origin, public, &key, f);
    if (rc)
        goto out;
    note_key_put(&key, ret_vkey);
    if (!json_put_string(body, "log-key", buf_str(ret_vkey)) || !json_put_string(body, "origin", origin)) {
        rc = fault_memory(f);
        goto out;
    }
    buf_puts(ret_vkey, "\n");
    rc = entry_compose(ENTRY_GENESIS, 0, moment_now(), NULL, body, ret_line, f);
    if (rc)
        goto out;
    merkle_leaf(buf_span(ret_line), &leaf);
    merkle_push(&edge, &leaf);
    buf_puts(ret_line, "\n");
    rc = sign_checkpoint(&key, secret, &edge, &c, ret_note, f);
    if (!rc && (ret_vkey->failed || ret_line->failed))
        rc = fault_memory(f);
out:
    EVP_PKEY_free(secret);
    return rc;
}

enum outcome log_create(const char *folder, const char *origin, json_t *genesis_body, struct fault *f)
{
    struct buf pem = BUF_SECRET(LIMIT_NOTE), vkey = BUF(LIMIT_NOTE), line = BUF(LIMIT_ENTRY + 1),
               note = BUF(LIMIT_NOTE);
    /* In the order in which they are written: without the last one there is no log. */
    const struct {
        const char *name;
        const struct buf *bytes;
        mode_t mode;
    } files[] = {{"key", &pem, 0600}, {"vkey", &vkey, 0644}, {"entries", &line, 0644}, {"checkpoint", &note, 0644}};
    char *quarantine = path_join(folder, "quarantine"), *path = NULL;
    enum outcome rc = quarantine ? OK : fault_memory(f);
    for (size_t i = 0; !rc && i < sizeof files / sizeof *files; i++) {
        free(path);
        path = path_join(folder, files[i].name);
        if (!path)
            rc = fault_memory(f);
        else if (file_exists(path))
            rc = fault_set(f, E_BUSY, "%s exists: there is a log already, or a part of one; move it away first", path);
    }
    if (!rc)
        rc = make_genesis(origin, genesis_body, &pem, &vkey, &line, &note, f);
    if (!rc)
        rc = folder_make(folder, 0755, f);
    if (!rc)
        rc = folder_make(quarantine, 0755, f);
    for (size_t i = 0; !rc && i < sizeof files / sizeof *files; i++) {
        free(path);
        path = path_join(folder, files[i].name);
        rc = path ? file_create(path, buf_span(files[i].bytes), files[i].mode, f) : fault_memory(f);
    }
    free(path);
    free(quarantine);
    buf_free(&pem);
    buf_free(&vkey);
    buf_free(&line);
    buf_free(&note);
    return rc;
}

void log_set_check(struct log *l, log_visitor *check, void *context)
{
    l->check = check;
    l->check_context = context;
}

void log_set_copier(struct log *l, log_copier *copy, void *context)
{
    l->copy = copy;
    l->copy_context = context;
}

moment log_time(const struct log *l)
{
    moment now = moment_now();
    return now < l->last ? l->last : now;
}

static enum outcome write_lines(const struct log *l, uint64_t offset, struct span lines, struct fault *f)
{
    for (size_t done = 0; done < lines.len;) {
        ssize_t n = pwrite(l->fd, lines.data + done, lines.len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fault_errno(f, "cannot write", l->entries);
        done += (size_t)n;
    }
    log_step("entry-written");
    return OK;
}

/* What is written becomes durable, then a checkpoint of it signed, then that shown. */
static enum outcome show(struct log *l, const struct merkle_edge *edge, struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE);
    struct checkpoint c;
    enum outcome rc = fdatasync(l->fd) != 0 ? fault_errno(f, "cannot make durable", l->entries) : OK;
    if (rc)
        goto out;
    log_step("entry-synced");
    if (l->copy)
        rc = l->copy(l->copy_context, false, f);
    if (rc)
        goto out;
    rc = sign_checkpoint(&l->signer, l->secret, edge, &c, &note, f);
    if (rc)
        goto out;
    log_step("checkpoint-signed");
    rc = log_show(l, buf_span(&note), f);
    if (rc)
        goto out;
    log_step("checkpoint-shown");
    buf_free(&l->note);
    l->note = note;
    note = BUF(LIMIT_NOTE); /* taken by the log */
    l->root = c.root;
    l->key = l->signer;
    l->writer = getpid();
    if (stat(l->checkpoint, &l->seen) != 0)
        l->seen = (struct stat){.st_ino = 0}; /* log_changed will say so */
out:
    buf_free(&note);
    return rc;
}

/* A tile that the entry fills is there, and durable, before a checkpoint needs it. The many of a large group become durable
 * together at its end. */
static enum outcome fill_tile(struct log *l, const struct digest *leaf, struct fault *f)
{
    if ((l->tree.edge.size + 1) % TILE_WIDTH != 0)
        return OK;
    if (l->grouped)
        l->group_tiles++;
    const struct tile_sink sink = {l->grouped && l->group_tiles > GROUP_TILES ? tile_show : tile_put, l->public};
    struct tile_edge *copy = malloc(sizeof *copy);
    if (!copy)
        return fault_memory(f);
    *copy = *l->tree.tiles;
    enum outcome rc = tile_edge_push(copy, &l->tree.edge, leaf, &sink, f);
    free(copy);
    return rc;
}

/* What this object knows follows what was written. */
static enum outcome take_in(struct log *l, const struct entry *e, struct span line, struct fault *f)
{
    struct fault ignored = {.outcome = OK};
    enum outcome rc = tree_note_key(&l->tree, e->seq, line, f);
    if (!rc)
        rc = tree_push(&l->tree, &e->leaf, line.len, f);
    if (rc)
        return rc;
    l->last = e->time;
    if (!l->grouped && log_size(l) % TILE_WIDTH == 0)
        (void)log_cache_save(l, &ignored); /* only a faster way to open it */
    if (l->visit)
        rc = l->visit(l->visit_context, e, f);
    l->broken = rc != OK;
    return rc;
}

/* From the first written byte on: a failure leaves the disk in a state that only a fresh look can tell. */
static enum outcome commit(struct log *l, const struct entry *e, struct span line, struct fault *f)
{
    enum outcome rc = OK;
    if (l->grouped)
        buf_put(&l->pending, line.data, line.len);
    else
        rc = write_lines(l, l->tree.bytes, line, f);
    if (!rc)
        rc = l->pending.failed ? fault_memory(f) : fill_tile(l, &e->leaf, f);
    if (!rc && !l->grouped) {
        struct merkle_edge edge = l->tree.edge;
        merkle_push(&edge, &e->leaf);
        rc = show(l, &edge, f);
    }
    return rc ? rc : take_in(l, e, span_of(line.data, line.len - 1), f);
}

void log_group(struct log *l)
{
    l->grouped = true;
    l->group_start = log_size(l);
    l->group_tiles = 0;
    buf_clear(&l->pending);
}

enum outcome log_group_end(struct log *l, struct fault *f)
{
    struct fault ignored = {.outcome = OK};
    enum outcome rc = OK;
    if (!l->lock || !l->grouped || l->poisoned || l->broken)
        return fault_set(f, E_REFUSED, "log %s: no group of entries waits to be made durable", l->entries);
    if (l->pending.len > 0)
        rc = write_lines(l, l->tree.bytes - l->pending.len, buf_span(&l->pending), f);
    if (!rc && l->group_tiles > GROUP_TILES)
        rc = tile_sync(l->public, f);
    if (!rc && log_size(l) != l->group_start)
        rc = show(l, &l->tree.edge, f);
    l->grouped = false;
    l->poisoned = l->broken = rc != OK;
    if (!rc && l->group_tiles > 0)
        (void)log_cache_save(l, &ignored);
    return rc;
}

/* An entry on its way in. */
struct draft {
    struct entry e;
    struct buf line, document; /* document: of a confidential body */
};

static enum outcome draft_make(const struct log *l, enum entry_type type, const char *class, const char *ceremony,
                               const json_t *body, struct draft *d, struct fault *f)
{
    struct digest commit;
    if (!class)
        return entry_make(type, log_size(l), log_time(l), ceremony, body, &d->e, &d->line, f);
    enum outcome rc = confidential_make(body, &commit, &d->document, f);
    if (!rc)
        rc = entry_make_committed(type, log_size(l), log_time(l), ceremony, class, &commit, &d->e, &d->line, f);
    return rc ? rc : confidential_open(&d->e, buf_span(&d->document), f);
}

static enum outcome draft_commit(struct log *l, struct draft *d, struct fault *f)
{
    enum outcome rc = OK;
    buf_puts(&d->line, "\n");
    if (d->line.failed)
        return fault_memory(f);
    if (d->e.class) {
        rc = confidential_keep(l->confidential, &d->e.commit, buf_span(&d->document), f);
        log_step("body-kept");
    }
    return rc ? rc : commit(l, &d->e, buf_span(&d->line), f);
}

static enum outcome append(struct log *l, enum entry_type type, const char *class, const char *ceremony,
                           const json_t *body, uint64_t *ret_seq, struct fault *f)
{
    if (!l->lock || l->poisoned || l->broken)
        return fault_set(f, E_REFUSED, "log %s: %s", l->entries,
                         l->lock ? "an append failed before; close the log and open it again"
                                 : "nothing is appended without the append lock");
    if (l->grouped && (type == ENTRY_LOG_KEY || type == ENTRY_MOVED))
        return fault_set(f, E_INVALID, "log %s: the log's key changes between groups of entries", l->entries);
    struct draft d = {.line = BUF(LIMIT_ENTRY + 1), .document = BUF(LIMIT_CONFIDENTIAL)};
    enum outcome rc = log_load_secret(l, f);
    if (!rc)
        rc = draft_make(l, type, class, ceremony, body, &d, f);
    if (!rc && l->check)
        rc = l->check(l->check_context, &d.e, f);
    if (!rc && l->grouped && d.line.len + 1 > l->pending.max - l->pending.len)
        rc = fault_set(f, E_MEMORY, "log %s: more entries in one group than a crash may leave behind", l->entries);
    if (rc)
        goto out;
    rc = draft_commit(l, &d, f);
    if (rc)
        l->poisoned = true;
    else if (ret_seq)
        *ret_seq = d.e.seq;
out:
    entry_clear(&d.e);
    buf_free(&d.line);
    buf_free(&d.document);
    return rc;
}

enum outcome log_append(struct log *l, enum entry_type type, const char *ceremony, const json_t *body,
                        uint64_t *ret_seq, struct fault *f)
{
    return append(l, type, NULL, ceremony, body, ret_seq, f);
}

enum outcome log_append_confidential(struct log *l, enum entry_type type, const char *class, const char *ceremony,
                                     const json_t *body, uint64_t *ret_seq, struct fault *f)
{
    return append(l, type, class, ceremony, body, ret_seq, f);
}

/* With the lock held: nobody appended since this object looked last. The checkpoint's file is the same, and where its times
 * were too coarse to show a change, the entries would have grown. */
static bool is_current(const struct log *l)
{
    struct stat s;
    return !l->broken && log_size(l) > 0 && fstat(l->fd, &s) == 0 && (uint64_t)s.st_size == l->tree.bytes &&
           !log_changed(l);
}

enum outcome log_begin(struct log *l, struct fault *f)
{
    if (l->lock)
        return fault_set(f, E_BUSY, "log %s: the append lock is already held here", l->entries);
    if (l->poisoned)
        return fault_set(f, E_REFUSED, "log %s: an append failed before; close the log and open it again", l->entries);
    enum outcome rc = lock_take(l->lock_file, true, &l->lock, f);
    if (!rc)
        rc = log_open_entries(l, O_RDWR, &l->fd, f);
    if (!rc && !is_current(l))
        rc = log_refresh(l, f);
    if (!rc)
        rc = log_adopt(l, f);
    if (!rc)
        rc = log_load_secret(l, f);
    if (!rc && l->copy)
        rc = l->copy(l->copy_context, true, f);
    if (!rc)
        rc = log_settle(l, f);
    if (rc)
        log_end(l);
    return rc;
}

void log_end(struct log *l)
{
    if (l->grouped && log_size(l) != l->group_start)
        l->poisoned = l->broken = true; /* entries were taken in that nobody will make durable */
    l->grouped = false;
    if (l->pending.len > 0)
        buf_clear(&l->pending);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    lock_release(l->lock);
    l->lock = NULL;
}
