#include <string.h>

#include "core/encode.h"
#include "module/courier.h"
#include "module/site_exchange.h"
#include "module/visit.h"

/* Visits by messenger: what comes back is believed as far as the site's identity key signed it. */

enum outcome site_exchange(const struct strings *courier, struct span message, unsigned seconds,
                           const struct digest *estate, enum message_kind kind, const char *token, const char *site,
                           struct site_answer *ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_ANSWER);
    struct site_answer a = {.kind = MESSAGE_KINDS};
    struct fault said = {OK, ""};
    enum outcome outcome = courier_run(courier, message, seconds, &bytes, f);
    enum outcome read = bytes.len > 0 ? answer_read(buf_span(&bytes), estate, kind, token, site, &a, &said) : OK;
    if (outcome != OK)
        fault_context(f, "%s at %s", token, site);
    if (read == E_REFUSED || (outcome == OK && read != OK)) {
        outcome = read;
        *f = said;
    }
    if (outcome == OK) {
        *ret = a;
        a = (struct site_answer){.kind = MESSAGE_KINDS}; /* taken by *ret */
    }
    site_answer_clear(&a);
    buf_free(&bytes);
    return outcome;
}

static enum outcome exchange(struct visit *v, enum message_kind kind, struct site_answer *ret, struct fault *f)
{
    enum outcome outcome = site_exchange(&v->bound.courier, buf_span(&v->message), v->within, &v->estate, kind,
                                         v->token, v->bound.site, ret, f);
    if (outcome == OK) {
        v->seen = ret->seen;
        v->root = ret->root;
    }
    return outcome;
}

/* The member `name` is the identity key's signature over this digest; it is appended to ret. */
static enum outcome signature_take(const struct visit *v, const json_t *json, const char *name,
                                   const struct digest *digest, struct buf *ret, struct fault *f)
{
    const char *hex = NULL;
    enum outcome outcome = json_want_string(json, name, &hex, f);
    if (outcome == OK)
        outcome = hex_parse_buf(hex, ret, f);
    if (outcome == OK)
        outcome = digest_signature_verify(buf_span(&v->pinned.identity), digest, buf_span(ret), f);
    if (outcome != OK)
        fault_context(f, "%s at %s: the HSM does not answer with its identity key", v->token, v->bound.site);
    return outcome;
}

static enum outcome not_enrolled(const struct visit *v, struct fault *f)
{
    return fault_set(f, E_REFUSED, "%s at %s is not enrolled: run `quorate enrol`", v->token, v->bound.site);
}

enum outcome courier_ready(struct visit *v, struct fault *f)
{
    struct site_answer a = {.kind = MESSAGE_KINDS};
    struct digest answered, digest;
    if (v->serial == NULL)
        return not_enrolled(v, f);
    buf_clear(&v->answer);
    enum outcome outcome = exchange(v, MESSAGE_CHALLENGE, &a, f);
    if (outcome == OK)
        outcome = json_want_digest(a.json, "challenge", &answered, f);
    if (outcome == OK && !digest_equal(&answered, &v->challenge))
        outcome = fault_set(f, E_REFUSED, "%s at %s: the answer is to another challenge: an old one comes again",
                            v->token, v->bound.site);
    if (outcome == OK && !challenge_digest(&v->estate, v->token, v->bound.site, &v->challenge, &digest))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = signature_take(v, a.json, "answer", &digest, &v->answer, f);
    site_answer_clear(&a);
    return outcome;
}

enum outcome courier_take(struct visit *v, struct fault *f)
{
    struct site_answer a = {.kind = MESSAGE_KINDS};
    struct buf bytes = BUF(LIMIT_OFFER);
    json_t *receipt = NULL;
    receipt_clear(&v->receipt);
    v->wrapping_unknown = false;
    enum outcome outcome = exchange(v, MESSAGE_OFFER, &a, f);
    if (outcome == OK)
        outcome = json_want_object(a.json, "receipt", &receipt, f);
    if (outcome == OK)
        outcome = json_canonical(receipt, &bytes, f);
    if (outcome == OK)
        outcome = receipt_parse(buf_span(&bytes), &v->receipt, f);
    site_answer_clear(&a);
    buf_free(&bytes);
    return outcome;
}

enum outcome courier_drill(struct visit *v, struct fault *f)
{
    struct site_answer a = {.kind = MESSAGE_KINDS};
    struct buf bytes = BUF(LIMIT_DRILL);
    json_t *receipt = NULL;
    drill_clear(&v->drill);
    enum outcome outcome = exchange(v, MESSAGE_DRILL, &a, f);
    if (outcome == OK)
        outcome = json_want_object(a.json, "receipt", &receipt, f);
    if (outcome == OK)
        outcome = json_canonical(receipt, &bytes, f);
    if (outcome == OK)
        outcome = drill_parse(buf_span(&bytes), &v->drill, f);
    site_answer_clear(&a);
    buf_free(&bytes);
    return outcome;
}

enum outcome courier_list(struct visit *v, struct fault *f)
{
    struct site_question asked = {.estate = v->estate,
                                  .challenge = v->challenge,
                                  .token = v->token,
                                  .site = v->bound.site,
                                  .serial = v->serial,
                                  .identity = buf_span(&v->pinned.identity)};
    struct site_answer a = {.kind = MESSAGE_KINDS};
    json_t *receipt = NULL;
    listing_clear(&v->listing);
    if (v->serial == NULL)
        return not_enrolled(v, f);
    enum outcome outcome = exchange(v, MESSAGE_INVENTORY, &a, f);
    if (outcome == OK)
        outcome = json_want_object(a.json, "receipt", &receipt, f);
    if (outcome == OK)
        outcome = listing_read(receipt, &v->listing, f);
    if (outcome == OK)
        outcome = listing_verify(&v->listing, &asked, f);
    site_answer_clear(&a);
    return outcome;
}

/* The site's signed word of what became of the key there. */
static enum outcome settled(struct visit *v, enum message_kind kind, const char *wanted, struct fault *f)
{
    struct site_answer a = {.kind = MESSAGE_KINDS};
    struct buf signature = BUF(2048);
    const char *what = NULL;
    struct digest digest;
    enum outcome outcome = exchange(v, kind, &a, f);
    if (outcome == OK)
        outcome = json_want_string(a.json, "outcome", &what, f);
    if (outcome == OK && strcmp(what, wanted) != 0)
        outcome = fault_set(f, E_REFUSED, "%s at %s: says \"%.40s\" of a key that is %s", v->token, v->bound.site, what,
                            wanted);
    if (outcome == OK && !settled_digest(&v->estate, v->token, v->bound.site, &v->birth, wanted, &digest))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = signature_take(v, a.json, "signature", &digest, &signature, f);
    buf_free(&signature);
    site_answer_clear(&a);
    return outcome;
}

enum outcome courier_born(struct visit *v, struct fault *f)
{
    return settled(v, MESSAGE_BORN, "born", f);
}

enum outcome courier_withdraw(struct visit *v, struct fault *f)
{
    return settled(v, MESSAGE_WITHDRAW, "withdrawn", f);
}

enum outcome courier_destroy(struct visit *v, struct fault *f)
{
    return settled(v, v->end.kind, "destroyed", f);
}
