#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/log_inner.h"
#include "core/limits.h"

/* `edge`: MAGIC, then numbers of eight bytes, little endian: size, bytes, count of keys and the seq of the entry that names
 * each; the hashes of each level that fill no tile; SHA-256 of all that. `places`: a number for each 256 entries. Both are
 * only believed as far as the signed root and the entries bear them out. */
static const char magic[] = "quorate edge v1\n";

static void put_number(struct buf *b, uint64_t n)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> (8 * i));
    buf_put(b, bytes, sizeof bytes);
}

static uint64_t get_number(const uint8_t *bytes)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < 8; i++)
        n |= (uint64_t)bytes[i] << (8 * i);
    return n;
}

/* Only what this object did not write or read before. */
static enum outcome save_places(struct log *l, struct fault *f)
{
    enum outcome rc = OK;
    size_t have = l->places_kept < l->tree.place_count ? l->places_kept : l->tree.place_count;
    struct buf bytes = BUF((l->tree.place_count - have) * 8);
    struct stat s;
    int fd = open(l->places, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644);
    if (fd < 0 || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
        rc = fault_errno(f, "cannot write", l->places);
        goto out;
    }
    for (size_t i = have; i < l->tree.place_count; i++)
        put_number(&bytes, l->tree.places[i]);
    if (bytes.failed)
        rc = fault_memory(f);
    else if (pwrite(fd, bytes.data, bytes.len, (off_t)(have * 8)) != (ssize_t)bytes.len ||
             ftruncate(fd, (off_t)(l->tree.place_count * 8)) != 0)
        rc = fault_errno(f, "cannot write", l->places);
    else
        l->places_kept = l->tree.place_count;
out:
    if (fd >= 0)
        close(fd);
    buf_free(&bytes);
    return rc;
}

enum outcome log_cache_save(struct log *l, struct fault *f)
{
    const struct tree *t = &l->tree;
    struct buf b = BUF(sizeof *t->tiles + LIMIT_NOTE);
    struct digest sum;
    buf_puts(&b, magic);
    put_number(&b, t->edge.size);
    put_number(&b, t->bytes);
    put_number(&b, t->key_count);
    for (size_t i = 0; i < t->key_count; i++)
        put_number(&b, t->keys[i].seq);
    for (unsigned level = 0; level < TILE_LEVELS; level++)
        buf_put(&b, t->tiles->levels[level].hashes, tile_rest(t->edge.size, level) * sizeof(struct digest));
    digest_one(&sum, buf_span(&b));
    buf_put(&b, sum.bytes, sizeof sum.bytes);
    enum outcome rc = b.failed ? fault_memory(f) : save_places(l, f);
    if (!rc)
        rc = file_show(l->edge, buf_span(&b), 0644, f);
    buf_free(&b);
    return rc;
}

/* Takes n bytes off the front; NULL where there are not so many. */
static const uint8_t *take(struct span *rest, size_t n)
{
    const uint8_t *at = rest->data;
    if (rest->len < n)
        return NULL;
    *rest = span_of(at + n, rest->len - n);
    return at;
}

static bool read_edge(struct span all, struct tree *t, uint64_t **ret_seqs)
{
    struct digest sum;
    struct span rest = all;
    const uint8_t *at = take(&rest, sizeof magic - 1), *numbers = take(&rest, 24);
    if (!at || memcmp(at, magic, sizeof magic - 1) != 0 || !numbers || rest.len < sizeof sum ||
        !digest_one(&sum, span_of(all.data, all.len - sizeof sum)) ||
        memcmp(sum.bytes, all.data + all.len - sizeof sum, sizeof sum) != 0)
        return false;
    rest.len -= sizeof sum;
    t->edge.size = t->tiles->size = get_number(numbers);
    t->bytes = get_number(numbers + 8);
    t->key_count = get_number(numbers + 16);
    const uint8_t *seqs = t->key_count <= rest.len / 8 ? take(&rest, t->key_count * 8) : NULL;
    if (!seqs || t->key_count == 0 || !(*ret_seqs = calloc(t->key_count, sizeof **ret_seqs)))
        return false;
    for (size_t i = 0; i < t->key_count; i++)
        (*ret_seqs)[i] = get_number(seqs + 8 * i);
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        size_t len = tile_rest(t->edge.size, level) * sizeof(struct digest);
        at = take(&rest, len);
        if (!at)
            return false;
        memcpy(t->tiles->levels[level].hashes, at, len);
    }
    return rest.len == 0;
}

