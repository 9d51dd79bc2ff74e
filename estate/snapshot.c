#include "estate/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "audit/state_pack.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"

#ifndef FOLD_DIGEST
#define FOLD_DIGEST "unknown" /* of the sources that make a state of a log: the Makefile says it */
#endif

static const char title[] = "quorate snapshot v1";

/* Title, code, digest of the state, and where in the log it is from, as a checkpoint says it. */
static void text_put(const struct checkpoint *c, const struct digest *packed, struct buf *ret)
{
    buf_putf(ret, "%s\n%s\n%s\n", title, FOLD_DIGEST, digest_hex(packed).hex);
    checkpoint_put(c, ret);
}

static enum outcome text_read(struct span text, const struct digest *packed, struct checkpoint *ret, struct fault *f)
{
    struct buf again = BUF(LIMIT_NOTE);
    size_t head = strlen(title) + strlen(FOLD_DIGEST) + 64 + 3;
    enum outcome result = text.len > head ? checkpoint_parse(span_of(text.data + head, text.len - head), ret, f)
                                          : fault_set(f, E_INVALID, "a snapshot of another kind");

    if (result == OK)
        text_put(ret, packed, &again);
    if (result == OK && !span_equal(text, buf_span(&again)))
        result = fault_set(f, E_INVALID, "a snapshot by other code, or of another state");
    buf_free(&again);
    return result;
}

/* Believed from here on: the key in force signed it. */
static enum outcome vouched(const struct log *l, struct span file, struct checkpoint *ret, struct span *ret_packed,
                            struct fault *f)
{
    const uint8_t *end = file.len > 0 ? memchr(file.data, '\0', file.len) : NULL;
    struct span note = span_of(file.data, end != NULL ? (size_t)(end - file.data) : 0);
    struct span packed = end != NULL ? span_of(end + 1, file.len - note.len - 1) : note, text;
    struct digest digest;
    enum outcome result = end != NULL ? log_vouched(l, note, &text, f) : fault_set(f, E_INVALID, "torn");

    if (result == OK && !digest_one(&digest, packed))
        result = fault_set(f, E_IO, "libcrypto does not hash");
    if (result == OK)
        result = text_read(text, &digest, ret, f);
    if (result == OK)
        *ret_packed = packed;
    return result;
}

enum outcome snapshot_open(struct estate *e, const char *log_folder, log_visitor *visit, struct fault *f)
{
    struct buf file = BUF(LIMIT_SNAPSHOT);
    struct checkpoint c = {.size = 0};
    struct span packed;
    struct log *log = NULL;
    char *path = estate_path(e, NULL, "snapshot");
    enum outcome result = path != NULL ? file_read(path, true, &file, f) : fault_memory(f);

    if (result == OK)
        result = log_open_at(log_folder, NULL, NULL, NULL, &log, f);
    if (result == OK)
        result = vouched(log, buf_span(&file), &c, &packed, f);
    if (result == OK)
        result = state_unpack(packed, &e->state, f);
    if (result == OK && (e->state.size != c.size || strcmp(c.origin, log_origin(log)) != 0))
        result = fault_set(f, E_INVALID, "a snapshot that contradicts itself");
    if (result == OK)
        result = log_go_on(log, &(struct log_mark){c.size, c.root}, visit, e, f);
    if (result == OK) {
        e->log = log;
        e->snapshot = (struct snapshot_mark){c.size, file.len};
        log = NULL; /* taken by the estate */
    } else {
        state_clear(&e->state);
    }
    log_close(log);
    buf_free(&file);
    free(path);
    return result;
}

enum outcome snapshot_write(struct estate *e, struct fault *f)
{
    struct buf file = BUF(LIMIT_SNAPSHOT), packed = BUF(LIMIT_SNAPSHOT), text = BUF(LIMIT_NOTE);
    struct checkpoint c = {.size = log_size(e->log)};
    struct digest digest;
    char *path = estate_path(e, NULL, "snapshot");
    enum outcome result = path != NULL ? log_load_voucher(e->log, f) : fault_memory(f);

    if (result == OK && e->state.size != c.size)
        result = fault_set(f, E_BUSY, "the state is not that of the log");
    if (result == OK)
        result = state_pack(&e->state, &packed, f);
    if (result == OK && !digest_one(&digest, buf_span(&packed)))
        result = fault_set(f, E_IO, "libcrypto does not hash");
    if (result != OK)
        goto out;
    snprintf(c.origin, sizeof c.origin, "%s", log_origin(e->log));
    log_root(e->log, &c.root);
    text_put(&c, &digest, &text);
    result = text.failed ? fault_memory(f) : log_vouch(e->log, buf_span(&text), &file, f);
    buf_put(&file, "", 1);
    buf_put(&file, packed.data, packed.len);
    if (result == OK)
        result = file.failed ? fault_memory(f) : file_show(path, buf_span(&file), 0600, f);
    if (result == OK)
        e->snapshot = (struct snapshot_mark){c.size, file.len};
out:
    buf_free(&file);
    buf_free(&packed);
    buf_free(&text);
    free(path);
    return result;
}

/* A large state is written more seldom, so that writing costs less than what it saves. */
void snapshot_keep(struct estate *e)
{
    struct fault ignored = {OK, ""};
    uint64_t behind = e->log != NULL ? log_size(e->log) - e->snapshot.size : 0;

    if (behind >= SNAPSHOT_EVERY && behind >= e->snapshot.bytes / SNAPSHOT_SHARE)
        (void)snapshot_write(e, &ignored);
}
