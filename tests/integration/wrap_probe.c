/* wrap_probe MODULE TOKEN PIN KEY: all that somebody with the PIN could try to have KEY (its CKA_LABEL) out of the HSM. One line a
 * try: what, and what the module answered. */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_FUNCTION_LIST *p11;
static CK_SESSION_HANDLE session;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void say(const char *what, CK_RV rv)
{
    static const struct {
        CK_RV rv;
        const char *name;
    } names[] = {{CKR_OK, "CKR_OK"},
                 {CKR_KEY_NOT_WRAPPABLE, "CKR_KEY_NOT_WRAPPABLE"},
                 {CKR_ATTRIBUTE_READ_ONLY, "CKR_ATTRIBUTE_READ_ONLY"},
                 {CKR_ACTION_PROHIBITED, "CKR_ACTION_PROHIBITED"},
                 {CKR_ATTRIBUTE_SENSITIVE, "CKR_ATTRIBUTE_SENSITIVE"},
                 {CKR_TEMPLATE_INCONSISTENT, "CKR_TEMPLATE_INCONSISTENT"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].rv == rv) {
            printf("%s: %s\n", what, names[i].name);
            return;
        }
    printf("%s: 0x%lx\n", what, rv);
}

static CK_OBJECT_HANDLE find(CK_OBJECT_CLASS class, const char *label)
{
    char text[64];
    CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
    CK_ULONG count = 0;
    snprintf(text, sizeof text, "%s", label);
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, text, strlen(text)}};
    if (p11->C_FindObjectsInit(session, match, 2) != CKR_OK || p11->C_FindObjects(session, &found, 1, &count) != CKR_OK)
        exit(2);
    p11->C_FindObjectsFinal(session);
    return count ? found : CK_INVALID_HANDLE;
}

static CK_RV own_key(CK_BBOOL trusted, CK_OBJECT_HANDLE *ret)
{
    CK_ULONG len = 32;
    CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &no, 1},   {CKA_VALUE_LEN, &len, sizeof len},
                        {CKA_WRAP, &yes, 1},   {CKA_DECRYPT, &yes, 1},
                        {CKA_UNWRAP, &yes, 1}, {CKA_TRUSTED, &trusted, 1}};
    return p11->C_GenerateKey(session, &m, t, trusted ? 6 : 5, ret);
}

static void wrap(const char *what, CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key)
{
    CK_BYTE blob[4096];
    CK_ULONG len = sizeof blob;
    CK_MECHANISM m = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    say(what, p11->C_WrapKey(session, &m, with, key, blob, &len));
}

int main(int argc, char **argv)
{
    CK_RV (*list)(CK_FUNCTION_LIST **) = NULL;
    CK_SLOT_ID slots[64], slot = 0;
    CK_ULONG count = 64;
    CK_OBJECT_HANDLE mine = 0, made = 0, key = 0, trusted = 0;
    CK_TOKEN_INFO info;
    CK_ATTRIBUTE decrypts = {CKA_DECRYPT, &yes, 1}, trusts = {CKA_TRUSTED, &yes, 1},
                 frees = {CKA_WRAP_WITH_TRUSTED, &no, 1}, shows = {CKA_VALUE, NULL, 0}, empty = {CKA_TOKEN, &no, 1};
    void *library = argc == 5 ? dlopen(argv[1], RTLD_NOW) : NULL;
    void *symbol = library ? dlsym(library, "C_GetFunctionList") : NULL;

    memcpy(&list, &symbol, sizeof list);
    if (!symbol || list(&p11) != CKR_OK || p11->C_Initialize(NULL) != CKR_OK ||
        p11->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
        return 2;
    for (CK_ULONG i = 0; i < count; i++)
        if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK && !memcmp(info.label, argv[2], strlen(argv[2])) &&
            info.label[strlen(argv[2])] == ' ')
            slot = slots[i];
    if (p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session) != CKR_OK ||
        p11->C_Login(session, CKU_USER, (CK_UTF8CHAR *)argv[3], strlen(argv[3])) != CKR_OK)
        return 2;
    key = find(CKO_PRIVATE_KEY, argv[4]);
    trusted = find(CKO_SECRET_KEY, "quorate:trusted-wrapping");
    if (!key || own_key(CK_FALSE, &mine) != CKR_OK)
        return 2;
    wrap("the key", mine, key);
    say("its limit taken off", p11->C_SetAttributeValue(session, key, &frees, 1));
    say("a copy without it", p11->C_CopyObject(session, key, &frees, 1, &made));
    say("a key born trusted", own_key(CK_TRUE, &made));
    say("a key made trusted", p11->C_SetAttributeValue(session, mine, &trusts, 1));
    if (trusted) {
        wrap("the trusted key", mine, trusted);
        say("the trusted key told to decrypt", p11->C_SetAttributeValue(session, trusted, &decrypts, 1));
        say("a copy of it that decrypts", p11->C_CopyObject(session, trusted, &decrypts, 1, &made));
        say("a copy of it", p11->C_CopyObject(session, trusted, &empty, 1, &made));
        say("its value", p11->C_GetAttributeValue(session, trusted, &shows, 1));
    } else {
        puts("the trusted key: not there");
    }
    return p11->C_Finalize(NULL) == CKR_OK ? 0 : 2;
}
