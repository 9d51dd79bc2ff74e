#ifndef QUORATE_MODULE_WRAPPING_H
#define QUORATE_MODULE_WRAPPING_H

#include "module/site.h"

/* How a key travels to a site's transport key, strongest first; their names in offers are those of docs/FORMAT.md. */
enum wrapping { WRAPPING_RSA_AES, WRAPPING_OAEP_SHA256, WRAPPING_OAEP_SHA1, WRAPPINGS };
const char *wrapping_name(enum wrapping w);
enum wrapping wrapping_parse(const char *name); /* WRAPPINGS: unknown */

struct wrapping_parameters {
    CK_RSA_PKCS_OAEP_PARAMS oaep;
    struct { /* CK_RSA_AES_KEY_WRAP_PARAMS (PKCS#11 2.40, section 2.1.22), which p11-kit's header lacks */
        CK_ULONG aes_key_bits;
        CK_RSA_PKCS_OAEP_PARAMS *oaep;
    } rsa_aes;
};
/* What the RSA key is used with; *ret points into *p. */
void wrapping_mechanism(enum wrapping w, struct wrapping_parameters *p, CK_MECHANISM *ret);

/* Whether the HSM says that it wraps (CKF_WRAP) or unwraps (CKF_UNWRAP) with CKM_RSA_AES_KEY_WRAP. */
bool wrapping_offered(const struct site_link *s, CK_FLAGS direction);
/* Whether the HSM answers so because it does not know the mechanism or its parameters. */
bool wrapping_unknown(CK_RV rv);

#endif
