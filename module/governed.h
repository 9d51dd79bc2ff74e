#ifndef QUORATE_MODULE_GOVERNED_H
#define QUORATE_MODULE_GOVERNED_H

#include "module/gate.h"

/* A use of a key that people must approve: nothing is opened below that the application could reach. What it feeds is
 * kept here; at the end the policy is asked for exactly these bytes, and the key works on a session of its own. Where a
 * rule grants a number of uses, the session of its own works along, and is closed when the estate is suspended. */

enum governed_kind {
    GOVERNED_NONE,
    GOVERNED_SIGN,
    GOVERNED_RECOVER, /* C_SignRecover */
    GOVERNED_VERIFY,  /* of a MAC */
    GOVERNED_ENCRYPT,
    GOVERNED_DECRYPT,
    GOVERNED_ENCRYPT_MESSAGE, /* from here on one message of what C_MessageEncryptInit and its like began (messages.h) */
    GOVERNED_DECRYPT_MESSAGE,
    GOVERNED_SIGN_MESSAGE,
    GOVERNED_VERIFY_MESSAGE
};

/* The function that does the work, as subjects name it: C_Sign. */
const char *governed_function(enum governed_kind kind);

/* Whether the session is in such an operation of that kind. Takes no lock. */
static inline bool governed_is(const struct session *s, enum governed_kind kind)
{
    return (enum governed_kind)atomic_load_explicit(&s->governed, memory_order_acquire) == kind;
}

/* What C_SignInit and its like begin under a rule that requires something. */
CK_RV governed_begin(CK_SESSION_HANDLE session, enum governed_kind kind, const CK_MECHANISM *mechanism,
                     CK_OBJECT_HANDLE key);
/* One part; out (NULL: the function has none) gets what comes out meanwhile: under approvals nothing. */
CK_RV governed_update(CK_SESSION_HANDLE session, enum governed_kind kind, const unsigned char *part, CK_ULONG part_len,
                      unsigned char *out, CK_ULONG *out_len);
struct governed_end {
    const unsigned char *data; /* what the one-shot function adds */
    CK_ULONG data_len;
    const unsigned char *signature; /* to be verified */
    CK_ULONG signature_len;
    unsigned char *out; /* NULL: how long would it be? */
    CK_ULONG *out_len;  /* NULL: the function has none */
    bool single;        /* C_Sign, not C_SignFinal */
};
CK_RV governed_finish(CK_SESSION_HANDLE session, enum governed_kind kind, const struct governed_end *end);

/* Its session goes over to another HSM: what is kept here goes on there; what was begun on the old one is lost. */
void governed_moved(struct session *s, CK_FUNCTION_LIST *below);
void governed_end(struct session *s);      /* drops it; none is fine. With the world's lock held. */
void governed_idle_end(struct session *s); /* the same of what it keeps for later */

#endif
