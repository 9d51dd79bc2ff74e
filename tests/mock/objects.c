#include <stdlib.h>
#include <string.h>

#include "tests/mock/inner.h"

static struct mock_object objects[MOCK_OBJECTS];
static size_t used; /* none lives from here on; under the lock */

static const CK_ATTRIBUTE *item_find(const CK_ATTRIBUTE *items, CK_ULONG count, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < count; i++)
        if (items[i].type == type)
            return &items[i];
    return NULL;
}

const CK_ATTRIBUTE *mock_item(const struct mock_object *o, CK_ATTRIBUTE_TYPE type)
{
    return item_find(o->items, o->count, type);
}

static bool item_bool(const struct mock_object *o, CK_ATTRIBUTE_TYPE type)
{
    const CK_ATTRIBUTE *a = item_find(o->items, o->count, type);

    return a && a->ulValueLen == 1 && *(const CK_BBOOL *)a->pValue;
}

static CK_ULONG item_ulong(const struct mock_object *o, CK_ATTRIBUTE_TYPE type)
{
    const CK_ATTRIBUTE *a = item_find(o->items, o->count, type);
    CK_ULONG value = CK_UNAVAILABLE_INFORMATION;

    if (a && a->ulValueLen == sizeof(value))
        memcpy(&value, a->pValue, sizeof(value));
    return value;
}

/* Adds an attribute, or replaces the one that is there. */
static bool item_set(struct mock_object *o, const CK_ATTRIBUTE *a)
{
    unsigned char *value = malloc(a->ulValueLen + 1);
    CK_ATTRIBUTE *items = realloc(o->items, (o->count + 1) * sizeof(*items));
    CK_ULONG i = 0;

    if (items)
        o->items = items;
    if (!value || !items) {
        free(value);
        return false;
    }
    if (a->ulValueLen)
        memcpy(value, a->pValue, a->ulValueLen);
    while (i < o->count && items[i].type != a->type)
        i++;
    if (i == o->count)
        o->count++;
    else
        free(items[i].pValue);
    items[i] = (CK_ATTRIBUTE){a->type, value, a->ulValueLen};
    return true;
}

static void object_end(struct mock_object *o)
{
    atomic_store(&o->alive, false);
    for (CK_ULONG i = 0; i < o->count; i++)
        free(o->items[i].pValue);
    free(o->items);
    o->items = NULL;
    o->count = 0;
}

struct mock_object *mock_object(const struct mock_session *s, CK_OBJECT_HANDLE handle)
{
    CK_ULONG i = handle - MOCK_OBJECT_BASE;
    struct mock_object *o = &objects[i % MOCK_OBJECTS];

    if (i >= MOCK_OBJECTS || !atomic_load_explicit(&o->alive, memory_order_acquire) || o->slot != s->slot)
        return NULL;
    return o->is_private && !mock_logged_in(s) ? NULL : o;
}

void mock_use(struct mock_object *key)
{
    if (key && atomic_load_explicit(&mock_steered, memory_order_relaxed) && key->class != CKO_PUBLIC_KEY)
        atomic_fetch_add(&key->uses, 1);
}

__attribute__((visibility("default"))) unsigned long mock_uses(const char *prefix);
unsigned long mock_uses(const char *prefix)
{
    unsigned long uses = 0;

    pthread_mutex_lock(&mock_lock);
    for (size_t i = 0; i < used; i++) {
        const CK_ATTRIBUTE *label = item_find(objects[i].items, objects[i].count, CKA_LABEL);

        if (atomic_load(&objects[i].alive) && label && label->ulValueLen >= strlen(prefix) &&
            memcmp(label->pValue, prefix, strlen(prefix)) == 0)
            uses += atomic_load(&objects[i].uses);
    }
    pthread_mutex_unlock(&mock_lock);
    return uses;
}

static CK_RV items_check(const CK_ATTRIBUTE *items, CK_ULONG count)
{
    if (count && !items)
        return CKR_ARGUMENTS_BAD;
    for (CK_ULONG i = 0; i < count; i++) {
        if (items[i].ulValueLen > 65536 || (items[i].ulValueLen && !items[i].pValue))
            return CKR_ATTRIBUTE_VALUE_INVALID;
        if (item_find(items, i, items[i].type))
            return CKR_TEMPLATE_INCONSISTENT;
    }
    return CKR_OK;
}

/* With the lock held. */
static CK_RV object_fill(struct mock_object *o, const CK_ATTRIBUTE *items, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++)
        if (!item_set(o, &items[i]))
            return CKR_HOST_MEMORY;
    return CKR_OK;
}

