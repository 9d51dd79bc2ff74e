#include <string.h>

#include "tests/mock/inner.h"

/* What works on a session: no lock, no cryptography. Ciphertexts are their plaintexts with every bit turned, and all
 * else that comes out is one byte repeated. */
#define FILL_SIGNATURE 0x51
#define FILL_DIGEST 0xD5
#define FILL_RANDOM 0x4A

static CK_RV operation_begin(CK_SESSION_HANDLE session, enum mock_operation_kind kind, const CK_MECHANISM *mechanism,
                             CK_OBJECT_HANDLE key)
{
    struct mock_session *s = NULL;
    struct mock_object *o = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK && !mechanism)
        rv = CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK && s->operations[kind].on)
        rv = CKR_OPERATION_ACTIVE;
    if (rv == CKR_OK && kind != MOCK_DIGEST && !(o = mock_object(s, key)))
        rv = CKR_KEY_HANDLE_INVALID;
    if (rv == CKR_OK && o && o->class != CKO_PRIVATE_KEY && o->class != CKO_PUBLIC_KEY && o->class != CKO_SECRET_KEY)
        rv = CKR_KEY_HANDLE_INVALID;
    if (rv == CKR_OK && mechanism->mechanism >= CKM_VENDOR_DEFINED)
        rv = CKR_MECHANISM_INVALID;
    if (rv != CKR_OK)
        return rv;
    s->operations[kind] = (struct mock_operation){true, false, 32, o};
    if (o && (o->key_type == CKK_EC || o->key_type == CKK_EC_EDWARDS))
        s->operations[kind].out_len = 64;
    if (o && o->key_type == CKK_RSA)
        s->operations[kind].out_len = 256;
    return CKR_OK;
}

/* The session of an operation that is on. A part after which no whole may come, or a whole after which no part. */
static CK_RV operation_of(CK_SESSION_HANDLE session, enum mock_operation_kind kind, struct mock_operation **ret)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK && !s->operations[kind].on)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    if (rv == CKR_OK)
        *ret = &s->operations[kind];
    return rv;
}

static CK_RV room_check(const unsigned char *out, CK_ULONG_PTR out_len, CK_ULONG bytes, bool *ret_sized)
{
    CK_ULONG room;

    *ret_sized = true;
    if (!out_len)
        return CKR_ARGUMENTS_BAD;
    room = *out_len;
    *out_len = mock_length(bytes);
    if (out && room < bytes)
        return CKR_BUFFER_TOO_SMALL;
    *ret_sized = !out;
    return CKR_OK;
}

CK_RV mock_give(CK_BYTE_PTR out, CK_ULONG_PTR out_len, unsigned char value, CK_ULONG bytes, bool *ret_sized)
{
    CK_RV rv = room_check(out, out_len, bytes, ret_sized);

    if (rv == CKR_OK && !*ret_sized)
        memset(out, value, bytes);
    return rv;
}

/* Signatures and digests: the last call of an operation. */
static CK_RV operation_give(CK_SESSION_HANDLE session, enum mock_operation_kind kind, bool whole, unsigned char fill,
                            CK_BYTE_PTR out, CK_ULONG_PTR out_len)
{
    struct mock_operation *p = NULL;
    bool sized = false;
    CK_RV rv = operation_of(session, kind, &p);

    if (rv != CKR_OK)
        return rv;
    if (whole && p->parts)
        return CKR_OPERATION_ACTIVE;
    rv = mock_give(out, out_len, fill, p->out_len, &sized);
    if (rv != CKR_BUFFER_TOO_SMALL && !(rv == CKR_OK && sized))
        p->on = false;
    if (rv == CKR_OK && !sized)
        mock_use(p->key);
    return rv;
}

static CK_RV operation_feed(CK_SESSION_HANDLE session, enum mock_operation_kind kind, const unsigned char *part,
                            CK_ULONG len)
{
    struct mock_operation *p = NULL;
    CK_RV rv = operation_of(session, kind, &p);

    if (rv != CKR_OK)
        return rv;
    p->parts = true;
    return part || !len ? CKR_OK : CKR_ARGUMENTS_BAD;
}

/* Encryption and decryption, whole or in part. */
static CK_RV operation_turn(CK_SESSION_HANDLE session, enum mock_operation_kind kind, bool whole,
                            const unsigned char *in, CK_ULONG len, CK_BYTE_PTR out, CK_ULONG_PTR out_len)
{
    struct mock_operation *p = NULL;
    bool sized = false;
    CK_RV rv = operation_of(session, kind, &p);

    if (rv != CKR_OK)
        return rv;
    if (whole && p->parts)
        return CKR_OPERATION_ACTIVE;
    if (!in && len)
        return CKR_ARGUMENTS_BAD;
    rv = room_check(out, out_len, len, &sized);
    if (rv != CKR_OK || sized)
        return rv;
    for (CK_ULONG i = 0; i < len; i++)
        out[i] = (unsigned char)~in[i];
    mock_use(p->key);
    p->parts = true;
    p->on = !whole;
    return CKR_OK;
}

