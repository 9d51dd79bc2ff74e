#ifndef QUORATE_CEREMONY_PROFILE_H
#define QUORATE_CEREMONY_PROFILE_H

#include "core/yaml.h"

/* A certificate profile: what a certificate of one kind looks like, field by field (ceremonies/profiles/). Parsed
 * strictly, file:line:column; what does not depend on the key is encoded at once. */

enum extension_kind {
    EXTENSION_BASIC_CONSTRAINTS,
    EXTENSION_KEY_USAGE,
    EXTENSION_CERTIFICATE_POLICIES,
    EXTENSION_EXT_KEY_USAGE,
    EXTENSION_SUBJECT_ALT_NAME,
    EXTENSION_SUBJECT_KEY_IDENTIFIER,
    EXTENSION_AUTHORITY_KEY_IDENTIFIER
};

struct profile_extension {
    enum extension_kind kind;
    const char *name, *oid; /* "keyUsage", "2.5.29.15" */
    bool critical;
    struct buf value; /* the DER inside extnValue; empty for the key identifiers, which depend on the key */
};

struct profile {
    char *file, *id;
    struct digest digest, canonical; /* of the file's bytes, of its canonical JSON form */
    struct buf source, canonical_json;
    bool self_issued;     /* issuer: self; else another authority issues, and only a CSR is made here */
    char *signature;      /* "SHA256", "SHA384" or "SHA512" */
    char *key;            /* "EC:P-256" */
    unsigned serial_bits; /* of randomness; 64 to 127 */
    struct span_of_time validity;
    bool no_expiry;     /* notAfter 99991231235959Z */
    struct buf subject; /* Name, DER */
    struct profile_extension *extensions;
    size_t extension_count;
};
enum outcome profile_parse(const char *file, struct span bytes, struct profile **ret, struct fault *f);
enum outcome profile_read(const char *path, struct profile **ret, struct fault *f);
void profile_free(struct profile *p);

/* One item of `extensions` (internal to profile*.c); what it fills is the profile's however far it came. */
enum outcome profile_extension_parse(const struct yaml *map, struct profile_extension *ret, struct fault *f);
/* `subject`: a list of relative names, one attribute each (internal to profile*.c). */
enum outcome profile_subject_parse(const struct yaml *list, struct buf *ret, struct fault *f);

#endif
