#ifndef QUORATE_CEREMONY_TBS_H
#define QUORATE_CEREMONY_TBS_H

#include "estate/asking.h"

/* tbs.der beside a request (home/requests/ID/, or where it was exported): the bytes that a request to sign is about, where whoever asks has them: the inner part of a
 * certificate, a CRL or a CSR. People approve what they see. */

/* Leaves them there; there already is fine. */
enum outcome tbs_keep(const struct estate *e, const struct digest *request, struct span tbs, struct fault *f);
/* Shows what they are, after checking that the request is for exactly these bytes. Nothing where there are none;
 * E_REFUSED where they are others. */
enum outcome tbs_put(const char *folder, const struct request *r, struct buf *b, struct fault *f);
/* Copies them to where the request is exported; nothing where there are none. */
enum outcome tbs_export(const char *folder, const char *to, struct fault *f);
/* home/requests/ID, the caller's; NULL on memory. */
char *tbs_folder(const struct estate *e, const struct digest *request);

#endif
