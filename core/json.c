#include "core/json.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

#define FEW_KEYS 16 /* of an object: as many as are sorted without memory of their own */

struct key {
    const char *name;
    size_t len;
    const json_t *value;
};

static enum outcome value_put(const json_t *value, unsigned depth, struct buf *b, struct fault *f);

/* How many bytes stand for themselves: printable ASCII but the quote and the backslash. */
static size_t plain_length(struct span text)
{
    size_t n = 0;

    while (n < text.len && text.data[n] >= 0x20 && text.data[n] < 0x80 && text.data[n] != '"' && text.data[n] != '\\')
        n++;
    return n;
}

/* RFC 8785 section 3.2.2.2 */
static enum outcome string_put(const char *text, size_t len, struct buf *b, struct fault *f)
{
    static const char escaped[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    struct span rest = span_of(text, len);
    uint32_t code = 0;

    buf_put(b, "\"", 1);
    while (rest.len > 0) {
        size_t n = plain_length(rest);

        buf_put(b, rest.data, n);
        rest = span_of(rest.data + n, rest.len - n);
        if (rest.len == 0)
            break;
        n = utf8_next(rest, &code);
        const char *at = n == 1 && code != 0 ? strchr(escaped, (int)code) : NULL;

        if (n == 0 || code == 0)
            return fault_set(f, E_INVALID, "a string in a document holds a NUL, or is not UTF-8");
        if (at != NULL)
            buf_putf(b, "\\%c", letters[at - escaped]);
        else if (code < 0x20)
            buf_putf(b, "\\u%04x", (unsigned)code);
        else
            buf_put(b, rest.data, n);
        rest = span_of(rest.data + n, rest.len - n);
    }
    buf_put(b, "\"", 1);
    return OK;
}

/* By UTF-16 code units (RFC 8785 section 3.2.3). Bytes of UTF-8 compare as code points do; only the characters past
 * U+FFFF, which are surrogates in UTF-16, come before U+E000 to U+FFFF there. */
static int key_compare(const void *a, const void *b)
{
    const char *left = ((const struct key *)a)->name, *right = ((const struct key *)b)->name;
    unsigned char x, y;

    while (*left != '\0' && *left == *right) {
        left++;
        right++;
    }
    x = (unsigned char)*left;
    y = (unsigned char)*right;
    if (x >= 0xF0 && (y == 0xEE || y == 0xEF))
        return -1;
    if (y >= 0xF0 && (x == 0xEE || x == 0xEF))
        return 1;
    return (x > y) - (x < y);
}

/* Few keys are put in order as they come. */
static void keys_sort(struct key *keys, size_t count)
{
    if (count > FEW_KEYS) {
        qsort(keys, count, sizeof *keys, key_compare);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct key moved = keys[i];
        size_t at = i;

        for (; at > 0 && key_compare(&keys[at - 1], &moved) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = moved;
    }
}

static enum outcome object_put(const json_t *object, unsigned depth, struct buf *b, struct fault *f)
{
    size_t count = json_object_size(object), have = 0;
    struct key few[FEW_KEYS], *keys = few;
    json_t *source = (json_t *)(uintptr_t)object; /* jansson's iterators take a json_t * and change nothing */
    enum outcome o = OK;

    if (count > FEW_KEYS && (keys = calloc(count, sizeof *keys)) == NULL)
        return fault_memory(f);
    for (void *at = json_object_iter(source); at != NULL && have < count; at = json_object_iter_next(source, at))
        keys[have++] = (struct key){
            .name = json_object_iter_key(at), .len = json_object_iter_key_len(at), .value = json_object_iter_value(at)};
    keys_sort(keys, have);
    buf_put(b, "{", 1);
    for (size_t i = 0; i < have && o == OK; i++) {
        if (i > 0)
            buf_put(b, ",", 1);
        o = string_put(keys[i].name, keys[i].len, b, f);
        buf_put(b, ":", 1);
        if (o == OK)
            o = value_put(keys[i].value, depth + 1, b, f);
    }
    buf_put(b, "}", 1);
    if (keys != few)
        free(keys);
    return o;
}

static enum outcome array_put(const json_t *array, unsigned depth, struct buf *b, struct fault *f)
{
    buf_puts(b, "[");
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buf_puts(b, ",");
        if (value_put(json_array_get(array, i), depth + 1, b, f) != OK)
            return f->outcome;
    }
    buf_puts(b, "]");
    return OK;
}

static enum outcome integer_put(int64_t value, struct buf *b, struct fault *f)
{
    if (value > JSON_INTEGER_MAX || value < -JSON_INTEGER_MAX)
        return fault_set(f, E_INVALID, "a number in a document is not between -(2^53-1) and 2^53-1");
    uint64_t rest = value < 0 ? (uint64_t)-value : (uint64_t)value;
    char digits[24];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        digits[--at] = '-';
    buf_put(b, digits + at, sizeof digits - at);
    return OK;
}

static enum outcome value_put(const json_t *value, unsigned depth, struct buf *b, struct fault *f)
{
    if (depth > LIMIT_YAML_DEPTH)
        return fault_set(f, E_INVALID, "a document is nested deeper than %d levels", LIMIT_YAML_DEPTH);
    if (json_is_object(value))
        return object_put(value, depth, b, f);
    if (json_is_array(value))
        return array_put(value, depth, b, f);
    if (json_is_string(value))
        return string_put(json_string_value(value), json_string_length(value), b, f);
    if (json_is_integer(value))
        return integer_put(json_integer_value(value), b, f);
    return fault_set(f, E_INVALID, "a document holds something other than objects, arrays, strings and integers");
}

enum outcome json_canonical_text(struct span text, struct buf *ret, struct fault *f)
{
    return string_put((const char *)text.data, text.len, ret, f);
}

enum outcome json_canonical(const json_t *value, struct buf *ret, struct fault *f)
{
    size_t before = ret->len;
    enum outcome o = value_put(value, 0, ret, f);

