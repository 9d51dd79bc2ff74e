#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/fold.h"
#include "audit/note.h"
#include "core/limits.h"

/* The log of a site that is elsewhere: whose site it is, and what it did for that estate. */

void fold_introduced(struct fold *x)
{
    fold_members(x, "environment estate log-key origin request site token verdict");
    struct note_key key = {.name = ""};
    struct digest estate = fold_digest(x, "estate");
    const char *environment = fold_text(x, "environment"), *vkey = fold_text(x, "log-key");
    const char *origin = fold_text(x, "origin"), *token = fold_text(x, "token"), *site = fold_text(x, "site");
    fold_verdict(x);
    struct state_request *r = fold_live_request(x, "adopt-policy");
    if (!x->rc && note_key_parse(vkey, &key, x->f))
        x->rc = x->f->outcome;
    if (strcmp(key.name, origin) != 0)
        fold_fail(x, "the log key is not that of the origin");
    if (!x->rc && strcmp(environment, x->look->environment) != 0)
        fold_fail(x, "this home is for the environment %s, not for %s", x->look->environment, environment);
    if (!x->rc && r && r->state != REQUEST_INTENT)
        fold_fail(x, "nothing decided yet that this is a site of that estate");
    if (x->look->host)
        fold_fail(x, "this home is a site of an estate already");
    if (!fold_goes(x))
        return;
    struct state_host *h = calloc(1, sizeof *h);
    if (!h) {
        fold_memory(x);
        return;
    }
    *h = (struct state_host){.estate = estate,
                             .environment = fold_copy(x, environment),
                             .origin = fold_copy(x, origin),
                             .log_key = fold_copy(x, vkey),
                             .token = fold_copy(x, token),
                             .site = fold_copy(x, site)};
    x->s->host = h;
}

static struct state_host *want_host(struct fold *x)
{
    if (!x->look->host)
        fold_fail(x, "this home was never introduced to an estate");
    return x->look->host;
}

/* What was wrapped for the transport key before may be on its way still; with another identity nothing was. */
static void keep_before(struct state_host *h, bool renewed)
{
    buf_free(&h->transport_before);
    free(h->transport_before_id);
    h->transport_before = renewed ? h->transport : BUF(0);
    h->transport_before_id = renewed ? h->transport_id : NULL;
    if (!renewed)
        return;
    h->transport = BUF(0); /* taken by transport_before, as is its id */
    h->transport_id = NULL;
}

void fold_site_keys(struct fold *x)
{
    struct buf identity = BUF(LIMIT_ATTRIBUTE), transport = BUF(LIMIT_ATTRIBUTE);
    fold_members(x, "identity identity-id transport transport-id");
    fold_hex(x, "identity", &identity);
    fold_hex(x, "transport", &transport);
    const char *identity_id = fold_text(x, "identity-id"), *transport_id = fold_text(x, "transport-id");
    struct state_host *h = want_host(x);
    if (identity.len == 0 || transport.len == 0 || span_equal(buf_span(&identity), buf_span(&transport)))
        fold_fail(x, "identity and transport must be two public keys");
    if (fold_goes(x)) {
        bool renewed = span_equal(buf_span(&h->identity), buf_span(&identity));
        keep_before(h, renewed && !span_equal(buf_span(&h->transport), buf_span(&transport)));
        buf_free(&h->identity);
        buf_free(&h->transport);
        free(h->identity_id);
        free(h->transport_id);
        h->identity = identity;
        h->transport = transport;
        h->identity_id = fold_copy(x, identity_id);
        h->transport_id = fold_copy(x, transport_id);
        identity = transport = BUF(0); /* taken by the host */
    }
    buf_free(&identity);
    buf_free(&transport);
}

/* So much of the host's log was known then. */
static void note_seen(struct fold *x, struct state_host *h)
{
    struct digest root = fold_digest(x, "root");
    uint64_t size = fold_count(x, "size");
    if (h && (size == 0 || size < h->size || (size == h->size && !digest_equal(&root, &h->root))))
        fold_fail(x, "the host's log went back, or is another");
    if (!fold_goes(x) || !h)
        return;
    h->size = size;
    h->root = root;
}

void fold_seen(struct fold *x)
{
    fold_members(x, "root size");
    note_seen(x, want_host(x));
}

/* Twice for an offer: before the key is taken in, and, with the receipt, when it answered. */
void fold_taken(struct fold *x)
{
    fold_members(x, "intent offer ?receipt request root size");
    struct digest intent = fold_digest(x, "intent"), offer = fold_digest(x, "offer"),
                  request = fold_digest(x, "request"), receipt = {{0}};
    bool answered = fold_has(x, "receipt");
    if (answered)
        receipt = fold_digest(x, "receipt");
    struct state_host *h = want_host(x);
    struct state_taken *known = state_taken_offer(x->look, &offer);
    const struct digest none = {{0}};
    if (answered && (!known || known->state != TAKEN_PENDING || !digest_equal(&known->receipt, &none) ||
                     !digest_equal(&known->intent, &intent) || !digest_equal(&known->request, &request)))
        fold_fail(x, "no offer is being taken in that this would be the receipt of");
    if (!answered && known)
        fold_fail(x, "this offer was taken before");
    for (size_t i = 0; !answered && i < x->look->taken_count; i++)
        if (digest_equal(&x->look->taken[i].request, &request) && x->look->taken[i].state != TAKEN_WITHDRAWN)
            fold_fail(x, "an offer for this request was taken before, and not withdrawn");
    note_seen(x, h);
    if (!fold_goes(x))
        return;
    if (known) {
        known->receipt = receipt;
        return;
    }
    struct state *s = x->s;
    struct state_taken *items = fold_room(x, s->taken, s->taken_count, sizeof *items);
    if (!items)
        return;
    s->taken = items;
    items[s->taken_count++] = (struct state_taken){
        .intent = intent, .request = request, .offer = offer, .state = TAKEN_PENDING, .seq = x->e->seq};
}

void fold_settled(struct fold *x)
{
    fold_members(x, "intent outcome root size");
    struct digest intent = fold_digest(x, "intent");
    const char *outcome = fold_text(x, "outcome");
    struct state_host *h = want_host(x);
    bool born = !strcmp(outcome, "born"), withdrawn = !strcmp(outcome, "withdrawn"),
         destroyed = !strcmp(outcome, "destroyed");
    const struct digest none = {{0}};
    const struct state_taken *t = x->rc ? NULL : state_taken(x->look, &intent);
    if (!born && !withdrawn && !destroyed)
        fold_fail(x, "an outcome is born, withdrawn or destroyed, not \"%s\"", outcome);
    if (!t)
        fold_fail(x, "nothing was taken in for this intent");
    else if (born && (t->state != TAKEN_PENDING || digest_equal(&t->receipt, &none)))
        fold_fail(x, "no key of this intent waits to be born");
    else if (withdrawn && t->state != TAKEN_PENDING)
        fold_fail(x, "no key of this intent is pending");
    else if (destroyed && t->state != TAKEN_BORN)
        fold_fail(x, "no key of this intent is born");
    note_seen(x, h);
    if (!fold_goes(x) || !t)
        return;
    enum taken_state before = t->state;
    for (size_t i = 0; i < x->s->taken_count; i++)
        if (digest_equal(&x->s->taken[i].intent, &intent) && x->s->taken[i].state == before)
            x->s->taken[i].state = born ? TAKEN_BORN : withdrawn ? TAKEN_WITHDRAWN : TAKEN_DESTROYED;
}
