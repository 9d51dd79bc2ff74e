#ifndef QUORATE_CORE_MIRROR_H
#define QUORATE_CORE_MIRROR_H

#include "core/file.h"

/* Folders that are kept on several media (bindings, `home-mirrors`). What core/file writes durably below a watched folder
 * it writes to each of its mirrors as well, the folder itself first: it alone is the truth, and a mirror never is ahead of it.
 * A mirror that cannot be written is a fault like any other, so work stops. */

/* From now on, until as many calls of mirror_unwatch. `sign` is a file below the folder that shows that a medium is there
 * (a mount point without its stick is an empty folder): nothing is written to a mirror without it. NULL: none is asked for,
 * while a folder is being made. */
enum outcome mirror_watch(const char *folder, const struct strings *mirrors, const char *sign, struct fault *f);
void mirror_unwatch(const char *folder);

/* E_IO names a medium that is not there, and what to do. */
enum outcome mirror_present(const char *mirror, const char *sign, struct fault *f);

/* Called by core/file for each mirror of the watched folder that `path` lies in: `there` is the same file on it. */
typedef enum outcome mirror_act(const char *there, void *context, struct fault *f);
enum outcome mirror_each(const char *path, mirror_act *act, void *context, struct fault *f);

#endif
