#ifndef QUORATE_MODULE_LIFE_H
#define QUORATE_MODULE_LIFE_H

#include <stdatomic.h>
#include <stdbool.h>

/* From C_Initialize to C_Finalize. A forked child starts outside: it must initialise for itself, and touches neither
 * the parent's lower modules nor its locks. */
extern atomic_bool life_on;

static inline bool life_going(void)
{
    return atomic_load_explicit(&life_on, memory_order_acquire);
}

#endif
