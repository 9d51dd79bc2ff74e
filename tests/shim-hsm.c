#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "module/functions.h"

/* build/shim-hsm.so: SoftHSM as another module might show it, by the environment's SHIM:
 *
 *   3.0    with an interface of 3.0, of whose functions some are missing
 *   3.2    the same in a list of 3.2
 *   holes  2.40 with a function missing
 *   pipe   a client of a peer that died: every call writes to it (shim_writes) before it goes down
 *   sealed private keys are not wrapped, whatever their attributes say; below they are open, so that
 *          tests/integration/clone.c can do what a vendor's own tools do
 *   2.0    a list of 2.0, which ends one function earlier than that of 2.01; what follows it is no pointer */

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"
#define EXPORT __attribute__((visibility("default")))

static CK_FUNCTION_LIST functions;
static CK_FUNCTION_LIST_3_0 later;
static CK_FUNCTION_LIST *softhsm;

/* The flags that C_SessionCancel was last called with, and how often a NULL mechanism ended something. */
EXPORT CK_FLAGS shim_cancelled;
EXPORT unsigned shim_ended;

static CK_RV login_user(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len,
                        CK_UTF8CHAR_PTR name, CK_ULONG name_len)
{
    (void)name;
    return name_len == 3 ? softhsm->C_Login(session, user, pin, pin_len) : CKR_ARGUMENTS_BAD;
}

static CK_RV session_cancel(CK_SESSION_HANDLE session, CK_FLAGS flags)
{
    CK_SESSION_INFO info;

    shim_cancelled = flags;
    return softhsm->C_GetSessionInfo(session, &info);
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    if (mechanism)
        return softhsm->C_SignInit(session, mechanism, key);
    shim_ended++;
    return CKR_OK;
}

static CK_RV sign_message(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len, CK_BYTE_PTR data,
                          CK_ULONG data_len, CK_BYTE_PTR signature, CK_ULONG_PTR signature_len)
{
    (void)parameter;
    return parameter_len ? CKR_ARGUMENTS_BAD : softhsm->C_Sign(session, data, data_len, signature, signature_len);
}

/* Messages by what SoftHSM has, which is GCM, whatever they are to be encrypted by: the tag in the parameter is split from
 * the cipher text. The last mechanism and key of a session are those of its messages. */
static struct message {
    CK_SESSION_HANDLE session;
    CK_MECHANISM_TYPE mechanism;
    CK_OBJECT_HANDLE key;
} messages[64];
static pthread_mutex_t messages_lock = PTHREAD_MUTEX_INITIALIZER;
EXPORT unsigned shim_messages; /* encrypted or decrypted, not only asked for their length */

static CK_RV crypt_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    if (!mechanism)
        return CKR_OK;
    if (mechanism->mechanism != CKM_AES_GCM && mechanism->mechanism != CKM_AES_CCM &&
        mechanism->mechanism != CKM_CHACHA20_POLY1305 && mechanism->mechanism != CKM_SALSA20_POLY1305)
        return CKR_MECHANISM_INVALID;
    if (mechanism->ulParameterLen)
        return CKR_MECHANISM_PARAM_INVALID;
    pthread_mutex_lock(&messages_lock);
    messages[session % 64] = (struct message){session, mechanism->mechanism, key};
    pthread_mutex_unlock(&messages_lock);
    return CKR_OK;
}

static struct message message_of(CK_SESSION_HANDLE session)
{
    struct message m;

    pthread_mutex_lock(&messages_lock);
    m = messages[session % 64];
    pthread_mutex_unlock(&messages_lock);
    return m.session == session ? m : (struct message){0};
}

/* The parameter of a message of so many bytes, as GCM's; of nonces in bits and in bytes. */
static bool parameter_gcm(CK_MECHANISM_TYPE mechanism, const void *parameter, CK_ULONG len, CK_ULONG data_len,
                          CK_GCM_MESSAGE_PARAMS *ret)
{
    const CK_CCM_MESSAGE_PARAMS *ccm = parameter;
    const CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS *poly = parameter;

    switch (mechanism) {
    case CKM_AES_GCM:
        if (len == sizeof(*ret))
            memcpy(ret, parameter, sizeof(*ret));
        return len == sizeof(*ret);
    case CKM_AES_CCM:
        if (len != sizeof(*ccm) || ccm->ulDataLen != data_len)
            return false;
        *ret = (CK_GCM_MESSAGE_PARAMS){ccm->pNonce,         ccm->ulNonceLen, ccm->ulNonceFixedBits,
                                       ccm->nonceGenerator, ccm->pMAC,       8 * ccm->ulMACLen};
        return true;
    default:
        if (len != sizeof(*poly))
            return false;
        *ret = (CK_GCM_MESSAGE_PARAMS){
            poly->pNonce, poly->ulNonceLen / (poly->ulNonceLen < 64 ? 1 : 8), 0, CKG_NO_GENERATE, poly->pTag, 128};
        return true;
    }
}

