#include <libp11.h>
#include <openssl/err.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/key.h"
#include "ceremony/terminal.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"

#define CARD_MODULE "p11-kit-proxy.so" /* all modules that the system knows */

struct card {
    PKCS11_CTX *context;
    bool loaded;
    PKCS11_SLOT *slots;
    unsigned slot_count;
};

static void field_fill(CK_UTF8CHAR *field, size_t size, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    memset(field, ' ', size);
    memcpy(field, text ? text : "", len < size ? len : size);
}

static bool token_fits(const P11KitUri *uri, const PKCS11_TOKEN *t)
{
    CK_TOKEN_INFO info = {0};

    field_fill(info.label, sizeof info.label, t->label);
    field_fill(info.manufacturerID, sizeof info.manufacturerID, t->manufacturer);
    field_fill(info.model, sizeof info.model, t->model);
    field_fill(info.serialNumber, sizeof info.serialNumber, t->serialnr);
    return p11_kit_uri_match_token_info(uri, &info) != 0;
}

/* Exactly one token, or words for what is there. */
static enum outcome card_token(const struct card *c, const P11KitUri *uri, PKCS11_SLOT **ret, struct fault *f)
{
    struct buf seen = BUF(512);
    PKCS11_SLOT *found = NULL;
    bool several = false;
    enum outcome o = OK;

    for (unsigned i = 0; i < c->slot_count; i++) {
        PKCS11_SLOT *slot = &c->slots[i];

        if (!slot->token || !slot->token->initialized)
            continue;
        if (token_fits(uri, slot->token)) {
            several = found != NULL;
            found = slot;
            if (several)
                break;
        } else {
            buf_puts(&seen, seen.len > 0 ? ", " : "");
            printable_put(&seen, span_str(slot->token->label ? slot->token->label : ""));
        }
    }
    if (several)
        o = fault_set(f, E_INVALID, "more than one card fits the URI; add token= or serial= to it");
    else if (!found)
        o = fault_set(f, E_ABSENT, "no card fits the URI; seen: %s", seen.len > 0 ? buf_str(&seen) : "none");
    else
        *ret = found;
    buf_free(&seen);
    return o;
}

static enum outcome pin_find(const P11KitUri *uri, const PKCS11_TOKEN *t, struct buf *ret, struct fault *f)
{
    const char *value = p11_kit_uri_get_pin_value(uri), *source = p11_kit_uri_get_pin_source(uri);
    char prompt[128];
    enum outcome o = OK;

    if (value) {
        buf_puts(ret, value);
    } else if (source) {
        o = file_read(strncmp(source, "file:", 5) == 0 ? source + 5 : source, false, ret, f);
        while (o == OK && ret->len > 0 && (ret->data[ret->len - 1] == '\n' || ret->data[ret->len - 1] == '\r'))
            ret->data[--ret->len] = 0;
    } else {
        struct buf label = BUF(128);

        printable_put(&label, span_str(t->label ? t->label : "the card"));
        snprintf(prompt, sizeof prompt, "PIN of %s%s: ", buf_str(&label), t->userPinFinalTry ? " (LAST TRY)" : "");
        buf_free(&label);
        o = terminal_secret(prompt, "add pin-value= or pin-source= to the URI", ret, f);
    }
    if (o == OK && (ret->failed || ret->len == 0))
        o = fault_set(f, E_INVALID, "the PIN is empty or too long");
    return o;
}

/* One try. */
static enum outcome card_login(PKCS11_SLOT *slot, const P11KitUri *uri, struct fault *f)
{
    const PKCS11_TOKEN *t = slot->token;
    struct buf pin = BUF_SECRET(LIMIT_PIN);
    enum outcome o = OK;

    /* libp11 wants the session before the login. */
    if (PKCS11_open_session(slot, 0) != 0)
        return fault_set(f, E_DEVICE, "the card %s opens no session", t->label);
    if (!t->loginRequired)
        return OK;
    if (t->userPinLocked)
        return fault_set(f, E_DEVICE, "the PIN of the card %s is locked; its issuer can unlock it", t->label);
    if (!t->secureLogin)
        o = pin_find(uri, t, &pin, f);
    if (o == OK && PKCS11_login(slot, 0, t->secureLogin ? NULL : buf_str(&pin)) != 0)
        o = fault_set(f, E_DEVICE, "the card %s refuses the PIN: %s; it is not tried again", t->label,
                      ERR_reason_error_string(ERR_peek_last_error()) ? ERR_reason_error_string(ERR_peek_last_error())
                                                                     : "no reason given");
    buf_free(&pin);
    return o;
}

