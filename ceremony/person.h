#ifndef QUORATE_CEREMONY_PERSON_H
#define QUORATE_CEREMONY_PERSON_H

#include "estate/vendor.h"

/* The person at this program's terminal, for the module: PINs without echo, HSMs attached one at a time. */
extern const struct vendor_person terminal_person;

#endif
