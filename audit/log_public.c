#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/log_inner.h"
#include "core/limits.h"

/* The public folder, C2SP tlog-tiles: checkpoint, hash tiles, bundles of entries, as any static HTTP server may serve them.
 * Nothing in it is needed but the hash tiles, for proofs; all of it can be made again from the entries. */

struct publication {
    const char *folder;
    struct tile_edge *edge; /* of what is in the tiles so far */
    struct buf bundle;
    bool
        anew; /* all tiles, none of them durable before the end; else only bundles: the rest is there since the append */
};

/* What the public checkpoint says was published; 0 where there is none that we signed. */
static uint64_t published(const struct log *l)
{
    struct buf note = BUF(LIMIT_NOTE);
    struct checkpoint c = {.size = 0};
    struct fault ignored = {.outcome = OK};
    char *path = path_join(l->public, "checkpoint");
    if (!path || file_read(path, false, &note, &ignored) || log_checkpoint_open(l, buf_span(&note), &c, &ignored))
        c.size = 0;
    free(path);
    buf_free(&note);
    return c.size;
}

static enum outcome write_tile(const struct publication *p, int level, uint64_t index, unsigned width,
                               struct span bytes, struct fault *f)
{
    char *path = tile_path(p->folder, level, index, width);
    enum outcome rc = path ? tile_write(path, bytes, width == TILE_WIDTH && !p->anew, f) : fault_memory(f);
    free(path);
    return rc;
}

static enum outcome add_entry(struct publication *p, struct span line, struct fault *f)
{
    const struct tile_sink sink = {tile_show, (void *)(uintptr_t)p->folder};
    const uint8_t length[2] = {(uint8_t)(line.len >> 8), (uint8_t)line.len};
    struct digest leaf;
    enum outcome rc = OK;
    buf_put(&p->bundle, length, sizeof length);
    buf_put(&p->bundle, line.data, line.len);
    merkle_leaf(line, &leaf);
    if (p->bundle.failed)
        return fault_memory(f);
    if ((p->edge->size + 1) % TILE_WIDTH == 0) {
        rc = write_tile(p, -1, p->edge->size / TILE_WIDTH, TILE_WIDTH, buf_span(&p->bundle), f);
        buf_clear(&p->bundle);
    }
    return rc ? rc : tile_edge_push(p->edge, NULL, &leaf, p->anew ? &sink : NULL, f);
}

/* The tiles that are not full, with the width that they have now. */
static enum outcome write_partial(const struct publication *p, struct fault *f)
{
    enum outcome rc = OK;
    uint64_t size = p->edge->size;
    if (tile_rest(size, 0))
        rc = write_tile(p, -1, size / TILE_WIDTH, tile_rest(size, 0), buf_span(&p->bundle), f);
    for (unsigned level = 0; !rc && level < TILE_LEVELS; level++) {
        unsigned width = tile_rest(size, level);
        if (width)
            rc = write_tile(p, (int)level, size >> (8 * level) >> 8, width,
                            span_of(p->edge->levels[level].hashes, width * sizeof(struct digest)), f);
    }
    return rc;
}

/* A tile that is full now needs no partial ones any more. */
static void remove_partial(const struct log *l, int level, uint64_t index)
{
    struct fault ignored = {.outcome = OK};
    struct strings names = {.items = NULL};
    char *tile = tile_path(l->public, level, index, 1), *folder = tile ? path_folder(tile) : NULL;
    if (folder && !folder_list(folder, &names, &ignored)) {
        for (size_t i = 0; i < names.count; i++) {
            char *path = path_join(folder, names.items[i]);
            if (path)
                unlink(path);
            free(path);
        }
        rmdir(folder);
    }
    strings_free(&names);
    free(folder);
    free(tile);
}

static void remove_old(const struct log *l, uint64_t old)
{
    if (old / TILE_WIDTH < log_size(l) / TILE_WIDTH)
        remove_partial(l, -1, old / TILE_WIDTH);
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        uint64_t index = old >> (8 * level) >> 8;
        if (index < log_size(l) >> (8 * level) >> 8)
            remove_partial(l, (int)level, index);
    }
}

