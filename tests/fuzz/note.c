#include <stdlib.h>
#include <string.h>

#include "audit/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A note is opened only if the key's signature stands under exactly this text; a verifier key and a checkpoint that parse are
 * written as they were read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char known[] = "quorate.example/test+f39a0be4+AQOhB7/zzhC+HXDdGOdLwJlnPYwm6UNXx3chmQSVTG/4";
    struct fault f;
    struct note_key key;
    struct checkpoint c;
    struct span text;
    struct buf again = BUF(1 << 17);
    char *line = strndup((const char *)data, size);
    if (!line)
        return 0;
    if (note_key_parse(line, &key, &f) == OK) {
        note_key_put(&key, &again);
        if (strcmp(buf_str(&again), line) != 0)
            abort();
    }
    buf_clear(&again);
    if (checkpoint_parse(span_of(data, size), &c, &f) == OK) {
        checkpoint_put(&c, &again);
        if (!span_equal(buf_span(&again), span_of(data, size)))
            abort();
    }
    if (note_key_parse(known, &key, &f) == OK) {
        (void)note_open(span_of(data, size), &key, &text, &f);
        (void)checkpoint_open(span_of(data, size), &key, &c, &f);
    }
    (void)checkpoint_peek(span_of(data, size), &c, &f);
    buf_free(&again);
    free(line);
    return 0;
}
