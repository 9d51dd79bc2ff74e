#include <stdlib.h>

#include "audit/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken as an entry is the one encoding of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault f;
    struct entry e;
    struct buf again = BUF(1 << 17);
    if (entry_parse(span_of(data, size), &e, &f))
        return 0;
    if (entry_compose(e.type, e.seq, e.time, e.ceremony, e.body, &again, &f) ||
        !span_equal(buf_span(&again), span_of(data, size)))
        abort();
    buf_free(&again);
    entry_clear(&e);
    return 0;
}
