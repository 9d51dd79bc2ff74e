#ifndef QUORATE_AUDIT_STATE_H
#define QUORATE_AUDIT_STATE_H

#include "audit/entry.h"
#include "audit/map.h"
#include "core/yaml.h"

/* The fold of the log and nothing else: policy in force, sites and places, requests and votes, open intents, keys and
 * replicas, suspension. Knows no rules and no PKCS#11. Pointers into it are valid until the next state_apply. */

struct state_site {
    char *token, *site, *serial, *manufacturer, *model, *firmware, *hardware;
    struct buf identity, transport;   /* SubjectPublicKeyInfo, DER */
    char *identity_id, *transport_id; /* CKA_ID of the pairs, hex */
    uint64_t seq;                     /* of site-enrolled */
    uint64_t renewed;                 /* of the last transport-renewed; 0: none */
    bool retired;
    bool headed;             /* its HSM carries the log's head: from now on one must be there */
    struct strings pardoned; /* heads there that people took for settled: digest of the note (hex), or "missing" */
    bool placed;
    bool away;                                    /* it left and has not arrived: it counts nowhere */
    char *bag;                                    /* in which it left, while it is away */
    char *latitude, *longitude, *country, *place; /* place: the site's id where at home, else a description */
    struct strings tags;
    moment arrived;
    moment drilled; /* the last drill that proved all it holds; 0: none, or a later one in which a key failed */
    uint64_t drill; /* its seq */
};

struct state_vote {
    bool rejection;
    char *person;
    struct digest certificate, public_key, signature; /* signature: SHA-256 of the .p7s */
    char *reason;                                     /* of a rejection */
    moment at;
    uint64_t seq;
};

enum request_state {
    REQUEST_PENDING,
    REQUEST_INTENT /* being carried out */,
    REQUEST_SPENT,
    REQUEST_REJECTED,
    REQUEST_VOID
};
struct state_request {
    struct digest id, subject;
    char *operation, *token, *label, *rule;
    moment made, expires;
    enum request_state state;
    char *why; /* of VOID and REJECTED */
    struct state_vote *votes;
    size_t vote_count;
    uint64_t seq, intent; /* intent: seq of the last one, 0: none */
};

enum intent_state {
    INTENT_OPEN,
    INTENT_BORN /* done, sites not all told */,
    INTENT_SETTLED,
    INTENT_ROLLED_BACK,
    INTENT_PROVISIONAL /* the key is made, or goes to one more site; receipts are awaited until `until` */
};
struct state_offer {
    char *site;
    struct digest offer;
    bool answered; /* a receipt for it is in the log */
};
struct state_intent {
    uint64_t seq;
    struct digest digest; /* of the entry: CKA_ID and locks derive from it */
    struct digest request;
    char *operation, *token, *label;
    enum intent_state state;
    moment at, until;                  /* until: of a provisional one; of a retirement, which then waits; else 0 */
    json_t *body;                      /* the whole entry's body; owned */
    struct strings offered, receipted; /* sites */
    struct strings orphans;            /* sites that could not be settled; `accepted` takes them off again */
    struct state_offer *offers;        /* each with its digest, spare ones included; of a retirement that waits: what
                                          other sites answered (their challenge) */
    size_t offer_count;
};

struct state_key {
    char *token, *label, *type; /* type: "EC:P-384" */
    char *class_name;           /* private-key, secret-key */
    char *id;                   /* CKA_ID, hex */
    struct digest fingerprint;  /* of the public key's SPKI; secret keys: all zero */
    struct buf public_key;      /* SPKI DER; empty for secret keys */
    struct strings sites;       /* that hold it, the primary included */
    struct strings retired;     /* that held it and are not known to have destroyed it */
    moment born;
    uint64_t seq, intent; /* intent 0: none, it was born under a rule that plainly allows */
    bool destroyed;
};

struct state_token {
    char *token;
    char *promoted;       /* its primary by the last `promoted`, NULL: as the policy has it */
    char *serving;        /* the site that uses go to, by the last `failover` since; NULL: the primary */
    char *serving_reason; /* as it says */
    uint64_t serving_seq;
};

struct state_suspension {
    char *scope; /* "estate", "token:ID", "key:LABEL@TOKEN" */
    uint64_t seq;
};

struct state_cosigned { /* signatures by cosigners that an entry holds; whether they hold is for others to say */
    uint64_t size, seq; /* of the checkpoint; of the entry */
    struct digest root;
    struct strings lines; /* signature lines without their newlines */
};

struct state_move { /* the log got another origin */
    char *before;   /* its origin until then */
    uint64_t from;  /* checkpoints of so many entries and more are of the new one */
};

struct state_ceremony {
    char *id, *script;
    uint64_t seq;
    bool closed;
};

/* Of a home at a site that is elsewhere: whose site it is, and what it did for that estate (docs/FORMAT.md, Messages). */
struct state_host {
    struct digest estate;
    char *environment, *origin, *log_key, *token, *site;
    struct buf identity, transport;   /* of the site's keys, SubjectPublicKeyInfo; empty before they are made */
    char *identity_id, *transport_id; /* CKA_ID, hex */
    struct buf transport_before;      /* the one that the last renewal replaced; empty: none */
    char *transport_before_id;
    uint64_t size; /* so many entries of the host's log were taken in */
    struct digest root;
};
enum taken_state { TAKEN_PENDING, TAKEN_BORN, TAKEN_WITHDRAWN, TAKEN_DESTROYED };
struct state_taken {
    struct digest intent, request, offer, receipt; /* intent: digest of the host's entry; receipt: all zero before it */
    enum taken_state state;
    uint64_t seq;
};

