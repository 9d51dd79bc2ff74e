#ifndef QUORATE_TESTS_MOCK_CALLS_H
#define QUORATE_TESTS_MOCK_CALLS_H

#include "tests/return_codes.h"
#include "tests/unit/mock_fixture.h"

/* One good call of every function of 2.40 and 3.0. */

static CK_OBJECT_HANDLE public_key, private_key, secret_key, data_object, made, made_too;
static CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0}, pair_gen = {CKM_EC_KEY_PAIR_GEN, NULL, 0},
                    key_gen = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0}, derive = {CKM_ECDH1_DERIVE, NULL, 0},
                    wrap = {CKM_AES_CBC_PAD, NULL, 0};
static CK_OBJECT_CLASS data_class = CKO_DATA, secret_class = CKO_SECRET_KEY;
static unsigned char in[64], out[512], label[] = "walk", pin[] = MOCK_PIN;
static CK_ULONG out_len;
static CK_ATTRIBUTE data_items[] = {{CKA_CLASS, &data_class, sizeof(data_class)}, {CKA_LABEL, label, 4}},
                    secret_items[] = {{CKA_CLASS, &secret_class, sizeof(secret_class)}, {CKA_LABEL, label, 4}},
                    label_items[] = {{CKA_LABEL, label, 4}};
static CK_INFO info;
static CK_SLOT_INFO slot_info;
static CK_TOKEN_INFO token_info;
static CK_MECHANISM_INFO mechanism_info;
static CK_SESSION_INFO session_info;
static CK_SESSION_HANDLE opened;
static CK_SLOT_ID slot;
static CK_UTF8CHAR token_label[32];

#define WALK(name, ...)                                                                                                \
    static CK_RV walk_##name(void)                                                                                     \
    {                                                                                                                  \
        return q->name(__VA_ARGS__);                                                                                   \
    }
WALK(C_Initialize, NULL)
WALK(C_Finalize, &info)
WALK(C_GetInfo, &info)
WALK(C_GetFunctionList, &q)
WALK(C_GetSlotList, CK_TRUE, NULL, &out_len)
WALK(C_GetSlotInfo, 0, &slot_info)
WALK(C_GetTokenInfo, 0, &token_info)
WALK(C_GetMechanismList, 0, NULL, &out_len)
WALK(C_GetMechanismInfo, 0, CKM_ECDSA, &mechanism_info)
WALK(C_InitToken, 0, pin, 4, token_label)
WALK(C_InitPIN, session, pin, 4)
WALK(C_SetPIN, session, pin, 4, pin, 4)
WALK(C_OpenSession, 0, CKF_SERIAL_SESSION, NULL, NULL, &opened)
WALK(C_CloseSession, session)
WALK(C_CloseAllSessions, 0)
WALK(C_GetSessionInfo, session, &session_info)
WALK(C_GetOperationState, session, out, &out_len)
WALK(C_SetOperationState, session, in, 8, 0, 0)
WALK(C_Login, session, CKU_USER, pin, 4)
WALK(C_Logout, session)
WALK(C_CreateObject, session, data_items, 2, &made)
WALK(C_CopyObject, session, data_object, label_items, 1, &made)
WALK(C_DestroyObject, session, data_object)
WALK(C_GetObjectSize, session, data_object, &out_len)
WALK(C_GetAttributeValue, session, data_object, label_items, 1)
WALK(C_SetAttributeValue, session, data_object, label_items, 1)
WALK(C_FindObjectsInit, session, label_items, 1)
WALK(C_FindObjects, session, &made, 1, &out_len)
WALK(C_FindObjectsFinal, session)
WALK(C_EncryptInit, session, &wrap, secret_key)
WALK(C_Encrypt, session, in, 32, out, &out_len)
WALK(C_EncryptUpdate, session, in, 32, out, &out_len)
WALK(C_EncryptFinal, session, out, &out_len)
WALK(C_DecryptInit, session, &wrap, secret_key)
WALK(C_Decrypt, session, in, 32, out, &out_len)
WALK(C_DecryptUpdate, session, in, 32, out, &out_len)
WALK(C_DecryptFinal, session, out, &out_len)
WALK(C_DigestInit, session, &ecdsa)
WALK(C_Digest, session, in, 32, out, &out_len)
WALK(C_DigestUpdate, session, in, 32)
WALK(C_DigestKey, session, secret_key)
WALK(C_DigestFinal, session, out, &out_len)
WALK(C_SignInit, session, &ecdsa, private_key)
WALK(C_Sign, session, in, 32, out, &out_len)
WALK(C_SignUpdate, session, in, 32)
WALK(C_SignFinal, session, out, &out_len)
WALK(C_SignRecoverInit, session, &ecdsa, private_key)
WALK(C_SignRecover, session, in, 32, out, &out_len)
WALK(C_VerifyInit, session, &ecdsa, public_key)
WALK(C_Verify, session, in, 32, out, 64)
WALK(C_VerifyUpdate, session, in, 32)
WALK(C_VerifyFinal, session, out, 64)
WALK(C_VerifyRecoverInit, session, &ecdsa, public_key)
WALK(C_VerifyRecover, session, in, 32, out, &out_len)
WALK(C_DigestEncryptUpdate, session, in, 32, out, &out_len)
WALK(C_DecryptDigestUpdate, session, in, 32, out, &out_len)
WALK(C_SignEncryptUpdate, session, in, 32, out, &out_len)
WALK(C_DecryptVerifyUpdate, session, in, 32, out, &out_len)
WALK(C_GenerateKey, session, &key_gen, label_items, 1, &made)
WALK(C_GenerateKeyPair, session, &pair_gen, label_items, 1, label_items, 1, &made, &made_too)
WALK(C_WrapKey, session, &wrap, secret_key, private_key, out, &out_len)
WALK(C_UnwrapKey, session, &wrap, secret_key, in, 40, secret_items, 2, &made)
WALK(C_DeriveKey, session, &derive, private_key, secret_items, 2, &made)
WALK(C_SeedRandom, session, in, 8)
WALK(C_GenerateRandom, session, out, 32)
WALK(C_GetFunctionStatus, session)
WALK(C_CancelFunction, session)
WALK(C_WaitForSlotEvent, CKF_DONT_BLOCK, &slot, NULL)

