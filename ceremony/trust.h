#ifndef QUORATE_CEREMONY_TRUST_H
#define QUORATE_CEREMONY_TRUST_H

#include <openssl/x509.h>

#include "audit/note.h"
#include "core/yaml.h"

/* What an auditor brings: the log's verifier key, the digest of the first policy, optionally digests of the software
 * expected to have run, and the certificates of time stamping authorities (trust.yaml; docs/FORMAT.md). */
struct trust {
    struct note_key log_key;
    char *log_key_text;
    struct digest policy;
    struct strings software_names;
    struct digest *software;      /* as many */
    STACK_OF(X509) * authorities; /* that stamp times; NULL: none are named */
};
enum outcome trust_load(const char *path, struct trust *ret, struct fault *f);
void trust_clear(struct trust *t);

#endif
