#ifndef QUORATE_CORE_JSON_H
#define QUORATE_CORE_JSON_H

#include <jansson.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/fault.h"
#include "core/moment.h"

/* Canonical JSON by RFC 8785, narrowed: objects, arrays, strings and integers between -(2^53-1) and 2^53-1.
 * No reals, booleans or nulls (absence is absence), no U+0000, depth at most LIMIT_YAML_DEPTH. */

#define JSON_INTEGER_MAX 9007199254740991 /* 2^53 - 1, RFC 7493 section 2.2 */

/* Appends the canonical form. E_INVALID for a value outside the narrowed set. */
enum outcome json_canonical(const json_t *value, struct buf *ret, struct fault *f);
/* That of a string, in quotes. On failure a part of it may stand in the buffer. */
enum outcome json_canonical_text(struct span text, struct buf *ret, struct fault *f);

/* Parses bytes that must already be the canonical form of what they mean: anything else, a byte more included, is
 * E_INVALID; E_MEMORY where it has more values than a document may. *ret is the caller's (json_decref). */
enum outcome json_parse_canonical(struct span bytes, json_t **ret, struct fault *f);
/* The same of what this program made itself: however many values it has. */
enum outcome json_parse_own(struct span bytes, json_t **ret, struct fault *f);

/* SHA-256 of the canonical form. */
enum outcome json_digest(const json_t *value, struct digest *ret, struct fault *f);

/* Members. A missing or wrongly typed one is E_INVALID and named. Borrowed from `object`. */
enum outcome json_want_string(const json_t *object, const char *name, const char **ret, struct fault *f);
enum outcome json_want_integer(const json_t *object, const char *name, int64_t *ret, struct fault *f);
enum outcome json_want_object(const json_t *object, const char *name, json_t **ret, struct fault *f);
enum outcome json_want_array(const json_t *object, const char *name, json_t **ret, struct fault *f);
enum outcome json_want_digest(const json_t *object, const char *name, struct digest *ret, struct fault *f);
enum outcome json_want_moment(const json_t *object, const char *name, moment *ret, struct fault *f);
const char *json_string_or_null(const json_t *object, const char *name); /* NULL where absent or not a string */

/* Exactly these members: names separated by spaces, optional ones with '?' before them. */
enum outcome json_members(const json_t *object, const char *names, struct fault *f);

/* Builders: a NULL object or value makes them fail; they return false on memory. Values are copied or stolen. */
bool json_put_string(json_t *object, const char *name, const char *value);
bool json_put_bytes_hex(json_t *object, const char *name, struct span bytes);
bool json_put_digest(json_t *object, const char *name, const struct digest *d);
bool json_put_moment(json_t *object, const char *name, moment t);
bool json_put_integer(json_t *object, const char *name, int64_t value);
bool json_put(json_t *object, const char *name, json_t *stolen);

#endif
