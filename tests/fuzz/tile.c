#include <stdlib.h>
#include <string.h>

#include "audit/tiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An edge built from any hashes and put into tiles gives, node by node, the root that pushing gives: the first bytes say how
 * many leaves, the others what they are. */
static struct tile kept[2];

static enum outcome keep(void *context, unsigned level, uint64_t index, const struct digest hashes[TILE_WIDTH],
                         struct fault *f)
{
    (void)context, (void)index, (void)f;
    if (level < 2)
        memcpy(kept[level].hashes, hashes, sizeof kept[level].hashes);
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tile_edge edge;
    const struct tile_sink sink = {keep, NULL};
    struct merkle_edge pushed = {.size = 0}, again;
    struct digest a, b;
    struct fault f;
    uint64_t count = size < 2 ? size : (uint64_t)(data[0] | (data[1] & 3) << 8);
    memset(&edge, 0, sizeof edge);
    for (uint64_t i = 0; i < count; i++) {
        struct digest leaf = {{0}};
        memcpy(leaf.bytes, data, size < sizeof leaf.bytes ? size : sizeof leaf.bytes);
        leaf.bytes[31] = (uint8_t)i;
        if (tile_edge_push(&edge, NULL, &leaf, &sink, &f))
            abort();
        merkle_push(&pushed, &leaf);
    }
    tile_edge_merkle(&edge, &again);
    merkle_root(&pushed, &a);
    merkle_root(&again, &b);
    if (!digest_equal(&a, &b))
        abort();
    return 0;
}
