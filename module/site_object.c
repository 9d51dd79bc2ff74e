#include <string.h>

#include "core/limits.h"
#include "module/site.h"

static CK_BBOOL yes = CK_TRUE;

enum outcome site_find(const struct site_link *s, CK_ATTRIBUTE *match, CK_ULONG match_count, CK_OBJECT_HANDLE *ret,
                       size_t max, size_t *ret_count, struct fault *f)
{
    CK_OBJECT_HANDLE found[64];
    size_t count = 0;
    const size_t room = sizeof found / sizeof *found;
    enum outcome outcome = OK;

    CK_RV rv = s->f->C_FindObjectsInit(s->session, match, match_count);
    if (rv != CKR_OK)
        return site_fault(s, "C_FindObjectsInit", rv, f);
    for (CK_ULONG got = 1; got > 0 && count < room; count += got) {
        rv = s->f->C_FindObjects(s->session, found + count, (CK_ULONG)(room - count), &got);
        if (rv == CKR_OK && got > room - count)
            rv = CKR_DEVICE_ERROR; /* more than it was asked for: what it found is not known */
        if (rv != CKR_OK) {
            outcome = site_fault(s, "C_FindObjects", rv, f);
            break;
        }
    }
    rv = s->f->C_FindObjectsFinal(s->session);
    if (outcome != OK)
        return outcome;
    if (rv != CKR_OK)
        return site_fault(s, "C_FindObjectsFinal", rv, f);
    if (count > max || count == room)
        return fault_set(f, E_DEVICE, "%s at %s: more objects answer to one search than the %zu expected", s->token,
                         s->binding->site, max);
    memcpy(ret, found, count * sizeof *found);
    *ret_count = count;
    return OK;
}

static enum outcome find_by_id(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, CK_OBJECT_HANDLE *ret,
                               size_t max, size_t *ret_count, struct fault *f)
{
    CK_BYTE id_bytes[255];
    /* An empty CKA_ID would match every object. */
    if (id.len == 0 || id.len > sizeof id_bytes)
        return fault_set(f, E_INVALID, "a CKA_ID of %zu bytes: between 1 and %zu are expected", id.len,
                         sizeof id_bytes);
    memcpy(id_bytes, id.data, id.len);
    CK_ATTRIBUTE match[] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, sizeof yes}, {CKA_ID, id_bytes, (CK_ULONG)id.len}};
    return site_find(s, match, sizeof match / sizeof *match, ret, max, ret_count, f);
}

enum outcome site_find_one(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, CK_OBJECT_HANDLE *ret,
                           struct fault *f)
{
    size_t count = 0;
    enum outcome outcome = find_by_id(s, class, id, ret, 1, &count, f);
    if (outcome == OK && count == 0)
        outcome = fault_set(f, E_ABSENT, "%s at %s: no such key on the HSM", s->token, s->binding->site);
    return outcome;
}

enum outcome site_attribute(const struct site_link *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, struct buf *ret,
                            struct fault *f)
{
    CK_BYTE value[LIMIT_ATTRIBUTE];
    CK_ATTRIBUTE a = {type, value, sizeof value};
    CK_RV rv = s->f->C_GetAttributeValue(s->session, object, &a, 1);
    if (rv != CKR_OK || a.ulValueLen > sizeof value) {
        const char *name = attribute_name(type);
        site_fault(s, name != NULL ? name : "an attribute", rv, f);
        return E_DEVICE;
    }
    buf_clear(ret);
    buf_put(ret, value, a.ulValueLen);
    return ret->failed ? fault_memory(f) : OK;
}

enum outcome site_attribute_ulong(const struct site_link *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                                  CK_ULONG *ret, struct fault *f)
{
    struct buf value = BUF(sizeof *ret);
    enum outcome outcome = site_attribute(s, object, type, &value, f);
    if (outcome == OK && value.len != sizeof *ret)
        outcome = fault_set(f, E_DEVICE, "%s at %s: the HSM gives a number of %zu bytes", s->token, s->binding->site,
                            value.len);
    if (outcome == OK)
        memcpy(ret, value.data, sizeof *ret);
    buf_free(&value);
    return outcome;
}

