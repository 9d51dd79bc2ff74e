#ifndef QUORATE_CORE_FILE_H
#define QUORATE_CORE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/buf.h"
#include "core/fault.h"
#include "core/yaml.h"

/* Files are opened with O_NOFOLLOW and O_CLOEXEC, must be regular, are size-capped and read once. What is durable reaches the
 * mirrors of its folder too, where it has any (core/mirror.h). */

/* Reads a whole file into ret (emptied first; ret->max is the cap: longer is E_MEMORY). E_ABSENT where there is
 * none. `trusted`: owned by root or by us and writable by nobody else, otherwise E_REFUSED. */
enum outcome file_read(const char *path, bool trusted, struct buf *ret, struct fault *f);

/* Replaces or creates durably: temporary file beside it, fsync, rename, fsync of the folder. */
enum outcome file_replace(const char *path, struct span bytes, mode_t mode, struct fault *f);
/* The same without fsync: whole or not at all to whoever reads, but not durable. For what can be made again. E_ABSENT
 * where the folder is missing. */
enum outcome file_show(const char *path, struct span bytes, mode_t mode, struct fault *f);
/* The same as file_replace, but E_BUSY where the file exists. */
enum outcome file_create(const char *path, struct span bytes, mode_t mode, struct fault *f);
/* Gives a file the name of another in the same folder, which goes. Not durable by itself; whole or not at all. */
enum outcome file_move(const char *path, const char *name, struct fault *f);
enum outcome file_remove(const char *path, struct fault *f); /* durably; a missing one is no fault */
enum outcome folder_make(const char *path, mode_t mode,
                         struct fault *f); /* one level; an existing folder is no fault */
enum outcome folder_make_above(const char *path, mode_t mode, struct fault *f); /* all on the way to a file */
enum outcome folder_sync(const char *path, struct fault *f);
enum outcome folder_list(const char *path, struct strings *ret,
                         struct fault *f); /* names sorted by bytes, without dot files */
bool file_exists(const char *path);

/* "A/B", the caller's. B alone where it is absolute. NULL on memory. */
char *path_join(const char *a, const char *b);
/* Whether it is that folder, or below it, by name alone. */
bool path_lies_in(const char *path, const char *folder);
char *path_folder(const char *path); /* "." where there is none */

/* An open file description lock on a file of its own (created if missing, 0600). Two locks on one path exclude each
 * other within one process too. Closed, never unlocked, so that a forked child's end does not release the parent's; a
 * child that lives on without exec keeps the lock with it until it calls lock_release or ends. E_BUSY when !wait and
 * somebody holds it. */
struct lock;
enum outcome lock_take(const char *path, bool wait, struct lock **ret, struct fault *f);
struct lock *lock_share(struct lock *l); /* the same lock once more: held until all have released it; NULL is fine */
void lock_release(struct lock *l);       /* NULL is fine */

#endif
