#ifndef QUORATE_MODULE_WORLD_H
#define QUORATE_MODULE_WORLD_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/file.h"
#include "core/limits.h"
#include "estate/asking.h"
#include "module/lower.h"

/* What one C_Initialize brings to life and C_Finalize ends. */

struct shown_token { /* a logical token, shown in one slot (its index) by its primary's HSM */
    const struct bound_token *bound;
    const char *primary;           /* the site's id; "" before a policy names it */
    const struct binding *binding; /* of the primary; NULL where it is not bound as a module */
    const struct binding *serving; /* of the site whose HSM this is: the primary, or a replica (module/failover.h) */
    struct lower *lower;           /* NULL: not there; the slot is then empty */
    CK_SLOT_ID lower_slot;
    bool left_in;                      /* sessions were lost with it: a login may have stayed below */
    bool noticed;                      /* that it is there: C_WaitForSlotEvent's last answer */
    char primary_name[LIMIT_NAME + 1]; /* what `primary` points to */
    /* Of module/failover.c: how often the slot went over to another HSM; the application is logged in; when no site answered
     * (milliseconds of the monotonic clock, 0: they do); the site that the log named last; sessions on HSMs that were lost. */
    uint32_t turn;
    atomic_bool user_in;
    uint64_t in_vain_at;
    char follows[LIMIT_NAME + 1];
    struct left_session *left;
    size_t left_count;
};

struct world {
    pthread_mutex_t lock; /* guards the estate: take it for every call into estate/, never on the pass-through path */
    struct estate *estate;
    struct lower *lowers[LIMIT_LOWER_MODULES];
    size_t lower_count;
    struct shown_token *tokens;
    size_t token_count;
    /* The ceremony that this process runs (vendor verbs "ceremony" and "step"); give `context` and `requester` to every
     * question to the estate. */
    struct asking_context context;  /* .ceremony NULL outside a ceremony's step */
    char *requester;                /* the person at the step, NULL: uid:N */
    struct ceremony_fact fact;      /* what context.ceremony points to */
    char *ceremony, *script, *step; /* the fact's texts */
    struct digest tbs;              /* what the step signs, kept in home/artifacts; all zero: not said */
    struct lock *ceremony_lock;
    /* Of the birth that is carried out or settled; its visits to sites take a share of it. NULL: none. */
    struct lock *carried;
};

/* given: a bindings path or NULL. Loads every lower module that the bindings name as such; one that cannot be loaded
 * leaves the slots of its tokens empty. */
enum outcome world_open(const char *given, struct world **ret, struct fault *f);
void world_close(struct world *w);
struct lower *world_lower(const struct world *w, const char *path); /* NULL if not loaded */
/* The same, loading it where it is not loaded yet. */
enum outcome world_lower_want(struct world *w, const char *path, struct lower **ret, struct fault *f);
struct shown_token *world_token(const struct world *w, const char *id);
/* Names the primary by log and policy; its binding is NULL where it is not bound as a module. */
void world_name(const struct world *w, struct shown_token *t);
/* Looks again who the primary is and whether its HSM is there. E_ABSENT, E_DEVICE: it is not, the slot is empty. */
enum outcome world_look(struct world *w, struct shown_token *t, struct fault *f);

/* Whether every lower module has the functions of PKCS#11 3.0: those that are loaded, or, before C_Initialize, those that
 * the bindings name where they are found without being told. Takes the world's lock. */
bool world_offers_3_0(void);

/* The world between C_Initialize and C_Finalize, NULL outside. Who sets NULL closes the world afterwards. */
struct world *world_current(void);
void world_set_current(struct world *w);

/* Takes the lock of an open ceremony; E_BUSY where another process runs it. NULL gives it back. */
enum outcome world_ceremony(struct world *w, const char *ceremony, struct fault *f);
/* Where that ceremony is: its rules hold for `operation` (-1: none) from now on, asked for by `actor` (NULL: uid:N). tbs: what
 * the step signs, kept in home/artifacts (NULL: not said); a provisional key signs nothing else. */
enum outcome world_step(struct world *w, const char *step, int operation, const char *actor, const struct digest *tbs,
                        struct fault *f);

/* Why the calling thread's last call was refused, for the vendor verb "refusal". */
void refusal_set(const struct fault *f);         /* NULL: it was not; forgets the request */
void refusal_name(const struct digest *request); /* after refusal_set: the request that waits for people */
const char *refusal_text(void);
const char *refusal_request(void); /* "" where there is none */

#endif