static bool read_places(struct span bytes, struct tree *t)
{
    size_t count = (size_t)((t->edge.size + TILE_WIDTH - 1) / TILE_WIDTH);
    if (bytes.len / 8 < count || !(t->places = calloc(count + 1, sizeof *t->places)))
        return false;
    t->place_count = t->place_capacity = count;
    for (size_t i = 0; i < count; i++)
        t->places[i] = get_number(bytes.data + 8 * i);
    return count == 0 || (t->places[0] == 0 && t->places[count - 1] <= t->bytes);
}

/* The entries that name keys, read again: a cache cannot put a key in force. */
static enum outcome read_keys(struct log *l, size_t count, const uint64_t *seqs, struct fault *f)
{
    enum outcome rc = seqs[0] == 0 ? OK : E_INVALID;
    for (size_t i = 0; !rc && i < count; i++) {
        struct buf line = BUF(LIMIT_ENTRY);
        size_t before = l->tree.key_count;
        rc = seqs[i] < l->tree.edge.size ? log_entry_bytes(l, seqs[i], &line, f) : E_INVALID;
        if (!rc)
            rc = tree_note_key(&l->tree, seqs[i], buf_span(&line), f);
        if (!rc && l->tree.key_count != before + 1)
            rc = E_INVALID;
        buf_free(&line);
    }
    return rc;
}

static enum outcome load(struct log *l, struct fault *f)
{
    struct buf edge = BUF(sizeof *l->tree.tiles + LIMIT_NOTE), places = BUF(SIZE_MAX / 2);
    uint64_t *seqs = NULL;
    struct tree *t = &l->tree;
    enum outcome rc = file_read(l->edge, true, &edge, f);
    if (!rc)
        rc = file_read(l->places, true, &places, f);
    if (rc)
        goto out;
    if (!read_edge(buf_span(&edge), t, &seqs) || !read_places(buf_span(&places), t)) {
        rc = fault_set(f, E_ABSENT, "the caches of log %s do not fit", l->entries);
        goto out;
    }
    l->places_kept = t->place_count;
    tile_edge_merkle(t->tiles, &t->edge);
    merkle_root(&t->edge, &l->root);
    size_t count = t->key_count;
    t->key_count = 0;
    rc = read_keys(l, count, seqs, f);
out:
    free(seqs);
    buf_free(&edge);
    buf_free(&places);
    return rc;
}

/* From the mark on, what is new to whoever remembers it. */
enum outcome log_go_on(struct log *l, const struct log_mark *mark, log_visitor *visit, void *context, struct fault *f)
{
    struct merkle_source source = log_source(l);
    struct merkle_edge edge;
    struct digest root;
    struct buf line = BUF(LIMIT_ENTRY);
    struct entry before = {.json = NULL};
    enum outcome rc = merkle_edge_at(&source, mark->size, &edge, f);
    if (rc)
        goto out;
    merkle_root(&edge, &root);
    if (mark->size == 0 || !digest_equal(&root, &mark->root)) {
        rc = fault_set(f, E_REFUSED, "log %s does not lead from what is remembered of it", l->entries);
        goto out;
    }
    rc = log_entry_bytes(l, mark->size - 1, &line, f);
    if (!rc)
        rc = entry_parse(buf_span(&line), &before, f);
    if (rc)
        goto out;
    l->last = before.time;
    l->visit = visit;
    l->visit_context = context;
    rc = log_visit(l, &edge, f);
out:
    entry_clear(&before);
    buf_free(&line);
    return rc;
}

enum outcome log_open_at(const char *folder, const struct log_mark *mark, log_visitor *visit, void *context,
                         struct log **ret, struct fault *f)
{
    struct log *l = NULL;
    enum outcome rc = log_prepare(folder, NULL, NULL, &l, f);
    if (!rc)
        rc = load(l, f);
    if (!rc)
        rc = log_refresh(l, f);
    if (!rc)
        rc = log_adopt_free(l, f);
    if (rc)
        goto out;
    const struct log_mark all = {.size = log_size(l), .root = l->root};
    rc = log_go_on(l, mark ? mark : &all, visit, context, f);
    if (rc)
        goto out;
    *ret = l;
    l = NULL; /* taken by the caller */
out:
    log_close(l);
    return rc;
}
