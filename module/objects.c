#include "module/objects.h"

#include <stdlib.h>

struct table object_table = TABLE(struct object);

/* From the lower module's handle to ours: buckets of entries (they never move), under the table's lock. */
static struct object **buckets;
static size_t bucket_count, mapped;

_Atomic uint64_t object_deaths = 1;

static size_t bucket_of(CK_ULONG place, CK_OBJECT_HANDLE lower, size_t count)
{
    uint64_t mixed = (lower ^ place << 48 ^ place >> PLACE_TURN_SHIFT) *
                     0x9E3779B97F4A7C15u; /* Fibonacci hashing: 2^64 / the golden ratio */

    return (size_t)(mixed >> 32) & (count - 1);
}

static struct object *object_at(uint32_t index)
{
    return table_at(&object_table, index, sizeof(struct object));
}

static bool buckets_grow(void)
{
    size_t count = bucket_count ? bucket_count * 2 : 256;
    struct object **larger, **bucket, *o;

    if (mapped < bucket_count)
        return true;
    larger = calloc(count, sizeof(*larger));
    if (!larger)
        return false;
    for (uint32_t i = 1; i <= object_table.used; i++) {
        o = object_at(i);
        if (!atomic_load(&o->entry.handle))
            continue;
        bucket = &larger[bucket_of(atomic_load(&o->place), atomic_load(&o->lower), count)];
        o->next = *bucket;
        *bucket = o;
    }
    free(buckets);
    buckets = larger;
    bucket_count = count;
    return true;
}

static struct object *object_mapped(CK_ULONG place, CK_OBJECT_HANDLE lower)
{
    struct object *o = bucket_count ? buckets[bucket_of(place, lower, bucket_count)] : NULL;

    while (o && (atomic_load_explicit(&o->lower, memory_order_relaxed) != lower ||
                 atomic_load_explicit(&o->place, memory_order_relaxed) != place))
        o = o->next;
    return o;
}

static struct object **object_bucket(const struct object *o)
{
    return &buckets[bucket_of(atomic_load(&o->place), atomic_load(&o->lower), bucket_count)];
}

static void object_link(struct object *o)
{
    struct object **bucket = object_bucket(o);

    o->next = *bucket;
    *bucket = o;
    mapped++;
}

static void object_unlink(struct object *o)
{
    struct object **at = object_bucket(o);

    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    mapped--;
    atomic_fetch_add_explicit(&object_deaths, 1, memory_order_release);
}

static void object_unmap(struct object *o)
{
    object_unlink(o);
    table_drop(&object_table, &o->entry);
}

/* A new entry, or the one that is there with new facts. NULL on memory. */
static struct object *object_map(CK_ULONG place, CK_OBJECT_HANDLE lower, const struct object_facts *facts)
{
    struct object *o = object_mapped(place, lower);

    if (o) {
        o->facts = *facts;
        atomic_store(&o->judged, 0); /* some HSMs give a handle again: what was judged was another object */
        return o;
    }
    if (!buckets_grow())
        return NULL;
    o = (struct object *)table_take(&object_table);
    if (!o)
        return NULL;
    atomic_store(&o->lower, lower);
    atomic_store(&o->place, place);
    atomic_store(&o->judged, 0);
    o->facts = *facts;
    o->owner = CK_INVALID_HANDLE;
    object_link(o);
    table_show(&o->entry);
    return o;
}

/* The living entry of a handle, under the table's lock. */
static struct object *object_of(CK_OBJECT_HANDLE handle)
{
    return table_get(&object_table, handle, sizeof(struct object));
}

bool object_look(const struct session_view *view, CK_OBJECT_HANDLE handle, struct object_facts *ret,
                 CK_OBJECT_HANDLE *ret_lower)
{
    CK_OBJECT_HANDLE lower = handle;
    struct object_facts facts;
    struct object *o;

    if (!object_lower(&lower, view->place))
        return false;
    if (object_read(view, lower, &facts) != CKR_OK) {
        if (!view->watched) /* else its HSM may be lost, and a replica has the object */
            object_forget(handle);
        return false;
    }
    pthread_mutex_lock(&object_table.lock);
    o = object_of(handle);
    if (o)
        o->facts = facts;
    pthread_mutex_unlock(&object_table.lock);
    if (!o)
        return false;
    *ret = facts;
    if (ret_lower)
        *ret_lower = lower;
    return true;
}

void object_judged(CK_OBJECT_HANDLE handle, uint64_t generation, enum object_use use)
{
    struct object *o;

    pthread_mutex_lock(&object_table.lock);
    o = object_of(handle);
    if (o)
        atomic_store(&o->judged, generation << 2 | use);
    pthread_mutex_unlock(&object_table.lock);
}

enum object_use object_use_known(CK_OBJECT_HANDLE handle, uint64_t generation)
{
    const struct object *o = object_of(handle);
    uint64_t judged = o ? atomic_load_explicit(&o->judged, memory_order_acquire) : 0;

    return o && judged >> 2 == generation && table_holds(&o->entry, handle) ? (enum object_use)(judged & 3)
                                                                            : USE_UNKNOWN;
}

CK_RV object_add(const struct session_view *view, CK_OBJECT_HANDLE lower, const struct object_facts *facts,
                 CK_OBJECT_HANDLE *ret)
{
    struct object *o;
    CK_RV rv = CKR_HOST_MEMORY;

    pthread_mutex_lock(&object_table.lock);
    o = object_map(view->place, lower, facts);
    if (o) {
        o->owner = facts->on_token ? CK_INVALID_HANDLE : view->handle;
        *ret = atomic_load(&o->entry.handle);
        rv = CKR_OK;
    }
    pthread_mutex_unlock(&object_table.lock);
    return rv;
}

