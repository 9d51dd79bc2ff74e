#include <string.h>

#include "audit/document.h"
#include "audit/document_inner.h"
#include "audit/note.h"
#include "core/limits.h"

bool statement_digest(const struct statement *s, struct digest *ret)
{
    struct digest site;
    return digest_one(&site, span_str(s->site)) &&
           digest_of(ret, 6, span_str(PROOF_PREFIX "\n"), span_of(s->estate.bytes, sizeof s->estate.bytes),
                     span_of(s->offer.bytes, sizeof s->offer.bytes), span_of(site.bytes, sizeof site.bytes),
                     span_of(s->challenge.bytes, sizeof s->challenge.bytes),
                     span_of(s->nonce.bytes, sizeof s->nonce.bytes));
}

bool challenge_digest(const struct digest *estate, const char *token, const char *site, const struct digest *challenge,
                      struct digest *ret)
{
    struct digest where;
    return digest_of(&where, 3, span_str(token), span_str("/"), span_str(site)) &&
           digest_of(ret, 4, span_str(CHALLENGE_PREFIX "\n"), span_of(estate->bytes, sizeof estate->bytes),
                     span_of(where.bytes, sizeof where.bytes), span_of(challenge->bytes, sizeof challenge->bytes));
}

bool settled_digest(const struct digest *estate, const char *token, const char *site, const struct digest *intent,
                    const char *outcome, struct digest *ret)
{
    struct digest where, what;
    return digest_of(&where, 3, span_str(token), span_str("/"), span_str(site)) &&
           digest_one(&what, span_str(outcome)) &&
           digest_of(ret, 5, span_str(SETTLED_PREFIX "\n"), span_of(estate->bytes, sizeof estate->bytes),
                     span_of(where.bytes, sizeof where.bytes), span_of(intent->bytes, sizeof intent->bytes),
                     span_of(what.bytes, sizeof what.bytes));
}

bool transport_digest(const struct digest *estate, const char *token, const char *site, struct span before,
                      struct span next, struct digest *ret)
{
    struct digest where, old, new;
    return digest_of(&where, 3, span_str(token), span_str("/"), span_str(site)) && digest_one(&old, before) &&
           digest_one(&new, next) &&
           digest_of(ret, 5, span_str(TRANSPORT_PREFIX "\n"), span_of(estate->bytes, sizeof estate->bytes),
                     span_of(where.bytes, sizeof where.bytes), span_of(old.bytes, sizeof old.bytes),
                     span_of(new.bytes, sizeof new.bytes));
}

static json_t *receipt_json(const struct receipt *r)
{
    json_t *json = json_object();
    if (json_put_string(json, "type", RECEIPT_TYPE) && json_put_digest(json, "challenge", &r->challenge) &&
        json_put_digest(json, "estate", &r->estate) && json_put_digest(json, "intent", &r->intent) &&
        json_put_digest(json, "nonce", &r->nonce) && json_put_digest(json, "offer", &r->offer) &&
        json_put_string(json, "proof", r->proof) && json_put_string(json, "serial", r->serial) &&
        json_put_string(json, "site", r->site) && json_put_string(json, "token", r->token) &&
        (r->checkpoint.len == 0 || json_put_string(json, "checkpoint", buf_str(&r->checkpoint))) &&
        (r->proof_signature.len == 0 || json_put_bytes_hex(json, "proof-signature", buf_span(&r->proof_signature))))
        return json;
    json_decref(json);
    return NULL;
}

enum outcome receipt_digest(const struct receipt *r, struct digest *ret, struct fault *f)
{
    enum outcome rc = OK;
    struct buf bytes = BUF(LIMIT_OFFER);
    json_t *json = receipt_json(r);
    if (!json) {
        rc = fault_memory(f);
        goto out;
    }
    rc = json_canonical(json, &bytes, f);
    if (rc)
        goto out;
    if (!digest_of(ret, 2, span_str(RECEIPT_PREFIX "\n"), buf_span(&bytes)))
        rc = fault_set(f, E_IO, "libcrypto cannot hash");
out:
    json_decref(json);
    buf_free(&bytes);
    return rc;
}

enum outcome receipt_compose(const struct receipt *r, struct buf *ret, struct fault *f)
{
    enum outcome rc = OK;
    json_t *json = receipt_json(r);
    if (!json || !json_put_bytes_hex(json, "signature", buf_span(&r->signature)))
        rc = fault_memory(f);
    else
        rc = json_canonical(json, ret, f);
    json_decref(json);
    return rc;
}

static void read_proof(struct document *d, struct receipt *r)
{
    document_text(d, "proof", r->proof, sizeof r->proof);
    if (d->rc)
        return;
    bool by_signature = !strcmp(r->proof, "signature");
    bool has = json_object_get(d->json, "proof-signature") != NULL;
    if ((!by_signature && strcmp(r->proof, "attested") != 0) || by_signature != has)
        d->rc = fault_set(d->f, E_INVALID, "a proof is by a signature, then with it, or attested, then without");
    else if (has)
        document_hex(d, "proof-signature", &r->proof_signature, LIMIT_ATTRIBUTE);
}

