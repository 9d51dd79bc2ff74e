#include "tests/bypass/bypass.h"

#include <stdio.h>
#include <string.h>

/* Attempts to use a governed key for something that nobody approved. */

static CK_BYTE one[32] = {1}, other[32] = {2}, bit[32] = {1, 1}, signature[512];
static CK_ULONG signature_len;

static CK_RV final(CK_OBJECT_HANDLE key, const CK_BYTE *data)
{
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    CK_BYTE copy[32];
    CK_RV rv = q->C_SignInit(session, &m, key);

    memcpy(copy, data, 32);
    if (rv == CKR_OK)
        rv = q->C_SignUpdate(session, copy, 16);
    if (rv == CKR_OK)
        rv = q->C_SignUpdate(session, copy + 16, 16);
    signature_len = sizeof(signature);
    return rv == CKR_OK ? q->C_SignFinal(session, signature, &signature_len) : rv;
}

static bool verifies(CK_OBJECT_HANDLE public, const CK_BYTE *data)
{
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    CK_BYTE copy[32];
    CK_RV rv = q->C_VerifyInit(session, &m, public);

    memcpy(copy, data, 32);
    return rv == CKR_OK && q->C_Verify(session, copy, 32, signature, signature_len) == CKR_OK;
}

/* One digest is approved; every other way to spend the approval. */
static void sign_another_digest_than_approved(void)
{
    memset(signature, 0, sizeof(signature));
    want_rejected(final(gov_ec.private, one), "a signature that nobody approved");
    people("approve");
    want_rejected(final(gov_ec.private, other), "another digest by SignFinal");
    want_rejected(final(gov_ec.private, bit), "a digest of one other bit");
    want_rejected(sign(CKM_ECDSA, gov_ec.private, other, 32, signature, &signature_len), "another digest");
    want_rejected(sign(CKM_ECDSA, gov_ec.private, one, 31, signature, &signature_len), "a shorter digest");
    for (size_t i = 0; i < sizeof(signature); i++)
        if (signature[i])
            broken("something of a refused signature came out");
    want(sign(CKM_ECDSA, gov_ec.private, one, 32, signature, &signature_len), CKR_OK, "what was approved");
    if (!verifies(gov_ec.public, one))
        broken("what was signed is not what was approved");
    want_logged("used", "gov-ec");
}

static void sign_twice_with_one_approval(void)
{
    CK_BYTE data[32] = {3};

    want_rejected(sign(CKM_ECDSA, gov_ec.private, data, 32, signature, &signature_len), "a signature not approved yet");
    people("approve");
    want(sign(CKM_ECDSA, gov_ec.private, data, 32, signature, &signature_len), CKR_OK, "an approved signature");
    want_rejected(sign(CKM_ECDSA, gov_ec.private, data, 32, signature, &signature_len), "the same again");
    want_rejected(final(gov_ec.private, data), "the same again, in parts");
}

/* DigestInfo of SHA-256 before a digest, as CKM_RSA_PKCS signs it. */
static const CK_BYTE info[19] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

static void padded(CK_BYTE ret[384])
{
    memset(ret, 0xff, 384);
    ret[0] = 0;
    ret[1] = 1;
    ret[384 - 52] = 0;
    memcpy(ret + 384 - 51, info, sizeof(info));
    memcpy(ret + 384 - 32, one, 32);
}

/* What CKM_RSA_PKCS would sign, asked for as a decryption, by another mechanism, with recovery. */
static void sign_by_other_means(void)
{
    static const CK_MECHANISM_TYPE mechanisms[] = {CKM_RSA_X_509, CKM_RSA_PKCS};
    CK_BYTE block[384], out[512];
    CK_ULONG len;

    padded(block);
    want_rejected(sign(CKM_RSA_PKCS, gov_rsa.private, block + 384 - 51, 51, out, &len), "a signature not approved yet");
    people("approve");
    want_refused(sign(CKM_RSA_X_509, gov_rsa.private, block, 384, out, &len), "the padded block by another mechanism");
    for (size_t i = 0; i < 2; i++) {
        CK_MECHANISM m = {mechanisms[i], NULL, 0};
        CK_RV rv = q->C_DecryptInit(session, &m, gov_rsa.private);

        len = sizeof(out);
        if (rv == CKR_OK)
            rv = q->C_Decrypt(session, block, sizeof(block), out, &len);
        want_rejected(rv, "a decryption that is a signature");
        rv = q->C_SignRecoverInit(session, &m, gov_rsa.private);
        len = sizeof(out);
        if (rv == CKR_OK)
            rv = q->C_SignRecover(session, block + 384 - 51, 51, out, &len);
        want_refused(rv, "a signature with recovery");
    }
    want(sign(CKM_RSA_PKCS, gov_rsa.private, block + 384 - 51, 51, out, &len), CKR_OK, "what was approved");
}

