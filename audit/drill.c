#include "audit/drill.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/document.h"
#include "audit/document_inner.h"
#include "core/encode.h"
#include "core/limits.h"

void drill_clear(struct drill *d)
{
    for (size_t i = 0; i < d->key_count; i++) {
        buf_free(&d->keys[i].proof_signature);
        free(d->keys[i].reason);
    }
    free(d->keys);
    buf_free(&d->signature);
    *d = (struct drill){.key_count = 0};
}

bool drill_statement_digest(const struct drill *d, const struct digest *fingerprint, struct digest *ret)
{
    struct digest where;
    return digest_of(&where, 3, span_str(d->token), span_str("/"), span_str(d->site)) &&
           digest_of(ret, 6, span_str(DRILL_PREFIX "\n"), span_of(d->estate.bytes, sizeof d->estate.bytes),
                     span_of(fingerprint->bytes, sizeof fingerprint->bytes), span_of(where.bytes, sizeof where.bytes),
                     span_of(d->challenge.bytes, sizeof d->challenge.bytes),
                     span_of(d->nonce.bytes, sizeof d->nonce.bytes));
}

static json_t *key_json(const struct drill_key *k)
{
    json_t *json = json_object();
    if (json_put_integer(json, "born", (int64_t)k->born) &&
        (k->proof[0] == '\0' || json_put_string(json, "proof", k->proof)) &&
        (k->proof_signature.len == 0 || json_put_bytes_hex(json, "proof-signature", buf_span(&k->proof_signature))) &&
        (k->proof[0] != '\0' || json_put_string(json, "reason", k->reason ? k->reason : "")))
        return json;
    json_decref(json);
    return NULL;
}

static json_t *drill_json(const struct drill *d)
{
    json_t *json = json_object(), *keys = json_array();
    bool good = keys != NULL;
    for (size_t i = 0; good && i < d->key_count; i++)
        good = json_array_append_new(keys, key_json(&d->keys[i])) == 0;
    good = good && json_put_string(json, "type", DRILL_TYPE) && json_put_digest(json, "challenge", &d->challenge) &&
           json_put_digest(json, "estate", &d->estate) && json_put(json, "keys", json_incref(keys)) &&
           json_put_digest(json, "nonce", &d->nonce) && json_put_string(json, "serial", d->serial) &&
           json_put_string(json, "site", d->site) && json_put_string(json, "token", d->token);
    json_decref(keys);
    if (good)
        return json;
    json_decref(json);
    return NULL;
}

enum outcome drill_digest(const struct drill *d, struct digest *ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DRILL);
    json_t *json = drill_json(d);
    enum outcome rc = json ? json_canonical(json, &bytes, f) : fault_memory(f);
    if (!rc && !digest_of(ret, 2, span_str(DRILL_RECEIPT_PREFIX "\n"), buf_span(&bytes)))
        rc = fault_set(f, E_IO, "libcrypto cannot hash");
    json_decref(json);
    buf_free(&bytes);
    return rc;
}

enum outcome drill_compose(const struct drill *d, struct buf *ret, struct fault *f)
{
    json_t *json = drill_json(d);
    enum outcome rc = OK;
    if (!json || !json_put_bytes_hex(json, "signature", buf_span(&d->signature)))
        rc = fault_memory(f);
    else
        rc = json_canonical(json, ret, f);
    json_decref(json);
    return rc;
}

