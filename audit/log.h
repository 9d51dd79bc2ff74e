#ifndef QUORATE_AUDIT_LOG_H
#define QUORATE_AUDIT_LOG_H

#include "audit/entry.h"
#include "audit/merkle.h"
#include "audit/note.h"

/* The append-only Merkle log of one host (design, section 9), in a folder: `entries` (one line an entry),
 * `checkpoint` (signed note), `key` (0600, PKCS#8 PEM), `vkey` (a line), `lock`, `quarantine/`; `public/` (C2SP
 * tlog-tiles; also where the hashes of all but the last entries are, so that memory does not grow with the log),
 * `confidential/` (bodies that entries only commit to: never in `public/`), and the caches `edge` and `places`. `public/` and
 * the caches are made again where they are missing; a body that is missing is damage. Visitors see the bodies.
 *
 * Order of an append: entry line durable, checkpoint signed, checkpoint durable (as `checkpoint.next`), then shown to
 * anyone. What stands in
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

/* Opens, verifies signature, tree and every line. The key is that of the genesis entry until a log-key entry puts
 * another in force (docs/FORMAT.md). */
enum outcome log_open(const char *folder, log_visitor *visit, void *context, struct log **ret, struct fault *f);
/* What somebody remembers of a log that they have read. */
struct log_mark {
    uint64_t size;
    struct digest root; /* of the tree then */
};
/* The same, but what the mark covers is neither read nor visited: only that the log still leads from there to its signed
 * root is verified. No mark: nothing is visited, for whoever wants single entries and proofs. Fails wherever log_open is
 * to be asked instead: caches that are missing or do not fit, another log. */
enum outcome log_open_at(const char *folder, const struct log_mark *mark, log_visitor *visit, void *context,
                         struct log **ret, struct fault *f);
/* For a log opened by log_open_at without a mark: visits what the mark does not cover, now and from now on. */
enum outcome log_go_on(struct log *l, const struct log_mark *mark, log_visitor *visit, void *context, struct fault *f);
/* Leaves, where this object appended, the caches and the public folder up to date, if nobody else holds the lock. */
void log_close(struct log *l);

/* Reads what others appended since. The new checkpoint must extend the one seen before (never goes back). */
enum outcome log_refresh(struct log *l, struct fault *f);
/* True when the checkpoint file looks different from the one read last (a stat; may be wrong in either direction only
 * for the instant of a concurrent append). */
bool log_changed(const struct log *l);

/* Asks before an entry is written whether whoever folds the log will take it, so that nothing can be appended that makes
 * the log unreadable. Called like a visitor, between log_begin and log_end; a fault refuses the append. */
void log_set_check(struct log *l, log_visitor *check, void *context);

/* Keeps copies of the log on other media: asked under the append lock when it is taken (`begin`: what is signed here must be
 * there, and nothing behind it), and when new entries are durable here, before the checkpoint that covers them is signed. A
 * fault ends the append. NULL: there are none. */
typedef enum outcome log_copier(void *context, bool begin, struct fault *f);
void log_set_copier(struct log *l, log_copier *copy, void *context);

/* The append lock, across processes: log_begin takes it, settles what a crash left, and refreshes; log_end releases
 * it. Appends happen between the two. */
enum outcome log_begin(struct log *l, struct fault *f);
void log_end(struct log *l);
/* Durable when it returns OK, and already visited. The time is now, never before the last entry's. ret_seq may be
 * NULL. A body that cannot be an entry, or that the check refuses, is refused before anything is written; on any later
 * failure the log is poisoned for this object (reopen to go on). */
enum outcome log_append(struct log *l, enum entry_type type, const char *ceremony, const json_t *body,
                        uint64_t *ret_seq, struct fault *f);
/* The same, but the entry only commits to its body, which is kept beside the log, durable before the entry's checkpoint is
 * signed. After a crash before that a body may be left that no entry commits to. */
enum outcome log_append_confidential(struct log *l, enum entry_type type, const char *class, const char *ceremony,
                                     const json_t *body, uint64_t *ret_seq, struct fault *f);
