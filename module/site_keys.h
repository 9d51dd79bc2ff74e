#ifndef QUORATE_MODULE_SITE_KEYS_H
#define QUORATE_MODULE_SITE_KEYS_H

#include "module/site.h"

#define TRANSPORT_LABEL "quorate:transport"
#define IDENTITY_LABEL "quorate:identity"

/* The two key pairs that a site's HSM makes at enrolment and that never leave it: transport (RSA-3072, unwraps offers)
 * and identity (EC P-256, signs receipts and answers challenges). Their CKA_ID is 8 bytes that derive from estate, token
 * and site, and 8 of chance: so keys of an attempt that died are known again. */
struct site_keys {
    struct buf identity, transport;       /* SPKI, DER */
    struct buf identity_id, transport_id; /* CKA_ID */
};
#define SITE_KEYS ((struct site_keys){BUF(4096), BUF(4096), BUF(255), BUF(255)})
void site_keys_clear(struct site_keys *k);

/* A copy of what the log has pinned. */
enum outcome site_keys_pinned(const struct state_site *enrolled, struct site_keys *ret, struct fault *f);
/* The HSM at the other end is the enrolled one: serial number, identity by a fresh challenge, transport key. The link keeps the
 * handles of both. */
enum outcome site_ready(struct site_link *s, const struct digest *estate, const char *serial,
                        const struct site_keys *pinned, struct fault *f);

/* Opens the site, with the application's login or its own; the HSM there is the enrolled one and says so. */
enum outcome site_answers(struct world *w, const char *token, const char *site, struct site_link *ret, struct fault *f);

/* Makes both pairs. */
enum outcome site_keys_make(const struct site_link *s, const struct digest *estate, struct site_keys *ret,
                            struct fault *f);
/* Makes the transport pair alone: fills transport and transport_id, which must be empty. */
enum outcome site_transport_make(const struct site_link *s, const struct digest *estate, struct site_keys *ret,
                                 struct fault *f);
/* Destroys every transport pair of this site but the one with this CKA_ID. E_REFUSED as site_keys_sweep. */
enum outcome site_transport_sweep(const struct site_link *s, const struct digest *estate, struct span keep,
                                  struct fault *f);
/* Finds on the HSM, by label, the pairs with these public halves, private halves included. E_ABSENT: not both are there. */
enum outcome site_keys_find(const struct site_link *s, struct span identity, struct span transport,
                            struct site_keys *ret, struct fault *f);
/* Destroys what earlier attempts to enrol this site in this estate left. E_REFUSED, naming CKA_ID and remedy, where the
 * HSM holds site keys that are not ours. */
enum outcome site_keys_sweep(const struct site_link *s, const struct digest *estate, struct fault *f);

#endif
