#include "policy/attestation.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "core/encode.h"
#include "policy/signature.h"

#define SECURITY_LEVEL 2 /* OpenSSL's: 112 bits, so no SHA-1, no RSA below 2048 bits */
#define SUBJECT_SHOWN 100

typedef STACK_OF(X509) certificates;

static void certificates_free(certificates *all)
{
    sk_X509_pop_free(all, X509_free);
}

/* Taken in any case. */
static enum outcome certificates_add(certificates *all, X509 *taken, struct fault *f)
{
    if (sk_X509_push(all, taken) > 0)
        return OK;
    X509_free(taken);
    return fault_memory(f);
}

static void subject_put(X509 *c, struct buf *b)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len = 0;

    if (bio == NULL || X509_NAME_print_ex(bio, X509_get_subject_name(c), 0, XN_FLAG_RFC2253) < 0)
        b->failed = true;
    else if ((len = BIO_get_mem_data(bio, &text)) > 0)
        buf_put(b, text, (size_t)len);
    BIO_free(bio);
}

static enum outcome fault_of(X509 *c, const char *why, struct fault *f)
{
    struct buf subject = BUF(LIMIT_CERTIFICATE);

    subject_put(c, &subject);
    fault_set(f, E_REFUSED, "the certificate of \"%.*s\": %s", SUBJECT_SHOWN, buf_str(&subject), why);
    buf_free(&subject);
    return E_REFUSED;
}

static bool key_is(X509 *c, struct span spki)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &der);
    bool same = len > 0 && span_equal(span_of(der, (size_t)len), spki);

    OPENSSL_free(der);
    return same;
}

static bool is_root(const struct site *s, X509 *c)
{
    struct signer digests;
    struct fault ignored = {OK, ""};

    if (certificate_digests(c, &digests, &ignored) != OK)
        return false;
    for (size_t i = 0; i < s->root_count; i++)
        if (digest_equal(&s->roots[i], &digests.fingerprint))
            return true;
    return false;
}

/* The extension of the certificate with this object identifier has this value, in hex, and is there once. */
static bool extension_is(X509 *c, const char *oid, const char *hex)
{
    size_t found = 0;
    bool same = false;

    for (int i = 0; i < X509_get_ext_count(c); i++) {
        X509_EXTENSION *e = X509_get_ext(c, i);
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(e);
        struct buf text = BUF(2 * LIMIT_CERTIFICATE + 1);
        char name[256] = "";
        int len = OBJ_obj2txt(name, sizeof name, X509_EXTENSION_get_object(e), 1);

        if (len > 0 && len < (int)sizeof name && strcmp(name, oid) == 0) {
            found++;
            hex_put(&text, span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)));
            same = !text.failed && strcmp(buf_str(&text), hex) == 0;
        }
        buf_free(&text);
    }
    return found == 1 && same;
}

/* What the policy wants the certificate of the key to say. */
static enum outcome says_check(const struct site *s, X509 *c, struct fault *f)
{
    char why[512];

    for (size_t i = 0; i < s->extensions.count; i++) {
        if (extension_is(c, s->extensions.items[i], s->values.items[i]))
            continue;
        snprintf(why, sizeof why, "its extension %.100s is not %.100s, as the policy wants (`attested-with`)",
                 s->extensions.items[i], s->values.items[i]);
        return fault_of(c, why, f);
    }
    return OK;
}

/* By OpenSSL's own rules: signatures, dates, path lengths, name constraints, critical extensions that it does not know. */
static enum outcome context_verify(X509_STORE_CTX *context, X509_STORE *store, X509 *leaf, certificates *between,
                                   moment at, struct fault *f)
{
    X509_VERIFY_PARAM *param = NULL;
    X509 *where = NULL;

    if (X509_STORE_CTX_init(context, store, leaf, between) != 1)
        return fault_memory(f);
    param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, (time_t)at);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) != 1)
        return fault_memory(f);
    if (X509_verify_cert(context) == 1)
        return OK;
    where = X509_STORE_CTX_get_current_cert(context);
    return fault_of(where != NULL ? where : leaf, X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)), f);
}

