#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "tests/mock/inner.h"

/* Keys that are keys: made, wrapped and used by libcrypto where a test wants so ("real"). A private key carries its
 * PKCS #8 as one more attribute, so that what copies and destroys objects need not know. */

enum { BLOB = 16384 };
atomic_bool mock_real;
static atomic_uint lacking[MOCK_TOKENS], refusing[MOCK_TOKENS]; /* bits: enum mock_way */

static const char *const way_names[MOCK_WAYS] = {"rsa-aes", "oaep-sha256", "oaep-sha1",
                                                 "private", "edwards",     "edwards-seed"};

bool mock_real_steer(const char *what, CK_SLOT_ID slot, const char *way)
{
    for (unsigned i = 0; i < MOCK_WAYS && slot < MOCK_TOKENS; i++)
        if (way && strcmp(way_names[i], way) == 0) {
            atomic_fetch_or(strcmp(what, "lacks") == 0 ? &lacking[slot] : &refusing[slot], 1u << i);
            return true;
        }
    return false;
}

void mock_real_reset(void)
{
    for (size_t i = 0; i < MOCK_TOKENS; i++) {
        atomic_store(&lacking[i], 0);
        atomic_store(&refusing[i], 0);
    }
}

bool mock_lacks(CK_SLOT_ID slot, enum mock_way way)
{
    return !atomic_load(&mock_real) || atomic_load(&lacking[slot]) & 1u << way;
}

static bool refuses(CK_SLOT_ID slot, enum mock_way way)
{
    return (atomic_load(&lacking[slot]) | atomic_load(&refusing[slot])) & 1u << way;
}

static EVP_PKEY *pkey_of(const struct mock_object *o)
{
    const CK_ATTRIBUTE *a = mock_item(o, MOCK_PKCS8);
    const unsigned char *p = a ? a->pValue : NULL;
    return a ? d2i_AutoPrivateKey(NULL, &p, (long)a->ulValueLen) : NULL;
}

/* An RSA public key that was given by its numbers. */
static EVP_PKEY *rsa_public(const struct mock_object *o)
{
    const CK_ATTRIBUTE *n = mock_item(o, CKA_MODULUS), *e = mock_item(o, CKA_PUBLIC_EXPONENT);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;
    BIGNUM *modulus = n ? BN_bin2bn(n->pValue, (int)n->ulValueLen, NULL) : NULL;
    BIGNUM *exponent = e ? BN_bin2bn(e->pValue, (int)e->ulValueLen, NULL) : NULL;

    if (modulus && exponent && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) && (params = OSSL_PARAM_BLD_to_param(build)) &&
        EVP_PKEY_fromdata_init(context) == 1)
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(context);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

static CK_ULONG number_put(EVP_PKEY *key, const char *name, unsigned char *out)
{
    BIGNUM *n = NULL;
    EVP_PKEY_get_bn_param(key, name, &n);
    CK_ULONG len = n ? (CK_ULONG)BN_bn2bin(n, out) : 0;
    BN_free(n);
    return len;
}

/* Its curve is said by its object identifier (RFC 8410) or its name (PKCS#11 3.0). */
static bool is_ed25519(const CK_ATTRIBUTE *curve)
{
    static const unsigned char oid[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
    static const unsigned char name[] = {0x13, 0x0c, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9'};
    return (curve->ulValueLen == sizeof(oid) && memcmp(curve->pValue, oid, sizeof(oid)) == 0) ||
           (curve->ulValueLen == sizeof(name) && memcmp(curve->pValue, name, sizeof(name)) == 0);
}

static bool edwards(const EVP_PKEY *key)
{
    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
}

CK_RV mock_edwards_taken(CK_SLOT_ID slot, unsigned char *pkcs8, CK_ULONG len)
{
    if (len == 0 || refuses(slot, MOCK_EDWARDS))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (refuses(slot, MOCK_EDWARDS_SEED))
        pkcs8[len - 1] ^= 1;
    return CKR_OK;
}

bool mock_pair_make(bool rsa, const CK_ATTRIBUTE *kind, struct mock_pair *ret)
{
    const unsigned char *p = kind ? kind->pValue : NULL;
    ASN1_OBJECT *curve = NULL;
    CK_ULONG bits = 0;
    EVP_PKEY *key = NULL;
    unsigned char *der = ret->pkcs8;

    if (kind && rsa) {
        memcpy(&bits, kind->pValue, sizeof(bits));
        key = EVP_RSA_gen(bits);
    } else if (kind && is_ed25519(kind)) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    } else if (kind && (curve = d2i_ASN1_OBJECT(NULL, &p, (long)kind->ulValueLen))) {
        key = EVP_EC_gen(OBJ_nid2sn(OBJ_obj2nid(curve)));
    }
    ASN1_OBJECT_free(curve);
    if (!key)
        return false;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    ret->pkcs8_len = (CK_ULONG)i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    PKCS8_PRIV_KEY_INFO_free(info);
    if (rsa) {
        ret->first_len = number_put(key, OSSL_PKEY_PARAM_RSA_N, ret->first);
        ret->second_len = number_put(key, OSSL_PKEY_PARAM_RSA_E, ret->second);
    } else {
        size_t len = 0;
        memcpy(ret->first, kind->pValue, ret->first_len = kind->ulValueLen);
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, ret->second + 3, sizeof(ret->second) - 3, &len);
        unsigned shift = len < 128 ? 1 : 0; /* the length of an OCTET STRING: one byte, or two */
        ret->second[0] = 0x04;
        ret->second[1] = shift ? (unsigned char)len : 0x81;
        ret->second[2] = (unsigned char)len;
        if (shift)
            memmove(ret->second + 2, ret->second + 3, len);
        ret->second_len = len + 3 - shift;
    }
    EVP_PKEY_free(key);
    return true;
}

