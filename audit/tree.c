#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/confidential.h"
#include "audit/lines.h"

void (*log_progress_hook)(uint64_t done, uint64_t total) = NULL;

static void progress(uint64_t done, uint64_t total)
{
    if (log_progress_hook && (done % 8192 == 0 || done == total))
        log_progress_hook(done, total);
}

enum outcome tree_start(struct tree *t, struct fault *f)
{
    *t = (struct tree){.bytes = 0};
    t->tiles = calloc(1, sizeof *t->tiles);
    return t->tiles ? OK : fault_memory(f);
}

void tree_clear(struct tree *t)
{
    free(t->keys);
    free(t->tiles);
    free(t->places);
    *t = (struct tree){.bytes = 0};
}

/* Remembers where the next entry begins, if that is to be remembered. */
static enum outcome tree_place(struct tree *t, struct fault *f)
{
    if (!t->tiles || t->edge.size % TILE_WIDTH != 0 || t->place_count > t->edge.size / TILE_WIDTH)
        return OK;
    if (t->place_count == t->place_capacity) {
        size_t capacity = t->place_capacity ? 2 * t->place_capacity : 64;
        uint64_t *grown = reallocarray(t->places, capacity, sizeof *grown);
        if (!grown)
            return fault_memory(f);
        t->places = grown;
        t->place_capacity = capacity;
    }
    t->places[t->place_count++] = t->bytes;
    return OK;
}

enum outcome tree_push(struct tree *t, const struct digest *leaf, size_t line_length, struct fault *f)
{
    enum outcome rc = tree_place(t, f);
    if (!rc && t->tiles)
        rc = tile_edge_push(t->tiles, &t->edge, leaf, NULL, f);
    if (rc)
        return rc;
    merkle_push(&t->edge, leaf);
    t->bytes += line_length + 1;
    return OK;
}

const struct note_key *tree_key(const struct tree *t, uint64_t size)
{
    for (size_t i = t->key_count; i-- > 0;)
        if (t->keys[i].from <= size)
            return &t->keys[i].key;
    return NULL;
}

static bool ends_with(struct span line, const char *end)
{
    size_t len = strlen(end);
    return line.len > len && !memcmp(line.data + line.len - len, end, len);
}

/* Only the genesis, log-key and moved entries name a key; a canonical entry ends with its type. */
static bool names_key(uint64_t seq, struct span line)
{
    return seq == 0 || ends_with(line, ",\"type\":\"log-key\"}") || ends_with(line, ",\"type\":\"moved\"}");
}

static bool had_name(const struct tree *t, const char *name)
{
    for (size_t i = 0; i < t->key_count; i++)
        if (!strcmp(t->keys[i].key.name, name))
            return true;
    return false;
}

/* A key may change under the log's name; who moves gets a name that the log never had. */
static bool name_fits(const struct tree *t, const struct entry *e, const char *origin, const char *name)
{
    if (e->seq == 0)
        return !strcmp(name, origin);
    if (e->type == ENTRY_MOVED)
        return !had_name(t, name);
    return !strcmp(name, t->keys[t->key_count - 1].key.name);
}

static enum outcome read_key(const struct tree *t, const struct entry *e, struct tree_key *ret, struct fault *f)
{
    const char *vkey = NULL, *origin = NULL;
    if (e->seq == 0 && e->type != ENTRY_GENESIS)
        return fault_set(f, E_REFUSED, "the first entry is no genesis");
    if (json_want_string(e->body, "log-key", &vkey, f) ||
        (e->seq == 0 && json_want_string(e->body, "origin", &origin, f)) || note_key_parse(vkey, &ret->key, f))
        return fault_context(f, "%s", entry_type_name(e->type));
    if (!name_fits(t, e, origin, ret->key.name))
        return fault_set(f, E_REFUSED, "it names another key than one for this log");
    ret->seq = e->seq;
    ret->from = e->seq ? e->seq + 2 : 1;
    return OK;
}

enum outcome tree_note_key(struct tree *t, uint64_t seq, struct span line, struct fault *f)
{
    if (!names_key(seq, line))
        return OK;
    struct entry e = {.json = NULL};
    struct tree_key key;
    enum outcome rc = entry_parse(line, &e, f);
    if (!rc && e.seq != seq)
        rc = fault_set(f, E_REFUSED, "it is numbered %" PRIu64, e.seq);
    if (!rc)
        rc = read_key(t, &e, &key, f);
    if (rc) {
        fault_context(f, "log entry %" PRIu64, seq);
        goto out;
    }
    struct tree_key *grown = reallocarray(t->keys, t->key_count + 1, sizeof *grown);
    if (!grown) {
        rc = fault_memory(f);
        goto out;
    }
    t->keys = grown;
    t->keys[t->key_count++] = key;
out:
    entry_clear(&e);
    return rc;
}

/* What a failure takes back. */
struct before {
    struct merkle_edge edge;
    struct tile_edge *tiles;
    uint64_t bytes;
    size_t key_count, place_count;
};

static enum outcome save(const struct tree *t, struct before *ret, struct fault *f)
{
    *ret =
        (struct before){.edge = t->edge, .bytes = t->bytes, .key_count = t->key_count, .place_count = t->place_count};
    if (!t->tiles)
        return OK;
    ret->tiles = malloc(sizeof *ret->tiles);
    if (!ret->tiles)
        return fault_memory(f);
    *ret->tiles = *t->tiles;
    return OK;
}

