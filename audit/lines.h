#ifndef QUORATE_AUDIT_LINES_H
#define QUORATE_AUDIT_LINES_H

#include "audit/log.h"

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

/* The hashes of the entries verified so far. */
struct tree {
    struct merkle_edge edge;
    struct digest *leaves;
    uint64_t *ends; /* ends[i]: offset after entry i's newline */
    uint64_t capacity;
};
void tree_clear(struct tree *t);
uint64_t tree_bytes(const struct tree *t); /* of all its lines */
enum outcome tree_push(struct tree *t, const struct digest *leaf, size_t line_length, struct fault *f);
/* Reads lines until the tree has the checkpoint's size and root. On failure the tree is as it was before. */
enum outcome tree_extend(struct tree *t, struct lines *l, const struct checkpoint *c, struct fault *f);

/* Parses the entries from `first` on and visits them: each must have the leaf that the tree has, its number, and a
 * time not before *last (which follows). Entry 0 must be a genesis that names `key`. */
struct visit {
    log_visitor *call; /* NULL: verify only */
    void *context;
    const struct note_key *key;
    moment *last;
};
enum outcome tree_visit(const struct tree *t, struct lines *l, uint64_t first, const struct visit *v, struct fault *f);

#endif
