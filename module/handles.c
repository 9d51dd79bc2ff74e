#include "module/handles.h"

#include <stdlib.h>

static struct handle_entry *entry_new(struct table *t)
{
    uint32_t index = t->used + 1;
    unsigned char *chunk;
    struct handle_entry *e;

    if (index > HANDLE_INDEX_MASK)
        return NULL;
    if (!atomic_load_explicit(&t->chunks[index / TABLE_CHUNK], memory_order_relaxed)) {
        chunk = calloc(TABLE_CHUNK, t->entry_size);
        if (!chunk)
            return NULL;
        atomic_store_explicit(&t->chunks[index / TABLE_CHUNK], chunk, memory_order_release);
    }
    t->used = index;
    e = table_at(t, index, t->entry_size);
    e->index = index;
    e->generation = t->first_generation;
    return e;
}

struct handle_entry *table_take(struct table *t)
{
    struct handle_entry *e;

    if (!t->free)
        return entry_new(t);
    e = table_at(t, t->free, t->entry_size);
    t->free = e->next_free;
    e->next_free = 0;
    return e;
}

CK_ULONG table_show(struct handle_entry *e)
{
    CK_ULONG handle = e->generation << HANDLE_INDEX_BITS | e->index;

    atomic_store_explicit(&e->handle, handle, memory_order_release);
    return handle;
}

void table_drop(struct table *t, struct handle_entry *e)
{
    atomic_store_explicit(&e->handle, 0, memory_order_release);
    e->generation++;
    e->next_free = t->free;
    t->free = e->index;
}

void table_forget(struct table *t)
{
    CK_ULONG newest = t->first_generation;
    struct handle_entry *e;

    for (uint32_t i = 1; i <= t->used; i++) {
        e = table_at(t, i, t->entry_size);
        if (e && e->generation > newest)
            newest = e->generation;
    }
    t->first_generation = newest + 1;
    t->used = 0;
    t->free = 0;
    for (size_t i = 0; i < TABLE_CHUNKS; i++)
        atomic_store_explicit(&t->chunks[i], NULL, memory_order_relaxed);
    /* The parent's thread that held it does not exist here. */
    pthread_mutex_init(&t->lock, NULL);
}
