#ifndef QUORATE_MODULE_LEASE_H
#define QUORATE_MODULE_LEASE_H

#include "module/governed.h"

/* A number of uses within a time (`require.uses`), granted at once: all of them stand as used in the log before the first
 * is drawn, so that a process that dies has used them up. Kept in this process alone; the world's lock is held. */

struct lease_want {
    CK_OBJECT_HANDLE key; /* the application's handle */
    enum governed_kind kind;
    CK_MECHANISM_TYPE mechanism;
    bool parameter; /* the mechanism has one: found by its subject only */
};

/* Draws one use from a lease that was looked at under this generation of the estate; costs no look at the log. */
bool lease_draw_known(const struct lease_want *want, uint64_t generation);
/* The same by what was asked: subject is the digest of the question's subject. The lease is then known. */
bool lease_draw(const struct lease_want *want, const struct digest *subject, uint64_t generation);
/* A new one, the first use of it drawn. False: there is no room. */
bool lease_add(const struct lease_want *want, const struct digest *subject, uint64_t generation, unsigned count,
               int64_t seconds);
bool rule_leases(const struct rule *rule); /* grants uses in number; NULL does not */
/* Draws one use of a key, of a lease that is there or is granted now. */
CK_RV lease_use(struct world *w, const struct question *q, const struct rule *rule, const struct lease_want *want);
void leases_forget(void); /* at the end of a life, and in a forked child */

#endif
