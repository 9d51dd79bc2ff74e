#ifndef QUORATE_MODULE_REMOTE_H
#define QUORATE_MODULE_REMOTE_H

#include "module/lower.h"

/* Lower modules that talk to somebody else: a network client, p11-kit's client. One that writes to a peer that is gone gets
 * SIGPIPE, which ends the host process where that does nothing about it. The calls into such a module go through lists of
 * ours that block the signal in the calling thread, take away what the call left of it, and give the host its mask back.
 * What the host itself, or somebody else, had sent stays pending. Threads of the module's own are out of reach. */

/* Whether the library itself imports a function that opens a socket or a pipe. */
bool remote_looks(void *library);
/* Puts lists of ours in the place of l->f and l->list_3_0. E_MEMORY where LIMIT_REMOTE_MODULES have them already; a library
 * that had them keeps its place. One call at a time. */
enum outcome remote_wrap(struct lower *l, struct fault *f);

#endif
