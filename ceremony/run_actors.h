#ifndef QUORATE_CEREMONY_RUN_ACTORS_H
#define QUORATE_CEREMONY_RUN_ACTORS_H

#include "ceremony/run.h"

/* Who does the step: as many as `by` asks, who hold the role and are in the room (or, for `enter`, are not). Where the
 * script leaves it open, the answers or the terminal say; otherwise the first of them. Fills r->actors. Each refusal in
 * its own words. */
enum outcome actors_choose(struct runner *r, const struct step *s, struct fault *f);

#endif
