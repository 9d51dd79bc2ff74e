#ifndef QUORATE_MODULE_SHELF_H
#define QUORATE_MODULE_SHELF_H

#include "audit/listing.h"
#include "module/things.h"

/* What lies on one site's HSM against what the log says of it (internal to the inventory). */
struct shelf {
    struct world *world;
    const struct state
        *state; /* that it is held against: of this home's log; at a site that is elsewhere, of its host's */
    const char *token, *site;  /* borrowed */
    const json_t *transports;  /* CKA_IDs of transport keys that are the site's by its own word; NULL: none */
    json_t *objects, *missing; /* what the vendor verb "inventory" says of it */
    uint64_t differences;
    bool *found, *found_public; /* by the place of a key in the state */
    bool found_identity, found_transport, found_head;
};
enum outcome shelf_make(struct world *w, const struct state *state, const char *token, const char *site,
                        struct shelf *ret, struct fault *f);
void shelf_clear(struct shelf *h);

void shelf_empty(struct shelf *h); /* as before it was judged */

/* Anew, both ways: what each thing is, and what the log expects and is not there. */
enum outcome shelf_judge(struct shelf *h, const struct things *t, struct fault *f);
/* The same of what a site that is elsewhere says lies there; its signature was verified. */
enum outcome shelf_judge_listing(struct shelf *h, const struct listing *l, struct fault *f);

/* The site's line of that verb's answer. why may be NULL. NULL on memory. */
json_t *shelf_line(const struct shelf *h, const char *state, const char *why);

#endif
