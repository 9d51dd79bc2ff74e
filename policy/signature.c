#include "policy/signature.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <string.h>

#include "core/limits.h"

#define KEY_BITS_MIN 112 /* of security: RSA-2048, P-224 */

/* The one CMS structure that these bytes are the DER of: what BER or trailing bytes would add is refused. */
static enum outcome cms_decode(struct span der, CMS_ContentInfo **ret, struct fault *f)
{
    CMS_ContentInfo *cms = NULL;
    const unsigned char *at = der.data;
    unsigned char *again = NULL;
    int len = 0;
    enum outcome o = E_INVALID;

    if (der.len == 0 || der.len > LIMIT_SIGNATURE)
        return fault_set(f, E_INVALID, "a signature has between 1 and %u bytes, this one %zu", LIMIT_SIGNATURE,
                         der.len);
    cms = CMS_ContentInfo_new_ex(crypto_context(), NULL);
    if (cms == NULL)
        return fault_memory(f);
    if (d2i_CMS_ContentInfo(&cms, &at, (long)der.len) == NULL) {
        cms = NULL; /* freed by the decoder */
        o = fault_set(f, E_INVALID, "not a DER CMS structure; sign with openssl cms -sign -binary -outform DER");
        goto out;
    }
    len = i2d_CMS_ContentInfo(cms, &again);
    if (len < 0 || at != der.data + der.len || !span_equal(der, span_of(again, (size_t)len))) {
        o = fault_set(f, E_INVALID, "the signature file is not strict DER, or has bytes after its end");
        goto out;
    }
    *ret = cms;
    cms = NULL; /* taken by the caller */
    o = OK;
out:
    OPENSSL_free(again);
    CMS_ContentInfo_free(cms);
    return o;
}

static bool digest_strong(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *oid = NULL;
    int nid = NID_undef;

    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    nid = OBJ_obj2nid(oid);
    return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

/* The signature's own algorithm must not bring in another digest than the one that was looked at. */
static bool algorithm_agrees(const X509_ALGOR *signature, const X509_ALGOR *digest)
{
    const ASN1_OBJECT *oid = NULL;
    int nid = NID_undef, of = NID_undef, key = NID_undef, digest_nid = NID_undef;

    X509_ALGOR_get0(&oid, NULL, NULL, digest);
    digest_nid = OBJ_obj2nid(oid);
    X509_ALGOR_get0(&oid, NULL, NULL, signature);
    nid = OBJ_obj2nid(oid);
    if (nid == NID_rsaEncryption || nid == NID_rsassaPss) /* PSS: libcrypto compares its parameter with the digest */
        return true;
    return OBJ_find_sigid_algs(nid, &of, &key) == 1 && of == digest_nid &&
           (key == NID_rsaEncryption || key == NID_X9_62_id_ecPublicKey);
}

/* Signed attributes, where there are any, must say that data was signed (RFC 5652, section 5.3). */
static bool content_type_fits(const CMS_SignerInfo *si)
{
    int at = 0;
    X509_ATTRIBUTE *attribute = NULL;
    const ASN1_OBJECT *type = NULL;

    if (CMS_signed_get_attr_count(si) <= 0)
        return true;
    at = CMS_signed_get_attr_by_NID(si, NID_pkcs9_contentType, -1);
    attribute = at < 0 ? NULL : CMS_signed_get_attr(si, at);
    type = attribute == NULL || X509_ATTRIBUTE_count(attribute) != 1
               ? NULL
               : X509_ATTRIBUTE_get0_data(attribute, 0, V_ASN1_OBJECT, NULL);
    return type != NULL && OBJ_obj2nid(type) == NID_pkcs7_data;
}

static enum outcome cms_shape(CMS_ContentInfo *cms, CMS_SignerInfo **ret, struct fault *f)
{
    STACK_OF(CMS_SignerInfo) *all = NULL;
    ASN1_OCTET_STRING **content = NULL;
    STACK_OF(X509_CRL) *crls = NULL;
    X509_ALGOR *digest = NULL, *signature = NULL;
    CMS_SignerInfo *si = NULL;
    enum outcome o = E_INVALID;

    if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed ||
        OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data)
        return fault_set(f, E_INVALID, "CMS, but no signature over data");
    content = CMS_get0_content(cms);
    if (content == NULL || *content != NULL)
        return fault_set(f, E_INVALID, "the signature holds the document; sign detached (without -nodetach)");
    crls = CMS_get1_crls(cms);
    all = CMS_get0_SignerInfos(cms);
    si = sk_CMS_SignerInfo_num(all) == 1 ? sk_CMS_SignerInfo_value(all, 0) : NULL;
    if (si == NULL) {
        o = fault_set(f, E_INVALID, "expected exactly one signer, found %d", sk_CMS_SignerInfo_num(all));
        goto out;
    }
    if (crls != NULL || CMS_unsigned_get_attr_count(si) > 0) {
        o = fault_set(f, E_INVALID,
                      "the signature file carries revocation lists or unsigned attributes; leave them out");
        goto out;
    }
    CMS_SignerInfo_get0_algs(si, NULL, NULL, &digest, &signature);
    if (!digest_strong(digest) || !algorithm_agrees(signature, digest)) {
        o = fault_set(f, E_REFUSED,
                      "signed with an algorithm that is not accepted; expected RSA or ECDSA with SHA-256, "
                      "SHA-384 or SHA-512");
        goto out;
    }
    if (!content_type_fits(si)) {
        o = fault_set(f, E_REFUSED, "the signed attributes do not say that data was signed");
        goto out;
    }
    *ret = si;
    o = OK;
out:
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return o;
}

