#include <stdio.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/parameter.h"
#include "module/pkcs11_3.h"
#include "module/template.h"

/* PKCS#11's names, as subjects, findings and messages have them. */

struct name {
    CK_ULONG value;
    const char *text;
};

#define NAME(n)                                                                                                        \
    {                                                                                                                  \
        n, #n                                                                                                          \
    }
static const struct name mechanisms[] = {
    NAME(CKM_RSA_PKCS_KEY_PAIR_GEN),
    NAME(CKM_RSA_PKCS),
    NAME(CKM_RSA_9796),
    NAME(CKM_RSA_X_509),
    NAME(CKM_SHA1_RSA_PKCS),
    NAME(CKM_RSA_PKCS_OAEP),
    NAME(CKM_RSA_X9_31_KEY_PAIR_GEN),
    NAME(CKM_RSA_PKCS_PSS),
    NAME(CKM_SHA1_RSA_PKCS_PSS),
    NAME(CKM_SHA224_RSA_PKCS),
    NAME(CKM_SHA256_RSA_PKCS),
    NAME(CKM_SHA384_RSA_PKCS),
    NAME(CKM_SHA512_RSA_PKCS),
    NAME(CKM_SHA224_RSA_PKCS_PSS),
    NAME(CKM_SHA256_RSA_PKCS_PSS),
    NAME(CKM_SHA384_RSA_PKCS_PSS),
    NAME(CKM_SHA512_RSA_PKCS_PSS),
    NAME(CKM_EC_KEY_PAIR_GEN),
    NAME(CKM_EC_EDWARDS_KEY_PAIR_GEN),
    NAME(CKM_ECDSA),
    NAME(CKM_ECDSA_SHA1),
    NAME(CKM_ECDSA_SHA224),
    NAME(CKM_ECDSA_SHA256),
    NAME(CKM_ECDSA_SHA384),
    NAME(CKM_ECDSA_SHA512),
    NAME(CKM_EDDSA),
    NAME(CKM_ECDH1_DERIVE),
    NAME(CKM_ECDH1_COFACTOR_DERIVE),
    NAME(CKM_GENERIC_SECRET_KEY_GEN),
    NAME(CKM_AES_KEY_GEN),
    NAME(CKM_AES_ECB),
    NAME(CKM_AES_CBC),
    NAME(CKM_AES_CBC_PAD),
    NAME(CKM_AES_CTR),
    NAME(CKM_AES_GCM),
    NAME(CKM_AES_CCM),
    NAME(CKM_CHACHA20_POLY1305),
    NAME(CKM_SALSA20_POLY1305),
    NAME(CKM_AES_CMAC),
    NAME(CKM_AES_KEY_WRAP),
    NAME(CKM_AES_KEY_WRAP_PAD),
    NAME(CKM_RSA_AES_KEY_WRAP),
    NAME(CKM_SHA_1_HMAC),
    NAME(CKM_SHA256_HMAC),
    NAME(CKM_SHA384_HMAC),
    NAME(CKM_SHA512_HMAC),
    {0, NULL},
};
static const struct name attributes[] = {
#define ATTRIBUTE(name, kind) {name, #name},
#include "module/attributes.def"
#undef ATTRIBUTE
    {0, NULL},
};
static const struct name classes[] = {
    NAME(CKO_DATA), NAME(CKO_CERTIFICATE), NAME(CKO_PUBLIC_KEY), NAME(CKO_PRIVATE_KEY), NAME(CKO_SECRET_KEY), {0, NULL},
};
static const struct name key_types[] = {
    NAME(CKK_RSA), NAME(CKK_EC), NAME(CKK_EC_EDWARDS), NAME(CKK_GENERIC_SECRET), NAME(CKK_AES), {0, NULL},
};

static const char *name_of(const struct name *names, CK_ULONG value)
{
    for (; names->text; names++)
        if (names->value == value)
            return names->text;
    return NULL;
}

static bool name_value(const struct name *names, const char *text, CK_ULONG *ret)
{
    for (; names->text; names++)
        if (strcmp(names->text, text) == 0) {
            *ret = names->value;
            return true;
        }
    return false;
}

const char *attribute_name(CK_ATTRIBUTE_TYPE type)
{
    return name_of(attributes, type);
}

bool attribute_by_name(const char *text, CK_ATTRIBUTE_TYPE *ret)
{
    return name_value(attributes, text, ret);
}

const char *object_class_name(CK_OBJECT_CLASS class)
{
    return name_of(classes, class);
}

bool object_class_by_name(const char *text, CK_OBJECT_CLASS *ret)
{
    return name_value(classes, text, ret);
}

const char *key_type_name(CK_KEY_TYPE type)
{
    return name_of(key_types, type);
}

bool key_type_by_name(const char *text, CK_KEY_TYPE *ret)
{
    return name_value(key_types, text, ret);
}

const char *mechanism_name(CK_MECHANISM_TYPE type)
{
    return name_of(mechanisms, type);
}

json_t *mechanism_json(const CK_MECHANISM *m)
{
    const char *name = mechanism_name(m->mechanism);
    struct buf parameter = BUF(8 * LIMIT_ATTRIBUTE), bytes = BUF(4 * LIMIT_ATTRIBUTE);
    json_t *json = json_object();
    char number[24];
    bool good;

    snprintf(number, sizeof(number), "0x%lx", m->mechanism);
    good = json_put_string(json, "name", name ? name : number);
    if (good && m->pParameter && m->ulParameterLen) {
        /* Where pointers cannot be followed, two parameters that mean the same make two requests, never one request for
         * two meanings; such a request is refused when it is to be carried out. */
        parameter_put(m, &bytes);
        buf_puts(&parameter, "hex:");
        hex_put(&parameter, buf_span(&bytes));
        good = !bytes.failed && !parameter.failed && json_put_string(json, "parameter", buf_str(&parameter));
    }
    buf_free(&bytes);
    buf_free(&parameter);
    if (good)
        return json;
    json_decref(json);
    return NULL;
}
