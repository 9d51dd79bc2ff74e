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
