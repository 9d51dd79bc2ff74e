#ifndef QUORATE_CEREMONY_VOTE_H
#define QUORATE_CEREMONY_VOTE_H

#include <openssl/x509.h>

#include "ceremony/tool.h"
#include "policy/request.h"

/* Votes, at the estate (vote.c) and away from it (vote_away.c). */

/* What is about to be signed, with the id as words; on standard error, for the answer is another matter. folder: where
 * the request lies; what its digest stands for is shown, too, and E_REFUSED where it stands for something else, unless it
 * is rejected. reason: of a rejection, else NULL. `ask`: asks at the terminal. */
enum outcome vote_show(const char *folder, const struct request *r, const char *person, const char *reason, bool ask,
                       struct fault *f);

/* A certificate in a file, PEM or DER. */
enum outcome certificate_file(const char *path, X509 **ret, struct fault *f);

/* `quorate approve --file`, `quorate reject --file` (with its reason, else NULL): no estate is there to ask. What is signed
 * goes beside the request, as PERSON.p7s, or PERSON.reject.json with PERSON.reject.p7s. */
enum outcome vote_away(const struct arguments *a, const char *file, const char *reason, struct fault *f);

#endif
