#ifndef QUORATE_CEREMONY_RUN_CHILD_H
#define QUORATE_CEREMONY_RUN_CHILD_H

#include <stdbool.h>

#include "core/fault.h"

/* This program again, in a process of its own: what works with people's cards, for libp11 finalises modules that the
 * runner has in use. words: its arguments, ended by NULL. quiet: nothing is shown, and its last word becomes the fault;
 * otherwise it speaks at the terminal itself and the fault says only that it failed. key: of the person, handed over in its
 * environment (argument_key): everybody on the host sees arguments, and a URI may hold a PIN. */
enum outcome child_run(const char *const *words, const char *key, bool quiet, struct fault *f);

#endif
