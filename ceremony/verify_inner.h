#ifndef QUORATE_CEREMONY_VERIFY_INNER_H
#define QUORATE_CEREMONY_VERIFY_INNER_H

#include <stdio.h>

#include "audit/confidential.h"
#include "audit/log.h"
#include "audit/state.h"
#include "ceremony/claims.h"
#include "ceremony/script.h"
#include "ceremony/trust.h"
#include "core/limits.h"
#include "policy/evaluate.h"

/* One verification (internal to ceremony/verify*.c). Entries are visited in order; each visitor checks an entry against
 * the state before it, then the entry is applied. Checks never stop at the first failure: they say claim_fails. */

struct verified_request {
    struct request *request;
    json_t *verdict; /* of its last intent; owned */
};

struct artifact_record { /* an `artifact` entry of a ceremony whose body is here */
    struct digest digest;
    struct commit_text shown; /* as results name it: its digest, or its commitment */
    char *kind, *step;
    uint64_t seq, awaits; /* the intent of the provisional key that signed it; 0: none */
};

struct offer_record { /* an `offer` entry and what became of it */
    uint64_t intent;
    char *site;
    struct digest digest, challenge;
    struct buf public_key;
    char vendor[LIMIT_NAME + 1]; /* whose tools brought the key; empty: it was wrapped */
    bool receipted;              /* its receipt holds */
};

struct verified_use { /* a `used` entry */
    char *label;
    struct digest data, signature; /* of what the HSM was given, of what it returned */
    uint64_t seq, intent;          /* of the use */
    uint64_t awaits;               /* the intent of the provisional key that it is of; 0: of a born one */
};

struct verified_signed { /* what a make-csr or issue-certificate step says it made */
    bool certificate;    /* else a CSR */
    bool withheld;       /* something that it names is: the digests say nothing */
    char *label;
    const char *token; /* borrowed from the script */
    struct digest artifact, tbs, profile;
};

struct verified_ceremony {
    char *id;
    struct script *script;
    json_t *people; /* [{person, role}] */
    struct strings present;
    size_t next;          /* index of the expanded step that must be done next */
    uint64_t *deviations; /* seqs */
    size_t deviation_count;
    struct strings deviated;        /* ids of steps that have one */
    struct strings deviations_told; /* a line each, for the reader */
    struct strings exhibits;        /* as results name them */
    struct strings begun;           /* ids of steps that said so before their effect */
    json_t *answers;                /* step -> name -> the last such entry; NULL: none yet */
    json_t *withheld;               /* how results show entries whose bodies are withheld -> {step, type}; NULL: none */
    struct strings attested;        /* persons */
    struct artifact_record *artifacts;
    size_t artifact_count;
    struct verified_use *uses;
    size_t use_count;
    struct verified_signed *signed_things;
    size_t signed_count;
    json_t *drills, *arrivals; /* such entries since the last step was done; NULL: none yet */
    struct digest bindings;
    moment done;        /* when the last step was; before the first, the opening */
    uint64_t done_seq;  /* its entry */
    uint64_t to_cosign; /* so many entries have to be cosigned before it may close */
    bool closed;
};

struct verifier {
    const char *folder;
    struct trust trust;
    struct claims claims;
    struct state state;
    struct policy **policies; /* by digest, as they are met */
    size_t policy_count;
    const struct policy *judge; /* in force; the first before it is adopted */
    struct verified_request *requests;
    size_t request_count;
    struct verified_ceremony *ceremonies;
    size_t ceremony_count;
    struct offer_record *offers;
    size_t offer_count;
    struct strings bags;       /* item, bag, item, bag …: as sealed, in order */
    size_t drilled, undrilled; /* keys in drills that proved themselves, and that did not */
    unsigned unsealed_bags;    /* opened, but never seen sealed */
    struct strings expected;   /* files that the entries name */
    FILE *roots; /* of the tree at each size, from 0: a file without a name, so that memory does not grow */
    struct merkle_edge edge;
    struct checkpoint checkpoint;
    bool environment; /* the record says what ran */
    json_t *software; /* the last time; NULL: never */
    json_t *answered; /* challenges and nonces of what HSMs answered; NULL: none */
    json_t *classes;  /* class -> {here?, withheld?}: how many bodies; NULL: no entry is confidential */
    size_t withheld;  /* bodies, all classes together */
    enum entry_type last;
    moment last_time;
};

