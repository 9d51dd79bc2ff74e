#include "module/things.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/objects.h"

void things_clear(struct things *t)
{
    for (size_t i = 0; i < t->count; i++) {
        buf_free(&t->items[i].id);
        buf_free(&t->items[i].label);
    }
    free(t->items);
    *t = (struct things){.items = NULL};
}

/* An attribute that an object does not have reads as empty. */
static void attribute_read(const struct site_link *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, struct buf *ret)
{
    struct fault none = {0};
    if (site_attribute(s, object, type, ret, &none) != OK)
        buf_clear(ret);
}

static bool attribute_true(const struct site_link *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    struct buf raw = BUF(LIMIT_ATTRIBUTE);
    attribute_read(s, object, type, &raw);
    bool is = raw.len == sizeof(CK_BBOOL) && raw.data[0] != CK_FALSE;
    buf_free(&raw);
    return is;
}

static void public_read(const struct site_link *s, CK_OBJECT_HANDLE object, struct thing *t)
{
    struct buf spki = BUF(LIMIT_ATTRIBUTE);
    struct fault none = {0};
    t->has_public = site_spki(s, object, &spki, &none) == OK && digest_one(&t->public_key, buf_span(&spki));
    buf_free(&spki);
}

/* An HSM that died or failed while it made an object may leave one that has no class: what it is, nobody can say, and the rest can
 * be looked at all the same. */
static enum outcome class_read(const struct site_link *s, CK_OBJECT_HANDLE object, CK_OBJECT_CLASS *ret,
                               const char **ret_name, struct fault *f)
{
    CK_OBJECT_CLASS class = CK_UNAVAILABLE_INFORMATION;
    CK_ATTRIBUTE a = {CKA_CLASS, &class, sizeof class};
    CK_RV rv = s->f->C_GetAttributeValue(s->session, object, &a, 1);
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID) {
        *ret_name = THING_UNREADABLE;
        return OK;
    }
    if (rv != CKR_OK || a.ulValueLen != sizeof class)
        return site_fault(s, "reading CKA_CLASS", rv != CKR_OK ? rv : CKR_DEVICE_ERROR, f);
    *ret = class;
    *ret_name = class_name(class) != NULL ? class_name(class) : "other";
    return OK;
}

static enum outcome thing_read(const struct site_link *s, CK_OBJECT_HANDLE object, struct thing *t, struct fault *f)
{
    CK_OBJECT_CLASS class = CK_UNAVAILABLE_INFORMATION;
    struct buf raw = BUF(LIMIT_ATTRIBUTE);
    enum outcome outcome = class_read(s, object, &class, &t->class, f);
    if (outcome == OK) {
        t->session = class != CK_UNAVAILABLE_INFORMATION && !attribute_true(s, object, CKA_TOKEN);
        t->trusted = attribute_true(s, object, CKA_TRUSTED);
        attribute_read(s, object, CKA_ID, &raw);
        hex_put(&t->id, buf_span(&raw));
        attribute_read(s, object, CKA_LABEL, &t->label);
        if (class == CKO_PUBLIC_KEY)
            public_read(s, object, t);
        outcome = t->id.failed || t->label.failed ? fault_memory(f) : OK;
    }
    buf_free(&raw);
    return outcome;
}

/* Handles of all that the session sees; the caller frees them. */
static enum outcome handles_find(const struct site_link *s, size_t max, CK_OBJECT_HANDLE **ret, size_t *ret_count,
                                 struct fault *f)
{
    CK_OBJECT_HANDLE *list = calloc(max, sizeof *list);
    size_t count = 0;
    enum outcome outcome = OK;
    CK_RV rv = list != NULL ? s->f->C_FindObjectsInit(s->session, NULL, 0) : CKR_HOST_MEMORY;
    if (rv != CKR_OK) {
        outcome = list != NULL ? site_fault(s, "C_FindObjectsInit", rv, f) : fault_memory(f);
        goto out;
    }
    for (CK_ULONG got = 1; got > 0 && count < max && rv == CKR_OK; count += got) {
        CK_ULONG room = (CK_ULONG)(max - count);
        got = 0;
        rv = s->f->C_FindObjects(s->session, list + count, room, &got);
        if (rv == CKR_OK && got > room)
            rv = CKR_DEVICE_ERROR;
        got = rv == CKR_OK ? got : 0;
    }
    CK_RV ended = s->f->C_FindObjectsFinal(s->session);
    if (rv != CKR_OK || ended != CKR_OK)
        outcome = site_fault(s, "C_FindObjects", rv != CKR_OK ? rv : ended, f);
    else if (count == max)
        outcome = fault_set(f, E_MEMORY, "%s at %s: %zu objects or more", s->token, s->binding->site, max);
    if (outcome == OK) {
        *ret = list;
        *ret_count = count;
        list = NULL; /* taken by *ret */
    }
out:
    free(list);
    return outcome;
}

static enum outcome things_make(size_t count, struct things *ret, struct fault *f)
{
    ret->items = calloc(count + 1, sizeof *ret->items);
    return ret->items != NULL ? OK : fault_memory(f);
}

static struct thing *thing_add(struct things *t)
{
    struct thing *one = &t->items[t->count++];
    *one = (struct thing){.class = "other", .id = BUF(2 * LIMIT_ATTRIBUTE + 1), .label = BUF(LIMIT_ATTRIBUTE)};
    return one;
}

