#include <string.h>

#include "audit/cosigner.h"
#include "core/encode.h"

void cosign_request_put(const struct cosign_request *r, struct buf *b)
{
    buf_putf(b, "old %llu\n", (unsigned long long)r->old);
    for (size_t i = 0; i < r->proof.count; i++) {
        base64_put(b, span_of(r->proof.nodes[i].bytes, sizeof r->proof.nodes[i].bytes));
        buf_puts(b, "\n");
    }
    buf_puts(b, "\n");
    buf_put(b, r->note.data, r->note.len);
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

static bool read_old(struct span line, uint64_t *ret)
{
    uint64_t n = 0;
    if (line.len < 5 || line.len > 22 || memcmp(line.data, "old ", 4) != 0 || (line.data[4] == '0' && line.len > 5))
        return false;
    for (size_t i = 4; i < line.len; i++) {
        unsigned digit = (unsigned)line.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, digit, &n))
            return false;
    }
    *ret = n;
    return true;
}

enum outcome cosign_request_parse(struct span bytes, struct cosign_request *ret, struct fault *f)
{
    struct cosign_request r = {.old = 0};
    struct span line;
    struct buf hash = BUF(sizeof r.proof.nodes[0].bytes);
    enum outcome rc = OK;
    if (!take_line(&bytes, &line) || !read_old(line, &r.old))
        rc = fault_set(f, E_INVALID, "a request begins with the line \"old SIZE\"");
    while (!rc) {
        if (!take_line(&bytes, &line))
            rc = fault_set(f, E_INVALID, "an empty line stands between proof and checkpoint");
        else if (line.len == 0)
            break;
        else if (r.proof.count == COSIGN_PROOF_MAX)
            rc = fault_set(f, E_INVALID, "a proof has at most %d lines", COSIGN_PROOF_MAX);
        else {
            buf_clear(&hash);
            rc = base64_parse(line, &hash, f);
            if (!rc && hash.len != sizeof r.proof.nodes[0].bytes)
                rc = fault_set(f, E_INVALID, "a line of the proof is not 32 bytes in base64");
            if (!rc)
                memcpy(r.proof.nodes[r.proof.count++].bytes, hash.data, hash.len);
        }
    }
    if (!rc) {
        r.note = bytes;
        *ret = r;
    }
    buf_free(&hash);
    return rc;
}
