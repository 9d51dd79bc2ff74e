#include "ceremony/stamp.h"

#include <openssl/pem.h>
#include <openssl/ts.h>
#include <string.h>
#include <time.h>

#define QUERY_NONCE_BYTES 8

static bool imprint_set(TS_MSG_IMPRINT *imprint, const struct digest *of)
{
    X509_ALGOR *algorithm = X509_ALGOR_new();
    struct digest copy = *of; /* TS_MSG_IMPRINT_set_msg copies too, but wants it writable */
    bool good = algorithm != NULL && X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) == 1 &&
                TS_MSG_IMPRINT_set_algo(imprint, algorithm) == 1 &&
                TS_MSG_IMPRINT_set_msg(imprint, copy.bytes, (int)sizeof copy.bytes) == 1;

    X509_ALGOR_free(algorithm);
    return good;
}

enum outcome stamp_query(const struct digest *of, struct buf *ret, struct fault *f)
{
    TS_REQ *query = TS_REQ_new();
    TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
    uint8_t random[QUERY_NONCE_BYTES], *der = NULL;
    BIGNUM *number = NULL;
    ASN1_INTEGER *nonce = NULL;
    int len = -1;
    enum outcome o = OK;

    if (random_bytes(random, sizeof random)) {
        random[0] |= 0x40; /* of full length, and not negative */
        random[0] &= 0x7f;
        number = BN_bin2bn(random, (int)sizeof random, NULL);
        nonce = number != NULL ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    }
    if (query != NULL && imprint != NULL && nonce != NULL && imprint_set(imprint, of) &&
        TS_REQ_set_version(query, 1) == 1 && TS_REQ_set_msg_imprint(query, imprint) == 1 &&
        TS_REQ_set_nonce(query, nonce) == 1 && TS_REQ_set_cert_req(query, 1) == 1)
        len = i2d_TS_REQ(query, &der);
    if (len > 0)
        buf_put(ret, der, (size_t)len);
    if (len <= 0 || ret->failed)
        o = fault_set(f, E_IO, "libcrypto cannot make a time stamp query");
    OPENSSL_free(der);
    ASN1_INTEGER_free(nonce);
    BN_free(number);
    TS_MSG_IMPRINT_free(imprint);
    TS_REQ_free(query);
    return o;
}

static bool time_read(const ASN1_GENERALIZEDTIME *t, moment *ret)
{
    struct tm tm = {0};
    time_t at = 0;

    if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1 || (at = timegm(&tm)) <= 0)
        return false;
    *ret = (moment)at;
    return true;
}

static bool imprint_is(TS_TST_INFO *info, const struct digest *of)
{
    TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(info);
    X509_ALGOR *algorithm = TS_MSG_IMPRINT_get_algo(imprint);
    ASN1_OCTET_STRING *digest = TS_MSG_IMPRINT_get_msg(imprint);
    const ASN1_OBJECT *name = NULL;

    X509_ALGOR_get0(&name, NULL, NULL, algorithm);
    return OBJ_obj2nid(name) == NID_sha256 && ASN1_STRING_length(digest) == (int)sizeof of->bytes &&
           memcmp(ASN1_STRING_get0_data(digest), of->bytes, sizeof of->bytes) == 0;
}

static enum outcome response_parse(struct span bytes, const struct digest *of, TS_RESP **ret, moment *ret_at,
                                   struct fault *f)
{
    const uint8_t *p = bytes.data;
    TS_RESP *response = bytes.len <= INT32_MAX ? d2i_TS_RESP(NULL, &p, (long)bytes.len) : NULL;
    TS_TST_INFO *info = response != NULL ? TS_RESP_get_tst_info(response) : NULL;
    enum outcome o = OK;

    if (response == NULL || p != bytes.data + bytes.len)
        o = fault_set(f, E_INVALID, "that is no response of a time stamping authority (RFC 3161, DER)");
    else if (info == NULL)
        o = fault_set(f, E_REFUSED, "the authority did not grant a time stamp");
    else if (!imprint_is(info, of))
        o = fault_set(f, E_REFUSED, "the time stamp is not over this checkpoint");
    else if (!time_read(TS_TST_INFO_get_time(info), ret_at))
        o = fault_set(f, E_INVALID, "the time stamp's time cannot be read");
    if (o == OK) {
        *ret = response;
        response = NULL; /* the caller's */
    }
    TS_RESP_free(response);
    return o;
}

enum outcome stamp_read(struct span response, const struct digest *of, moment *ret_at, struct fault *f)
{
    TS_RESP *parsed = NULL;
    enum outcome o = response_parse(response, of, &parsed, ret_at, f);

    TS_RESP_free(parsed);
    return o;
}

/* Certificates are judged as of the time that the stamp names: it is to hold for years. */
static X509_STORE *store_make(STACK_OF(X509) * authorities, moment at)
{
    X509_STORE *store = X509_STORE_new();
    bool good = store != NULL;

    for (int i = 0; good && i < sk_X509_num(authorities); i++)
        good = X509_STORE_add_cert(store, sk_X509_value(authorities, i)) == 1;
    if (good) {
        X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)at);
        good = X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
    }
    if (good)
        return store;
    X509_STORE_free(store);
    return NULL;
}

enum outcome stamp_verify(struct span response, const struct digest *of, STACK_OF(X509) * authorities, moment *ret_at,
                          struct fault *f)
{
    TS_RESP *parsed = NULL;
    TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
    unsigned char *imprint = OPENSSL_memdup(of->bytes, sizeof of->bytes);
    X509_STORE *store = NULL;
    moment at = 0;
    enum outcome o = ctx != NULL && imprint != NULL ? response_parse(response, of, &parsed, &at, f) : fault_memory(f);

    if (o == OK && (store = store_make(authorities, at)) == NULL)
        o = fault_memory(f);
    if (o == OK) {
        TS_VERIFY_CTX_set_flags(ctx, TS_VFY_VERSION | TS_VFY_SIGNATURE | TS_VFY_IMPRINT);
        TS_VERIFY_CTX_set_store(ctx, store);
        TS_VERIFY_CTX_set_imprint(ctx, imprint, (long)sizeof of->bytes);
        store = NULL;   /* taken by ctx */
        imprint = NULL; /* taken by ctx */
        if (TS_RESP_verify_response(ctx, parsed) != 1)
            o = fault_set(f, E_REFUSED, "the time stamp is not signed by an authority of the trust file");
    }
    if (o == OK)
        *ret_at = at;
    X509_STORE_free(store);
    OPENSSL_free(imprint);
    TS_VERIFY_CTX_free(ctx);
    TS_RESP_free(parsed);
    return o;
}

enum outcome authorities_read(struct span pem, STACK_OF(X509) * *ret, struct fault *f)
{
    BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    STACK_OF(X509) *found = sk_X509_new_null();
    X509 *one = NULL;
    enum outcome o = bio != NULL && found != NULL ? OK : fault_memory(f);

    while (o == OK && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(found, one) <= 0) {
            X509_free(one);
            o = fault_memory(f);
        }
    if (o == OK && sk_X509_num(found) == 0)
        o = fault_set(f, E_INVALID, "holds no certificate in PEM");
    if (o == OK) {
        *ret = found;
        found = NULL; /* the caller's */
    }
    sk_X509_pop_free(found, X509_free);
    BIO_free(bio);
    return o;
}
