#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/template.h"

/* Attribute values as subjects have them (policy/request.h), and back. */

enum kind { KIND_BOOL, KIND_NUMBER, KIND_CLASS, KIND_KEY_TYPE, KIND_TEXT, KIND_BYTES };

static bool attribute_kind(CK_ATTRIBUTE_TYPE type, enum kind *ret)
{
    switch (type) {
#define ATTRIBUTE(name, attribute_kind)                                                                                \
    case name:                                                                                                         \
        *ret = KIND_##attribute_kind;                                                                                  \
        return true;
#include "module/attributes.def"
#undef ATTRIBUTE
    default:
        return false;
    }
}

static enum outcome value_fault(const char *name, const char *wanted, struct fault *f)
{
    return fault_set(f, E_INVALID, "%s is not %s", name, wanted);
}

static enum outcome item_ulong(const CK_ATTRIBUTE *a, const char *name, CK_ULONG *ret, struct fault *f)
{
    if (a->ulValueLen != sizeof(*ret))
        return value_fault(name, "a CK_ULONG", f);
    memcpy(ret, a->pValue, sizeof(*ret));
    return OK;
}

static enum outcome bool_to_json(const CK_ATTRIBUTE *a, const char *name, json_t **ret, struct fault *f)
{
    CK_BBOOL value = CK_FALSE;

    if (a->ulValueLen != sizeof(value))
        return value_fault(name, "a CK_BBOOL", f);
    memcpy(&value, a->pValue, sizeof(value));
    *ret = json_string(value != CK_FALSE ? "true" : "false");
    return OK;
}

static enum outcome bytes_to_json(const CK_ATTRIBUTE *a, json_t **ret)
{
    struct buf hex = BUF(2 * LIMIT_ATTRIBUTE + 8);

    buf_puts(&hex, "hex:");
    hex_put(&hex, span_of(a->pValue, a->ulValueLen));
    *ret = hex.failed ? NULL : json_string(buf_str(&hex));
    buf_free(&hex);
    return OK;
}

static enum outcome text_to_json(const CK_ATTRIBUTE *a, const char *name, json_t **ret, struct fault *f)
{
    if (!utf8_printable(span_of(a->pValue, a->ulValueLen)))
        return value_fault(name, "printable UTF-8 without NUL", f);
    *ret = json_stringn(a->pValue, a->ulValueLen);
    return OK;
}

static enum outcome item_to_json(const CK_ATTRIBUTE *a, const char *name, enum kind kind, json_t **ret, struct fault *f)
{
    const char *text = NULL;
    CK_ULONG number = 0;

    if (kind == KIND_BOOL)
        return bool_to_json(a, name, ret, f);
    if (kind == KIND_TEXT)
        return text_to_json(a, name, ret, f);
    if (kind == KIND_BYTES)
        return bytes_to_json(a, ret);
    if (item_ulong(a, name, &number, f) != OK)
        return f->outcome;
    if (kind == KIND_NUMBER) {
        if (number > INT32_MAX)
            return value_fault(name, "a number below 2^31", f);
        *ret = json_integer((json_int_t)number);
        return OK;
    }
    text = kind == KIND_CLASS ? object_class_name(number) : key_type_name(number);
    if (!text)
        return value_fault(name, "one that Quorate has a name for", f);
    *ret = json_string(text);
    return OK;
}

enum outcome template_to_json(const struct template *t, json_t **ret, struct fault *f)
{
    json_t *json = json_object(), *value = NULL;
    enum kind kind;

    for (CK_ULONG i = 0; i < t->count; i++) {
        const char *name = attribute_name(t->items[i].type);

        value = NULL;
        if (!name || !attribute_kind(t->items[i].type, &kind))
            fault_set(f, E_INVALID, "attribute 0x%lx has no name here", t->items[i].type);
        else if (item_to_json(&t->items[i], name, kind, &value, f) == OK && !json_put(json, name, value))
            fault_memory(f);
        else
            continue;
        if (f->outcome != OK) {
            json_decref(json);
            return f->outcome;
        }
    }
    if (!json)
        return fault_memory(f);
    *ret = json;
    return OK;
}

static enum outcome bytes_from_json(const char *name, const char *text, struct template *t, CK_ATTRIBUTE_TYPE type,
                                    struct fault *f)
{
    struct buf bytes = BUF(LIMIT_ATTRIBUTE);
    enum outcome result = OK;

    if (strncmp(text, "hex:", 4) != 0)
        result = value_fault(name, "\"hex:…\"", f);
    if (result == OK && text[4])
        result = hex_parse_buf(text + 4, &bytes, f);
    if (result == OK)
        result = template_set(t, type, bytes.data, bytes.len, f);
    buf_free(&bytes);
    return result;
}

static enum outcome item_from_json(const char *name, const json_t *value, struct template *t, struct fault *f)
{
    const char *text = json_string_value(value);
    CK_ATTRIBUTE_TYPE type = 0;
    CK_ULONG number = 0;
    enum kind kind;

    if (!attribute_by_name(name, &type) || !attribute_kind(type, &kind))
        return fault_set(f, E_INVALID, "%s is no attribute that Quorate knows", name);
    if (kind == KIND_NUMBER) {
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > INT32_MAX)
            return value_fault(name, "a number below 2^31", f);
        return template_set_ulong(t, type, (CK_ULONG)json_integer_value(value), f);
    }
    if (!text)
        return value_fault(name, "a string", f);
    switch (kind) {
    case KIND_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return value_fault(name, "\"true\" or \"false\"", f);
        return template_set_bool(t, type, text[0] == 't', f);
    case KIND_CLASS:
        if (!object_class_by_name(text, &number))
            return value_fault(name, "a class that Quorate knows", f);
        return template_set_ulong(t, type, number, f);
    case KIND_KEY_TYPE:
        if (!key_type_by_name(text, &number))
            return value_fault(name, "a key type that Quorate knows", f);
        return template_set_ulong(t, type, number, f);
    case KIND_TEXT:
        return template_set(t, type, text, strlen(text), f);
    default:
        return bytes_from_json(name, text, t, type, f);
    }
}

enum outcome template_from_json(const json_t *json, struct template *ret, struct fault *f)
{
    struct template t = {0};
    const char *name;
    json_t *value;

    if (!json_is_object(json))
        return fault_set(f, E_INVALID, "a template is an object of attributes");
    /* jansson's iteration wants a pointer that may be written through; nothing is. */
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        if (item_from_json(name, value, &t, f) != OK) {
            template_clear(&t);
            return f->outcome;
        }
    }
    *ret = t;
    return OK;
}
