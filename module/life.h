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

/* As a handler of the process's exit, registered after a lower module was loaded and so called before that module's own:
 * nothing goes down any more, neither from threads that still run nor from an application's later C_Finalize. */
void life_exit(void);

#endif