static void restore(struct tree *t, const struct before *b)
{
    t->edge = b->edge;
    t->bytes = b->bytes;
    t->key_count = b->key_count;
    t->place_count = b->place_count;
    if (t->tiles)
        *t->tiles = *b->tiles;
}

/* Reads on until the tree has the checkpoint's size; its root must be the checkpoint's then. */
static enum outcome extend(struct tree *t, struct lines *l, const struct checkpoint *c, struct fault *f)
{
    struct digest root, leaf;
    uint64_t before = t->edge.size;
    if (c->size < before)
        return fault_set(f, E_REFUSED, "the log went back: %" PRIu64 " entries were seen, the checkpoint has %" PRIu64,
                         before, c->size);
    while (t->edge.size < c->size) {
        struct span line;
        enum outcome rc = lines_next(l, &line, f);
        if (rc)
            return rc;
        merkle_leaf(line, &leaf);
        rc = tree_note_key(t, t->edge.size, line, f);
        if (!rc)
            rc = tree_push(t, &leaf, line.len, f);
        if (rc)
            return rc;
        progress(t->edge.size, c->size);
    }
    merkle_root(&t->edge, &root);
    if (!digest_equal(&root, &c->root))
        return fault_set(f, E_REFUSED,
                         before ? "the log went back or is damaged: the entries from %" PRIu64
                                  " on do not lead from what was seen to the signed root"
                                : "damage: the entries from %" PRIu64 " on do not have the signed root",
                         before);
    return OK;
}

static bool same_key(const struct note_key *a, const struct note_key *b)
{
    return !strcmp(a->name, b->name) && !memcmp(a->public_key, b->public_key, sizeof a->public_key);
}

static bool has_key(const struct tree *t, const struct note_key *key)
{
    for (size_t i = 0; i < t->key_count; i++)
        if (same_key(&t->keys[i].key, key))
            return true;
    return false;
}

/* The signature does not fit the key that was thought of. Where that was or will be a key of this log, the entries say which
 * one it must fit. */
static bool follow_unknown(struct tree *t, struct lines *l, struct span note, const struct note_key *guess,
                           struct checkpoint *ret)
{
    struct fault ignored = {.outcome = OK};
    struct checkpoint c;
    if (checkpoint_peek(note, &c, &ignored) || extend(t, l, &c, &ignored) || !has_key(t, guess))
        return false;
    const struct note_key *key = tree_key(t, c.size);
    return key && checkpoint_open(note, key, ret, &ignored) == OK;
}

enum outcome tree_follow(struct tree *t, struct lines *l, struct span note, const struct note_key *guess,
                         struct checkpoint *ret, struct fault *f)
{
    struct before before = {.tiles = NULL};
    struct checkpoint c = {.size = 0};
    struct fault refusal = {.outcome = OK};
    enum outcome rc = save(t, &before, f);
    if (rc)
        goto out;
    rc = checkpoint_open(note, guess, &c, &refusal);
    if (rc && !follow_unknown(t, l, note, guess, &c)) {
        *f = refusal;
        goto out;
    }
    if (!rc)
        rc = extend(t, l, &c, f);
    else
        rc = OK;
    const struct note_key *key = tree_key(t, c.size);
    if (!rc && !key)
        rc = fault_set(f, E_REFUSED, "an empty log has no genesis");
    else if (!rc && checkpoint_open(note, key, &c, &refusal))
        rc = fault_set(f, E_REFUSED,
                       "the checkpoint is signed with another key than the one that its entries put in force");
    if (!rc)
        *ret = c;
out:
    if (rc && (before.tiles || !t->tiles))
        restore(t, &before);
    free(before.tiles);
    return rc;
}

static enum outcome visit_one(uint64_t seq, struct span line, const struct visit *v, struct digest *ret_leaf,
                              struct fault *f)
{
    struct entry e = {.json = NULL};
    enum outcome rc = entry_parse(line, &e, f);
    if (rc) {
        fault_context(f, "log entry %" PRIu64, seq);
        goto out;
    }
    if (e.seq != seq)
        rc = fault_set(f, E_REFUSED, "log entry %" PRIu64 " is numbered %" PRIu64, seq, e.seq);
    else if (e.time < *v->last)
        rc = fault_set(f, E_REFUSED, "the time of log entry %" PRIu64 " is before that of the entry before", seq);
    if (!rc && v->call)
        rc = confidential_fetch(v->confidential, &e, f);
    if (!rc && v->call)
        rc = v->call(v->context, &e, f);
    if (rc)
        goto out;
    *v->last = e.time;
    *ret_leaf = e.leaf;
out:
    entry_clear(&e);
    return rc;
}

enum outcome tree_visit(const struct tree *t, const struct merkle_edge *from, struct lines *l, const struct visit *v,
                        struct fault *f)
{
    struct merkle_edge edge = *from;
    struct digest leaf, wanted, root;
    while (edge.size < t->edge.size) {
        struct span line;
        enum outcome rc = lines_next(l, &line, f);
        if (!rc)
            rc = visit_one(edge.size, line, v, &leaf, f);
        if (rc)
            return rc;
        merkle_push(&edge, &leaf);
        progress(edge.size, t->edge.size);
    }
    merkle_root(&edge, &root);
    merkle_root(&t->edge, &wanted);
    if (!digest_equal(&root, &wanted))
        return fault_set(f, E_REFUSED, "damage: the log's entries changed while they were read");
    return OK;
}
