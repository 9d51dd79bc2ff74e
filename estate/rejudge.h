#ifndef QUORATE_ESTATE_REJUDGE_H
#define QUORATE_ESTATE_REJUDGE_H

#include "audit/state.h"
#include "policy/evaluate.h"

/* What a log says was judged, judged again by whoever reads it: from the entry, the fold of all entries before it, the
 * policy in force then, and the documents. Every fault is E_REFUSED with the reason, or E_MEMORY. Used by the verifier of
 * transcripts and by sites that follow a host's log. */

/* The entry says of the request what the document says, and the document was made in this estate under this policy. The
 * root in it is for the caller to compare. */
enum outcome rejudge_request(const struct state *s, const struct policy *judge, const struct entry *e,
                             const struct request *r, struct fault *f);

/* How the file of a vote's signature is named after its person: ".p7s", ".reject.p7s", or, where that person approved
 * before, ".D.p7s", D being what it renews. */
struct vote_suffix {
    char text[80];
};
struct vote_suffix vote_suffix(const struct entry *e);
/* The document that a vote signs: the request; what renews an approval of it, made in `document`; or the rejection that is
 * in `document`, which must be one of it with the entry's reason. Borrowed. */
enum outcome rejudge_document(const struct entry *e, const struct request *r, struct buf *document, struct span *ret,
                              struct fault *f);
/* The signature is by the person, certificate and key that the entry names, and that person's in this policy; who approved
 * before signs what renews that, for the same signature, written in another way, is no new one. */
enum outcome rejudge_vote(const struct state *s, const struct policy *judge, const struct entry *e,
                          struct span document, struct span der, struct span certificate, struct fault *f);

/* The intent rests on every vote that the log has, judges for its own time, and the verdict computed again is the one that
 * it has: allow. fact: the ceremony's step that it names, found running by the caller; NULL where it names none. The
 * verdict is the caller's. */
enum outcome rejudge_intent(const struct state *s, const struct policy *judge, const struct entry *e,
                            const struct request *r, const struct ceremony_fact *fact, json_t **ret, struct fault *f);

/* `transport-renewed`, or the same members in an answer: signed by the identity key that the site was enrolled with, over the
 * transport key that it has now and the next one. */
enum outcome rejudge_renewal(const struct state *s, const json_t *body, const char *token, const char *site,
                             struct fault *f);

/* `site-enrolled`: it says what the subject that was approved says, and where the hardware is attested by its vendor, the
 * certificates hold for these keys, under this policy's roots, at the entry's time. */
enum outcome rejudge_enrolment(const struct policy *judge, const struct entry *e, const struct subject *subject,
                               struct fault *f);

/* These members of the body are equal to the subject's (names: ended by NULL): E_REFUSED names the first that is not. */
enum outcome rejudge_members(const json_t *body, const json_t *subject, const char *const *names, struct fault *f);

#endif
