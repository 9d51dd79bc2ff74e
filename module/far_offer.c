#include <string.h>

#include "audit/document.h"
#include "core/limits.h"
#include "module/far.h"
#include "module/recovery.h"
#include "module/site_accept.h"

/* An offer at the far end: what the host's log, the policy, the request and our own log say of it. */

struct taking {
    struct far *x;
    struct offer offer;
    struct digest digest; /* of the offer */
    struct buf bytes;     /* of the offer, canonical */
    const struct state_intent *intent;
    struct request *request;
    const struct rule *rule;
    const struct state_key *key; /* of one that is brought here after its birth; NULL: it is being born */
    struct request *birth;       /* what people approved of that birth */
};

static enum outcome offer_read(struct taking *k, const struct message *m, struct fault *f)
{
    json_t *json = NULL;
    enum outcome outcome = json_want_object(m->json, "offer", &json, f);
    if (outcome == OK)
        outcome = json_canonical(json, &k->bytes, f);
    if (outcome == OK)
        outcome = offer_parse(buf_span(&k->bytes), &k->offer, f);
    if (outcome == OK && !digest_one(&k->digest, buf_span(&k->bytes)))
        outcome = fault_memory(f);
    return outcome;
}

/* Of our token, and to be at our site: what people approved of another token is nothing to this HSM. */
static bool intent_is_ours(const struct taking *k)
{
    const struct state_host *h = k->x->own->state.host;
    json_t *sites = json_object_get(k->intent->body, "sites"), *site = NULL;
    bool here = false;
    size_t i = 0;

    json_array_foreach(sites, i, site) here =
        here || (i > 0 && json_is_string(site) && strcmp(json_string_value(site), h->site) == 0);
    return here && k->intent->token != NULL && strcmp(k->intent->token, h->token) == 0;
}

/* The host's log has begun this birth, for this site, and named exactly this offer: another key inside is another offer. */
static enum outcome intent_find(struct taking *k, struct fault *f)
{
    const char *site = k->x->own->state.host->site;

    k->intent = state_intent_named(&k->x->host->copy->state, &k->offer.intent);
    if (k->intent == NULL)
        return fault_set(f, E_REFUSED, "the host's log has no intent that this offer could be of");
    if (!intent_is_ours(k))
        return fault_set(f, E_REFUSED, "entry %llu of the host's log brings no key to %s at %s",
                         (unsigned long long)k->intent->seq, k->x->own->state.host->token, site);
    bool named = false;
    for (size_t i = 0; i < k->intent->offer_count; i++)
        named = named ||
                (strcmp(k->intent->offers[i].site, site) == 0 && digest_equal(&k->intent->offers[i].offer, &k->digest));
    if (!named)
        return fault_set(f, E_REFUSED,
                         "the host's log does not name this offer to %s: another key is in it than the one logged",
                         site);
    if (k->intent->state != INTENT_OPEN && k->intent->state != INTENT_PROVISIONAL)
        return fault_set(f, E_REFUSED, "the birth of this offer (entry %llu) has ended: it is taken in no more",
                         (unsigned long long)k->intent->seq);
    return OK;
}

/* A key that was born elsewhere: the one that people named, for this site, and what they approved when it was born. */
static enum outcome key_find(struct taking *k, struct fault *f)
{
    const struct state *s = &k->x->host->copy->state;
    const struct subject *asked = k->request->subject;
    const json_t *born = json_object_get(k->intent->body, "born");
    const struct state_intent *birth = NULL;

    k->key = json_is_integer(born) ? state_key_born(s, (uint64_t)json_integer_value(born)) : NULL;
    birth = k->key != NULL && k->key->intent != 0 ? state_intent(s, k->key->intent) : NULL;
    if (birth == NULL || !far_key_named(asked, k->key) || asked->site == NULL ||
        strcmp(asked->site, k->x->own->state.host->site) != 0 || strcmp(asked->label, k->key->label) != 0)
        return fault_set(f, E_REFUSED, "people approved another key, or another site, than this offer is of");
    if (!span_equal(buf_span(&k->key->public_key), buf_span(&k->offer.public_key)))
        return fault_set(f, E_REFUSED, "the offer has another public key than the one that was born");
    return estate_request(k->x->host->copy, &birth->request, &k->birth, f);
}

