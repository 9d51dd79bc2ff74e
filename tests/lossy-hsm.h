#ifndef QUORATE_TESTS_LOSSY_HSM_H
#define QUORATE_TESTS_LOSSY_HSM_H

/* build/lossy-hsm.so: SoftHSM, over a link that a test cuts. A test finds these with dlsym in the library that the module
 * under test has loaded. */

/* What every call but C_Finalize answers from now on, and nothing is done: an rv; 0: they are done again. */
typedef void (*lossy_cut_fn)(unsigned long rv);
/* From now on calls of this function wait until the link is cut or put back. NULL: none does. */
typedef void (*lossy_hang_fn)(const char *function);
/* The token of this serial number is not there; NULL: all are. */
typedef void (*lossy_hide_fn)(const char *serial);
/* The HSM has a keypad, on which this PIN is typed whenever C_Login has none; NULL: it has none. */
typedef void (*lossy_keypad_fn)(const char *pin);
/* Calls since the last time this was asked. */
typedef unsigned long (*lossy_calls_fn)(void);

#endif
