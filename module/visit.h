#ifndef QUORATE_MODULE_VISIT_H
#define QUORATE_MODULE_VISIT_H

#include "audit/document.h"
#include "audit/drill.h"
#include "audit/listing.h"
#include "core/file.h"
#include "estate/ends.h"
#include "module/head_object.h"
#include "module/site_keys.h"
#include "module/wrapping.h"

/* What is done at a replica site, on a thread that may hang there (internal to replica*.c and birth*.c). All that such a
 * thread touches is in here; nobody else does while it is out. */
struct visit;
typedef enum outcome visit_fn(struct visit *v, struct fault *f);

struct visit {
    char *token, *serial;    /* serial: the enrolled one, NULL where the site is not enrolled */
    struct binding bound;    /* a copy */
    struct lower *lower;     /* of the site, held; NULL where it is not a module of this process */
    struct digest estate;    /* its name */
    struct site_keys pinned; /* as the log has them */
    struct site_link link;   /* open from the first visit on that needs it */
    enum site_login how;     /* it is opened so: SITE_MODULE where nobody says otherwise */
    struct lock *lock;       /* a share in what is being carried out: nobody takes it over while we are out */

    /* For visit_wrap and those around it: the primary, where the key lies. */
    struct wrapping_place *place;
    CK_OBJECT_HANDLE key;        /* that is wrapped */
    enum wrapping wrapping_from; /* the strongest that is tried */
    bool sha1_allowed;
    bool trusted;          /* it leaves under trusted keys alone (module/trusted.h) */
    char *rule;            /* that says so, for texts */
    bool takes_rsa_aes;    /* of visit_ready: the site says that it unwraps by CKM_RSA_AES_KEY_WRAP */
    bool wrapping_unknown; /* of visit_take: the site does not know the offer's mechanism; a weaker one may do */
    bool clone_wrong;      /* of visit_clone: another key is there, or the key otherwise than it was approved */

    /* Of a birth. */
    struct offer offer; /* all but mechanism and blobs is given */
    struct digest offer_digest;
    struct receipt receipt;

    /* Of keys that are there. */
    struct buf id, wanted; /* CKA_ID; the one that it is to get */
    char *label;
    CK_OBJECT_CLASS class;
    struct buf public_key; /* SPKI; empty: not known */
    struct template attributes;

    /* Of the log's heads on the HSM: what lies there; the one that is to be put there (empty: none). */
    char *origin;
    struct heads heads;
    struct buf note;

    /* Of a site that is reached by a courier: the message, and what its answer says. */
    struct buf message;
    unsigned within;                /* seconds */
    struct digest challenge, birth; /* that it must answer; digest of the intent by which the key came there */
    struct buf answer;              /* to the challenge, of courier_ready: the identity key's signature */
    bool challenged;                /* the challenge is given: none is made */
    uint64_t intent;                /* seq of the one that is spoken of */
    struct key_end end;             /* of a born key */
    uint64_t seen;                  /* so much of our log the site has, with this root */
    struct digest root;

    /* Of a drill: by courier seqs of `born` entries, else the keys themselves; what the site answered. */
    json_t *drill_keys;
    struct drill_asked *asked; /* module/drill.h */
    struct drill drill;
    struct listing listing; /* of an inventory, by courier: what the site says */

    /* The visit that is out, and how it ended. */
    visit_fn *run;
    struct lower *in; /* the library that it is in; NULL: none */
    enum outcome outcome;
    struct fault fault;
};

visit_fn visit_open;      /* opens the link where it is not open: what every visit but the last begins with */
visit_fn visit_ready;     /* the HSM is the enrolled one and answers a challenge */
visit_fn visit_wrap_open; /* at the primary: a session with all that wrapping takes but the key */
visit_fn visit_wrap;      /* there: the offer's mechanism and blobs */
visit_fn visit_wrap_end;  /* there: the AES key is destroyed, the session closed */
visit_fn visit_take;      /* judges the offer, takes the key in: the receipt */
visit_fn visit_clone;     /* looks for the key that people brought: the receipt; E_ABSENT where it is not there yet */
visit_fn visit_name;      /* the key `label` gets the CKA_ID `wanted` */
visit_fn visit_withdraw;  /* destroys what has the CKA_ID `id`, and looks that nothing is left */
visit_fn
    visit_destroy;    /* destroys the key of `class` with that id and its public half, and looks that neither is left */
visit_fn visit_holds; /* E_ABSENT where no key of `class` has that id */
visit_fn visit_change;   /* sets `attributes` on it and reads them back; it may have got the new CKA_ID already */
visit_fn visit_compare;  /* E_REFUSED where it has them otherwise */
visit_fn visit_heads;    /* E_ABSENT where the HSM cannot be reached */
visit_fn visit_head_put; /* makes the new head, then deletes `heads` */
visit_fn visit_drill;    /* all keys of `asked` prove themselves, for `challenge` */
visit_fn visit_close;
/* The same where a courier carries the message and the answer. */
visit_fn courier_ready, courier_take, courier_born, courier_withdraw, courier_destroy, courier_drill, courier_list;

void visit_free(struct visit *v); /* NULL is fine; a link that is still open is closed */
/* The end of one that nobody waits for any more, on its thread: what it took in is destroyed again, all is closed, and the
 * library counts as answering. */
void visit_late(void *visit);

#endif
