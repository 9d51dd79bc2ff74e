#ifndef QUORATE_MODULE_USE_H
#define QUORATE_MODULE_USE_H

#include "module/grant.h"

/* Use of a key: sign, MAC and its verification, decrypt, encrypt, derive, wrap, unwrap, digest-key. Public keys are
 * free. */
enum use_way { USE_WAY_PLAIN, USE_WAY_GOVERNED };

/* Whether this key may be used so: CKR_OK and *ret_way, or the refusal. Plain answers are kept with the handle, and are
 * then given without a lock. `governable`: the caller can carry a use under approvals out; otherwise a rule that
 * requires something refuses. *ret_lower is the handle below. Not with the world's lock held. */
CK_RV use_judge(const struct session_view *view, CK_OBJECT_HANDLE key, const char *function,
                const CK_MECHANISM *mechanism, bool governable, CK_OBJECT_HANDLE *ret_lower, enum use_way *ret_way);
/* A use of which the application sees nothing but its end: C_DigestKey, C_DeriveKey, C_WrapKey, C_UnwrapKey. */
struct use_asked {
    const char *function;
    const CK_MECHANISM *mechanism; /* of a mechanism_copy; NULL: none */
    const json_t *data, *with;     /* as struct question has them */
};
struct use_grant {
    struct grant grant; /* plain also for public keys, and where a use was drawn from a lease */
    CK_OBJECT_HANDLE lower;
};
/* With the world's lock held: CKR_OK where it may begin; the caller's to clear. */
CK_RV use_ask(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE key, const struct use_asked *asked,
              struct use_grant *ret);

/* Lifetime and places of a born key count under every rule, also one that plainly allows. With the world's lock held. */
CK_RV use_key_in_order(const struct world *w, const struct question *q, const struct state_key *key);

#endif
