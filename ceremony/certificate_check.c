#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/certificate.h"
#include "ceremony/certificate_der.h"
#include "core/limits.h"

/* What a profile leaves open (serial, notBefore) is read from the certificate; everything else must be, byte for byte,
 * what the profile makes of it. */

struct field {
    const char *name;
    unsigned tag;
};
#define FIELDS_MAX 8
static const struct field certificate_fields[FIELDS_MAX] = {{"version", DER_CONTEXT_CONSTRUCTED(0)},
                                                            {"serial number", DER_INTEGER},
                                                            {"signature algorithm", DER_SEQUENCE},
                                                            {"issuer", DER_SEQUENCE},
                                                            {"validity", DER_SEQUENCE},
                                                            {"subject", DER_SEQUENCE},
                                                            {"public key", DER_SEQUENCE},
                                                            {"extensions", DER_CONTEXT_CONSTRUCTED(3)}};
enum { FIELD_SERIAL = 1, FIELD_VALIDITY = 4, FIELD_EXTENSIONS = 7 };
static const struct field csr_fields[] = {{"version", DER_INTEGER},
                                          {"subject", DER_SEQUENCE},
                                          {"public key", DER_SEQUENCE},
                                          {"attributes", DER_CONTEXT_CONSTRUCTED(0)}};
#define CSR_FIELDS (sizeof csr_fields / sizeof *csr_fields)

static enum outcome fields_take(struct span tbs, const struct field *fields, size_t count, struct span *ret,
                                struct fault *f)
{
    struct span content = {NULL, 0};

    if (!der_take(&tbs, DER_SEQUENCE, &content, NULL))
        return fault_set(f, E_REFUSED, "what is signed is not DER");
    for (size_t i = 0; i < count; i++) {
        if (!der_take(&content, fields[i].tag, NULL, &ret[i]))
            return fault_set(f, E_REFUSED, "%s: missing, out of place, or not DER", fields[i].name);
    }
    if (content.len > 0)
        return fault_set(f, E_REFUSED, "%s: something follows it; nothing was expected there", fields[count - 1].name);
    return OK;
}

/* "99991231235959Z" or "261122130300Z" as a moment. */
static bool time_take(struct span *rest, moment *ret)
{
    struct span digits = {NULL, 0};
    struct fault ignored = {0};
    char text[24];
    const char *century = "";
    const char *d = NULL;

    if (der_take(rest, DER_UTC_TIME, &digits, NULL) && digits.len == 13)
        century = digits.data[0] < '5' ? "20" : "19"; /* RFC 5280, section 4.1.2.5.1 */
    else if (digits.data != NULL || !der_take(rest, DER_GENERALIZED_TIME, &digits, NULL) || digits.len != 15)
        return false;
    d = (const char *)digits.data;
    snprintf(text, sizeof text, "%s%.*s-%.2s-%.2sT%.2s:%.2s:%.2s%c", century, (int)digits.len - 11, d,
             d + digits.len - 11, d + digits.len - 9, d + digits.len - 7, d + digits.len - 5, d + digits.len - 3,
             d[digits.len - 1]);
    return moment_parse(text, ret, &ignored) == OK;
}

static enum outcome validity_take(struct span validity, moment *ret_from, moment *ret_until, struct fault *f)
{
    struct span content = {NULL, 0};

    if (!der_take(&validity, DER_SEQUENCE, &content, NULL) || !time_take(&content, ret_from) ||
        !time_take(&content, ret_until) || content.len > 0)
        return fault_set(f, E_REFUSED, "validity: not two times as RFC 5280 writes them");
    return OK;
}

static enum outcome serial_take(const struct profile *p, struct span serial, uint8_t ret[16], struct fault *f)
{
    struct span content = {NULL, 0};
    size_t octets = p->serial_bits / 8 + 1, sign = p->serial_bits % 8 == 7; /* an octet 00 where the 1 is a sign bit */

    if (!der_take(&serial, DER_INTEGER, &content, NULL) || content.len == 0)
        return fault_set(f, E_REFUSED, "serial number: not DER");
    if ((content.data[0] & 0x80) != 0)
        return fault_set(f, E_REFUSED, "serial number: it is negative");
    if (content.len != sign + octets || (sign > 0 && content.data[0] != 0) ||
        content.data[sign] >> p->serial_bits % 8 != 1)
        return fault_set(f, E_REFUSED,
                         "serial number: not a 1 and then %u bits of chance, as the profile %s asks (%zu octets)",
                         p->serial_bits, p->id, content.len);
    memset(ret, 0, 16);
    memcpy(ret + 16 - octets, content.data + sign, octets);
    return OK;
}

/* Which extension differs, by its place in the profile. */
static enum outcome extensions_differ(const struct profile *p, struct span found, struct span expected, struct fault *f)
{
    struct span in[2] = {found, expected}, list[2] = {{NULL, 0}, {NULL, 0}};

