#include "module/mechanisms.h"

#include <stddef.h>

#include "module/pkcs11_3.h"

bool mechanism_carries_handles(const CK_MECHANISM *m)
{
    if (m->mechanism >= CKM_VENDOR_DEFINED)
        return m->pParameter || m->ulParameterLen;
    if (m->mechanism >= CKM_SP800_108_FIRST_3_0 && m->mechanism <= CKM_SP800_108_LAST_3_0)
        return true;
    switch (m->mechanism) {
    case CKM_CMS_SIG:    /* certificateHandle */
    case CKM_KIP_DERIVE: /* hKey */
    case CKM_KIP_WRAP:
    case CKM_KIP_MAC:
    case CKM_GOSTR3410_KEY_WRAP:       /* hKey */
    case CKM_CONCATENATE_BASE_AND_KEY: /* the other key */
    case CKM_ECMQV_DERIVE:             /* hPrivateData, publicKey */
    case CKM_X9_42_DH_HYBRID_DERIVE:
    case CKM_X9_42_MQV_DERIVE:
    case CKM_SSL3_KEY_AND_MAC_DERIVE: /* hands out four keys */
    case CKM_TLS_KEY_AND_MAC_DERIVE:
    case CKM_WTLS_SERVER_KEY_AND_MAC_DERIVE:
    case CKM_WTLS_CLIENT_KEY_AND_MAC_DERIVE:
    case CKM_HKDF_DERIVE_3_0:
        return true;
    default:
        return false;
    }
}

bool mechanism_reveals_base(CK_MECHANISM_TYPE m)
{
    return m == CKM_CONCATENATE_BASE_AND_DATA || m == CKM_CONCATENATE_DATA_AND_BASE || m == CKM_XOR_BASE_AND_DATA ||
           m == CKM_EXTRACT_KEY_FROM_KEY;
}

bool mechanism_derives(CK_MECHANISM_TYPE m)
{
    static const CK_MECHANISM_TYPE known[] = {
        CKM_ECDH1_DERIVE,
        CKM_ECDH1_COFACTOR_DERIVE,
        CKM_DH_PKCS_DERIVE,
        CKM_X9_42_DH_DERIVE,
        CKM_CONCATENATE_BASE_AND_DATA,
        CKM_CONCATENATE_DATA_AND_BASE,
        CKM_XOR_BASE_AND_DATA,
        CKM_EXTRACT_KEY_FROM_KEY,
        CKM_SHA1_KEY_DERIVATION,
        CKM_SHA256_KEY_DERIVATION,
        CKM_SHA384_KEY_DERIVATION,
        CKM_SHA512_KEY_DERIVATION,
        CKM_DES_ECB_ENCRYPT_DATA,
        CKM_DES_CBC_ENCRYPT_DATA,
        CKM_DES3_ECB_ENCRYPT_DATA,
        CKM_DES3_CBC_ENCRYPT_DATA,
        CKM_AES_ECB_ENCRYPT_DATA,
        CKM_AES_CBC_ENCRYPT_DATA,
        CKM_TLS_MASTER_KEY_DERIVE,
        CKM_TLS_MASTER_KEY_DERIVE_DH,
        CKM_SSL3_MASTER_KEY_DERIVE,
        CKM_SSL3_MASTER_KEY_DERIVE_DH,
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (known[i] == m)
            return true;
    return false;
}
