#ifndef QUORATE_MODULE_PERSON_H
#define QUORATE_MODULE_PERSON_H

#include "core/bindings.h"
#include "estate/vendor.h"

/* The person whom the program that loaded the module can ask (estate/vendor.h). From any thread; questions come one after
 * the other. */

void person_set(const struct vendor_person *p); /* copied; NULL: nobody */

/* The PIN of `pin: prompt`, or (officer) of `so-pin: prompt`: asked for once, then kept in locked pages until person_forget. E_REFUSED: nobody is there, or they
 * did not answer. Texts name token and site. */
enum outcome person_pin(const char *token, const struct binding *b, bool officer, struct buf *ret, struct fault *f);
/* The HSM refused what was said for this serial number: it is wiped. */
void person_pin_refused(const char *serial, bool officer);
/* Asks for an HSM that is attached one at a time. False: nobody is there, or they do not. */
bool person_attach(const char *token, const struct binding *b);

void person_forget(void); /* at the end of a life: wipes every PIN */
void person_forked(void); /* in a forked child */

#endif