/* Whose log it is, and that it is a checkpoint; its key is not known here. */
static void read_checkpoint(struct document *d, struct receipt *r)
{
    const char *note = NULL;
    struct checkpoint c;
    r->checkpoint = BUF(LIMIT_NOTE);
    if (d->rc || !json_object_get(d->json, "checkpoint"))
        return;
    d->rc = json_want_string(d->json, "checkpoint", &note, d->f);
    if (!d->rc && checkpoint_peek(span_str(note), &c, d->f))
        d->rc = fault_context(d->f, "the member \"checkpoint\"");
    if (!d->rc)
        buf_puts(&r->checkpoint, note);
    if (!d->rc && r->checkpoint.failed)
        d->rc = fault_memory(d->f);
}

enum outcome receipt_parse(struct span bytes, struct receipt *ret, struct fault *f)
{
    struct receipt r = {.proof = ""};
    struct document d = {.f = f};
    d.rc = json_parse_canonical(bytes, &d.json, f);
    document_type(
        &d, RECEIPT_TYPE,
        "challenge ?checkpoint estate intent nonce offer proof ?proof-signature serial signature site token type");
    document_digest(&d, "challenge", &r.challenge);
    document_digest(&d, "estate", &r.estate);
    document_digest(&d, "intent", &r.intent);
    document_digest(&d, "nonce", &r.nonce);
    document_digest(&d, "offer", &r.offer);
    document_text(&d, "serial", r.serial, sizeof r.serial);
    document_text(&d, "site", r.site, sizeof r.site);
    document_text(&d, "token", r.token, sizeof r.token);
    document_hex(&d, "signature", &r.signature, LIMIT_ATTRIBUTE);
    read_proof(&d, &r);
    read_checkpoint(&d, &r);
    json_decref(d.json);
    if (d.rc) {
        receipt_clear(&r);
        return fault_context(f, "receipt");
    }
    *ret = r;
    return OK;
}

void receipt_clear(struct receipt *r)
{
    buf_free(&r->proof_signature);
    buf_free(&r->checkpoint);
    buf_free(&r->signature);
    *r = (struct receipt){.proof = ""};
}

static enum outcome check_fields(const struct receipt *r, const struct offer *o, const struct digest *offer_digest,
                                 const char *serial, struct fault *f)
{
    const char *wrong = NULL;
    if (!digest_equal(&r->estate, &o->estate))
        wrong = "estate";
    else if (!digest_equal(&r->intent, &o->intent))
        wrong = "intent";
    else if (!digest_equal(&r->offer, offer_digest))
        wrong = "offer";
    else if (!digest_equal(&r->challenge, &o->challenge))
        wrong = "challenge";
    else if (strcmp(r->token, o->token) != 0)
        wrong = "token";
    else if (strcmp(r->site, o->site) != 0)
        wrong = "site";
    else if (strcmp(r->serial, serial) != 0)
        wrong = "serial number";
    if (wrong)
        return fault_set(f, E_REFUSED, "the receipt of the site \"%s\" is for another %s", o->site, wrong);
    return OK;
}

/* Who can sign must. What the rule asks for is compared by the caller; here nobody talks a proof away. */
static enum outcome check_proof(const struct receipt *r, const struct offer *o, struct fault *f)
{
    const char *sign = json_string_or_null(o->attributes, "CKA_SIGN");
    bool able = o->public_key.len > 0 && sign && !strcmp(sign, "true");
    bool signature = !strcmp(r->proof, "signature");
    if (!signature && (able || strcmp(r->proof, "attested") != 0 || r->proof_signature.len != 0))
        return fault_set(f, E_REFUSED, "the replica at the site \"%s\" did not prove itself by a signature", o->site);
    if (!signature)
        return OK;
    struct digest digest;
    struct statement s = {
        .estate = r->estate, .offer = r->offer, .challenge = r->challenge, .nonce = r->nonce, .site = r->site};
    if (o->public_key.len == 0)
        return fault_set(f, E_REFUSED, "the receipt of the site \"%s\" has a signature that no public key can verify",
                         o->site);
    if (!statement_digest(&s, &digest))
        return fault_set(f, E_IO, "libcrypto cannot hash");
    if (digest_signature_verify(buf_span(&o->public_key), &digest, buf_span(&r->proof_signature), f))
        return fault_context(f, "the proof of the replica at the site \"%s\"", o->site);
    return OK;
}

enum outcome receipt_verify(const struct receipt *r, const struct offer *o, const struct digest *offer_digest,
                            struct span identity, const char *serial, struct fault *f)
{
    struct digest digest;
    enum outcome rc = check_fields(r, o, offer_digest, serial, f);
    if (!rc)
        rc = receipt_digest(r, &digest, f);
    if (!rc && digest_signature_verify(identity, &digest, buf_span(&r->signature), f))
        rc = fault_context(f, "the identity signature of the site \"%s\"", o->site);
    return rc ? rc : check_proof(r, o, f);
}