/* From the leaf over some of those between to one of the roots; the caller's. */
static enum outcome chain_find(X509 *leaf, certificates *between, certificates *roots, moment at, certificates **ret,
                               struct fault *f)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new_ex(crypto_context(), NULL);
    certificates *chain = NULL;
    bool good = store != NULL && context != NULL;
    enum outcome o = OK;

    ERR_set_mark();
    for (int i = 0; good && i < sk_X509_num(roots); i++)
        good = X509_STORE_add_cert(store, sk_X509_value(roots, i)) == 1;
    o = good ? context_verify(context, store, leaf, between, at, f) : fault_memory(f);
    if (o == OK && (chain = X509_STORE_CTX_get1_chain(context)) == NULL)
        o = fault_memory(f);
    if (o == OK && sk_X509_num(chain) < 2)
        o = fault_of(leaf, "nobody but itself vouches for it", f);
    for (int i = 1; o == OK && i < sk_X509_num(chain); i++)
        if (X509_check_ca(sk_X509_value(chain, i)) != 1)
            o = fault_of(sk_X509_value(chain, i), "it is no CA's (basicConstraints, keyUsage)", f);
    ERR_pop_to_mark();
    if (o == OK) {
        *ret = chain;
        chain = NULL; /* taken by the caller */
    }
    certificates_free(chain);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return o;
}

static enum outcome list_read(const json_t *list, certificates *ret, struct fault *f)
{
    size_t i = 0, sum = 0;
    json_t *item = NULL;
    enum outcome o = OK;

    if (!json_is_array(list) || json_array_size(list) < 2 || json_array_size(list) > LIMIT_CHAIN)
        return fault_set(f, E_INVALID, "a list of 2 to %u certificates is expected", LIMIT_CHAIN);
    json_array_foreach(list, i, item)
    {
        struct buf der = BUF(LIMIT_CERTIFICATE);
        const char *hex = json_string_value(item);
        X509 *c = NULL;

        o = hex != NULL ? hex_parse_buf(hex, &der, f) : fault_set(f, E_INVALID, "a certificate is no text");
        if (o == OK && (der.len == 0 || der.data[0] != 0x30)) /* X.690, 8.9: a SEQUENCE */
            o = fault_set(f, E_INVALID, "not a certificate");
        if (o == OK)
            o = certificate_parse(buf_span(&der), &c, f);
        if (o == OK)
            o = certificates_add(ret, c, f);
        sum += der.len;
        buf_free(&der);
        if (o == OK && sum > LIMIT_ATTESTATION)
            o = fault_set(f, E_INVALID, "the certificates have more than %u bytes", LIMIT_ATTESTATION);
        if (o != OK)
            return o;
    }
    return o;
}

static bool same_chain(certificates *a, certificates *b)
{
    bool same = sk_X509_num(a) == sk_X509_num(b);

    for (int i = 0; same && i < sk_X509_num(a); i++)
        same = X509_cmp(sk_X509_value(a, i), sk_X509_value(b, i)) == 0;
    return same;
}

/* One key's list: from that key's certificate to a listed root, none missing, none too many. */
static enum outcome list_verify(const json_t *list, const struct attested *a, const struct site *s, struct span spki,
                                struct fault *f)
{
    certificates *all = sk_X509_new_null(), *between = sk_X509_new_null(), *roots = sk_X509_new_null(), *chain = NULL;
    bool good = all != NULL && between != NULL && roots != NULL;
    enum outcome o = good ? list_read(list, all, f) : fault_memory(f);
    int last = sk_X509_num(all) - 1;

    if (o == OK && !key_is(sk_X509_value(all, 0), spki))
        o = fault_of(sk_X509_value(all, 0), "it is of another key than the HSM's", f);
    if (o == OK && !is_root(s, sk_X509_value(all, last)))
        o = fault_of(sk_X509_value(all, last), "it is no root that the policy lists for the site (`attested-by`)", f);
    if (o == OK)
        o = says_check(s, sk_X509_value(all, 0), f);
    for (int i = 1; o == OK && i < last; i++) /* these two own nothing */
        o = sk_X509_push(between, sk_X509_value(all, i)) > 0 ? OK : fault_memory(f);
    if (o == OK)
        o = sk_X509_push(roots, sk_X509_value(all, last)) > 0 ? OK : fault_memory(f);
    if (o == OK)
        o = chain_find(sk_X509_value(all, 0), between, roots, a->at, &chain, f);
    if (o == OK && !same_chain(chain, all))
        o = fault_set(f, E_REFUSED, "its certificates are not the chain, in order");
    certificates_free(chain);
    sk_X509_free(roots);
    sk_X509_free(between);
    certificates_free(all);
    return o;
}

