#ifndef QUORATE_ESTATE_VOTES_H
#define QUORATE_ESTATE_VOTES_H

#include "estate/estate.h"
#include "policy/evaluate.h"

/* The approvals and rejections beside one request, verified (internal to estate/). */
struct votes {
    struct vote *items;
    size_t count, capacity;
    struct strings texts; /* what items[].what borrow from */
};

/* Reads every PERSON.p7s, PERSON.D.p7s (which renews the approval whose signature has the digest D) and PERSON.reject.p7s beside the request, verifies the signatures, finds their log entries.
 * log_new: within log_begin/log_end; verified ones that the log does not have are logged, with their digest. Otherwise
 * they count as of now, seq 0. What cannot be used becomes a VOTE_UNUSABLE with file and reason. A vote in the log
 * whose file is gone or altered does not count, and is said. */
enum outcome votes_gather(struct estate *e, const struct policy *judge, const struct request *r, bool log_new,
                          struct votes *ret, struct fault *f);
void votes_clear(struct votes *v);

/* One verified vote of a person over this request: the signer must be that person of `judge`. document: the request, a
 * rejection, or, where renews is not NULL, what renews that approval. Returns the entry's body; the caller's. */
enum outcome vote_verify(struct estate *e, const struct policy *judge, const struct request *r, const char *person,
                         const struct digest *renews, struct span document, struct span der, json_t **ret_body,
                         struct vote *ret_vote, struct fault *f);

/* The ceremony that a vote on this request belongs to: that of the request, while it is open; or NULL. */
const char *vote_ceremony(const struct estate *e, const struct request *r);

/* home/requests/ID/NAME; NAME NULL: the folder. */
char *request_path(const struct estate *e, const struct digest *request, const char *name);

#endif
