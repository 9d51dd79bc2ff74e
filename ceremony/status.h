#ifndef QUORATE_CEREMONY_STATUS_H
#define QUORATE_CEREMONY_STATUS_H

#include "ceremony/describe.h"
#include "ceremony/tool.h"

/* What `quorate status` knows, gathered once, shown as text or as JSON. */
struct status {
    struct estate *estate;
    moment now;
    struct fault agreement; /* E_…: why the bindings' policy file is not the one in force; OK: it is */
    json_t *answering;      /* "tokens" of the module: what answers now; NULL: not asked */
    json_t *carried;        /* what is owed to sites that files are carried to, and awaited: status_carried() */
    struct fault asking;    /* why not; OK with an empty text: --offline */
    json_t *attention;      /* [{next?, text}]: what somebody should look at, and the command for it: status_attend() */
    struct strings refusals; /* the last ones, newest first */
    struct strings due;      /* people and keys whose time is near or over */
    struct strings risks;    /* what policy_check remarks */
};

#define STATUS_REFUSALS 5          /* shown */
#define STATUS_REFUSALS_READ 10000 /* entries looked at for them */
#define STATUS_DUE_DAYS 30

void status_put(const struct status *s, struct buf *b);
json_t *status_json(const struct status *s); /* NULL on memory */

/* What answers at this (token, site) now: {"serial", "site", "state", "token"}; NULL: nothing, or not asked. */
const json_t *status_answer(const struct status *s, const char *token, const char *site);
/* When the key's lifetime ends by the rule that its birth matched; MOMENT_NEVER where none is set. */
moment status_key_until(const struct status *s, const struct state_key *k);
/* When a rule wants the next drill of this enrolled site at the latest: the end of the shortest `fresh:` that counts it,
 * from its last drill; 0: it has passed none. MOMENT_NEVER where no rule asks. */
moment status_drill_due(const struct status *s, const struct state_site *site);
/* [{files, kind, label?, born or intent or size, site, token, until?}], as in estate/owed.h. */
enum outcome status_carried(const struct estate *e, json_t **ret, struct fault *f);
void status_carried_put(const struct status *s, struct buf *b);
/* Whether something about this intent is to be carried. */
bool status_intent_carried(const struct status *s, const struct state_intent *t);
/* Of all else that s holds. */
enum outcome status_attend(const struct status *s, json_t **ret, struct fault *f);
void status_attention_put(const struct status *s, struct buf *b);
bool status_unsettled(const struct state_intent *t); /* not at its end, or something of it is left somewhere */
/* Sites whose receipts, or proofs for a retirement, are awaited until t->until; the caller's. False on memory. */
bool status_awaited(const struct state *s, const struct state_intent *t, struct strings *ret);
/* A request that still waits. */
bool status_waits(const struct status *s, const struct state_request *r);

#endif
