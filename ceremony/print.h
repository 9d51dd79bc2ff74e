#ifndef QUORATE_CEREMONY_PRINT_H
#define QUORATE_CEREMONY_PRINT_H

#include "core/json.h"
#include "core/limits.h"

/* How the program speaks: calm, aligned, colour only on a terminal that wants it. Text from outside goes through
 * printable_put. */

enum tone { TONE_PLAIN, TONE_HEAD, TONE_GOOD, TONE_WAIT, TONE_BAD, TONE_FAINT };

void print_text(struct buf *b, const char *text); /* NULL: "-" */
void print_toned(struct buf *b, enum tone t, const char *text);
/* `text` blank-padded to `width` columns, counting characters. */
void print_cell(struct buf *b, enum tone t, const char *text, unsigned width);
void print_head(struct buf *b, const char *text); /* a heading on a line of its own */
/* "  NAME            VALUE\n"; the value through printable_put. */
void print_field(struct buf *b, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void print_lines(struct buf *b, const struct buf *text); /* each line of it indented */
/* The 32 bytes as words, four to a line, eight lines, indented. */
void print_words(struct buf *b, const struct digest *d);

/* Writes to standard output, for people: lines that are wider than the terminal there are folded (ceremony/columns.h). */
enum outcome print_out(struct buf *b, struct fault *f);
/* The same as it is: what programs read, wherever it goes. */
enum outcome print_exact(const struct buf *b, struct fault *f);
/* Canonical JSON and a newline to standard output; takes `value`. NULL: E_MEMORY. */
enum outcome print_json(json_t *value_taken, struct fault *f);
/* For a command that does not hold and has said why in its answer: wipes what stands in f, so that nothing is added. */
enum outcome print_said(enum outcome o, struct fault *f);
/* Writes to standard error: what a person reads beside the answer. */
void print_aside(struct buf *b);

struct verdict;
json_t *
verdict_details(const struct verdict *v); /* decision, rule, position, counted, sites, findings; NULL on memory */

#endif
