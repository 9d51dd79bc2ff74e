#include "ceremony/action_signer.h"

#include <libp11.h>
#include <openssl/err.h>
#include <string.h>

#include "ceremony/pkcs11_client.h"

void token_key_close(struct token_key *k)
{
    EVP_PKEY_free(k->private);
    if (k->slots != NULL)
        PKCS11_release_all_slots(k->context, k->slots, k->slot_count);
    /* Never PKCS11_CTX_unload: it finalises the module, which the runner has in use. */
    if (k->context != NULL)
        PKCS11_CTX_free(k->context);
    if (k->session != CK_INVALID_HANDLE)
        pkcs11_session_close(k->client, k->session);
    ERR_clear_error();
    *k = (struct token_key){0};
}

static PKCS11_KEY *key_find(PKCS11_TOKEN *token, const char *label)
{
    PKCS11_KEY *keys = NULL;
    unsigned count = 0;

    if (PKCS11_enumerate_keys(token, &keys, &count) != 0)
        return NULL;
    for (unsigned i = 0; i < count; i++) {
        if (keys[i].label != NULL && strcmp(keys[i].label, label) == 0)
            return &keys[i];
    }
    return NULL;
}

static enum outcome private_find(struct token_key *k, const char *token, const char *label, struct fault *f)
{
    PKCS11_SLOT *slots = k->slots;

    for (unsigned i = 0; i < k->slot_count; i++) {
        PKCS11_KEY *key = NULL;

        if (slots[i].token == NULL || slots[i].token->label == NULL || strcmp(slots[i].token->label, token) != 0)
            continue;
        key = PKCS11_open_session(&slots[i], 0) == 0 ? key_find(slots[i].token, label) : NULL;
        k->private = key != NULL ? PKCS11_get_private_key(key) : NULL;
    }
    return k->private != NULL ? OK : fault_set(f, E_ABSENT, "token %s shows no private key %s", token, label);
}

enum outcome token_key_open(struct runner *r, const char *token, const char *label, struct token_key *ret,
                            struct fault *f)
{
    struct token_key k = {.client = r->client, .session = CK_INVALID_HANDLE};
    PKCS11_SLOT *slots = NULL;
    /* The login is the process's: this session's serves libp11's too. */
    enum outcome o = pkcs11_session_open(r->client, r->estate, token, &k.session, f);

    if (o == OK && (k.context = PKCS11_CTX_new()) == NULL)
        o = fault_memory(f);
    if (o == OK && PKCS11_CTX_load(k.context, client_path(r->client)) != 0)
        o = fault_set(f, E_DEVICE, "libp11 cannot use %s", client_path(r->client));
    if (o == OK && PKCS11_enumerate_slots(k.context, &slots, &k.slot_count) != 0)
        o = fault_set(f, E_DEVICE, "libp11 finds no token in %s", client_path(r->client));
    k.slots = slots;
    if (o == OK)
        o = private_find(&k, token, label, f);
    if (o == OK) {
        *ret = k;
        k = (struct token_key){0}; /* the caller's */
    }
    token_key_close(&k);
    return o;
}
