#ifndef QUORATE_ESTATE_ASKING_H
#define QUORATE_ESTATE_ASKING_H

#include "estate/estate.h"
#include "policy/evaluate.h"

/* From a question to a verdict: requests in the home, votes beside them, the log entries that they leave. */

/* A new subject with what every one has (environment, estate, operation, origin, requester). requester NULL: uid:N of
 * this process. The caller adds the rest and passes it on. NULL on memory. */
json_t *asking_subject(const struct estate *e, enum operation op, const char *requester);

struct asking_context {
    const struct ceremony_fact *ceremony; /* NULL: none that this process holds */
    const struct policy *judge;           /* NULL: the policy in force; the first adoption is judged by its own */
    bool written; /* what a rule plainly allows gets a request too, which nobody need approve: an intent is to follow */
    bool anew;    /* and never one that is there already: others may ask for the same meanwhile */
};

struct answer {
    struct request *request; /* NULL where the policy plainly allows, or refuses what nobody can approve */
    struct verdict *verdict; /* NULL where it plainly allows */
    bool plain;              /* allow: true, not suspended: nothing is logged */
};
void answer_clear(struct answer *a);

/* Takes `subject`. Plain allow: answer.plain. A deny that no approval can change: logged once as `refused`, no
 * request. Otherwise the one pending request with the same subject, or a new one (home/requests/ID, entry `request`,
 * its first refusal as `refused`), judged with the votes that are there; votes not yet logged are logged. The outcome
 * is OK whatever the verdict. E_REFUSED: LIMIT_PENDING requests wait already, and an application asks for one more. */
enum outcome estate_ask(struct estate *e, json_t *subject, const struct asking_context *c, struct answer *ret,
                        struct fault *f);

/* Under the append lock: votes again, evaluation again, and, where it still allows, `intent` with the verdict and the
 * members of `more` (borrowed, may be NULL). E_REFUSED or E_PENDING with the verdict in words where not. */
enum outcome estate_intend(struct estate *e, const struct request *r, const struct asking_context *c,
                           const json_t *more, uint64_t *ret_intent, struct fault *f);

/* The request in the home, checked against its id. */
enum outcome estate_request(const struct estate *e, const struct digest *id, struct request **ret, struct fault *f);
/* A request's full id from a prefix of at least 6 hex digits. E_ABSENT, or E_INVALID where ambiguous. */
enum outcome estate_request_find(const struct estate *e, const char *prefix, struct digest *ret, struct fault *f);
/* The verdict as of now, from votes in the log and files not yet logged (nothing is written); for `request show`. */
enum outcome estate_judge(struct estate *e, const struct request *r, const struct asking_context *c,
                          struct verdict **ret, struct fault *f);

/* The policy whose people and rules judge this request: the one in force; before the first adoption the one that the
 * request names, read from the bindings' `policy:` (its digest must be the request's). Borrowed from the estate. */
enum outcome estate_judging(struct estate *e, const struct request *r, const struct policy **ret, struct fault *f);

/* What `quorate approve` and `reject` end in: verifies that `der` is this person's signature over the request (or over
 * the rejection document), writes the file and the entry. E_REFUSED, each with its own message: request spent, void,
 * rejected or expired, not this person's certificate, another document, already given. */
enum outcome estate_approve(struct estate *e, const struct request *r, const char *person, struct span der,
                            struct fault *f);
/* Who approved may do so again where the rule says `within`: the later approval counts where the earlier one is too old. What
 * is signed is estate_renewal's document, which names the signature before, so that only its signer can make a new one. */
enum outcome estate_renewal(struct estate *e, const struct request *r, const char *person, struct buf *ret,
                            struct fault *f);
enum outcome estate_approve_again(struct estate *e, const struct request *r, const char *person, struct span der,
                                  struct fault *f);
enum outcome estate_reject(struct estate *e, const struct request *r, const char *person, struct span document,
                           struct span der, struct fault *f);

#endif
