#ifndef QUORATE_CEREMONY_CLAIMS_H
#define QUORATE_CEREMONY_CLAIMS_H

#include "core/json.h"

/* What a verification states. Each claim is proven (mathematics and pinned keys), attested (somebody's word, recorded
 * unalterably) or does not hold, with the first reason. */
enum standing { PROVEN, ATTESTED };

#define CLAIMS(X)                                                                                                      \
    X(LOG, PROVEN, "log", "every entry is in the tree that the log's key signed, in order")                            \
    X(FILES, PROVEN, "files", "no file is missing, none is altered, none too many")                                    \
    X(POLICIES, PROVEN, "policies", "each policy in force was adopted as the one before it asks")                      \
    X(REQUESTS, PROVEN, "requests", "each request is the document that was logged")                                    \
    X(VOTES, PROVEN, "votes", "each approval and rejection is signed by the person it names")                          \
    X(VERDICTS, PROVEN, "verdicts", "each verdict, computed again, is the same")                                       \
    X(SITES, PROVEN, "sites", "each HSM answered its challenge with the keys that a quorum pinned")                    \
    X(VENDORS, PROVEN, "vendors", "keys of these HSMs are their vendors', by certificates up to roots of the policy")  \
    X(HARDWARE, ATTESTED, "hardware", "serial, model and firmware are as people read them")                            \
    X(PLACES, ATTESTED, "places", "each HSM was where its entry says")                                                 \
    X(BIRTHS, PROVEN, "births", "each key has its replicas' own signatures and their sites' receipts")                 \
    X(SECRETS, ATTESTED, "secret-keys", "replicas of keys that cannot sign are as their sites say")                    \
    X(CLONES, ATTESTED, "clones",                                                                                      \
      "keys were brought to these sites by their vendor's own tools, and stayed in its HSMs")                          \
    X(DRILLS, PROVEN, "drills", "each replica in a drill signed again, and its site answered for it")                  \
    X(USES, PROVEN, "uses", "each governed use signed exactly what was approved")                                      \
    X(ENDS, PROVEN, "changes", "each key was changed or destroyed as approved, or as a rule allows")                   \
    X(SUSPENSIONS, PROVEN, "suspensions", "each suspension and its end were approved")                                 \
    X(HEADS, PROVEN, "heads", "where an HSM remembered another log, enough people decided that this one goes on")      \
    X(OPENING, PROVEN, "opening", "script, bindings and people are the ones that were approved")                       \
    X(STEPS, PROVEN, "steps", "every step was recorded, in order, by those whom the script asks")                      \
    X(PRESENCE, ATTESTED, "presence", "the people did what the record says")                                           \
    X(CUSTODY, ATTESTED, "custody", "bags were opened as they were last sealed")                                       \
    X(CERTIFICATES, PROVEN, "certificates", "each certificate is its profile's, the approved bytes, by the born key")  \
    X(ARTIFACTS, PROVEN, "artifacts", "each artifact and exhibit record is the one that was logged")                   \
    X(ATTESTATIONS, PROVEN, "attestations", "each participant signed the record and its deviations")                   \
    X(ON_PAPER, ATTESTED, "on-paper", "participants without a card signed the printed record")                         \
    X(COSIGNERS, PROVEN, "cosigners", "programs elsewhere signed this same log, as many as the policy asks")           \
    X(CLOSING, PROVEN, "closing", "the record ends with the ceremony's close")                                         \
    X(CONFIDENTIAL, PROVEN, "confidential",                                                                            \
      "each confidential body is the one that its entry commits to, of its class")                                     \
    X(REHEARSAL, PROVEN, "rehearsal", "the run is the one that was rehearsed, but for what has to differ")             \
    X(SOFTWARE, ATTESTED, "software", "the programs were those that the record names")                                 \
    X(TIMESTAMP, PROVEN, "timestamp", "an authority of the trust file saw the closing checkpoint at its time")         \
    X(TIME, ATTESTED, "time", "times are the ceremony computer's")

enum claim_id {
#define X(name, standing, id, text) CLAIM_##name,
    CLAIMS(X)
#undef X
        CLAIM_COUNT
};

struct claim {
    unsigned checked;  /* things that this claim was checked on */
    unsigned failures; /* how often it did not hold */
    char *failure;     /* the first reason */
    char *evidence;    /* what it rests on, in a few words; NULL */
    unsigned unseen;   /* things that are not verifiable here: what they rest on is withheld */
    char *unseen_what; /* the first of them */
};
struct claims {
    struct claim items[CLAIM_COUNT];
};

void claims_clear(struct claims *c);
void claim_holds(struct claims *c, enum claim_id id);
/* Keeps the first reason. Always returns false, so that a check can end with it. */
bool claim_fails(struct claims *c, enum claim_id id, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Not verifiable here; keeps the first. */
void claim_unseen(struct claims *c, enum claim_id id, const char *format, ...) __attribute__((format(printf, 3, 4)));
void claim_evidence(struct claims *c, enum claim_id id, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool claims_hold(const struct claims *c); /* none failed */

void claims_put(const struct claims *c, struct buf *b); /* for people: a line each */
/* {"claims": [{"claim", "evidence"?, "failure"?, "not-verifiable"? {"count", "first"}, "standing"}…], "holds"} */
json_t *claims_json(const struct claims *c);

#endif
