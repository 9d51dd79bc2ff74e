#ifndef QUORATE_CEREMONY_ATTESTATION_H
#define QUORATE_CEREMONY_ATTESTATION_H

#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/json.h"

/* What the vendor of an HSM says of its keys (policy/attestation.h), for people and from them. */

/* --attestation FILE, where it is given: its text as the question's member. E_INVALID where it cannot be PEM. */
enum outcome attestation_ask(const struct arguments *a, json_t *question, struct fault *f);

/* A line for each key: its certificate's subject, the root's, and the root's digest; or why it cannot be shown. */
void attestation_put(struct buf *b, const json_t *document);

/* There is none, though the policy lists roots: which keys could be attested, by the answer's identity-id and transport-id, and
 * `again`, the command that takes them. Nothing where the answer has no such members. */
void attestable_put(struct buf *b, const json_t *answer, const char *again);

#endif
