#include "ceremony/script_paragraph.h"

#include <string.h>
#include <unistd.h>

#include "ceremony/columns.h"

#define COLUMNS 88

/* On a terminal that is narrower so many that they fit. */
static size_t paragraph_columns(void)
{
    size_t columns = columns_of(STDOUT_FILENO), indent = sizeof PARAGRAPH_INDENT - 1;

    return columns >= COLUMNS_MIN && columns < COLUMNS + indent ? columns - indent : COLUMNS;
}

void paragraph_put(struct buf *b, enum tone t, const char *before, const char *text, const char *after)
{
    struct buf whole = BUF(OUTPUT_MAX), line = BUF(OUTPUT_MAX);
    size_t columns = paragraph_columns();

    buf_putf(&whole, "%s%s%s", before, text, after);
    for (const char *word = buf_str(&whole); *word != '\0' || line.len > 0;) {
        size_t len = strcspn(word, " ");

        if (line.len > 0 && (len == 0 || line.len + 1 + len > columns)) {
            buf_puts(b, PARAGRAPH_INDENT);
            print_toned(b, t, buf_str(&line));
            buf_puts(b, "\n");
            buf_clear(&line);
            continue;
        }
        buf_puts(&line, line.len > 0 ? " " : "");
        buf_put(&line, word, len);
        word += len;
        word += strspn(word, " ");
    }
    b->failed = b->failed || whole.failed || line.failed;
    buf_free(&line);
    buf_free(&whole);
}
