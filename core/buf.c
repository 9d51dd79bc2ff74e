#include "core/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct span span_of(const void *data, size_t len)
{
    return (struct span){.data = data, .len = len};
}

struct span span_str(const char *text)
{
    return span_of(text, strlen(text));
}

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Whole pages of its own, so that no other memory shares what is locked. NULL where the process may lock no more. */
static uint8_t *pages_new(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return NULL;
    if (mlock(pages, size) == 0 && madvise(pages, size, MADV_DONTDUMP) == 0 &&
        madvise(pages, size, MADV_WIPEONFORK) == 0)
        return pages;
    munmap(pages, size);
    return NULL;
}

static void memory_free(struct buf *b)
{
    if (b->data == NULL)
        return;
    explicit_bzero(b->data, b->capacity);
    if (b->secret)
        munmap(b->data, b->capacity);
    else
        free(b->data);
}

void buf_free(struct buf *b)
{
    if (b == NULL)
        return;
    memory_free(b);
    *b = (struct buf){.max = b->max, .secret = b->secret};
}

void buf_clear(struct buf *b)
{
    if (b->data != NULL)
        explicit_bzero(b->data, b->capacity);
    b->len = 0;
    b->failed = false;
}

/* Room for `more` bytes and a NUL. The old memory is wiped, which realloc would not do. */
static bool reserve(struct buf *b, size_t more)
{
    uint8_t *grown = NULL;
    size_t want;

    if (b->failed)
        return false;
    if (more > b->max - b->len || b->max == SIZE_MAX) {
        b->failed = true;
        return false;
    }
    want = b->len + more + 1;
    if (want <= b->capacity)
        return true;
    if (want < b->capacity * 2)
        want = b->capacity * 2;
    if (want < 64)
        want = 64;
    if (want > b->max + 1)
        want = b->max + 1;
    grown = b->secret ? pages_new(want) : calloc(1, want);
    if (grown == NULL) {
        b->failed = true;
        return false;
    }
    if (b->data != NULL)
        memcpy(grown, b->data, b->len);
    memory_free(b);
    b->data = grown;
    b->capacity = want;
    return true;
}

void buf_room(struct buf *b, size_t more)
{
    if (more <= b->max - b->len)
        (void)reserve(b, more);
}

void buf_put(struct buf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_zeros(struct buf *b, size_t len)
{
    static const uint8_t zeros[1024];

    for (size_t n; len > 0 && !b->failed; len -= n) {
        n = len < sizeof(zeros) ? len : sizeof(zeros);
        buf_put(b, zeros, n);
    }
}

void buf_puts(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

void buf_putf(struct buf *b, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    buf_vputf(b, format, ap);
    va_end(ap);
}

void buf_vputf(struct buf *b, const char *format, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, format, ap);
    if (n < 0)
        b->failed = true;
    else if (reserve(b, (size_t)n)) {
        vsnprintf((char *)b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

struct span buf_span(const struct buf *b)
{
    return span_of(b->data, b->len);
}

const char *buf_str(const struct buf *b)
{
    return b->data == NULL ? "" : (const char *)b->data;
}

char *buf_take(struct buf *b)
{
    char *taken = NULL;

    if (b->failed || b->secret)
        return NULL;
    buf_put(b, "", 0); /* an empty text is memory of its own too */
    if (b->failed)
        return NULL;
    taken = (char *)b->data;
    *b = BUF(b->max); /* the memory is the caller's now */
    return taken;
}