static void finish_after_a_suspend(void)
{
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    CK_BYTE data[32] = {4};
    CK_ULONG len = sizeof(signature);
    CK_RV rv;

    want_rejected(sign(CKM_ECDSA, gov_ec.private, data, 32, signature, &signature_len), "a signature not approved yet");
    people("approve");
    want(q->C_SignInit(session, &m, gov_ec.private), CKR_OK, "C_SignInit");
    want(q->C_SignUpdate(session, data, 32), CKR_OK, "C_SignUpdate");
    people("suspend");
    rv = q->C_SignFinal(session, signature, &len);
    people("resume");
    want_refused(rv, "a signature begun before a suspension");
    want_logged("suspended", "token:root");
}

static void begin_while_suspended(void)
{
    CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
    CK_RV free_sign, encrypt, made;
    struct pair pair;

    people("suspend");
    free_sign = sign(CKM_ECDSA, free_ec.private, one, 32, signature, &signature_len);
    encrypt = q->C_EncryptInit(session, &ecb, free_aes);
    made = make_pair("free-z", "free-z", true, &pair);
    people("resume");
    want_rejected(free_sign, "a free key signs while its token is suspended");
    want_rejected(encrypt, "a free key encrypts while its token is suspended");
    want_rejected(made, "a key is born while its token is suspended");
}

static void save_and_restore_an_operation(void)
{
    CK_MECHANISM m = {CKM_SHA256, NULL, 0};
    CK_BYTE state[4096];
    CK_ULONG len = sizeof(state);

    want(q->C_DigestInit(session, &m), CKR_OK, "C_DigestInit");
    want_refused(q->C_GetOperationState(session, state, &len), "C_GetOperationState");
    want_refused(q->C_SetOperationState(session, state, 16, gov_ec.private, gov_ec.private), "C_SetOperationState");
    len = sizeof(state);
    want(q->C_Digest(session, one, 32, state, &len), CKR_OK, "C_Digest");
}

/* The handle of a private key means nothing to who is logged out, in whatever session. */
static void use_after_another_session_logged_out(void)
{
    CK_OBJECT_HANDLE before = gov_ec.private, before_free = free_ec.private;
    CK_SESSION_HANDLE second;
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};

    logged_in(&second);
    want(q->C_Logout(second), CKR_OK, "C_Logout");
    want_refused(q->C_SignInit(session, &m, before), "a governed key after a logout elsewhere");
    want_refused(q->C_SignInit(session, &m, before_free), "a free key after a logout elsewhere");
    want(q->C_CloseSession(second), CKR_OK, "C_CloseSession");
    logged_in(&second);
    want_refused(q->C_SignInit(session, &m, before_free), "a handle of the login before");
    want(q->C_CloseSession(second), CKR_OK, "C_CloseSession");
    handles_find();
    want_rejected(sign(CKM_ECDSA, gov_ec.private, other, 32, signature, &signature_len),
                  "a governed key by the login of another session");
}

const struct attempt attempts_to_use[] = {
    {"sign_another_digest_than_approved", sign_another_digest_than_approved, ANYWHERE, NULL},
    {"sign_twice_with_one_approval", sign_twice_with_one_approval, ANYWHERE, NULL},
    {"sign_by_other_means", sign_by_other_means, ANYWHERE, NULL},
    {"finish_after_a_suspend", finish_after_a_suspend, ANYWHERE, NULL},
    {"begin_while_suspended", begin_while_suspended, ANYWHERE, NULL},
    {"save_and_restore_an_operation", save_and_restore_an_operation, ANYWHERE, NULL},
    {"use_after_another_session_logged_out", use_after_another_session_logged_out, ANYWHERE, NULL},
    {NULL, NULL, ANYWHERE, NULL},
};
