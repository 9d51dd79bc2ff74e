#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "audit/document.h"
#include "audit/document_inner.h"
#include "core/limits.h"

/* What the keys of a site must be before anything rests on them, whoever says that they are a site's. */

/* With an exponent of 1 what is wrapped would be there to read (FIPS 186-5, A.1.1: odd, above 2^16). */
static bool exponent_fits(EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    bool fits = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) && BN_num_bits(e) > 16;

    BN_free(e);
    return fits;
}

static bool curve_fits(EVP_PKEY *key)
{
    static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
    char name[32] = "";

    if (EVP_PKEY_is_a(key, "ED25519") == 1)
        return true;
    if (EVP_PKEY_is_a(key, "EC") != 1 || EVP_PKEY_get_group_name(key, name, sizeof name, NULL) != 1)
        return false;
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (strcmp(name, curves[i]) == 0)
            return true;
    return false;
}

static bool rsa_fits(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA") == 1 && EVP_PKEY_get_bits(key) >= LIMIT_TRANSPORT_BITS && exponent_fits(key);
}

enum outcome transport_fit(struct span spki, struct fault *f)
{
    EVP_PKEY *key = spki_read(spki);
    bool fits = key && rsa_fits(key);

    EVP_PKEY_free(key);
    ERR_clear_error();
    return fits ? OK
                : fault_set(f, E_REFUSED,
                            "the transport key is no RSA key of at least %d bits with an odd exponent "
                            "above 65536",
                            LIMIT_TRANSPORT_BITS);
}

enum outcome site_keys_fit(struct span identity, struct span transport, struct fault *f)
{
    EVP_PKEY *key = spki_read(identity);
    bool fits = key && (curve_fits(key) || rsa_fits(key));

    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!fits)
        return fault_set(f, E_REFUSED,
                         "the identity key is not one of P-256, P-384, P-521, Ed25519 or RSA of at least "
                         "%d bits",
                         LIMIT_TRANSPORT_BITS);
    return transport_fit(transport, f);
}
