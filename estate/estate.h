#ifndef QUORATE_ESTATE_ESTATE_H
#define QUORATE_ESTATE_ESTATE_H

#include "audit/log.h"
#include "audit/state.h"
#include "core/bindings.h"
#include "policy/policy.h"

/* One home: its log, the fold of it, and the policy in force. Where policy (pure) and audit (no rules) meet; what
 * module/ and ceremony/ share. Not thread-safe: the module serialises its calls.
 *
 * home/log/          the log's folder (audit/log.h)
 * home/policies/     DIGEST.yaml, every policy ever adopted
 * home/people/       FINGERPRINT.der, certificates of the roster
 * home/requests/     ID/request.json, PERSON.p7s, PERSON.reject.json, PERSON.reject.p7s
 * home/offers/       DIGEST.json, until the birth ends
 * home/receipts/     DIGEST.json
 * home/births/       REQUEST.lock, held while a birth lives
 * home/scripts/      DIGEST.yaml; bindings/, profiles/ likewise
 * home/artifacts/    DIGEST, and DIGEST.p7s beside what is signed
 * home/attestation.json  of a site that is elsewhere: what its HSM's vendor says of its keys (policy/attestation.h)
 * home/snapshot      a cache of the state (estate/snapshot.h)
 * home/ceremonies/   ID/lock, held by the process that runs it; ID/checkpoint, the closing one */
struct snapshot_mark {
    uint64_t size; /* entries that home/snapshot covers, as far as this process knows */
    size_t bytes;  /* of the file */
};

struct estate {
    struct bindings *bindings;
    struct log *log;
    struct state state;
    struct snapshot_mark snapshot;
    struct policy *policy;    /* in force; NULL before the first */
    struct policy *candidate; /* read for the first adoption; see estate_judging */
    struct mirrors {
        bool level;          /* looked at as a whole since this object, or a fault of it, began */
        bool contents, fill; /* what estate_mirrors_settle wants: every byte compared, empty ones filled */
        bool watched;
    } mirrors;
    char *ceremony; /* id of the ceremony that this process is in: every entry written here carries it; or NULL */
};

/* `quorate init`: home, log key, genesis. The first policy is read from the bindings' `policy:`; its digest goes into
 * the genesis. origin NULL: made from the policy's name, the environment and chance. environment is production, test or
 * rehearsal. */
enum outcome estate_create(const char *bindings_path, const char *environment, const char *origin, struct fault *f);

/* Opens the home that the bindings (bindings_load(given)) name. E_ABSENT where there is none yet ("run quorate init").
 */
enum outcome estate_open(const char *given, struct estate **ret, struct fault *f);
void estate_close(struct estate *e);

/* Reads what others wrote; loads the policy in force where it changed. */
enum outcome estate_refresh(struct estate *e, struct fault *f);
/* The bindings' `policy:` must have the digest in force: E_REFUSED names both. E_ABSENT: no policy adopted yet. */
enum outcome estate_policy_in_force(struct estate *e, struct fault *f);

/* One entry by itself (takes and releases the append lock). */
enum outcome estate_append(struct estate *e, enum entry_type type, const json_t *body, uint64_t *ret_seq,
                           struct fault *f);

/* The same for what may be confidential: of this class, or where that is NULL of the one that the policy in force gives to
 * the type; where that gives none, or the class is "", not confidential. */
enum outcome estate_append_as(struct estate *e, enum entry_type type, const char *class, const json_t *body,
                              uint64_t *ret_seq, struct fault *f);

/* home/FOLDER/NAME, the caller's; NULL on memory. Either may be NULL. */
char *estate_path(const struct estate *e, const char *folder, const char *name);

/* Keeps bytes as home/FOLDER/DIGEST+suffix, durably; there already by its digest is fine. */
enum outcome estate_keep(const struct estate *e, const char *folder, const char *suffix, struct span bytes,
                         struct digest *ret, struct fault *f);
/* Reads home/FOLDER/DIGEST+suffix and checks the digest (E_REFUSED where it is another). */
enum outcome estate_kept(const struct estate *e, const char *folder, const char *suffix, const struct digest *digest,
                         struct buf *ret, struct fault *f);

/* 32 bytes of chance that never leave the home (home/salt, made when first wanted): what secrets in subjects are hashed
 * with, so that nobody who reads a request can try values. The caller wipes it. */
enum outcome estate_salt(const struct estate *e, struct digest *ret, struct fault *f);

/* CKA_ID that derives from an intent: first 20 bytes of SHA-256("quorate key id v1\n" || digest of the entry), hex. */
void estate_key_id(const struct digest *intent, char ret_hex[41]);

/* Mirrors of the home (bindings, home-mirrors): every durable write reaches all of them, or work stops. Whoever appends first
 * brings level what was away; one that holds another log, or more of it than the home, is refused by name. This looks at
 * every byte. fill: folders that are there and empty become mirrors. Takes the append lock. */
enum outcome estate_mirrors_settle(struct estate *e, bool fill, struct fault *f);
/* "level", "behind", "not there" or "another log", as of now; nothing is written. why: a fault's text, for the last two. */
const char *estate_mirror_look(const struct estate *e, size_t i, struct fault *why);

/* Public halves, certificates: copies every person's certificate into home/people; roster_check. Missing ones are
 * E_ABSENT and named. base: folder that relative paths start at. */
enum outcome estate_roster_import(struct estate *e, const struct policy *p, const char *base, struct fault *f);
/* The certificate of a person of the policy in force, DER. */
enum outcome estate_certificate(const struct estate *e, const struct person *p, struct buf *ret_der, struct fault *f);

#endif