    if (o == OK && ret->failed)
        o = fault_memory(f);
    if (o != OK && ret->data != NULL) {
        ret->len = before;
        ret->data[before] = '\0';
    }
    return o;
}

/* At most so many values are in it: a parser makes a hundred times as much of "{}" as it is long. */
static bool nodes_fit(struct span bytes, size_t most)
{
    size_t nodes = 1;
    bool quoted = false;

    if (bytes.len <= most)
        return true;
    for (size_t i = 0; i < bytes.len && nodes <= most; i++) {
        const uint8_t c = bytes.data[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted)
            nodes += c == '{' || c == '[' || c == ',';
    }
    return nodes <= most;
}

enum outcome json_parse_canonical(struct span bytes, json_t **ret, struct fault *f)
{
    if (!nodes_fit(bytes, LIMIT_YAML_NODES))
        return fault_set(f, E_MEMORY, "the document has more than %d values", LIMIT_YAML_NODES);
    return json_parse_own(bytes, ret, f);
}

enum outcome json_parse_own(struct span bytes, json_t **ret, struct fault *f)
{
    struct buf again = BUF(bytes.len);
    json_t *parsed = NULL;
    json_error_t error = {0};
    enum outcome o = OK;

    if (bytes.len == 0)
        return fault_set(f, E_INVALID, "the document is empty");
    parsed = json_loadb((const char *)bytes.data, bytes.len, JSON_REJECT_DUPLICATES, &error);
    if (parsed == NULL)
        return fault_set(f, E_INVALID, "byte %d of the document: %s", error.position, error.text);
    o = json_canonical(parsed, &again, f);
    /* a form that does not fit into the given length is another one */
    if ((o == OK || again.failed) && !span_equal(buf_span(&again), bytes))
        o = fault_set(f, E_INVALID, "the document is not in its canonical form (RFC 8785)");
    if (o != OK)
        goto out;
    *ret = parsed;
    parsed = NULL; /* the caller's */
out:
    json_decref(parsed);
    buf_free(&again);
    return o;
}

enum outcome json_digest(const json_t *value, struct digest *ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    enum outcome o = json_canonical(value, &bytes, f);

    if (o == OK && !digest_one(ret, buf_span(&bytes)))
        o = fault_set(f, E_IO, "libcrypto cannot compute SHA-256");
    buf_free(&bytes);
    return o;
}