/* Reads FOLDER/NAME, marks it as expected. False and FILES fails where it is missing or unreadable. */
bool verify_file(struct verifier *v, const char *name, size_t max, struct buf *ret);
/* The same, and its SHA-256 must be `digest`. */
bool verify_file_digest(struct verifier *v, const char *name, size_t max, const struct digest *digest, struct buf *ret);
/* `FOLDER/D.yaml` and its canonical form `FOLDER/D.json`, whose digest must be `canonical`. ret_yaml is the tree. */
bool verify_document(struct verifier *v, const char *folder, const struct digest *digest,
                     const struct digest *canonical, struct buf *ret_bytes, struct yaml **ret_yaml);
/* FOLDER/NAME's path, the caller's, marked as expected, for what is read as a stream. NULL: FILES fails. */
char *verify_path(struct verifier *v, const char *name);
/* The root of the tree at that size is this one. */
bool verify_root(struct verifier *v, uint64_t size, const struct digest *root);
/* One leaf more. */
bool verify_root_keep(struct verifier *v, const struct digest *leaf);
/* After all entries: what the folder holds is what they named. */
void verify_inventory(struct verifier *v);

/* A text member of the body; "" where absent. */
const char *entry_text(const struct entry *e, const char *name);

/* Visitors, before the entry is applied. */
void verify_genesis(struct verifier *v, const struct entry *e);
void verify_request(struct verifier *v, const struct entry *e);
void verify_vote(struct verifier *v, const struct entry *e);
void verify_intent(struct verifier *v, const struct entry *e);
void verify_policy(struct verifier *v, const struct entry *e);
void verify_enrolment(struct verifier *v, const struct entry *e);
/* The request that an entry rests on: carried out after an intent with the same verdict, and of that operation. NULL: none. */
struct verified_request *verified_decision(struct verifier *v, const struct entry *e, enum operation op);
void verify_introduced(struct verifier *v, const struct entry *e);
void verify_taken(struct verifier *v, const struct entry *e);
void verify_log_key(struct verifier *v, const struct entry *e);
void verify_readoption(struct verifier *v, const struct entry *e);
void verify_renewal(struct verifier *v, const struct entry *e);
void verify_retirement(struct verifier *v, const struct entry *e);
void verify_arrival(struct verifier *v, const struct entry *e);
/* What the entry's HSM answered, by its challenge or nonce, it answered in no entry before. */
bool verified_once(struct verifier *v, const struct entry *e, const char *answered);
/* An HSM arrived in this step as the result says. */
bool verified_arrival(const struct verified_ceremony *c, const json_t *result);
void verify_receipt(struct verifier *v, const struct entry *e);
void verify_offer(struct verifier *v, const struct entry *e);
void verify_provisional(struct verifier *v, const struct entry *e);
/* After all entries: which births have not come to their end, until when they may, and what that means for certificates. */
void verify_awaited(struct verifier *v);
/* The last key with this label that a `provisional` named, whatever became of it; NULL: none. */
const struct state_key *verified_awaited(const struct verifier *v, const char *token, const char *label);
/* A use of a provisional key signs its own certificate, in a step that issues it. True of every use of a born key. */
bool verified_provisional_use(struct verifier *v, const struct entry *e, const struct request *r);
/* The intent of the provisional key that a `used` entry is of; 0: of a born one. */
uint64_t verified_use_awaits(const struct verifier *v, const struct entry *e);
void verify_birth(struct verifier *v, const struct entry *e);
void verify_replicated(struct verifier *v, const struct entry *e);
void verify_accepted(struct verifier *v, const struct entry *e);
void verify_drill(struct verifier *v, const struct entry *e);
void verify_drill_noted(struct verifier *v, struct verified_ceremony *c, const struct entry *e);
/* The result is that of a drill in this step; a key that failed has a deviation. */
bool verified_drill(const struct verified_ceremony *c, const struct step *s, const json_t *result);
void verify_offers_free(struct verifier *v);
void verify_use(struct verifier *v, const struct entry *e);
void verify_key_end(struct verifier *v, const struct entry *e); /* modified, destroyed */
/* The request that an entry carries out, of that operation, through its open intent; NULL where there is none. */
const struct verified_request *verified_end(struct verifier *v, const struct entry *e, enum operation op);
/* The subject names this key. */
bool verified_same_key(const struct subject *s, const struct state_key *key);
void verify_suspension(struct verifier *v, const struct entry *e); /* and its end */
void verify_cosigned(struct verifier *v, const struct entry *e);
void verify_close_cosigned(struct verifier *v, const struct verified_ceremony *c);
/* After all entries: the file `cosignatures`, over the closing checkpoint. */
void verify_closing_cosigned(struct verifier *v);
bool verified_cosigned(const struct verifier *v, const char *size, const struct digest *root);
/* REHEARSAL, a line for each difference that may be, and one for each that may not. */
void verify_rehearsal(struct verifier *real, const struct verifier *rehearsal, struct strings *ret_told,
                      struct strings *ret_refused);
