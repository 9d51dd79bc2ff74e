#ifndef QUORATE_MODULE_MECHANISMS_H
#define QUORATE_MODULE_MECHANISMS_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

/* A mechanism whose parameter carries handles, or is a vendor's and may: the lower module would take the application's for
 * its own, and a second key would be used that nobody judged, or handed out. Such a mechanism does not exist here. */
bool mechanism_carries_handles(const CK_MECHANISM *m);
/* What it derives holds the base key, whole or in parts small enough to be guessed one by one: it then leaves as by
 * wrapping. */
bool mechanism_reveals_base(CK_MECHANISM_TYPE m);
/* Derivation: only mechanisms that are known to carry none. */
bool mechanism_derives(CK_MECHANISM_TYPE m);

#endif
