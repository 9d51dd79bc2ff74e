#ifndef QUORATE_CEREMONY_HSM_KEY_H
#define QUORATE_CEREMONY_HSM_KEY_H

#include <libp11.h>
#include <openssl/evp.h>

#include "ceremony/client.h"
#include "estate/estate.h"

/* A private key behind the module, for OpenSSL: libp11 on the module that this process has loaded already. */
struct hsm_key {
    EVP_PKEY *private;
    PKCS11_CTX *context;
    PKCS11_SLOT *slots;
    unsigned slot_count;
    struct client *client; /* whose session holds the login */
    CK_SESSION_HANDLE session;
};

/* The key with this CKA_ID (hex, as the log has it) on a logical token; logs in as the bindings say. */
enum outcome hsm_key_open(struct client *c, const struct estate *e, const char *token, const char *id_hex,
                          struct hsm_key *ret, struct fault *f);
/* Closes all sessions that this process has on the token. */
void hsm_key_close(struct hsm_key *k);

#endif
