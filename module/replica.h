#ifndef QUORATE_MODULE_REPLICA_H
#define QUORATE_MODULE_REPLICA_H

#include "module/errand.h"
#include "module/visit.h"
#include "module/world.h"

/* The replica sites of a token, in whatever way they are reached. All that is wanted of one goes by visits, which run side
 * by side: each has a thread of its own and the time that the policy gives the site (`answer-within`). A site that does
 * not answer in that time is absent: its thread is left to itself, nothing is asked of that HSM's library until it is
 * back, and it ends what it began. Estate and log are the caller's alone; the world's lock is held throughout. */

enum visit_kind {
    VISIT_THERE,
    VISIT_READY,
    VISIT_WRAP_OPEN,
    VISIT_WRAP,
    VISIT_WRAP_END,
    VISIT_TAKE,
    VISIT_CLONE,
    VISIT_NAME,
    VISIT_WITHDRAW, /* what a birth left */
    VISIT_DESTROY,  /* a born key */
    VISIT_HOLDS,
    VISIT_CHANGE,
    VISIT_HEADS,
    VISIT_HEAD_PUT,
    VISIT_DRILL,
    VISIT_LIST, /* by courier alone: what lies on the HSM */
    VISIT_CLOSE,
    VISIT_NONE
};

struct replica {
    struct world *world;
    char *token, *site;
    bool far;   /* reached by a courier: what it is to judge travels with each message */
    bool known; /* far: how much of our log it has (`from`) is known, by an answer of this session */
    uint64_t from;
    enum visit_kind then;                /* far: what follows once that is known; VISIT_NONE */
    unsigned answer_within, wrap_within; /* seconds: this site; the primary, where the visit is there */
    struct visit *visit;          /* what goes in and comes out; not to be touched while a visit is out; NULL: absent */
    struct errand *out;           /* NULL: none is */
    struct wrapping_place *place; /* at the primary, for this site; NULL: none, or a visit is there with it */
    enum visit_kind kind;         /* of the last visit */
    bool ready;                   /* the caller's mark */
    bool carried;       /* files are carried there by people: keys are wrapped for it, all other visits are refused */
    const char *cloned; /* people bring keys there by this vendor's tools, once they are made; NULL. Of the bindings */
    unsigned offers;    /* the caller's count of those made to it */
};

struct replicas {
    struct replica items[LIMIT_SITES];
    size_t count;
};

/* Seconds that a site has for one answer, by the policy in force. */
unsigned site_answers_within(const struct world *w, const char *site);

/* The replica at this site, made where it is not in the list yet; nothing is asked of it. E_ABSENT, E_REFUSED: it is not in
 * the bindings, or reached in a way that lets nobody ask. */
enum outcome replicas_want(struct replicas *all, struct world *w, const char *token, const char *site,
                           struct replica **ret, struct fault *f);
/* Takes one off the list, closing its link; those behind it move up. No visit of it is out. */
void replica_drop(struct replicas *all, size_t i);
/* Waits for visits that are out; the links begin to be closed, side by side. No other visit is begun after it. */
void replicas_close(struct replicas *all);
/* The same; waits, and forgets all. */
void replicas_end(struct replicas *all);

/* The visit is to the HSM of that earlier enrolment, which has retired. E_ABSENT: another one is bound there. */
enum outcome replica_was(struct replica *r, const struct state_site *then, struct fault *f);

/* Whether the bindings reach this site by a courier. */
bool replica_is_far(const struct world *w, const char *token, const char *site);

/* Begins a visit. To a site that is reached by a courier it goes with the entries of our log that it has not seen, and
 * a challenge goes first where that is not known: VISIT_NAME then says that the key is born, VISIT_WITHDRAW that it is not,
 * VISIT_DESTROY that it came to its end (visit->end; visit->intent and ->birth say which, and the log must say so too). E_DEVICE: the site was absent before; E_MEMORY. */
enum outcome replica_begin(struct replica *r, enum visit_kind kind, struct fault *f);
/* Waits for the next visit to end: how it did is in *ret_outcome and f, which names token and site. NULL: none is out. */
struct replica *replicas_next(struct replicas *all, enum outcome *ret_outcome, struct fault *f);
/* One visit, alone. */
enum outcome replica_visit(struct replica *r, enum visit_kind kind, struct fault *f);

#endif
