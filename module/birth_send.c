#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "module/birth_work.h"

static enum outcome offer_log(const struct birth_work *k, const struct offer *o, const struct digest *digest,
                              struct fault *f)
{
    struct digest attributes = {0}, blobs = offer_blob_digest(o);
    json_t *body = json_object();
    enum outcome outcome = json_digest(o->attributes, &attributes, f);
    if (outcome == OK) {
        bool good = json_put_digest(body, "attributes-digest", &attributes) && json_put_digest(body, "blobs", &blobs) &&
                    json_put_digest(body, "challenge", &o->challenge) &&
                    json_put_integer(body, "intent", (int64_t)k->intent) &&
                    json_put_string(body, "mechanism", o->mechanism) && json_put_digest(body, "offer", digest) &&
                    json_put_string(body, "site", o->site);
        if (good && o->public_key.len > 0)
            good = json_put_bytes_hex(body, "public-key", buf_span(&o->public_key));
        outcome = good ? estate_append(k->estate, ENTRY_OFFER, body, NULL, f) : fault_memory(f);
    }
    json_decref(body);
    return outcome;
}

/* It holds a wrapped key: for this user's eyes only, and not for long. */
static enum outcome offer_write(const struct birth_work *k, const struct digest *digest, struct span bytes,
                                struct fault *f)
{
    char name[80];
    snprintf(name, sizeof name, "%s.json", digest_hex(digest).hex);
    char *folder = estate_path(k->estate, "offers", NULL), *path = estate_path(k->estate, "offers", name);
    enum outcome outcome = folder != NULL && path != NULL ? folder_make(folder, 0700, f) : fault_memory(f);
    if (outcome == OK)
        outcome = file_create(path, bytes, 0600, f);
    free(folder);
    free(path);
    return outcome;
}

static enum outcome receipt_log(const struct birth_work *k, const struct offer *o, const struct digest *offer_digest,
                                const struct receipt *r, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_OFFER);
    struct digest digest = {0};
    json_t *body = json_object();
    enum outcome outcome = receipt_compose(r, &bytes, f);
    if (outcome == OK)
        outcome = estate_keep(k->estate, "receipts", ".json", buf_span(&bytes), &digest, f);
    if (outcome == OK) {
        bool good = json_put_integer(body, "intent", (int64_t)k->intent) &&
                    json_put_digest(body, "offer", offer_digest) && json_put_digest(body, "receipt", &digest) &&
                    json_put_string(body, "site", o->site);
        outcome = good ? estate_append(k->estate, ENTRY_RECEIPT, body, NULL, f) : fault_memory(f);
    }
    json_decref(body);
    buf_free(&bytes);
    return outcome;
}

static enum outcome receipt_check(const struct birth_work *k, const struct birth_site *s, const struct offer *o,
                                  const struct digest *offer_digest, const struct receipt *r, struct fault *f)
{
    enum outcome outcome = receipt_verify(r, o, offer_digest, buf_span(&s->pinned.identity), s->serial, f);
    if (outcome != OK)
        return fault_context(f, "the receipt of %s", s->site);
    if (k->prove_signature && k->b->template->pair && strcmp(r->proof, "signature") != 0)
        return fault_set(f, E_REFUSED, "the replica at %s did not sign, and rule \"%s\" (line %u) asks for that proof",
                         s->site, k->rule_id, k->rule_line);
    return OK;
}

enum outcome birth_send(struct birth_work *k, struct birth_site *s, struct fault *f)
{
    struct offer o = {0};
    struct receipt r = {0};
    struct buf bytes = BUF(LIMIT_OFFER);
    struct digest digest = {0};

    enum outcome outcome = birth_offer(k, s, &o, f);
    if (outcome == OK)
        outcome = offer_compose(&o, &bytes, f);
    if (outcome == OK && !digest_one(&digest, buf_span(&bytes)))
        outcome = fault_memory(f);
    /* First the entry: what leaves here is in the log before it can be anywhere else. */
    if (outcome == OK)
        outcome = offer_log(k, &o, &digest, f);
    if (outcome == OK)
        outcome = offer_write(k, &digest, buf_span(&bytes), f);
    if (outcome == OK)
        outcome = site_accept(&s->link, &s->pinned, &k->estate->state.estate, &o, &digest, &r, f);
    if (outcome == OK)
        outcome = receipt_check(k, s, &o, &digest, &r, f);
    if (outcome == OK)
        outcome = receipt_log(k, &o, &digest, &r, f);
    offer_clear(&o);
    receipt_clear(&r);
    buf_free(&bytes);
    return outcome;
}
