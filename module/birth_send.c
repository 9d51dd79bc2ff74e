#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
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

static enum outcome receipt_check(const struct birth_work *k, const struct replica *r, struct fault *f)
{
    const struct visit *v = r->visit;
    enum outcome outcome =
        receipt_verify(&v->receipt, &v->offer, &v->offer_digest, buf_span(&v->pinned.identity), v->serial, f);
    if (outcome != OK)
        return fault_context(f, "the receipt of %s", r->site);
    if (k->prove_signature && k->b->template->pair && strcmp(v->receipt.proof, "signature") != 0)
        return fault_set(f, E_REFUSED, "the replica at %s did not sign, and rule \"%s\" (line %u) asks for that proof",
                         r->site, k->rule_id, k->rule_line);
    return OK;
}

/* All of an offer but what the primary makes: mechanism and blobs. */
static enum outcome offer_describe(const struct birth_work *k, struct visit *v, struct fault *f)
{
    const struct key_template *t = k->b->template;
    struct offer o = {.estate = k->estate->state.estate,
                      .intent = k->intent_digest,
                      .wrapped_key = BUF(LIMIT_BLOB),
                      .wrapped_secret = BUF(LIMIT_BLOB),
                      .public_key = BUF(LIMIT_ATTRIBUTE)};
    enum outcome outcome = OK;

    if ((size_t)snprintf(o.token, sizeof o.token, "%s", k->token) >= sizeof o.token ||
        (size_t)snprintf(o.site, sizeof o.site, "%s", v->bound.site) >= sizeof o.site)
        outcome = fault_set(f, E_INVALID, "the names of token and site are too long");
    buf_put(&o.public_key, k->spki.data, k->spki.len);
    if (outcome == OK)
        outcome = template_to_json(&t->secret, &o.attributes, f);
    if (outcome == OK && t->pair)
        outcome = template_to_json(&t->public, &o.public_attributes, f);
    if (outcome == OK && !random_bytes(o.challenge.bytes, sizeof o.challenge.bytes))
        outcome = fault_set(f, E_IO, "no random bytes from the system");
    if (outcome == OK && o.public_key.failed)
        outcome = fault_memory(f);
    offer_clear(outcome == OK ? &v->offer : &o);
    if (outcome == OK)
        v->offer = o;
    return outcome;
}

/* What the visit to the primary needs besides. */
static enum outcome wrapping_prepare(const struct birth_work *k, struct replica *r, struct fault *f)
{
    struct visit *v = r->visit;
    buf_clear(&v->id);
    buf_put(&v->id, k->id.data, k->id.len);
    v->key = k->session_secret;
    v->sha1_allowed = k->sha1_allowed;
    v->trusted = template_bool(&k->b->template->secret, CKA_WRAP_WITH_TRUSTED, false);
    if (v->rule == NULL && asprintf(&v->rule, "rule \"%s\" (line %u)", k->rule_id, k->rule_line) < 0) {
        v->rule = NULL;
        return fault_memory(f);
    }
    if (v->id.failed)
        return fault_memory(f);
    return r->place != NULL ? OK : wrapping_place_make(&k->primary, k->below, &r->place, f);
}

static enum outcome wrap_prepare(const struct birth_work *k, struct replica *r, enum wrapping from, struct fault *f)
{
    struct visit *v = r->visit;
    if (v == NULL)
        return OK; /* what is begun says why it cannot be */
    v->wrapping_from = from;
    r->wrap_within = site_answers_within(k->world, k->primary.binding->site);
    enum outcome outcome = offer_describe(k, v, f);
    return outcome == OK ? wrapping_prepare(k, r, f) : outcome;
}

static enum outcome wrap_begin(const struct birth_work *k, struct replica *r, enum wrapping from, struct fault *f)
{
    enum outcome outcome = wrap_prepare(k, r, from, f);
    return outcome == OK ? replica_begin(r, VISIT_WRAP, f) : outcome;
}

enum outcome birth_wrap(const struct birth_work *k, struct replica *r, struct fault *f)
{
    enum outcome outcome = wrap_prepare(k, r, WRAPPING_RSA_AES, f);
    return outcome == OK ? replica_visit(r, VISIT_WRAP, f) : outcome;
}

enum outcome birth_prepare(struct birth_work *k, struct fault *f)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < k->replicas.count && outcome == OK; i++) {
        struct replica *r = &k->replicas.items[i];
        if (r->cloned != NULL)
            continue;
        outcome = wrap_prepare(k, r, WRAPPING_RSA_AES, f);
        if (outcome == OK)
            outcome = replica_begin(r, VISIT_WRAP_OPEN, f);
    }
    return outcome;
}

