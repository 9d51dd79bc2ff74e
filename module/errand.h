#ifndef QUORATE_MODULE_ERRAND_H
#define QUORATE_MODULE_ERRAND_H

#include <stdbool.h>
#include <stddef.h>

#include "core/fault.h"

/* Work that may never come back, as a call into an HSM's library: each errand on a thread of its own, with all signals
 * blocked. What the thread touches is its own until it is back; whoever waits no longer leaves it all of that. */
struct errand;
typedef void errand_fn(void *work);

/* run(work) is called once. Where the time was over before it was back, `late` is called after it, on the same thread, and
 * ends `work`. E_MEMORY: there is no thread to be had, nothing was begun. */
enum outcome errand_begin(errand_fn *run, errand_fn *late, void *work, unsigned seconds, struct errand **ret,
                          struct fault *f);

/* Waits until one of them is back or its time is over, and gives its place in the list; count where all are NULL. */
size_t errands_wait(struct errand *const *list, size_t count);

/* It is back, though not ended. */
bool errand_back(const struct errand *e);
/* After the wait. True: it is back, and `work` the caller's again. False: it is left to itself. The errand is gone in
 * either case. */
bool errand_end(struct errand *e);

/* On an errand's thread: nobody waits for it any more; what it has not begun it should not begin. False elsewhere. */
bool errand_left(void);

/* The application forbade threads (CKF_LIBRARY_CANT_CREATE_OS_THREADS, PKCS#11 2.40, section 5.4): errands are run at
 * once by whoever begins them, and nobody measures their time. */
void errands_without_threads(bool forbidden);

void errands_forget(void); /* in a forked child: no thread is there */

#endif