static bool key_fits(P11KitUri *uri, const PKCS11_KEY *k)
{
    const CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(uri, CKA_ID), *label = p11_kit_uri_get_attribute(uri, CKA_LABEL);

    if (id && (id->ulValueLen != k->id_len || memcmp(id->pValue, k->id, k->id_len) != 0))
        return false;
    if (label &&
        (!k->label || strlen(k->label) != label->ulValueLen || memcmp(label->pValue, k->label, label->ulValueLen) != 0))
        return false;
    return true;
}

static enum outcome card_key(PKCS11_SLOT *slot, P11KitUri *uri, EVP_PKEY **ret, struct fault *f)
{
    PKCS11_KEY *keys = NULL, *found = NULL;
    unsigned count = 0, fitting = 0;

    if (PKCS11_enumerate_keys(slot->token, &keys, &count) != 0)
        return fault_set(f, E_DEVICE, "the card %s does not list its keys", slot->token->label);
    for (unsigned i = 0; i < count; i++) {
        if (!keys[i].isPrivate || !key_fits(uri, &keys[i]))
            continue;
        found = &keys[i];
        fitting++;
    }
    if (fitting == 0)
        return fault_set(f, E_ABSENT, "no private key on the card %s fits the URI (it has %u)", slot->token->label,
                         count);
    if (fitting > 1)
        return fault_set(f, E_INVALID, "%u private keys on the card %s fit the URI; add id= or object= to it", fitting,
                         slot->token->label);
    *ret = PKCS11_get_private_key(found);
    if (!*ret)
        return fault_set(f, E_DEVICE, "the key on the card %s cannot be used; is it EC or RSA, with its public half?",
                         slot->token->label);
    return OK;
}

static enum outcome card_load(struct card *c, const char *module, struct fault *f)
{
    c->context = PKCS11_CTX_new();
    if (!c->context)
        return fault_memory(f);
    if (PKCS11_CTX_load(c->context, module) != 0)
        return fault_set(f, E_DEVICE, "%s cannot be loaded as a PKCS#11 module; name the card's with --card-module",
                         module);
    c->loaded = true;
    if (PKCS11_enumerate_slots(c->context, &c->slots, &c->slot_count) != 0)
        return fault_set(f, E_DEVICE, "%s does not list its slots", module);
    return OK;
}

enum outcome card_open(const char *uri_text, const char *module, struct key *ret, struct fault *f)
{
    P11KitUri *uri = p11_kit_uri_new();
    struct card *c = calloc(1, sizeof *c);
    PKCS11_SLOT *slot = NULL;
    EVP_PKEY *private = NULL;
    enum outcome o = OK;
    int parsed = 0;

    if (!uri || !c) {
        o = fault_memory(f);
        goto out;
    }
    parsed = p11_kit_uri_parse(uri_text, P11_KIT_URI_FOR_ANY, uri);
    if (parsed != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(uri)) {
        /* The text itself may hold a PIN: it is not repeated. */
        o = fault_set(f, E_INVALID, "the key's URI is not one of RFC 7512: %s",
                      parsed != P11_KIT_URI_OK ? p11_kit_uri_message(parsed) : "it has an unknown attribute");
        goto out;
    }
    if (!module)
        module = p11_kit_uri_get_module_path(uri);
    o = card_load(c, module ? module : CARD_MODULE, f);
    if (o == OK)
        o = card_token(c, uri, &slot, f);
    if (o == OK)
        o = card_login(slot, uri, f);
    if (o == OK)
        o = card_key(slot, uri, &private, f);
    if (o == OK) {
        *ret = (struct key){.private = private, .card = c};
        c = NULL; /* taken by ret */
    }
out:
    ERR_clear_error();
    card_close(c);
    p11_kit_uri_free(uri);
    return o;
}

void card_close(struct card *c)
{
    if (!c)
        return;
    if (c->slots)
        PKCS11_release_all_slots(c->context, c->slots, c->slot_count);
    if (c->loaded)
        PKCS11_CTX_unload(c->context);
    if (c->context)
        PKCS11_CTX_free(c->context);
    free(c);
}
