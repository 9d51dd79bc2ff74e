#ifndef QUORATE_AUDIT_MAP_H
#define QUORATE_AUDIT_MAP_H

#include "core/digest.h"

/* From digests to places in an array. Zero-initialised: empty. A digest put twice leads to the later place. */
struct map_slot {
    struct digest key;
    size_t value; /* place + 1; 0: free */
};
struct map {
    struct map_slot *slots;
    size_t capacity, count;
};
bool map_put(struct map *m, const struct digest *key, size_t place); /* false on memory */
bool map_get(const struct map *m, const struct digest *key, size_t *ret_place);
void map_clear(struct map *m);

#endif
