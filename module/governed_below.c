#include <stdint.h>

#include "module/governed_inner.h"

const char *governed_function(enum governed_kind kind)
{
    static const char *const names[] = {
        "",          "C_Sign",           "C_SignRecover",    "C_Verify",      "C_Encrypt",
        "C_Decrypt", "C_EncryptMessage", "C_DecryptMessage", "C_SignMessage", "C_VerifyMessage"};

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

CK_RV below_message_init(const CK_FUNCTION_LIST_3_0 *later, CK_SESSION_HANDLE session, enum governed_kind kind,
                         CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    if (!later)
        return CKR_DEVICE_REMOVED;
    switch (kind) {
    case GOVERNED_ENCRYPT_MESSAGE:
        return later->C_MessageEncryptInit(session, mechanism, key);
    case GOVERNED_DECRYPT_MESSAGE:
        return later->C_MessageDecryptInit(session, mechanism, key);
    case GOVERNED_SIGN_MESSAGE:
        return later->C_MessageSignInit(session, mechanism, key);
    case GOVERNED_VERIFY_MESSAGE:
        return later->C_MessageVerifyInit(session, mechanism, key);
    default:
        return CKR_GENERAL_ERROR;
    }
}

CK_RV below_message(const CK_FUNCTION_LIST_3_0 *later, CK_SESSION_HANDLE session, const struct governed *g,
                    const struct governed_end *end, struct message_parameter *parameter)
{
    CK_ULONG len = 0;
    void *given = message_parameter_below(parameter, &len);
    CK_BYTE_PTR data = in(end->data), associated = in(g->associated.data);

    if (!later)
        return CKR_DEVICE_REMOVED;
    switch (g->kind) {
    case GOVERNED_ENCRYPT_MESSAGE:
        return later->C_EncryptMessage(session, given, len, associated, g->associated.len, data, end->data_len,
                                       end->out, end->out_len);
    case GOVERNED_DECRYPT_MESSAGE:
        return later->C_DecryptMessage(session, given, len, associated, g->associated.len, data, end->data_len,
                                       end->out, end->out_len);
    case GOVERNED_SIGN_MESSAGE:
        return later->C_SignMessage(session, given, len, data, end->data_len, end->out, end->out_len);
    case GOVERNED_VERIFY_MESSAGE:
        return later->C_VerifyMessage(session, given, len, data, end->data_len, in(end->signature), end->signature_len);
    default:
        return CKR_GENERAL_ERROR;
    }
}
