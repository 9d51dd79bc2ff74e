#include "audit/proof.h"

#include <inttypes.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

#define HEAD "c2sp.org/tlog-proof@v1"

enum outcome proof_put(const struct log *l, uint64_t seq, struct buf *ret, struct fault *f)
{
    struct merkle_proof path;
    struct digest leaf, root;
    struct buf entry = BUF(LIMIT_ENTRY);
    enum outcome rc = log_entry_bytes(l, seq, &entry, f);
    if (!rc)
        rc = log_inclusion(l, seq, log_size(l), &path, f);
    if (rc)
        goto out;
    merkle_leaf(buf_span(&entry), &leaf);
    log_root(l, &root);
    if (!merkle_verify_inclusion(&leaf, seq, log_size(l), &root, path.nodes, path.count)) {
        rc = fault_set(
            f, E_REFUSED,
            "damage: the hashes do not prove entry %" PRIu64 "; `quorate log publish --all` makes them again", seq);
        goto out;
    }
    buf_putf(ret, HEAD "\nindex %" PRIu64 "\n", seq);
    for (size_t i = 0; i < path.count; i++) {
        base64_put(ret, span_of(path.nodes[i].bytes, sizeof path.nodes[i].bytes));
        buf_puts(ret, "\n");
    }
    buf_puts(ret, "\n");
    rc = log_checkpoint_bytes(l, ret, f);
out:
    buf_free(&entry);
    return rc;
}

/* Takes the line that begins with `word` off the front, what follows the word is *ret. */
static bool take_line(struct span *rest, const char *word, struct span *ret)
{
    size_t len = strlen(word);
    const uint8_t *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    if (!end || (size_t)(end - rest->data) < len || memcmp(rest->data, word, len) != 0)
        return false;
    *ret = span_of(rest->data + len, (size_t)(end - rest->data) - len);
    *rest = span_of(end + 1, rest->len - (size_t)(end + 1 - rest->data));
    return true;
}

static enum outcome take_path(struct span *rest, struct merkle_proof *ret, struct fault *f)
{
    struct span line;
    while (take_line(rest, "", &line)) {
        struct buf hash = BUF(sizeof ret->nodes[0].bytes);
        if (line.len == 0)
            return OK;
        bool good = ret->count < MERKLE_PROOF_MAX && base64_parse(line, &hash, f) == OK &&
                    hash.len == sizeof ret->nodes[0].bytes;
        if (good)
            memcpy(ret->nodes[ret->count++].bytes, hash.data, hash.len);
        buf_free(&hash);
        if (!good)
            return fault_set(f, E_INVALID, "a proof's hashes are at most %d lines of 32 bytes in base64",
                             MERKLE_PROOF_MAX);
    }
    return fault_set(f, E_INVALID, "a proof's hashes end with an empty line");
}

enum outcome proof_parse(struct span text, struct proof *ret, struct fault *f)
{
    struct proof p = {.index = 0};
    struct span rest = text, line;
    struct buf extra = BUF(LIMIT_NOTE);
    enum outcome rc = E_INVALID;
    if (text.len > LIMIT_PROOF || !take_line(&rest, HEAD, &line) || line.len != 0) {
        fault_set(f, rc, "not a tlog-proof: it begins with the line c2sp.org/tlog-proof@v1");
        goto out;
    }
    if (take_line(&rest, "extra ", &line)) {
        rc = base64_parse(line, &extra, f);
        if (rc)
            goto out;
    }
    rc = E_INVALID;
    if (!take_line(&rest, "index ", &line) || !decimal_parse(line, &p.index)) {
        fault_set(f, rc, "a proof has a line with the word index and a decimal number");
        goto out;
    }
    rc = take_path(&rest, &p.path, f);
    if (rc)
        goto out;
    p.note = rest;
    struct checkpoint c;
    rc = checkpoint_peek(rest, &c, f);
    if (!rc)
        *ret = p;
out:
    buf_free(&extra);
    return rc;
}

enum outcome proof_verify(const struct proof *p, struct span entry, const struct note_key *key, struct checkpoint *ret,
                          struct fault *f)
{
    struct checkpoint c;
    struct digest leaf;
    enum outcome rc = checkpoint_open(p->note, key, &c, f);
    if (rc)
        return rc;
    merkle_leaf(entry, &leaf);
    if (!merkle_verify_inclusion(&leaf, p->index, c.size, &c.root, p->path.nodes, p->path.count))
        return fault_set(f, E_REFUSED, "the entry does not stand at %" PRIu64 " in the log of %" PRIu64 " entries",
                         p->index, c.size);
    *ret = c;
    return OK;
}
