#ifndef QUORATE_AUDIT_TILES_H
#define QUORATE_AUDIT_TILES_H

#include "audit/merkle.h"

/* The hashes of a log in the tiles of C2SP tlog-tiles: 256 hashes a tile, level L's are those of 256 tiles of level
 * L-1. Full tiles lie in files, the rest in memory: at most 255 hashes a level, whatever the log's size. */
#define TILE_WIDTH 256u
#define TILE_LEVELS 8

struct tile {
    struct digest hashes[TILE_WIDTH];
};

/* Where full tiles go. */
struct tile_sink {
    enum outcome (*put)(void *context, unsigned level, uint64_t index, const struct digest hashes[TILE_WIDTH],
                        struct fault *f);
    void *context;
};

/* The right edge: of level L the last (size >> 8L) % 256 hashes. Zero-initialised: the empty tree. */
struct tile_edge {
    uint64_t size;
    struct tile levels[TILE_LEVELS];
};
/* `same` is the same edge as perfect subtrees, where somebody has it: it saves hashes. sink may be NULL. On a fault of the
 * sink the edge is as it was. */
enum outcome tile_edge_push(struct tile_edge *e, const struct merkle_edge *same, const struct digest *leaf,
                            const struct tile_sink *sink, struct fault *f);
/* How many hashes of a level do not fill a tile yet. */
unsigned tile_rest(uint64_t size, unsigned level);
/* The same edge as perfect subtrees. */
void tile_edge_merkle(const struct tile_edge *e, struct merkle_edge *ret);

/* "FOLDER/tile/LEVEL/x001/234", with ".p/WIDTH" where width is not 256; level -1: entries. The caller's; NULL on
 * memory. */
char *tile_path(const char *folder, int level, uint64_t index, unsigned width);
/* Makes the folders above it, and the file: whole or not at all, and `durable` or not. */
enum outcome tile_write(const char *path, struct span bytes, bool durable, struct fault *f);
/* Sinks into the folder. The first is for what a checkpoint is about to need, the second for what can be made again. */
enum outcome tile_put(void *folder, unsigned level, uint64_t index, const struct digest hashes[TILE_WIDTH],
                      struct fault *f);
enum outcome tile_show(void *folder, unsigned level, uint64_t index, const struct digest hashes[TILE_WIDTH],
                       struct fault *f);

/* Whether a full tile of hashes is there, in its whole length. */
bool tile_whole(const char *path);

/* Makes durable, in one call, whatever was shown in the folder. */
enum outcome tile_sync(const char *folder, struct fault *f);

/* The tree of an edge, its full tiles from files: a merkle_source's node. Keeps the tile of each level read last. What
 * comes from a file is not verified here: whoever asks must hold the result against a root. */
struct tile_reader {
    const struct tile_edge *edge;
    const char *folder;
    struct tile *kept[TILE_LEVELS];
    uint64_t kept_index[TILE_LEVELS];
};
enum outcome tile_node(void *reader, unsigned level, uint64_t index, struct digest *ret, struct fault *f);
void tile_reader_clear(struct tile_reader *r);

#endif
