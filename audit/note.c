#include "audit/note.h"

#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

#define ED25519 0x01
#define DASH "\xe2\x80\x94 " /* U+2014 and a blank begin a signature line (C2SP signed-note) */
enum { ID_LEN = 4, SIGNATURE_LEN = 64 };

/* Not empty, no '+', nothing blank: ASCII by a test, the rest of Unicode's blanks by their encodings. */
static bool is_key_name(struct span name)
{
    static const char *const blanks[] = {"\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
                                         "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87",
                                         "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
                                         "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
    if (name.len == 0 || name.len >= sizeof((struct note_key *)0)->name || !utf8_printable(name))
        return false;
    if (memchr(name.data, '+', name.len) || memchr(name.data, ' ', name.len))
        return false;
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++)
        if (memmem(name.data, name.len, blanks[i], strlen(blanks[i])))
            return false;
    return true;
}

static bool key_id(struct note_key *key)
{
    struct digest d;
    if (!digest_of(&d, 4, span_str(key->name), span_str("\n"), span_of(&key->algorithm, 1),
                   span_of(key->public_key, sizeof key->public_key)))
        return false;
    memcpy(key->id, d.bytes, sizeof key->id);
    return true;
}

enum outcome note_key_make(const char *name, const uint8_t public_key[32], struct note_key *ret, struct fault *f)
{
    return note_key_make_as(ED25519, name, public_key, ret, f);
}

enum outcome note_key_make_as(uint8_t algorithm, const char *name, const uint8_t public_key[32], struct note_key *ret,
                              struct fault *f)
{
    struct note_key key = {.algorithm = algorithm};
    if (!is_key_name(span_str(name)))
        return fault_set(f, E_INVALID, "a log's name has 1 to 255 bytes, without blanks, '+' and control characters");
    memcpy(key.name, name, strlen(name));
    memcpy(key.public_key, public_key, sizeof key.public_key);
    if (!key_id(&key))
        return fault_set(f, E_IO, "libcrypto cannot hash");
    *ret = key;
    return OK;
}

void note_key_put(const struct note_key *key, struct buf *b)
{
    uint8_t body[1 + sizeof key->public_key];
    body[0] = key->algorithm;
    memcpy(body + 1, key->public_key, sizeof key->public_key);
    buf_puts(b, key->name);
    buf_puts(b, "+");
    hex_put(b, span_of(key->id, sizeof key->id));
    buf_puts(b, "+");
    base64_put(b, span_of(body, sizeof body));
}

enum outcome note_key_parse(const char *vkey, struct note_key *ret, struct fault *f)
{
    return note_key_parse_as(ED25519, vkey, ret, f);
}

enum outcome note_key_parse_as(uint8_t algorithm, const char *vkey, struct note_key *ret, struct fault *f)
{
    enum outcome rc = E_INVALID;
    struct note_key key = {.algorithm = 0};
    struct buf body = BUF(1 + sizeof key.public_key);
    char id_hex[2 * ID_LEN + 1] = "", name[sizeof key.name] = "";
    uint8_t id[ID_LEN];
    const char *first = strchr(vkey, '+'), *second = first ? strchr(first + 1, '+') : NULL;
    if (!second || (size_t)(first - vkey) >= sizeof name || second - first - 1 != 2 * ID_LEN) {
        fault_set(f, rc, "a verifier key reads NAME+HASH+KEY");
        goto out;
    }
    memcpy(name, vkey, (size_t)(first - vkey));
    memcpy(id_hex, first + 1, 2 * ID_LEN);
    if (hex_parse(id_hex, id, ID_LEN, f) || base64_parse(span_str(second + 1), &body, f) ||
        body.len != 1 + sizeof key.public_key || body.data[0] != algorithm) {
        fault_set(f, rc, "a verifier key's hash or key is malformed, or the key is not Ed25519 of type %u", algorithm);
        goto out;
    }
    rc = note_key_make_as(algorithm, name, body.data + 1, &key, f);
    if (rc)
        goto out;
    if (memcmp(key.id, id, ID_LEN) != 0) {
        rc = fault_set(f, E_INVALID, "a verifier key's hash does not belong to its name and key");
        goto out;
    }
    *ret = key;
out:
    buf_free(&body);
    return rc;
}

/* A text is UTF-8 in lines that end in newlines, without other control characters. */
static bool is_text(struct span text)
{
    if (text.len == 0 || text.data[text.len - 1] != '\n')
        return false;
    for (size_t from = 0; from < text.len;) {
        const uint8_t *start = text.data + from, *end = memchr(start, '\n', text.len - from);
        size_t len = (size_t)(end - start);
        if (len > 0 && !utf8_printable(span_of(start, len)))
            return false;
        from += len + 1;
    }
    return true;
}

