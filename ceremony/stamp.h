#ifndef QUORATE_CEREMONY_STAMP_H
#define QUORATE_CEREMONY_STAMP_H

#include <openssl/x509.h>

#include "core/digest.h"
#include "core/moment.h"

/* RFC 3161: queries to a time stamping authority and its responses, DER, SHA-256. */

enum outcome stamp_query(const struct digest *of, struct buf *ret, struct fault *f);
/* What a granted response says, whoever signed it. E_REFUSED: it was not granted, or is over something else. */
enum outcome stamp_read(struct span response, const struct digest *of, moment *ret_at, struct fault *f);
/* The same, signed by an authority whose certificate leads to one of these, at the time that it names. */
enum outcome stamp_verify(struct span response, const struct digest *of, STACK_OF(X509) * authorities, moment *ret_at,
                          struct fault *f);
/* Certificates in PEM, at least one; sk_X509_pop_free(…, X509_free). */
enum outcome authorities_read(struct span pem, STACK_OF(X509) * *ret, struct fault *f);

#endif
