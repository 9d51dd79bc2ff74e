#ifndef QUORATE_POLICY_EVALUATE_H
#define QUORATE_POLICY_EVALUATE_H

#include "policy/request.h"

/* policy_evaluate(policy, request, evidence) -> verdict. Pure: no clock, no files, no state of its own. A verifier that
 * evaluates again gets the same decision, rule and counted people (semantics 1, docs/FORMAT.md). */

enum vote_kind { VOTE_APPROVAL, VOTE_REJECTION, VOTE_UNUSABLE };
struct vote {
    enum vote_kind kind;
    struct digest fingerprint; /* of the signer's certificate, signature verified */
    struct digest public_key;
    moment at;        /* of its log entry */
    uint64_t seq;     /* of its log entry */
    const char *what; /* VOTE_UNUSABLE: file and reason, for a finding; VOTE_REJECTION: the reason */
};

struct site_fact { /* one (token, site) as the log knows it */
    const char *token, *site;
    double latitude, longitude;
    const char *country; /* "" unknown */
    const struct strings *tags;
    const char *hardware; /* as attested at enrolment */
    moment drilled;       /* 0: never */
    bool enrolled;
    bool placed;  /* an `arrived` entry is in force */
    bool away;    /* it left, and has not arrived */
    bool at_home; /* the place is the policy's site of that name */
};

/* As policy_check, of the rules with replicas alone and of sites as the log knows them: which can no key meet now, and
 * which one more loss would keep it from. */
enum outcome policy_check_sites(const struct policy *p, const struct site_fact *sites, size_t count, moment at,
                                struct remarks *ret, struct fault *f);

struct ceremony_fact {
    const char *id;     /* the running ceremony */
    const char *script; /* its script's id */
    const char *step;
    int operation; /* the operation that the step's action is, -1: none */
};

struct key_fact { /* of the key that a `use` names */
    moment born;
    uint64_t seq;                /* of its `born` */
    const struct strings *sites; /* that hold it */
    bool provisional;            /* not born yet: born and seq are of its `provisional` */
    moment until;                /* of a provisional one: when the last receipt may come */
    const char *ceremony;        /* of a provisional one: in which its birth began; NULL: none */
};

struct evidence {
    moment at; /* the time of the intent (or now) */
    const struct vote *votes;
    size_t vote_count;
    const struct site_fact *sites;
    size_t site_count;
    const struct ceremony_fact *ceremony; /* NULL: none that this process holds */
    const struct key_fact *key;           /* NULL: not a use of a born key */
    bool suspended;                       /* the scope of this operation is */
    uint64_t cosigned;                    /* so many entries were cosigned as the policy wants it */
};

enum decision { DECISION_DENY, DECISION_PENDING, DECISION_ALLOW };
const char *decision_name(enum decision d); /* deny, pending, allow */

enum finding_kind { FINDING_MET, FINDING_MISSING, FINDING_AGAINST, FINDING_NOTE };
struct finding {
    enum finding_kind kind;
    const char *code; /* a stable word for programs: quorum, ceremony, replicas, key, rejected, expired, leaver, … */
    char *text;       /* one sentence, without the position */
};

struct verdict {
    enum decision decision;
    const struct rule *rule; /* borrowed from the policy; NULL: `otherwise` or `succession` */
    const char *file;        /* of the policy; borrowed */
    unsigned line;           /* of the rule, of `otherwise`, of `succession` */
    char *rule_id;           /* the rule's id, "otherwise" or "succession" */
    struct strings counted;  /* ids of people whose approval counts, sorted */
    struct strings sites;    /* replica sites that qualify, in the policy's order */
    struct finding *findings;
    size_t finding_count;
};

/* The first rule whose `when` matches, or NULL for `otherwise: deny`. Cheap: this is all that a pass-through needs. */
const struct rule *policy_match(const struct policy *p, enum operation op, const char *token, const char *label,
                                const char *class_name, int object);

/* The rule that says how late receipts may come under a request that rule `r` judges, and how many spare offers go out
 * (replicas: deferred, spares): of a birth r; of a key that is brought to a site the first for `generate` of such a key. */
const struct rule *policy_receipts(const struct policy *p, const struct rule *r, const struct subject *s);

/* May a born key (e->key, e->at, e->sites) still be used: is it within the lifetime, and are its HSMs where the rule of
 * its birth wants them by now (placed-within)? The rule is the first for `generate` of that token, label and class
 * (private-key unless class_name is secret-key). policy_evaluate asks this for `use` itself; who passes a use through
 * under `allow: true` without it must ask too. False: *ret_code is "lifetime" or "place", and the reason is appended to
 * ret_text. */
bool policy_key_in_order(const struct policy *p, const char *token, const char *label, const char *class_name,
                         const struct evidence *e, const char **ret_code, struct buf *ret_text);

/* Denied before any rule is asked: made under another policy, expired, suspended (unless the rule says while-suspended;
 * suspend, resume and succession always go on), or a request that names another rule than the one that decides. Then
 * deny: something that no approval can change; pending: people, a ceremony or sites are missing; allow. A request for
 * adopt-policy with `succession` is judged by the policy's succession alone. E_MEMORY is the only fault. */
enum outcome policy_evaluate(const struct policy *p, const struct request *r, const struct evidence *e,
                             struct verdict **ret, struct fault *f);
void verdict_free(struct verdict *v);

/* What is logged: {"counted":[…],"decision":…,"rule":…}. NULL on memory. The caller's. */
json_t *verdict_json(const struct verdict *v);
/* "FILE:LINE: rule \"ID\": DECISION" and a line for each finding, each ended by a newline; for people. */
void verdict_put(const struct verdict *v, struct buf *b);
/* In one line: whom or what it waits for, or why it is denied. */
void verdict_put_short(const struct verdict *v, struct buf *b);

#endif
