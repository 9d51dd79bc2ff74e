#ifndef QUORATE_AUDIT_LOG_INNER_H
#define QUORATE_AUDIT_LOG_INNER_H

#include <sys/stat.h>

#include "audit/lines.h"
#include "audit/tiles.h"
#include "core/file.h"

/* Inside of the log: what its readers (log.c) and its writer (log_write.c) share. */
struct log {
    char *entries, *checkpoint, *next_checkpoint, *key_file, *next_key_file, *vkey_file, *lock_file, *quarantine,
        *public, *edge, *places, *confidential; /* paths */
    struct note_key key;                        /* in force: of the checkpoint seen last */
    struct tree tree;
    struct tile_reader *tiles; /* of the tree */
    struct log_place *place;   /* where the entry read last ended */
    struct digest root;
    struct buf note;  /* the checkpoint as signed */
    struct stat seen; /* of the checkpoint's file, from before it was read */
    struct stat told; /* of the quarantine, whose files the log knows; or zero */
    moment last;
    log_visitor *visit, *check;
    void *visit_context, *check_context;
    log_copier *copy;
    void *copy_context;
    bool broken;   /* a visitor refused: the reader's state is unknown */
    bool poisoned; /* an append failed half way: what is on the disk is unknown */
    bool grouped;  /* between log_group and log_group_end */
    uint64_t group_start;
    struct buf pending; /* of a group: the lines that are not written yet */
    unsigned group_tiles;
    EVP_PKEY *secret;       /* loaded at the first log_begin */
    struct note_key signer; /* whose secret that is */
    struct lock *lock;      /* NULL outside log_begin and log_end */
    int fd;                 /* of the entries, while the lock is held; -1 */
    size_t places_kept;     /* so many of the tree's places stand in their file */
    pid_t writer;           /* who appended with this object; 0: nobody */
};

struct log_place {
    uint64_t seq, offset; /* of the next entry */
};

/* Everything of the folder but what is read from it. */
enum outcome log_prepare(const char *folder, log_visitor *visit, void *context, struct log **ret, struct fault *f);
/* Reads a prepared log that has a checkpoint. */
enum outcome log_open_prepared(struct log *l, struct fault *f);
/* Follows the lines to this checkpoint, and visits those that are new. */
enum outcome log_follow(struct log *l, struct span note, struct fault *f);
/* Visits the entries from `from` on. */
enum outcome log_visit(struct log *l, const struct merkle_edge *from, struct fault *f);
struct merkle_source log_source(const struct log *l);

/* The caches (log_cache.c): a faster way to open the log. */
enum outcome log_cache_save(struct log *l, struct fault *f);

/* With the lock held: brings the public folder up to the checkpoint; `all`: makes it anew. */
enum outcome log_publish_held(struct log *l, bool all, struct fault *f);

/* Loads the key in force; one that a change left beside it is put in its place. */
enum outcome log_load_secret(struct log *l, struct fault *f);

/* Opens the entries: O_NOFOLLOW, regular. *ret is the caller's. */
enum outcome log_open_entries(const struct log *l, int flags, int *ret, struct fault *f);

/* Shows a checkpoint (log_shown.c): it is durable before anybody can see it, so that no failure of power takes back what
 * somebody saw. Until then it is called `checkpoint.next`. */
enum outcome log_show(const struct log *l, struct span note, struct fault *f);
/* With the lock held, and refreshed: takes in a checkpoint that is durable but, after a failure of power or a death, not
 * shown. E_REFUSED where it does not lead on from the log. */
enum outcome log_adopt(struct log *l, struct fault *f);
/* The same at an open, where nobody else holds the lock: whoever does has seen to it. */
enum outcome log_adopt_free(struct log *l, struct fault *f);

/* With the lock held: moves what a crash left behind the signed entries to the quarantine, and says so in the log. */
enum outcome log_settle(struct log *l, struct fault *f);

/* Tells the tests where an append stands. */
void log_step(const char *step);

#endif