/* All in one call; an HSM that holds one of them otherwise, or answers otherwise, is asked for each by itself. */
static bool same_at_once(const struct site_link *s, CK_OBJECT_HANDLE object, const struct template *t)
{
    CK_BYTE values[4096] = {0};
    CK_ATTRIBUTE items[LIMIT_TEMPLATE];
    size_t used = 0;
    if (t->count > LIMIT_TEMPLATE)
        return false;
    for (CK_ULONG i = 0; i < t->count; i++) {
        if (t->items[i].ulValueLen > sizeof values - used)
            return false;
        items[i] = (CK_ATTRIBUTE){t->items[i].type, values + used, t->items[i].ulValueLen};
        used += t->items[i].ulValueLen;
    }
    if (s->f->C_GetAttributeValue(s->session, object, items, t->count) != CKR_OK)
        return false;
    for (CK_ULONG i = 0; i < t->count; i++)
        if (items[i].ulValueLen != t->items[i].ulValueLen ||
            (items[i].ulValueLen > 0 && memcmp(items[i].pValue, t->items[i].pValue, items[i].ulValueLen) != 0))
            return false;
    return true;
}

enum outcome site_compare(const struct site_link *s, CK_OBJECT_HANDLE object, const struct template *t, struct fault *f)
{
    struct buf value = BUF(LIMIT_ATTRIBUTE);
    enum outcome outcome = OK;
    if (t->count == 0 || same_at_once(s, object, t))
        return OK;
    for (CK_ULONG i = 0; i < t->count && outcome == OK; i++) {
        const CK_ATTRIBUTE *want = &t->items[i];
        outcome = site_attribute(s, object, want->type, &value, f);
        if (outcome == OK && !span_equal(buf_span(&value), span_of(want->pValue, want->ulValueLen))) {
            const char *name = attribute_name(want->type);
            outcome = fault_set(f, E_REFUSED, "%s at %s: the HSM made the key with another %s than asked", s->token,
                                s->binding->site, name != NULL ? name : "attribute");
        }
    }
    buf_free(&value);
    return outcome;
}

enum outcome site_made(const struct site_link *s, CK_OBJECT_HANDLE object, CK_OBJECT_CLASS class, struct span id,
                       struct fault *f)
{
    struct template t = {0};
    enum outcome outcome = template_set(&t, CKA_CLASS, &class, sizeof class, f);
    if (outcome == OK)
        outcome = template_set(&t, CKA_ID, id.data, (CK_ULONG)id.len, f);
    if (outcome == OK)
        outcome = site_compare(s, object, &t, f);
    template_clear(&t);
    return outcome;
}

static const CK_OBJECT_CLASS key_classes[] = {CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKO_PUBLIC_KEY};
enum { KEY_CLASSES = sizeof key_classes / sizeof *key_classes, KEY_COPIES = 8 };

/* Whether a public key is this one. */
static enum outcome half_is(const struct site_link *s, CK_OBJECT_HANDLE public, struct span spki, bool *ret,
                            struct fault *f)
{
    struct buf value = BUF(LIMIT_ATTRIBUTE);
    enum outcome outcome = site_spki(s, public, &value, f);
    *ret = outcome == OK && span_equal(buf_span(&value), spki);
    buf_free(&value);
    return outcome == E_DEVICE || outcome == E_MEMORY ? outcome
                                                      : OK; /* of a kind that is not known here it is another */
}

/* Those of a class with this CKA_ID; half: only those that are this public key. */
static enum outcome of_class(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, const struct span *half,
                             CK_OBJECT_HANDLE ret[KEY_COPIES], size_t *ret_count, struct fault *f)
{
    size_t count = 0, kept = 0;
    bool is = true;
    enum outcome outcome = find_by_id(s, class, id, ret, KEY_COPIES, &count, f);
    for (size_t i = 0; i < count && outcome == OK; i++) {
        if (half != NULL)
            outcome = half_is(s, ret[i], *half, &is, f);
        if (is)
            ret[kept++] = ret[i];
    }
    if (outcome == OK)
        *ret_count = kept;
    return outcome;
}

static enum outcome class_destroy(const struct site_link *s, CK_OBJECT_CLASS class, struct span id,
                                  const struct span *half, struct fault *f)
{
    CK_OBJECT_HANDLE found[KEY_COPIES];
    size_t count = 0, left = 0;
    enum outcome outcome = of_class(s, class, id, half, found, &count, f);
    for (size_t i = 0; i < count && outcome == OK; i++) {
        CK_RV rv = s->f->C_DestroyObject(s->session, found[i]);
        if (rv != CKR_OK)
            outcome = site_fault(s, "C_DestroyObject", rv, f);
    }
    if (outcome == OK && count > 0)
        outcome = of_class(s, class, id, half, found, &left, f);
    if (outcome == OK && left > 0)
        outcome = fault_set(f, E_DEVICE, "%s at %s: the HSM says that it destroyed a key, and still has it", s->token,
                            s->binding->site);
    return outcome;
}

