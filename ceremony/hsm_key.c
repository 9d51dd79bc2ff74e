#include "ceremony/hsm_key.h"

#include <openssl/err.h>
#include <string.h>

#include "ceremony/pkcs11_client.h"
#include "core/encode.h"

#define KEY_ID_MAX 64

static enum outcome slot_find(const struct hsm_key *k, const char *token, PKCS11_SLOT **ret, struct fault *f)
{
    for (unsigned i = 0; i < k->slot_count; i++) {
        const PKCS11_TOKEN *t = k->slots[i].token;

        if (t != NULL && t->label != NULL && strcmp(t->label, token) == 0) {
            *ret = &k->slots[i];
            return OK;
        }
    }
    return fault_set(f, E_ABSENT, "the primary HSM of token %s does not answer; connect it", token);
}

static enum outcome private_find(PKCS11_TOKEN *token, const char *id_hex, EVP_PKEY **ret, struct fault *f)
{
    struct buf id = BUF(KEY_ID_MAX);
    PKCS11_KEY *keys = NULL;
    EVP_PKEY *found = NULL;
    unsigned count = 0;
    enum outcome o = hex_parse_buf(id_hex, &id, f);

    if (o == OK && PKCS11_enumerate_keys(token, &keys, &count) != 0)
        o = fault_set(f, E_DEVICE, "token %s does not list its keys", token->label);
    for (unsigned i = 0; i < count && o == OK && found == NULL; i++) {
        if (keys[i].isPrivate && span_equal(span_of(keys[i].id, keys[i].id_len), buf_span(&id)))
            found = PKCS11_get_private_key(&keys[i]);
    }
    if (o == OK && found == NULL)
        o = fault_set(f, E_ABSENT,
                      "the private key %s is not on token %s, or cannot be used there; see `quorate status`", id_hex,
                      token->label);
    if (o == OK)
        *ret = found;
    buf_free(&id);
    return o;
}

enum outcome hsm_key_open(struct client *c, const struct estate *e, const char *token, const char *id_hex,
                          struct hsm_key *ret, struct fault *f)
{
    struct hsm_key k = {.client = c, .context = PKCS11_CTX_new()};
    PKCS11_SLOT *slot = NULL;
    enum outcome o = OK;

    if (k.context == NULL)
        o = fault_memory(f);
    else if (PKCS11_CTX_load(k.context, client_path(c)) != 0 ||
             PKCS11_enumerate_slots(k.context, &k.slots, &k.slot_count) != 0)
        o = fault_set(f, E_DEVICE, "libp11 does not take %s as a PKCS#11 module", client_path(c));
    if (o == OK)
        o = slot_find(&k, token, &slot, f);
    /* libp11's session first: opening it closes all others of the slot, and with them goes the login. */
    if (o == OK && PKCS11_open_session(slot, 0) != 0)
        o = fault_set(f, E_DEVICE, "token %s opens no session for libp11", token);
    /* A login counts for all sessions of a process (PKCS#11 2.40, section 5.6), so that libp11 needs no PIN. */
    if (o == OK)
        o = pkcs11_session_open(c, e, token, &k.session, f);
    if (o == OK)
        o = private_find(slot->token, id_hex, &k.private, f);
    if (o == OK) {
        *ret = k;
        k = (struct hsm_key){0}; /* taken by ret */
    }
    ERR_clear_error();
    hsm_key_close(&k);
    return o;
}

void hsm_key_close(struct hsm_key *k)
{
    EVP_PKEY_free(k->private);
    if (k->session != CK_INVALID_HANDLE)
        pkcs11_session_close(k->client, k->session);
    if (k->slots != NULL)
        PKCS11_release_all_slots(k->context, k->slots, k->slot_count);
    /* Not unloaded: PKCS11_CTX_unload calls C_Finalize, and the ceremony goes on in this very module. What stays is a
     * reference to the library, once a signature. */
    if (k->context != NULL)
        PKCS11_CTX_free(k->context);
    *k = (struct hsm_key){0};
}