static CK_RV object_place(const struct mock_session *s, CK_SESSION_HANDLE owner, struct mock_object *o)
{
    bool on_token = item_bool(o, CKA_TOKEN);

    atomic_store(&o->uses, 0);
    o->slot = s->slot;
    o->owner = on_token ? 0 : owner;
    o->is_private = item_bool(o, CKA_PRIVATE);
    o->class = item_ulong(o, CKA_CLASS);
    o->key_type = item_ulong(o, CKA_KEY_TYPE);
    if (o->class == CK_UNAVAILABLE_INFORMATION)
        return CKR_TEMPLATE_INCOMPLETE;
    if (on_token && !(s->flags & CKF_RW_SESSION))
        return CKR_SESSION_READ_ONLY;
    return o->is_private && !mock_logged_in(s) ? CKR_USER_NOT_LOGGED_IN : CKR_OK;
}

CK_RV mock_object_make(const struct mock_session *s, CK_SESSION_HANDLE owner, const CK_ATTRIBUTE *base,
                       CK_ULONG base_count, const CK_ATTRIBUTE *items, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE ordinary[] = {{CKA_TOKEN, &no, 1}, {CKA_PRIVATE, &no, 1}, {CKA_LABEL, NULL, 0}, {CKA_ID, NULL, 0}};
    CK_RV rv = items_check(items, count);
    size_t i = 0;

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    while (i < used && atomic_load(&objects[i].alive))
        i++;
    if (i == MOCK_OBJECTS) {
        rv = CKR_DEVICE_MEMORY;
    } else {
        rv = object_fill(&objects[i], ordinary, sizeof(ordinary) / sizeof(*ordinary));
        if (rv == CKR_OK)
            rv = object_fill(&objects[i], base, base_count);
        if (rv == CKR_OK)
            rv = object_fill(&objects[i], items, count);
        if (rv == CKR_OK)
            rv = object_place(s, owner, &objects[i]);
        if (rv != CKR_OK) {
            object_end(&objects[i]);
        } else {
            atomic_store_explicit(&objects[i].alive, true, memory_order_release);
            used = used > i ? used : i + 1;
            *ret = MOCK_OBJECT_BASE + i;
        }
    }
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

void mock_objects_end_session(CK_SESSION_HANDLE owner)
{
    for (size_t i = 0; i < used; i++)
        if (atomic_load(&objects[i].alive) && objects[i].owner == owner)
            object_end(&objects[i]);
}

void mock_objects_end_slot(CK_SLOT_ID slot, bool private_session_only)
{
    for (size_t i = 0; i < used; i++)
        if (atomic_load(&objects[i].alive) && objects[i].slot == slot &&
            (!private_session_only || (objects[i].owner && objects[i].is_private)))
            object_end(&objects[i]);
}

void mock_objects_end_all(bool token_too)
{
    for (size_t i = 0; i < used; i++)
        if (atomic_load(&objects[i].alive) && (token_too || objects[i].owner))
            object_end(&objects[i]);
}

CK_RV mock_C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                          CK_OBJECT_HANDLE_PTR object)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK && (!items || !object))
        rv = CKR_ARGUMENTS_BAD;
    return rv == CKR_OK ? mock_object_make(s, session, NULL, 0, items, count, object) : rv;
}

CK_RV mock_C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                        CK_OBJECT_HANDLE_PTR copy)
{
    struct mock_session *s = NULL;
    struct mock_object scratch = {0};
    const struct mock_object *o;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK && !copy)
        rv = CKR_ARGUMENTS_BAD;
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    o = mock_object(s, object);
    rv = o ? object_fill(&scratch, o->items, o->count) : CKR_OBJECT_HANDLE_INVALID;
    pthread_mutex_unlock(&mock_lock);
    if (rv == CKR_OK)
        rv = mock_object_make(s, session, scratch.items, scratch.count, items, count, copy);
    object_end(&scratch);
    return rv;
}

CK_RV mock_C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    struct mock_session *s = NULL;
    struct mock_object *o;
    CK_RV rv = mock_session(session, &s);

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    o = mock_object(s, object);
    if (!o)
        rv = CKR_OBJECT_HANDLE_INVALID;
    else if (!o->owner && !(s->flags & CKF_RW_SESSION))
        rv = CKR_SESSION_READ_ONLY;
    else
        object_end(o);
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

CK_RV mock_C_GetObjectSize(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG_PTR size)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv != CKR_OK)
        return rv;
    if (!mock_object(s, object))
        return CKR_OBJECT_HANDLE_INVALID;
    if (!size)
        return CKR_ARGUMENTS_BAD;
    *size = mock_length(1024);
    return CKR_OK;
}

