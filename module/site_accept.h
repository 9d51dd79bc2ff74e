#ifndef QUORATE_MODULE_SITE_ACCEPT_H
#define QUORATE_MODULE_SITE_ACCEPT_H

#include "audit/document.h"
#include "module/site_keys.h"

/* A site's own part in a birth: judges the offer, takes the key in under the CKA_ID that derives from the intent, answers
 * for it (design, section 7, step 7). On failure something of the key may be left there, to be destroyed by that CKA_ID.
 * checkpoint: of the site's own log, for the receipt; empty where it keeps none. *ret_unknown (always written): the HSM does
 * not know the mechanism that the offer was wrapped with. */
enum outcome site_accept(const struct site_link *link, const struct site_keys *pinned, const struct digest *estate,
                         const struct offer *o, const struct digest *offer_digest, struct span checkpoint,
                         struct receipt *ret, bool *ret_unknown, struct fault *f);

/* The same where people bring the key with a vendor's own tools: what is there already under this CKA_ID answers.
 * E_ABSENT: nothing is there yet. *ret_wrong, set where what is there is not the key that was offered: E_REFUSED. */
enum outcome site_accept_clone(const struct site_link *s, const struct site_keys *pinned, const struct digest *estate,
                               const struct offer *o, const struct digest *offer_digest, struct span id,
                               struct receipt *ret, bool *ret_wrong, struct fault *f);

#endif