static enum outcome site_named(const struct attested *a, const struct site **ret, struct fault *f)
{
    const struct site *s = policy_site(a->policy, a->site);

    if (s == NULL || s->root_count == 0)
        return fault_set(f, E_REFUSED,
                         "%s lists no roots for %s (`attested-by`): nothing there is attested by a vendor",
                         a->policy->file, a->site);
    *ret = s;
    return OK;
}

enum outcome attestation_verify(const json_t *document, const struct attested *a, struct fault *f)
{
    const json_t *transport = json_object_get(document, "transport");
    const struct site *s = NULL;
    enum outcome o = document != NULL ? json_members(document, "identity ?transport", f)
                                      : fault_set(f, E_REFUSED, "there are no certificates");

    if (o == OK)
        o = site_named(a, &s, f);
    if (o == OK && list_verify(json_object_get(document, "identity"), a, s, a->identity, f) != OK)
        o = fault_context(f, "the vendor's attestation of the identity key");
    if (o == OK && transport != NULL && list_verify(transport, a, s, a->transport, f) != OK)
        o = fault_context(f, "the vendor's attestation of the transport key");
    return o;
}

static enum outcome bundle_read(struct span pem, certificates *ret, struct fault *f)
{
    BIO *bio = pem.len > 0 && pem.len <= LIMIT_DOCUMENT ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long len = 0;
    enum outcome o = bio != NULL                                ? OK
                     : pem.len == 0 || pem.len > LIMIT_DOCUMENT ? fault_set(f, E_INVALID, "it is empty, or too long")
                                                                : fault_memory(f);

    ERR_set_mark();
    while (o == OK && PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
        X509 *c = NULL;

        if (strcmp(name, PEM_STRING_X509) != 0 || *header != '\0')
            o = fault_set(f, E_INVALID, "certificates are expected and nothing else; it has a %.40s", name);
        else if (sk_X509_num(ret) >= (int)(2 * LIMIT_CHAIN))
            o = fault_set(f, E_INVALID, "it has more than %u certificates", 2 * LIMIT_CHAIN);
        else
            o = certificate_parse(span_of(der, (size_t)len), &c, f);
        if (o == OK)
            o = certificates_add(ret, c, f);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)len);
        name = header = NULL;
        der = NULL;
    }
    ERR_pop_to_mark();
    BIO_free(bio);
    return o == OK && sk_X509_num(ret) == 0 ? fault_set(f, E_INVALID, "it has no certificate in PEM") : o;
}

static enum outcome chain_put(certificates *chain, json_t *document, const char *key, struct fault *f)
{
    json_t *list = json_array();
    enum outcome o = list != NULL ? OK : fault_memory(f);

    for (int i = 0; o == OK && i < sk_X509_num(chain); i++) {
        struct buf der = BUF(LIMIT_CERTIFICATE), hex = BUF(2 * LIMIT_CERTIFICATE + 1);

        o = certificate_der(sk_X509_value(chain, i), &der, f);
        hex_put(&hex, buf_span(&der));
        if (o == OK && (hex.failed || json_array_append_new(list, json_string(buf_str(&hex))) != 0))
            o = fault_memory(f);
        buf_free(&der);
        buf_free(&hex);
    }
    if (o == OK && !json_put(document, key, json_incref(list)))
        o = fault_memory(f);
    json_decref(list);
    return o;
}

struct bundle {
    certificates *all, *roots, *between; /* all owns them */
};