enum outcome things_read(const struct site_link *s, size_t max, struct things *ret, struct fault *f)
{
    struct things t = {.items = NULL};
    CK_OBJECT_HANDLE *list = NULL;
    size_t count = 0;
    enum outcome outcome = handles_find(s, max, &list, &count, f);
    if (outcome == OK)
        outcome = things_make(count, &t, f);
    for (size_t i = 0; i < count && outcome == OK; i++)
        outcome = thing_read(s, list[i], thing_add(&t), f);
    if (outcome == OK) {
        *ret = t;
        t = (struct things){.items = NULL}; /* taken by *ret */
    }
    things_clear(&t);
    free(list);
    return outcome;
}

static bool label_put(json_t *line, const struct buf *label)
{
    bool text = memchr(label->data != NULL ? label->data : (const uint8_t *)"", 0, label->len) == NULL;
    if (text && json_put_string(line, "label", buf_str(label)))
        return true;
    return json_put_bytes_hex(line, "label-hex", buf_span(label));
}

bool thing_put(const struct thing *t, json_t *line)
{
    return json_put_string(line, "class", t->class) && json_put_string(line, "id", buf_str(&t->id)) &&
           label_put(line, &t->label);
}

json_t *things_json(const struct things *t)
{
    json_t *list = json_array();
    bool good = list != NULL;
    for (size_t i = 0; i < t->count && good; i++) {
        const struct thing *one = &t->items[i];
        json_t *line = json_object();
        good = thing_put(one, line) && (!one->session || json_put_string(line, "session", "true")) &&
               (!one->trusted || json_put_string(line, "trusted", "true")) &&
               (!one->has_public || json_put_digest(line, "public-key", &one->public_key)) &&
               json_array_append(list, line) == 0;
        json_decref(line);
    }
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

/* Only names that an inventory gives. */
static const char *class_known(const char *text)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE,
                                              CKO_DATA};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(class_name(classes[i]), text) == 0)
            return class_name(classes[i]);
    return strcmp(text, "other") == 0 ? "other" : strcmp(text, THING_UNREADABLE) == 0 ? THING_UNREADABLE : NULL;
}

static enum outcome flag_parse(const json_t *line, const char *name, bool *ret, struct fault *f)
{
    const char *text = NULL;
    if (json_object_get(line, name) == NULL)
        return OK;
    enum outcome outcome = json_want_string(line, name, &text, f);
    if (outcome == OK && strcmp(text, "true") != 0)
        outcome = fault_set(f, E_INVALID, "\"%s\" is \"true\" or absent", name);
    *ret = outcome == OK;
    return outcome;
}

static enum outcome label_parse(const json_t *line, struct buf *ret, struct fault *f)
{
    const char *text = NULL;
    bool plain = json_object_get(line, "label") != NULL;
    if (plain == (json_object_get(line, "label-hex") != NULL))
        return fault_set(f, E_INVALID, "it has a label, or one in hex");
    enum outcome outcome = json_want_string(line, plain ? "label" : "label-hex", &text, f);
    if (outcome == OK && plain)
        buf_puts(ret, text);
    else if (outcome == OK)
        outcome = hex_parse_buf(text, ret, f);
    return outcome == OK && ret->failed ? fault_set(f, E_INVALID, "its label is too long") : outcome;
}

static enum outcome thing_parse(const json_t *line, struct thing *t, struct fault *f)
{
    const char *class = NULL, *id = NULL;
    struct buf raw = BUF(LIMIT_ATTRIBUTE);
    enum outcome outcome = json_members(line, "class id ?label ?label-hex ?public-key ?session ?trusted", f);
    if (outcome == OK)
        outcome = json_want_string(line, "class", &class, f);
    if (outcome == OK && (t->class = class_known(class)) == NULL)
        outcome = fault_set(f, E_INVALID, "\"%.40s\" is no class of objects", class);
    if (outcome == OK)
        outcome = json_want_string(line, "id", &id, f);
    if (outcome == OK)
        outcome = hex_parse_buf(id, &raw, f);
    if (outcome == OK)
        hex_put(&t->id, buf_span(&raw));
    if (outcome == OK && (raw.failed || t->id.failed))
        outcome = fault_set(f, E_INVALID, "its CKA_ID is too long");
    if (outcome == OK)
        outcome = label_parse(line, &t->label, f);
    if (outcome == OK)
        outcome = flag_parse(line, "session", &t->session, f);
    if (outcome == OK)
        outcome = flag_parse(line, "trusted", &t->trusted, f);
    t->has_public = outcome == OK && json_object_get(line, "public-key") != NULL;
    if (t->has_public)
        outcome = json_want_digest(line, "public-key", &t->public_key, f);
    buf_free(&raw);
    return outcome;
}

enum outcome things_parse(const json_t *objects, struct things *ret, struct fault *f)
{
    struct things t = {.items = NULL};
    enum outcome outcome = things_make(json_array_size(objects), &t, f);
    for (size_t i = 0; i < json_array_size(objects) && outcome == OK; i++)
        if ((outcome = thing_parse(json_array_get(objects, i), thing_add(&t), f)) != OK)
            fault_context(f, "object %zu", i + 1);
    if (outcome == OK) {
        *ret = t;
        t = (struct things){.items = NULL}; /* taken by *ret */
    }
    things_clear(&t);
    return outcome;
}
