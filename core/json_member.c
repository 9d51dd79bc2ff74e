#include <string.h>

#include "core/encode.h"
#include "core/json.h"

/* Reading and writing the members of objects. */

static enum outcome member(const json_t *object, const char *name, json_type type, const char *kind, json_t **ret,
                           struct fault *f)
{
    json_t *value = json_object_get(object, name);

    if (value == NULL)
        return fault_set(f, E_INVALID, "the member \"%s\" is missing", name);
    if (json_typeof(value) != type)
        return fault_set(f, E_INVALID, "the member \"%s\" is not %s", name, kind);
    *ret = value;
    return OK;
}

enum outcome json_want_string(const json_t *object, const char *name, const char **ret, struct fault *f)
{
    json_t *value = NULL;

    if (member(object, name, JSON_STRING, "a string", &value, f) != OK)
        return f->outcome;
    if (strlen(json_string_value(value)) != json_string_length(value))
        return fault_set(f, E_INVALID, "the member \"%s\" holds a NUL", name);
    *ret = json_string_value(value);
    return OK;
}

enum outcome json_want_integer(const json_t *object, const char *name, int64_t *ret, struct fault *f)
{
    json_t *value = NULL;

    if (member(object, name, JSON_INTEGER, "an integer", &value, f) != OK)
        return f->outcome;
    *ret = json_integer_value(value);
    return OK;
}

enum outcome json_want_object(const json_t *object, const char *name, json_t **ret, struct fault *f)
{
    return member(object, name, JSON_OBJECT, "an object", ret, f);
}

enum outcome json_want_array(const json_t *object, const char *name, json_t **ret, struct fault *f)
{
    return member(object, name, JSON_ARRAY, "an array", ret, f);
}

enum outcome json_want_digest(const json_t *object, const char *name, struct digest *ret, struct fault *f)
{
    const char *text = NULL;

    if (json_want_string(object, name, &text, f) != OK)
        return f->outcome;
    if (digest_parse(text, ret, f) != OK)
        return fault_context(f, "the member \"%s\"", name);
    return OK;
}

enum outcome json_want_moment(const json_t *object, const char *name, moment *ret, struct fault *f)
{
    const char *text = NULL;

    if (json_want_string(object, name, &text, f) != OK)
        return f->outcome;
    if (moment_parse(text, ret, f) != OK)
        return fault_context(f, "the member \"%s\"", name);
    return OK;
}

const char *json_string_or_null(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* Whether a name stands in a list of names like "a ?b c". */
static bool listed(const char *names, struct span name)
{
    for (; *names != '\0'; names += strspn(names, " ")) {
        size_t n;

        names += *names == '?';
        n = strcspn(names, " ");
        if (span_equal(span_of(names, n), name))
            return true;
        names += n;
    }
    return false;
}

enum outcome json_members(const json_t *object, const char *names, struct fault *f)
{
    json_t *source = (json_t *)(uintptr_t)object; /* jansson's iterators take a json_t * and change nothing */

    if (!json_is_object(object))
        return fault_set(f, E_INVALID, "an object was expected");
    for (const char *at = names; *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (*at != '?' && json_object_getn(object, at, n) == NULL)
            return fault_set(f, E_INVALID, "the member \"%.*s\" is missing", (int)n, at);
        at += n;
    }
    for (void *at = json_object_iter(source); at != NULL; at = json_object_iter_next(source, at)) {
        struct span name = span_of(json_object_iter_key(at), json_object_iter_key_len(at));

        if (!listed(names, name))
            return fault_set(f, E_INVALID, "the member \"%.*s\" is not known here", (int)name.len,
                             json_object_iter_key(at));
    }
    return OK;
}

bool json_put(json_t *object, const char *name, json_t *stolen)
{
    return json_object_set_new(object, name, stolen) == 0;
}

bool json_put_string(json_t *object, const char *name, const char *value)
{
    return json_put(object, name, value == NULL ? NULL : json_string(value));
}

bool json_put_bytes_hex(json_t *object, const char *name, struct span bytes)
{
    struct buf hex = BUF(bytes.len * 2);
    bool done;

    hex_put(&hex, bytes);
    done = !hex.failed && json_put_string(object, name, buf_str(&hex));
    buf_free(&hex);
    return done;
}

bool json_put_digest(json_t *object, const char *name, const struct digest *d)
{
    return json_put_string(object, name, digest_hex(d).hex);
}

bool json_put_moment(json_t *object, const char *name, moment t)
{
    return json_put_string(object, name, moment_format(t).text);
}

bool json_put_integer(json_t *object, const char *name, int64_t value)
{
    return json_put(object, name, json_integer(value));
}
