#include "ceremony/pkcs11_client.h"

#include <stdlib.h>
#include <string.h>

#include "ceremony/terminal.h"
#include "core/encode.h"
#include "core/limits.h"

static const struct key_type {
    const char *name;
    CK_MECHANISM_TYPE mechanism;
    CK_ULONG bits;     /* RSA */
    const char *curve; /* EC: the DER of its object identifier (RFC 5480, section 2.1.1.1) */
    CK_ULONG curve_len;
} key_types[] = {
    {"EC:P-256", CKM_EC_KEY_PAIR_GEN, 0, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10},
    {"EC:P-384", CKM_EC_KEY_PAIR_GEN, 0, "\x06\x05\x2b\x81\x04\x00\x22", 7},
    {"EC:P-521", CKM_EC_KEY_PAIR_GEN, 0, "\x06\x05\x2b\x81\x04\x00\x23", 7},
    {"EC:Ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, 0, "\x06\x03\x2b\x65\x70", 5}, /* RFC 8410, section 3 */
    {"RSA:3072", CKM_RSA_PKCS_KEY_PAIR_GEN, 3072, NULL, 0},
    {"RSA:4096", CKM_RSA_PKCS_KEY_PAIR_GEN, 4096, NULL, 0},
};

static const struct key_type *key_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof key_types / sizeof *key_types; i++) {
        if (strcmp(key_types[i].name, name) == 0)
            return &key_types[i];
    }
    return NULL;
}

bool key_type_known(const char *type)
{
    return key_type_find(type) != NULL;
}

enum outcome pkcs11_refusal(struct client *c, const char *function, CK_RV rv, struct digest *ret_request,
                            struct fault *f)
{
    json_t *answer = NULL;
    struct fault ignored = {.outcome = OK};
    const char *text = NULL;
    enum outcome o = client_call(c, "refusal", json_object(), &answer, f);

    if (o == OK)
        o = json_want_string(answer, "text", &text, f);
    if (o == OK && text[0] == '\0') {
        o = fault_set(f, E_DEVICE, "%s: the token answers 0x%lx", function, rv);
    } else if (o == OK) {
        o = fault_set(f, E_REFUSED, "%s", text);
        if (json_object_get(answer, "request") != NULL && ret_request != NULL &&
            json_want_digest(answer, "request", ret_request, &ignored) != OK)
            o = fault_set(f, E_DEVICE, "%s: the module names no proper request", function);
    }
    json_decref(answer);
    return o;
}

/* Tokens carry the id of the logical token as their label. */
static enum outcome slot_find(struct client *c, const char *token, CK_SLOT_ID *ret, struct fault *f)
{
    CK_FUNCTION_LIST *p = client_functions(c);
    CK_SLOT_ID slots[LIMIT_SLOTS];
    CK_ULONG count = 0;
    CK_TOKEN_INFO info;
    size_t len = strlen(token);
    CK_RV rv = p->C_GetSlotList(CK_TRUE, NULL, &count);

    count = LIMIT_SLOTS;
    if (rv == CKR_OK)
        rv = p->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK)
        return fault_set(f, E_DEVICE, "C_GetSlotList answers 0x%lx", rv);
    for (CK_ULONG i = 0; i < count; i++) {
        if (p->C_GetTokenInfo(slots[i], &info) != CKR_OK || len > sizeof info.label ||
            memcmp(info.label, token, len) != 0 || (len < sizeof info.label && info.label[len] != ' '))
            continue;
        *ret = slots[i];
        return OK;
    }
    return fault_set(f, E_ABSENT, "the primary HSM of token %s does not answer; connect it", token);
}

static enum outcome pin_get(const struct estate *e, const char *token, bool protected_path, struct buf *ret,
                            struct fault *f)
{
    const struct token *named = e->policy != NULL ? policy_token(e->policy, token) : NULL;
    const struct binding *b = named != NULL ? bindings_site(e->bindings, token, named->primary) : NULL;
    char prompt[LIMIT_NAME * 2 + 32];

    if (b == NULL)
        return fault_set(f, E_ABSENT, "%s binds no primary of token %s", e->bindings->path, token);
    if (protected_path || b->pin_kind == PIN_PROTECTED_PATH)
        return OK;
    if (b->pin_kind == PIN_FILE)
        return binding_pin(b, ret, f);
    snprintf(prompt, sizeof prompt, "PIN of %s at %s: ", token, b->site);
    return terminal_secret(prompt, "let the bindings name a file", ret, f);
}

