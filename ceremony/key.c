#include "ceremony/key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "ceremony/terminal.h"
#include "core/digest.h"
#include "core/file.h"
#include "core/limits.h"

struct passphrase {
    const char *path;
    bool asked;
    struct fault *fault;
};

static int passphrase_ask(char *ret, int size, int writing, void *context)
{
    struct passphrase *p = context;
    struct buf typed = BUF_SECRET(LIMIT_PIN);
    char prompt[512];
    int len = -1;

    if (writing || p->asked)
        return -1;
    p->asked = true;
    snprintf(prompt, sizeof prompt, "Passphrase of %s: ", p->path);
    if (terminal_secret(prompt, "use a key without a passphrase, or a card", &typed, p->fault) == OK &&
        typed.len <= (size_t)size) {
        memcpy(ret, typed.data, typed.len);
        len = (int)typed.len;
    }
    buf_free(&typed);
    return len;
}

static enum outcome pem_open(const char *path, struct key *ret, struct fault *f)
{
    struct buf pem = BUF_SECRET(LIMIT_KEY_FILE);
    struct fault asking = {.outcome = OK};
    struct passphrase p = {.path = path, .fault = &asking};
    EVP_PKEY *private = NULL;
    BIO *bio = NULL;
    enum outcome o = file_read(path, false, &pem, f);

    if (o != OK)
        goto out;
    bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    if (bio)
    private = PEM_read_bio_PrivateKey_ex(bio, NULL, passphrase_ask, &p, crypto_context(), NULL);
    if (!private && asking.outcome != OK)
        o = fault_set(f, asking.outcome, "%s", asking.text);
    else if (!private)
        o = fault_set(f, E_INVALID, "%s holds no private key that can be read%s", path,
                      p.asked ? "; was the passphrase right?" : "; expected PEM, or a pkcs11: URI");
    else
        *ret = (struct key){.private = private};
out:
    ERR_clear_error();
    BIO_free(bio);
    buf_free(&pem);
    return o;
}

enum outcome key_open(const char *key, const char *module, struct key *ret, struct fault *f)
{
    if (strncmp(key, "pkcs11:", 7) == 0)
        return card_open(key, module, ret, f);
    if (module)
        return fault_set(f, E_INVALID, "--card-module goes with a key given as a pkcs11: URI");
    return pem_open(key, ret, f);
}

void key_close(struct key *k)
{
    EVP_PKEY_free(k->private);
    card_close(k->card);
    *k = (struct key){0};
}

static bool sample_sign(EVP_PKEY *key, const struct buf *sample, struct buf *ret)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t signature[1024];
    size_t len = sizeof signature;
    bool good = context && EVP_DigestSignInit_ex(context, NULL, "SHA256", crypto_context(), NULL, key, NULL) == 1 &&
                EVP_DigestSign(context, signature, &len, sample->data, sample->len) == 1;

    if (good)
        buf_put(ret, signature, len);
    EVP_MD_CTX_free(context);
    return good && !ret->failed;
}

static bool sample_verify(EVP_PKEY *key, const struct buf *sample, const struct buf *signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestVerifyInit_ex(context, NULL, "SHA256", crypto_context(), NULL, key, NULL) == 1 &&
                EVP_DigestVerify(context, signature->data, signature->len, sample->data, sample->len) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

enum outcome key_matches(const struct key *k, X509 *certificate, struct fault *f)
{
    struct buf sample = BUF(256), signature = BUF(1024);
    uint8_t chance[32];
    EVP_PKEY *public = X509_get0_pubkey(certificate);
    enum outcome o = OK;

    if (!random_bytes(chance, sizeof chance)) {
        o = fault_set(f, E_IO, "no random bytes from libcrypto");
        goto out;
    }
    /* The prefix keeps these bytes from ever being a document that somebody signs. */
    buf_puts(&sample, "quorate key check v1\n");
    buf_put(&sample, chance, sizeof chance);
    if (sample.failed)
        o = fault_memory(f);
    else if (!sample_sign(k->private, &sample, &signature))
        o = fault_set(f, k->card ? E_DEVICE : E_INVALID, "the key does not sign%s%s",
                      k->card ? "; is the card still there, " : "",
                      k->card ? "and may this key sign?" : "; expected an EC or RSA key");
    else if (!public || !sample_verify(public, &sample, &signature))
        o = fault_set(f, E_REFUSED, "the key does not belong to the certificate; nothing was signed");
out:
    ERR_clear_error();
    buf_free(&signature);
    buf_free(&sample);
    return o;
}