struct state {
    bool started;
    char *environment, *origin, *name;
    struct digest estate; /* SHA-256 of the genesis entry */
    struct digest genesis_policy;
    struct digest policy; /* in force; all zero before the first */
    unsigned policy_version;
    uint64_t policy_seq; /* of the entry that put it in force */
    uint64_t size;       /* entries applied */
    moment last_time;
    struct state_site *sites;
    size_t site_count;
    struct state_request *requests;
    size_t request_count;
    struct state_intent *intents;
    size_t intent_count;
    struct state_key *keys;
    size_t key_count;
    struct state_key *awaited; /* keys that `provisional` names, whatever became of them since: seq is that entry's */
    size_t awaited_count;
    struct state_token *tokens; /* those that an entry named so far */
    size_t token_count;
    struct state_suspension *suspensions;
    size_t suspension_count;
    struct state_ceremony *ceremonies;
    size_t ceremony_count;
    struct state_move *moves; /* in order */
    size_t move_count;
    struct state_cosigned *cosigned;
    size_t cosigned_count;
    struct digest *refused; /* subjects refused without a request, under the policy in force */
    size_t refused_count;
    struct state_host *host; /* NULL: this home is no site's of another */
    struct state_taken *taken;
    size_t taken_count;
    struct map request_index; /* id -> place in requests */
    struct map refused_index; /* subject -> place in refused */
};

void state_init(struct state *s);
void state_clear(struct state *s);

/* Applies one entry: a body with missing, unknown or wrong members, or a transition that cannot be (born without
 * intent, approval of an unknown request, genesis not first) is E_INVALID with type and seq. On failure *s is unusable.
 */
enum outcome state_apply(struct state *s, const struct entry *e, struct fault *f);
/* Whether state_apply would take this entry: to be asked before it is written (log_set_check). Changes nothing. */
enum outcome state_check(const struct state *s, const struct entry *e, struct fault *f);

struct state_site *state_site(const struct state *s, const char *token,
                              const char *site); /* NULL if not enrolled or retired */
/* The last one that retired from there; NULL: none did. */
const struct state_site *state_site_retired(const struct state *s, const char *token, const char *site);
/* The last that was enrolled there before that entry, whatever became of it since; NULL: none was. */
const struct state_site *state_site_before(const struct state *s, const char *token, const char *site, uint64_t seq);
/* That one has retired. */
bool state_site_gone(const struct state *s, const char *token, const char *site, uint64_t seq);
/* The site of the token, retired ones too, whose transport or identity key has this CKA_ID; NULL: none. */
const struct state_site *state_site_of_id(const struct state *s, const char *token, const char *id_hex);
struct state_token *state_token(const struct state *s, const char *token); /* NULL where no entry said anything of it */
struct state_request *state_request(const struct state *s, const struct digest *id);
/* The last approval with that certificate; NULL: none. */
const struct state_vote *state_approval(const struct state_request *r, const struct digest *certificate);
struct state_request *state_request_by_subject(const struct state *s,
                                               const struct digest *subject); /* newest pending or in intent */
struct state_intent *state_intent(const struct state *s, uint64_t seq);
struct state_intent *state_intent_named(const struct state *s,
                                        const struct digest *entry); /* by its digest; NULL: none */
/* Of a retirement that waits: the challenge that this other site is to answer, for exactly the keys that it holds now. False on
 * memory. */
bool state_retirement_challenge(const struct state *s, const struct state_intent *i, const char *site,
                                struct digest *ret);
/* All these keys proved themselves for that challenge, and none failed there since. */
bool state_retirement_proven(const struct state *s, const struct state_intent *i, const char *site);
bool state_intent_plain(const struct state_intent *i);           /* of a birth that a rule plainly allows */
const char *state_intent_ceremony(const struct state_intent *i); /* in which it was written; NULL: none */
struct state_key *state_key(const struct state *s, const char *token, const char *class_name, const char *id_hex,
                            const char *label); /* living; label NULL: any */
/* The key of that intent, as `provisional` names it; NULL: none. It lives while the intent's state is INTENT_PROVISIONAL. */
struct state_key *state_key_awaited(const struct state *s, uint64_t intent);
struct state_key *state_key_ever(const struct state *s, uint64_t seq); /* destroyed ones too */
struct state_key *state_key_born(const struct state *s, uint64_t seq); /* of that `born` entry, living; or NULL */
/* The one living key of that label, where that site holds it; NULL: it does not, or there are several. */
const struct state_key *state_key_held(const struct state *s, const char *token, const char *label, const char *site);
bool state_key_at(const struct state_key *k, const char *token, const char *site); /* living, and held there */
/* The HSM that is there now held it before it retired, and is not known to have destroyed it. */
bool state_key_left_at(const struct state *s, const struct state_key *k, const char *site);
/* The newest offer taken in for this intent (digest of the host's entry), or with this digest of its own; NULL: none. */
struct state_taken *state_taken(const struct state *s, const struct digest *intent);
struct state_taken *state_taken_offer(const struct state *s, const struct digest *offer);
/* The origin that a checkpoint of this size has. */
const char *state_origin_at(const struct state *s, uint64_t size);
bool state_was_refused(const struct state *s, const struct digest *subject);
bool state_suspended(const struct state *s, const char *token, const char *label); /* any scope that covers it */

#endif
