#ifndef QUORATE_MODULE_CARRIED_H
#define QUORATE_MODULE_CARRIED_H

#include "module/world.h"

/* `quorate receipt import`: what came back from a site that files are carried to (estate/message.h). A receipt is logged, and
 * the last that was awaited completes the birth; that a site was told, or has destroyed what was withdrawn, is logged as
 * `accepted`, that a destroyed key is gone there too as `cleared`, a drill as `drill`. E_REFUSED: it answers nothing that is awaited. ret: see estate/vendor.h. */
enum outcome carried_import(struct world *w, struct span answer, json_t **ret, struct fault *f);

/* Whether a provisional birth may still become one: under its policy, in time, not suspended (design, section 7, step 8). */
enum outcome provisional_stands(const struct world *w, uint64_t intent, struct fault *f);

/* The answer to a question (estate/inquiry.h), whose form was looked at: a drill or an arrival is logged, an inventory held against the log; more
 * gets `drill` or `inventory`, as the verbs of these names have them. (module/carried_answer.c) */
struct site_answer;
enum outcome carried_answer(struct world *w, const char *token, const char *site, const struct site_answer *a,
                            json_t *more, struct fault *f);

#endif
