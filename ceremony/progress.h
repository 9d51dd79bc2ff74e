#ifndef QUORATE_CEREMONY_PROGRESS_H
#define QUORATE_CEREMONY_PROGRESS_H

/* On a terminal, a bar on standard error while a long log is read. */
void progress_watch(void);

#endif
