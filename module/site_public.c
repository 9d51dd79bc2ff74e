#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/site.h"
#include "policy/request.h"

enum { SPKI_MAX = 4096, ED25519_KEY = 32 };

static EVP_PKEY *pkey_build(const char *algorithm, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(crypto_context(), algorithm, NULL);
    if (context != NULL && params != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *rsa_build(struct span modulus, struct span exponent)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(modulus.data, (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(exponent.data, (int)exponent.len, NULL);
    if (build != NULL && n != NULL && e != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    key = pkey_build("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return key;
}

/* CKA_EC_POINT is a DER OCTET STRING (PKCS#11 2.40, section 2.3.3 of the mechanisms); some HSMs give the bare point. */
static struct span point_bare(struct span point, ASN1_OCTET_STRING **ret_owner)
{
    const unsigned char *p = point.data;
    ASN1_OCTET_STRING *octets = d2i_ASN1_OCTET_STRING(NULL, &p, (long)point.len);
    *ret_owner = octets;
    if (octets == NULL || p != point.data + point.len)
        return point;
    return span_of(ASN1_STRING_get0_data(octets), (size_t)ASN1_STRING_length(octets));
}

static EVP_PKEY *ec_build(struct span curve, struct span point)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    ASN1_OCTET_STRING *owner = NULL;
    const unsigned char *p = curve.data;
    ASN1_OBJECT *oid = d2i_ASN1_OBJECT(NULL, &p, (long)curve.len);
    int nid = oid != NULL && p == curve.data + curve.len ? OBJ_obj2nid(oid) : NID_undef;
    struct span bare = point_bare(point, &owner);
    if (build != NULL && nid != NID_undef &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, OBJ_nid2sn(nid), 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, bare.data, bare.len) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    key = pkey_build("EC", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    ASN1_OBJECT_free(oid);
    ASN1_OCTET_STRING_free(owner);
    return key;
}

/* The curve by its object identifier (RFC 8410) or name (PKCS#11 3.0, section 2.3.10 of the mechanisms). A bare point may
 * look like an octet string: its length tells. */
static EVP_PKEY *edwards_build(struct span curve, struct span point)
{
    struct buf hex = BUF(2 * LIMIT_ATTRIBUTE);
    ASN1_OCTET_STRING *owner = NULL;
    EVP_PKEY *key = NULL;
    hex_put(&hex, curve);
    const char *name = hex.failed ? NULL : ec_curve_name(buf_str(&hex));
    struct span bare = point.len == ED25519_KEY ? point : point_bare(point, &owner);
    if (name != NULL && strcmp(name, "Ed25519") == 0 && bare.len == ED25519_KEY)
        key = EVP_PKEY_new_raw_public_key_ex(crypto_context(), "ED25519", NULL, bare.data, bare.len);
    ASN1_OCTET_STRING_free(owner);
    buf_free(&hex);
    return key;
}

/* first, second: modulus and exponent, or curve and point. */
static EVP_PKEY *public_build(CK_ULONG type, struct span first, struct span second)
{
    if (type == CKK_RSA)
        return rsa_build(first, second);
    return type == CKK_EC ? ec_build(first, second) : edwards_build(first, second);
}

static enum outcome pkey_spki(EVP_PKEY *key, struct buf *ret)
{
    unsigned char *der = NULL;
    int len = key != NULL ? i2d_PUBKEY(key, &der) : -1;
    if (len <= 0 || len > SPKI_MAX) {
        OPENSSL_free(der);
        return E_DEVICE;
    }
    buf_clear(ret);
    buf_put(ret, der, (size_t)len);
    OPENSSL_free(der);
    return ret->failed ? E_MEMORY : OK;
}

/* In one call. */
static enum outcome two_attributes(const struct site_link *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE one,
                                   struct buf *ret_one, CK_ATTRIBUTE_TYPE other, struct buf *ret_other, struct fault *f)
{
    CK_BYTE first[LIMIT_ATTRIBUTE], second[LIMIT_ATTRIBUTE];
    CK_ATTRIBUTE a[] = {{one, first, sizeof first}, {other, second, sizeof second}};
    CK_RV rv = s->f->C_GetAttributeValue(s->session, object, a, 2);
    if (rv == CKR_OK && (a[0].ulValueLen > sizeof first || a[1].ulValueLen > sizeof second))
        rv = CKR_DEVICE_ERROR;
    if (rv != CKR_OK)
        return site_fault(s, "reading the public key", rv, f);
    buf_clear(ret_one);
    buf_clear(ret_other);
    buf_put(ret_one, first, a[0].ulValueLen);
    buf_put(ret_other, second, a[1].ulValueLen);
    return ret_one->failed || ret_other->failed ? fault_memory(f) : OK;
}

enum outcome site_spki(const struct site_link *s, CK_OBJECT_HANDLE public, struct buf *ret, struct fault *f)
{
    CK_ULONG type = 0;
    struct buf first = BUF(LIMIT_ATTRIBUTE), second = BUF(LIMIT_ATTRIBUTE);
    EVP_PKEY *key = NULL;

    enum outcome outcome = site_attribute_ulong(s, public, CKA_KEY_TYPE, &type, f);
    if (outcome != OK)
        goto out;
    if (type != CKK_RSA && type != CKK_EC && type != CKK_EC_EDWARDS) {
        outcome =
            fault_set(f, E_REFUSED, "%s at %s: a public key of type 0x%lX: not yet", s->token, s->binding->site, type);
        goto out;
    }
    outcome = type == CKK_RSA ? two_attributes(s, public, CKA_MODULUS, &first, CKA_PUBLIC_EXPONENT, &second, f)
                              : two_attributes(s, public, CKA_EC_PARAMS, &first, CKA_EC_POINT, &second, f);
    if (outcome != OK)
        goto out;
    key = public_build(type, buf_span(&first), buf_span(&second));
    outcome = pkey_spki(key, ret);
    if (outcome != OK)
        fault_set(f, outcome, "%s at %s: the HSM gives a public key that cannot be read", s->token, s->binding->site);
out:
    EVP_PKEY_free(key);
    buf_free(&first);
    buf_free(&second);
    return outcome;
}

static enum outcome set_number(struct template *t, CK_ATTRIBUTE_TYPE type, const BIGNUM *n, struct fault *f)
{
    unsigned char bytes[2048];
    int len = n != NULL ? BN_num_bytes(n) : -1;
    if (len <= 0 || (size_t)len > sizeof bytes)
        return fault_set(f, E_INVALID, "a public key with a number out of range");
    BN_bn2bin(n, bytes);
    return template_set(t, type, bytes, (CK_ULONG)len, f);
}

static enum outcome rsa_attributes(const EVP_PKEY *key, struct template *t, struct fault *f)
{
    BIGNUM *n = NULL, *e = NULL;
    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n);
    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e);
    enum outcome outcome = template_set_ulong(t, CKA_KEY_TYPE, CKK_RSA, f);
    if (outcome == OK)
        outcome = set_number(t, CKA_MODULUS, n, f);
    if (outcome == OK)
        outcome = set_number(t, CKA_PUBLIC_EXPONENT, e, f);
    BN_free(n);
    BN_free(e);
    return outcome;
}

static enum outcome ec_attributes(const EVP_PKEY *key, struct template *t, struct fault *f)
{
    char group[64];
    unsigned char point[256], *params = NULL, *octets = NULL;
    size_t point_len = 0;
    int params_len = -1, octets_len = -1;
    enum outcome outcome = E_INVALID;
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();

    if (string != NULL && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &point_len) == 1 &&
        ASN1_OCTET_STRING_set(string, point, (int)point_len) == 1) {
        params_len = i2d_ASN1_OBJECT(OBJ_nid2obj(OBJ_sn2nid(group)), &params);
        octets_len = i2d_ASN1_OCTET_STRING(string, &octets);
    }
    if (params_len <= 0 || octets_len <= 0) {
        outcome = fault_set(f, E_INVALID, "a public key over a curve without a name: only named curves are known");
        goto out;
    }
    outcome = template_set_ulong(t, CKA_KEY_TYPE, CKK_EC, f);
    if (outcome == OK)
        outcome = template_set(t, CKA_EC_PARAMS, params, (CK_ULONG)params_len, f);
    if (outcome == OK)
        outcome = template_set(t, CKA_EC_POINT, octets, (CK_ULONG)octets_len, f);
out:
    OPENSSL_free(params);
    OPENSSL_free(octets);
    ASN1_OCTET_STRING_free(string);
    return outcome;
}

static enum outcome edwards_attributes(const EVP_PKEY *key, struct template *t, struct fault *f)
{
    static const uint8_t curve[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
    uint8_t point[2 + ED25519_KEY] = {0x04, ED25519_KEY};
    size_t len = ED25519_KEY;
    if (EVP_PKEY_get_raw_public_key(key, point + 2, &len) != 1 || len != ED25519_KEY)
        return fault_set(f, E_INVALID, "a public key of Ed25519 that cannot be read");
    enum outcome outcome = template_set_ulong(t, CKA_KEY_TYPE, CKK_EC_EDWARDS, f);
    if (outcome == OK)
        outcome = template_set(t, CKA_EC_PARAMS, curve, sizeof curve, f);
    if (outcome == OK)
        outcome = template_set(t, CKA_EC_POINT, point, sizeof point, f);
    return outcome;
}

enum outcome spki_template(struct span spki, struct template *ret, struct fault *f)
{
    struct template t = {0};
    struct buf again = BUF(SPKI_MAX);
    enum outcome outcome = E_INVALID;
    const unsigned char *p = spki.data;
    EVP_PKEY *key = spki.len > 0 ? d2i_PUBKEY_ex(NULL, &p, (long)spki.len, crypto_context(), NULL) : NULL;

    /* One encoding of a key only: its digest is its name. */
    if (key == NULL || pkey_spki(key, &again) != OK || !span_equal(buf_span(&again), spki)) {
        outcome = fault_set(f, E_INVALID, "this is not the DER of a SubjectPublicKeyInfo that is known here");
        goto out;
    }
    outcome = template_set_ulong(&t, CKA_CLASS, CKO_PUBLIC_KEY, f);
    if (outcome != OK)
        goto out;
    if (EVP_PKEY_is_a(key, "RSA"))
        outcome = rsa_attributes(key, &t, f);
    else if (EVP_PKEY_is_a(key, "EC"))
        outcome = ec_attributes(key, &t, f);
    else if (EVP_PKEY_is_a(key, "ED25519"))
        outcome = edwards_attributes(key, &t, f);
    else
        outcome = fault_set(f, E_REFUSED, "a public key that is neither RSA nor EC nor Ed25519: not yet");
    if (outcome == OK) {
        *ret = t;
        t = (struct template){0}; /* taken by *ret */
    }
out:
    template_clear(&t);
    buf_free(&again);
    EVP_PKEY_free(key);
    return outcome;
}
