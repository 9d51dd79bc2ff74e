#ifndef QUORATE_TESTS_SWEEP_DISK_H
#define QUORATE_TESTS_SWEEP_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The sweeps' own I/O layer. The linker's --wrap leads every call of our code that changes the disk through it: calls below
 * one folder are numbered from 1, together with the calls to the HSM, and kept in a journal that outlives the process; one of
 * them, chosen beforehand, fails or is the process's last. From the journal comes what a disk may show after the power
 * failed: whatever was not synced is there, torn, or not, in any combination. */

enum disk_kind {
    DISK_MAKE,   /* a file: name in folder */
    DISK_FOLDER, /* a folder */
    DISK_WRITE,  /* len bytes at `at` of node */
    DISK_CUT,    /* node to `at` bytes */
    DISK_SYNC,   /* of node, a file or a folder */
    DISK_SYNC_ALL,
    DISK_RENAME, /* name in folder to `to` in the same */
    DISK_LINK,
    DISK_REMOVE,
    DISK_CALL, /* to the HSM */
};

enum disk_fate {
    DISK_GOES_WELL,
    DISK_DIES,  /* kill -9 before the call */
    DISK_TEARS, /* half of what is written, then kill -9; DISK_DIES where nothing is written */
    DISK_EIO,
    DISK_ENOSPC,
    DISK_EINTR, /* of writes alone; the call that follows goes well */
    DISK_SHORT, /* half of it is written, and said so */
    DISK_PARTS, /* who began this process dies, and it goes on */
};

/* Nodes and folders by their inode numbers. */
struct disk_record {
    enum disk_kind kind;
    ino_t node, folder;
    off_t at;
    size_t len; /* of the bytes that follow the record, padded to 16 */
    char name[112], to[112];
};

/* Once, before any fork: the journal that all processes share. */
void disk_share(void);
/* Empties the journal; from here on this process's calls below `folder` (a canonical path) are numbered. */
void disk_arm(const char *folder, unsigned long at, enum disk_fate fate);
void disk_disarm(void);
/* For a process that is no child: both have the journal in that file. What is armed for others counts, over all of them, from when
 * they join until it is ended. */
void disk_share_in(const char *path);
void disk_arm_others(const char *folder, unsigned long at, enum disk_fate fate);
void disk_disarm_others(void);
void disk_join(void);
/* A call to the HSM is about to happen: one more number. Until disk_called this process does not die: an HSM ends what it has
 * begun, though whoever asked is gone. */
void disk_call(void);
void disk_called(void);

unsigned long disk_events(void); /* numbered so far, by whoever was armed last */
bool disk_hit(void);             /* the chosen one came */
bool disk_armed(void);           /* this process's calls are numbered */
unsigned long disk_hit_at(void); /* the chosen one */
const char *disk_hit_what(void); /* in words */
/* The records in order; NULL at the end. Begin with NULL. */
const struct disk_record *disk_next(const struct disk_record *r);
const void *disk_bytes(const struct disk_record *r);

/* What lies below a folder, all of it taken for durable; what was then done to it. */
struct image;
struct image *image_scan(const char *folder);
void image_play(struct image *i); /* the journal */
/* Makes the folder what a disk may show of that now. 0: nothing that was not synced; 1: every name, no unsynced byte; 2:
 * every byte, no unsynced name; any other: drawn. */
void image_lose(const struct image *i, const char *folder, unsigned seed);
void image_free(struct image *i);

/* Files. Any failure ends the process: a sweep cannot go on without. */
void tree_remove(const char *folder);
void tree_copy(const char *from, const char *to); /* `to` is removed first */

#endif