static enum outcome bundle_sort(struct bundle *b, const struct site *s, struct fault *f)
{
    for (int i = 0; i < sk_X509_num(b->all); i++) {
        X509 *c = sk_X509_value(b->all, i);

        if (sk_X509_push(is_root(s, c) ? b->roots : b->between, c) <= 0)
            return fault_memory(f);
    }
    if (sk_X509_num(b->roots) > 0)
        return OK;
    return fault_set(f, E_REFUSED, "none of its certificates is a root that the policy lists for %s (`attested-by`)",
                     s->id);
}

/* The chain of one key, where the file has certificates of it; the document gets the first that holds. */
static enum outcome bundle_chain(const struct bundle *b, const struct attested *a, const struct site *s,
                                 struct span spki, const char *key, json_t *document, struct fault *f)
{
    struct fault why = {OK, ""}; /* of the first that does not */
    enum outcome o = OK;

    for (int i = 0; o == OK && i < sk_X509_num(b->between) && json_object_get(document, key) == NULL; i++) {
        X509 *c = sk_X509_value(b->between, i);
        certificates *chain = NULL;

        if (!key_is(c, spki))
            continue;
        o = says_check(s, c, f);
        if (o == OK)
            o = chain_find(c, b->between, b->roots, a->at, &chain, f);
        if (o == OK)
            o = chain_put(chain, document, key, f);
        if (o == E_REFUSED && why.outcome == OK)
            why = *f;
        o = o == E_REFUSED ? OK : o;
        certificates_free(chain);
    }
    if (o == OK && json_object_get(document, key) == NULL && why.outcome != OK) {
        *f = why;
        o = why.outcome;
    }
    return o == OK ? OK : fault_context(f, "the vendor's attestation of the %s key", key);
}

enum outcome attestation_make(struct span pem, const struct attested *a, json_t **ret, struct fault *f)
{
    struct bundle b = {sk_X509_new_null(), sk_X509_new_null(), sk_X509_new_null()};
    json_t *document = json_object();
    const struct site *s = NULL;
    struct digest key;
    enum outcome o = b.all != NULL && b.roots != NULL && b.between != NULL && document != NULL ? OK : fault_memory(f);

    if (o == OK)
        o = site_named(a, &s, f);
    if (o == OK)
        o = bundle_read(pem, b.all, f);
    if (o == OK)
        o = bundle_sort(&b, s, f);
    if (o == OK)
        o = bundle_chain(&b, a, s, a->identity, "identity", document, f);
    if (o == OK)
        o = bundle_chain(&b, a, s, a->transport, "transport", document, f);
    if (o == OK && json_object_get(document, "identity") == NULL)
        o = digest_one(&key, a->identity)
                ? fault_set(f, E_REFUSED,
                            "none of its certificates is of the identity key (SHA-256 of its SPKI: %s), by which the "
                            "HSM answers from now on",
                            digest_hex(&key).hex)
                : fault_memory(f);
    if (o == OK)
        o = attestation_verify(document, a, f);
    if (o == OK)
        *ret = json_incref(document);
    json_decref(document);
    sk_X509_free(b.roots);
    sk_X509_free(b.between);
    certificates_free(b.all);
    return o;
}

enum outcome attestation_names(const json_t *document, const char *key, struct buf *ret_subject, struct buf *ret_root,
                               struct digest *ret_fingerprint, struct fault *f)
{
    const json_t *list = json_object_get(document, key);
    certificates *all = list != NULL ? sk_X509_new_null() : NULL;
    struct signer digests;
    X509 *root = NULL;
    enum outcome o = list == NULL  ? fault_set(f, E_ABSENT, "no certificates of the %s key", key)
                     : all == NULL ? fault_memory(f)
                                   : list_read(list, all, f);

    if (o == OK) {
        root = sk_X509_value(all, sk_X509_num(all) - 1);
        o = certificate_digests(root, &digests, f);
    }
    if (o == OK) {
        subject_put(sk_X509_value(all, 0), ret_subject);
        subject_put(root, ret_root);
        o = ret_subject->failed || ret_root->failed ? fault_memory(f) : OK;
    }
    if (o == OK)
        *ret_fingerprint = digests.fingerprint;
    certificates_free(all);
    return o;
}
