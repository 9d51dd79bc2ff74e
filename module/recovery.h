#ifndef QUORATE_MODULE_RECOVERY_H
#define QUORATE_MODULE_RECOVERY_H

#include "audit/document.h"
#include "module/replica.h"

/* What births, enrolments and recovery do alike (internal to this part of the module). */

/* home/births/: held while the request is carried out, never waited for: E_BUSY. */
enum outcome birth_lock(const struct estate *e, const struct digest *request, struct lock **ret, struct fault *f);
enum outcome enrol_lock(const struct estate *e, const char *token, const char *site, struct lock **ret,
                        struct fault *f);

/* Logs `rolled-back`; the reason is cut to what a log entry should hold. */
enum outcome intent_roll_back(struct estate *e, uint64_t intent, const char *reason, struct fault *f);

/* Rolls back intents of an enrolment that died; the enrolment's lock is held. report as in settle_run. */
enum outcome enrol_recover(struct estate *e, const char *token, const char *site, json_t *report, struct fault *f);

/* The birth's primary is one no more: another site was promoted since. */
bool primary_was(const struct world *w, const char *token, const char *site);
/* The sites of a birth, primary first, as its intent names them. */
enum outcome intent_sites(const struct state_intent *i, struct strings *ret, struct fault *f);
/* The CKA_ID that derives from an intent. */
enum outcome intent_key_id(const struct digest *intent, struct buf *ret, struct fault *f);

/* The CKA_ID of what lies at a replica site until the intent has ended: it derives from the intent; what people clone of a key
 * that exists has that key's own. */
enum outcome intent_id_at(const struct world *w, const struct state_intent *i, const char *site, struct buf *ret,
                          struct fault *f);

/* `at` (below): replicas whose links may be open already; more are added where they are needed, the caller ends them. NULL:
 * none are open, and those that are needed are ended here. */

/* Destroys what a birth left at its sites and logs `rolled-back`, before it `orphan` for each replica that was offered the
 * key and could not be cleaned: E_DEVICE then names the last of them. Where the primary could not be cleaned the intent
 * stays open. Removes the offers. */
enum outcome intent_withdraw(struct world *w, uint64_t intent, const char *reason, struct replicas *at,
                             struct fault *f);
/* Cleans the orphans of an intent that was rolled back, and logs `accepted` for those that are clean. E_DEVICE: others are
 * not. */
enum outcome intent_clear_orphans(struct world *w, uint64_t intent, struct replicas *at, struct fault *f);

/* Offers are wanted only while a site may still have to answer. */
enum outcome offers_remove(const struct estate *e, const struct state_intent *i, struct fault *f);

/* home/offers/INTENT.SITE.told: that a site which files are carried to knows of the birth. The caller's; NULL on memory. */
char *told_path(const struct estate *e, uint64_t intent, const char *site);

/* Keeps a receipt that was verified, and logs it. */
enum outcome receipt_log(struct estate *e, uint64_t intent, const char *site, const struct digest *offer,
                         const struct receipt *r, struct fault *f);
/* As a list of texts; NULL on memory. */
json_t *strings_json(const struct strings *s);
/* Logs `provisional`: the receipts of these sites are awaited until then. spki: the key's, empty for secret keys. */
enum outcome intent_provisional(struct estate *e, uint64_t intent, const struct strings *sites, moment until,
                                struct span spki, struct fault *f);

/* Logs `born` from what the intent says and the public key (empty for secret keys). */
enum outcome intent_born(struct estate *e, uint64_t intent, struct span spki, struct fault *f);

/* Logs `accepted`: every site of the intent that has not retired since knows. */
enum outcome intent_accept(struct estate *e, uint64_t intent, struct fault *f);

/* Of a key on its way to one site more: it is still what the log says that it is, so that it may count there. */
bool replica_wanted(const struct state *s, const struct state_intent *i);
/* Logs `replicated` from what the intent says. */
enum outcome intent_replicated(struct estate *e, uint64_t intent, struct fault *f);

/* After `born`: the caller's CKA_ID at every site (or, of a key that ended meanwhile, nothing at any), `accepted`, offers
 * removed. Whoever retired meanwhile is left alone. A site that files are carried to gives the
 * key its id when it is told, and `accepted` waits until each such site has answered. */
enum outcome intent_complete(struct world *w, uint64_t intent, struct replicas *at, struct fault *f);

#endif