static CK_RV encrypt_message(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                             CK_BYTE_PTR associated, CK_ULONG associated_len, CK_BYTE_PTR data, CK_ULONG data_len,
                             CK_BYTE_PTR out, CK_ULONG_PTR out_len)
{
    struct message message = message_of(session);
    CK_GCM_MESSAGE_PARAMS p;
    CK_BYTE whole[4096];
    CK_ULONG len = sizeof(whole), room = *out_len, fixed;
    CK_RV rv;

    if (!parameter_gcm(message.mechanism, parameter, parameter_len, data_len, &p) || data_len > sizeof(whole) - 16)
        return CKR_MECHANISM_PARAM_INVALID;
    *out_len = data_len;
    if (!out || room < data_len)
        return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    fixed = p.ulIvFixedBits / 8;
    if (p.ivGenerator == CKG_GENERATE_RANDOM)
        softhsm->C_GenerateRandom(session, p.pIv + fixed, p.ulIvLen - fixed);
    CK_GCM_PARAMS gcm = {p.pIv, p.ulIvLen, p.ulIvLen * 8, associated, associated_len, p.ulTagBits};
    CK_MECHANISM m = {CKM_AES_GCM, &gcm, sizeof(gcm)};

    rv = softhsm->C_EncryptInit(session, &m, message.key);
    if (rv == CKR_OK)
        rv = softhsm->C_Encrypt(session, data, data_len, whole, &len);
    if (rv != CKR_OK)
        return rv;
    memcpy(out, whole, data_len);
    memcpy(p.pTag, whole + data_len, len - data_len);
    shim_messages++;
    return CKR_OK;
}

static CK_RV decrypt_message(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                             CK_BYTE_PTR associated, CK_ULONG associated_len, CK_BYTE_PTR data, CK_ULONG data_len,
                             CK_BYTE_PTR out, CK_ULONG_PTR out_len)
{
    struct message message = message_of(session);
    CK_GCM_MESSAGE_PARAMS p;
    CK_BYTE whole[4096], open[4096];
    CK_ULONG len = sizeof(open), room = *out_len, tag;
    CK_RV rv;

    if (!parameter_gcm(message.mechanism, parameter, parameter_len, data_len, &p) || data_len > sizeof(whole) - 16)
        return CKR_MECHANISM_PARAM_INVALID;
    *out_len = data_len;
    if (!out || room < data_len)
        return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    CK_GCM_PARAMS gcm = {p.pIv, p.ulIvLen, p.ulIvLen * 8, associated, associated_len, p.ulTagBits};
    CK_MECHANISM m = {CKM_AES_GCM, &gcm, sizeof(gcm)};

    tag = p.ulTagBits / 8;
    memcpy(whole, data, data_len);
    memcpy(whole + data_len, p.pTag, tag);
    rv = softhsm->C_DecryptInit(session, &m, message.key);
    if (rv == CKR_OK)
        rv = softhsm->C_Decrypt(session, whole, data_len + tag, open, &len);
    if (rv == CKR_OK)
        memcpy(out, open, len);
    if (rv == CKR_OK)
        *out_len = len;
    shim_messages++;
    return rv;
}

static CK_RV verify_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    return mechanism ? softhsm->C_VerifyInit(session, mechanism, key) : CKR_OK;
}

static CK_RV verify_message(CK_SESSION_HANDLE session, CK_VOID_PTR parameter, CK_ULONG parameter_len, CK_BYTE_PTR data,
                            CK_ULONG data_len, CK_BYTE_PTR signature, CK_ULONG signature_len)
{
    (void)parameter;
    return parameter_len ? CKR_ARGUMENTS_BAD : softhsm->C_Verify(session, data, data_len, signature, signature_len);
}

/* SHIM=pipe: how often a call wrote, and what else happens during it. */
EXPORT unsigned shim_writes;
EXPORT void (*shim_meanwhile)(void);
EXPORT bool shim_silent; /* no writing now */

