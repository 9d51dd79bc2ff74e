#ifndef QUORATE_MODULE_HANDLES_H
#define QUORATE_MODULE_HANDLES_H

#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Tables of entries that never move and are never freed, so that a reader needs no lock: it finds the entry by the
 * handle's index, reads, and looks whether the handle is still the entry's. A handle is generation and index; an entry
 * that is used again has another generation, so an old handle stays invalid. */
#define HANDLE_INDEX_BITS 22
#define HANDLE_INDEX_MASK ((1UL << HANDLE_INDEX_BITS) - 1)
#define TABLE_CHUNK 1024u
#define TABLE_CHUNKS ((1u << HANDLE_INDEX_BITS) / TABLE_CHUNK)

_Static_assert(sizeof(CK_ULONG) == 8, "handles hold a generation of 42 bits");

struct handle_entry {        /* the first member of every entry */
    _Atomic CK_ULONG handle; /* 0 while free */
    CK_ULONG generation;     /* under the table's lock, like what follows */
    uint32_t index, next_free;
};

struct table {
    pthread_mutex_t lock;
    size_t entry_size;
    CK_ULONG first_generation;
    uint32_t used, free; /* highest index given out; first of the free list (0: none) */
    _Atomic(unsigned char *) chunks[TABLE_CHUNKS];
};
#define TABLE(type)                                                                                                    \
    {                                                                                                                  \
        .lock = PTHREAD_MUTEX_INITIALIZER, .entry_size = sizeof(type)                                                  \
    }

/* The entry at an index, whoever it belongs to; NULL where nothing was ever. `size` is the table's entry_size, a
 * constant where this is inlined. */
static inline void *table_at(struct table *t, CK_ULONG index, size_t size)
{
    unsigned char *chunk = atomic_load_explicit(&t->chunks[index / TABLE_CHUNK], memory_order_acquire);

    return chunk ? chunk + (index % TABLE_CHUNK) * size : NULL;
}

/* The entry of a living handle, or NULL. What is read from it counts only if table_holds says so afterwards. */
static inline void *table_get(struct table *t, CK_ULONG handle, size_t size)
{
    struct handle_entry *e = table_at(t, handle & HANDLE_INDEX_MASK, size);

    return e && handle && atomic_load_explicit(&e->handle, memory_order_acquire) == handle ? e : NULL;
}

static inline bool table_holds(const struct handle_entry *e, CK_ULONG handle)
{
    return atomic_load_explicit(&e->handle, memory_order_relaxed) == handle;
}

/* With the table's lock held. An entry taken is invisible until it is shown; NULL on memory. */
struct handle_entry *table_take(struct table *t);
CK_ULONG table_show(struct handle_entry *e);
void table_drop(struct table *t, struct handle_entry *e); /* shown or not */

/* In a forked child: forgets every entry (they stay allocated, they are the parent's); handles of the parent stay
 * invalid. */
void table_forget(struct table *t);

#endif
