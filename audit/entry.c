#include "audit/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/confidential.h"
#include "audit/merkle.h"
#include "core/encode.h"
#include "core/limits.h"
#include "core/yaml.h"

#define ROOM 512 /* bytes: most entries are shorter */

static const char *const names[ENTRY_TYPE_COUNT] = {
#define X(name, text) [ENTRY_##name] = text,
    ENTRY_TYPES(X)
#undef X
};

const char *entry_type_name(enum entry_type t)
{
    return (unsigned)t < ENTRY_TYPE_COUNT ? names[t] : "unknown";
}

int entry_type_parse(const char *text)
{
    for (int t = 0; t < ENTRY_TYPE_COUNT; t++)
        if (!strcmp(names[t], text))
            return t;
    return -1;
}

static bool is_ceremony_name(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= LIMIT_NAME && utf8_printable(span_of(text, len));
}

static void put_member(struct buf *b, const char *name, const char *plain)
{
    buf_puts(b, name);
    buf_puts(b, plain);
    buf_puts(b, "\"");
}

/* In the canonical order: body, ceremony, or ceremony, class, commit; then the others. */
static enum outcome put_members(const struct entry *e, struct buf *b, struct fault *f)
{
    enum outcome rc = OK;
    char seq[32];
    if (e->seq > JSON_INTEGER_MAX)
        return fault_set(f, E_INVALID, "its seq is not below 2^53");
    buf_puts(b, e->body ? "{\"body\":" : "{");
    if (e->body)
        rc = json_canonical(e->body, b, f);
    if (!rc && e->ceremony) {
        buf_puts(b, e->body ? ",\"ceremony\":" : "\"ceremony\":");
        rc = json_canonical_text(span_str(e->ceremony), b, f);
    }
    if (e->class) { /* a name, which stands for itself */
        put_member(b, e->ceremony ? ",\"class\":\"" : "\"class\":\"", e->class);
        put_member(b, ",\"commit\":\"", digest_hex(&e->commit).hex);
    }
    snprintf(seq, sizeof seq, ",\"seq\":%" PRIu64, e->seq);
    buf_puts(b, seq);
    put_member(b, ",\"time\":\"", moment_format(e->time).text);
    put_member(b, ",\"type\":\"", names[e->type]);
    buf_puts(b, "}");
    return !rc && b->failed ? fault_memory(f) : rc;
}

/* Appends the bytes. The entry shares the caller's body. */
static enum outcome compose(struct entry *e, const json_t *body, struct buf *ret, struct fault *f)
{
    size_t before = ret->len;
    e->json = body ? json_incref((json_t *)(uintptr_t)body) : json_object(); /* counted alone, never changed */
    e->body = body ? e->json : NULL;
    if (!e->json)
        return fault_memory(f);
    buf_room(ret, ROOM);
    enum outcome rc = put_members(e, ret, f);
    if (!rc && ret->len - before > LIMIT_ENTRY)
        rc = fault_set(f, E_INVALID, "it has %zu bytes", ret->len - before);
    if (rc && ret->data) {
        ret->len = before;
        ret->data[before] = '\0';
    }
    return rc ? fault_context(f, "entry %s, at most %u bytes", names[e->type], LIMIT_ENTRY) : OK;
}

static enum outcome hash(struct entry *e, struct span bytes, struct fault *f)
{
    if ((e->type == ENTRY_GENESIS || e->type == ENTRY_INTENT) && !digest_one(&e->digest, bytes))
        return fault_set(f, E_IO, "libcrypto cannot hash");
    merkle_leaf(bytes, &e->leaf);
    return OK;
}

/* From type, seq, time, ceremony, and class and commit where there is no body. */
static enum outcome make(const struct entry *plan, const json_t *body, struct entry *ret, struct buf *ret_bytes,
                         struct fault *f)
{
    size_t before = ret_bytes->len;
    struct entry e = *plan;
    enum outcome rc = compose(&e, body, ret_bytes, f);
    if (!rc)
        rc = hash(&e, span_of(ret_bytes->data + before, ret_bytes->len - before), f);
    if (rc)
        goto out;
    *ret = e;
    e.json = NULL; /* taken by ret */
out:
    entry_clear(&e);
    return rc;
}

