#ifndef QUORATE_AUDIT_LINES_H
#define QUORATE_AUDIT_LINES_H

#include "audit/log.h"
#include "audit/tiles.h"

/* Inside of the log: what is verified of its lines, from a file or from memory. */

/* Reads lines one by one, whatever the size of what they come from. */
struct lines {
    int fd; /* -1: `memory` */
    struct span memory;
    uint64_t offset; /* of the next byte to fetch */
    uint8_t *chunk;
    size_t have, used;
};
enum outcome lines_open(int fd, struct span memory, uint64_t offset, struct lines *ret, struct fault *f);
void lines_close(struct lines *l); /* the descriptor stays the caller's */
/* The next line without its newline, valid until the next call. E_REFUSED where the source ends before the newline, or
 * the line is longer than an entry may be. */
enum outcome lines_next(struct lines *l, struct span *ret, struct fault *f);

/* A key of the log and the first size of a checkpoint that it signs: 1 for the genesis' key; a log-key entry's is in
 * force from the checkpoint after the one that first covers that entry. */
struct tree_key {
    struct note_key key;
    uint64_t seq, from;
};

/* The tree of the lines verified so far, in memory that does not grow with them but for `places`. */
struct tree {
    struct merkle_edge edge;
    uint64_t bytes;        /* of all lines */
    struct tree_key *keys; /* in order; keys[0] is the genesis' */
    size_t key_count;
    struct tile_edge *tiles; /* NULL: hashes are only verified, nobody will ask for proofs */
    uint64_t *places;        /* where tiles: places[i] is the offset of entry 256 * i */
    size_t place_count, place_capacity;
};
enum outcome tree_start(struct tree *t, struct fault *f); /* an empty one with tiles; zero-initialised: without */
void tree_clear(struct tree *t);
enum outcome tree_push(struct tree *t, const struct digest *leaf, size_t line_length, struct fault *f);
/* Takes in what the line with this number says about the log's key: the first must be a genesis. */
enum outcome tree_note_key(struct tree *t, uint64_t seq, struct span line, struct fault *f);
/* The key that signs checkpoints of this size; NULL for an empty log. */
const struct note_key *tree_key(const struct tree *t, uint64_t size);
/* Reads lines until the tree has the checkpoint's size and root; the note must be signed by the key in force at its size.
 * Where `guess` is that key, a bad signature is found before anything is read. On failure the tree is as it was before. */
enum outcome tree_follow(struct tree *t, struct lines *l, struct span note, const struct note_key *guess,
                         struct checkpoint *ret, struct fault *f);

/* Parses the entries behind `from` up to the tree's end and visits them: they must have the number and lead to the
 * root that the tree has, and times not before *last (which follows). */
struct visit {
    log_visitor *call; /* NULL: verify only */
    void *context;
    const char *confidential; /* where the bodies of confidential entries are; NULL: they stay closed */
    moment *last;
};
enum outcome tree_visit(const struct tree *t, const struct merkle_edge *from, struct lines *l, const struct visit *v,
                        struct fault *f);

#endif
