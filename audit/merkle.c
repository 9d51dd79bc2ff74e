#include "audit/merkle.h"

#include <inttypes.h>

void merkle_leaf(struct span entry, struct digest *ret)
{
    static const uint8_t prefix = 0x00;
    digest_of(ret, 2, span_of(&prefix, 1), entry);
}

void merkle_node(const struct digest *left, const struct digest *right, struct digest *ret)
{
    static const uint8_t prefix = 0x01;
    struct digest joined;
    digest_of(&joined, 3, span_of(&prefix, 1), span_of(left->bytes, sizeof left->bytes),
              span_of(right->bytes, sizeof right->bytes));
    *ret = joined;
}

void merkle_push(struct merkle_edge *e, const struct digest *leaf)
{
    struct digest node = *leaf;
    unsigned level = 0;
    for (uint64_t rest = e->size; rest & 1; rest >>= 1, level++)
        merkle_node(&e->nodes[level], &node, &node);
    e->nodes[level] = node;
    e->size++;
}

void merkle_root(const struct merkle_edge *e, struct digest *ret)
{
    bool any = false;
    struct digest root;
    for (unsigned level = 0; level < 64; level++) {
        if (!(e->size >> level & 1))
            continue;
        if (any)
            merkle_node(&e->nodes[level], &root, &root);
        else
            root = e->nodes[level];
        any = true;
    }
    if (!any)
        digest_one(&root, span_of(NULL, 0));
    *ret = root;
}

/* MTH(D[first:first+count]): the perfect subtrees that it is made of, joined from the right. `first` is a multiple of
 * the largest. */
static enum outcome subtree(const struct merkle_source *source, uint64_t first, uint64_t count, struct digest *ret,
                            struct fault *f)
{
    struct digest sum = {{0}}, node;
    bool any = false;
    for (unsigned level = 0; level < 64 && count >> level; level++) {
        if (!(count >> level & 1))
            continue;
        uint64_t start = first + (count >> level >> 1 << 1 << level);
        enum outcome rc = source->node(source->context, level, start >> level, &node, f);
        if (rc)
            return rc;
        if (any)
            merkle_node(&node, &sum, &sum);
        else
            sum = node;
        any = true;
    }
    *ret = sum;
    return OK;
}

enum outcome merkle_edge_at(const struct merkle_source *source, uint64_t size, struct merkle_edge *ret, struct fault *f)
{
    struct merkle_edge edge = {.size = size};
    for (unsigned level = 0; level < 64; level++) {
        if (!(size >> level & 1))
            continue;
        enum outcome rc = source->node(source->context, level, (size >> level) - 1, &edge.nodes[level], f);
        if (rc)
            return rc;
    }
    *ret = edge;
    return OK;
}

enum outcome merkle_root_at(const struct merkle_source *source, uint64_t size, struct digest *ret, struct fault *f)
{
    struct merkle_edge edge;
    enum outcome rc = merkle_edge_at(source, size, &edge, f);
    if (!rc)
        merkle_root(&edge, ret);
    return rc;
}

/* The largest power of two smaller than n, n > 1. */
static uint64_t split(uint64_t n)
{
    uint64_t k = 1;
    while (k < n - k)
        k <<= 1;
    return k;
}

/* The RFC's recursions append on their way back; we walk down and turn the list round. */
static void reverse(struct merkle_proof *p)
{
    for (size_t i = 0; i < p->count / 2; i++) {
        struct digest kept = p->nodes[i];
        p->nodes[i] = p->nodes[p->count - 1 - i];
        p->nodes[p->count - 1 - i] = kept;
    }
}

enum outcome merkle_inclusion(const struct merkle_source *source, uint64_t size, uint64_t index,
                              struct merkle_proof *ret, struct fault *f)
{
    enum outcome rc = OK;
    struct merkle_proof p = {.count = 0};
    uint64_t first = 0, n = size, m = index;
    if (index >= size)
        return fault_set(f, E_ABSENT, "no entry %" PRIu64 " in a tree of %" PRIu64, index, size);
    while (!rc && n > 1) {
        uint64_t k = split(n);
        if (m < k) {
            rc = subtree(source, first + k, n - k, &p.nodes[p.count++], f);
            n = k;
        } else {
            rc = subtree(source, first, k, &p.nodes[p.count++], f);
            first += k;
            m -= k;
            n -= k;
        }
    }
    reverse(&p);
    if (!rc)
        *ret = p;
    return rc;
}

enum outcome merkle_consistency(const struct merkle_source *source, uint64_t old_size, uint64_t size,
                                struct merkle_proof *ret, struct fault *f)
{
    enum outcome rc = OK;
    struct merkle_proof p = {.count = 0};
    uint64_t first = 0, n = size, m = old_size;
    bool known = true; /* the verifier has this subtree's hash: it is the old root */
    if (old_size == 0 || old_size > size)
        return fault_set(f, E_ABSENT, "no tree grew from %" PRIu64 " to %" PRIu64, old_size, size);
    while (!rc && m < n) {
        uint64_t k = split(n);
        if (m <= k) {
            rc = subtree(source, first + k, n - k, &p.nodes[p.count++], f);
            n = k;
        } else {
            rc = subtree(source, first, k, &p.nodes[p.count++], f);
            first += k;
            m -= k;
            n -= k;
            known = false;
        }
    }
    if (!rc && !known)
        rc = subtree(source, first, n, &p.nodes[p.count++], f);
    reverse(&p);
    if (!rc)
        *ret = p;
    return rc;
}

bool merkle_verify_inclusion(const struct digest *leaf, uint64_t index, uint64_t size, const struct digest *root,
                             const struct digest *proof, size_t count)
{
    if (index >= size)
        return false;
    uint64_t fn = index, sn = size - 1;
    struct digest r = *leaf;
    for (size_t i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            merkle_node(&proof[i], &r, &r);
            for (; !(fn & 1) && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            merkle_node(&r, &proof[i], &r);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && digest_equal(&r, root);
}

/* RFC 9162 section 2.1.4.2, steps 5 to 7, from the node that both trees share. */
static bool consistency_walk(struct digest shared, uint64_t fn, uint64_t sn, const struct digest *old_root,
                             const struct digest *root, const struct digest *proof, size_t count)
{
    struct digest fr = shared, sr = shared;
    for (size_t i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            merkle_node(&proof[i], &fr, &fr);
            merkle_node(&proof[i], &sr, &sr);
            for (; !(fn & 1) && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            merkle_node(&sr, &proof[i], &sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && digest_equal(&fr, old_root) && digest_equal(&sr, root);
}

bool merkle_verify_consistency(uint64_t old_size, const struct digest *old_root, uint64_t size,
                               const struct digest *root, const struct digest *proof, size_t count)
{
    if (old_size == 0 || old_size > size)
        return false;
    if (old_size == size)
        return count == 0 && digest_equal(old_root, root);
    if (count == 0)
        return false;
    uint64_t fn = old_size - 1, sn = size - 1;
    for (; fn & 1; fn >>= 1)
        sn >>= 1;
    /* An old tree that is perfect is itself the shared node, and the proof leaves it out. */
    if ((old_size & (old_size - 1)) == 0)
        return consistency_walk(*old_root, fn, sn, old_root, root, proof, count);
    return consistency_walk(proof[0], fn, sn, old_root, root, proof + 1, count - 1);
}
