#ifndef QUORATE_CORE_ENCODE_H
#define QUORATE_CORE_ENCODE_H

#include "core/buf.h"
#include "core/fault.h"

/* Strict encodings: exactly one text stands for given bytes; anything else is E_INVALID. */

void hex_put(struct buf *b, struct span bytes); /* lower case */
enum outcome hex_parse(const char *text, uint8_t *ret, size_t want, struct fault *f);
enum outcome hex_parse_buf(const char *text, struct buf *ret, struct fault *f); /* any even length */

void base64_put(struct buf *b, struct span bytes); /* RFC 4648 section 4, padded */
enum outcome base64_parse(struct span text, struct buf *ret, struct fault *f); /* slack bits and white space refused */

bool utf8_printable(struct span text); /* valid UTF-8 without C0/C1 controls or NUL */

/* 32 bytes as words to be read aloud: one of 256 words a byte, "word word …", groups of four per line break
 * being the caller's business. The list is fixed for ever (docs/FORMAT.md). */
void words_put(struct buf *b, struct span bytes);

/* Text for a terminal: control characters and invalid UTF-8 become U+FFFD, so that a label cannot move the cursor. */
void printable_put(struct buf *b, struct span text);

#endif
