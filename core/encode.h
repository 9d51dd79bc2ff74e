#ifndef QUORATE_CORE_ENCODE_H
#define QUORATE_CORE_ENCODE_H

#include "core/buf.h"
#include "core/fault.h"

/* Strict encodings: exactly one text stands for given bytes; anything else is E_INVALID. Parsers append to their
 * buffer, after the whole text was checked. */

void hex_put(struct buf *b, struct span bytes); /* lower case */
enum outcome hex_parse(const char *text, uint8_t *ret, size_t want, struct fault *f);
enum outcome hex_parse_buf(const char *text, struct buf *ret, struct fault *f); /* any even length */

void base64_put(struct buf *b, struct span bytes);                             /* RFC 4648 section 4, padded */
enum outcome base64_parse(struct span text, struct buf *ret, struct fault *f); /* slack bits and white space refused */

bool decimal_parse(struct span text, uint64_t *ret); /* digits without sign or leading zero */

/* Decimal degrees from -limit to limit: "-3.18", "90". By hand, for strtod follows the locale of the host's process. What stands
 * behind the twelfth decimal (0.1 micrometres) is looked at only where it is more than the limit. ret may be NULL. */
bool degrees_parse(const char *text, unsigned limit, double *ret);

/* The first character of text: its length in bytes, 0 where text is empty or does not begin with valid UTF-8. */
size_t utf8_next(struct span text, uint32_t *ret_code);
bool code_control(uint32_t code);   /* C0, DEL, C1 */
bool code_deceptive(uint32_t code); /* changes the direction or the lines of what is shown, or is a byte order mark */

bool utf8_printable(struct span text); /* valid UTF-8 without C0/C1 controls, DEL or NUL */

/* 32 bytes as words to be read aloud: one of 256 words a byte, "word word …", groups of four per line break
 * being the caller's business. The list is fixed for ever (docs/FORMAT.md). */
void words_put(struct buf *b, struct span bytes);

/* Text for a terminal: control and deceptive characters and invalid UTF-8 become U+FFFD, so that a label cannot move
 * the cursor or turn a line around. */
void printable_put(struct buf *b, struct span text);

#endif