static CK_RV operation_check(CK_SESSION_HANDLE session, enum mock_operation_kind kind, const unsigned char *signature,
                             CK_ULONG len)
{
    struct mock_operation *p = NULL;
    CK_RV rv = operation_of(session, kind, &p);

    if (rv != CKR_OK)
        return rv;
    p->on = false;
    mock_use(p->key);
    if (!signature)
        return CKR_ARGUMENTS_BAD;
    if (len != p->out_len)
        return CKR_SIGNATURE_LEN_RANGE;
    for (CK_ULONG i = 0; i < len; i++)
        if (signature[i] != FILL_SIGNATURE)
            return CKR_SIGNATURE_INVALID;
    return CKR_OK;
}

#define BEGIN(name, kind)                                                                                              \
    CK_RV mock_##name(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)                     \
    {                                                                                                                  \
        return operation_begin(session, kind, mechanism, key);                                                         \
    }
BEGIN(C_EncryptInit, MOCK_ENCRYPT)
BEGIN(C_DecryptInit, MOCK_DECRYPT)
BEGIN(C_SignInit, MOCK_SIGN)
BEGIN(C_SignRecoverInit, MOCK_SIGN_RECOVER)
BEGIN(C_VerifyInit, MOCK_VERIFY)
BEGIN(C_VerifyRecoverInit, MOCK_VERIFY_RECOVER)

CK_RV mock_C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism)
{
    return operation_begin(session, MOCK_DIGEST, mechanism, CK_INVALID_HANDLE);
}

#define TURN(name, kind, whole)                                                                                        \
    CK_RV mock_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG len, CK_BYTE_PTR out, CK_ULONG_PTR out_len)  \
    {                                                                                                                  \
        return operation_turn(session, kind, whole, in, len, out, out_len);                                            \
    }
TURN(C_Encrypt, MOCK_ENCRYPT, true)
TURN(C_EncryptUpdate, MOCK_ENCRYPT, false)
TURN(C_Decrypt, MOCK_DECRYPT, true)
TURN(C_DecryptUpdate, MOCK_DECRYPT, false)

#define TURN_FINAL(name, kind)                                                                                         \
    CK_RV mock_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_len)                                \
    {                                                                                                                  \
        struct mock_operation *p = NULL;                                                                               \
        bool sized = false;                                                                                            \
        CK_RV rv = operation_of(session, kind, &p);                                                                    \
                                                                                                                       \
        if (rv == CKR_OK)                                                                                              \
            rv = mock_give(out, out_len, 0, 0, &sized);                                                                \
        if (rv == CKR_OK && !sized)                                                                                    \
            p->on = false;                                                                                             \
        return rv;                                                                                                     \
    }
TURN_FINAL(C_EncryptFinal, MOCK_ENCRYPT)
TURN_FINAL(C_DecryptFinal, MOCK_DECRYPT)

#define GIVE(name, kind, fill)                                                                                         \
    CK_RV mock_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG len, CK_BYTE_PTR out,                      \
                      CK_ULONG_PTR out_len)                                                                            \
    {                                                                                                                  \
        return data || !len ? operation_give(session, kind, true, fill, out, out_len) : CKR_ARGUMENTS_BAD;             \
    }
GIVE(C_Digest, MOCK_DIGEST, FILL_DIGEST)

CK_RV mock_C_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG len, CK_BYTE_PTR out, CK_ULONG_PTR out_len)
{
    struct mock_operation *p = NULL;
    CK_RV rv = CKR_OK;

    if (!data && len)
        return CKR_ARGUMENTS_BAD;
    if (!atomic_load_explicit(&mock_real, memory_order_relaxed) || operation_of(session, MOCK_SIGN, &p) != CKR_OK ||
        !out_len || !mock_sign_real(p->key, data, len, out, out_len, &rv))
        return operation_give(session, MOCK_SIGN, true, FILL_SIGNATURE, out, out_len);
    p->on = !out;
    return rv;
}

GIVE(C_SignRecover, MOCK_SIGN_RECOVER, FILL_SIGNATURE)

CK_RV mock_C_VerifyRecover(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_len, CK_BYTE_PTR data,
                           CK_ULONG_PTR data_len)
{
    return signature || !signature_len ? operation_give(session, MOCK_VERIFY_RECOVER, true, FILL_DIGEST, data, data_len)
                                       : CKR_ARGUMENTS_BAD;
}

