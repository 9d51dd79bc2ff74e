#ifndef QUORATE_CEREMONY_ACTION_SIGNER_H
#define QUORATE_CEREMONY_ACTION_SIGNER_H

#include <openssl/evp.h>

#include "ceremony/run.h"

/* A key of the estate as OpenSSL sees it: libp11 over the module that the runner has loaded. Every signature is a use
 * that the module judges. */
struct token_key {
    EVP_PKEY *private;
    void *context, *slots;
    unsigned slot_count;
    CK_SESSION_HANDLE session;
    struct client *client;
};
enum outcome token_key_open(struct runner *r, const char *token, const char *label, struct token_key *ret,
                            struct fault *f);
void token_key_close(struct token_key *k);

#endif
