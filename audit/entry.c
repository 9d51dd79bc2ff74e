#include "audit/entry.h"

#include <string.h>

#include "audit/merkle.h"
#include "core/encode.h"
#include "core/limits.h"

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

enum outcome entry_compose(enum entry_type type, uint64_t seq, moment time, const char *ceremony, const json_t *body,
                           struct buf *ret, struct fault *f)
{
    if ((unsigned)type >= ENTRY_TYPE_COUNT || !json_is_object(body) || (ceremony && !is_ceremony_name(ceremony)))
        return fault_set(f, E_INVALID, "an entry needs a known type, an object as its body and a proper ceremony");
    enum outcome rc = OK;
    struct buf bytes = BUF(LIMIT_ENTRY);
    json_t *copy = json_deep_copy(body), *entry = json_object();
    if (!json_put(entry, "body", copy) || (ceremony && !json_put_string(entry, "ceremony", ceremony)) ||
        !json_put_integer(entry, "seq", (int64_t)seq) || !json_put_moment(entry, "time", time) ||
        !json_put_string(entry, "type", names[type])) {
        rc = fault_memory(f);
        goto out;
    }
    rc = json_canonical(entry, &bytes, f);
    if (rc) {
        fault_context(f, "entry %s, at most %u bytes", names[type], LIMIT_ENTRY);
        goto out;
    }
    buf_put(ret, bytes.data, bytes.len);
    rc = ret->failed ? fault_memory(f) : OK;
out:
    json_decref(entry);
    buf_free(&bytes);
    return rc;
}

static enum outcome read_members(struct entry *e, struct fault *f)
{
    int64_t seq = -1;
    const char *type = NULL;
    enum outcome rc = json_members(e->json, "body ?ceremony seq time type", f);
    if (!rc)
        rc = json_want_object(e->json, "body", &e->body, f);
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
    return OK;
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
    if (!digest_one(&e.digest, bytes)) {
        rc = fault_set(f, E_IO, "libcrypto cannot hash");
        goto out;
    }
    merkle_leaf(bytes, &e.leaf);
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