static enum outcome login(struct client *c, const struct estate *e, const char *token, CK_SLOT_ID slot,
                          CK_SESSION_HANDLE session, struct fault *f)
{
    CK_FUNCTION_LIST *p = client_functions(c);
    struct buf pin = BUF_SECRET(LIMIT_PIN);
    CK_TOKEN_INFO info;
    CK_RV rv = p->C_GetTokenInfo(slot, &info);
    enum outcome o = OK;

    if (rv != CKR_OK)
        return fault_set(f, E_DEVICE, "C_GetTokenInfo answers 0x%lx", rv);
    o = pin_get(e, token, (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0, &pin, f);
    if (o == OK) {
        rv = p->C_Login(session, CKU_USER, pin.data, pin.len);
        if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
            o = fault_set(f, E_DEVICE, "token %s refuses the login (0x%lx); it is not tried again", token, rv);
    }
    buf_free(&pin);
    return o;
}

enum outcome pkcs11_session_open(struct client *c, const struct estate *e, const char *token, CK_SESSION_HANDLE *ret,
                                 struct fault *f)
{
    CK_FUNCTION_LIST *p = client_functions(c);
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_SLOT_ID slot = 0;
    enum outcome o = slot_find(c, token, &slot, f);
    CK_RV rv = CKR_OK;

    if (o != OK)
        return o;
    rv = p->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
    if (rv != CKR_OK)
        return fault_set(f, E_DEVICE, "token %s opens no session (0x%lx)", token, rv);
    o = login(c, e, token, slot, session, f);
    if (o == OK)
        *ret = session;
    else
        p->C_CloseSession(session);
    return o;
}

void pkcs11_session_close(struct client *c, CK_SESSION_HANDLE session)
{
    client_functions(c)->C_CloseSession(session);
}

/* Everything is said that PKCS#11 would otherwise leave to the token. */
static CK_RV pair_generate(CK_FUNCTION_LIST *p, CK_SESSION_HANDLE session, const struct key_type *type, char *label)
{
    CK_MECHANISM mechanism = {type->mechanism, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_BYTE exponent[] = {1, 0, 1}, curve[16];
    CK_ULONG bits = type->bits;
    CK_OBJECT_HANDLE public = CK_INVALID_HANDLE, private = CK_INVALID_HANDLE;
    CK_ATTRIBUTE of_public[6] = {{CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_VERIFY, &yes, sizeof yes},
                                 {CKA_PRIVATE, &no, sizeof no},
                                 {CKA_LABEL, label, strlen(label)}};
    CK_ATTRIBUTE of_private[] = {{CKA_TOKEN, &yes, sizeof yes},     {CKA_PRIVATE, &yes, sizeof yes},
                                 {CKA_SENSITIVE, &yes, sizeof yes}, {CKA_EXTRACTABLE, &no, sizeof no},
                                 {CKA_SIGN, &yes, sizeof yes},      {CKA_LABEL, label, strlen(label)}};
    CK_ULONG count = 4;

    if (type->curve != NULL) {
        memcpy(curve, type->curve, type->curve_len);
        of_public[count++] = (CK_ATTRIBUTE){CKA_EC_PARAMS, curve, type->curve_len};
    } else {
        of_public[count++] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof bits};
        of_public[count++] = (CK_ATTRIBUTE){CKA_PUBLIC_EXPONENT, exponent, sizeof exponent};
    }
    return p->C_GenerateKeyPair(session, &mechanism, of_public, count, of_private,
                                sizeof of_private / sizeof *of_private, &public, &private);
}

enum outcome pkcs11_generate(struct client *c, const struct estate *e, const char *token, const char *label,
                             const char *type, struct digest *ret_request, struct fault *f)
{
    const struct key_type *known = key_type_find(type);
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    char *own_label = NULL;
    CK_RV rv = CKR_OK;
    enum outcome o = OK;

    *ret_request = (struct digest){{0}};
    if (known == NULL)
        return fault_set(f, E_INVALID, "\"%s\" is no type of key pair; " KEY_TYPES_EXPECTED, type);
    o = pkcs11_session_open(c, e, token, &session, f);
    if (o != OK)
        return o;
    own_label = strdup(label);
    if (own_label == NULL) {
        o = fault_memory(f);
        goto out;
    }
    rv = pair_generate(client_functions(c), session, known, own_label);
    if (rv != CKR_OK)
        o = pkcs11_refusal(c, "C_GenerateKeyPair", rv, ret_request, f);
out:
    free(own_label);
    pkcs11_session_close(c, session);
    return o;
}

static CK_RV private_find(CK_FUNCTION_LIST *p, CK_SESSION_HANDLE session, struct span id, CK_OBJECT_HANDLE *ret)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_ID, (void *)(uintptr_t)id.data, id.len}};
    CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
    CK_ULONG count = 0;
    CK_RV rv = p->C_FindObjectsInit(session, wanted, sizeof wanted / sizeof *wanted);

    if (rv == CKR_OK) {
        rv = p->C_FindObjects(session, &found, 1, &count);
        p->C_FindObjectsFinal(session);
    }
    if (rv == CKR_OK && count != 1)
        rv = CKR_KEY_HANDLE_INVALID;
    if (rv == CKR_OK)
        *ret = found;
    return rv;
}

enum outcome pkcs11_sign_edwards(struct client *c, const struct estate *e, const char *token, const char *id_hex,
                                 struct span message, struct buf *ret, struct digest *ret_request, struct fault *f)
{
    CK_FUNCTION_LIST *p = client_functions(c);
    CK_MECHANISM mechanism = {CKM_EDDSA, NULL, 0};
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    struct buf id = BUF(LIMIT_ATTRIBUTE);
    uint8_t signature[128];
    CK_ULONG len = sizeof signature;
    CK_RV rv = CKR_OK;
    enum outcome o = hex_parse_buf(id_hex, &id, f);

    *ret_request = (struct digest){{0}};
    if (o == OK)
        o = pkcs11_session_open(c, e, token, &session, f);
    if (o != OK)
        goto out;
    rv = private_find(p, session, buf_span(&id), &key);
    if (rv == CKR_OK)
        rv = p->C_SignInit(session, &mechanism, key);
    if (rv == CKR_OK)
        rv = p->C_Sign(session, (void *)(uintptr_t)message.data, message.len, signature, &len);
    if (rv == CKR_OK)
        buf_put(ret, signature, len);
    else
        o = pkcs11_refusal(c, "C_Sign", rv, ret_request, f);
    pkcs11_session_close(c, session);
out:
    buf_free(&id);
    return o == OK && ret->failed ? fault_memory(f) : o;
}
