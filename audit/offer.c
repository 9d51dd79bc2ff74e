#include <string.h>

#include "audit/document.h"
#include "audit/document_inner.h"
#include "core/encode.h"
#include "core/limits.h"

void document_hex(struct document *d, const char *name, struct buf *ret, size_t max)
{
    const char *text = NULL;
    *ret = BUF(max);
    if (!d->rc)
        d->rc = json_want_string(d->json, name, &text, d->f);
    if (!d->rc && hex_parse_buf(text, ret, d->f))
        d->rc = fault_context(d->f, "the member \"%s\"", name);
    if (!d->rc && ret->len == 0)
        d->rc = fault_set(d->f, E_INVALID, "the member \"%s\" is empty", name);
}

void document_text(struct document *d, const char *name, char *ret, size_t size)
{
    const char *text = NULL;
    if (!d->rc)
        d->rc = json_want_string(d->json, name, &text, d->f);
    if (d->rc)
        return;
    size_t len = strlen(text);
    if (len == 0 || len >= size || !utf8_printable(span_of(text, len)))
        d->rc = fault_set(d->f, E_INVALID, "the member \"%s\" has 1 to %zu printable bytes", name, size - 1);
    else
        memcpy(ret, text, len + 1);
}

void document_digest(struct document *d, const char *name, struct digest *ret)
{
    if (!d->rc)
        d->rc = json_want_digest(d->json, name, ret, d->f);
}

void document_type(struct document *d, const char *type, const char *names)
{
    const char *text = NULL;
    if (!d->rc)
        d->rc = json_members(d->json, names, d->f);
    if (!d->rc)
        d->rc = json_want_string(d->json, "type", &text, d->f);
    if (!d->rc && strcmp(text, type) != 0)
        d->rc = fault_set(d->f, E_INVALID, "the document's type is \"%s\", not \"%s\"", text, type);
}

/* Lengths in front, so that no byte can move from one blob to the other. */
struct digest offer_blob_digest(const struct offer *o)
{
    struct digest d;
    uint8_t length[2][8];
    const size_t lengths[2] = {o->wrapped_key.len, o->wrapped_secret.len};
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 0; n < 8; n++)
            length[i][n] = (uint8_t)((uint64_t)lengths[i] >> (56 - 8 * n));
    digest_of(&d, 4, span_of(length[0], 8), buf_span(&o->wrapped_key), span_of(length[1], 8),
              buf_span(&o->wrapped_secret));
    return d;
}

bool offer_is_clone(const char *mechanism)
{
    return strncmp(mechanism, OFFER_CLONED, sizeof OFFER_CLONED - 1) == 0 &&
           name_valid(mechanism + sizeof OFFER_CLONED - 1);
}

enum outcome offer_mechanism_allowed(const char *mechanism, const struct strings *allowed, struct fault *f)
{
    const char *by_name = offer_is_clone(mechanism)                     ? "cloned"
                          : strcmp(mechanism, "oaep-sha1+aes-kwp") == 0 ? "oaep-sha1"
                                                                        : NULL;
    if (by_name == NULL && strcmp(mechanism, "oaep-sha256+aes-kwp") != 0 &&
        strcmp(mechanism, "rsa-aes-key-wrap-sha256") != 0)
        return fault_set(f, E_REFUSED, "no offer goes by \"%s\"", mechanism);
    if (by_name != NULL && !strings_have(allowed, by_name))
        return fault_set(f, E_REFUSED,
                         "an offer by %s, which the rule does not allow by name (`transport: {allow: [%s]}`)",
                         mechanism, by_name);
    return OK;
}

static bool put_hex_unless_empty(json_t *json, const char *name, const struct buf *b)
{
    return b->len == 0 || json_put_bytes_hex(json, name, buf_span(b));
}

