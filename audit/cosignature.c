#include "audit/cosignature.h"

#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

#define DASH "\xe2\x80\x94 " /* U+2014 and a blank begin a signature line (C2SP signed-note) */
enum { ID_LEN = 4, TIME_LEN = 8, SIGNATURE_LEN = 64, LINE_LEN = ID_LEN + TIME_LEN + SIGNATURE_LEN };

static void message_put(struct span text, moment at, struct buf *b)
{
    buf_putf(b, "cosignature/v1\ntime %llu\n", (unsigned long long)at);
    buf_put(b, text.data, text.len);
}

enum outcome cosignature_put(struct span text, const struct note_key *key, EVP_PKEY *secret, moment at, struct buf *ret,
                             struct fault *f)
{
    uint8_t line[LINE_LEN];
    size_t len = SIGNATURE_LEN;
    struct buf message = BUF(LIMIT_NOTE + 64);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum outcome rc = OK;
    memcpy(line, key->id, ID_LEN);
    for (unsigned i = 0; i < TIME_LEN; i++)
        line[ID_LEN + i] = (uint8_t)((uint64_t)at >> (56 - 8 * i));
    message_put(text, at, &message);
    if (at <= 0 || message.failed || !ctx ||
        !EVP_DigestSignInit_ex(ctx, NULL, NULL, crypto_context(), NULL, secret, NULL) ||
        !EVP_DigestSign(ctx, line + ID_LEN + TIME_LEN, &len, message.data, message.len) || len != SIGNATURE_LEN) {
        rc = fault_set(f, E_IO, "libcrypto cannot sign with the cosigner's key");
        goto out;
    }
    buf_puts(ret, DASH);
    buf_puts(ret, key->name);
    buf_puts(ret, " ");
    base64_put(ret, span_of(line, sizeof line));
    rc = ret->failed ? fault_memory(f) : OK;
out:
    EVP_MD_CTX_free(ctx);
    buf_free(&message);
    return rc;
}

static bool signature_holds(const struct note_key *key, struct span message, const uint8_t *signature)
{
    EVP_PKEY *public =
        EVP_PKEY_new_raw_public_key_ex(crypto_context(), "ED25519", NULL, key->public_key, sizeof key->public_key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool holds = public && ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, crypto_context(), NULL, public, NULL) == 1 &&
                 EVP_DigestVerify(ctx, signature, SIGNATURE_LEN, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(public);
    return holds;
}

enum outcome cosignature_check(struct span text, const struct note_key *key, struct span line, moment *ret_at,
                               struct fault *f)
{
    size_t prefix = strlen(DASH) + strlen(key->name) + 1;
    struct buf raw = BUF(LIMIT_NOTE), message = BUF(LIMIT_NOTE + 64), begin = BUF(LIMIT_NOTE);
    uint64_t at = 0;
    enum outcome rc = E_ABSENT;
    buf_putf(&begin, DASH "%s ", key->name);
    if (begin.failed || line.len <= prefix || memcmp(line.data, begin.data, prefix) != 0 ||
        base64_parse(span_of(line.data + prefix, line.len - prefix), &raw, f) || raw.len < ID_LEN ||
        memcmp(raw.data, key->id, ID_LEN) != 0) {
        fault_set(f, rc, "not a cosignature by \"%s\"", key->name);
        goto out;
    }
    for (unsigned i = 0; raw.len == LINE_LEN && i < TIME_LEN; i++)
        at = at << 8 | raw.data[ID_LEN + i];
    if (at > 0 && at <= INT64_MAX)
        message_put(text, (moment)at, &message);
    if (message.len == 0 || message.failed || !signature_holds(key, buf_span(&message), raw.data + ID_LEN + TIME_LEN)) {
        rc = fault_set(f, E_REFUSED, "the cosignature by \"%s\" does not hold", key->name);
        goto out;
    }
    *ret_at = (moment)at;
    rc = OK;
out:
    buf_free(&begin);
    buf_free(&message);
    buf_free(&raw);
    return rc;
}
