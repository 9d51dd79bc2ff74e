#ifndef QUORATE_MODULE_FAR_H
#define QUORATE_MODULE_FAR_H

#include "estate/host.h"
#include "module/site_keys.h"

/* The far end: a site that judges by itself (design, section 7.7). The home is the site's own; the host's record is
 * followed in home/host. */

struct far {
    struct world *world;
    struct estate *own;
    struct host *host;
    struct site_link link;
    struct site_keys keys; /* as our own log has them */
};

/* `quorate introduce`: makes transport and identity keys where our log names none that are there still, and answers the
 * root of the host's log as it is known here with them, as to a message `challenge` with `enrol`: whoever has that log knows
 * that the answer is not older. The home must be introduced. certificates: a PEM file with the vendor's, of these keys; what
 * they say is kept in the home for every answer to an enrolment. data NULL: nothing is said, and nothing kept any more. */
enum outcome far_introduce(struct world *w, struct span certificates, struct buf *ret_answer, struct fault *f);

/* `quorate accept`: one message of the host, judged and carried out. On OK *ret_answer is the answer, which is a refusal
 * (*ret_refused, and f says why) where the message does not hold, or what it wants may not be done. Any other outcome:
 * nothing can be answered. May be repeated with the same message after a death at any step. */
enum outcome far_accept(struct world *w, struct span message, struct buf *ret_answer, bool *ret_refused,
                        struct fault *f);

/* Parts (internal). Each fills `more` with the answer's members. */
enum outcome far_offer(struct far *x, const struct message *m, json_t *more, struct fault *f);
enum outcome far_settle(struct far *x, const struct message *m, json_t *more, struct fault *f);
enum outcome far_key_end(struct far *x, const struct message *m, json_t *more, struct fault *f);
enum outcome far_drill(struct far *x, const struct message *m, json_t *more, struct fault *f);
enum outcome far_inventory(struct far *x, const struct message *m, json_t *more, struct fault *f);
/* CKA_IDs of the site's transport keys, as its own log has them. NULL on memory. */
json_t *far_transports(const struct state_host *h);
/* Destroys what is pending of this intent of the host and logs that it is withdrawn. */
enum outcome far_withdraw(struct far *x, const struct state_taken *t, struct fault *f);
/* An entry of our own log about an intent: names it and what was seen of the host's log; `more` is taken. */
enum outcome far_log(struct far *x, enum entry_type type, const struct digest *intent, json_t *more_taken,
                     struct fault *f);
/* The subject that people approved names this key: by its fingerprint, a secret one by its birth. */
bool far_key_named(const struct subject *asked, const struct state_key *key);
/* No other key that came here and lives, and none of the site's own, has the CKA_ID under which what comes by this intent stands
 * here once it is born: by that alone it is found when it ends. */
enum outcome far_id_free(const struct far *x, const struct state_intent *way, struct fault *f);
/* site-keys: what x->keys holds. */
enum outcome far_keys_log(struct far *x, struct fault *f);
/* Signs with the identity key; `name` of `more` gets the signature. */
enum outcome far_sign(struct far *x, const struct digest *digest, const char *name, json_t *more, struct fault *f);

/* The transport key (module/far_transport.c): after a carried birth the HSM makes the next one, which the identity key vouches
 * for; the host's log pins it, and what was wrapped for the one before is still taken in. */
/* With the answer that the birth is known here: member `renewal`, where its receipts were awaited. */
enum outcome far_renew(struct far *x, const struct state_intent *birth, json_t *more, struct fault *f);
/* Destroys the key before once the host's log has pinned the next, and no birth that is under way may need it. */
enum outcome far_transport_retire(struct far *x, struct fault *f);
/* The key that an offer of this birth was wrapped for. */
enum outcome far_transport_for(struct far *x, const struct state_intent *birth, struct fault *f);

#endif