/* An object that was not seen before: whether it may be is asked with the world's lock held, so the search lets go of
 * the table's meanwhile. CK_INVALID_HANDLE where it is hidden. */
static CK_RV object_show(const struct session_view *view, CK_OBJECT_HANDLE lower, CK_OBJECT_HANDLE *ret)
{
    struct world *w = world_current();
    struct object_facts facts;
    bool shown;

    *ret = CK_INVALID_HANDLE;
    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (object_read(view, lower, &facts) != CKR_OK)
        return CKR_OK; /* gone meanwhile, or of a kind that does not say what it is */
    pthread_mutex_lock(&w->lock);
    shown = (object_shown(w, view->slot, &facts) && (facts.on_token || !object_is_secret(&facts))) ||
            object_key_awaited(w, view->slot, &facts);
    pthread_mutex_unlock(&w->lock);
    return shown ? object_add(view, lower, &facts, ret) : CKR_OK;
}

CK_RV objects_show(const struct session_view *view, const CK_OBJECT_HANDLE *lower, CK_ULONG count,
                   CK_OBJECT_HANDLE *ret, CK_ULONG *ret_count, uint64_t *ret_known)
{
    CK_OBJECT_HANDLE handle;
    CK_ULONG shown = 0;
    bool known = true;
    struct object *o;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&object_table.lock);
    for (CK_ULONG i = 0; i < count && rv == CKR_OK; i++) {
        o = object_mapped(view->place, lower[i]);
        handle = o ? atomic_load_explicit(&o->entry.handle, memory_order_relaxed) : CK_INVALID_HANDLE;
        if (!handle) { /* not seen before: the lower module and the policy are asked without the lock */
            known = false;
            pthread_mutex_unlock(&object_table.lock);
            rv = object_show(view, lower[i], &handle);
            pthread_mutex_lock(&object_table.lock);
        }
        if (handle)
            ret[shown++] = handle;
    }
    *ret_known = known ? atomic_load(&object_deaths) : 0;
    pthread_mutex_unlock(&object_table.lock);
    *ret_count = shown;
    return rv;
}

bool objects_next(CK_SLOT_ID slot, uint32_t *at, CK_OBJECT_HANDLE *ret, struct object_facts *ret_facts)
{
    struct object *o = NULL;
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;

    pthread_mutex_lock(&object_table.lock);
    while (!handle && ++*at <= object_table.used) {
        o = object_at(*at);
        handle = object_slot(o) == slot ? atomic_load(&o->entry.handle) : CK_INVALID_HANDLE;
    }
    if (handle) {
        *ret = handle;
        *ret_facts = o->facts;
    }
    pthread_mutex_unlock(&object_table.lock);
    return handle != CK_INVALID_HANDLE;
}

/* A reader takes the new handle only with the new place: the old one is gone before, the new one there after. */
void object_move(CK_OBJECT_HANDLE handle, CK_ULONG place, CK_OBJECT_HANDLE lower)
{
    struct object *o;

    pthread_mutex_lock(&object_table.lock);
    o = object_of(handle);
    if (o) {
        object_unlink(o);
        atomic_store(&o->place, place | PLACE_MOVING);
        atomic_store(&o->judged, 0);
        atomic_store(&o->lower, lower);
        atomic_store(&o->place, place);
        object_link(o);
    }
    pthread_mutex_unlock(&object_table.lock);
}

void object_forget(CK_OBJECT_HANDLE handle)
{
    struct object *o;

    pthread_mutex_lock(&object_table.lock);
    o = object_of(handle);
    if (o)
        object_unmap(o);
    pthread_mutex_unlock(&object_table.lock);
}

enum sweep { SWEEP_SESSION /* those that the session made */, SWEEP_SLOT, SWEEP_PRIVATE, SWEEP_OFF_TOKEN };

static bool sweep_takes(const struct object *o, enum sweep what, CK_SESSION_HANDLE session, CK_SLOT_ID slot)
{
    if (what == SWEEP_SESSION)
        return o->owner == session;
    return object_slot(o) == slot &&
           (what == SWEEP_SLOT || (what == SWEEP_PRIVATE ? o->facts.is_private : !o->facts.on_token));
}

static void objects_sweep(enum sweep what, CK_SESSION_HANDLE session, CK_SLOT_ID slot)
{
    struct object *o;

    pthread_mutex_lock(&object_table.lock);
    for (uint32_t i = 1; i <= object_table.used; i++) {
        o = object_at(i);
        if (!atomic_load(&o->entry.handle))
            continue;
        if (sweep_takes(o, what, session, slot))
            object_unmap(o);
    }
    pthread_mutex_unlock(&object_table.lock);
}

void objects_forget_private(CK_SLOT_ID slot)
{
    objects_sweep(SWEEP_PRIVATE, CK_INVALID_HANDLE, slot);
}

void objects_forget_session(CK_SESSION_HANDLE session)
{
    objects_sweep(SWEEP_SESSION, session, 0);
}

void objects_forget_slot(CK_SLOT_ID slot)
{
    objects_sweep(SWEEP_SLOT, CK_INVALID_HANDLE, slot);
}

void objects_forget_sessions(CK_SLOT_ID slot)
{
    objects_sweep(SWEEP_OFF_TOKEN, CK_INVALID_HANDLE, slot);
}

void objects_forget(void)
{
    table_forget(&object_table);
    atomic_fetch_add(&object_deaths, 1);
    buckets = NULL; /* the parent's */
    bucket_count = 0;
    mapped = 0;
}
