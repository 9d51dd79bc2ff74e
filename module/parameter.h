#ifndef QUORATE_MODULE_PARAMETER_H
#define QUORATE_MODULE_PARAMETER_H

#include <p11-kit/pkcs11.h>

#include "core/buf.h"
#include "core/fault.h"

/* Mechanisms with their parameters: read once from the application's memory, pointers inside followed, so that what
 * people sign says all of what is done and nobody changes it meanwhile. */

#define PARAMETER_PARTS 2u

struct mechanism_copy {
    CK_MECHANISM m; /* its pointers lead into what is below */
    void *parameter, *parts[PARAMETER_PARTS];
};
/* E_REFUSED: a mechanism whose parameter may hold pointers that are not known here; E_INVALID: not of the length that
 * the mechanism's parameter has. */
enum outcome mechanism_copy(const CK_MECHANISM *m, struct mechanism_copy *ret, struct fault *f);
void mechanism_copy_clear(struct mechanism_copy *c); /* wipes */

/* What a parameter says, without pointers (docs/FORMAT.md): the members in order, numbers as 8 bytes big-endian, byte
 * strings with their length before them; where it holds no pointers its own bytes. False: b holds its bytes, and they
 * may hold pointers. */
bool parameter_put(const CK_MECHANISM *m, struct buf *b);
void number_put(struct buf *b, uint64_t n); /* 8 bytes, big-endian */

#endif
