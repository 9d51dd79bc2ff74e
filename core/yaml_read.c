#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/yaml.h"

/* Readers of parsed nodes: what a document may say at one place. */

enum outcome yaml_fault_at(const struct yaml *node, struct fault *f)
{
    return fault_context(f, "%s:%u:%u", node->name, node->line, node->column);
}

enum outcome yaml_fault(const struct yaml *node, struct fault *f, const char *format, ...)
{
    char text[sizeof f->text];
    va_list ap;

    va_start(ap, format);
    if (vsnprintf(text, sizeof text, format, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    fault_set(f, E_INVALID, "%s", text);
    return yaml_fault_at(node, f);
}

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
    for (size_t i = 0; map->kind == YAML_MAP && i < map->count; i++) {
        if (strcmp(map->keys[i]->scalar, key) == 0)
            return map->items[i];
    }
    return NULL;
}

/* The next of a list of names like "a ?b c", without its '?'. Empty at the end. */
static struct span name_next(const char **names, bool *ret_optional)
{
    struct span name;

    *names += strspn(*names, " ");
    *ret_optional = **names == '?';
    *names += *ret_optional;
    name = span_of(*names, strcspn(*names, " "));
    *names += name.len;
    return name;
}

/* Edit distance of two short words; more than LIMIT_NAME where one is long. */
static size_t word_distance(struct span a, struct span b)
{
    size_t row[LIMIT_NAME + 1];

    if (a.len > LIMIT_NAME || b.len > LIMIT_NAME)
        return LIMIT_NAME + 1;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t best = diagonal + (a.data[i] != b.data[j]);
            if (row[j + 1] + 1 < best)
                best = row[j + 1] + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[b.len];
}

static enum outcome unknown_key(const struct yaml *key, const char *names, struct fault *f)
{
    struct span nearest = {0}, name;
    size_t least = strlen(key->scalar) / 3 + 2;
    const char *at = names;
    bool optional;

    for (name = name_next(&at, &optional); name.len > 0; name = name_next(&at, &optional)) {
        size_t distance = word_distance(span_str(key->scalar), name);
        if (distance < least) {
            least = distance;
            nearest = name;
        }
    }
    if (nearest.len > 0)
        return yaml_fault(key, f, "unknown key \"%s\", did you mean \"%.*s\"?", key->scalar, (int)nearest.len,
                          (const char *)nearest.data);
    return yaml_fault(key, f, "unknown key \"%s\"; known here (those with ? may be left out): %s", key->scalar, names);
}

enum outcome yaml_members(const struct yaml *map, const char *names, struct fault *f)
{
    const char *at = NULL;
    struct span name;
    bool optional;

    if (map->kind != YAML_MAP)
        return yaml_fault(map, f, "a map was expected, with the keys (those with ? may be left out): %s", names);
    for (size_t i = 0; i < map->count; i++) {
        struct span key = span_str(map->keys[i]->scalar);

        at = names;
        do
            name = name_next(&at, &optional);
        while (name.len > 0 && !span_equal(name, key));
        if (name.len == 0)
            return unknown_key(map->keys[i], names, f);
    }
    at = names;
    for (name = name_next(&at, &optional); name.len > 0; name = name_next(&at, &optional)) {
        bool found = optional;
        for (size_t i = 0; i < map->count && !found; i++)
            found = span_equal(span_str(map->keys[i]->scalar), name);
        if (!found)
            return yaml_fault(map, f, "the key \"%.*s\" is missing", (int)name.len, (const char *)name.data);
    }
    return OK;
}

/* A scalar that is not empty, or NULL and a fault that says what was expected. */
static const char *scalar_want(const struct yaml *node, const char *expected, struct fault *f)
{
    if (node->kind != YAML_SCALAR)
        yaml_fault(node, f, "%s was expected, not a %s", expected, node->kind == YAML_LIST ? "list" : "map");
    else if (node->scalar[0] == '\0')
        yaml_fault(node, f, "nothing stands here; %s was expected", expected);
    else
        return node->scalar;
    return NULL;
}

static enum outcome text_copy(const char *text, char **ret, struct fault *f)
{
    char *copy = strdup(text);

    if (copy == NULL)
        return fault_memory(f);
    *ret = copy;
    return OK;
}

enum outcome yaml_text(const struct yaml *node, char **ret, struct fault *f)
{
    const char *text = scalar_want(node, "text", f);

