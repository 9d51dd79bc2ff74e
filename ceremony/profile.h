#ifndef QUORATE_CEREMONY_PROFILE_H
#define QUORATE_CEREMONY_PROFILE_H

#include "core/yaml.h"

/* A certificate profile: what a certificate of one kind looks like, field by field (ceremonies/profiles/). Parsed
 * strictly, file:line:column. */
struct profile {
    char *file, *id;
    struct digest digest, canonical; /* of the file's bytes, of its canonical JSON form */
    struct buf source, canonical_json;
    char *signature;      /* "SHA256" or "SHA384" */
    char *key;            /* "EC:P-256" */
    unsigned serial_bits; /* of randomness; 64 to 127 */
    struct span_of_time validity;
    bool no_expiry;    /* notAfter 99991231235959Z */
    struct yaml *tree; /* subject and extensions are read from it (profile.c) */
};
enum outcome profile_parse(const char *file, struct span bytes, struct profile **ret, struct fault *f);
enum outcome profile_read(const char *path, struct profile **ret, struct fault *f);
void profile_free(struct profile *p);

#endif