void verify_timestamps(struct verifier *v, struct span checkpoint);
/* A step's time stamp (an artifact) over the text of the checkpoint `of`; e: the step's entry. False, or a claim fails. */
bool verify_step_stamp(struct verifier *v, const struct verified_ceremony *c, const struct entry *e,
                       const struct checkpoint *of, const struct digest *artifact);
void verify_promotion(struct verifier *v, const struct entry *e);
void verify_failover(struct verifier *v, const struct entry *e);
void verify_environment(struct verifier *v, const struct entry *e);
void verify_ceremony(struct verifier *v, const struct entry *e); /* every entry that belongs to one */
void verify_artifact(struct verifier *v, struct verified_ceremony *c, const struct entry *e);
void verify_use_noted(struct verifier *v, struct verified_ceremony *c, const struct entry *e);
/* Opens an entry that is confidential, where its body is here; its class must be the one that step or policy gives. */
void verify_confidential(struct verifier *v, struct entry *e);
/* After all entries: each class is here or withheld as a whole. */
void verify_classes(struct verifier *v);
/* Instead of all that is asked of an entry's body. */
void verify_withheld(struct verifier *v, struct verified_ceremony *c, const struct entry *e);
/* A value of the step's result is the commitment of such a withheld entry, written while this step was at hand; an artifact
 * may have been made ready before. */
bool verified_withheld(const struct verified_ceremony *c, const struct step *s, enum entry_type type,
                       const char *shown);
bool verified_withheld_artifacts(const struct verified_ceremony *c); /* some artifact of it is withheld */
/* The same as verified_withheld of an answer of this name, which must be of the class that this name has. */
bool verified_withheld_answer(const struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                              const char *name, const char *shown);
/* What somebody said, by the step's result. *ret NULL: it is withheld, and the claim says that it is not verifiable here.
 * False: the result has no such member. */
bool verified_value(struct verifier *v, enum claim_id claim, const struct verified_ceremony *c, const struct step *s,
                    const char *name, const json_t *result, const char **ret);
/* One more deviation of the ceremony; told: a line for the reader. False on memory. */
bool deviation_note(struct verified_ceremony *c, const char *step, uint64_t seq, const char *told);
/* The artifact of that kind that a member of the result names. False: there is none in the record. *ret NULL: withheld. */
bool verified_artifact(const struct verified_ceremony *c, const struct step *s, const char *kind, const json_t *result,
                       const char *name, const struct artifact_record **ret);
/* The key with this label that was born last, or became provisional since; NULL: none. */
const struct state_key *verified_key(const struct verifier *v, const char *token, const char *label);
/* The step says that its site held the key already: it had no effect. */
bool verified_held(const struct step *s, const json_t *result);
void verify_step_result(struct verifier *v, struct verified_ceremony *c, const struct step *s, const struct entry *e);
/* Exactly the members that an entry of a ceremony has. */
bool verify_members(struct verifier *v, const struct entry *e);
/* The entry is of the step that the ceremony is at. */
bool verify_at_step(struct verifier *v, const struct verified_ceremony *c, const struct entry *e);
void verify_answer(struct verifier *v, struct verified_ceremony *c, const struct entry *e);
void verify_exhibit(struct verifier *v, struct verified_ceremony *c, const struct entry *e);
/* The last answer of that name in the step, as an entry; NULL: none. */
const json_t *verified_answer(const struct verified_ceremony *c, const char *step, const char *name);
/* The result has the members of its action, says what the script asks for and what was answered. */
bool verify_result_said(const struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                        const json_t *actors, json_t *result);
/* At a ceremony's close. */
void verify_certificates(struct verifier *v, struct verified_ceremony *c);
void verify_attestations_complete(struct verifier *v, struct verified_ceremony *c);

bool person_holds(const struct verified_ceremony *c, const char *person, const char *role);
bool person_present(const struct verified_ceremony *c, const char *person);
bool deviation_on(const struct verified_ceremony *c, const char *step); /* the step has a deviation */

struct verified_request *verified_request(struct verifier *v, const struct digest *id);
struct verified_ceremony *verified_ceremony(struct verifier *v, const char *id);
/* The ceremony as evidence for an intent; false where the intent names one that is not running. */
bool verify_ceremony_fact(struct verifier *v, const char *ceremony, const char *step, struct ceremony_fact *ret);

#endif
