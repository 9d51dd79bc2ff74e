#ifndef QUORATE_MODULE_ARRIVAL_H
#define QUORATE_MODULE_ARRIVAL_H

#include "estate/inquiry.h"
#include "module/world.h"

/* Where HSMs are: people's word, and from one place to another the HSM's own answer. */

/* "LAT,LON" in degrees; NULL is fine. E_INVALID: not a place. */
enum outcome place_check(const char *elsewhere, struct fault *f);
/* Logs `arrived`: at the site's place, or elsewhere where that is not NULL, with the members of `more` (borrowed, may be
 * NULL). */
enum outcome arrival_log(struct estate *e, const char *token, const char *site, const char *elsewhere, json_t *more,
                         struct fault *f);

/* `quorate move` and `quorate arrive`; see estate/vendor.h. */
enum outcome depart_run(struct world *w, const json_t *question, json_t **ret, struct fault *f);
enum outcome arrive_run(struct world *w, const json_t *question, json_t **ret, struct fault *f);

/* The answer that files brought to an arrival's challenge: verified, and logged as `arrived`. `answer` is the site's whole. */
enum outcome arrival_import(struct world *w, const struct inquiry *q, const json_t *answer, struct fault *f);

#endif