/* r and s of an ECDSA signature, each as long as the curve's field. */
static CK_RV ecdsa_raw(EVP_PKEY *key, const unsigned char *der, size_t der_len, unsigned char *out, CK_ULONG *out_len)
{
    int half = (EVP_PKEY_get_bits(key) + 7) / 8;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    if (!s)
        return CKR_GENERAL_ERROR;
    BN_bn2binpad(ECDSA_SIG_get0_r(s), out, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(s), out + half, half);
    ECDSA_SIG_free(s);
    *out_len = 2 * (CK_ULONG)half;
    return CKR_OK;
}

/* Ed25519 hashes by itself. */
static CK_RV edwards_sign(EVP_PKEY *key, const unsigned char *data, CK_ULONG len, unsigned char *out, CK_ULONG *out_len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t made = 64;
    bool good =
        EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 && EVP_DigestSign(context, out, &made, data, len) == 1;
    EVP_MD_CTX_free(context);
    *out_len = made;
    return good ? CKR_OK : CKR_GENERAL_ERROR;
}

bool mock_sign_real(const struct mock_object *o, const unsigned char *data, CK_ULONG len, unsigned char *out,
                    CK_ULONG *out_len, CK_RV *ret)
{
    EVP_PKEY *key = atomic_load(&mock_real) && o ? pkey_of(o) : NULL;
    EVP_PKEY_CTX *context = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    unsigned char made[1024];
    size_t made_len = sizeof(made);
    bool rsa = key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;

    if (!key)
        return false;
    *ret = CKR_GENERAL_ERROR;
    if (!out) {
        *out_len = sizeof(made);
        *ret = CKR_OK;
    } else if (edwards(key)) {
        *ret = edwards_sign(key, data, len, out, out_len);
    } else if (EVP_PKEY_sign_init(context) == 1 &&
               (!rsa || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1) &&
               EVP_PKEY_sign(context, made, &made_len, data, len) == 1) {
        if (rsa)
            memcpy(out, made, *out_len = made_len);
        *ret = rsa ? CKR_OK : ecdsa_raw(key, made, made_len, out, out_len);
    }
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    return true;
}

/* RFC 5649, with a key of 32 bytes. */
static CK_RV kwp(bool wrap, const unsigned char *kek, const unsigned char *in, CK_ULONG len, unsigned char *out,
                 CK_ULONG *out_len)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int made = 0, rest = 0;
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool good = EVP_CipherInit_ex(context, EVP_aes_256_wrap_pad(), NULL, kek, NULL, wrap) == 1 &&
                EVP_CipherUpdate(context, out, &made, in, (int)len) == 1 &&
                EVP_CipherFinal_ex(context, out + made, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    *out_len = good ? (CK_ULONG)(made + rest) : 0;
    return good ? CKR_OK : wrap ? CKR_FUNCTION_FAILED : CKR_WRAPPED_KEY_INVALID;
}

static CK_RV oaep(bool wrap, EVP_PKEY *key, const CK_RSA_PKCS_OAEP_PARAMS *p, const unsigned char *in, CK_ULONG len,
                  unsigned char *out, CK_ULONG *out_len)
{
    EVP_PKEY_CTX *context = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    const EVP_MD *hash = p->hashAlg == CKM_SHA256 ? EVP_sha256() : EVP_sha1();
    size_t made = BLOB;
    bool good =
        context && (wrap ? EVP_PKEY_encrypt_init(context) : EVP_PKEY_decrypt_init(context)) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_oaep_md(context, hash) == 1 &&
        (wrap ? EVP_PKEY_encrypt(context, out, &made, in, len) : EVP_PKEY_decrypt(context, out, &made, in, len)) == 1;
    EVP_PKEY_CTX_free(context);
    *out_len = good ? made : 0;
    return good ? CKR_OK : wrap ? CKR_FUNCTION_FAILED : CKR_WRAPPED_KEY_INVALID;
}

