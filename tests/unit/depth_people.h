#ifndef QUORATE_TESTS_DEPTH_PEOPLE_H
#define QUORATE_TESTS_DEPTH_PEOPLE_H

/* The people of the tests in depth_fixture.h, with keys and certificates; and what those tests say of outcomes. */

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/signature.h"

struct depth_person {
    const char *id, *organisation, *role;
    EVP_PKEY *key;
    X509 *certificate;
    struct signer digests;
};

static struct depth_person depth_people[] = {
    {.id = "authority-1", .organisation = "Authority", .role = "authority"},
    {.id = "authority-2", .organisation = "Authority", .role = "authority"},
    {.id = "custodian-1", .organisation = "Operator", .role = "key-custodian"},
    {.id = "custodian-2", .organisation = "Provider", .role = "key-custodian"},
};
enum { DEPTH_PEOPLE = sizeof depth_people / sizeof *depth_people };

#define assert_good(call)                                                                                              \
    do {                                                                                                               \
        enum outcome outcome_ = (call);                                                                                \
        if (outcome_ != OK)                                                                                            \
            fail_msg("outcome %d: %s", outcome_, f.text);                                                              \
    } while (0)
#define assert_text(needle)                                                                                            \
    do {                                                                                                               \
        if (strstr(f.text, needle) == NULL)                                                                            \
            fail_msg("\"%s\" is not in: %s", needle, f.text);                                                          \
    } while (0)

static inline void depth_person_make(struct depth_person *p, const char *folder)
{
    char path[256];
    p->key = EVP_EC_gen("P-256");
    p->certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(p->certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)p->id, -1, -1, 0);
    X509_set_version(p->certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p->certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(p->certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(p->certificate), 86400);
    X509_set_issuer_name(p->certificate, name);
    X509_set_pubkey(p->certificate, p->key);
    assert_true(X509_sign(p->certificate, p->key, EVP_sha256()) > 0);
    struct fault f;
    assert_good(certificate_digests(p->certificate, &p->digests, &f));
    snprintf(path, sizeof path, "%s/people/%s.pem", folder, p->id);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, p->certificate), 1);
    fclose(file);
}

#endif
