#include "tests/unit/certificate_fixture.h"

#include <stdio.h>

/* Every field altered by itself, and signed again by the right key: refused by name. */

/* Signed again after it was altered: what is refused is the field. */
static void refused_signed(const struct fixture *x, struct span tbs, const char *text)
{
    struct buf der = BUF(LIMIT_CERTIFICATE);
    struct fault f = {0};

    if (signed_structure_make(x->key, buf_span(&x->spki), "SHA256", tbs, &der, &f) != OK)
        fail_msg("%s", f.text);
    if (check(x, buf_span(&der), &f) != E_REFUSED)
        fail_msg("taken, instead of: %s", text);
    if (strstr(f.text, text) == NULL)
        fail_msg("said: %s\n... instead of: %s", f.text, text);
    buf_free(&der);
}

static const unsigned tags[] = {
    DER_CONTEXT_CONSTRUCTED(0), DER_INTEGER, DER_SEQUENCE, DER_SEQUENCE, DER_SEQUENCE, DER_SEQUENCE, DER_SEQUENCE,
    DER_CONTEXT_CONSTRUCTED(3)};
#define FIELDS (sizeof tags / sizeof *tags)
enum { VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS };

static void fields_of(struct span tbs, struct span ret[FIELDS])
{
    struct span content = {0};

    assert_true(der_take(&tbs, DER_SEQUENCE, &content, NULL));
    for (size_t i = 0; i < FIELDS; i++)
        assert_true(der_take(&content, tags[i], NULL, &ret[i]));
    assert_int_equal(content.len, 0);
}

/* The TBS with its field `index` replaced, left out where `instead` is empty, and `tail` behind all. */
static void field_replace(struct span tbs, size_t index, struct span instead, struct span tail, struct buf *ret)
{
    struct span fields[FIELDS];
    size_t whole = 0;

    fields_of(tbs, fields);
    buf_clear(ret);
    whole = der_begin(ret, DER_SEQUENCE);
    for (size_t i = 0; i < FIELDS; i++) {
        struct span one = i == index ? instead : fields[i];

        buf_put(ret, one.data, one.len);
    }
    buf_put(ret, tail.data, tail.len);
    der_end(ret, whole);
    assert_false(ret->failed);
}

/* The bytes `from` stand in the TBS once; they become `to`, of the same length. */
static void bytes_replace(struct span tbs, struct span from, struct span to, struct buf *ret)
{
    uint8_t *at = NULL;

    assert_int_equal(from.len, to.len);
    buf_clear(ret);
    buf_put(ret, tbs.data, tbs.len);
    at = memmem(ret->data, ret->len, from.data, from.len);
    assert_non_null(at);
    memcpy(at, to.data, to.len);
}

static void test_serial_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE);
    static const struct {
        const char *der;
        size_t len;
        const char *text;
    } cases[] = {
        {"\x02\x01\x01", 3, "serial number: not a 1 and then 120 bits of chance"},
        {"\x02\x01\x00", 3, "serial number: not a 1"},
        {"\x02\x00", 2, "serial number: not DER"},
        {"\x02\x10\x81"
         "123456789012345",
         18, "serial number: it is negative"},
        {"\x02\x10\x03"
         "123456789012345",
         18, "serial number: not a 1"},
        {"\x02\x11\x00\x01"
         "123456789012345",
         19, "serial number: not a 1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        field_replace(buf_span(&x->tbs), SERIAL, span_of(cases[i].der, cases[i].len), span_of(NULL, 0), &tbs);
        refused_signed(x, buf_span(&tbs), cases[i].text);
    }
    buf_free(&tbs);
}

/* Fields in whose place another one of the same shape stands. */
static void test_fields_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE), other = BUF(4096), name = BUF(256);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    size_t list = 0, set = 0, pair = 0;

    list = der_begin(&name, DER_SEQUENCE);
    set = der_begin(&name, DER_SET);
    pair = der_begin(&name, DER_SEQUENCE);
    der_put_oid(&name, "2.5.4.3");
    der_put(&name, DER_UTF8_STRING, span_str("Root"));
    der_end(&name, pair);
    der_end(&name, set);
    der_end(&name, list);
    const struct {
        size_t field;
        struct span instead;
        const char *text;
    } cases[] = {
        {VERSION, span_of("\xa0\x03\x02\x01\x01", 5), "version: not as the profile root has it"},
        {VERSION, span_of("", 0), "version: missing"},
        {ALGORITHM, span_of("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 12), "signature algorithm: not as"},
        {ISSUER, buf_span(&name), "issuer: not as"},
        {ISSUER, span_of("\x30\x00", 2), "issuer: not as"},
        {SUBJECT, buf_span(&name), "subject: not as"},
        {KEY, key_spki(key, &other), "public key: not as"},
        {EXTENSIONS, span_of("", 0), "extensions: missing"},
        {EXTENSIONS, span_of("\xa3\x02\x30\x00", 4), "extension basicConstraints: missing"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        field_replace(buf_span(&x->tbs), cases[i].field, cases[i].instead, span_of(NULL, 0), &tbs);
        refused_signed(x, buf_span(&tbs), cases[i].text);
    }
    field_replace(buf_span(&x->tbs), FIELDS, span_of(NULL, 0), span_of("\x05\x00", 2), &tbs);
    refused_signed(x, buf_span(&tbs), "extensions: something follows it");
    EVP_PKEY_free(key);
    buf_free(&name);
    buf_free(&other);
    buf_free(&tbs);
}

static void test_validity_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE);
    static const struct {
        const char *from, *to, *text;
    } cases[] = {
        {"20510531235959Z", "20510601000000Z",
         "validity: the last second is 2051-06-01T00:00:00Z, by the profile root it is 2051-05-31T23:59:59Z"},
        {"20510531235959Z", "20510531235958Z", "validity: the last second is 2051-05-31T23:59:58Z"},
        {"20510531235959Z", "99991231235959Z", "validity: the last second is 9999"},
        {"260601000000Z", "260601000001Z",
         "validity: the last second is 2051-05-31T23:59:59Z, by the profile root it is "
         "2051-06-01T00:00:00Z"},
        {"260601000000Z", "260631000000Z", "validity: not two times"},
        {"260601000000Z", "26060100000\0Z", "validity: not two times"},
        {"20510531235959Z", "20510531235959+", "validity: not two times"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].from);

        bytes_replace(buf_span(&x->tbs), span_of(cases[i].from, len), span_of(cases[i].to, len), &tbs);
        refused_signed(x, buf_span(&tbs), cases[i].text);
    }
    /* A GeneralizedTime before 2050 means the same, but is not how it is written. */
    field_replace(buf_span(&x->tbs), VALIDITY,
                  span_of("\x30\x22\x18\x0f"
                          "20260601000000Z\x18\x0f"
                          "20510531235959Z",
                          36),
                  span_of(NULL, 0), &tbs);
    refused_signed(x, buf_span(&tbs), "validity: not as the profile root has it");
    buf_free(&tbs);
}

