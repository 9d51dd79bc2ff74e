#ifndef QUORATE_CEREMONY_TERMINAL_H
#define QUORATE_CEREMONY_TERMINAL_H

#include "core/buf.h"
#include "core/fault.h"

/* Asks on the controlling terminal, without echo. Nothing is kept but in ret, which wipes. E_REFUSED: the person
 * ended it (Ctrl-C, Ctrl-D, an empty line). E_IO: there is no terminal; the text says what else can be done. */
enum outcome terminal_secret(const char *prompt, const char *otherwise, struct buf *ret, struct fault *f);

/* Asks there for something to be done: true on Enter, false where the person types anything else, or there is no terminal. */
bool terminal_done(const char *prompt);

/* Standard input and standard error are a terminal: a person can be asked. */
bool terminal_present(void);

/* Asks for the word "yes" on standard input. E_REFUSED: anything else. */
enum outcome terminal_confirm(const char *question, struct fault *f);

#endif