    return text == NULL ? f->outcome : text_copy(text, ret, f);
}

bool name_valid(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= LIMIT_NAME && text[0] != '.' && text[0] != '_' && text[0] != '-' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

enum outcome yaml_name(const struct yaml *node, char **ret, struct fault *f)
{
    const char *text = scalar_want(node, "a name", f);

    if (text == NULL)
        return f->outcome;
    if (!name_valid(text))
        return yaml_fault(node, f,
                          "\"%s\" is no name; a to z, 0 to 9, and after the first character . _ - were expected, at "
                          "most %u of them",
                          text, LIMIT_NAME);
    return text_copy(text, ret, f);
}

enum outcome yaml_count(const struct yaml *node, unsigned min, unsigned max, unsigned *ret, struct fault *f)
{
    const char *text = scalar_want(node, "a number", f);
    size_t len;
    unsigned long value;

    if (text == NULL)
        return f->outcome;
    len = strlen(text);
    if (len > 9 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0'))
        return yaml_fault(node, f, "\"%s\" is no number; a whole number from %u to %u was expected", text, min, max);
    value = strtoul(text, NULL, 10);
    if (value < min || value > max)
        return yaml_fault(node, f, "%s is out of range; a whole number from %u to %u was expected", text, min, max);
    *ret = (unsigned)value;
    return OK;
}

enum outcome yaml_bool(const struct yaml *node, bool *ret, struct fault *f)
{
    unsigned chosen = 0;

    if (yaml_choice(node, "false true", &chosen, f) != OK)
        return f->outcome;
    *ret = chosen == 1;
    return OK;
}

enum outcome yaml_moment(const struct yaml *node, moment *ret, struct fault *f)
{
    const char *text = scalar_want(node, "a date", f);

    if (text == NULL)
        return f->outcome;
    return moment_parse_loose(text, ret, f) == OK ? OK : yaml_fault_at(node, f);
}

enum outcome yaml_duration(const struct yaml *node, struct span_of_time *ret, struct fault *f)
{
    const char *text = scalar_want(node, "a length of time", f);

    if (text == NULL)
        return f->outcome;
    return duration_parse(text, ret, f) == OK ? OK : yaml_fault_at(node, f);
}

enum outcome yaml_fingerprint(const struct yaml *node, struct digest *ret, struct fault *f)
{
    const char *text = scalar_want(node, "a fingerprint", f);

    if (text == NULL)
        return f->outcome;
    return digest_parse_prefixed(text, ret, f) == OK ? OK : yaml_fault_at(node, f);
}

enum outcome yaml_choice(const struct yaml *node, const char *names, unsigned *ret, struct fault *f)
{
    const char *text = scalar_want(node, "a word", f), *at = names;
    unsigned index = 0;
    bool optional;

    if (text == NULL)
        return fault_set(f, f->outcome, "%s: one of: %s", f->text, names);
    for (struct span name = name_next(&at, &optional); name.len > 0; name = name_next(&at, &optional)) {
        if (span_equal(name, span_str(text))) {
            *ret = index;
            return OK;
        }
        index++;
    }
    return yaml_fault(node, f, "\"%s\" is not known here; one of these was expected: %s", text, names);
}

enum outcome yaml_strings(const struct yaml *node, struct strings *ret, struct fault *f)
{
    struct yaml *const *items = node->items;
    struct strings read = {0};
    size_t count = node->count;
    const struct yaml *self = node;
    enum outcome o = OK;

    if (node->kind == YAML_MAP || (node->kind == YAML_LIST && node->count == 0))
        return yaml_fault(node, f, "a list that is not empty was expected");
    if (node->kind == YAML_SCALAR)
        count = 1;
    for (size_t i = 0; i < count && o == OK; i++) {
        const struct yaml *item = node->kind == YAML_SCALAR ? self : items[i];
        const char *text = scalar_want(item, "text", f);
        if (text == NULL)
            o = f->outcome;
        else if (strings_have(&read, text))
            o = yaml_fault(item, f, "\"%s\" is repeated in this list", text);
        else if (!strings_add(&read, text))
            o = fault_memory(f);
    }
    if (o != OK) {
        strings_free(&read);
        return o;
    }
    *ret = read; /* the caller's */
    return OK;
}

enum outcome yaml_to_json(const struct yaml *node, json_t **ret, struct fault *f)
{
    json_t *made = NULL;
    enum outcome o = OK;

    made = node->kind == YAML_SCALAR ? json_string(node->scalar)
           : node->kind == YAML_LIST ? json_array()
                                     : json_object();
    if (made == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < node->count && o == OK; i++) {
        json_t *item = NULL;
        o = yaml_to_json(node->items[i], &item, f);
        if (o == OK && (node->kind == YAML_MAP ? json_object_set_new(made, node->keys[i]->scalar, item)
                                               : json_array_append_new(made, item)) != 0)
            o = fault_memory(f);
    }
    if (o != OK) {
        json_decref(made);
        return o;
    }
    *ret = made; /* the caller's */
    return OK;
}
