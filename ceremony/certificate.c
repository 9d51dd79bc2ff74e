#include "ceremony/certificate.h"

#include <string.h>

#include "ceremony/certificate_der.h"
#include "ceremony/certificate_key.h"
#include "core/limits.h"

/* A day that no certificate outlives, for those that do not expire (RFC 5280, section 4.1.2.5). */
#define NO_EXPIRY "99991231235959Z"

static enum outcome key_fits(const struct profile *p, struct span public_key, struct fault *f)
{
    EVP_PKEY *key = NULL;
    char type[16] = "";
    enum outcome o = spki_open(public_key, &key, type, f);

    if (o == OK && strcmp(type, p->key) != 0)
        o = fault_set(f, E_REFUSED, "the key is of type %s, the profile %s asks for %s", type, p->id, p->key);
    EVP_PKEY_free(key);
    return o;
}

/* A 1 and then serial_bits bits, so that each serial is positive, of one length, and not short of chance. */
static void serial_put(struct buf *b, const struct profile *p, const uint8_t random[16])
{
    uint8_t serial[16];
    unsigned top = 15 - p->serial_bits / 8, bit = p->serial_bits % 8;

    memcpy(serial, random, sizeof serial);
    memset(serial, 0, top);
    serial[top] = (uint8_t)((serial[top] & ((1u << bit) - 1)) | 1u << bit);
    der_put_unsigned(b, span_of(serial, sizeof serial));
}

/* RFC 5280, section 4.1.2.5: UTCTime for the years that it can say, 1950 to 2049; else GeneralizedTime. */
static void time_put(struct buf *b, moment t)
{
    struct moment_text text = moment_format(t);
    char digits[16];
    size_t len = 0;

    for (const char *at = text.text; *at != '\0' && len < sizeof digits - 1; at++) {
        if (*at != '-' && *at != ':' && *at != 'T')
            digits[len++] = *at;
    }
    digits[len] = '\0';
    if (strncmp(digits, "1950", 4) >= 0 && strncmp(digits, "2050", 4) < 0)
        der_put(b, DER_UTC_TIME, span_str(digits + 2));
    else
        der_put(b, DER_GENERALIZED_TIME, span_str(digits));
}

static enum outcome validity_put(struct buf *b, const struct profile *p, moment from, struct fault *f)
{
    /* notAfter is the last second that is covered, not the first that is not. */
    moment until = p->no_expiry ? 0 : moment_add(from, p->validity);
    size_t whole = 0;

    if (until == MOMENT_NEVER)
        return fault_set(f, E_INVALID, "a certificate of %s from %s would outlive the calendar", p->id,
                         moment_format(from).text);
    whole = der_begin(b, DER_SEQUENCE);
    time_put(b, from);
    if (p->no_expiry)
        der_put(b, DER_GENERALIZED_TIME, span_str(NO_EXPIRY));
    else
        time_put(b, until - 1);
    der_end(b, whole);
    return OK;
}

static void extension_put(struct buf *b, const struct profile_extension *e,
                          const uint8_t identifier[KEY_IDENTIFIER_LEN])
{
    size_t whole = der_begin(b, DER_SEQUENCE), value = 0, inner = 0;
    struct span id = span_of(identifier, KEY_IDENTIFIER_LEN);

    der_put_oid(b, e->oid);
    if (e->critical)
        der_put_true(b);
    value = der_begin(b, DER_OCTET_STRING);
    if (e->kind == EXTENSION_SUBJECT_KEY_IDENTIFIER) {
        der_put(b, DER_OCTET_STRING, id);
    } else if (e->kind ==
               EXTENSION_AUTHORITY_KEY_IDENTIFIER) { /* keyIdentifier [0]; the issuer's key is the subject's */
        inner = der_begin(b, DER_SEQUENCE);
        der_put(b, DER_CONTEXT(0), id);
        der_end(b, inner);
    } else {
        buf_put(b, e->value.data, e->value.len);
    }
    der_end(b, value);
    der_end(b, whole);
}

static void extensions_put(struct buf *b, const struct profile *p, const uint8_t identifier[KEY_IDENTIFIER_LEN])
{
    size_t explicit = der_begin(b, DER_CONTEXT_CONSTRUCTED(3)), list = der_begin(b, DER_SEQUENCE);

    for (size_t i = 0; i < p->extension_count; i++)
        extension_put(b, &p->extensions[i], identifier);
    der_end(b, list);
    der_end(b, explicit);
}

enum outcome certificate_compose(const struct profile *p, const struct certificate_inputs *in, struct buf *ret_tbs,
                                 struct fault *f)
{
    static const uint8_t v3[] = {2};
    struct buf b = BUF(LIMIT_CERTIFICATE);
    uint8_t identifier[KEY_IDENTIFIER_LEN];
    size_t tbs = 0, version = 0;
    enum outcome o = key_fits(p, in->public_key, f);

    if (o == OK && !p->self_issued)
        o = fault_set(f, E_REFUSED,
                      "certificates of the profile %s are issued by another authority; make a CSR and send it there",
                      p->id);
    if (o == OK)
        o = key_identifier(in->public_key, identifier, f);
    if (o != OK)
        goto out;
    tbs = der_begin(&b, DER_SEQUENCE);
    version = der_begin(&b, DER_CONTEXT_CONSTRUCTED(0));
    der_put_unsigned(&b, span_of(v3, sizeof v3));
    der_end(&b, version);
    serial_put(&b, p, in->serial);
    signature_algorithm_put(&b, p->key, p->signature);
    buf_put(&b, p->subject.data, p->subject.len); /* the issuer */
    o = validity_put(&b, p, in->not_before, f);
    if (o != OK)
        goto out;
    buf_put(&b, p->subject.data, p->subject.len);
    buf_put(&b, in->public_key.data, in->public_key.len);
    extensions_put(&b, p, identifier);
    der_end(&b, tbs);
    buf_put(ret_tbs, b.data, b.len);
    if (b.failed || ret_tbs->failed)
        o = fault_memory(f);
out:
    buf_free(&b);
    return o;
}

enum outcome csr_compose(const struct profile *p, struct span public_key, struct buf *ret_info, struct fault *f)
{
    static const uint8_t v1[] = {0};
    struct buf b = BUF(LIMIT_CERTIFICATE);
    size_t info = 0;
    enum outcome o = key_fits(p, public_key, f);

    if (o != OK)
        return o;
    info = der_begin(&b, DER_SEQUENCE);
    der_put_unsigned(&b, span_of(v1, sizeof v1));
    buf_put(&b, p->subject.data, p->subject.len);
    buf_put(&b, public_key.data, public_key.len);
    der_put(&b, DER_CONTEXT_CONSTRUCTED(0), span_of(NULL, 0)); /* attributes: none */
    der_end(&b, info);
    buf_put(ret_info, b.data, b.len);
    if (b.failed || ret_info->failed)
        o = fault_memory(f);
    buf_free(&b);
    return o;
}