#define GIVE_FINAL(name, kind, fill)                                                                                   \
    CK_RV mock_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_len)                                \
    {                                                                                                                  \
        return operation_give(session, kind, false, fill, out, out_len);                                               \
    }
GIVE_FINAL(C_DigestFinal, MOCK_DIGEST, FILL_DIGEST)
GIVE_FINAL(C_SignFinal, MOCK_SIGN, FILL_SIGNATURE)

#define FEED(name, kind)                                                                                               \
    CK_RV mock_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG len)                                       \
    {                                                                                                                  \
        return operation_feed(session, kind, part, len);                                                               \
    }
FEED(C_DigestUpdate, MOCK_DIGEST)
FEED(C_SignUpdate, MOCK_SIGN)
FEED(C_VerifyUpdate, MOCK_VERIFY)

CK_RV mock_C_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    struct mock_session *s = NULL;
    struct mock_object *o = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK && !(o = mock_object(s, key)))
        rv = CKR_KEY_HANDLE_INVALID;
    if (rv == CKR_OK)
        rv = operation_feed(session, MOCK_DIGEST, NULL, 0);
    if (rv == CKR_OK)
        mock_use(o);
    return rv;
}

CK_RV mock_C_Verify(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG len, CK_BYTE_PTR signature,
                    CK_ULONG signature_len)
{
    return data || !len ? operation_check(session, MOCK_VERIFY, signature, signature_len) : CKR_ARGUMENTS_BAD;
}

CK_RV mock_C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_len)
{
    return operation_check(session, MOCK_VERIFY, signature, signature_len);
}

/* Two operations over one part: both must be on, and the ciphertext comes out. */
#define BOTH(name, kind, other)                                                                                        \
    CK_RV mock_##name(CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG len, CK_BYTE_PTR out, CK_ULONG_PTR out_len)  \
    {                                                                                                                  \
        CK_RV rv = operation_feed(session, other, in, len);                                                            \
                                                                                                                       \
        return rv == CKR_OK ? operation_turn(session, kind, false, in, len, out, out_len) : rv;                        \
    }
BOTH(C_DigestEncryptUpdate, MOCK_ENCRYPT, MOCK_DIGEST)
BOTH(C_DecryptDigestUpdate, MOCK_DECRYPT, MOCK_DIGEST)
BOTH(C_SignEncryptUpdate, MOCK_ENCRYPT, MOCK_SIGN)
BOTH(C_DecryptVerifyUpdate, MOCK_DECRYPT, MOCK_VERIFY)

CK_RV mock_C_SeedRandom(CK_SESSION_HANDLE session, CK_BYTE_PTR seed, CK_ULONG len)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv != CKR_OK)
        return rv;
    return seed || !len ? CKR_OK : CKR_ARGUMENTS_BAD;
}

CK_RV mock_C_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG len)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv == CKR_OK && !out)
        rv = CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK)
        memset(out, FILL_RANDOM, len);
    return rv;
}

CK_RV mock_C_GetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG_PTR state_len)
{
    struct mock_operation *p = NULL;
    bool sized = false;
    CK_RV rv = operation_of(session, MOCK_DIGEST, &p);

    return rv == CKR_OK ? mock_give(state, state_len, FILL_DIGEST, 8, &sized) : rv;
}

CK_RV mock_C_SetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG state_len,
                               CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key)
{
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    if (rv != CKR_OK)
        return rv;
    if (!state || state_len != 8)
        return CKR_SAVED_STATE_INVALID;
    if (encryption_key || authentication_key)
        return CKR_KEY_NOT_NEEDED;
    s->operations[MOCK_DIGEST] = (struct mock_operation){true, true, 32, NULL};
    return CKR_OK;
}

/* 3.0, section 5.6.5 */
CK_RV mock_C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags)
{
    static const CK_FLAGS of[] = {CKF_ENCRYPT,      CKF_DECRYPT, CKF_DIGEST,        CKF_SIGN,
                                  CKF_SIGN_RECOVER, CKF_VERIFY,  CKF_VERIFY_RECOVER};
    struct mock_session *s = NULL;
    CK_RV rv = mock_session(session, &s);

    for (size_t i = 0; rv == CKR_OK && i < sizeof(of) / sizeof(*of); i++)
        if (flags & of[i])
            s->operations[i].on = false;
    return rv;
}

CK_RV mock_C_GetFunctionStatus(CK_SESSION_HANDLE session)
{
    (void)session;
    return CKR_FUNCTION_NOT_PARALLEL;
}

CK_RV mock_C_CancelFunction(CK_SESSION_HANDLE session)
{
    (void)session;
    return CKR_FUNCTION_NOT_PARALLEL;
}
