#ifndef QUORATE_MODULE_PLAIN_H
#define QUORATE_MODULE_PLAIN_H

#include "module/grant.h"

/* The birth of a key of the log that a rule plainly allows. Nobody is asked, yet request and intent stand in the log before
 * the HSM is: until `born` stands there too the key carries a CKA_ID that derives from the intent, by which recovery finds
 * what a death left and destroys it; then it gets the one that the caller asked for. */
struct plain_birth {
    struct grant grant;               /* not open: nothing was begun */
    struct buf id;                    /* that derives from the intent */
    struct buf wanted, wanted_public; /* asked for; empty: none */
};
#define PLAIN_BIRTH                                                                                                    \
    {                                                                                                                  \
        .id = BUF(32), .wanted = BUF(LIMIT_LABEL), .wanted_public = BUF(LIMIT_LABEL)                                   \
    }

/* q: as it was judged a moment ago. from: what is copied, below, or CK_INVALID_HANDLE. Puts the CKA_ID into `key` and
 * `public` (NULL: no pair). CKR_OK with nothing begun where no key of the log would come of it, or where its CKA_ID could not be
 * changed afterwards (CKA_MODIFIABLE false): it then goes down as it came. The world's lock is held. */
CK_RV plain_begin(struct world *w, const struct session_view *view, const struct question *q, CK_OBJECT_HANDLE from,
                  struct template *key, struct template *public, struct plain_birth *ret);
/* What a begun birth is born as: the CKA_ID that was asked for, in hex. Otherwise nothing is changed. */
void plain_id_put(const struct plain_birth *b, const struct buf *wanted, struct object_facts *facts);
/* Logs `born`, under the intent where one was begun. Takes body (NULL: memory). The world's lock is held, here and below. */
enum outcome plain_born(struct world *w, struct plain_birth *b, json_t *body, struct fault *f);
/* After `born`: the CKA_ID that was asked for, then `accepted`. Nothing where none was begun. Where the HSM does not take it, recovery tries again, and until
 * then the key is known by the one that it has. */
void plain_complete(struct world *w, const struct session_view *view, const struct plain_birth *b, CK_OBJECT_HANDLE key,
                    CK_OBJECT_HANDLE public);
/* The HSM made something else, which a rule plainly allows too: that is none of the intent's. */
CK_RV plain_leave(struct world *w, const struct session_view *view, struct plain_birth *b, const char *function,
                  CK_OBJECT_HANDLE key, CK_OBJECT_HANDLE public);
/* Nothing came of it: what the HSM has under its CKA_ID is destroyed, and the intent rolled back. Where that fails, recovery
 * does it. Takes the world's lock; leaves the thread's refusal as it is. */
void plain_undo(const struct session_view *view, struct plain_birth *b, const char *function, CK_RV why);
/* Recovery, of a birth that the log has as born: plain_complete at whatever still has the derived CKA_ID. */
enum outcome plain_finish(struct world *w, uint64_t intent, struct fault *f);
void plain_clear(struct plain_birth *b);

#endif