/* Where the bundles go on: at the last tile boundary that was published, with the tree of that size. */
static enum outcome start(struct publication *p, const struct log *l, uint64_t from, struct fault *f)
{
    struct tile_reader *r = l->tiles;
    p->edge->size = from;
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        uint64_t first = from >> (8 * level) >> 8 << 8;
        for (unsigned i = 0; i < tile_rest(from, level); i++) {
            enum outcome rc = tile_node(r, 8 * level, first + i, &p->edge->levels[level].hashes[i], f);
            if (rc)
                return rc;
        }
    }
    return OK;
}

static enum outcome publish(struct publication *p, const struct log *l, uint64_t from, struct fault *f)
{
    int fd = -1;
    struct lines lines = {.fd = -1};
    struct merkle_edge edge;
    struct digest root;
    uint64_t offset = 0;
    enum outcome rc = start(p, l, from, f);
    if (!rc)
        rc = log_offset(l, from, &offset, f);
    if (!rc)
        rc = log_open_entries(l, O_RDONLY, &fd, f);
    if (!rc)
        rc = lines_open(fd, span_of(NULL, 0), offset, &lines, f);
    while (!rc && p->edge->size < log_size(l)) {
        struct span line;
        rc = lines_next(&lines, &line, f);
        if (!rc)
            rc = add_entry(p, line, f);
    }
    if (rc)
        goto out;
    tile_edge_merkle(p->edge, &edge);
    merkle_root(&edge, &root);
    rc = digest_equal(&root, &l->root)
             ? write_partial(p, f)
             : fault_set(f, E_REFUSED, "damage: what was to be published does not have the signed root");
out:
    lines_close(&lines);
    if (fd >= 0)
        close(fd);
    return rc;
}

enum outcome log_publish_held(struct log *l, bool all, struct fault *f)
{
    struct publication p = {.folder = l->public, .bundle = BUF(TILE_WIDTH * (LIMIT_ENTRY + 2u))};
    uint64_t old = published(l), from = old & ~(uint64_t)(TILE_WIDTH - 1);
    char *checkpoint = path_join(l->public, "checkpoint");
    char *last = tile_path(l->public, 0, from / TILE_WIDTH ? from / TILE_WIDTH - 1 : 0, TILE_WIDTH);
    enum outcome rc = OK;
    p.edge = calloc(1, sizeof *p.edge);
    if (!p.edge || !checkpoint || !last) {
        rc = fault_memory(f);
        goto out;
    }
    p.anew = all || (log_size(l) >= TILE_WIDTH && !tile_whole(last));
    rc = publish(&p, l, p.anew ? 0 : from, f);
    if (rc && !p.anew) { /* a tile was lost or damaged: all of them again */
        p.anew = true;
        *p.edge = (struct tile_edge){.size = 0};
        buf_clear(&p.bundle);
        tile_reader_clear(l->tiles);
        rc = publish(&p, l, 0, f);
    }
    if (!rc && p.anew && log_size(l) >= TILE_WIDTH)
        rc = tile_sync(l->public, f);
    if (!rc)
        rc = tile_write(checkpoint, buf_span(&l->note), false, f);
    if (rc)
        goto out;
    tile_reader_clear(l->tiles);
    remove_old(l, old);
out:
    free(p.edge);
    free(checkpoint);
    free(last);
    buf_free(&p.bundle);
    return rc;
}

enum outcome log_publish(struct log *l, bool all, struct fault *f)
{
    enum outcome rc = lock_take(l->lock_file, true, &l->lock, f);
    if (!rc)
        rc = log_refresh(l, f);
    if (!rc)
        rc = log_publish_held(l, all, f);
    log_end(l);
    return rc ? fault_context(f, "public folder of log %s", l->entries) : OK;
}
