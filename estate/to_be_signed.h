#ifndef QUORATE_ESTATE_TO_BE_SIGNED_H
#define QUORATE_ESTATE_TO_BE_SIGNED_H

#include "core/digest.h"
#include "core/fault.h"

/* What is signed of a certificate, a CSR or a CRL: its inner part in DER, the TBS. */

/* data, the SHA-256 of what an HSM is given, is that of these bytes: as they are, or their hash (SHA-256, -384 or -512), or
 * that in a DigestInfo. */
bool to_be_signed_is(struct span tbs, const struct digest *data);

/* All that a provisional key may sign: the TBS of a certificate (RFC 5280, section 4.1) whose issuer is its subject, byte for
 * byte, and whose key is spki; data as above. E_REFUSED says which of these does not hold. */
enum outcome self_signed_check(struct span tbs, struct span spki, const struct digest *data, struct fault *f);

#endif
