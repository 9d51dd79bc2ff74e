/* Signs a SHA-256 digest with a key of a token through libp11, as an application would, and verifies it.
 * Usage: libp11_sign MODULE TOKEN LABEL PIN-FILE */
#include <libp11.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static int sign_and_verify(EVP_PKEY *key)
{
    unsigned char signature[1024];
    size_t len = sizeof signature;
    const unsigned char message[] = "a message for libp11";
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int good = c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
               EVP_DigestSign(c, signature, &len, message, sizeof message) == 1 && EVP_MD_CTX_reset(c) == 1 &&
               EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
               EVP_DigestVerify(c, signature, len, message, sizeof message) == 1;
    EVP_MD_CTX_free(c);
    return good;
}

static PKCS11_SLOT *slot_named(PKCS11_SLOT *slots, unsigned int count, const char *token)
{
    for (unsigned int i = 0; i < count; i++)
        if (slots[i].token && strcmp(slots[i].token->label, token) == 0)
            return &slots[i];
    return NULL;
}

static int key_used(PKCS11_TOKEN *token, const char *label)
{
    PKCS11_KEY *keys = NULL;
    unsigned int count = 0;

    if (PKCS11_enumerate_keys(token, &keys, &count) != 0)
        return 0;
    for (unsigned int i = 0; i < count; i++) {
        if (strcmp(keys[i].label, label) != 0)
            continue;
        EVP_PKEY *key = PKCS11_get_private_key(&keys[i]);
        int good = key && sign_and_verify(key);
        EVP_PKEY_free(key);
        return good;
    }
    return 0;
}

int main(int argc, char **argv)
{
    char pin[257] = "";
    PKCS11_SLOT *slots = NULL, *slot = NULL;
    unsigned int count = 0;
    int good = 0;

    if (argc != 5)
        return 2;
    FILE *file = fopen(argv[4], "r");
    if (!file || !fgets(pin, sizeof pin, file))
        return 2;
    fclose(file);
    pin[strcspn(pin, "\n")] = '\0';

    PKCS11_CTX *context = PKCS11_CTX_new();
    if (context && PKCS11_CTX_load(context, argv[1]) == 0 && PKCS11_enumerate_slots(context, &slots, &count) == 0) {
        slot = slot_named(slots, count, argv[2]);
        good = slot && PKCS11_open_session(slot, 1) == 0 && PKCS11_login(slot, 0, pin) == 0 &&
               key_used(slot->token, argv[3]);
        PKCS11_release_all_slots(context, slots, count);
        PKCS11_CTX_unload(context);
    }
    PKCS11_CTX_free(context);
    puts(good ? "signed and verified" : "failed");
    return !good;
}
