#ifndef QUORATE_AUDIT_FOLD_H
#define QUORATE_AUDIT_FOLD_H

#include "audit/state.h"

/* Inside of the state: one entry on its way in. The readers are sticky: after the first fault they do nothing and give
 * denying values, so a body is read as a whole and `fold_goes` asked once, before anything is changed. */
struct fold {
    const struct state *look; /* for looking */
    struct state *s;          /* for changing; NULL while only asked whether the entry would do */
    const struct entry *e;
    json_t *body;
    enum outcome rc;
    struct fault *f;
};

/* True where all is well and the state is to be changed. */
bool fold_goes(const struct fold *x);
void fold_fail(struct fold *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fold_memory(struct fold *x);

void fold_members(struct fold *x, const char *names); /* exactly these; see json_members */
bool fold_has(const struct fold *x, const char *name);
const char *fold_text(struct fold *x, const char *name);     /* not empty; "" after a fault */
const char *fold_label(struct fold *x, const char *name);    /* may be empty */
const char *fold_optional(struct fold *x, const char *name); /* NULL where absent; may be empty */
struct digest fold_digest(struct fold *x, const char *name);
moment fold_moment(struct fold *x, const char *name);
uint64_t fold_count(struct fold *x, const char *name);
void fold_hex(struct fold *x, const char *name, struct buf *ret); /* ret->max is the bound */
/* Members "public-key" and "fingerprint", which is its digest. */
void fold_public_key(struct fold *x, struct buf *ret, struct digest *ret_fingerprint);
void fold_strings(struct fold *x, const char *name, struct strings *ret); /* no repeats, none empty; the caller's */
void fold_texts(struct fold *x, const char *name);                        /* a list of any texts */
void fold_verdict(struct fold *x); /* member "verdict": {counted, decision, rule}, the decision must be allow */

/* Copies into the state; NULL stays NULL. */
char *fold_copy(struct fold *x, const char *text);
/* Room for one more item: items or a larger copy of it; NULL on memory (x then fails). Arrays grow by doubling. */
void *fold_room(struct fold *x, void *items, size_t count, size_t size);

/* The request that member "request" names, if it is pending, or being carried out, and asked for this operation (NULL:
 * any). NULL after a fault. */
struct state_request *fold_live_request(struct fold *x, const char *operation);
void fold_void_pending(struct fold *x, const char *why); /* every pending request */
/* What it asked for is done: spent, and its open intent, if any, settled. */
void fold_spend(struct fold *x, struct state_request *r);
void fold_token_made_new(struct fold *x,
                         const char *token); /* its HSMs may have lost the log's head, until one is told */
struct state_site *fold_site(struct fold *x, const char *token, const char *site); /* enrolled, or a fault */

void fold_site_add(struct fold *x, struct strings *sites, const char *site); /* where it is not among them */
/* What an intent left at a site is gone: it is no orphan of it any more, and what retired there is destroyed. */
void fold_cleared(struct fold *x, struct state_intent *i, const char *site);
void fold_site_remove(struct strings *sites, const char *site);

/* The member "until" of a retirement's intent; 0: absent. */
moment fold_retirement_until(struct fold *x, const char *operation);
/* A site was drilled for `challenge`: failed says how; for what retirements wait. */
void fold_retirements_drilled(struct fold *x, const struct state_site *s, const struct digest *challenge, bool failed);

typedef void fold_handler(struct fold *x);
fold_handler fold_genesis, fold_policy, fold_log_key, fold_suspended, fold_resumed, fold_recovered, fold_cosigned,
    fold_timestamp, fold_ceremony_opened, fold_ceremony_closed;
fold_handler fold_failover, fold_promoted, fold_moved;
fold_handler fold_site_enrolled, fold_arrived, fold_departed, fold_drill, fold_site_retired;
fold_handler fold_head, fold_readopted;
fold_handler fold_request, fold_approval, fold_rejection, fold_refused;
fold_handler fold_intent, fold_offer, fold_receipt, fold_accepted, fold_rolled_back, fold_orphan;
fold_handler fold_introduced, fold_site_keys, fold_seen, fold_taken, fold_settled;
fold_handler fold_provisional, fold_transport_renewed;
fold_handler fold_born, fold_replicated, fold_used, fold_modified, fold_destroyed, fold_key_cleared;

#endif
