#include <stdlib.h>
#include <string.h>

#include "audit/fold.h"

/* Which of its sites stands for a token. */

static struct state_token *token_want(struct fold *x, const char *token)
{
    struct state *s = x->s;
    struct state_token *known = state_token(s, token);
    if (known)
        return known;
    struct state_token *items = fold_room(x, s->tokens, s->token_count, sizeof *items);
    if (!items)
        return NULL;
    s->tokens = items;
    items[s->token_count] = (struct state_token){.token = fold_copy(x, token)};
    return x->rc ? NULL : &items[s->token_count++];
}

void fold_failover(struct fold *x)
{
    fold_members(x, "reason site token");
    const char *token = fold_text(x, "token"), *site = fold_text(x, "site"), *reason = fold_text(x, "reason");
    fold_site(x, token, site);
    const struct state_token *before = state_token(x->look, token);
    if (before && before->serving && !strcmp(before->serving, site))
        fold_fail(x, "\"%s\" serves \"%s\" already", site, token);
    struct state_token *t = fold_goes(x) ? token_want(x, token) : NULL;
    if (!t)
        return;
    free(t->serving);
    free(t->serving_reason);
    t->serving = fold_copy(x, site);
    t->serving_reason = fold_copy(x, reason);
    t->serving_seq = x->e->seq;
}

void fold_promoted(struct fold *x)
{
    fold_members(x, "request site token verdict");
    const char *token = fold_text(x, "token"), *site = fold_text(x, "site");
    fold_verdict(x);
    fold_site(x, token, site);
    struct state_request *r = fold_live_request(x, "promote");
    const struct state_intent *i = r && r->state == REQUEST_INTENT ? state_intent(x->look, r->intent) : NULL;
    if (!i || i->state != INTENT_OPEN || !i->token || strcmp(i->token, token) != 0)
        fold_fail(x, "no open intent is to promote a site of this token");
    struct state_token *t = fold_goes(x) ? token_want(x, token) : NULL;
    if (!t)
        return;
    fold_spend(x, r);
    free(t->promoted);
    free(t->serving);
    free(t->serving_reason);
    t->promoted = fold_copy(x, site);
    t->serving = t->serving_reason = NULL;
}
