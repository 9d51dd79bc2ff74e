#include "audit/listing.h"

#include <string.h>

#include "audit/document_inner.h"
#include "core/encode.h"
#include "core/limits.h"

void listing_clear(struct listing *l)
{
    json_decref(l->objects);
    json_decref(l->transports);
    buf_free(&l->signature);
    *l = (struct listing){.objects = NULL};
}

static json_t *unsigned_json(const struct listing *l)
{
    json_t *json = json_object();
    if (json_put_digest(json, "challenge", &l->challenge) && json_put_digest(json, "estate", &l->estate) &&
        json_put(json, "objects", json_incref(l->objects)) && json_put_string(json, "serial", l->serial) &&
        json_put_string(json, "site", l->site) && json_put_string(json, "token", l->token) &&
        json_put(json, "transports", json_incref(l->transports)) && json_put_string(json, "type", LISTING_TYPE))
        return json;
    json_decref(json);
    return NULL;
}

enum outcome listing_digest(const struct listing *l, struct digest *ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_ANSWER);
    json_t *json = unsigned_json(l);
    enum outcome rc = json ? json_canonical(json, &bytes, f) : fault_memory(f);
    if (rc && bytes.failed)
        rc = fault_set(f, E_MEMORY, "%s at %s: its objects are more than an answer may hold (%u bytes)", l->token,
                       l->site, LIMIT_ANSWER);
    if (!rc && !digest_of(ret, 2, span_str(LISTING_PREFIX "\n"), buf_span(&bytes)))
        rc = fault_set(f, E_IO, "libcrypto cannot hash");
    json_decref(json);
    buf_free(&bytes);
    return rc;
}

json_t *listing_json(const struct listing *l)
{
    json_t *json = unsigned_json(l);
    if (json && json_put_bytes_hex(json, "signature", buf_span(&l->signature)))
        return json;
    json_decref(json);
    return NULL;
}

static void read_lists(struct document *d, struct listing *ret)
{
    json_t *objects = NULL, *transports = NULL;
    if (!d->rc)
        d->rc = json_want_array(d->json, "objects", &objects, d->f);
    if (!d->rc)
        d->rc = json_want_array(d->json, "transports", &transports, d->f);
    if (!d->rc && json_array_size(objects) > LIMIT_LISTED)
        d->rc = fault_set(d->f, E_INVALID, "more than %u objects", LIMIT_LISTED);
    ret->objects = json_incref(objects);
    ret->transports = json_incref(transports);
}

enum outcome listing_read(const json_t *json, struct listing *ret, struct fault *f)
{
    struct listing l = {.objects = NULL};
    struct document d = {.json = json_incref((json_t *)(uintptr_t)json), .f = f};
    document_type(&d, LISTING_TYPE, "challenge estate objects serial signature site token transports type");
    document_digest(&d, "challenge", &l.challenge);
    document_digest(&d, "estate", &l.estate);
    document_text(&d, "serial", l.serial, sizeof l.serial);
    document_text(&d, "site", l.site, sizeof l.site);
    document_text(&d, "token", l.token, sizeof l.token);
    document_hex(&d, "signature", &l.signature, LIMIT_ATTRIBUTE);
    read_lists(&d, &l);
    json_decref(d.json);
    if (d.rc) {
        listing_clear(&l);
        return fault_context(f, "inventory");
    }
    *ret = l;
    return OK;
}

enum outcome listing_verify(const struct listing *l, const struct site_question *asked, struct fault *f)
{
    struct digest digest;
    const struct site_question answered = {l->estate, l->challenge, l->token, l->site, l->serial, {NULL, 0}};
    enum outcome rc = listing_digest(l, &digest, f);
    return rc ? rc : question_answered(asked, "inventory", &answered, &digest, buf_span(&l->signature), f);
}
