#ifndef QUORATE_CEREMONY_KEY_H
#define QUORATE_CEREMONY_KEY_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/fault.h"

/* A person's private key: a PEM file, or a card's key by its pkcs11: URI (RFC 7512). */
struct card;
struct key {
    EVP_PKEY *private;
    struct card *card; /* NULL for a PEM file */
};

/* module: the card's PKCS#11 module; NULL: the URI's module-path, else p11-kit's. A passphrase or PIN that is not in the
 * URI (pin-value, pin-source) is asked for at the terminal; one that is wrong is not tried twice. */
enum outcome key_open(const char *key, const char *module, struct key *ret, struct fault *f);
void key_close(struct key *k);

/* Signs a few random bytes and verifies them by the certificate. E_REFUSED: another key. */
enum outcome key_matches(const struct key *k, X509 *certificate, struct fault *f);

/* The card side of key_open. */
enum outcome card_open(const char *uri, const char *module, struct key *ret, struct fault *f);
void card_close(struct card *c);

#endif