enum outcome note_sign(struct span text, const struct note_key *key, EVP_PKEY *secret, struct buf *ret, struct fault *f)
{
    uint8_t line[ID_LEN + SIGNATURE_LEN];
    size_t len = SIGNATURE_LEN;
    if (!is_text(text))
        return fault_set(f, E_INVALID, "the text of a note is not UTF-8 lines");
    memcpy(line, key->id, ID_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool signed_ = ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, crypto_context(), NULL, secret, NULL) &&
                   EVP_DigestSign(ctx, line + ID_LEN, &len, text.data, text.len) && len == SIGNATURE_LEN;
    EVP_MD_CTX_free(ctx);
    if (!signed_)
        return fault_set(f, E_IO, "libcrypto cannot sign with the log key");
    buf_put(ret, text.data, text.len);
    buf_puts(ret, "\n" DASH);
    buf_puts(ret, key->name);
    buf_puts(ret, " ");
    base64_put(ret, span_of(line, sizeof line));
    buf_puts(ret, "\n");
    return ret->failed ? fault_memory(f) : OK;
}

static bool signature_holds(const struct note_key *key, struct span text, const uint8_t *signature)
{
    EVP_PKEY *public =
        EVP_PKEY_new_raw_public_key_ex(crypto_context(), "ED25519", NULL, key->public_key, sizeof key->public_key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool holds = public && ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, crypto_context(), NULL, public, NULL) == 1 &&
                 EVP_DigestVerify(ctx, signature, SIGNATURE_LEN, text.data, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(public);
    return holds;
}

/* One signature line without its newline: E_INVALID where malformed; *ret_ours where it claims to be by `key`, its
 * bytes then in `raw`. */
static enum outcome signature_line(struct span line, const struct note_key *key, struct buf *raw, bool *ret_ours,
                                   struct fault *f)
{
    size_t dash = strlen(DASH);
    const uint8_t *name = line.data + dash, *blank = NULL;
    if (line.len > dash && memcmp(line.data, DASH, dash) == 0)
        blank = memchr(name, ' ', line.len - dash);
    if (!blank || !is_key_name(span_of(name, (size_t)(blank - name))))
        return fault_set(f, E_INVALID, "a signature line does not read \"\u2014 NAME SIGNATURE\"");
    struct span given = span_of(name, (size_t)(blank - name));
    size_t used = (size_t)(blank + 1 - line.data);
    buf_clear(raw);
    if (base64_parse(span_of(blank + 1, line.len - used), raw, f) || raw->len <= ID_LEN)
        return fault_set(f, E_INVALID, "a signature line does not hold strict base64 of key id and signature");
    *ret_ours = span_equal(given, span_str(key->name)) && memcmp(raw->data, key->id, ID_LEN) == 0;
    return OK;
}

enum outcome note_split(struct span note, struct span *ret_text, struct span *ret_signatures, struct fault *f)
{
    const uint8_t *gap = note.len > 0 && note.len <= LIMIT_NOTE ? memrchr(note.data, '\n', note.len) : NULL;
    /* The signatures stand after the last empty line. */
    while (gap && gap > note.data && gap[-1] != '\n')
        gap = memrchr(note.data, '\n', (size_t)(gap - note.data));
    if (!gap || gap == note.data || note.data[note.len - 1] != '\n' || gap + 1 == note.data + note.len ||
        !is_text(note))
        return fault_set(f, E_INVALID, "not a signed note: text, an empty line, signature lines");
    *ret_text = span_of(note.data, (size_t)(gap - note.data));
    *ret_signatures = span_of(gap + 1, note.len - ret_text->len - 1);
    return OK;
}

enum outcome note_open(struct span note, const struct note_key *key, struct span *ret_text, struct fault *f)
{
    struct buf raw = BUF(LIMIT_NOTE);
    struct span text, signatures;
    bool found = false;
    enum outcome rc = note_split(note, &text, &signatures, f);
    if (rc)
        goto out;
    for (const uint8_t *p = signatures.data, *end; p < note.data + note.len; p = end + 1) {
        bool ours = false;
        end = memchr(p, '\n', (size_t)(note.data + note.len - p));
        rc = signature_line(span_of(p, (size_t)(end - p)), key, &raw, &ours, f);
        if (rc)
            goto out;
        if (ours && (found || raw.len != ID_LEN + SIGNATURE_LEN || !signature_holds(key, text, raw.data + ID_LEN))) {
            rc = fault_set(f, E_REFUSED, "the signature by \"%s\" %s", key->name,
                           found ? "stands there twice" : "does not hold");
            goto out;
        }
        found = found || ours;
    }
    if (!found) {
        rc = fault_set(f, E_REFUSED, "no signature by \"%s\" with the expected key", key->name);
        goto out;
    }
    *ret_text = text;
out:
    buf_free(&raw);
    return rc;
}
