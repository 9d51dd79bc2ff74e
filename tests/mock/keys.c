#include <openssl/rand.h>
#include <string.h>

#include "tests/mock/inner.h"

static const struct {
    CK_MECHANISM_TYPE type;
    CK_FLAGS flags;
} mechanisms[] = {
    {CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS},
    {CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR},
    {CKM_EC_EDWARDS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR},
    {CKM_EDDSA, CKF_SIGN | CKF_VERIFY},
    {CKM_AES_KEY_GEN, CKF_GENERATE},
    {CKM_GENERIC_SECRET_KEY_GEN, CKF_GENERATE},
    {CKM_ECDSA, CKF_SIGN | CKF_VERIFY | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS},
    {CKM_ECDSA_SHA1, CKF_SIGN | CKF_VERIFY},
    {CKM_RSA_PKCS, CKF_SIGN | CKF_VERIFY | CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP},
    {CKM_SHA256_RSA_PKCS, CKF_SIGN | CKF_VERIFY},
    {CKM_RSA_PKCS_OAEP, CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP},
    {CKM_RSA_X_509, CKF_SIGN | CKF_VERIFY | CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER},
    {CKM_SHA256, CKF_DIGEST},
    {CKM_SHA256_HMAC, CKF_SIGN | CKF_VERIFY},
    {CKM_AES_ECB, CKF_ENCRYPT | CKF_DECRYPT},
    {CKM_AES_CBC, CKF_ENCRYPT | CKF_DECRYPT},
    {CKM_AES_CBC_PAD, CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP},
    {CKM_ECDH1_DERIVE, CKF_DERIVE},
    {MOCK_KWP, CKF_WRAP | CKF_UNWRAP},
};
#define MECHANISMS (sizeof(mechanisms) / sizeof(*mechanisms))

/* The generator of P-256 (SEC 2, section 2.4.2), a point that whoever parses it accepts, in its OCTET STRING. */
static unsigned char point[] = {0x04, 0x41, 0x04, 0x6B, 0x17, 0xD1, 0xF2, 0xE1, 0x2C, 0x42, 0x47, 0xF8, 0xBC, 0xE6,
                                0xE5, 0x63, 0xA4, 0x40, 0xF2, 0x77, 0x03, 0x7D, 0x81, 0x2D, 0xEB, 0x33, 0xA0, 0xF4,
                                0xA1, 0x39, 0x45, 0xD8, 0x98, 0xC2, 0x96, 0x4F, 0xE3, 0x42, 0xE2, 0xFE, 0x1A, 0x7F,
                                0x9B, 0x8E, 0xE7, 0xEB, 0x4A, 0x7C, 0x0F, 0x9E, 0x16, 0x2B, 0xCE, 0x33, 0x57, 0x6B,
                                0x31, 0x5E, 0xCE, 0xCB, 0xB6, 0x40, 0x68, 0x37, 0xBF, 0x51, 0xF5};
static unsigned char p256[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
static unsigned char modulus[256], f4[] = {1, 0, 1}, value[32];
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

CK_RV mock_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count)
{
    CK_TOKEN_INFO info;
    CK_ULONG room;
    CK_RV rv = count ? mock_C_GetTokenInfo(slot, &info) : CKR_ARGUMENTS_BAD;

    if (rv != CKR_OK)
        return rv;
    room = *count;
    *count = mock_length(MECHANISMS);
    if (list && room < MECHANISMS)
        return CKR_BUFFER_TOO_SMALL;
    for (size_t i = 0; list && i < MECHANISMS; i++)
        list[i] = mechanisms[i].type;
    return CKR_OK;
}

CK_RV mock_C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info)
{
    CK_TOKEN_INFO token;
    CK_RV rv = info ? mock_C_GetTokenInfo(slot, &token) : CKR_ARGUMENTS_BAD;

    if (rv != CKR_OK)
        return rv;
    if (type == MOCK_RSA_AES && !mock_lacks(slot, MOCK_RSA_AES_WAY)) {
        *info = (CK_MECHANISM_INFO){2048, 4096, CKF_HW | CKF_WRAP | CKF_UNWRAP};
        return CKR_OK;
    }
    for (size_t i = 0; i < MECHANISMS; i++)
        if (mechanisms[i].type == type) {
            *info = (CK_MECHANISM_INFO){256, 4096, CKF_HW | mechanisms[i].flags};
            return CKR_OK;
        }
    return CKR_MECHANISM_INVALID;
}

static CK_RV key_session(CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism, struct mock_session **ret)
{
    CK_RV rv = mock_session(session, ret);

    if (rv == CKR_OK && !mechanism)
        rv = CKR_ARGUMENTS_BAD;
    return rv;
}

