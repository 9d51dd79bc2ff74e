#ifndef QUORATE_MODULE_WRAPPING_H
#define QUORATE_MODULE_WRAPPING_H

#include "module/site.h"

/* How a key travels to a site's transport key, strongest first; their names in offers are those of docs/FORMAT.md. */
enum wrapping { WRAPPING_RSA_AES, WRAPPING_OAEP_SHA256, WRAPPING_OAEP_SHA1, WRAPPINGS };
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

/* At the primary, for the offers to one site: a session of its own, and what is in it. Nobody touches it while a visit is there
 * with it. */
struct wrapping_place {
    char *token;
    struct binding at;     /* has a site's name alone */
    struct lower *lower;   /* held */
    struct site_link link; /* token, slot and functions are given */
    bool open;             /* its session is; then: */
    bool rsa_aes;          /* the primary says that it wraps by CKM_RSA_AES_KEY_WRAP */
    CK_OBJECT_HANDLE transport;
    CK_OBJECT_HANDLE courier; /* the AES key of an offer, until the next or the session's end */
    bool courier_used;        /* it has wrapped */
    bool trusted;             /* both are token objects of the security officer's (module/trusted.h), and stay */
};
enum outcome wrapping_place_make(const struct site_link *primary, struct lower *lower, struct wrapping_place **ret,
                                 struct fault *f);
/* Destroys what is left in the session, and closes it. Not open: fine. */
enum outcome wrapping_place_close(struct wrapping_place *p, struct fault *f);
void wrapping_place_free(struct wrapping_place *p); /* closes; NULL is fine */

/* Whether the HSM says that it wraps (CKF_WRAP) or unwraps (CKF_UNWRAP) with CKM_RSA_AES_KEY_WRAP. */
bool wrapping_offered(const struct site_link *s, CK_FLAGS direction);
/* Whether the HSM answers so because it does not know the mechanism or its parameters. */
bool wrapping_unknown(CK_RV rv);

#endif
