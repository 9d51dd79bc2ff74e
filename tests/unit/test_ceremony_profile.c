#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ceremony/profile.h"
#include "core/limits.h"

/* The profile that every test starts from, a line each, so that a case can replace one. */
static const char *const lines[] = {
    "id: root\n",                                                                 /* 1 */
    "issuer: self\n",                                                             /* 2 */
    "key: EC:P-256\n",                                                            /* 3 */
    "signature: SHA256\n",                                                        /* 4 */
    "serial-bits: 120\n",                                                         /* 5 */
    "validity: 25 years\n",                                                       /* 6 */
    "subject: [{OU: \"00\"}, {CN: Root}]\n",                                      /* 7 */
    "extensions:\n",                                                              /* 8 */
    "  - {extension: basicConstraints, critical: true, ca: true}\n",              /* 9 */
    "  - {extension: keyUsage, critical: true, usage: [keyCertSign, cRLSign]}\n", /* 10 */
    "  - {extension: subjectKeyIdentifier, critical: false, method: 2}\n"         /* 11 */
};
#define LINES (sizeof lines / sizeof *lines)

static void profile_text(unsigned line, const char *instead, struct buf *ret)
{
    for (unsigned i = 1; i <= LINES; i++)
        buf_puts(ret, i == line ? instead : lines[i - 1]);
    assert_false(ret->failed);
}

static enum outcome parse(unsigned line, const char *instead, struct profile **ret, struct fault *f)
{
    struct buf b = BUF(LIMIT_DOCUMENT);
    enum outcome o = E_MEMORY;

    profile_text(line, instead, &b);
    o = profile_parse("p.yaml", buf_span(&b), ret, f);
    buf_free(&b);
    return o;
}

static void test_fields(void **state)
{
    static const uint8_t subject[] = {0x30, 0x1d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x0b,
                                      0x0c, 0x02, '0',  '0',  0x31, 0x0e, 0x30, 0x0c, 0x06, 0x03, 0x55,
                                      0x04, 0x03, 0x0c, 0x05, 'R',  'o',  'o',  't',  '!'};
    static const uint8_t usage[] = {0x03, 0x02, 0x01, 0x06}, constraints[] = {0x30, 0x03, 0x01, 0x01, 0xff};
    struct profile *p = NULL;
    struct fault f = {0};

    (void)state;
    if (parse(7, "subject: [{OU: \"00\"}, {CN: \"Root!\"}]\n", &p, &f) != OK)
        fail_msg("%s", f.text);
    assert_string_equal(p->id, "root");
    assert_string_equal(p->key, "EC:P-256");
    assert_string_equal(p->signature, "SHA256");
    assert_int_equal(p->serial_bits, 120);
    assert_true(p->self_issued);
    assert_false(p->no_expiry);
    assert_int_equal(p->validity.months, 300);
    assert_true(span_equal(buf_span(&p->subject), span_of(subject, sizeof subject)));
    assert_int_equal(p->extension_count, 3);
    assert_string_equal(p->extensions[0].oid, "2.5.29.19");
    assert_true(p->extensions[0].critical);
    assert_true(span_equal(buf_span(&p->extensions[0].value), span_of(constraints, sizeof constraints)));
    assert_true(span_equal(buf_span(&p->extensions[1].value), span_of(usage, sizeof usage)));
    assert_int_equal(p->extensions[2].kind, EXTENSION_SUBJECT_KEY_IDENTIFIER);
    assert_int_equal(p->extensions[2].value.len, 0);
    assert_false(p->extensions[2].critical);
    profile_free(p);
}

static void test_canonical(void **state)
{
    struct profile *p = NULL, *again = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(parse(0, "", &p, &f), OK);
    if (profile_parse("p.json", buf_span(&p->canonical_json), &again, &f) != OK)
        fail_msg("%s", f.text);
    assert_true(digest_equal(&p->canonical, &again->canonical));
    assert_true(span_equal(buf_span(&p->canonical_json), buf_span(&again->canonical_json)));
    assert_false(digest_equal(&p->digest, &again->digest));
    assert_true(span_equal(buf_span(&p->subject), buf_span(&again->subject)));
    profile_free(again);
    profile_free(p);
}

