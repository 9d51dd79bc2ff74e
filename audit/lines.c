#include "audit/lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/limits.h"

#define CHUNK ((size_t)4 * (LIMIT_ENTRY + 1))

enum outcome lines_open(int fd, struct span memory, uint64_t offset, struct lines *ret, struct fault *f)
{
    uint8_t *chunk = malloc(CHUNK);
    if (!chunk)
        return fault_memory(f);
    *ret = (struct lines){.fd = fd, .memory = memory, .offset = offset, .chunk = chunk};
    return OK;
}

void lines_close(struct lines *l)
{
    free(l->chunk);
    l->chunk = NULL;
}

/* Fetches more behind what is still unused; *ret_end where there is none. */
static enum outcome fill(struct lines *l, bool *ret_end, struct fault *f)
{
    memmove(l->chunk, l->chunk + l->used, l->have - l->used);
    l->have -= l->used;
    l->used = 0;
    size_t room = CHUNK - l->have;
    ssize_t got = 0;
    if (l->fd >= 0) {
        do
            got = pread(l->fd, l->chunk + l->have, room, (off_t)l->offset);
        while (got < 0 && errno == EINTR);
    } else if (l->offset < l->memory.len) {
        size_t left = l->memory.len - (size_t)l->offset;
        got = (ssize_t)(left < room ? left : room);
        memcpy(l->chunk + l->have, l->memory.data + l->offset, (size_t)got);
    }
    if (got < 0)
        return fault_errno(f, "cannot read", "the log's entries");
    l->have += (size_t)got;
    l->offset += (uint64_t)got;
    *ret_end = got == 0;
    return OK;
}

enum outcome lines_next(struct lines *l, struct span *ret, struct fault *f)
{
    for (;;) {
        const uint8_t *start = l->chunk + l->used, *end = memchr(start, '\n', l->have - l->used);
        if (end && (size_t)(end - start) <= LIMIT_ENTRY) {
            *ret = span_of(start, (size_t)(end - start));
            l->used += ret->len + 1;
            return OK;
        }
        if (l->have - l->used > LIMIT_ENTRY)
            return fault_set(f, E_REFUSED, "damage: a line is longer than an entry may be");
        bool at_end = false;
        enum outcome rc = fill(l, &at_end, f);
        if (rc)
            return rc;
        if (at_end)
            return fault_set(f, E_REFUSED, "damage: the entries end before the signed size");
    }
}

void tree_clear(struct tree *t)
{
    free(t->leaves);
    free(t->ends);
    *t = (struct tree){.leaves = NULL};
}

uint64_t tree_bytes(const struct tree *t)
{
    return t->edge.size ? t->ends[t->edge.size - 1] : 0;
}

static bool tree_grow(struct tree *t)
{
    uint64_t capacity = t->capacity ? 2 * t->capacity : 64;
    struct digest *leaves = reallocarray(t->leaves, capacity, sizeof *leaves);
    if (!leaves)
        return false;
    t->leaves = leaves;
    uint64_t *ends = reallocarray(t->ends, capacity, sizeof *ends);
    if (!ends)
        return false;
    t->ends = ends;
    t->capacity = capacity;
    return true;
}

enum outcome tree_push(struct tree *t, const struct digest *leaf, size_t line_length, struct fault *f)
{
    if (t->edge.size == t->capacity && !tree_grow(t))
        return fault_memory(f);
    uint64_t end = tree_bytes(t) + line_length + 1;
    t->leaves[t->edge.size] = *leaf;
    t->ends[t->edge.size] = end;
    merkle_push(&t->edge, leaf);
    return OK;
}

enum outcome tree_extend(struct tree *t, struct lines *l, const struct checkpoint *c, struct fault *f)
{
    enum outcome rc = OK;
    struct merkle_edge before = t->edge;
    struct digest root;
    if (c->size < before.size) {
        rc = fault_set(f, E_REFUSED, "the log went back: %" PRIu64 " entries were seen, the checkpoint has %" PRIu64,
                       before.size, c->size);
        goto out;
    }
    while (t->edge.size < c->size) {
        struct span line;
        struct digest leaf;
        rc = lines_next(l, &line, f);
        if (rc)
            goto out;
        merkle_leaf(line, &leaf);
        rc = tree_push(t, &leaf, line.len, f);
        if (rc)
            goto out;
    }
    merkle_root(&t->edge, &root);
    if (!digest_equal(&root, &c->root))
        rc = fault_set(f, E_REFUSED,
                       before.size ? "the log went back or is damaged: the entries from %" PRIu64
                                     " on do not lead from what was seen to the signed root"
                                   : "damage: the entries from %" PRIu64 " on do not have the signed root",
                       before.size);
out:
    if (rc)
        t->edge = before;
    return rc;
}

/* The first entry pins the log's key and name; both are signed over since then. */
static enum outcome genesis_check(const struct entry *e, const struct note_key *key, struct fault *f)
{
    struct note_key named;
    const char *vkey = NULL, *origin = NULL;
    if (e->type != ENTRY_GENESIS)
        return fault_set(f, E_REFUSED, "the first entry is no genesis");
    if (json_want_string(e->body, "log-key", &vkey, f) || json_want_string(e->body, "origin", &origin, f) ||
        note_key_parse(vkey, &named, f))
        return fault_context(f, "genesis");
    if (strcmp(named.name, key->name) != 0 || strcmp(origin, key->name) != 0 ||
        memcmp(named.public_key, key->public_key, sizeof key->public_key) != 0)
        return fault_set(f, E_REFUSED, "the log was begun with another key than that of its file \"vkey\"");
    return OK;
}

static enum outcome visit_one(const struct tree *t, uint64_t seq, struct span line, const struct visit *v,
                              struct fault *f)
{
    struct entry e = {.json = NULL};
    enum outcome rc = entry_parse(line, &e, f);
    if (rc) {
        fault_context(f, "log entry %" PRIu64, seq);
        goto out;
    }
    if (!digest_equal(&e.leaf, &t->leaves[seq]))
        rc = fault_set(f, E_REFUSED, "damage: log entry %" PRIu64 " changed while it was read", seq);
    else if (e.seq != seq)
        rc = fault_set(f, E_REFUSED, "log entry %" PRIu64 " is numbered %" PRIu64, seq, e.seq);
    else if (e.time < *v->last)
        rc = fault_set(f, E_REFUSED, "the time of log entry %" PRIu64 " is before that of the entry before", seq);
    else if (seq == 0)
        rc = genesis_check(&e, v->key, f);
    if (!rc && v->call)
        rc = v->call(v->context, &e, f);
    if (!rc)
        *v->last = e.time;
out:
    entry_clear(&e);
    return rc;
}

enum outcome tree_visit(const struct tree *t, struct lines *l, uint64_t first, const struct visit *v, struct fault *f)
{
    for (uint64_t seq = first; seq < t->edge.size; seq++) {
        struct span line;
        enum outcome rc = lines_next(l, &line, f);
        if (!rc)
            rc = visit_one(t, seq, line, v, f);
        if (rc)
            return rc;
    }
    return OK;
}
