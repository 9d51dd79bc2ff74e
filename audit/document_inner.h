#ifndef QUORATE_AUDIT_DOCUMENT_INNER_H
#define QUORATE_AUDIT_DOCUMENT_INNER_H

#include <openssl/evp.h>

#include "core/json.h"

/* Inside of the documents: reading one. Sticky: after the first fault nothing more is read. */
struct document {
    json_t *json;
    enum outcome rc;
    struct fault *f;
};
void document_type(struct document *d, const char *type, const char *names); /* names: see json_members */
void document_digest(struct document *d, const char *name, struct digest *ret);
void document_text(struct document *d, const char *name, char *ret, size_t size);     /* not empty, printable */
void document_hex(struct document *d, const char *name, struct buf *ret, size_t max); /* not empty */

/* The public key, the caller's; NULL: it is none, or more follows. */
EVP_PKEY *spki_read(struct span spki);

#endif