/* The same with a value of its own, of the length that is asked for. */
static CK_RV secret_make_real(const struct mock_session *s, CK_SESSION_HANDLE session, CK_ATTRIBUTE *base,
                              CK_ULONG base_count, const CK_ATTRIBUTE *items, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    unsigned char bytes[512];
    CK_ULONG len = 32;

    for (CK_ULONG i = 0; i < count; i++)
        if (items[i].type == CKA_VALUE_LEN && items[i].ulValueLen == sizeof(len))
            memcpy(&len, items[i].pValue, sizeof(len));
    if (len > sizeof(bytes) || RAND_bytes(bytes, (int)len) != 1)
        return CKR_KEY_SIZE_RANGE;
    for (CK_ULONG i = 0; i < base_count; i++)
        if (base[i].type == CKA_VALUE)
            base[i] = (CK_ATTRIBUTE){CKA_VALUE, bytes, len};
    return mock_object_make(s, session, base, base_count, items, count, ret);
}

/* What stands in a secret key's place before the template is laid over it. */
static CK_RV secret_make(const struct mock_session *s, CK_SESSION_HANDLE session, CK_KEY_TYPE type, CK_BBOOL *local,
                         const CK_ATTRIBUTE *items, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ULONG len = sizeof(value);
    CK_ATTRIBUTE base[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_LOCAL, local, 1},
        {CKA_VALUE, value, sizeof(value)},  {CKA_VALUE_LEN, &len, sizeof(len)},  {CKA_SENSITIVE, &no, 1},
        {CKA_EXTRACTABLE, &no, 1}};

    memset(value, 0x7E, sizeof(value));
    if (atomic_load(&mock_real))
        return secret_make_real(s, session, base, sizeof(base) / sizeof(*base), items, count, ret);
    return mock_object_make(s, session, base, sizeof(base) / sizeof(*base), items, count, ret);
}

CK_RV mock_C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                         CK_OBJECT_HANDLE_PTR key)
{
    struct mock_session *s = NULL;
    CK_RV rv = key_session(session, mechanism, &s);

    if (rv == CKR_OK && !key)
        rv = CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK && mechanism->mechanism != CKM_AES_KEY_GEN && mechanism->mechanism != CKM_GENERIC_SECRET_KEY_GEN)
        rv = CKR_MECHANISM_INVALID;
    if (rv != CKR_OK)
        return rv;
    return secret_make(s, session, mechanism->mechanism == CKM_AES_KEY_GEN ? CKK_AES : CKK_GENERIC_SECRET, &yes, items,
                       count, key);
}

CK_RV mock_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public_items,
                             CK_ULONG public_count, CK_ATTRIBUTE_PTR private_items, CK_ULONG private_count,
                             CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key)
{
    CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY, private_class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = CKK_EC;
    struct mock_session *s = NULL;
    CK_OBJECT_HANDLE public = CK_INVALID_HANDLE;
    CK_RV rv = key_session(session, mechanism, &s);

    if (rv == CKR_OK && (!public_key || !private_key))
        rv = CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK && mechanism->mechanism != CKM_EC_KEY_PAIR_GEN &&
        mechanism->mechanism != CKM_RSA_PKCS_KEY_PAIR_GEN &&
        (mechanism->mechanism != CKM_EC_EDWARDS_KEY_PAIR_GEN || !atomic_load(&mock_real)))
        rv = CKR_MECHANISM_INVALID;
    if (rv != CKR_OK)
        return rv;
    bool rsa = mechanism->mechanism == CKM_RSA_PKCS_KEY_PAIR_GEN;
    memset(modulus, 0xC5, sizeof(modulus));
    if (rsa)
        type = CKK_RSA;
    else if (mechanism->mechanism == CKM_EC_EDWARDS_KEY_PAIR_GEN)
        type = CKK_EC_EDWARDS;
    struct mock_pair pair = {.pkcs8_len = 0};
    const CK_ATTRIBUTE *kind = NULL;
    for (CK_ULONG i = 0; i < public_count; i++)
        if (public_items[i].type == (rsa ? CKA_MODULUS_BITS : CKA_EC_PARAMS))
            kind = &public_items[i];
    if (atomic_load(&mock_real) && !mock_pair_make(rsa, kind, &pair))
        return CKR_TEMPLATE_INCOMPLETE;
    CK_ATTRIBUTE numbers[2] = {{CKA_EC_PARAMS, p256, sizeof(p256)}, {CKA_EC_POINT, point, sizeof(point)}};
    if (rsa) {
        numbers[0] = (CK_ATTRIBUTE){CKA_MODULUS, modulus, sizeof(modulus)};
        numbers[1] = (CK_ATTRIBUTE){CKA_PUBLIC_EXPONENT, f4, sizeof(f4)};
    }
    if (pair.pkcs8_len > 0) {
        numbers[0] = (CK_ATTRIBUTE){numbers[0].type, pair.first, pair.first_len};
        numbers[1] = (CK_ATTRIBUTE){numbers[1].type, pair.second, pair.second_len};
    }
    CK_ATTRIBUTE public_base[] = {{CKA_CLASS, &public_class, sizeof(public_class)},
                                  {CKA_KEY_TYPE, &type, sizeof(type)},
                                  {CKA_LOCAL, &yes, 1},
                                  numbers[0],
                                  numbers[1]};
    CK_ATTRIBUTE private_base[] = {{CKA_CLASS, &private_class, sizeof(private_class)},
                                   {CKA_KEY_TYPE, &type, sizeof(type)},
                                   {CKA_LOCAL, &yes, 1},
                                   {CKA_PRIVATE, &yes, 1},
                                   {CKA_SENSITIVE, &yes, 1},
                                   {CKA_EXTRACTABLE, &no, 1},
                                   numbers[0],
                                   {MOCK_PKCS8, pair.pkcs8, pair.pkcs8_len}};
    rv = mock_object_make(s, session, public_base, 5, public_items, public_count, &public);
    if (rv == CKR_OK)
        rv = mock_object_make(s, session, private_base, pair.pkcs8_len > 0 ? 8 : 7, private_items, private_count,
                              private_key);
    if (rv == CKR_OK)
        *public_key = public;
    else if (public)
        mock_C_DestroyObject(session, public);
    return rv;
}

