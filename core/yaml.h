#ifndef QUORATE_CORE_YAML_H
#define QUORATE_CORE_YAML_H

#include <jansson.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/fault.h"
#include "core/moment.h"

/* A YAML document as a tree of our own, with positions. Anchors, aliases, merge keys, tags, second documents,
 * repeated keys, NUL and anything over the limits are errors. Every error reads "NAME:LINE:COLUMN: what is wrong,
 * and what was expected" (E_INVALID). */
enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    unsigned line, column; /* from 1 */
    const char *name;      /* of the document, as given; borrowed from the root */
    char *scalar;          /* YAML_SCALAR: NUL-ended UTF-8 */
    size_t count;          /* YAML_LIST, YAML_MAP */
    struct yaml **keys;    /* YAML_MAP: scalars, in the document's order */
    struct yaml **items;   /* YAML_LIST, YAML_MAP */
};

enum outcome yaml_parse(const char *name, struct span bytes, struct yaml **ret, struct fault *f);
void yaml_free(struct yaml *root);

/* E_INVALID at this node's position. */
enum outcome yaml_fault(const struct yaml *node, struct fault *f, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts this node's position before the text that is there. */
enum outcome yaml_fault_at(const struct yaml *node, struct fault *f);

/* The node must be a map with exactly these keys: names separated by spaces, optional ones with '?' before them.
 * An unknown key's message names the nearest known one. */
enum outcome yaml_members(const struct yaml *map, const char *names, struct fault *f);
const struct yaml *yaml_get(const struct yaml *map, const char *key); /* NULL where absent */

bool name_valid(const char *text); /* what yaml_name takes; safe as part of a file name */

/* Readers of one node. */
enum outcome yaml_text(const struct yaml *node, char **ret, struct fault *f); /* not empty; the caller's */
enum outcome yaml_name(const struct yaml *node, char **ret,
                       struct fault *f); /* [a-z0-9][a-z0-9._-]*, at most LIMIT_NAME */
enum outcome yaml_count(const struct yaml *node, unsigned min, unsigned max, unsigned *ret, struct fault *f);
enum outcome yaml_bool(const struct yaml *node, bool *ret, struct fault *f); /* true or false, nothing else */
enum outcome yaml_moment(const struct yaml *node, moment *ret, struct fault *f);
enum outcome yaml_duration(const struct yaml *node, struct span_of_time *ret, struct fault *f);
enum outcome yaml_fingerprint(const struct yaml *node, struct digest *ret, struct fault *f);
enum outcome yaml_choice(const struct yaml *node, const char *names, unsigned *ret,
                         struct fault *f); /* index among space-separated names */

/* Lists of strings; a single scalar counts as a list of one. */
struct strings {
    char **items;
    size_t count;
};
enum outcome yaml_strings(const struct yaml *node, struct strings *ret, struct fault *f); /* not empty, no repeats */
void strings_free(struct strings *s);
bool strings_have(const struct strings *s, const char *text);
bool strings_add(struct strings *s, const char *text); /* copies; false on memory */

/* The canonical JSON form: maps, lists, and every scalar a string. *ret is the caller's. */
enum outcome yaml_to_json(const struct yaml *node, json_t **ret, struct fault *f);

#endif
