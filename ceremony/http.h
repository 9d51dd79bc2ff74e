#ifndef QUORATE_CEREMONY_HTTP_H
#define QUORATE_CEREMONY_HTTP_H

#include "core/buf.h"
#include "core/fault.h"

/* One POST over http or https, without redirects, in at most half a minute. PREFIX and PATH are joined by one slash. OK
 * whatever the status is; E_DEVICE where nobody answered. ret is emptied first; its bound is that of the answer. */
enum outcome http_post(const char *prefix, const char *path, const char *type, struct span body, long *ret_status,
                       struct buf *ret, struct fault *f);

#endif
