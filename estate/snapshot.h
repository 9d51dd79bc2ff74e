#ifndef QUORATE_ESTATE_SNAPSHOT_H
#define QUORATE_ESTATE_SNAPSHOT_H

#include "estate/estate.h"

/* home/snapshot: the state after so many entries, so that who opens an estate need not fold them all. A cache: a note signed
 * by the log's key in force (what it is of, and the digest of what follows), a NUL, the state as state_pack makes it. Whoever
 * can write to the home but has not that key cannot alter a state by it: it is believed only with that signature, by the same
 * code (the digest of its sources stands in the note), and where the log leads from there to its signed root. Otherwise it
 * is as if there were none. */

/* Opens the log with the state of the snapshot and what came after. On failure *e is as before: open it without. */
enum outcome snapshot_open(struct estate *e, const char *log_folder, log_visitor *visit, struct fault *f);
/* Writes one where the last is old enough to be missed. Nothing is told: a reader that may not sign writes none. */
void snapshot_keep(struct estate *e);
/* The same at once. */
enum outcome snapshot_write(struct estate *e, struct fault *f);

#endif
