#ifndef QUORATE_MODULE_COURIER_H
#define QUORATE_MODULE_COURIER_H

#include "core/buf.h"
#include "core/fault.h"
#include "core/yaml.h"

/* Runs a courier's command (the binding's `courier:`) inside a host process: the message on its standard input, the answer
 * from its standard output. The host notices nothing: no SIGCHLD, no child for its waitpid, no SIGPIPE, no descriptor that
 * leaks there. The command gets none of ours, a session of its own without a terminal, signals as they are by default, and
 * an environment of PATH, HOME and LC_ALL alone.
 *
 * E_DEVICE where it does not begin, does not end within so many seconds (it is killed, with what it started), prints more
 * than an answer may be or nothing, or ends with a status other than 0; what it said on its standard error is in the text.
 * *ret (empty, bounded by LIMIT_ANSWER) is written also where the status alone is wrong: a refusal comes so. */
enum outcome courier_run(const struct strings *command, struct span message, unsigned seconds, struct buf *ret,
                         struct fault *f);

#endif