#define EXTENSION_COUNT 5

/* The TBS with other extensions: the order, and -1 for what is left out. */
static void extensions_order(struct span tbs, const int *order, size_t count, struct buf *ret)
{
    struct span fields[FIELDS], list = {0}, content = {0}, each[EXTENSION_COUNT];
    struct buf b = BUF(LIMIT_CERTIFICATE);
    size_t explicit = 0, sequence = 0;

    fields_of(tbs, fields);
    assert_true(der_take(&fields[EXTENSIONS], DER_CONTEXT_CONSTRUCTED(3), &list, NULL));
    assert_true(der_take(&list, DER_SEQUENCE, &content, NULL));
    for (size_t i = 0; i < EXTENSION_COUNT; i++)
        assert_true(der_take(&content, DER_SEQUENCE, NULL, &each[i]));
    explicit = der_begin(&b, DER_CONTEXT_CONSTRUCTED(3));
    sequence = der_begin(&b, DER_SEQUENCE);
    for (size_t i = 0; i < count; i++) {
        if (order[i] >= 0)
            buf_put(&b, each[order[i]].data, each[order[i]].len);
    }
    der_end(&b, sequence);
    der_end(&b, explicit);
    field_replace(tbs, EXTENSIONS, buf_span(&b), span_of(NULL, 0), ret);
    buf_free(&b);
}

static void test_extensions_order(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE);
    static const int swapped[] = {0, 2, 1, 3, 4}, doubled[] = {0, 1, 2, 3, 4, 4}, same[] = {0, 1, 2, 3, 4};
    struct fault f = {0};

    for (int i = 0; i < EXTENSION_COUNT; i++) {
        int order[] = {0, 1, 2, 3, 4};
        char text[64];

        order[i] = -1;
        extensions_order(buf_span(&x->tbs), order, EXTENSION_COUNT, &tbs);
        snprintf(text, sizeof text, "extension %s: missing", x->profile->extensions[i].name);
        refused_signed(x, buf_span(&tbs), text);
    }
    extensions_order(buf_span(&x->tbs), swapped, EXTENSION_COUNT, &tbs);
    refused_signed(x, buf_span(&tbs), "extension keyUsage: missing, or not as");
    extensions_order(buf_span(&x->tbs), doubled, EXTENSION_COUNT + 1, &tbs);
    refused_signed(x, buf_span(&tbs), "extensions: there are more than the profile root has");
    extensions_order(buf_span(&x->tbs), same, EXTENSION_COUNT, &tbs);
    assert_true(span_equal(buf_span(&tbs), buf_span(&x->tbs)));
    assert_int_equal(check(x, buf_span(&x->der), &f), OK);
    buf_free(&tbs);
}

static void test_extensions_refused(void **state)
{
    const struct fixture *x = *state;
    struct buf tbs = BUF(LIMIT_CERTIFICATE);
    static const struct {
        const char *from, *to;
        size_t len;
        const char *text;
    } cases[] = {
        {"\x55\x1d\x13\x01\x01\xff", "\x55\x1d\x13\x01\x01\x00", 6, "extension basicConstraints"},
        {"\x30\x03\x01\x01\xff", "\x30\x03\x01\x01\x00", 5, "extension basicConstraints"},
        {"\x55\x1d\x0f", "\x55\x1d\x25", 3, "extension keyUsage"},
        {"\x03\x02\x01\x06", "\x03\x02\x01\x86", 4, "extension keyUsage"},
        {"\x81\xfd\x59\x01", "\x81\xfd\x59\x02", 4, "extension certificatePolicies"},
        {"\x55\x1d\x0e\x04\x0a\x04\x08", "\x55\x1d\x0e\x04\x0a\x80\x08", 7, "extension subjectKeyIdentifier"},
        {"\x55\x1d\x23\x04\x0c\x30\x0a\x80", "\x55\x1d\x23\x04\x0c\x30\x0a\x81", 8, "extension authorityKeyIdentifier"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes_replace(buf_span(&x->tbs), span_of(cases[i].from, cases[i].len), span_of(cases[i].to, cases[i].len),
                      &tbs);
        refused_signed(x, buf_span(&tbs), cases[i].text);
    }
    buf_free(&tbs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_serial_refused),   WITH_FIXTURE(test_fields_refused),     WITH_FIXTURE(test_validity_refused),
        WITH_FIXTURE(test_extensions_order), WITH_FIXTURE(test_extensions_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
