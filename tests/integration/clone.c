/* What a vendor's own tools do: the key with this CKA_ID goes from one of SoftHSM's tokens to another, past the module that
 * refuses to wrap it and shows it as sensitive (build/shim-hsm.so, SHIM=sealed). EC and Ed25519.
 * Usage: clone FROM-LABEL FROM-PIN TO-LABEL TO-PIN CKA_ID-IN-HEX */

#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        CK_RV rv_ = (call);                                                                                            \
        if (rv_ != CKR_OK) {                                                                                           \
            fprintf(stderr, "clone: %s: 0x%lx\n", #call, rv_);                                                         \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_SESSION_HANDLE open_token(const char *label, char *pin)
{
    CK_SLOT_ID slots[32];
    CK_ULONG count = 32;
    CHECK(C_GetSlotList(CK_TRUE, slots, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        CK_SESSION_HANDLE session = 0;
        CHECK(C_GetTokenInfo(slots[i], &info));
        if (memcmp(info.label, label, strlen(label)) != 0 || info.label[strlen(label)] != ' ')
            continue;
        CHECK(C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
        CHECK(C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin)));
        return session;
    }
    fprintf(stderr, "clone: no token %s\n", label);
    exit(1);
}

static CK_BBOOL flag_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value = CK_FALSE;
    CK_ATTRIBUTE a = {type, &value, 1};
    CHECK(C_GetAttributeValue(session, key, &a, 1));
    return value;
}

/* Two digits of hex, or -1. */
static int byte_of(const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    const char *high = hex[0] ? strchr(digits, hex[0]) : NULL, *low = high && hex[1] ? strchr(digits, hex[1]) : NULL;
    return low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

int main(int argc, char **argv)
{
    static const CK_ATTRIBUTE_TYPE uses[] = {CKA_SIGN,   CKA_SIGN_RECOVER, CKA_DECRYPT,
                                             CKA_UNWRAP, CKA_DERIVE,       CKA_ALWAYS_AUTHENTICATE};
    enum { USES = sizeof uses / sizeof *uses, MADE = 4, FIXED = 6 };
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = 0;
    CK_BYTE id[64], label[256], curve[32], value[128];
    CK_BBOOL values[USES];
    CK_ULONG id_len = 0, found = 0;
    CK_OBJECT_HANDLE key = 0, clone = 0;

    if (argc != 6)
        return 2;
    for (int byte = byte_of(argv[5]); id_len < sizeof id && byte >= 0; byte = byte_of(argv[5] + 2 * id_len))
        id[id_len++] = (CK_BYTE)byte;
    CHECK(C_Initialize(NULL));
    CK_SESSION_HANDLE from = open_token(argv[1], argv[2]), to = open_token(argv[3], argv[4]);
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_ID, id, id_len}};
    CHECK(C_FindObjectsInit(from, match, 2));
    CHECK(C_FindObjects(from, &key, 1, &found));
    CHECK(C_FindObjectsFinal(from));
    if (found != 1) {
        fprintf(stderr, "clone: no such key\n");
        return 1;
    }
    CK_ATTRIBUTE made[] = {{CKA_LABEL, label, sizeof label},
                           {CKA_KEY_TYPE, &type, sizeof type},
                           {CKA_EC_PARAMS, curve, sizeof curve},
                           {CKA_VALUE, value, sizeof value}};
    CHECK(C_GetAttributeValue(from, key, made, MADE));
    CK_ATTRIBUTE t[FIXED + MADE + USES] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, 1},      {CKA_PRIVATE, &yes, 1},
        {CKA_SENSITIVE, &yes, 1},          {CKA_EXTRACTABLE, &no, 1}, {CKA_ID, id, id_len}};
    memcpy(t + FIXED, made, sizeof made);
    for (size_t i = 0; i < USES; i++) {
        values[i] = flag_of(from, key, uses[i]);
        t[FIXED + MADE + i] = (CK_ATTRIBUTE){uses[i], &values[i], 1};
    }
    CHECK(C_CreateObject(to, t, sizeof t / sizeof *t, &clone));
    return 0;
}
