#ifndef QUORATE_TESTS_SITE_ANSWERS_H
#define QUORATE_TESTS_SITE_ANSWERS_H

/* The site whose answers are read: its identity key, and what it was asked. */

#include "audit/document.h"
#include "hsm_answers.h"

static EVP_PKEY *identity;
static struct buf identity_spki;

static inline int identity_make(void **state)
{
    (void)state;
    identity = EVP_PKEY_Q_keygen(crypto_context(), NULL, "EC", "P-256");
    identity_spki = spki_of(identity);
    return identity != NULL ? 0 : -1;
}

static inline int identity_free(void **state)
{
    (void)state;
    EVP_PKEY_free(identity);
    buf_free(&identity_spki);
    return 0;
}

static inline struct site_question question(void)
{
    return (struct site_question){.estate = digest_named("estate"),
                                  .challenge = digest_named("challenge"),
                                  .token = "root",
                                  .site = "cardiff",
                                  .serial = "0123",
                                  .identity = buf_span(&identity_spki)};
}

#endif
