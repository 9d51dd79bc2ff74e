#include "audit/tiles.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

unsigned tile_rest(uint64_t size, unsigned level)
{
    return (unsigned)(size >> (8 * level) & (TILE_WIDTH - 1));
}

/* The root of 2^height hashes. */
static void fold_perfect(const struct digest *hashes, unsigned height, struct digest *ret)
{
    struct merkle_edge edge = {.size = 0};
    for (uint64_t i = 0; i < (uint64_t)1 << height; i++)
        merkle_push(&edge, &hashes[i]);
    merkle_root(&edge, ret);
}

/* The hash of what the tile of a level is full of now, `hash` its last: by the perfect subtrees before it where they are
 * known. */
static void fold_tile(const struct tile *t, unsigned level, const struct merkle_edge *same, struct digest *hash)
{
    if (!same)
        fold_perfect(t->hashes, 8, hash);
    for (unsigned i = 0; same && i < 8; i++)
        merkle_node(&same->nodes[8 * level + i], hash, hash);
}

enum outcome tile_edge_push(struct tile_edge *e, const struct merkle_edge *same, const struct digest *leaf,
                            const struct tile_sink *sink, struct fault *f)
{
    struct digest hash = *leaf;
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        struct tile *t = &e->levels[level];
        unsigned have = tile_rest(e->size, level);
        /* Beyond what is counted until the size grows: a fault leaves nothing behind. */
        t->hashes[have] = hash;
        if (have + 1 < TILE_WIDTH)
            break;
        if (sink) {
            enum outcome rc = sink->put(sink->context, level, e->size >> (8 * (level + 1)), t->hashes, f);
            if (rc)
                return rc;
        }
        fold_tile(t, level, same, &hash);
    }
    e->size++;
    return OK;
}

void tile_edge_merkle(const struct tile_edge *e, struct merkle_edge *ret)
{
    *ret = (struct merkle_edge){.size = e->size};
    for (unsigned bit = 0; bit < 8 * TILE_LEVELS; bit++) {
        unsigned level = bit / 8, height = bit % 8;
        if (e->size >> bit & 1)
            fold_perfect(&e->levels[level].hashes[tile_rest(e->size, level) >> height >> 1 << 1 << height], height,
                         &ret->nodes[bit]);
    }
}

char *tile_path(const char *folder, int level, uint64_t index, unsigned width)
{
    char number[32] = "", name[96], kind[16] = "entries";
    size_t at = sizeof number - 1;
    /* Groups of three digits, all but the last with an x before them. */
    for (uint64_t rest = index, last = 1; last || rest; rest /= 1000, last = 0) {
        char group[8];
        int len = snprintf(group, sizeof group, "%s%03u%s", last ? "" : "x", (unsigned)(rest % 1000), last ? "" : "/");
        at -= (size_t)len;
        memcpy(number + at, group, (size_t)len);
    }
    if (level >= 0)
        snprintf(kind, sizeof kind, "%d", level);
    if (width < TILE_WIDTH)
        snprintf(name, sizeof name, "tile/%s/%s.p/%u", kind, number + at, width);
    else
        snprintf(name, sizeof name, "tile/%s/%s", kind, number + at);
    return path_join(folder, name);
}

enum outcome tile_write(const char *path, struct span bytes, bool durable, struct fault *f)
{
    enum outcome (*put)(const char *, struct span, mode_t, struct fault *) = durable ? file_replace : file_show;
    enum outcome rc = put(path, bytes, 0644, f);
    if (rc != E_ABSENT)
        return rc;
    rc = folder_make_above(path, 0755, f);
    return rc ? rc : put(path, bytes, 0644, f);
}

bool tile_whole(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0 && S_ISREG(s.st_mode) && s.st_size == sizeof(struct tile);
}

/* A good tile is not put at risk by the same one, which a failure of power could take back. */
static bool there_already(const char *path, struct span bytes)
{
    struct fault ignored = {.outcome = OK};
    struct buf there = BUF(sizeof(struct tile));
    bool same = tile_whole(path) && !file_read(path, false, &there, &ignored) && span_equal(buf_span(&there), bytes);
    buf_free(&there);
    return same;
}

static enum outcome put_tile(const char *folder, unsigned level, uint64_t index, const struct digest *hashes,
                             bool durable, struct fault *f)
{
    char *path = tile_path(folder, (int)level, index, TILE_WIDTH);
    const struct span bytes = span_of(hashes, TILE_WIDTH * sizeof *hashes);
    enum outcome rc = OK;
    if (!path)
        rc = fault_memory(f);
    else if (durable || !there_already(path, bytes))
        rc = tile_write(path, bytes, durable, f);
    free(path);
    return rc;
}

enum outcome tile_put(void *folder, unsigned level, uint64_t index, const struct digest hashes[TILE_WIDTH],
                      struct fault *f)
{
    return put_tile(folder, level, index, hashes, true, f);
}

enum outcome tile_show(void *folder, unsigned level, uint64_t index, const struct digest hashes[TILE_WIDTH],
                       struct fault *f)
{
    return put_tile(folder, level, index, hashes, false, f);
}

enum outcome tile_sync(const char *folder, struct fault *f)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum outcome rc = fd >= 0 && syncfs(fd) == 0 ? OK : fault_errno(f, "cannot make durable", folder);
    if (fd >= 0)
        close(fd);
    return rc;
}

static enum outcome load(struct tile_reader *r, unsigned level, uint64_t index, struct fault *f)
{
    enum outcome rc = OK;
    struct buf bytes = BUF(sizeof(struct tile));
    char *path = NULL;
    if (r->kept[level] && r->kept_index[level] == index)
        return OK;
    if (!r->kept[level])
        r->kept[level] = malloc(sizeof(struct tile));
    r->kept_index[level] = UINT64_MAX;
    path = tile_path(r->folder, (int)level, index, TILE_WIDTH);
    rc = path && r->kept[level] ? file_read(path, false, &bytes, f) : fault_memory(f);
    if (!rc && bytes.len != sizeof(struct tile))
        rc = fault_set(f, E_REFUSED, "%s is not a tile of %u hashes", path, TILE_WIDTH);
    if (rc) {
        fault_context(f, "`quorate log publish --all` makes the tiles of a log again");
        goto out;
    }
    memcpy(r->kept[level], bytes.data, sizeof(struct tile));
    r->kept_index[level] = index;
out:
    free(path);
    buf_free(&bytes);
    return rc;
}

enum outcome tile_node(void *reader, unsigned level, uint64_t index, struct digest *ret, struct fault *f)
{
    struct tile_reader *r = reader;
    unsigned tier = level / 8, height = level % 8;
    if (tier >= TILE_LEVELS || index >= r->edge->size >> level)
        return fault_set(f, E_ABSENT, "the tree has no such node yet");
    uint64_t first = index << height, tile = first / TILE_WIDTH;
    const struct tile *t = &r->edge->levels[tier];
    if (tile < r->edge->size >> (8 * tier) >> 8) {
        enum outcome rc = load(r, tier, tile, f);
        if (rc)
            return rc;
        t = r->kept[tier];
    }
    fold_perfect(&t->hashes[first % TILE_WIDTH], height, ret);
    return OK;
}

void tile_reader_clear(struct tile_reader *r)
{
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        free(r->kept[level]);
        r->kept[level] = NULL;
    }
}
