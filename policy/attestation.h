#ifndef QUORATE_POLICY_ATTESTATION_H
#define QUORATE_POLICY_ATTESTATION_H

#include "core/json.h"
#include "policy/policy.h"

/* What the vendor of an HSM says of the keys that it made at an enrolment: X.509 certificates, the first of which is of that
 * key, each signed by the next, up to a root that the policy lists for the site (`attested-by`); the first says in extensions what
 * the policy wants to hear (`attested-with`): whether the key was made in the HSM, say. As a document:
 * {"identity": [certificate, …], "transport"?: […]}, each the hex of its DER, the key's first, the root last. */

/* What it has to be of. Borrowed. */
struct attested {
    const struct policy *policy; /* whose roots count */
    const char *site;
    struct span identity, transport; /* SPKI */
    moment at;                       /* when every certificate must be valid */
};

/* The document from a PEM file that holds those certificates in any order, the root too; others in it are left out. What it
 * makes holds by attestation_verify. E_INVALID: not such a file; E_REFUSED: what does not hold, by name. */
enum outcome attestation_make(struct span pem, const struct attested *a, json_t **ret, struct fault *f);
/* E_REFUSED, E_INVALID as above. NULL: there is none, which is E_REFUSED. */
enum outcome attestation_verify(const json_t *document, const struct attested *a, struct fault *f);

/* For people: the subjects (RFC 4514) of a key's certificate and of its root, and the root's SHA-256. Nothing is verified.
 * key: "identity" or "transport"; E_ABSENT where it has none. */
enum outcome attestation_names(const json_t *document, const char *key, struct buf *ret_subject, struct buf *ret_root,
                               struct digest *ret_fingerprint, struct fault *f);

#endif