    for (size_t i = 0; i < 2; i++) {
        struct span inner = {NULL, 0};

        if (!der_take(&in[i], DER_CONTEXT_CONSTRUCTED(3), &inner, NULL) ||
            !der_take(&inner, DER_SEQUENCE, &list[i], NULL) || inner.len > 0)
            return fault_set(f, E_REFUSED, "extensions: not DER");
    }
    for (size_t i = 0; i < p->extension_count; i++) {
        struct span one[2] = {{NULL, 0}, {NULL, 0}};

        if (!der_take(&list[0], DER_SEQUENCE, NULL, &one[0]) || !der_take(&list[1], DER_SEQUENCE, NULL, &one[1]) ||
            !span_equal(one[0], one[1]))
            return fault_set(f, E_REFUSED, "extension %s: missing, or not as the profile %s has it",
                             p->extensions[i].name, p->id);
    }
    return fault_set(f, E_REFUSED, "extensions: there are more than the profile %s has", p->id);
}

static enum outcome field_differs(const struct profile *p, size_t index, const struct span *found,
                                  const struct span *expected, struct fault *f)
{
    moment from = 0, until = 0, want = 0;

    if (index == FIELD_EXTENSIONS)
        return extensions_differ(p, found[index], expected[index], f);
    if (index == FIELD_VALIDITY && validity_take(found[index], &from, &until, f) == OK &&
        validity_take(expected[index], &from, &want, f) == OK && until != want)
        return fault_set(f, E_REFUSED, "validity: the last second is %s, by the profile %s it is %s",
                         moment_format(until).text, p->id, moment_format(want).text);
    return fault_set(f, E_REFUSED, "%s: not as the profile %s has it", certificate_fields[index].name, p->id);
}

static enum outcome fields_check(const struct profile *p, struct span tbs, struct span public_key, struct fault *f)
{
    struct span found[FIELDS_MAX], expected[FIELDS_MAX];
    struct certificate_inputs in = {.public_key = public_key};
    struct buf composed = BUF(LIMIT_CERTIFICATE);
    moment until = 0;
    enum outcome o = fields_take(tbs, certificate_fields, FIELDS_MAX, found, f);

    if (o == OK)
        o = serial_take(p, found[FIELD_SERIAL], in.serial, f);
    if (o == OK)
        o = validity_take(found[FIELD_VALIDITY], &in.not_before, &until, f);
    if (o == OK && certificate_compose(p, &in, &composed, f) != OK)
        o = f->outcome == E_INVALID ? fault_set(f, E_REFUSED, "validity: %s", f->text) : f->outcome;
    if (o == OK)
        o = fields_take(buf_span(&composed), certificate_fields, FIELDS_MAX, expected, f);
    for (size_t i = 0; i < FIELDS_MAX && o == OK; i++) {
        if (!span_equal(found[i], expected[i]))
            o = field_differs(p, i, found, expected, f);
    }
    buf_free(&composed);
    return o;
}

/* OpenSSL reads the same, and would write it the same: what was composed here is a certificate to others too. */
static enum outcome reading_check(struct span der, struct span tbs, struct fault *f)
{
    const unsigned char *at = der.data;
    unsigned char *again = NULL;
    X509 *read = der.len <= LIMIT_CERTIFICATE ? d2i_X509(NULL, &at, (long)der.len) : NULL;
    int len = read != NULL && at == der.data + der.len ? i2d_re_X509_tbs(read, &again) : -1;
    enum outcome o = OK;

    if (len <= 0 || !span_equal(span_of(again, (size_t)len), tbs))
        o = fault_set(f, E_REFUSED, "no certificate that can be read, or not in DER");
    ERR_clear_error();
    OPENSSL_free(again);
    X509_free(read);
    return o;
}

enum outcome certificate_check(const struct profile *p, struct span der, struct span public_key, struct span issuer_key,
                               struct fault *f)
{
    struct span tbs = {NULL, 0};
    enum outcome o = signed_structure_open(der, &tbs, f);

    if (o == OK && !span_equal(public_key, issuer_key))
        o = fault_set(f, E_REFUSED, "the profile %s is of certificates that are signed by their own key", p->id);
    if (o == OK)
        o = fields_check(p, tbs, public_key, f);
    if (o == OK)
        o = reading_check(der, tbs, f);
    return o == OK ? signed_structure_check(der, issuer_key, p->signature, f) : o;
}

enum outcome csr_check(const struct profile *p, struct span der, struct span public_key, struct fault *f)
{
    struct span tbs = {NULL, 0}, found[CSR_FIELDS], expected[CSR_FIELDS];
    struct buf composed = BUF(LIMIT_CERTIFICATE);
    enum outcome o = signed_structure_open(der, &tbs, f);

    if (o == OK)
        o = fields_take(tbs, csr_fields, CSR_FIELDS, found, f);
    if (o == OK)
        o = csr_compose(p, public_key, &composed, f);
    if (o == OK)
        o = fields_take(buf_span(&composed), csr_fields, CSR_FIELDS, expected, f);
    for (size_t i = 0; i < CSR_FIELDS && o == OK; i++) {
        if (!span_equal(found[i], expected[i]))
            o = fault_set(f, E_REFUSED, "%s: not as the profile %s has it", csr_fields[i].name, p->id);
    }
    buf_free(&composed);
    return o == OK ? signed_structure_check(der, public_key, p->signature, f) : o;
}
