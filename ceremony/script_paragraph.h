#ifndef QUORATE_CEREMONY_SCRIPT_PARAGRAPH_H
#define QUORATE_CEREMONY_SCRIPT_PARAGRAPH_H

#include "ceremony/print.h"

#define PARAGRAPH_INDENT "        "

/* before, text and after as words on lines of at most 88 columns, on a terminal no more than it has, each after PARAGRAPH_INDENT. */
void paragraph_put(struct buf *b, enum tone t, const char *before, const char *text, const char *after);

#endif