/* The document that people approved; its digest is the name that the intent gives. */
static enum outcome request_find(struct taking *k, struct fault *f)
{
    const struct policy *policy = k->x->host->copy->policy;
    enum outcome outcome = estate_request(k->x->host->copy, &k->intent->request, &k->request, f);
    if (outcome != OK)
        return outcome;
    if (policy == NULL || !digest_equal(&policy->digest, &k->request->policy))
        return fault_set(f, E_REFUSED, "another policy was adopted since: the birth has to be asked for again");
    k->rule = policy_rule(policy, k->request->rule);
    enum operation op = k->request->subject->operation;
    if (k->rule == NULL || k->rule->effect != EFFECT_REQUIRE || (op != OP_GENERATE && op != OP_REPLICATE))
        return fault_set(f, E_REFUSED, "no rule that requires something governs this birth");
    return op == OP_REPLICATE ? key_find(k, f) : OK;
}

/* The half as people approved it; one that is brought here has the name that it has by now. */
static bool half_fits(const struct taking *k, const json_t *approved, const json_t *offered)
{
    json_t *wanted = json_deep_copy(approved);
    bool named = k->key == NULL || (k->key->label[0] == '\0' && json_object_get(wanted, "CKA_LABEL") == NULL) ||
                 json_put_string(wanted, "CKA_LABEL", k->key->label);
    bool fits = wanted != NULL && named && json_equal(wanted, offered);

    json_decref(wanted);
    return fits;
}

/* What is offered is the key that was approved, wrapped as the rule allows. */
static enum outcome offer_fits(const struct taking *k, struct fault *f)
{
    const struct request *approved = k->birth != NULL ? k->birth : k->request;
    const json_t *templates = json_object_get(approved->subject->json, "templates");
    const json_t *pair = json_object_get(templates, "private");
    const json_t *wanted = pair != NULL ? pair : json_object_get(templates, "key");
    const char *class = k->key != NULL ? k->key->class_name : json_string_or_null(k->intent->body, "class");

    if (wanted == NULL || class == NULL || strcmp(class, pair != NULL ? "private-key" : "secret-key") != 0 ||
        !half_fits(k, wanted, k->offer.attributes) || (pair != NULL) != (k->offer.public_attributes != NULL) ||
        (pair != NULL && !half_fits(k, json_object_get(templates, "public"), k->offer.public_attributes)))
        return fault_set(f, E_REFUSED, "the offer describes another key than the one that people approved");
    if (offer_is_clone(k->offer.mechanism))
        return fault_set(f, E_REFUSED, "the offer brings no key (%s): a clone is looked for by the host alone",
                         k->offer.mechanism);
    return offer_mechanism_allowed(k->offer.mechanism, &k->rule->transport, f);
}

/* The host's clock and ours agree well enough that nobody keeps an intent for later. */
static enum outcome time_fits(const struct taking *k, struct fault *f)
{
    moment now = moment_now(), at = k->intent->at;
    const struct span_of_time deferred =
        policy_receipts(k->x->host->copy->policy, k->rule, k->request->subject)->replicas.deferred;
    bool carried = k->intent->state == INTENT_PROVISIONAL;

    if (carried && (now > k->intent->until + LIMIT_CLOCK || k->intent->until > moment_add(at, deferred)))
        return fault_set(f, E_REFUSED, "the birth waited for its receipts until %s, and it is %s here",
                         moment_format(k->intent->until).text, moment_format(now).text);
    if (at > now + LIMIT_CLOCK || (!carried && now > at + LIMIT_CLOCK))
        return fault_set(f, E_REFUSED,
                         "the birth began at %s by the host's clock, and it is %s here: more than %d seconds apart",
                         moment_format(at).text, moment_format(now).text, LIMIT_CLOCK);
    return OK;
}

static enum outcome not_suspended(const struct taking *k, struct fault *f)
{
    const struct state_host *h = k->x->own->state.host;

    if (!k->rule->while_suspended && (state_suspended(&k->x->host->copy->state, h->token, k->intent->label) ||
                                      state_suspended(&k->x->own->state, h->token, k->intent->label)))
        return fault_set(f, E_REFUSED, "%s is suspended", h->token);
    return OK;
}

/* Earlier attempts of the same request: each must be rolled back by the host's log, and is then cleaned here; a request
 * whose key was born here is spent. */
static enum outcome attempts_settle(const struct taking *k, struct fault *f)
{
    const struct state *own = &k->x->own->state, *host = &k->x->host->copy->state;
    enum outcome outcome = OK;

    for (size_t i = 0; outcome == OK && i < own->taken_count; i++) {
        const struct state_taken *t = &own->taken[i];
        const struct state_intent *earlier = NULL;

        if (!digest_equal(&t->request, &k->intent->request) || t->state == TAKEN_WITHDRAWN)
            continue;
        if (t->state != TAKEN_PENDING)
            return fault_set(f, E_REFUSED, "the request of this offer is spent: its key was born here");
        if (digest_equal(&t->intent, &k->intent->digest)) {
            if (!digest_equal(&t->offer, &k->digest))
                return fault_set(f, E_REFUSED, "another offer of this birth was taken in already");
            continue;
        }
        earlier = state_intent_named(host, &t->intent);
        if (earlier == NULL || earlier->state != INTENT_ROLLED_BACK)
            return fault_set(f, E_REFUSED,
                             "an earlier offer for the same request was taken in here, and the host's log does not say "
                             "that it was rolled back");
        outcome = far_withdraw(k->x, t, f);
    }
    return outcome;
}