/* Does the signature hold with this certificate and no other? */
static bool cms_holds(struct span der, struct span document, X509 *certificate)
{
    struct fault ignored = {0};
    CMS_ContentInfo *cms = NULL;
    STACK_OF(X509) *only = sk_X509_new_null();
    BIO *content = BIO_new_mem_buf(document.len > 0 ? (const void *)document.data : "", (int)document.len);
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    bool holds = false;

    if (only != NULL && content != NULL && key != NULL && EVP_PKEY_get_security_bits(key) >= KEY_BITS_MIN &&
        sk_X509_push(only, certificate) > 0 && cms_decode(der, &cms, &ignored) == OK)
        holds = CMS_verify(cms, only, NULL, content, NULL,
                           CMS_NO_SIGNER_CERT_VERIFY | CMS_NOINTERN | CMS_BINARY | CMS_DETACHED) == 1;
    CMS_ContentInfo_free(cms);
    sk_X509_free(only);
    BIO_free(content);
    return holds;
}

static enum outcome verify_inside(STACK_OF(X509) * inside, CMS_SignerInfo *si, struct span der, struct span document,
                                  struct signer *ret, bool *ret_named, struct fault *f)
{
    for (int i = 0; i < sk_X509_num(inside); i++) {
        X509 *c = sk_X509_value(inside, i);

        if (CMS_SignerInfo_cert_cmp(si, c) != 0)
            continue;
        *ret_named = true;
        if (cms_holds(der, document, c))
            return certificate_digests(c, ret, f);
    }
    return E_ABSENT;
}

static enum outcome verify_known(const struct span *known, size_t count, CMS_SignerInfo *si, struct span der,
                                 struct span document, struct signer *ret, bool *ret_named, struct fault *f)
{
    enum outcome o = E_ABSENT;

    for (size_t i = 0; i < count && o == E_ABSENT; i++) {
        X509 *c = NULL;
        struct fault ignored = {0};

        if (certificate_parse(known[i], &c, &ignored) != OK)
            continue; /* the roster's check names it */
        if (CMS_SignerInfo_cert_cmp(si, c) == 0) {
            *ret_named = true;
            if (cms_holds(der, document, c))
                o = certificate_digests(c, ret, f);
        }
        X509_free(c);
    }
    return o;
}

enum outcome signature_verify(struct span der, struct span document, const struct span *known, size_t known_count,
                              struct signer *ret, struct fault *f)
{
    CMS_ContentInfo *cms = NULL;
    CMS_SignerInfo *si = NULL;
    STACK_OF(X509) *inside = NULL;
    bool named = false;
    enum outcome o = E_INVALID;

    if (document.len > INT32_MAX)
        return fault_set(f, E_INVALID, "the document is too large to be signed");
    ERR_set_mark();
    if ((o = cms_decode(der, &cms, f)) != OK || (o = cms_shape(cms, &si, f)) != OK)
        goto out;
    inside = CMS_get1_certs(cms);
    o = verify_inside(inside, si, der, document, ret, &named, f);
    if (o == E_ABSENT && inside == NULL)
        o = verify_known(known, known_count, si, der, document, ret, &named, f);
    if (o == E_ABSENT && named)
        o = fault_set(f, E_REFUSED, "the signature does not hold over this document");
    else if (o == E_ABSENT)
        o = fault_set(f, E_REFUSED,
                      "the signer's certificate is neither in the signature file nor, where that holds none, on "
                      "the roster");
out:
    sk_X509_pop_free(inside, X509_free);
    CMS_ContentInfo_free(cms);
    ERR_pop_to_mark();
    return o;
}

enum outcome signature_make(EVP_PKEY *key, X509 *certificate, struct span document, struct buf *ret_der,
                            struct fault *f)
{
    const unsigned flags = CMS_BINARY | CMS_DETACHED | CMS_PARTIAL | CMS_NOSMIMECAP;
    BIO *content = NULL;
    CMS_ContentInfo *cms = NULL;
    unsigned char *der = NULL;
    int len = 0;
    enum outcome o = E_DEVICE;

    if (document.len == 0 || document.len > INT32_MAX)
        return fault_set(f, E_INVALID, "there is no document to sign, or it is too large");
    ERR_set_mark();
    content = BIO_new_mem_buf(document.data, (int)document.len);
    cms = CMS_sign_ex(NULL, NULL, NULL, NULL, flags, crypto_context(), NULL);
    if (content == NULL || cms == NULL) {
        o = fault_memory(f);
        goto out;
    }
    if (CMS_add1_signer(cms, certificate, key, EVP_sha256(), flags) == NULL ||
        CMS_final(cms, content, NULL, flags) != 1) {
        o = fault_set(f, E_DEVICE, "signing failed; does the key belong to the certificate, and does the card answer?");
        goto out;
    }
    len = i2d_CMS_ContentInfo(cms, &der);
    if (len > 0)
        buf_put(ret_der, der, (size_t)len);
    o = len <= 0 || ret_der->failed ? fault_memory(f) : OK;
out:
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    BIO_free(content);
    ERR_pop_to_mark();
    return o;
}