/* Entries that are made durable together, at most LIMIT_TAIL bytes: between the two, log_append only visits, the entries
 * cannot be read back, and nothing may be acted upon or told; log_group_end writes all and makes them durable under one
 * checkpoint. On a failure, or when log_end comes before it, none of
 * them counts, and the log is poisoned for this object. */
void log_group(struct log *l);
enum outcome log_group_end(struct log *l, struct fault *f);
/* The key that a change would put in force: made, as `key.new`, where there is none yet. Needs the append lock. The entry
 * log-key {log-key} changes it: the checkpoint of that entry is still signed by the old key, all later ones by the new. */
enum outcome log_next_key(struct log *l, struct note_key *ret, struct fault *f);
/* A note that the log's key in force signs although it is no checkpoint: that a cache is this home's own. log_load_voucher
 * fails where this process cannot sign, or what it holds is not known to be durable. */
enum outcome log_load_voucher(struct log *l, struct fault *f);
enum outcome log_vouch(struct log *l, struct span text, struct buf *ret_note, struct fault *f);
enum outcome log_vouched(const struct log *l, struct span note, struct span *ret_text, struct fault *f);
moment log_time(const struct log *l); /* the time that an entry written now would carry */

uint64_t log_size(const struct log *l);
void log_root(const struct log *l, struct digest *ret);
const struct note_key *log_verifier(const struct log *l);  /* the key that signed the last checkpoint */
const struct note_key *log_first_key(const struct log *l); /* the genesis': what verification begins with */
/* Opens a checkpoint of any size that this log had, with the key that was in force then. Its root is for the caller to
 * compare (log_root_at). */
enum outcome log_checkpoint_open(const struct log *l, struct span note, struct checkpoint *ret, struct fault *f);
enum outcome log_root_at(const struct log *l, uint64_t size, struct digest *ret, struct fault *f);
const char *log_origin(const struct log *l);
/* Where this entry's line begins in `entries`; at the end: where the next one will. */
enum outcome log_offset(const struct log *l, uint64_t seq, uint64_t *ret, struct fault *f);
/* The exact bytes of one entry (read from the file). */
enum outcome log_entry_bytes(const struct log *l, uint64_t seq, struct buf *ret, struct fault *f);
/* One entry, opened where it is confidential. The caller's (entry_clear). */
enum outcome log_entry(const struct log *l, uint64_t seq, struct entry *ret, struct fault *f);
/* The document with the body and the salt of a confidential entry; ret->max is the bound (LIMIT_CONFIDENTIAL). */
enum outcome log_confidential(const struct log *l, const struct digest *commit, struct buf *ret, struct fault *f);
enum outcome log_checkpoint_bytes(const struct log *l, struct buf *ret, struct fault *f);
enum outcome log_inclusion(const struct log *l, uint64_t seq, uint64_t size, struct merkle_proof *ret, struct fault *f);
enum outcome log_consistency(const struct log *l, uint64_t old_size, uint64_t size, struct merkle_proof *ret,
                             struct fault *f);

/* Brings `public/` up to the checkpoint; `all`: makes every file of it anew. Takes the append lock. */
enum outcome log_publish(struct log *l, bool all, struct fault *f);

/* Verifies entries and checkpoint as bytes, for readers without the folder (a transcript): every line canonical and
 * numbered, times never going back, root equal. `key` is that of the genesis. Visits every entry. */
enum outcome log_verify_bytes(struct span entries, struct span checkpoint, const struct note_key *key,
                              log_visitor *visit, void *context, struct fault *f);
/* The same from a file, read as it goes: memory does not grow with it. ret may be NULL. */
enum outcome log_verify_file(const char *entries, struct span checkpoint, const struct note_key *key,
                             log_visitor *visit, void *context, struct checkpoint *ret, struct fault *f);

/* Called now and then while entries are hashed and then while they are visited: how many of how many. NULL where nobody
 * watches; set by a program before it reads. */
extern void (*log_progress_hook)(uint64_t done, uint64_t total);

/* For the crash sweep: called before and after each durable step of an append, with a name ("entry-written",
 * "checkpoint-shown", …). NULL outside tests. */
extern void (*log_step_hook)(const char *step);

#endif