/* Which way this mechanism is, and its OAEP parameters; MOCK_WAYS: AES key wrap with padding. */
static CK_RV way_of(CK_SLOT_ID slot, const CK_MECHANISM *m, enum mock_way *ret, const CK_RSA_PKCS_OAEP_PARAMS **params)
{
    *params = NULL;
    if (m->mechanism == MOCK_KWP) {
        *ret = MOCK_WAYS;
        return CKR_OK;
    }
    if (m->mechanism == CKM_RSA_PKCS_OAEP && m->ulParameterLen == sizeof(**params)) {
        *params = m->pParameter;
        *ret = (*params)->hashAlg == CKM_SHA256 ? MOCK_OAEP_SHA256 : MOCK_OAEP_SHA1;
        return refuses(slot, *ret) ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
    }
    if (m->mechanism == MOCK_RSA_AES && m->ulParameterLen == sizeof(struct mock_rsa_aes)) {
        *params = ((const struct mock_rsa_aes *)m->pParameter)->oaep;
        *ret = MOCK_RSA_AES_WAY;
        return refuses(slot, *ret) ? CKR_MECHANISM_INVALID : CKR_OK;
    }
    return CKR_MECHANISM_INVALID;
}

CK_RV mock_wrap_real(const struct mock_session *s, const CK_MECHANISM *m, const struct mock_object *with,
                     const struct mock_object *key, unsigned char *out, CK_ULONG *out_len)
{
    const CK_RSA_PKCS_OAEP_PARAMS *params = NULL;
    const CK_ATTRIBUTE *kek = mock_item(with, CKA_VALUE),
                       *value = mock_item(key, key->class == CKO_PRIVATE_KEY ? MOCK_PKCS8 : CKA_VALUE);
    unsigned char fresh[32];
    CK_ULONG first = 0, second = 0;
    enum mock_way way = MOCK_WAYS;
    CK_RV rv = way_of(s->slot, m, &way, &params);

    if (rv == CKR_OK && key->class == CKO_PRIVATE_KEY && refuses(s->slot, MOCK_PRIVATE))
        rv = CKR_KEY_NOT_WRAPPABLE;
    if (rv == CKR_OK && key->key_type == CKK_EC_EDWARDS && refuses(s->slot, MOCK_EDWARDS))
        rv = CKR_KEY_NOT_WRAPPABLE;
    if (rv != CKR_OK)
        return rv;
    if (!value || *out_len < BLOB)
        return value ? CKR_BUFFER_TOO_SMALL : CKR_KEY_UNEXTRACTABLE;
    if (way == MOCK_WAYS)
        return kek ? kwp(true, kek->pValue, value->pValue, value->ulValueLen, out, out_len) : CKR_GENERAL_ERROR;
    EVP_PKEY *rsa = rsa_public(with);
    RAND_bytes(fresh, sizeof(fresh));
    if (way == MOCK_RSA_AES_WAY)
        rv = oaep(true, rsa, params, fresh, sizeof(fresh), out, &first);
    if (rv == CKR_OK && way == MOCK_RSA_AES_WAY)
        rv = kwp(true, fresh, value->pValue, value->ulValueLen, out + first, &second);
    if (way != MOCK_RSA_AES_WAY)
        rv = oaep(true, rsa, params, value->pValue, value->ulValueLen, out, &first);
    EVP_PKEY_free(rsa);
    *out_len = first + second;
    return rv;
}

CK_RV mock_unwrap_real(const struct mock_session *s, const CK_MECHANISM *m, const struct mock_object *with,
                       const unsigned char *blob, CK_ULONG len, unsigned char *out, CK_ULONG *out_len)
{
    const CK_RSA_PKCS_OAEP_PARAMS *params = NULL;
    const CK_ATTRIBUTE *kek = mock_item(with, CKA_VALUE);
    unsigned char fresh[BLOB];
    CK_ULONG fresh_len = 0;
    enum mock_way way = MOCK_WAYS;
    CK_RV rv = way_of(s->slot, m, &way, &params);

    if (rv != CKR_OK)
        return rv;
    if (way == MOCK_WAYS)
        return kek ? kwp(false, kek->pValue, blob, len, out, out_len) : CKR_GENERAL_ERROR;
    EVP_PKEY *rsa = pkey_of(with);
    CK_ULONG size = rsa ? (CK_ULONG)EVP_PKEY_get_size(rsa) : 0;
    if (!rsa || len < size) {
        rv = CKR_WRAPPED_KEY_LEN_RANGE;
    } else if (way == MOCK_RSA_AES_WAY) {
        rv = oaep(false, rsa, params, blob, size, fresh, &fresh_len);
        if (rv == CKR_OK)
            rv = kwp(false, fresh, blob + size, len - size, out, out_len);
    } else {
        rv = oaep(false, rsa, params, blob, len, out, out_len);
    }
    EVP_PKEY_free(rsa);
    return rv;
}
