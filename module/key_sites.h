#ifndef QUORATE_MODULE_KEY_SITES_H
#define QUORATE_MODULE_KEY_SITES_H

#include "module/grant.h"
#include "module/replica.h"

/* A key of the log at all the sites that hold it: its own copy of what the state says, for the state moves. */
struct key_sites {
    char *token, *label, *class_name, *id;
    uint64_t born;         /* seq */
    struct buf public_key; /* SPKI; empty: none is known */
    struct strings sites;  /* that are reached as modules, the primary first */
    struct strings left;   /* that are not reached as modules */
};
/* All but the sites. False on memory: what was copied is then *ret's all the same. */
bool key_sites_name(const struct state_key *key, struct key_sites *ret);
enum outcome key_sites_of(const struct world *w, const struct state_key *key, struct key_sites *ret, struct fault *f);
void key_sites_clear(struct key_sites *k);
bool key_alone(const struct state_key *key); /* at its primary only */

/* What an intent must say so that recovery can go on: class, id, sites; nothing where it has no CKA_ID to be found by.
 * NULL on memory. */
json_t *key_sites_more(const struct key_sites *k);
/* The members that name a key in `modified` and `destroyed`. NULL on memory. */
json_t *key_sites_body(const struct key_sites *k);

/* The same with the sites where it is gone, and those that are left. NULL on memory. */
json_t *destroyed_body(const struct key_sites *k);

/* Every site of a key with replicas answers and holds it: before anything is done. */
enum outcome key_sites_ready(struct world *w, const struct key_sites *k, struct fault *f);
/* Sets attributes of the private or secret half at a site, and reads them back. Another CKA_ID than before is taken for
 * the same key. */
enum outcome key_set_at(struct world *w, const struct key_sites *k, const char *site, const struct template *t,
                        struct fault *f);
/* Whether the key at its primary has these attributes. */
enum outcome key_holds(struct world *w, const struct key_sites *k, const struct template *t, bool *ret,
                       struct fault *f);
/* Whether its primary holds it; one without a CKA_ID, which nothing else finds it by, is taken to be there. */
enum outcome key_there(struct world *w, const struct key_sites *k, bool *ret, struct fault *f);
/* What people need not approve still ends in order, for a key with replicas: the log's `destroyed` first, with all its sites
 * left, from which on nobody sees or uses it; then it is destroyed at each replica that can be reached, and where that was
 * done `cleared` says so. What remains is for keys_left_settle. */
enum outcome key_end_log(struct world *w, const struct key_sites *k, struct fault *f);
enum outcome key_cleared_log(struct world *w, uint64_t born, const struct strings *sites, struct fault *f);
/* E_INVALID where this CKA_ID (hex) is that of a site's own keys, by which the site finds them. */
enum outcome site_id_free(const struct state *s, const char *token, const char *id_hex, struct fault *f);
/* The same, and where it is that of a destroyed key which an enrolled site has yet to destroy (what it finds it by would take a
 * new key with it), or of a key whose birth waits for receipts. */
enum outcome key_id_free(const struct state *s, const char *token, const char *id_hex, struct fault *f);
/* Destroys what is left of destroyed keys at the sites that are reached as modules or by couriers. report: lines {"key", "outcome"}. */
enum outcome keys_left_settle(struct world *w, json_t *report, struct fault *f);
/* Once the log has an intent of its end, or the end: shows it to the sites of k->left that a courier reaches, side by side; those that
 * sign that the key is gone there go over to k->sites. Those that fail stay: no error. */
enum outcome key_destroy_far(struct world *w, struct key_sites *k, struct fault *f);
/* Destroys both halves at a site and looks that none is left; a site that a courier reaches does so by itself, and signs
 * it. E_REFUSED where the log has nothing to show such a one. */
enum outcome key_destroy_at(struct world *w, const struct key_sites *k, const char *site, struct fault *f);

#endif