enum outcome site_destroy(const struct site_link *s, struct span id, struct fault *f)
{
    enum outcome outcome = OK;
    /* Secret halves first: what is left by a crash between the two is then worth nothing. */
    for (size_t i = 0; i < KEY_CLASSES && outcome == OK; i++)
        outcome = class_destroy(s, key_classes[i], id, NULL, f);
    return outcome;
}

CK_OBJECT_CLASS site_key_class(const char *class_name)
{
    return strcmp(class_name, "private-key") == 0 ? CKO_PRIVATE_KEY : CKO_SECRET_KEY;
}

enum outcome site_key_destroy(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, struct span spki,
                              struct fault *f)
{
    enum outcome outcome = class_destroy(s, class, id, NULL, f);
    if (outcome == OK && class == CKO_PRIVATE_KEY && spki.len > 0)
        outcome = class_destroy(s, CKO_PUBLIC_KEY, id, &spki, f);
    return outcome;
}

/* Whether this (token) key of one class has the CKA_ID and label. */
static enum outcome key_named(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, const char *label,
                              bool *ret, struct fault *f)
{
    CK_OBJECT_HANDLE found[KEY_COPIES];
    size_t count = 0;
    bool named = false;
    struct buf value = BUF(LIMIT_ATTRIBUTE);
    enum outcome outcome = find_by_id(s, class, id, found, KEY_COPIES, &count, f);
    for (size_t i = 0; i < count && outcome == OK && !named; i++) {
        outcome = site_attribute(s, found[i], CKA_LABEL, &value, f);
        named = outcome == OK && span_equal(buf_span(&value), span_str(label));
    }
    buf_free(&value);
    if (outcome == OK)
        *ret = named;
    return outcome;
}

enum outcome site_put_id(const struct site_link *s, CK_OBJECT_HANDLE object, struct span id, struct fault *f)
{
    CK_BYTE bytes[255] = {0};
    CK_ATTRIBUTE set = {CKA_ID, bytes, (CK_ULONG)id.len};
    struct buf value = BUF(LIMIT_ATTRIBUTE);

    if (id.len > sizeof bytes)
        return fault_set(f, E_INVALID, "a CKA_ID of %zu bytes: at most %zu are expected", id.len, sizeof bytes);
    if (id.len > 0)
        memcpy(bytes, id.data, id.len);
    CK_RV rv = s->f->C_SetAttributeValue(s->session, object, &set, 1);
    if (rv != CKR_OK)
        return site_fault(s, "C_SetAttributeValue(CKA_ID)", rv, f);
    enum outcome outcome = site_attribute(s, object, CKA_ID, &value, f);
    if (outcome == OK && !span_equal(buf_span(&value), id))
        outcome = fault_set(f, E_DEVICE, "%s at %s: the HSM says that it changed a CKA_ID, and has it as it was",
                            s->token, s->binding->site);
    buf_free(&value);
    return outcome;
}

enum outcome site_set_id(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, struct span wanted,
                         struct fault *f)
{
    CK_OBJECT_HANDLE found[KEY_COPIES];
    size_t count = 0;
    enum outcome outcome = find_by_id(s, class, id, found, KEY_COPIES, &count, f);
    for (size_t i = 0; i < count && outcome == OK; i++)
        outcome = site_put_id(s, found[i], wanted, f);
    return outcome;
}

enum outcome site_rename(const struct site_link *s, struct span id, struct span wanted, const char *label,
                         struct fault *f)
{
    bool there = false;
    enum outcome outcome = OK;

    for (size_t i = 0; i < KEY_CLASSES && outcome == OK; i++)
        outcome = site_set_id(s, key_classes[i], id, wanted, f);
    for (size_t i = 0; i < KEY_CLASSES && outcome == OK && !there; i++)
        if (key_classes[i] != CKO_PUBLIC_KEY)
            outcome = key_named(s, key_classes[i], wanted, label, &there, f);
    if (outcome == OK && !there)
        outcome =
            fault_set(f, E_ABSENT, "%s at %s: the key \"%s\" is not on the HSM", s->token, s->binding->site, label);
    return outcome;
}