static enum outcome taken_log(const struct taking *k, const struct digest *receipt, struct fault *f)
{
    json_t *body = json_object();
    bool good = json_put_digest(body, "offer", &k->digest) && json_put_digest(body, "request", &k->intent->request) &&
                (receipt == NULL || json_put_digest(body, "receipt", receipt));
    if (good)
        return far_log(k->x, ENTRY_TAKEN, &k->intent->digest, body, f);
    json_decref(body);
    return fault_memory(f);
}

/* Takes the key in: our log says so before and after. What an attempt that died left is destroyed first. */
static enum outcome key_take(struct taking *k, bool resumed, struct buf *ret_receipt, struct fault *f)
{
    struct far *x = k->x;
    struct receipt r = {.proof = ""};
    struct buf id = BUF(32), note = BUF(LIMIT_NOTE);
    struct digest digest;
    struct fault ignored = {OK, ""};
    bool unknown = false;
    enum outcome outcome = resumed ? OK : taken_log(k, NULL, f);
    if (outcome == OK)
        outcome = intent_key_id(&k->intent->digest, &id, f);
    if (outcome == OK && resumed)
        outcome = site_destroy(&x->link, buf_span(&id), f);
    if (outcome == OK)
        outcome = log_checkpoint_bytes(x->own->log, &note, f);
    if (outcome == OK)
        outcome = far_transport_for(x, k->intent, f);
    if (outcome == OK) {
        outcome = site_accept(&x->link, &x->keys, &x->own->state.host->estate, &k->offer, &k->digest, buf_span(&note),
                              &r, &unknown, f);
        if (outcome != OK)
            (void)site_destroy(&x->link, buf_span(&id), &ignored);
    }
    if (outcome == OK)
        outcome = receipt_compose(&r, ret_receipt, f);
    if (outcome == OK)
        outcome = estate_keep(x->own, "receipts", ".json", buf_span(ret_receipt), &digest, f);
    if (outcome == OK)
        outcome = taken_log(k, &digest, f);
    receipt_clear(&r);
    buf_free(&id);
    buf_free(&note);
    return outcome;
}

static enum outcome receipt_put(const struct buf *receipt, json_t *more, struct fault *f)
{
    json_t *json = NULL;
    enum outcome outcome = json_parse_canonical(buf_span(receipt), &json, f);
    if (outcome == OK && !json_put(more, "receipt", json))
        outcome = fault_memory(f);
    return outcome;
}

static enum outcome offer_judge(struct taking *k, struct fault *f)
{
    enum outcome outcome = intent_find(k, f);
    if (outcome == OK)
        outcome = request_find(k, f);
    if (outcome == OK)
        outcome = offer_fits(k, f);
    if (outcome == OK)
        outcome = time_fits(k, f);
    if (outcome == OK)
        outcome = not_suspended(k, f);
    if (outcome == OK)
        outcome = far_id_free(k->x, k->intent, f);
    return outcome == OK ? attempts_settle(k, f) : outcome;
}

enum outcome far_offer(struct far *x, const struct message *m, json_t *more, struct fault *f)
{
    struct taking k = {.x = x, .bytes = BUF(LIMIT_OFFER)};
    struct buf receipt = BUF(LIMIT_OFFER);
    const struct digest none = {{0}};
    bool resumed = false;
    enum outcome outcome = offer_read(&k, m, f);
    if (outcome == OK)
        outcome = offer_judge(&k, f);
    const struct state_taken *t = outcome == OK ? state_taken_offer(&x->own->state, &k.digest) : NULL;
    if (t != NULL && t->state != TAKEN_PENDING)
        outcome = fault_set(f, E_REFUSED, "this offer was taken in before, and withdrawn: it is not taken twice");
    else if (t != NULL)
        resumed = true;
    if (outcome == OK && resumed && !digest_equal(&t->receipt, &none))
        outcome = estate_kept(x->own, "receipts", ".json", &t->receipt, &receipt, f);
    else if (outcome == OK)
        outcome = key_take(&k, resumed, &receipt, f);
    if (outcome == OK)
        outcome = receipt_put(&receipt, more, f);
    offer_clear(&k.offer);
    request_free(k.request);
    request_free(k.birth);
    buf_free(&k.bytes);
    buf_free(&receipt);
    return outcome;
}
