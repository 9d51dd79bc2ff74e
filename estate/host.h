#ifndef QUORATE_ESTATE_HOST_H
#define QUORATE_ESTATE_HOST_H

#include "estate/estate.h"
#include "estate/message.h"

/* At a site that is elsewhere: the record of the estate's host, followed from messages and judged by ourselves. It lies
 * in home/host, laid out as a home (the log without its secret key), and is a backup of the host's. */
struct host {
    struct estate *own;  /* the site's home; borrowed */
    struct estate *copy; /* the host's: log, fold, policy in force. Nothing may be appended to it */
    struct follower *follower;
    struct lock *lock; /* one process at a time follows */
    bool broken;       /* a message was refused half way: to be opened again before it is used */
};

/* E_REFUSED where this home was never introduced to an estate. */
enum outcome host_open(struct estate *own, struct host **ret, struct fault *f);
void host_close(struct host *h);

/* Takes in what the message brings of the host's log: it must be for this site, go on from what was seen (lines that are
 * known must be the same), lead to a checkpoint signed by the key in force; and whatever in it changes policy, log key,
 * sites or suspension, or begins a birth or an end, must have been approved as the policy of its time asks, evaluated
 * again here. Durable when OK; otherwise nothing of it counts. E_REFUSED names what does not hold. */
enum outcome host_follow(struct host *h, const struct message *m, struct fault *f);

/* The same judgement of a message that brings a whole log, in memory, for an introduction: whoever reads it finds out
 * whether it holds by its own genesis, whose log key nobody vouches for but people. *ret (estate_close) has no log; its
 * fold and its policy in force are the host's. ret_key: of the genesis. */
enum outcome host_examine(const struct message *m, struct estate **ret, struct note_key *ret_key, struct fault *f);

/* The root of the host's log now: what entries of the site's own log name. */
bool host_seen_put(const struct host *h, json_t *body);

#endif