enum outcome offer_compose(const struct offer *o, struct buf *ret, struct fault *f)
{
    enum outcome rc = OK;
    struct buf bytes = BUF(LIMIT_OFFER);
    json_t *json = json_object();
    if (!json_put_string(json, "type", OFFER_TYPE) || !json_put(json, "attributes", json_deep_copy(o->attributes)) ||
        !json_put_digest(json, "challenge", &o->challenge) || !json_put_digest(json, "estate", &o->estate) ||
        !json_put_digest(json, "intent", &o->intent) || !json_put_string(json, "mechanism", o->mechanism) ||
        !json_put_string(json, "site", o->site) || !json_put_string(json, "token", o->token) ||
        !put_hex_unless_empty(json, "wrapped-key", &o->wrapped_key) ||
        !put_hex_unless_empty(json, "wrapped-secret", &o->wrapped_secret) ||
        !put_hex_unless_empty(json, "public-key", &o->public_key) ||
        (o->public_attributes && !json_put(json, "public-attributes", json_deep_copy(o->public_attributes)))) {
        rc = fault_memory(f);
        goto out;
    }
    rc = json_canonical(json, &bytes, f);
    if (rc)
        goto out;
    buf_put(ret, bytes.data, bytes.len);
    rc = ret->failed ? fault_memory(f) : OK;
out:
    json_decref(json);
    buf_free(&bytes);
    return rc ? fault_context(f, "offer to the site \"%s\"", o->site) : OK;
}

static void read_mechanism(struct document *d, struct offer *o)
{
    document_text(d, "mechanism", o->mechanism, sizeof o->mechanism);
    if (d->rc)
        return;
    bool two = !strcmp(o->mechanism, "oaep-sha1+aes-kwp") || !strcmp(o->mechanism, "oaep-sha256+aes-kwp");
    bool has_key = json_object_get(d->json, "wrapped-key") != NULL;
    bool has_secret = json_object_get(d->json, "wrapped-secret") != NULL, clone = offer_is_clone(o->mechanism);
    if (!two && !clone && strcmp(o->mechanism, "rsa-aes-key-wrap-sha256") != 0)
        d->rc = fault_set(d->f, E_INVALID, "unknown wrapping \"%s\"", o->mechanism);
    else if (clone == has_key)
        d->rc = fault_set(d->f, E_INVALID, "\"%s\" does not go with %s wrapped key", o->mechanism, clone ? "a" : "no");
    else if (two != has_secret)
        d->rc = fault_set(d->f, E_INVALID, "\"%s\" does not go with %s wrapped secret", o->mechanism,
                          has_secret ? "a" : "no");
    else if (!clone)
        document_hex(d, "wrapped-key", &o->wrapped_key, LIMIT_BLOB);
    if (!d->rc && two)
        document_hex(d, "wrapped-secret", &o->wrapped_secret, LIMIT_BLOB);
}

static void read_halves(struct document *d, struct offer *o)
{
    bool key = json_object_get(d->json, "public-key") != NULL;
    bool attributes = json_object_get(d->json, "public-attributes") != NULL;
    if (!d->rc && key != attributes)
        d->rc = fault_set(d->f, E_INVALID, "public-key and public-attributes stand together or not at all");
    if (key)
        document_hex(d, "public-key", &o->public_key, LIMIT_ATTRIBUTE);
    if (!d->rc)
        d->rc = json_want_object(d->json, "attributes", &o->attributes, d->f);
    if (!d->rc && attributes)
        d->rc = json_want_object(d->json, "public-attributes", &o->public_attributes, d->f);
    json_incref(o->attributes);
    json_incref(o->public_attributes);
}

enum outcome offer_parse(struct span bytes, struct offer *ret, struct fault *f)
{
    if (bytes.len > LIMIT_OFFER)
        return fault_set(f, E_INVALID, "an offer has at most %u bytes", LIMIT_OFFER);
    struct offer o = {.attributes = NULL};
    struct document d = {.f = f};
    d.rc = json_parse_canonical(bytes, &d.json, f);
    document_type(&d, OFFER_TYPE,
                  "attributes challenge estate intent mechanism ?public-attributes ?public-key site token type "
                  "?wrapped-key ?wrapped-secret");
    document_digest(&d, "estate", &o.estate);
    document_digest(&d, "intent", &o.intent);
    document_digest(&d, "challenge", &o.challenge);
    document_text(&d, "token", o.token, sizeof o.token);
    document_text(&d, "site", o.site, sizeof o.site);
    read_mechanism(&d, &o);
    read_halves(&d, &o);
    json_decref(d.json);
    if (d.rc) {
        offer_clear(&o);
        return fault_context(f, "offer");
    }
    *ret = o;
    return OK;
}

void offer_clear(struct offer *o)
{
    buf_free(&o->wrapped_key);
    buf_free(&o->wrapped_secret);
    buf_free(&o->public_key);
    json_decref(o->attributes);
    json_decref(o->public_attributes);
    *o = (struct offer){.attributes = NULL};
}
