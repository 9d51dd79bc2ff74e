#include "core/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include "core/encode.h"

static pthread_once_t crypto_once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *crypto;
static EVP_MD *sha256;
static pthread_key_t hasher_key; /* each thread's own EVP_MD_CTX */

static void hasher_free(void *hasher)
{
    EVP_MD_CTX_free(hasher);
}

/* A context made by hand reads no configuration file; the default provider is built in and named, so that nothing
 * else is activated as a fallback. Where nobody began with OpenSSL before, its handler of the process's exit stays
 * away: threads may still hash and sign then, here or in an HSM's module. */
static void crypto_start(void)
{
    OSSL_LIB_CTX *made = NULL;

    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) == 1)
        made = OSSL_LIB_CTX_new();
    if (made != NULL && OSSL_PROVIDER_load(made, "default") != NULL &&
        pthread_key_create(&hasher_key, hasher_free) == 0) {
        sha256 = EVP_MD_fetch(made, "SHA256", NULL);
        crypto = made;
        made = NULL; /* kept for the life of the process */
    }
    OSSL_LIB_CTX_free(made);
}

OSSL_LIB_CTX *crypto_context(void)
{
    return pthread_once(&crypto_once, crypto_start) == 0 ? crypto : NULL;
}

/* Kept from one hash to the next, as making it costs more than a short hash; freed where the thread ends. */
static EVP_MD_CTX *hasher(void)
{
    EVP_MD_CTX *mine = NULL;

    if (crypto_context() == NULL || sha256 == NULL)
        return NULL;
    mine = pthread_getspecific(hasher_key);
    if (mine != NULL)
        return mine;
    mine = EVP_MD_CTX_new();
    if (mine != NULL && pthread_setspecific(hasher_key, mine) != 0) {
        EVP_MD_CTX_free(mine);
        mine = NULL;
    }
    return mine;
}

bool digest_of(struct digest *ret, size_t parts, ...)
{
    EVP_MD_CTX *context = hasher();
    bool done = false;
    va_list ap;

    va_start(ap, parts);
    memset(ret, 0, sizeof *ret);
    if (context == NULL || EVP_DigestInit_ex2(context, sha256, NULL) != 1)
        goto out;
    for (size_t i = 0; i < parts; i++) {
        struct span part = va_arg(ap, struct span);
        if (part.len > 0 && EVP_DigestUpdate(context, part.data, part.len) != 1)
            goto out;
    }
    done = EVP_DigestFinal_ex(context, ret->bytes, NULL) == 1;
    if (!done)
        memset(ret, 0, sizeof *ret);
out:
    va_end(ap);
    return done;
}

bool digest_one(struct digest *ret, struct span bytes)
{
    return digest_of(ret, 1, bytes);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct digest_text digest_hex(const struct digest *d)
{
    static const char digits[] = "0123456789abcdef";
    struct digest_text text;

    for (size_t i = 0; i < sizeof d->bytes; i++) {
        text.hex[2 * i] = digits[d->bytes[i] >> 4];
        text.hex[2 * i + 1] = digits[d->bytes[i] & 15];
    }
    text.hex[64] = '\0';
    return text;
}

enum outcome digest_parse(const char *hex, struct digest *ret, struct fault *f)
{
    if (hex_parse(hex, ret->bytes, sizeof ret->bytes, f) != OK)
        return fault_context(f, "a SHA-256 was expected");
    return OK;
}

enum outcome digest_parse_prefixed(const char *text, struct digest *ret, struct fault *f)
{
    static const char prefix[] = "sha256:";

    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return fault_set(f, E_INVALID, "\"sha256:\" and 64 lower-case hexadecimal digits were expected");
    return digest_parse(text + sizeof prefix - 1, ret, f);
}

bool random_bytes(void *ret, size_t len)
{
    OSSL_LIB_CTX *context = crypto_context();

    return context != NULL && RAND_priv_bytes_ex(context, ret, len, 256) == 1;
}
