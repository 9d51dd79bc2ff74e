#include "ceremony/columns.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define STEP 4 /* to the right, where a line has no cells */

/* How many bytes the character or colour at the beginning takes, and how many columns it fills. */
static size_t piece_take(struct span text, size_t *ret_columns)
{
    const uint8_t *p = text.data;
    size_t n = 1;

    *ret_columns = p[0] != '\033';
    if (p[0] == '\033') {
        while (n < text.len && p[n] != 'm')
            n++;
        return n < text.len ? n + 1 : n;
    }
    while (n < text.len && (p[n] & 0xC0) == 0x80)
        n++;
    return n;
}

size_t columns_count(struct span text)
{
    size_t count = 0, one = 0;

    for (size_t at = 0; at < text.len; count += one)
        at += piece_take(span_of(text.data + at, text.len - at), &one);
    return count;
}

/* The column where what is broken off the line goes on. */
static size_t column_hanging(struct span line, size_t columns)
{
    size_t at = 0, column = 0, blanks = 0, one = 0, begins = 0, hanging = 0;
    bool begun = false;

    while (at < line.len && column <= columns / 2) {
        bool blank = line.data[at] == ' ';

        at += piece_take(span_of(line.data + at, line.len - at), &one);
        if (!blank && one > 0 && !begun)
            begins = column;
        else if (!blank && one > 0 && blanks > 1)
            hanging = column;
        begun = begun || (!blank && one > 0);
        if (one > 0)
            blanks = blank ? blanks + 1 : 0;
        column += one;
    }
    return hanging > 0 ? hanging : begins + STEP;
}

/* The word that begins after the blanks at `at` would fit on a line of its own; else it is not worth a break. */
static bool word_fits(struct span line, size_t at, size_t columns)
{
    size_t end = 0;

    while (at < line.len && line.data[at] == ' ')
        at++;
    for (end = at; end < line.len && line.data[end] != ' ';)
        end++;
    return columns_count(span_of(line.data + at, end - at)) <= columns;
}

/* The bytes before the last blank at which the line still fits; where there is none, before the first one after that. 0: the line
 * cannot be broken. later: columns of the lines that follow. */
static size_t break_find(struct span line, size_t columns, size_t later)
{
    size_t found = 0, column = 0, one = 0;
    bool text = false;

    for (size_t at = 0; at < line.len; column += one) {
        size_t taken = piece_take(span_of(line.data + at, line.len - at), &one);
        bool blank = line.data[at] == ' ';

        if (column > columns && found > 0)
            return found;
        if (blank && text && word_fits(line, at, later))
            found = at;
        text = text || (!blank && one > 0);
        at += taken;
    }
    return column > columns ? found : 0;
}

static void line_fold(struct span line, size_t columns, size_t hanging, struct buf *ret)
{
    size_t room = columns, cut = 0, end = 0;

    while (columns_count(line) > room && (cut = break_find(line, room, columns - hanging)) > 0) {
        for (end = cut; line.data[end - 1] == ' ';)
            end--;
        buf_put(ret, line.data, end);
        buf_puts(ret, "\n");
        while (cut < line.len && line.data[cut] == ' ')
            cut++;
        line = span_of(line.data + cut, line.len - cut);
        for (size_t i = 0; i < hanging && line.len > 0; i++)
            buf_puts(ret, " ");
        room = columns - hanging;
    }
    buf_put(ret, line.data, line.len);
}

void columns_fold(struct span text, size_t columns, struct buf *ret)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.data) : text.len;

        line_fold(span_of(text.data, len), columns, column_hanging(span_of(text.data, len), columns), ret);
        if (end != NULL)
            buf_puts(ret, "\n");
        len += end != NULL;
        text = span_of(text.data + len, text.len - len);
    }
}

void columns_prose(const char *text, size_t columns, struct buf *ret)
{
    struct buf line = BUF(ret->max);

    for (const char *p = text; *p != '\0'; p++)
        buf_put(&line, *p == '\n' ? " " : p, 1);
    line_fold(buf_span(&line), columns, 0, ret);
    buf_puts(ret, "\n");
    ret->failed = ret->failed || line.failed;
    buf_free(&line);
}

size_t columns_of(int fd)
{
    struct winsize size = {.ws_col = 0};

    return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