enum outcome entry_make(enum entry_type type, uint64_t seq, moment time, const char *ceremony, const json_t *body,
                        struct entry *ret, struct buf *ret_bytes, struct fault *f)
{
    const struct entry plan = {.type = type, .seq = seq, .time = time, .ceremony = ceremony};
    if ((unsigned)type >= ENTRY_TYPE_COUNT || !json_is_object(body) || (ceremony && !is_ceremony_name(ceremony)))
        return fault_set(f, E_INVALID, "an entry needs a known type, an object as its body and a proper ceremony");
    return make(&plan, body, ret, ret_bytes, f);
}

static enum outcome check_confidential(enum entry_type t, const char *class, struct fault *f)
{
    if (!confidential_type(t))
        return fault_set(f, E_INVALID, "an entry of type %s is never confidential: it holds what others rest on",
                         entry_type_name(t));
    if (!name_valid(class))
        return fault_set(f, E_INVALID, "the class of a confidential entry is a name");
    return OK;
}

enum outcome entry_make_committed(enum entry_type type, uint64_t seq, moment time, const char *ceremony,
                                  const char *class, const struct digest *commit, struct entry *ret,
                                  struct buf *ret_bytes, struct fault *f)
{
    const struct entry plan = {
        .type = type, .seq = seq, .time = time, .ceremony = ceremony, .class = class, .commit = *commit};
    enum outcome rc = check_confidential(type, class, f);
    if (!rc && ceremony && !is_ceremony_name(ceremony))
        rc = fault_set(f, E_INVALID, "an entry needs a proper ceremony");
    return rc ? rc : make(&plan, NULL, ret, ret_bytes, f);
}

enum outcome entry_compose(enum entry_type type, uint64_t seq, moment time, const char *ceremony, const json_t *body,
                           struct buf *ret, struct fault *f)
{
    struct entry e = {.json = NULL};
    enum outcome rc = entry_make(type, seq, time, ceremony, body, &e, ret, f);
    entry_clear(&e);
    return rc;
}

/* What it is about: its body, or class and commitment in place of that. */
static enum outcome read_body(struct entry *e, struct fault *f)
{
    if (!json_object_get(e->json, "class"))
        return json_want_object(e->json, "body", &e->body, f);
    enum outcome rc = json_want_string(e->json, "class", &e->class, f);
    return rc ? rc : json_want_digest(e->json, "commit", &e->commit, f);
}

static enum outcome read_members(struct entry *e, struct fault *f)
{
    int64_t seq = -1;
    const char *type = NULL;
    bool confidential = json_object_get(e->json, "class") != NULL;
    enum outcome rc = json_members(
        e->json, confidential ? "?ceremony class commit seq time type" : "body ?ceremony seq time type", f);
    if (!rc)
        rc = read_body(e, f);
    if (!rc)
        rc = json_want_integer(e->json, "seq", &seq, f);
    if (!rc)
        rc = json_want_moment(e->json, "time", &e->time, f);
    if (!rc)
        rc = json_want_string(e->json, "type", &type, f);
    if (!rc && json_object_get(e->json, "ceremony"))
        rc = json_want_string(e->json, "ceremony", &e->ceremony, f);
    if (rc)
        return rc;
    int known = entry_type_parse(type);
    if (known < 0)
        return fault_set(f, E_INVALID, "unknown entry type \"%s\"", type);
    if (seq < 0)
        return fault_set(f, E_INVALID, "an entry's seq is negative");
    if (e->ceremony && !is_ceremony_name(e->ceremony))
        return fault_set(f, E_INVALID, "an entry's ceremony is not a name");
    e->type = (enum entry_type)known;
    e->seq = (uint64_t)seq;
    return e->class ? check_confidential(e->type, e->class, f) : OK;
}

enum outcome entry_parse(struct span bytes, struct entry *ret, struct fault *f)
{
    if (bytes.len == 0 || bytes.len > LIMIT_ENTRY)
        return fault_set(f, E_INVALID, "an entry has 1 to %u bytes, this one has %zu", LIMIT_ENTRY, bytes.len);
    struct entry e = {.json = NULL};
    enum outcome rc = json_parse_canonical(bytes, &e.json, f);
    if (rc)
        goto out;
    rc = read_members(&e, f);
    if (rc)
        goto out;
    rc = hash(&e, bytes, f);
    if (rc)
        goto out;
    *ret = e;
    e.json = NULL; /* taken by ret */
out:
    entry_clear(&e);
    return rc;
}

void entry_clear(struct entry *e)
{
    json_decref(e->json);
    *e = (struct entry){.json = NULL};
}
