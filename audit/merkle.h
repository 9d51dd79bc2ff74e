#ifndef QUORATE_AUDIT_MERKLE_H
#define QUORATE_AUDIT_MERKLE_H

#include "core/digest.h"

/* RFC 6962 section 2.1, SHA-256. */

void merkle_leaf(struct span entry, struct digest *ret); /* SHA-256(0x00 || entry) */
void merkle_node(const struct digest *left, const struct digest *right,
                 struct digest *ret); /* SHA-256(0x01 || l || r) */

/* The right edge of a growing tree: O(log n) memory. Zero-initialised: the empty tree. */
struct merkle_edge {
    uint64_t size;
    struct digest nodes[64]; /* nodes[i]: the perfect subtree of 2^i leaves, where bit i of size is set */
};
void merkle_push(struct merkle_edge *e, const struct digest *leaf);
void merkle_root(const struct merkle_edge *e, struct digest *ret); /* of the empty tree: SHA-256 of nothing */

#define MERKLE_PROOF_MAX 64
struct merkle_proof {
    struct digest nodes[MERKLE_PROOF_MAX];
    size_t count;
};
/* Where the hashes of a tree come from: `node` gives the perfect subtree of the 2^level leaves from index * 2^level on,
 * asked for complete ones only. */
struct merkle_source {
    enum outcome (*node)(void *context, unsigned level, uint64_t index, struct digest *ret, struct fault *f);
    void *context;
};
/* The edge and the root that the tree had at that size, and proofs (RFC 6962 sections 2.1.1 and 2.1.2). E_ABSENT where index or sizes
 * are out of range. */
enum outcome merkle_edge_at(const struct merkle_source *source, uint64_t size, struct merkle_edge *ret,
                            struct fault *f);
enum outcome merkle_root_at(const struct merkle_source *source, uint64_t size, struct digest *ret, struct fault *f);
enum outcome merkle_inclusion(const struct merkle_source *source, uint64_t size, uint64_t index,
                              struct merkle_proof *ret, struct fault *f);
enum outcome merkle_consistency(const struct merkle_source *source, uint64_t old_size, uint64_t size,
                                struct merkle_proof *ret, struct fault *f);

/* Verification (RFC 9162 sections 2.1.3.2 and 2.1.4.2). An index >= size, an old size > size, a proof too long or too
 * short does not verify. */
bool merkle_verify_inclusion(const struct digest *leaf, uint64_t index, uint64_t size, const struct digest *root,
                             const struct digest *proof, size_t count);
bool merkle_verify_consistency(uint64_t old_size, const struct digest *old_root, uint64_t size,
                               const struct digest *root, const struct digest *proof, size_t count);
#endif