static const struct {
    unsigned line;
    const char *instead, *text;
} errors[] = {
    {1, "", "p.yaml:1:1: the key \"id\" is missing"},
    {1, "id: Root\n", "p.yaml:1:5: \"Root\" is no name"},
    {1, "id: root\nserial-bit: 3\n", "unknown key \"serial-bit\", did you mean \"serial-bits\"?"},
    {1, "id: root\nid: root\n", "p.yaml:2:"},
    {2, "issuer: root\n", "p.yaml:2:9: "},
    {3, "key: EC:P-192\n", "p.yaml:3:6: "},
    {3, "key: RSA:2048\n", "p.yaml:3:6: "},
    {4, "signature: SHA1\n", "p.yaml:4:12: "},
    {4, "signature: SHA384\n", "p.yaml:4:12: SHA384 is longer than a key of type EC:P-256 signs"},
    {5, "serial-bits: 63\n", "p.yaml:5:14: 63 is out of range; a whole number from 64 to 127"},
    {5, "serial-bits: 128\n", "p.yaml:5:14: 128 is out of range"},
    {6, "validity: forever\n", "p.yaml:6:11: \"forever\" is no length of time"},
    {6, "validity: 0 years\n", "p.yaml:6:11: \"0 years\" is no length of time"},
    {7, "subject: Root\n", "p.yaml:7:10: a list was expected"},
    {7, "subject: []\n", "p.yaml:7:10: an empty subject needs a critical subjectAltName"},
    {7, "subject: [{CN: A, O: B}]\n", "p.yaml:7:11: one attribute was expected"},
    {7, "subject: [{}]\n", "p.yaml:7:11: one attribute was expected"},
    {7, "subject: [{L: Slough}]\n", "p.yaml:7:12: unknown key \"L\""},
    {7, "subject: [{C: gb}]\n", "p.yaml:7:15: \"gb\" is no country; two capital letters"},
    {7, "subject: [{C: GBR}]\n", "p.yaml:7:15: \"GBR\" is no country"},
    {7, "subject: [{CN: \"a\\tb\"}]\n", "p.yaml:7:16: CN takes printable text of at most 64 characters"},
    {7, "subject: [{CN: 12345678901234567890123456789012345678901234567890123456789012345}]\n",
     "p.yaml:7:16: CN takes printable text of at most 64"},
    {7, "subject: [{x500UniqueIdentifier: \"00112233445566\"}]\n", "p.yaml:7:34: \"00112233445566\" is no EUI-64"},
    {7, "subject: [{x500UniqueIdentifier: \"001122334455667A\"}]\n", "is no EUI-64; 16 hex digits"},
    {8, "extensions: []\n---\n", "p.yaml:"},
    {9, "  - {extension: nameConstraints, critical: true}\n", "p.yaml:9:17: \"nameConstraints\" is no extension"},
    {9, "  - {critical: true, ca: true}\n", "p.yaml:9:5: `extension: NAME` was expected"},
    {9, "  - {extension: basicConstraints, ca: true}\n", "p.yaml:9:5: the key \"critical\" is missing"},
    {9, "  - {extension: basicConstraints, critical: yes, ca: true}\n", "p.yaml:9:45: "},
    {9, "  - {extension: basicConstraints, critical: true, ca: true, usage: [cRLSign]}\n",
     "p.yaml:9:61: unknown key \"usage\""},
    {9, "  - {extension: basicConstraints, critical: true, ca: false}\n",
     "p.yaml:9:3: basicConstraints with `ca: true` and keyUsage with keyCertSign go together"},
    {9, "  - {extension: basicConstraints, critical: true, ca: false, path-length: 0}\n",
     "a path length belongs to a CA"},
    {9, "  - {extension: basicConstraints, critical: true, ca: true, path-length: 128}\n", "128 is out of range"},
    {10, "  - {extension: keyUsage, critical: true, usage: [signs]}\n", "p.yaml:10:51: \"signs\" is not known"},
    {10, "  - {extension: keyUsage, critical: true, usage: []}\n", "p.yaml:10:"},
    {10, "  - {extension: keyUsage, critical: true, usage: [cRLSign, cRLSign]}\n", "p.yaml:10:"},
    {10, "  - {extension: basicConstraints, critical: true, ca: true}\n",
     "p.yaml:10:5: basicConstraints stands here already"},
    {11, "  - {extension: subjectKeyIdentifier, critical: true, method: 2}\n",
     "p.yaml:11:49: subjectKeyIdentifier is never critical"},
    {11, "  - {extension: subjectKeyIdentifier, critical: false, method: 1}\n", "1 is out of range"},
    {11, "  - {extension: subjectKeyIdentifier, critical: false}\n", "the key \"method\" is missing"},
    {11, "  - {extension: certificatePolicies, critical: true, policies: [any]}\n",
     "p.yaml:11:65: \"any\" is no object identifier"},
    {11, "  - {extension: certificatePolicies, critical: true, policies: [9.9.9]}\n", "\"9.9.9\" is no object"},
    {11, "  - {extension: extKeyUsage, critical: true, purposes: serverAuth}\n", "\"serverAuth\" is no object"},
    {11, "  - {extension: subjectAltName, critical: true, hardware-module: {type: 1.2.3}}\n",
     "the key \"serial\" is missing"},
    {11, "  - {extension: subjectAltName, critical: true, hardware-module: {type: 1.2.3, serial: 0x1}}\n",
     "\"0x1\" is no serial number"},
    {11, "  - {extension: subjectAltName, critical: true, hardware-module: {type: x, serial: \"01\"}}\n",
     "\"x\" is no object identifier"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct profile *p = NULL;
        struct fault f = {0};

        if (parse(errors[i].line, errors[i].instead, &p, &f) != E_INVALID)
            fail_msg("taken: %s", errors[i].instead);
        assert_null(p);
        if (strstr(f.text, errors[i].text) == NULL)
            fail_msg("%s... said: %s\n... instead of: %s", errors[i].instead, f.text, errors[i].text);
    }
}

