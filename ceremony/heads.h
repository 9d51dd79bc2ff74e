#ifndef QUORATE_CEREMONY_HEADS_H
#define QUORATE_CEREMONY_HEADS_H

#include "ceremony/client.h"
#include "estate/estate.h"

/* The log's head on the HSMs, after what the program itself has written: an older one is as good as before, so a fault is
 * told on standard error and no more. */
void heads_bring(struct client *c);
/* The same through a module that is loaded for it, where any HSM carries a head at all. */
void heads_bring_by(const struct estate *e, const char *module, const char *bindings);

#endif
