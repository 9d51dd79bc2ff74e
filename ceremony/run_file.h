#ifndef QUORATE_CEREMONY_RUN_FILE_H
#define QUORATE_CEREMONY_RUN_FILE_H

#include "core/digest.h"

/* SHA-256 of a file of any size, read once from beginning to end; symbolic links are followed, for it is what they lead
 * to that runs or is shown. E_ABSENT where there is none; E_INVALID where it is not a regular file. */
enum outcome file_digest(const char *path, struct digest *ret, struct fault *f);

#endif
