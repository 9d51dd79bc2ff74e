#ifndef QUORATE_ESTATE_MIRRORS_H
#define QUORATE_ESTATE_MIRRORS_H

#include "estate/estate.h"

/* The mirrors of a home, from its making to its end (internal to estate/). */

/* Makes the folders, which must be missing or empty. */
enum outcome mirrors_make(const struct bindings *b, struct fault *f);
/* From now on what is written to the home reaches them. */
enum outcome mirrors_open(struct estate *e, struct fault *f);
void mirrors_close(struct estate *e);

/* Brings one folder level with the home, checkpoint last; the append lock is held. Of another log, or one that is ahead:
 * E_REFUSED. contents: all bytes are compared, else names and sizes. fill: an empty folder will do. */
enum outcome mirror_level(const struct estate *e, const char *mirror, bool contents, bool fill, struct fault *f);
/* Whether the mirror's checkpoint is the home's and its entries end with it. E_IO, E_REFUSED as for mirror_level. */
enum outcome mirror_is_level(const struct estate *e, const char *mirror, bool *ret, struct fault *f);
/* What was appended to the home's entries since the mirror's end, durably. */
enum outcome mirror_extend(const struct estate *e, const char *mirror, struct fault *f);

#endif
