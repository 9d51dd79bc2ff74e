#ifndef QUORATE_MODULE_BIRTH_WORK_H
#define QUORATE_MODULE_BIRTH_WORK_H

#include "module/birth.h"
#include "module/recovery.h"
#include "module/site_keys.h"

/* The parts of one birth (internal to birth*.c). */

struct birth_site { /* a replica; its own copy of what the log has pinned, for the state moves with every entry */
    char *site, *serial;
    struct site_keys pinned;
    struct site_link link;
};

struct birth_work {
    const struct birth *b;
    struct world *world;
    struct estate *estate;
    const char *token;
    /* of the rule, as it was judged */
    char *rule_id;
    unsigned rule_line, at_least;
    bool prove_signature, sha1_allowed, while_suspended;

    struct birth_site sites[LIMIT_SITES];
    size_t site_count;
    struct site_link primary;
    struct lock *lock;
    uint64_t intent;
    bool intended; /* the intent is in the log */
    bool held;     /* the key is permanent on the primary: from here on only forward */
    struct digest intent_digest;
    struct buf id;   /* CKA_ID that derives from it */
    struct buf spki; /* of the new key; empty for secret keys */
    CK_OBJECT_HANDLE session_secret, session_public;
    CK_OBJECT_HANDLE secret, public; /* permanent */
};

/* Steps 2 and 3: judges once more, and asks every site for a sign of life. E_REFUSED, E_PENDING, E_DEVICE: nothing was
 * made, the text names the sites. */
enum outcome birth_plan(struct birth_work *k, struct fault *f);

/* Step 5: generates the key as session objects on the primary. */
enum outcome birth_make(struct birth_work *k, struct fault *f);
/* Step 6, for one site: wraps the key into an offer. */
enum outcome birth_offer(const struct birth_work *k, const struct birth_site *s, struct offer *ret, struct fault *f);
/* Steps 6 and 7, for one site: the entries and documents around offer and receipt. */
enum outcome birth_send(struct birth_work *k, struct birth_site *s, struct fault *f);
/* Step 7, the site's own part: judges the offer, takes the key in, answers. */
enum outcome site_accept(const struct site_link *link, const struct site_keys *pinned, const struct digest *estate,
                         const struct offer *o, const struct digest *offer_digest, struct receipt *ret,
                         struct fault *f);

/* Step 8, up to the point of no return: the key is permanent on the primary, and nothing else of it is left there. */
enum outcome birth_keep(struct birth_work *k, struct fault *f);

#endif