CK_RV mock_C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping,
                     CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_len)
{
    struct mock_session *s = NULL;
    bool sized = false;
    CK_RV rv = key_session(session, mechanism, &s);

    if (rv == CKR_OK && !mock_object(s, wrapping))
        rv = CKR_WRAPPING_KEY_HANDLE_INVALID;
    if (rv == CKR_OK && !mock_object(s, key))
        rv = CKR_KEY_HANDLE_INVALID;
    if (rv == CKR_OK && atomic_load(&mock_real) && wrapped && wrapped_len)
        return mock_wrap_real(s, mechanism, mock_object(s, wrapping), mock_object(s, key), wrapped, wrapped_len);
    if (rv == CKR_OK)
        rv = mock_give(wrapped, wrapped_len, 0x3C, 40, &sized);
    if (rv == CKR_OK && !sized)
        mock_use(mock_object(s, wrapping));
    return rv;
}

static CK_RV unwrap_real(const struct mock_session *s, CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism,
                         const struct mock_object *with, const CK_BYTE *wrapped, CK_ULONG wrapped_len,
                         const CK_ATTRIBUTE *items, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    unsigned char bytes[16384];
    CK_ULONG len = sizeof(bytes), class = CKO_SECRET_KEY;
    CK_RV rv = mock_unwrap_real(s, mechanism, with, wrapped, wrapped_len, bytes, &len);

    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    for (CK_ULONG i = 0; i < count; i++) {
        if (items[i].type == CKA_CLASS)
            memcpy(&class, items[i].pValue, sizeof(class));
        if (items[i].type == CKA_KEY_TYPE)
            memcpy(&type, items[i].pValue, sizeof(type));
    }
    if (rv == CKR_OK && type == CKK_EC_EDWARDS)
        rv = mock_edwards_taken(s->slot, bytes, len);
    CK_ATTRIBUTE secret[] = {{CKA_LOCAL, &no, 1}, {CKA_VALUE, bytes, len}, {CKA_VALUE_LEN, &len, sizeof(len)}},
                 private[] = {{CKA_LOCAL, &no, 1}, {MOCK_PKCS8, bytes, len}};
    if (rv == CKR_OK)
        rv = class == CKO_PRIVATE_KEY ? mock_object_make(s, session, private, 2, items, count, ret)
                                      : mock_object_make(s, session, secret, 3, items, count, ret);
    return rv;
}

CK_RV mock_C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping,
                       CK_BYTE_PTR wrapped, CK_ULONG wrapped_len, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                       CK_OBJECT_HANDLE_PTR key)
{
    struct mock_session *s = NULL;
    CK_RV rv = key_session(session, mechanism, &s);

    if (rv == CKR_OK && (!wrapped || !key))
        rv = CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK && !mock_object(s, unwrapping))
        rv = CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    if (rv == CKR_OK && atomic_load(&mock_real))
        return unwrap_real(s, session, mechanism, mock_object(s, unwrapping), wrapped, wrapped_len, items, count, key);
    if (rv == CKR_OK && wrapped_len != 40)
        rv = CKR_WRAPPED_KEY_LEN_RANGE;
    if (rv == CKR_OK)
        mock_use(mock_object(s, unwrapping));
    return rv == CKR_OK ? secret_make(s, session, CKK_GENERIC_SECRET, &no, items, count, key) : rv;
}

CK_RV mock_C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base,
                       CK_ATTRIBUTE_PTR items, CK_ULONG count, CK_OBJECT_HANDLE_PTR key)
{
    struct mock_session *s = NULL;
    CK_RV rv = key_session(session, mechanism, &s);

    if (rv == CKR_OK && !key)
        rv = CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK && !mock_object(s, base))
        rv = CKR_KEY_HANDLE_INVALID;
    if (rv == CKR_OK)
        mock_use(mock_object(s, base));
    return rv == CKR_OK ? secret_make(s, session, CKK_GENERIC_SECRET, &no, items, count, key) : rv;
}
