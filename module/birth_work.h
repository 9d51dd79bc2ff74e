#ifndef QUORATE_MODULE_BIRTH_WORK_H
#define QUORATE_MODULE_BIRTH_WORK_H

#include "module/birth.h"
#include "module/recovery.h"
#include "module/site_keys.h"

/* The parts of one birth (internal to birth*.c). */

struct birth_work {
    const struct birth *b;
    struct world *world;
    struct estate *estate;
    const char *token;
    /* of the rule, as it was judged */
    char *rule_id;
    unsigned rule_line, at_least, spares;
    bool prove_signature, sha1_allowed, clones_allowed, while_suspended;
    struct span_of_time deferred; /* receipts of carried and cloned sites may come so late; zero: not at all */

    struct replicas replicas; /* those that take part */
    struct replicas heads;    /* the token's HSMs, as far as the log's head on them goes */
    struct site_link primary;
    struct lower *below; /* its module */
    struct lock *lock;
    uint64_t intent;
    bool intended; /* the intent is in the log */
    bool direct;   /* the key is made where it stays, and never extractable: it goes nowhere but by cloning */
    bool held;     /* the key is permanent on the primary: from here on only forward */
    bool awaited;  /* `provisional` is in the log */
    struct digest intent_digest;
    struct buf id;   /* CKA_ID that derives from it */
    struct buf spki; /* of the new key; empty for secret keys */
    CK_OBJECT_HANDLE session_secret, session_public;
    CK_OBJECT_HANDLE secret, public; /* permanent */
};

/* Steps 2 and 3: judges once more, opens the primary where it is not, and asks every site for a sign of life and for the log's
 * head. E_REFUSED, E_PENDING, E_DEVICE: nothing was
 * made, the text names the sites. */
enum outcome birth_plan(struct birth_work *k, struct fault *f);

/* What wrapping takes but the key begins to be made ready at the primary, for each replica, while the key is made. */
enum outcome birth_prepare(struct birth_work *k, struct fault *f);

/* Before step 8: nothing has changed since the intent that ends it. E_REFUSED, E_IO. */
enum outcome birth_recheck(struct birth_work *k, struct fault *f);

/* Nobody can ask this one now: files are carried there, or the key is cloned once it is made. */
bool replica_later(const struct replica *r);

/* Step 5: generates the key on the primary, as session objects unless it is `direct`. */
enum outcome birth_make(struct birth_work *k, struct fault *f);
/* Steps 6 and 7, for these of the replicas, side by side: offers, receipts, and the entries and documents around them; of
 * those that keys are cloned to the offers alone. On
 * failure of one no further visit is begun, and those that were begun are waited for. */
enum outcome birth_send(struct birth_work *k, size_t from, size_t count, struct fault *f);
/* Step 6, for one: the offer alone, in its visit. */
enum outcome birth_wrap(const struct birth_work *k, struct replica *r, struct fault *f);

/* Step 8, up to the point of no return: the key is permanent on the primary, and nothing else of it is left there, nor of what
 * wrapped it. */
enum outcome birth_keep(struct birth_work *k, struct fault *f);

#endif
