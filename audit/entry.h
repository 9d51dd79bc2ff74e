#ifndef QUORATE_AUDIT_ENTRY_H
#define QUORATE_AUDIT_ENTRY_H

#include "core/json.h"

/* One entry of the log: canonical JSON {body, ceremony?, seq, time, type}, at most LIMIT_ENTRY bytes; the Merkle
 * leaf is exactly these bytes (design, section 9; docs/FORMAT.md lists the bodies). A confidential one has the members
 * class and commit in place of its body (audit/confidential.h). */
/* clang-format off */
#define ENTRY_TYPES(X)                                                                                                 \
    X(GENESIS, "genesis") X(ENVIRONMENT, "environment") X(POLICY, "policy") X(SITE_ENROLLED, "site-enrolled")          \
    X(ARRIVED, "arrived") X(DEPARTED, "departed") X(CEREMONY_OPENED, "ceremony-opened") X(ENTERED, "entered") X(LEFT, "left")                  \
    X(STEP, "step") X(ANSWER, "answer") X(DEVIATION, "deviation") X(EXHIBIT, "exhibit") X(REQUEST, "request")          \
    X(APPROVAL, "approval") X(REJECTION, "rejection") X(INTENT, "intent") X(OFFER, "offer") X(RECEIPT, "receipt")      \
    X(ACCEPTED, "accepted") X(PROVISIONAL, "provisional") X(BORN, "born") X(ROLLED_BACK, "rolled-back")                \
    X(ORPHAN, "orphan") X(USED, "used") X(MODIFIED, "modified") X(DESTROYED, "destroyed") X(CLEARED, "cleared") X(REFUSED, "refused")        \
    X(SUSPENDED, "suspended") X(RESUMED, "resumed") X(PROMOTED, "promoted") X(DRILL, "drill") X(ARTIFACT, "artifact")  \
    X(COSIGNED, "cosigned") X(MOVED, "moved") X(RECOVERED, "recovered") X(LOG_KEY, "log-key")                          \
    X(SITE_RETIRED, "site-retired") X(ROSTER_CONFIRMED, "roster-confirmed") X(TIMESTAMP, "timestamp")                  \
    X(CEREMONY_CLOSED, "ceremony-closed") X(HEAD, "head") X(READOPTED, "readopted")                                    \
    X(INTRODUCED, "introduced") X(SITE_KEYS, "site-keys") X(SEEN, "seen") X(TAKEN, "taken") X(SETTLED, "settled") \
    X(FAILOVER, "failover") X(REPLICATED, "replicated") X(TRANSPORT_RENEWED, "transport-renewed")
/* clang-format on */

enum entry_type {
#define X(name, text) ENTRY_##name,
    ENTRY_TYPES(X)
#undef X
        ENTRY_TYPE_COUNT
};
const char *entry_type_name(enum entry_type t);
int entry_type_parse(const char *text); /* the type, or -1 */

struct entry {
    enum entry_type type;
    uint64_t seq; /* from 0: the genesis */
    moment time;
    const char *ceremony; /* or NULL; borrowed from json, or from who made the entry */
    json_t *body;         /* borrowed from json; NULL: confidential, and not opened */
    const char *class;    /* of a confidential entry, borrowed like its ceremony; else NULL */
    struct digest commit; /* to its body and salt */
    json_t *json;         /* owned: of a parsed one all of it, else what holds its body */
    struct digest digest; /* SHA-256 of the bytes of a genesis (it names the estate) or an intent; else zeros */
    struct digest leaf;   /* RFC 6962 leaf hash */
};

/* Appends the bytes; on failure the buffer holds no more than before. The entry is what entry_parse would make of
 * them, but shares body, ceremony and class with the caller, who leaves them alone until entry_clear. */
enum outcome entry_make(enum entry_type type, uint64_t seq, moment time, const char *ceremony, const json_t *body,
                        struct entry *ret, struct buf *ret_bytes, struct fault *f);
/* A confidential one, not opened; E_INVALID where entries of that type are never confidential. */
enum outcome entry_make_committed(enum entry_type type, uint64_t seq, moment time, const char *ceremony,
                                  const char *class, const struct digest *commit, struct entry *ret,
                                  struct buf *ret_bytes, struct fault *f);
/* The bytes alone. */
enum outcome entry_compose(enum entry_type type, uint64_t seq, moment time, const char *ceremony, const json_t *body,
                           struct buf *ret, struct fault *f);
enum outcome entry_parse(struct span bytes, struct entry *ret, struct fault *f);
void entry_clear(struct entry *e);

#endif
