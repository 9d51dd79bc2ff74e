#ifndef QUORATE_CEREMONY_RUN_TALK_H
#define QUORATE_CEREMONY_RUN_TALK_H

#include "ceremony/print.h"
#include "ceremony/run.h"

/* What the runner shows, and one line from the person at the keyboard. */

/* Interactive: the act where it begins, then the step: number, who, text, what is said, what is expected. */
enum outcome talk_step(const struct runner *r, const struct step *s, struct fault *f);
/* One line for a step that is done, with its place among all; where nobody is asked this is all that is shown. */
enum outcome talk_done(const struct runner *r, const struct step *s, const char *how, struct fault *f);
/* An indented remark. */
void talk_note(enum tone t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prompts and reads a line without its newline and the blanks around it. E_REFUSED with an empty text: the input
 * ended. */
enum outcome talk_read(const char *prompt, struct buf *ret, struct fault *f);

#endif
