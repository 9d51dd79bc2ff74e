#ifndef QUORATE_CEREMONY_RUN_CLOSE_H
#define QUORATE_CEREMONY_RUN_CLOSE_H

#include "ceremony/run.h"

/* `ceremony-closed`, and the checkpoint of exactly that moment as home/ceremonies/ID/checkpoint. Every step must be
 * done. The module gives the ceremony's lock back. */
enum outcome ceremony_close(struct runner *r, struct fault *f);

/* A ceremony that was closed, whose checkpoint a crash kept from its file: written now, as long as nothing followed in the
 * log. *ret_id: it was so; the caller's. */
enum outcome ceremony_mend(struct estate *e, const char *script, char **ret_id, struct fault *f);

#endif
