#ifndef QUORATE_CEREMONY_WAITING_H
#define QUORATE_CEREMONY_WAITING_H

#include "ceremony/print.h"

/* What a command says that cannot go on before people have voted: the request, what is missing, what to do. As text, or as
 * {"missing", "request", "status": "pending"}. Returns E_PENDING with an empty text, or what went wrong in writing. */
enum outcome waiting_tell(bool json, const char *what, const char *request_hex, const char *missing, struct fault *f);

#endif
