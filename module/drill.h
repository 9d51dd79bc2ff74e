#ifndef QUORATE_MODULE_DRILL_H
#define QUORATE_MODULE_DRILL_H

#include "audit/drill.h"
#include "estate/inquiry.h"
#include "module/site_keys.h"

/* Drills: every replica of every key proves itself anew. */

struct drill_target { /* a key that a site should hold; everything borrowed */
    uint64_t born;
    const char *class_name, *label;
    const char *id, *other_id; /* CKA_ID, hex; the other: the one it may still have from its birth, or "" */
    struct span public_key;    /* SPKI; empty: none is known */
};

/* The same, owned. */
struct drill_asked {
    struct drill_target *targets;
    size_t count;
    struct buf bytes; /* what they point to */
};
enum outcome drill_asked_copy(const struct drill_target *targets, size_t count, struct drill_asked **ret,
                              struct fault *f);
void drill_asked_free(struct drill_asked *a); /* NULL is fine */

/* The site's own part: looks for each key, lets those that can sign a statement of its own making, with its own nonce,
 * and signs the answer with its identity key. A key that is not there, or does not sign, has a reason in *ret; any other
 * fault is the site's. */
enum outcome site_drill(const struct site_link *s, const struct site_keys *pinned, const struct digest *estate,
                        const struct digest *challenge, const struct drill_target *keys, size_t count,
                        struct drill *ret, struct fault *f);

/* Drills the enrolled sites of the policy (token, site NULL: of all), those of a token side by side, each in its time for each
 * key, and logs `drill` for each; the world's lock is held.
 * The answer is that of the vendor verb "drill" (estate/vendor.h). */
enum outcome drill_run(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f);

/* Drills one site, for that challenge (NULL: a fresh one). *ret_whole: it answered and every key that it holds proved itself. line
 * (borrowed, may be NULL) gets what the vendor verb says of it. Fails only where the log cannot be written. */
enum outcome drill_site(struct world *w, const char *token, const char *site, const struct digest *challenge,
                        json_t *line, bool *ret_whole, struct fault *f);

/* The answer to a question that files carried (its kind is MESSAGE_DRILL; the answer is taken): logged as any other once it
 * fits that question, E_REFUSED where not. line: as above; with `why` where keys of the site were not asked for. */
enum outcome drill_import(struct world *w, const struct inquiry *q, struct drill *answer_taken, json_t *line,
                          struct fault *f);

#endif
