#include <stdlib.h>
#include <string.h>

#include "audit/fold.h"

void fold_request(struct fold *x)
{
    fold_members(x, "expires ?label operation request rule subject ?token");
    struct digest id = fold_digest(x, "request"), subject = fold_digest(x, "subject");
    moment expires = fold_moment(x, "expires");
    const char *operation = fold_text(x, "operation"), *rule = fold_text(x, "rule");
    const char *token = fold_optional(x, "token"), *label = fold_optional(x, "label");
    if (state_request(x->look, &id))
        fold_fail(x, "this request is in the log already");
    if (expires <= x->e->time)
        fold_fail(x, "the request is born expired");
    if (!fold_goes(x))
        return;
    struct state *s = x->s;
    struct state_request *items = fold_room(x, s->requests, s->request_count, sizeof *items);
    if (!items)
        return;
    s->requests = items;
    items[s->request_count++] = (struct state_request){
        .id = id,
        .subject = subject,
        .operation = fold_copy(x, operation),
        .token = fold_copy(x, token),
        .label = fold_copy(x, label),
        .rule = fold_copy(x, rule),
        .made = x->e->time,
        .expires = expires,
        .seq = x->e->seq,
    };
    if (!map_put(&s->request_index, &id, s->request_count - 1))
        fold_memory(x);
}

/* A signature counts once: the same file under another name, or read again, is nothing new. */
static void check_new_vote(struct fold *x, const struct state_request *r, const struct state_vote *v)
{
    for (size_t i = 0; r && i < r->vote_count; i++)
        if (r->votes[i].rejection == v->rejection && digest_equal(&r->votes[i].signature, &v->signature))
            fold_fail(x, "this signature is in the log already");
}

const struct state_vote *state_approval(const struct state_request *r, const struct digest *certificate)
{
    for (size_t i = r->vote_count; i-- > 0;)
        if (!r->votes[i].rejection && digest_equal(&r->votes[i].certificate, certificate))
            return &r->votes[i];
    return NULL;
}

/* Who approves again says which approval is renewed: their last one. */
static void check_renewed(struct fold *x, const struct state_request *r, const struct state_vote *v)
{
    struct digest renews = fold_digest(x, "renews");
    const struct state_vote *last = r ? state_approval(r, &v->certificate) : NULL;
    if (!last || !digest_equal(&last->signature, &renews))
        fold_fail(x, "it does not renew the last approval with that certificate");
}

static void add_vote(struct fold *x, bool rejection)
{
    struct state_vote v = {
        .rejection = rejection,
        .certificate = fold_digest(x, "certificate"),
        .public_key = fold_digest(x, "public-key"),
        .signature = fold_digest(x, "signature"),
        .at = x->e->time,
        .seq = x->e->seq,
    };
    const char *person = fold_text(x, "person"), *reason = rejection ? fold_text(x, "reason") : NULL;
    struct state_request *r = fold_live_request(x, NULL);
    check_new_vote(x, r, &v);
    if (fold_has(x, "renews"))
        check_renewed(x, r, &v);
    if (!fold_goes(x))
        return;
    struct state_vote *items = fold_room(x, r->votes, r->vote_count, sizeof *items);
    if (!items)
        return;
    r->votes = items;
    v.person = fold_copy(x, person);
    v.reason = fold_copy(x, reason);
    items[r->vote_count++] = v;
}

void fold_approval(struct fold *x)
{
    fold_members(x, "certificate person public-key ?renews request signature");
    add_vote(x, false);
}

void fold_rejection(struct fold *x)
{
    fold_members(x, "certificate document person public-key reason request signature");
    fold_digest(x, "document");
    add_vote(x, true);
}

static void refuse_subject(struct fold *x, const struct digest *subject)
{
    struct state *s = x->s;
    if (state_was_refused(s, subject))
        return;
    struct digest *items = fold_room(x, s->refused, s->refused_count, sizeof *items);
    if (!items)
        return;
    s->refused = items;
    items[s->refused_count++] = *subject;
    if (!map_put(&s->refused_index, subject, s->refused_count - 1))
        fold_memory(x);
}

void fold_refused(struct fold *x)
{
    fold_members(x, "?closed findings ?label operation ?request requester subject ?token");
    struct digest subject = fold_digest(x, "subject");
    const char *closed = fold_optional(x, "closed");
    fold_texts(x, "findings");
    fold_text(x, "operation");
    fold_text(x, "requester");
    fold_optional(x, "label");
    fold_optional(x, "token");
    struct state_request *r = NULL;
    if (fold_has(x, "request")) {
        struct digest id = fold_digest(x, "request");
        r = state_request(x->look, &id);
        if (!r || !digest_equal(&r->subject, &subject))
            fold_fail(x, "no request has this id and subject");
    }
    bool rejected = closed && !strcmp(closed, "rejected"), expired = closed && !strcmp(closed, "expired");
    if (closed && !rejected && !expired)
        fold_fail(x, "a request is closed as rejected or as expired, not as \"%s\"", closed);
    if (closed && (!r || r->state != REQUEST_PENDING))
        fold_fail(x, "only a pending request can be closed");
    if (!fold_goes(x))
        return;
    if (closed && r) {
        r->state = rejected ? REQUEST_REJECTED : REQUEST_VOID;
        r->why = fold_copy(x, closed);
    } else if (!r) {
        refuse_subject(x, &subject);
    }
}
