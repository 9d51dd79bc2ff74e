#include <string.h>

#include "audit/note.h"
#include "core/encode.h"

void checkpoint_put(const struct checkpoint *c, struct buf *b)
{
    buf_putf(b, "%s\n%llu\n", c->origin, (unsigned long long)c->size);
    base64_put(b, span_of(c->root.bytes, sizeof c->root.bytes));
    buf_puts(b, "\n");
}

/* Takes one line off the front of `rest`. */
static bool take_line(struct span *rest, struct span *ret)
{
    const uint8_t *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    if (!end)
        return false;
    *ret = span_of(rest->data, (size_t)(end - rest->data));
    *rest = span_of(end + 1, rest->len - ret->len - 1);
    return true;
}

enum outcome checkpoint_parse(struct span text, struct checkpoint *ret, struct fault *f)
{
    enum outcome rc = E_INVALID;
    struct checkpoint c = {.size = 0};
    struct span origin, size, root;
    struct buf hash = BUF(sizeof c.root.bytes);
    if (!take_line(&text, &origin) || !take_line(&text, &size) || !take_line(&text, &root) || text.len != 0 ||
        origin.len == 0 || origin.len >= sizeof c.origin || !utf8_printable(origin)) {
        fault_set(f, rc, "a checkpoint has exactly three lines: origin, size and root hash");
        goto out;
    }
    if (!decimal_parse(size, &c.size)) {
        fault_set(f, rc, "a checkpoint's size is not a decimal number");
        goto out;
    }
    if (base64_parse(root, &hash, f) || hash.len != sizeof c.root.bytes) {
        fault_set(f, rc, "a checkpoint's root hash is not 32 bytes in base64");
        goto out;
    }
    memcpy(c.origin, origin.data, origin.len);
    memcpy(c.root.bytes, hash.data, hash.len);
    *ret = c;
    rc = OK;
out:
    buf_free(&hash);
    return rc;
}

enum outcome checkpoint_open(struct span note, const struct note_key *key, struct checkpoint *ret, struct fault *f)
{
    struct span text;
    struct checkpoint c;
    enum outcome rc = note_open(note, key, &text, f);
    if (!rc)
        rc = checkpoint_parse(text, &c, f);
    if (rc)
        return fault_context(f, "checkpoint");
    if (strcmp(c.origin, key->name) != 0)
        return fault_set(f, E_REFUSED, "the checkpoint is of the log \"%s\", not of \"%s\"", c.origin, key->name);
    *ret = c;
    return OK;
}

enum outcome checkpoint_peek(struct span note, struct checkpoint *ret, struct fault *f)
{
    struct span text, signatures;
    enum outcome rc = note_split(note, &text, &signatures, f);
    return rc ? rc : checkpoint_parse(text, ret, f);
}
