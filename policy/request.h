#ifndef QUORATE_POLICY_REQUEST_H
#define QUORATE_POLICY_REQUEST_H

#include "core/json.h"
#include "policy/policy.h"

/* The canonical document that describes one operation completely; people sign its bytes (design, section 6;
 * docs/FORMAT.md). */

#define REQUEST_TYPE "quorate/request/v1"
#define REQUEST_VERSION 1
#define REJECTION_TYPE "quorate/rejection/v1"
#define RENEWAL_TYPE "quorate/renewal/v1"

/* What is asked. Facts are derived from `json` and borrow from it.
 *
 * Members of the JSON, all operations: environment, estate, operation, origin, requester.
 * PKCS#11's: token, function; as they apply mechanism {name, parameter?}, label, class, object ("token"|"session"),
 * templates {key | private+public: {CKA_NAME: value}}, key (hex fingerprint of the key in the log), data {kind:
 * "message"|"digest", sha256}, born (seq of the key's entry, where it has no fingerprint), with {the other key: born?, class,
 * key?, label}.
 * The estate's: adopt-policy {host? {environment, estate, log-key, origin, site, token}, policy {canonical, digest, version},
 * succession?}; enrol-site {token, site, serial,
 * manufacturer, model, firmware, hardware, identity, transport (SPKI, hex), attestation?}; open-ceremony {ceremony, script
 * {canonical, digest, id}, bindings, people}; suspend {scope, reason?}; resume {scope}; retire-site, promote {token, site}; replicate
 * {token, site, label?, class?, key? or born?}; change-log-key {log-key}; readopt-log {heads}. succession is "true".
 *
 * Attribute values in templates: booleans "true"/"false", numbers as integers, classes, key types and mechanisms by
 * their PKCS#11 names, labels as text, everything else "hex:…", secrets "sha256:…" (with the nonce). */
struct subject {
    json_t *json; /* owned */
    enum operation operation;
    const char *estate, *environment, *origin, *requester;
    const char *token;      /* NULL where the operation has none */
    const char *label;      /* "" where absent */
    const char *class_name; /* private-key, secret-key, public-key, certificate, data; NULL */
    int object;             /* -1 not said, 0 session, 1 token */
    const char *function, *site, *script;
    bool succession;
    char key_type[24];                                /* "EC:P-384", "RSA:3072", "AES:256", "" where not a generation */
    bool can_sign, can_decrypt, can_derive, can_wrap; /* either half of the usage is asked */
    bool extractable, wrap_with_trusted;              /* a template says so */
};

enum outcome subject_read(json_t *json_taken, struct subject **ret, struct fault *f); /* takes json even on failure */
void subject_free(struct subject *s);

/* {"ceremony"?, "expires", "log": {"root", "size"}, "made", "nonce", "policy": {"digest", "version"}, "rule", "step"?,
 * "subject", "type", "version"} */
struct request {
    struct buf bytes; /* the canonical document */
    struct digest id; /* of the bytes */
    struct digest subject_digest;
    struct subject *subject;
    char *rule;           /* id of the rule that matched */
    struct digest policy; /* digest of the policy it was made under */
    unsigned policy_version;
    moment made, expires;
    char *ceremony, *step; /* or NULL */
    uint64_t log_size;
    struct digest log_root;
    char nonce[33];
};

struct request_frame { /* what stands around the subject */
    const char *rule;  /* id of the rule that matches, "succession" or "otherwise" */
    struct digest policy;
    unsigned policy_version;
    moment made, expires;
    const char *ceremony, *step; /* or NULL */
    uint64_t log_size;
    struct digest log_root;
    uint8_t nonce[16];
};

/* Until when a request that is made now waits: as its rule says, a day where there is none (NULL). */
moment request_expires(const struct rule *rule, moment made);
/* Composes the document around a subject (borrowed). E_MEMORY over LIMIT_REQUEST. */
enum outcome request_compose(const json_t *subject, const struct request_frame *frame, struct request **ret,
                             struct fault *f);
/* Parses strictly: the bytes must be the canonical form, with no member unknown. */
enum outcome request_parse(struct span bytes, struct request **ret, struct fault *f);
void request_free(struct request *r);

/* The document that somebody signs who approves again: canonical {"renews", "request", "type"}; renews is the digest of the
 * signature that they gave before, so that nothing older can be given out for it. */
enum outcome renewal_compose(const struct digest *request, const struct digest *renews, struct buf *ret,
                             struct fault *f);
/* The document that a rejection signs: canonical {"reason", "request", "type"}. */
enum outcome rejection_compose(const struct digest *request, const char *reason, struct buf *ret, struct fault *f);
/* *ret_reason is the caller's. */
enum outcome rejection_parse(struct span bytes, struct digest *ret_request, char **ret_reason, struct fault *f);

/* Curve name ("P-256", "P-384", "P-521", "Ed25519") of DER CKA_EC_PARAMS given as hex, or NULL. */
const char *ec_curve_name(const char *params_hex);

#endif
