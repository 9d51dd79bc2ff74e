#ifndef QUORATE_MODULE_GOVERNED_INNER_H
#define QUORATE_MODULE_GOVERNED_INNER_H

#include "module/governed_below.h"
#include "module/message_parameter.h"
#include "module/parameter.h"

/* The parts of one governed use (internal to governed*.c). */
struct governed {
    enum governed_kind kind;
    CK_FUNCTION_LIST *below;
    struct mechanism_copy mechanism;
    CK_OBJECT_HANDLE key;  /* the application's handle */
    struct buf data;       /* under approvals: what was fed */
    CK_SESSION_HANDLE own; /* on a lease: a session below with the operation begun, else 0 */
    uint64_t generation;   /* on a lease: of the estate, when last judged */
    /* Of the message that is under way: */
    bool begun; /* by C_SignMessageBegin or its like */
    struct buf associated;
    struct message_parameter parameter;
};
/* NULL with the reason. */
struct governed *governed_make(const struct session_view *view, enum governed_kind kind, const CK_MECHANISM *mechanism,
                               CK_OBJECT_HANDLE key, CK_RV *ret_rv);
void governed_free(struct governed *g); /* NULL is fine */

/* A session of its own below, with the operation begun. */
CK_RV governed_own(const struct world *w, const struct session_view *view, const struct governed *g,
                   CK_SESSION_HANDLE *ret);

/* The key, and the rule that decides about it now. */
struct governed_target {
    struct object_facts facts;
    const struct state_key *key; /* both the state's and the policy's: good until the next question */
    const struct rule *rule;
    bool plain;
    struct question question; /* without data; borrows from g and key */
};
CK_RV governed_target(struct world *w, const struct session_view *view, const struct governed *g,
                      struct governed_target *ret);
/* An operation on a lease may go on; judged again where the estate has changed. */
CK_RV lease_goes_on(struct world *w, const struct session_view *view, struct governed *g);

/* The use that the session had last, begun below once more where this is one like it; NULL: it must be begun anew. */
struct governed *lease_again(const struct session_view *view, enum governed_kind kind, const CK_MECHANISM *mechanism,
                             CK_OBJECT_HANDLE key);
/* Carries an operation on a lease out; takes g and gives the world's lock back. */
CK_RV lease_finish(struct world *w, const struct session_view *view, struct governed *g,
                   const struct governed_end *end);
/* What was asked is not done yet: the caller comes again with more room. */
bool comes_again(CK_RV rv, const struct governed_end *end);
void governed_attach(struct session *s, struct governed *g); /* takes it */

/* Asks for exactly the data that were fed and what `end` adds, and does it. By the buffer conventions of PKCS#11 2.40,
 * section 5.2, a question for the length leaves the operation as it is, and asks nobody: *ret_again. The world's lock is
 * held. */
CK_RV approved_finish(struct world *w, const struct session_view *view, struct governed *g,
                      const struct governed_end *end, bool *ret_again);

#endif
