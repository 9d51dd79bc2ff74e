#ifndef QUORATE_MODULE_TRUSTED_H
#define QUORATE_MODULE_TRUSTED_H

#include "module/site.h"

/* Keys that other keys may leave an HSM under (docs/THREATS.md, Keys that may leave). On the primary's HSM stand, made by its
 * security officer: one AES key that wraps (CKA_TRUSTED, itself CKA_WRAP_WITH_TRUSTED), and the transport key of every enrolled
 * site (CKA_TRUSTED), under which that one may leave. What is born with CKA_WRAP_WITH_TRUSTED so ends in the HSM of an enrolled
 * site, whoever asks. */

/* The two for a site with this transport key (SPKI), as they have to be. E_REFUSED: they are not there; the text says how they
 * come to be. Needs no login. */
enum outcome trusted_find(const struct site_link *s, const struct digest *estate, struct span transport,
                          CK_OBJECT_HANDLE *ret_wrapping, CK_OBJECT_HANDLE *ret_transport, struct fault *f);

/* Makes on the token's primary what is missing of them, where a rule wants them and the bindings have its `so-pin:`, and
 * removes what is of no enrolled site any more. Nobody may be logged in there: E_DEVICE. */
enum outcome trusted_provide(struct world *w, const char *token, bool *ret_made, struct fault *f);
/* The same for every token that the bindings show; appends {"outcome", "token"} where something was made or could not be. */
enum outcome trusted_settle(struct world *w, json_t *report, struct fault *f);

/* Whether an object with this label and CKA_ID (hex) is one of them, of an enrolled site. */
bool trusted_is_own(const struct world *w, const char *token, const char *site, const char *label, const char *id_hex);

#endif
