#ifndef QUORATE_POLICY_POLICY_H
#define QUORATE_POLICY_POLICY_H

#include <regex.h>

#include "core/digest.h"
#include "core/limits.h"
#include "core/moment.h"
#include "core/yaml.h"
#include "policy/classes.h"
#include "policy/cosigners.h"
#include "policy/operation.h"

/* The reviewed document: people, sites, tokens, rules (design, section 4). Parsed once, then read only. */

struct person {
    char *id, *name, *organisation;
    struct strings roles;
    struct digest fingerprint; /* SHA-256 of the certificate's DER */
    char *certificate;         /* a PEM or DER file to find it by, relative to the policy file; NULL: people/ID.pem */
    moment from, until;        /* until is exclusive; MOMENT_NEVER where absent; from 0 where absent */
    char *alternate_for;       /* the principal's id, or NULL; never an alternate themselves */
    moment alternate_from, alternate_until; /* when they may stand in; as from and until */
    unsigned line;
};

/* Degrees, as written ("51.51") and as a number. */
struct place {
    char *latitude_text, *longitude_text;
    double latitude, longitude;
    char *country; /* "" where unknown */
    struct strings tags;
};

struct site {
    char *id;
    struct place at;
    unsigned answer_within; /* seconds; 0: not said */
    struct digest *roots;   /* attested-by: SHA-256 of vendors' root certificates (DER) */
    size_t root_count;
    struct strings extensions, values; /* attested-with: object identifiers; the bytes of each (extnValue), in hex */
    unsigned line;
};

struct token {
    char *id, *primary;
    struct strings replicas;
    size_t promoted;   /* primary and this replica (from 1) have changed places since the document; 0: none */
    bool failover_use; /* failover: use (the only one): where its HSM is lost, uses go to a replica */
    unsigned line;
};

struct quorum {
    struct strings of;      /* roles; never empty */
    struct strings except;  /* roles whose holders do not count */
    unsigned at_least;      /* people; at least 1 */
    unsigned organisations; /* distinct; 0: any */
    int64_t within;         /* seconds from first to last counted approval; 0: any */
    unsigned reject_at;     /* 0: as soon as the quorum can no longer form */
    unsigned line;
};

struct replica_rule {
    bool present;
    unsigned at_least;
    bool prove_signature; /* prove: signature; else attest */
    double apart_km;      /* 0: any */
    struct strings tagged, countries, sites;
    struct span_of_time placed_within; /* zero: must be in place now */
    char *hardware;                    /* NULL, "attested" (by either), or core/hardware.h */
    struct span_of_time fresh;         /* zero: any */
    struct span_of_time deferred;      /* receipts of carried sites may come so late; zero: within the birth */
    unsigned spares;                   /* offers to each carried site beyond the one, for other media */
    bool self_signs;                   /* provisional-use: until then the key may sign its own certificate */
};

struct key_rule {
    bool present;
    struct strings types;         /* "EC:P-384", "RSA:3072", "AES:256"; empty: any */
    struct strings usage;         /* "sign", "decrypt", "derive", "wrap"; each names both halves; empty: any */
    struct span_of_time lifetime; /* zero: none */
};

enum effect { EFFECT_DENY, EFFECT_ALLOW, EFFECT_REQUIRE };

struct rule {
    char *id;
    unsigned line;
    /* when: all that are present must match */
    uint32_t operations;    /* bit per enum operation */
    struct strings tokens;  /* empty: any */
    char *label;            /* the expression as written, or NULL */
    regex_t label_regex;    /* POSIX extended, REG_NOSUB, C locale; an absent label is "" */
    struct strings classes; /* private-key public-key secret-key certificate data; empty: any */
    int object;             /* -1 any, 0 session objects only, 1 token objects only */
    enum effect effect;
    /* require: */
    struct strings ceremony; /* script ids; empty: none needed */
    bool has_quorum;
    bool cosigned; /* of use: the record of the key's birth must have been cosigned */
    struct quorum quorum;
    struct replica_rule replicas;
    struct key_rule key;
    bool extractable_closed;     /* extractable: closed */
    bool trusted_wrap_only;      /* extractable: trusted-wrap-only */
    struct strings transport;    /* other ways allowed by name: cloned, oaep-sha1 */
    unsigned uses_at_most;       /* uses: how many an approval grants; 0: exactly the data that was signed */
    int64_t uses_within;         /* seconds */
    struct span_of_time expires; /* of requests; 24 hours where absent */
    bool while_suspended;
};

struct policy {
    char *file;              /* the name it was parsed under, for messages */
    struct digest digest;    /* of the file's bytes */
    struct digest canonical; /* of the canonical JSON form */
    unsigned semantics;
    char *name;
    unsigned version;
    struct person *people;
    size_t person_count;
    struct site *sites;
    size_t site_count;
    struct token *tokens;
    size_t token_count;
    struct rule *rules;
    size_t rule_count;
    struct quorum succession;    /* at_least 0: the document has none */
    struct cosigners cosigners;  /* none where the document has none */
    struct classes confidential; /* by type of entry; none where the document has none */
    unsigned otherwise_line;
    struct buf source;         /* the file's bytes */
    struct buf canonical_json; /* its canonical form */
};

/* Parses and checks the document by itself: known keys, references, two people with one fingerprint, expressions
 * (no back-references), ranges. What the code does not carry out yet (wait, a quorum for wrap, …) is an
 * error that says "not yet". *ret is the caller's. */
enum outcome policy_parse(const char *file, struct span bytes, struct policy **ret, struct fault *f);
/* The canonical JSON form is YAML too: parsed, it gives the same policy but for positions and `digest`. */
void policy_free(struct policy *p);

const struct person *policy_person(const struct policy *p, const char *id);
const struct person *policy_person_by_fingerprint(const struct policy *p, const struct digest *fingerprint);
/* Makes this site the primary, the declared one a replica in its place. NULL, or no site of the token: as declared. */
void token_promote(struct token *t, const char *site);
const struct site *policy_site(const struct policy *p, const char *id);
const struct token *policy_token(const struct policy *p, const char *id);
const struct rule *policy_rule(const struct policy *p, const char *id); /* ids are unique */

/* Great-circle distance in kilometres (haversine, R = 6371.0088). */
double place_distance_km(double lat1, double lon1, double lat2, double lon2);

/* One thing that `policy check` found. */
enum remark_kind {
    REMARK_BROKEN /* refuses adoption */,
    REMARK_UNMET /* can never be met */,
    REMARK_FRAIL /* one loss away */
};
struct remark {
    enum remark_kind kind;
    unsigned line;
    char *text; /* "FILE:LINE: rule \"ID\": …" */
};
struct remarks {
    struct remark *items;
    size_t count;
};
/* What the declared people and sites can and cannot satisfy at that time. REMARK_BROKEN: no adopt-policy rule, none
 * that can be met, no succession, or one that cannot be met. */
enum outcome policy_check(const struct policy *p, moment at, struct remarks *ret, struct fault *f);
void remarks_free(struct remarks *r);

#endif
