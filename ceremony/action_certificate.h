#ifndef QUORATE_CEREMONY_ACTION_CERTIFICATE_H
#define QUORATE_CEREMONY_ACTION_CERTIFICATE_H

#include "ceremony/action_perform.h"

/* Asks the module to sign the step's bytes (composed at the first call, then always the same) without intention to get
 * it: E_REFUSED with the request. */
enum outcome certificate_try(struct runner *r, const struct step *s, struct digest *ret_request, struct fault *f);

#endif
