#include "module/governed_below.h"

#include <stdint.h>

const char *governed_function(enum governed_kind kind)
{
    static const char *const names[] = {"", "C_Sign", "C_SignRecover", "C_Verify", "C_Encrypt", "C_Decrypt"};

    return names[kind];
}

CK_RV below_init(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, enum governed_kind kind, CK_MECHANISM *mechanism,
                 CK_OBJECT_HANDLE key)
{
    switch (kind) {
    case GOVERNED_SIGN:
        return f->C_SignInit(session, mechanism, key);
    case GOVERNED_RECOVER:
        return f->C_SignRecoverInit(session, mechanism, key);
    case GOVERNED_VERIFY:
        return f->C_VerifyInit(session, mechanism, key);
    case GOVERNED_ENCRYPT:
        return f->C_EncryptInit(session, mechanism, key);
    case GOVERNED_DECRYPT:
        return f->C_DecryptInit(session, mechanism, key);
    default:
        return CKR_GENERAL_ERROR;
    }
}

/* PKCS#11 2.40 has no const; nobody writes through what goes in. */
static CK_BYTE_PTR in(const unsigned char *bytes)
{
    return (CK_BYTE_PTR)(uintptr_t)bytes;
}

CK_RV below_once(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, enum governed_kind kind,
                 const struct governed_end *end)
{
    CK_BYTE_PTR data = in(end->data);

    switch (kind) {
    case GOVERNED_SIGN:
        return f->C_Sign(session, data, end->data_len, end->out, end->out_len);
    case GOVERNED_RECOVER:
        return f->C_SignRecover(session, data, end->data_len, end->out, end->out_len);
    case GOVERNED_VERIFY:
        return f->C_Verify(session, data, end->data_len, in(end->signature), end->signature_len);
    case GOVERNED_ENCRYPT:
        return f->C_Encrypt(session, data, end->data_len, end->out, end->out_len);
    case GOVERNED_DECRYPT:
        return f->C_Decrypt(session, data, end->data_len, end->out, end->out_len);
    default:
        return CKR_GENERAL_ERROR;
    }
}

CK_RV below_update(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, enum governed_kind kind, const unsigned char *part,
                   CK_ULONG part_len, unsigned char *out, CK_ULONG *out_len)
{
    switch (kind) {
    case GOVERNED_SIGN:
        return f->C_SignUpdate(session, in(part), part_len);
    case GOVERNED_VERIFY:
        return f->C_VerifyUpdate(session, in(part), part_len);
    case GOVERNED_ENCRYPT:
        return f->C_EncryptUpdate(session, in(part), part_len, out, out_len);
    case GOVERNED_DECRYPT:
        return f->C_DecryptUpdate(session, in(part), part_len, out, out_len);
    default:
        return CKR_GENERAL_ERROR;
    }
}

CK_RV below_final(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, enum governed_kind kind,
                  const struct governed_end *end)
{
    switch (kind) {
    case GOVERNED_SIGN:
        return f->C_SignFinal(session, end->out, end->out_len);
    case GOVERNED_VERIFY:
        return f->C_VerifyFinal(session, in(end->signature), end->signature_len);
    case GOVERNED_ENCRYPT:
        return f->C_EncryptFinal(session, end->out, end->out_len);
    case GOVERNED_DECRYPT:
        return f->C_DecryptFinal(session, end->out, end->out_len);
    default:
        return CKR_GENERAL_ERROR;
    }
}
