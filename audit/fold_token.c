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