static void test_no_expiry(void **state)
{
    struct profile *p = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(parse(6, "validity: none\n", &p, &f), OK);
    assert_true(p->no_expiry);
    profile_free(p);
}

/* A device's: no subject, but the name of its hardware. */
static void test_hardware_name(void **state)
{
    static const uint8_t names[] = {0x30, 0x19, 0xa0, 0x17, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x04,
                                    0xa0, 0x0b, 0x30, 0x09, 0x06, 0x02, 0x2a, 0x03, 0x04, 0x03, 0x01, 0x02, 0x00};
    static const char *const text =
        "id: device\nissuer: another\nkey: EC:P-256\nsignature: SHA256\nserial-bits: 64\nvalidity: none\nsubject: []\n"
        "extensions:\n"
        "  - {extension: subjectAltName, critical: true, hardware-module: {type: 1.2.3, serial: \"010200\"}}\n"
        "  - {extension: keyUsage, critical: true, usage: [digitalSignature, decipherOnly]}\n";
    static const uint8_t usage[] = {0x03, 0x03, 0x07, 0x80, 0x80};
    struct profile *p = NULL;
    struct fault f = {0};

    (void)state;
    if (profile_parse("p.yaml", span_str(text), &p, &f) != OK)
        fail_msg("%s", f.text);
    assert_false(p->self_issued);
    assert_int_equal(p->subject.len, 2);
    assert_true(span_equal(buf_span(&p->extensions[0].value), span_of(names, sizeof names)));
    assert_true(span_equal(buf_span(&p->extensions[1].value), span_of(usage, sizeof usage)));
    profile_free(p);
}

static void test_shipped(void **state)
{
    static const char *const paths[] = {"ceremonies/profiles/root-oca.yaml", "ceremonies/profiles/issuing-oca.yaml"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct profile *p = NULL;
        struct fault f = {0};

        if (profile_read(paths[i], &p, &f) != OK)
            fail_msg("%s", f.text);
        profile_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),    cmocka_unit_test(test_canonical),     cmocka_unit_test(test_errors),
        cmocka_unit_test(test_no_expiry), cmocka_unit_test(test_hardware_name), cmocka_unit_test(test_shipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
