#ifndef QUORATE_AUDIT_LOG_INNER_H
#define QUORATE_AUDIT_LOG_INNER_H

#include <sys/stat.h>

#include "audit/lines.h"
#include "core/file.h"

/* Inside of the log: what its readers (log.c) and its writer (log_write.c) share. */
struct log {
    char *entries, *checkpoint, *key_file, *lock_file, *quarantine; /* paths */
    struct note_key key;
    struct tree tree;
    struct digest root;
    struct buf note;  /* the checkpoint as signed */
    struct stat seen; /* of the checkpoint's file, from before it was read */
    moment last;
    log_visitor *visit, *check;
    void *visit_context, *check_context;
    bool broken;       /* a visitor refused: the reader's state is unknown */
    bool poisoned;     /* an append failed half way: what is on the disk is unknown */
    EVP_PKEY *secret;  /* loaded at the first log_begin */
    struct lock *lock; /* NULL outside log_begin and log_end */
    int fd;            /* of the entries, while the lock is held; -1 */
};

/* Opens the entries: O_NOFOLLOW, regular. *ret is the caller's. */
enum outcome log_open_entries(const struct log *l, int flags, int *ret, struct fault *f);

/* With the lock held: moves what a crash left behind the signed entries to the quarantine, and says so in the log. */
enum outcome log_settle(struct log *l, struct fault *f);

/* Tells the tests where an append stands. */
void log_step(const char *step);

#endif