/* 3.0, as an application finds it. */
static const CK_FUNCTION_LIST_3_0 *later;
static CK_INTERFACE *interface;
#define WALK_3_0(name, ...)                                                                                            \
    static CK_RV walk_##name(void)                                                                                     \
    {                                                                                                                  \
        return later->name(__VA_ARGS__);                                                                               \
    }
WALK_3_0(C_GetInterfaceList, NULL, &out_len)
WALK_3_0(C_GetInterface, NULL, NULL, &interface, 0)
WALK_3_0(C_LoginUser, session, CKU_USER, pin, 4, pin, 4)
WALK_3_0(C_SessionCancel, session, CKF_SIGN)
WALK_3_0(C_MessageEncryptInit, session, &wrap, secret_key)
WALK_3_0(C_EncryptMessage, session, in, 12, in, 8, in, 32, out, &out_len)
WALK_3_0(C_EncryptMessageBegin, session, in, 12, in, 8)
WALK_3_0(C_EncryptMessageNext, session, in, 12, in, 32, out, &out_len, 0)
WALK_3_0(C_MessageEncryptFinal, session)
WALK_3_0(C_MessageDecryptInit, session, &wrap, secret_key)
WALK_3_0(C_DecryptMessage, session, in, 12, in, 8, in, 32, out, &out_len)
WALK_3_0(C_DecryptMessageBegin, session, in, 12, in, 8)
WALK_3_0(C_DecryptMessageNext, session, in, 12, in, 32, out, &out_len, 0)
WALK_3_0(C_MessageDecryptFinal, session)
WALK_3_0(C_MessageSignInit, session, &ecdsa, private_key)
WALK_3_0(C_SignMessage, session, in, 12, in, 32, out, &out_len)
WALK_3_0(C_SignMessageBegin, session, in, 12)
WALK_3_0(C_SignMessageNext, session, in, 12, in, 32, out, &out_len)
WALK_3_0(C_MessageSignFinal, session)
WALK_3_0(C_MessageVerifyInit, session, &ecdsa, public_key)
WALK_3_0(C_VerifyMessage, session, in, 12, in, 32, out, 64)
WALK_3_0(C_VerifyMessageBegin, session, in, 12)
WALK_3_0(C_VerifyMessageNext, session, in, 12, in, 32, out, 64)
WALK_3_0(C_MessageVerifyFinal, session)

static const struct row {
    const char *name;
    CK_RV (*call)(void);
} rows[] = {
#define FUNCTION_2_40(name, kind, note, params, args) {#name, walk_##name},
#define FUNCTION_3_0(name, kind, note, params, args) {#name, walk_##name},
#include "module/functions.def"
};
#define ROWS (sizeof(rows) / sizeof(*rows))

#endif