/* First the entry: what leaves here is in the log before it can be anywhere else. */
static enum outcome take_begin(const struct birth_work *k, struct replica *r, struct fault *f)
{
    struct visit *v = r->visit;
    struct buf bytes = BUF(LIMIT_OFFER);
    enum outcome outcome = offer_compose(&v->offer, &bytes, f);
    if (outcome == OK && !digest_one(&v->offer_digest, buf_span(&bytes)))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = offer_log(k, &v->offer, &v->offer_digest, f);
    if (outcome == OK)
        outcome = offer_write(k, &v->offer_digest, buf_span(&bytes), f);
    r->offers++;
    if (outcome == OK && !replica_later(r))
        outcome = replica_begin(r, VISIT_TAKE, f);
    else if (outcome == OK && r->carried && r->offers < 1 + k->spares)
        outcome = wrap_begin(k, r, WRAPPING_RSA_AES, f);
    buf_free(&bytes);
    return outcome;
}

/* Nothing leaves here: the offer says which key the site is to find, and with which challenge it answers. */
static enum outcome clone_offer(const struct birth_work *k, struct replica *r, struct fault *f)
{
    enum outcome outcome = offer_describe(k, r->visit, f);
    if (outcome == OK)
        snprintf(r->visit->offer.mechanism, sizeof r->visit->offer.mechanism, OFFER_CLONED "%s", r->cloned);
    return outcome == OK ? take_begin(k, r, f) : outcome;
}

/* A site that does not know how the key was wrapped is offered it in a weaker way, where there is one and the rule allows
 * it. */
static bool weaker_begin(const struct birth_work *k, struct replica *r)
{
    struct fault ignored = {0};
    if (r->visit == NULL || !r->visit->wrapping_unknown)
        return false;
    enum wrapping weaker = wrapping_parse(r->visit->offer.mechanism) + 1;
    return (weaker < WRAPPING_OAEP_SHA1 || (weaker == WRAPPING_OAEP_SHA1 && k->sha1_allowed)) &&
           wrap_begin(k, r, weaker, &ignored) == OK;
}

/* What follows a visit that went well. */
static enum outcome birth_go_on(const struct birth_work *k, struct replica *r, struct fault *f)
{
    if (r->kind == VISIT_WRAP_OPEN)
        return OK;
    if (r->kind == VISIT_WRAP)
        return take_begin(k, r, f);
    enum outcome outcome = receipt_check(k, r, f);
    if (outcome != OK)
        return outcome;
    return receipt_log(k->estate, k->intent, r->site, &r->visit->offer_digest, &r->visit->receipt, f);
}

/* PKCS#11 has no word for which keys an HSM wraps, or takes in: it is tried. Where it answered, and the key is one that not
 * every HSM knows how to carry, the reason says so. */
static void type_explain(const struct birth_work *k, const struct replica *r, struct fault *f)
{
    const CK_KEY_TYPE edwards = CKK_EC_EDWARDS;
    const CK_ATTRIBUTE *type = template_find(&k->b->template->secret, CKA_KEY_TYPE);
    bool carried = r->kind == VISIT_WRAP || r->kind == VISIT_TAKE;
    if (carried && r->visit != NULL && type != NULL && type->ulValueLen == sizeof edwards &&
        memcmp(type->pValue, &edwards, sizeof edwards) == 0)
        fault_set(
            f, f->outcome,
            "the key of Ed25519 did not come to %s: %.600s; not every HSM wraps such keys, or takes them in: choose "
            "P-256, P-384 or P-521, or replica sites that are cloned to",
            r->site, f->text);
}

/* Waits for visits that are out; what follows them is begun while nothing went wrong. */
static enum outcome visits_follow(struct birth_work *k, enum outcome so_far, struct fault *f)
{
    enum outcome result = so_far, outcome = OK;
    struct fault why = {0};
    struct replica *r = NULL;
    while ((r = replicas_next(&k->replicas, &outcome, &why)) != NULL) {
        if (result != OK || (outcome != OK && r->kind == VISIT_TAKE && weaker_begin(k, r)))
            continue;
        if (outcome == OK)
            outcome = birth_go_on(k, r, &why);
        if (outcome != OK) {
            type_explain(k, r, &why);
            result = outcome;
            *f = why;
        }
    }
    return result;
}

enum outcome birth_send(struct birth_work *k, size_t from, size_t count, struct fault *f)
{
    enum outcome result = visits_follow(k, OK, f);
    for (size_t i = from; i < from + count && result == OK; i++)
        result = k->replicas.items[i].cloned != NULL ? clone_offer(k, &k->replicas.items[i], f)
                                                     : wrap_begin(k, &k->replicas.items[i], WRAPPING_RSA_AES, f);
    return visits_follow(k, result, f);
}