static void read_key(struct document *d, uint64_t *after, struct drill_key *k)
{
    int64_t born = -1;
    if (!d->rc)
        d->rc = json_members(d->json, "born ?proof ?proof-signature ?reason", d->f);
    if (!d->rc)
        d->rc = json_want_integer(d->json, "born", &born, d->f);
    if (d->rc)
        return;
    const char *proof = json_string_or_null(d->json, "proof"), *reason = json_string_or_null(d->json, "reason");
    bool by_signature = proof && !strcmp(proof, "signature");
    bool known = proof ? by_signature || !strcmp(proof, "attested") : reason != NULL;
    if (born < 0 || (uint64_t)born < *after || !known || (proof && json_object_get(d->json, "reason")) ||
        by_signature != (json_object_get(d->json, "proof-signature") != NULL)) {
        d->rc = fault_set(d->f, E_INVALID, "key %" PRId64 " is out of order, or has neither proof nor reason", born);
        return;
    }
    k->born = (uint64_t)born;
    *after = k->born + 1;
    if (proof)
        document_text(d, "proof", k->proof, sizeof k->proof);
    else if (!utf8_printable(span_str(reason)) || (k->reason = strdup(reason)) == NULL)
        d->rc = fault_set(d->f, E_INVALID, "the reason of key %" PRId64 " is no printable text", born);
    if (by_signature)
        document_hex(d, "proof-signature", &k->proof_signature, LIMIT_ATTRIBUTE);
}

static void read_keys(struct document *d, struct drill *ret)
{
    json_t *outer = d->json, *list = NULL, *item;
    size_t i;
    uint64_t after = 0;
    if (!d->rc)
        d->rc = json_want_array(outer, "keys", &list, d->f);
    if (!d->rc && json_array_size(list) > LIMIT_DRILL_KEYS)
        d->rc = fault_set(d->f, E_INVALID, "more than %u keys", LIMIT_DRILL_KEYS);
    if (!d->rc && (ret->keys = calloc(json_array_size(list) + 1, sizeof *ret->keys)) == NULL)
        d->rc = fault_memory(d->f);
    json_array_foreach(list, i, item)
    {
        if (d->rc)
            break;
        d->json = item;
        read_key(d, &after, &ret->keys[ret->key_count++]);
    }
    d->json = outer;
}

enum outcome drill_parse(struct span bytes, struct drill *ret, struct fault *f)
{
    struct drill r = {.key_count = 0};
    struct document d = {.f = f};
    d.rc = json_parse_canonical(bytes, &d.json, f);
    document_type(&d, DRILL_TYPE, "challenge estate keys nonce serial signature site token type");
    document_digest(&d, "challenge", &r.challenge);
    document_digest(&d, "estate", &r.estate);
    document_digest(&d, "nonce", &r.nonce);
    document_text(&d, "serial", r.serial, sizeof r.serial);
    document_text(&d, "site", r.site, sizeof r.site);
    document_text(&d, "token", r.token, sizeof r.token);
    document_hex(&d, "signature", &r.signature, LIMIT_ATTRIBUTE);
    read_keys(&d, &r);
    json_decref(d.json);
    if (d.rc) {
        drill_clear(&r);
        return fault_context(f, "drill");
    }
    *ret = r;
    return OK;
}

enum outcome drill_verify(const struct drill *d, const struct site_question *asked, struct fault *f)
{
    struct digest digest;
    const struct site_question answered = {d->estate, d->challenge, d->token, d->site, d->serial, {NULL, 0}};
    enum outcome rc = drill_digest(d, &digest, f);
    return rc ? rc : question_answered(asked, "drill", &answered, &digest, buf_span(&d->signature), f);
}

enum outcome drill_key_verify(const struct drill *d, const struct drill_key *k, struct span public_key, bool signs,
                              struct fault *f)
{
    struct digest fingerprint, digest;
    bool by_signature = !strcmp(k->proof, "signature");
    if (k->proof[0] == '\0')
        return fault_set(f, E_REFUSED, "%s", k->reason ? k->reason : "it did not prove itself");
    if (!by_signature && signs && public_key.len > 0)
        return fault_set(f, E_REFUSED, "a key that signs did not sign");
    if (!by_signature)
        return OK;
    if (public_key.len == 0)
        return fault_set(f, E_REFUSED, "it has a signature that no public key can verify");
    if (!digest_one(&fingerprint, public_key) || !drill_statement_digest(d, &fingerprint, &digest))
        return fault_set(f, E_IO, "libcrypto cannot hash");
    return digest_signature_verify(public_key, &digest, buf_span(&k->proof_signature), f);
}
