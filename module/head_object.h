#ifndef QUORATE_MODULE_HEAD_OBJECT_H
#define QUORATE_MODULE_HEAD_OBJECT_H

#include "core/limits.h"
#include "module/site.h"

/* Heads as objects on one HSM (internal to head*.c). */

struct head {
    CK_OBJECT_HANDLE object;
    struct buf note;
};
struct heads {
    struct head items[LIMIT_HEADS];
    size_t count;
};

/* All heads of this origin there, bytes as they are. E_DEVICE where there are more than LIMIT_HEADS. */
enum outcome heads_read(const struct site_link *s, const char *origin, struct heads *ret, struct fault *f);
void heads_clear(struct heads *h);
/* Makes one and reads it back. CKR_USER_NOT_LOGGED_IN is told apart: some HSMs want a login even for public objects. */
enum outcome head_make(const struct site_link *s, const char *origin, struct span note, CK_RV *ret_rv, struct fault *f);

#endif
