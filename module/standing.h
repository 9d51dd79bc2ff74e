#ifndef QUORATE_MODULE_STANDING_H
#define QUORATE_MODULE_STANDING_H

#include "module/world.h"

/* Forgets ceremony and step, and gives the ceremony's lock back. */
void standing_clear(struct world *w);

#endif
