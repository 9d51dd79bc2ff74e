#include "audit/map.h"

#include <stdlib.h>
#include <string.h>

/* The keys are digests: any eight of their bytes are a good hash. */
static struct map_slot *find(const struct map *m, const struct digest *key)
{
    uint64_t hash;
    memcpy(&hash, key->bytes, sizeof hash);
    size_t at = (size_t)hash & (m->capacity - 1);
    while (m->slots[at].value && !digest_equal(&m->slots[at].key, key))
        at = (at + 1) & (m->capacity - 1);
    return &m->slots[at];
}

static bool grow(struct map *m)
{
    struct map wider = {.capacity = m->capacity ? 2 * m->capacity : 64, .count = m->count};
    wider.slots = calloc(wider.capacity, sizeof *wider.slots);
    if (!wider.slots)
        return false;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].value)
            *find(&wider, &m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = wider;
    return true;
}

bool map_put(struct map *m, const struct digest *key, size_t place)
{
    if (2 * (m->count + 1) > m->capacity && !grow(m))
        return false;
    struct map_slot *slot = find(m, key);
    if (!slot->value)
        m->count++;
    *slot = (struct map_slot){.key = *key, .value = place + 1};
    return true;
}

bool map_get(const struct map *m, const struct digest *key, size_t *ret_place)
{
    const struct map_slot *slot = m->capacity ? find(m, key) : NULL;
    if (!slot || !slot->value)
        return false;
    *ret_place = slot->value - 1;
    return true;
}

void map_clear(struct map *m)
{
    free(m->slots);
    *m = (struct map){.slots = NULL};
}
