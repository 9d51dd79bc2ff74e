#ifndef QUORATE_CORE_BUF_H
#define QUORATE_CORE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that somebody else owns. */
struct span {
    const uint8_t *data;
    size_t len;
};

struct span span_of(const void *data, size_t len);
struct span span_str(const char *text); /* without the NUL */
bool span_equal(struct span a, struct span b);

/* A growing byte buffer with an upper bound. Failure (memory, bound) is sticky: write all, then ask `failed`
 * once. data[len] is always NUL once anything was put. Zero-initialised with BUF(max); freed by buf_free, which
 * wipes. */
struct buf {
    uint8_t *data;
    size_t len, capacity, max;
    bool failed;
    bool secret; /* in pages of its own: never swapped, dumped or handed to a forked child */
};

#define BUF(maximum) ((struct buf){.max = (maximum)})
#define BUF_SECRET(maximum) ((struct buf){.max = (maximum), .secret = true}) /* fails where pages cannot be locked */

void buf_free(struct buf *b);  /* wipes, frees, leaves an empty buffer of the same max */
void buf_clear(struct buf *b); /* wipes, keeps the memory, forgets a failure */
void buf_put(struct buf *b, const void *data, size_t len);
void buf_room(struct buf *b, size_t more); /* memory for so many more bytes, max allowing, in one piece */
void buf_zeros(struct buf *b, size_t len); /* room that somebody else writes into */
void buf_puts(struct buf *b, const char *text);
void buf_putf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vputf(struct buf *b, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
struct span buf_span(const struct buf *b);
const char *buf_str(const struct buf *b); /* "" while empty */
char *buf_take(struct buf *b);            /* the NUL-ended bytes, now the caller's (free); NULL if failed or secret */

#endif
