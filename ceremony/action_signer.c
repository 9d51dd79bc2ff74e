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

static PKCS11_SLOT *slot_find(const struct token_key *k, const char *token)
{
    PKCS11_SLOT *slots = k->slots;

    for (unsigned i = 0; i < k->slot_count; i++) {
        if (slots[i].token != NULL && slots[i].token->label != NULL && strcmp(slots[i].token->label, token) == 0)
            return &slots[i];
    }
    return NULL;
}

/* libp11's session first, for that closes all others of the slot; then the login, which is the process's. */
static enum outcome private_open(struct runner *r, struct token_key *k, const char *token, const char *label,
                                 struct fault *f)
{
    PKCS11_SLOT *slot = slot_find(k, token);
    PKCS11_KEY *key = NULL;
    enum outcome o = OK;

    if (slot == NULL || PKCS11_open_session(slot, 0) != 0)
        return fault_set(f, E_DEVICE, "the primary HSM of token %s opens no session", token);
    o = pkcs11_session_open(r->client, r->estate, token, &k->session, f);
    if (o == OK)
        key = key_find(slot->token, label);
    if (o == OK && (key == NULL || (k->private = PKCS11_get_private_key(key)) == NULL))
        o = fault_set(f, E_ABSENT, "token %s shows no private key %s", token, label);
    return o;
}

enum outcome token_key_open(struct runner *r, const char *token, const char *label, struct token_key *ret,
                            struct fault *f)
{
    struct token_key k = {.client = r->client, .session = CK_INVALID_HANDLE};
    PKCS11_SLOT *slots = NULL;
    enum outcome o = (k.context = PKCS11_CTX_new()) != NULL ? OK : fault_memory(f);

    if (o == OK && PKCS11_CTX_load(k.context, client_path(r->client)) != 0)
        o = fault_set(f, E_DEVICE, "libp11 cannot use %s", client_path(r->client));
    if (o == OK && PKCS11_enumerate_slots(k.context, &slots, &k.slot_count) != 0)
        o = fault_set(f, E_DEVICE, "libp11 finds no token in %s", client_path(r->client));
    k.slots = slots;
    if (o == OK)
        o = private_open(r, &k, token, label, f);
    if (o == OK) {
        *ret = k;
        k = (struct token_key){0}; /* the caller's */
    }
    token_key_close(&k);
    return o;
}