/* One attribute in the manner of PKCS#11 2.40, section 5.7, C_GetAttributeValue. */
static CK_RV item_give(const struct mock_object *o, CK_ATTRIBUTE *want)
{
    const CK_ATTRIBUTE *a = item_find(o->items, o->count, want->type);
    CK_ULONG room = want->ulValueLen;
    bool closed = (o->class == CKO_PRIVATE_KEY || o->class == CKO_SECRET_KEY) &&
                  (want->type == CKA_VALUE || want->type == CKA_PRIVATE_EXPONENT) &&
                  (item_bool(o, CKA_SENSITIVE) || !item_bool(o, CKA_EXTRACTABLE));

    if (!a || closed) {
        want->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return closed ? CKR_ATTRIBUTE_SENSITIVE : CKR_ATTRIBUTE_TYPE_INVALID;
    }
    want->ulValueLen = mock_length(a->ulValueLen);
    if (!want->pValue)
        return CKR_OK;
    if (room < a->ulValueLen) {
        want->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_BUFFER_TOO_SMALL;
    }
    memcpy(want->pValue, a->pValue, a->ulValueLen);
    return CKR_OK;
}

CK_RV mock_C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR items,
                               CK_ULONG count)
{
    struct mock_session *s = NULL;
    const struct mock_object *o;
    CK_RV rv = mock_session(session, &s), one;

    if (rv == CKR_OK && !items)
        rv = CKR_ARGUMENTS_BAD;
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    o = mock_object(s, object);
    if (!o)
        rv = CKR_OBJECT_HANDLE_INVALID;
    for (CK_ULONG i = 0; o && i < count; i++) {
        one = item_give(o, &items[i]);
        if (one != CKR_OK)
            rv = one;
    }
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

CK_RV mock_C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR items,
                               CK_ULONG count)
{
    struct mock_session *s = NULL;
    struct mock_object *o;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK)
        rv = items ? items_check(items, count) : CKR_ARGUMENTS_BAD;
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    o = mock_object(s, object);
    if (!o)
        rv = CKR_OBJECT_HANDLE_INVALID;
    else if (!o->owner && !(s->flags & CKF_RW_SESSION))
        rv = CKR_SESSION_READ_ONLY;
    else
        rv = object_fill(o, items, count);
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

static bool object_matches(const struct mock_object *o, const CK_ATTRIBUTE *items, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++) {
        const CK_ATTRIBUTE *a = item_find(o->items, o->count, items[i].type);

        if (!a || a->ulValueLen != items[i].ulValueLen ||
            (a->ulValueLen && memcmp(a->pValue, items[i].pValue, a->ulValueLen) != 0))
            return false;
    }
    return true;
}

/* With the lock held. */
static CK_RV objects_find(struct mock_session *s, const CK_ATTRIBUTE *items, CK_ULONG count)
{
    if (s->operations[MOCK_FIND].on)
        return CKR_OPERATION_ACTIVE;
    s->found = malloc(MOCK_OBJECTS * sizeof(*s->found));
    if (!s->found)
        return CKR_HOST_MEMORY;
    s->found_count = s->found_next = 0;
    for (CK_OBJECT_HANDLE h = MOCK_OBJECT_BASE; h < MOCK_OBJECT_BASE + used; h++) {
        const struct mock_object *o = mock_object(s, h);

        if (o && object_matches(o, items, count))
            s->found[s->found_count++] = h;
    }
    s->operations[MOCK_FIND].on = true;
    return CKR_OK;
}

CK_RV mock_C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR items, CK_ULONG count)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK)
        rv = items_check(items, count);
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    rv = objects_find(s, items, count);
    pthread_mutex_unlock(&mock_lock);
    return rv;
}

CK_RV mock_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR found, CK_ULONG max, CK_ULONG_PTR count)
{
    struct mock_session *s = NULL;
    CK_ULONG n = 0;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK && (!found || !count))
        rv = CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK && !s->operations[MOCK_FIND].on)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock); /* somebody may close the session meanwhile */
    while (s->found && n < max && s->found_next < s->found_count)
        found[n++] = s->found[s->found_next++];
    pthread_mutex_unlock(&mock_lock);
    *count = mock_length(n);
    return CKR_OK;
}

CK_RV mock_C_FindObjectsFinal(CK_SESSION_HANDLE session)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK && !s->operations[MOCK_FIND].on)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&mock_lock);
    s->operations[MOCK_FIND].on = false;
    free(s->found);
    s->found = NULL;
    pthread_mutex_unlock(&mock_lock);
    return CKR_OK;
}

const struct mock_object *mock_token_object(size_t i, CK_SLOT_ID slot)
{
    return i < MOCK_OBJECTS && atomic_load(&objects[i].alive) && objects[i].owner == 0 && objects[i].slot == slot
               ? &objects[i]
               : NULL;
}

/* By the vendor, who needs no PIN. */
bool mock_token_object_make(CK_SLOT_ID slot, const CK_ATTRIBUTE *items, CK_ULONG count, const CK_ATTRIBUTE *also,
                            bool more)
{
    struct mock_session s = {.slot = slot, .flags = CKF_RW_SESSION};
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_USER_TYPE user = atomic_exchange(&mock_tokens[slot].user, CKU_USER);
    CK_RV rv = mock_object_make(&s, 0, items, count, also, more ? 1 : 0, &handle);
    atomic_store(&mock_tokens[slot].user, user);
    return rv == CKR_OK;
}
