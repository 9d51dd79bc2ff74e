#ifndef QUORATE_TESTS_CERTIFICATE_FIXTURE_H
#define QUORATE_TESTS_CERTIFICATE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/x509.h>

#include "ceremony/certificate.h"
#include "ceremony/certificate_der.h"
#include "core/limits.h"

/* A profile, a key, and the certificate that they make. */

#define FROM INT64_C(1780272000) /* 2026-06-01T00:00:00Z */

static const char profile_text[] =
    "id: root\nissuer: self\nkey: EC:P-256\nsignature: SHA256\nserial-bits: 120\n"
    "validity: 25 years\n"
    "subject: [{C: GB}, {OU: \"00\"}, {CN: Root}, {x500UniqueIdentifier: "
    "\"0200000000000100\"}]\n"
    "extensions:\n"
    "  - {extension: basicConstraints, critical: true, ca: true}\n"
    "  - {extension: keyUsage, critical: true, usage: [keyCertSign, cRLSign]}\n"
    "  - {extension: certificatePolicies, critical: true, policies: [1.3.6.1.4.1.32473.1]}\n"
    "  - {extension: subjectKeyIdentifier, critical: false, method: 2}\n"
    "  - {extension: authorityKeyIdentifier, critical: false, method: 2}\n";

struct fixture {
    struct profile *profile;
    EVP_PKEY *key;
    struct buf spki, tbs, der;
};

static inline struct span key_spki(EVP_PKEY *key, struct buf *ret)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);

    assert_true(len > 0);
    buf_clear(ret);
    buf_put(ret, der, (size_t)len);
    OPENSSL_free(der);
    return buf_span(ret);
}

static inline void compose(const struct profile *p, struct span spki, struct buf *ret)
{
    struct certificate_inputs in = {.public_key = spki, .not_before = FROM};
    struct fault f = {0};

    memset(in.serial, 0xa5, sizeof in.serial);
    if (certificate_compose(p, &in, ret, &f) != OK)
        fail_msg("%s", f.text);
}

static int fixture_make(void **state)
{
    static struct fixture x;
    struct fault f = {0};

    x = (struct fixture){.spki = BUF(4096), .tbs = BUF(LIMIT_CERTIFICATE), .der = BUF(LIMIT_CERTIFICATE)};
    if (profile_parse("p.yaml", span_str(profile_text), &x.profile, &f) != OK)
        fail_msg("%s", f.text);
    x.key = EVP_EC_gen("P-256");
    assert_non_null(x.key);
    compose(x.profile, key_spki(x.key, &x.spki), &x.tbs);
    if (signed_structure_make(x.key, buf_span(&x.spki), "SHA256", buf_span(&x.tbs), &x.der, &f) != OK)
        fail_msg("%s", f.text);
    *state = &x;
    return 0;
}

static int fixture_end(void **state)
{
    struct fixture *x = *state;

    profile_free(x->profile);
    EVP_PKEY_free(x->key);
    buf_free(&x->spki);
    buf_free(&x->tbs);
    buf_free(&x->der);
    return 0;
}

static inline enum outcome check(const struct fixture *x, struct span der, struct fault *f)
{
    return certificate_check(x->profile, der, buf_span(&x->spki), buf_span(&x->spki), f);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_end)

#endif
