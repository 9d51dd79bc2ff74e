#ifndef QUORATE_MODULE_CLONED_H
#define QUORATE_MODULE_CLONED_H

#include "module/world.h"

/* Births whose key people bring to a site by its vendor's own tools (`cloned:` in the bindings): the key is made, permanent
 * and provisional, and each such site is looked at when somebody asks again. The world's lock is held. */

/* Whether the receipt of a site is awaited that keys are cloned to. */
bool cloned_awaited(const struct world *w, uint64_t intent);

/* Looks for the key there, and ends the birth where every receipt has come. E_PENDING: not all have, the text says what
 * people have to do. E_REFUSED: what lies there is not the key that was approved, and the birth was rolled back; or it
 * cannot be born now. E_BUSY: another process is at it. A birth whose time is over is left to settle_token. */
enum outcome cloned_collect(struct world *w, uint64_t intent, struct fault *f);

/* The key at the primary, once it is born: handles of the lower module. E_PENDING: it is not. */
enum outcome cloned_key(struct world *w, uint64_t intent, CK_OBJECT_HANDLE *ret_secret, CK_OBJECT_HANDLE *ret_public,
                        struct fault *f);

/* cloned_collect for every birth; `report` as of settle_run. What is awaited is no failure. */
enum outcome cloned_settle(struct world *w, json_t *report, struct fault *f);

/* "; clone CKA_ID … from … to … with …, then ask again" */
void cloned_todo(struct buf *ret, struct span id, const char *primary, const char *site, const char *vendor);

#endif
