#ifndef QUORATE_AUDIT_LOG_H
#define QUORATE_AUDIT_LOG_H

#include "audit/entry.h"
#include "audit/merkle.h"
#include "audit/note.h"

/* The append-only Merkle log of one host (design, section 9), in a folder: `entries` (one line an entry),
 * `checkpoint` (signed note), `key` (0600, PKCS#8 PEM), `vkey` (a line), `lock`, `quarantine/`.
 *
 * Order of an append: entry line durable, checkpoint signed, checkpoint durable, then shown to anyone. What stands in
 * `entries` beyond the signed size was never acknowledged: readers do not see it; the next writer moves it to
 * `quarantine/` and says so in a `recovered` entry. Damage at or below the signed size is E_REFUSED, always. After an
 * fsync error this object refuses every further append.
 *
 * One object per process and home; its calls are not thread-safe (the estate serialises them). Several processes may
 * append; readers never block. */
struct log;

/* Called for every entry, in order, once: at open for what is there, later for what anyone appended. A fault ends
 * the reading (the log is then unusable until reopened). */
typedef enum outcome log_visitor(void *context, const struct entry *e, struct fault *f);

/* Makes the folder's files with a new key and writes the genesis: `body` is completed here with log-key (vkey) and
 * origin. E_BUSY where a log exists. */
enum outcome log_create(const char *folder, const char *origin, json_t *genesis_body, struct fault *f);

/* Opens, verifies signature, tree and every line. The verifier key is that of the genesis entry, which must be that
 * of `vkey`. */
enum outcome log_open(const char *folder, log_visitor *visit, void *context, struct log **ret, struct fault *f);
void log_close(struct log *l);

/* Reads what others appended since. The new checkpoint must extend the one seen before (never goes back). */
enum outcome log_refresh(struct log *l, struct fault *f);
/* True when the checkpoint file looks different from the one read last (a stat; may be wrong in either direction only
 * for the instant of a concurrent append). */
bool log_changed(const struct log *l);

/* Asks before an entry is written whether whoever folds the log will take it, so that nothing can be appended that makes
 * the log unreadable. Called like a visitor, between log_begin and log_end; a fault refuses the append. */
void log_set_check(struct log *l, log_visitor *check, void *context);

/* The append lock, across processes: log_begin takes it, settles what a crash left, and refreshes; log_end releases
 * it. Appends happen between the two. */
enum outcome log_begin(struct log *l, struct fault *f);
void log_end(struct log *l);
/* Durable when it returns OK, and already visited. The time is now, never before the last entry's. ret_seq may be
 * NULL. A body that cannot be an entry, or that the check refuses, is refused before anything is written; on any later
 * failure the log is poisoned for this object (reopen to go on). */
enum outcome log_append(struct log *l, enum entry_type type, const char *ceremony, const json_t *body,
                        uint64_t *ret_seq, struct fault *f);
moment log_time(const struct log *l); /* the time that an entry written now would carry */

uint64_t log_size(const struct log *l);
void log_root(const struct log *l, struct digest *ret);
const struct note_key *log_verifier(const struct log *l);
const char *log_origin(const struct log *l);
/* The exact bytes of one entry (read from the file). */
enum outcome log_entry_bytes(const struct log *l, uint64_t seq, struct buf *ret, struct fault *f);
enum outcome log_checkpoint_bytes(const struct log *l, struct buf *ret, struct fault *f);
enum outcome log_inclusion(const struct log *l, uint64_t seq, uint64_t size, struct merkle_proof *ret, struct fault *f);
enum outcome log_consistency(const struct log *l, uint64_t old_size, uint64_t size, struct merkle_proof *ret,
                             struct fault *f);

/* Verifies entries and checkpoint as bytes, for readers without the folder (a transcript): every line canonical and
 * numbered, times never going back, root equal. Visits every entry. */
enum outcome log_verify_bytes(struct span entries, struct span checkpoint, const struct note_key *key,
                              log_visitor *visit, void *context, struct fault *f);

/* For the crash sweep: called before and after each durable step of an append, with a name ("entry-written",
 * "checkpoint-shown", …). NULL outside tests. */
extern void (*log_step_hook)(const char *step);

#endif
