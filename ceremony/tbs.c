#include "ceremony/tbs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/certificate_der.h"
#include "ceremony/describe.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/to_be_signed.h"

#define NAME "tbs.der"
/* ecdsa-with-SHA256 (RFC 5758, section 3.2): stands where the signature's algorithm will. */
static const uint8_t some_algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

char *tbs_folder(const struct estate *e, const struct digest *request)
{
    return estate_path(e, "requests", digest_hex(request).hex);
}

enum outcome tbs_keep(const struct estate *e, const struct digest *request, struct span tbs, struct fault *f)
{
    char *folder = tbs_folder(e, request), *path = folder ? path_join(folder, NAME) : NULL;
    enum outcome o = path ? file_create(path, tbs, 0644, f) : fault_memory(f);

    free(path);
    free(folder);
    return o == E_BUSY ? OK : o;
}

/* Empty where there are none. */
static enum outcome tbs_read(const char *path, struct buf *ret, struct fault *f)
{
    enum outcome o = file_read(path, false, ret, f);

    if (o != E_ABSENT)
        return o;
    *f = (struct fault){OK, ""};
    return OK;
}

enum outcome tbs_export(const char *folder, const char *to, struct fault *f)
{
    struct buf tbs = BUF(LIMIT_ARTIFACT);
    char *from = path_join(folder, NAME), *path = path_join(to, NAME);
    enum outcome o = from && path ? tbs_read(from, &tbs, f) : fault_memory(f);

    if (o == OK && tbs.len != 0)
        o = file_create(path, buf_span(&tbs), 0644, f);
    free(path);
    free(from);
    buf_free(&tbs);
    return o;
}

/* Whether the data of a request (subject.data) are these bytes: as they are, or their SHA-2 digest, or that in PKCS#1's
 * DigestInfo. */
static bool tbs_matches(const struct request *r, struct span tbs)
{
    struct fault ignored = {OK, ""};
    json_t *data = NULL;
    struct digest approved;

    return json_want_object(r->subject->json, "data", &data, &ignored) == OK &&
           json_want_digest(data, "sha256", &approved, &ignored) == OK && to_be_signed_is(tbs, &approved);
}

/* The algorithm that a TBSCertificate or a TBSCertList names inside must stand outside, too. */
static struct span algorithm_inside(struct span tbs)
{
    struct span inner = {NULL, 0}, whole = {some_algorithm, sizeof some_algorithm};

    if (!der_take(&tbs, DER_SEQUENCE, &inner, NULL))
        return whole;
    der_take(&inner, DER_CONTEXT_CONSTRUCTED(0), NULL, NULL);
    der_take(&inner, DER_INTEGER, NULL, NULL);
    der_take(&inner, DER_SEQUENCE, NULL, &whole);
    return whole;
}

/* As if it were signed, for the parsers know only that. */
static void signed_put(struct buf *b, struct span tbs, struct span algorithm)
{
    static const uint8_t signature[] = {0, 0};
    size_t begun = der_begin(b, DER_SEQUENCE);

    buf_put(b, tbs.data, tbs.len);
    buf_put(b, algorithm.data, algorithm.len);
    der_put(b, DER_BIT_STRING, (struct span){signature, sizeof signature});
    der_end(b, begun);
}

enum { SHOWN_FLAGS = X509_FLAG_NO_SIGDUMP | X509_FLAG_NO_SIGNAME };

static const char *certificate_print(BIO *out, struct span der)
{
    const uint8_t *at = der.data;
    X509 *x = d2i_X509(NULL, &at, (long)der.len);
    bool shown = x != NULL && at == der.data + der.len && X509_print_ex(out, x, XN_FLAG_RFC2253, SHOWN_FLAGS) == 1;

    X509_free(x);
    return shown ? "a certificate" : NULL;
}

static const char *csr_print(BIO *out, struct span der)
{
    const uint8_t *at = der.data;
    X509_REQ *x = d2i_X509_REQ(NULL, &at, (long)der.len);
    bool shown = x != NULL && at == der.data + der.len && X509_REQ_print_ex(out, x, XN_FLAG_RFC2253, SHOWN_FLAGS) == 1;

    X509_REQ_free(x);
    return shown ? "a certificate request (CSR)" : NULL;
}

static const char *crl_print(BIO *out, struct span der)
{
    const uint8_t *at = der.data;
    X509_CRL *x = d2i_X509_CRL(NULL, &at, (long)der.len);
    bool shown = x != NULL && at == der.data + der.len && X509_CRL_print_ex(out, x, XN_FLAG_RFC2253) == 1;

    X509_CRL_free(x);
    return shown ? "a revocation list (CRL)" : NULL;
}

/* Without the signature that is none. */
static void unsigned_put(struct buf *b, struct span text)
{
    static const char end[] = "\n    Signature ";
    const uint8_t *found = memmem(text.data, text.len, end, sizeof end - 1);

    buf_put(b, text.data, found != NULL ? (size_t)(found - text.data) + 1 : text.len);
}

/* What it is, and the text; NULL: none of these. */
static const char *tbs_print(struct span tbs, struct buf *ret)
{
    static const char *(*const prints[])(BIO *, struct span) = {certificate_print, csr_print, crl_print};
    const struct span algorithms[] = {
        algorithm_inside(tbs), {some_algorithm, sizeof some_algorithm}, algorithm_inside(tbs)};
    const char *what = NULL;
    char *text = NULL;
    long len = 0;

    for (size_t i = 0; i < 3 && what == NULL; i++) {
        struct buf whole = BUF(LIMIT_ARTIFACT + 1024u);
        BIO *out = BIO_new(BIO_s_mem());

        signed_put(&whole, tbs, algorithms[i]);
        if (out != NULL && !whole.failed)
            what = prints[i](out, buf_span(&whole));
        len = what != NULL ? BIO_get_mem_data(out, &text) : 0;
        if (len > 0)
            unsigned_put(ret, (struct span){(const uint8_t *)text, (size_t)len});
        BIO_free(out);
        buf_free(&whole);
    }
    return what;
}

enum outcome tbs_put(const char *folder, const struct request *r, struct buf *b, struct fault *f)
{
    struct buf tbs = BUF(LIMIT_ARTIFACT), text = BUF(OUTPUT_MAX);
    char *path = path_join(folder, NAME);
    const char *what = NULL;
    enum outcome o = path ? tbs_read(path, &tbs, f) : fault_memory(f);

    if (o == OK && tbs.len == 0)
        goto out;
    if (o == OK && !tbs_matches(r, buf_span(&tbs))) {
        o = fault_set(f, E_REFUSED,
                      "%s is not what request %.12s asks to sign: nobody should approve it unseen; remove the "
                      "file only if you know what is signed",
                      path, digest_hex(&r->id).hex);
    } else if (o == OK) {
        what = tbs_print(buf_span(&tbs), &text);
        print_field(b, "to be signed", "%s (%zu bytes; checked: the request is for exactly these)",
                    what != NULL ? what : "neither certificate, CRL nor CSR", tbs.len);
        print_lines(b, &text);
        o = text.failed ? fault_memory(f) : OK;
    }
out:
    buf_free(&text);
    buf_free(&tbs);
    free(path);
    return o;
}
