#include <string.h>

#include "core/limits.h"
#include "module/site.h"

/* DigestInfo of SHA-256 (RFC 8017, section 9.2, note 1). */
static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

/* The one that signs 32 bytes with keys of this type; CKM_VENDOR_DEFINED where none is known. */
static CK_MECHANISM_TYPE signing_mechanism(CK_ULONG key_type)
{
    switch (key_type) {
    case CKK_RSA:
        return CKM_RSA_PKCS;
    case CKK_EC:
        return CKM_ECDSA;
    case CKK_EC_EDWARDS:
        return CKM_EDDSA;
    default:
        return CKM_VENDOR_DEFINED;
    }
}

enum outcome site_sign(const struct site_link *s, CK_OBJECT_HANDLE key, const struct digest *digest, struct buf *ret,
                       struct fault *f)
{
    CK_ULONG type = 0;
    CK_BYTE input[sizeof digest_info + sizeof digest->bytes], signature[2048];
    CK_ULONG input_len = 0, signature_len = sizeof signature;

    enum outcome outcome = site_attribute_ulong(s, key, CKA_KEY_TYPE, &type, f);
    if (outcome != OK)
        return outcome;
    CK_MECHANISM mechanism = {signing_mechanism(type), NULL, 0};
    if (mechanism.mechanism == CKM_VENDOR_DEFINED)
        return fault_set(f, E_REFUSED, "%s at %s: a key of type 0x%lX cannot sign here: not yet", s->token,
                         s->binding->site, type);
    if (type == CKK_RSA) {
        memcpy(input, digest_info, sizeof digest_info);
        input_len = sizeof digest_info;
    }
    memcpy(input + input_len, digest->bytes, sizeof digest->bytes);
    input_len += sizeof digest->bytes;
    CK_RV rv = s->f->C_SignInit(s->session, &mechanism, key);
    if (rv != CKR_OK)
        return site_fault(s, "C_SignInit", rv, f);
    rv = s->f->C_Sign(s->session, input, input_len, signature, &signature_len);
    if (rv != CKR_OK || signature_len > sizeof signature)
        return site_fault(s, "C_Sign", rv == CKR_OK ? CKR_DEVICE_ERROR : rv, f);
    buf_clear(ret);
    buf_put(ret, signature, signature_len);
    return ret->failed ? fault_memory(f) : OK;
}

enum outcome site_identity(const struct site_link *s, struct span identity_id, CK_OBJECT_HANDLE *ret, struct fault *f)
{
    enum outcome outcome = OK;
    if (s->identity != CK_INVALID_HANDLE)
        *ret = s->identity;
    else
        outcome = site_find_one(s, CKO_PRIVATE_KEY, identity_id, ret, f);
    return outcome == OK ? OK : fault_context(f, "the identity key");
}

enum outcome site_challenge(const struct site_link *s, const struct digest *estate, struct span identity_id,
                            struct span identity, const struct digest *challenge, struct buf *ret_signature,
                            struct fault *f)
{
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    struct digest digest = {0};
    struct buf signature = BUF(2048);

    enum outcome outcome = site_identity(s, identity_id, &key, f);
    if (outcome != OK)
        goto out;
    if (!challenge_digest(estate, s->token, s->binding->site, challenge, &digest)) {
        outcome = fault_memory(f);
        goto out;
    }
    outcome = site_sign(s, key, &digest, &signature, f);
    if (outcome == OK)
        outcome = digest_signature_verify(identity, &digest, buf_span(&signature), f);
    if (outcome != OK)
        fault_context(f, "%s at %s: the HSM does not answer with its identity key", s->token, s->binding->site);
    if (outcome == OK && ret_signature != NULL) {
        buf_free(ret_signature);
        *ret_signature = signature;
        signature = BUF(2048); /* taken by *ret_signature */
    }
out:
    buf_free(&signature);
    return outcome;
}
