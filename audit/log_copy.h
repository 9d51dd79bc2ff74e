#ifndef QUORATE_AUDIT_LOG_COPY_H
#define QUORATE_AUDIT_LOG_COPY_H

#include "audit/log.h"

/* A copy of another host's log, in a folder like its own but for the secret key: lines and checkpoints come from outside,
 * nothing is ever appended here by ourselves; the bodies of confidential entries stay there, and are not opened here. One writer at a time: the caller's lock. */

/* `first` is the key of the genesis; a log that was begun with another one is E_REFUSED. The folder is made where it is
 * missing; the log is then empty. Otherwise as log_open. */
enum outcome log_copy_open(const char *folder, const struct note_key *first, log_visitor *visit, void *context,
                           struct log **ret, struct fault *f);
/* Takes in the lines that follow the last entry (each with its newline), which must lead to the note's root, the note being
 * signed by the key in force there; visits every one. They are written, but do not count before log_copy_keep. After a
 * failure, a visitor's refusal included, the log is to be closed: what was there before is unharmed. */
enum outcome log_copy_extend(struct log *l, struct span lines, struct span note, struct fault *f);
/* What log_copy_extend took in counts from here on, durably. */
enum outcome log_copy_keep(struct log *l, struct span note, struct fault *f);

#endif