static void write_to_the_dead(void)
{
    int ends[2];

    if (shim_meanwhile)
        shim_meanwhile();
    if (shim_silent || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return;
    close(ends[1]);
    if (write(ends[0], "?", 1) < 0)
        shim_writes++;
    close(ends[0]);
}

#define FUNCTION_2_40(name, kind, note, params, args)                                                                  \
    static CK_RV piped_##name params                                                                                   \
    {                                                                                                                  \
        write_to_the_dead();                                                                                           \
        return softhsm->name args;                                                                                     \
    }
#include "module/functions.def"

static void functions_pipe(void)
{
#define FUNCTION_2_40(name, kind, note, params, args) functions.name = piped_##name;
#include "module/functions.def"
}

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static bool is_private(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE a = {CKA_CLASS, &class, sizeof(class)};

    return softhsm->C_GetAttributeValue(session, object, &a, 1) == CKR_OK && class == CKO_PRIVATE_KEY;
}

static CK_RV sealed_generate(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public,
                             CK_ULONG public_count, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                             CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR key)
{
    CK_ATTRIBUTE below[64];

    if (count > 64)
        return CKR_TEMPLATE_INCONSISTENT;
    for (CK_ULONG i = 0; i < count; i++)
        below[i] = items[i].type == CKA_EXTRACTABLE ? (CK_ATTRIBUTE){CKA_EXTRACTABLE, &yes, 1}
                   : items[i].type == CKA_SENSITIVE ? (CK_ATTRIBUTE){CKA_SENSITIVE, &no, 1}
                                                    : items[i];
    return softhsm->C_GenerateKeyPair(session, mechanism, public, public_count, below, count, public_key, key);
}

static CK_RV sealed_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR items,
                               CK_ULONG count)
{
    CK_RV rv = softhsm->C_GetAttributeValue(session, object, items, count);

    for (CK_ULONG i = 0; i < count && is_private(session, object); i++)
        if ((items[i].type == CKA_EXTRACTABLE || items[i].type == CKA_SENSITIVE) && items[i].pValue &&
            items[i].ulValueLen == 1)
            *(CK_BBOOL *)items[i].pValue = items[i].type == CKA_SENSITIVE;
    return rv;
}

static CK_RV sealed_wrap(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping,
                         CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_len)
{
    return is_private(session, key) ? CKR_KEY_NOT_WRAPPABLE
                                    : softhsm->C_WrapKey(session, mechanism, wrapping, key, wrapped, wrapped_len);
}

static void functions_sealed(void)
{
    functions.C_GenerateKeyPair = sealed_generate;
    functions.C_GetAttributeValue = sealed_attributes;
    functions.C_WrapKey = sealed_wrap;
}

static bool shim_is(const char *what)
{
    const char *wanted = getenv("SHIM");

    return wanted && strcmp(wanted, what) == 0;
}

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    void *library = dlopen(SOFTHSM, RTLD_NOW | RTLD_LOCAL),
         *symbol = library ? dlsym(library, "C_GetFunctionList") : NULL;
    CK_C_GetFunctionList get = NULL;

    memcpy(&get, &symbol, sizeof(get));
    if (!get || get(&softhsm) != CKR_OK)
        return CKR_GENERAL_ERROR;
    functions = *softhsm;
    if (shim_is("pipe"))
        functions_pipe();
    if (shim_is("sealed"))
        functions_sealed();
    if (shim_is("holes"))
        functions.C_SeedRandom = NULL;
    if (shim_is("2.0")) {
        functions.version = (CK_VERSION){2, 0};
        memset(&functions.C_WaitForSlotEvent, 0x5A, sizeof(functions.C_WaitForSlotEvent));
    }
    *list = &functions;
    return CKR_OK;
}

EXPORT CK_RV C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION *version, CK_INTERFACE **interface, CK_FLAGS flags)
{
    static CK_UTF8CHAR standard[] = "PKCS 11";
    static CK_INTERFACE only = {standard, &later, 0};

    later = (CK_FUNCTION_LIST_3_0){.version = {3, shim_is("3.2") ? 2 : 0},
                                   .C_LoginUser = login_user,
                                   .C_SessionCancel = session_cancel,
                                   .C_MessageSignInit = sign_init,
                                   .C_SignMessage = sign_message,
                                   .C_MessageEncryptInit = crypt_init,
                                   .C_EncryptMessage = encrypt_message,
                                   .C_MessageDecryptInit = crypt_init,
                                   .C_DecryptMessage = decrypt_message,
                                   .C_MessageVerifyInit = verify_init,
                                   .C_VerifyMessage = verify_message};
    if ((!shim_is("3.0") && !shim_is("3.2")) || flags || (name && strcmp((char *)name, "PKCS 11") != 0) ||
        (version && memcmp(version, &later.version, sizeof(*version)) != 0))
        return CKR_FUNCTION_FAILED;
    *interface = &only;
    return CKR_OK;
}
