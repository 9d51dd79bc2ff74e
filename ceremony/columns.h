#ifndef QUORATE_CEREMONY_COLUMNS_H
#define QUORATE_CEREMONY_COLUMNS_H

#include "core/buf.h"

/* Text on a terminal: a character is one column, what sets a colour none. */

#define COLUMNS_MIN 40 /* of a terminal that lines are folded for */

size_t columns_count(struct span text);

/* Appends the text, its lines broken at blanks so that none is wider than `columns`. What follows a break stands under the last
 * cell that begins in the line's first half, cells being two blanks or more apart; else a little to the right of the line's own
 * beginning. A word that is wider than what is left for it stays whole. */
void columns_fold(struct span text, size_t columns, struct buf *ret);

/* The same of a paragraph, whose own lines are joined first; what follows a break stands at the left. Ends with a newline. */
void columns_prose(const char *text, size_t columns, struct buf *ret);

/* Of the terminal at this file descriptor; 0: it is none, or does not say. */
size_t columns_of(int fd);

#endif
