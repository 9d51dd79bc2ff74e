#include "module/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

/* Attributes in one call that goes down unchanged. */

void template_clear(struct template *t)
{
    for (CK_ULONG i = 0; i < t->count; i++) {
        if (t->items[i].pValue)
            explicit_bzero(t->items[i].pValue, t->items[i].ulValueLen);
        free(t->items[i].pValue);
    }
    free(t->items);
    *t = (struct template){0};
}

const CK_ATTRIBUTE *template_find(const struct template *t, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < t->count; i++)
        if (t->items[i].type == type)
            return &t->items[i];
    return NULL;
}

bool template_bool(const struct template *t, CK_ATTRIBUTE_TYPE type, bool otherwise)
{
    const CK_ATTRIBUTE *a = template_find(t, type);
    CK_BBOOL value;

    if (!a || !a->pValue || a->ulValueLen != sizeof(value))
        return otherwise;
    memcpy(&value, a->pValue, sizeof(value));
    return value != CK_FALSE;
}

/* "CKA_LABEL", or the number where there is no name. */
static const char *attribute_text(CK_ATTRIBUTE_TYPE type, char number[24])
{
    const char *name = attribute_name(type);

    snprintf(number, 24, "0x%lx", type);
    return name ? name : number;
}

/* The value copied; one byte more than needed, so that an empty value is not NULL. */
static enum outcome item_copy(CK_ATTRIBUTE *item, const void *value, CK_ULONG len, struct fault *f)
{
    unsigned char *copy = malloc(len + 1);

    if (!copy)
        return fault_memory(f);
    if (len)
        memcpy(copy, value, len);
    copy[len] = 0;
    item->pValue = copy;
    item->ulValueLen = len;
    return OK;
}

/* What rules, names and the log go by: which of two the HSM would take, nobody could say. */
static bool item_is_judged(CK_ATTRIBUTE_TYPE type)
{
    return type == CKA_CLASS || type == CKA_TOKEN || type == CKA_PRIVATE || type == CKA_LABEL || type == CKA_ID;
}

static enum outcome item_take(struct template *t, const CK_ATTRIBUTE *item, bool strict, struct fault *f)
{
    char number[24];
    const char *name = attribute_text(item->type, number);
    CK_ATTRIBUTE *copy = &t->items[t->count];

    if (template_find(t, item->type) && (strict || item_is_judged(item->type)))
        return fault_set(f, E_INVALID, "%s stands twice in the template", name);
    if (strict && !item->pValue && item->ulValueLen)
        return fault_set(f, E_INVALID, "%s has a length but no value", name);
    if (item->pValue && item->ulValueLen > (strict ? LIMIT_ATTRIBUTE : LIMIT_DOCUMENT))
        return fault_set(f, E_INVALID, "%s is longer than %u bytes", name, strict ? LIMIT_ATTRIBUTE : LIMIT_DOCUMENT);
    *copy = (CK_ATTRIBUTE){item->type, NULL, strict ? 0 : item->ulValueLen};
    if ((item->pValue || strict) && item_copy(copy, item->pValue, item->ulValueLen, f) != OK)
        return f->outcome;
    t->count++;
    return OK;
}

static enum outcome items_take(const CK_ATTRIBUTE *items, CK_ULONG count, bool strict, struct template *ret,
                               struct fault *f)
{
    CK_ULONG most = strict ? LIMIT_TEMPLATE : LIMIT_ATTRIBUTES;
    struct template t = {0};
    CK_ATTRIBUTE item;

    if (count && !items)
        return fault_set(f, E_INVALID, "the template has a count but no attributes");
    if (count > most)
        return fault_set(f, E_INVALID, "the template has more than %lu attributes", most);
    /* No template stays none: some HSMs tell it from an empty one. */
    t.items = items ? calloc(count + 1, sizeof(*t.items)) : NULL;
    if (items && !t.items)
        return fault_memory(f);
    for (CK_ULONG i = 0; i < count; i++) {
        item = items[i]; /* read once: another thread may be writing there */
        if (item_take(&t, &item, strict, f) != OK) {
            template_clear(&t);
            return f->outcome;
        }
    }
    *ret = t;
    return OK;
}

enum outcome template_copy(const CK_ATTRIBUTE *items, CK_ULONG count, struct template *ret, struct fault *f)
{
    return items_take(items, count, true, ret, f);
}

enum outcome template_snapshot(const CK_ATTRIBUTE *items, CK_ULONG count, struct template *ret, struct fault *f)
{
    return items_take(items, count, false, ret, f);
}

enum outcome template_set(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len, struct fault *f)
{
    CK_ATTRIBUTE item = {type, NULL, 0}, *items;

    items = realloc(t->items, (t->count + 1) * sizeof(*items));
    if (!items)
        return fault_memory(f);
    t->items = items;
    if (item_copy(&item, value, len, f) != OK)
        return f->outcome;
    template_remove(t, type);
    t->items[t->count++] = item;
    return OK;
}

enum outcome template_set_bool(struct template *t, CK_ATTRIBUTE_TYPE type, bool value, struct fault *f)
{
    CK_BBOOL byte = value ? CK_TRUE : CK_FALSE;

    return template_set(t, type, &byte, sizeof(byte), f);
}

enum outcome template_set_ulong(struct template *t, CK_ATTRIBUTE_TYPE type, CK_ULONG value, struct fault *f)
{
    return template_set(t, type, &value, sizeof(value), f);
}

void template_remove(struct template *t, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < t->count; i++) {
        if (t->items[i].type != type)
            continue;
        if (t->items[i].pValue)
            explicit_bzero(t->items[i].pValue, t->items[i].ulValueLen);
        free(t->items[i].pValue);
        memmove(&t->items[i], &t->items[i + 1], (t->count - i - 1) * sizeof(*t->items));
        t->count--;
        return;
    }
}
