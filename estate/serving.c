#include "estate/serving.h"

#include <string.h>

static const struct token *named(const struct estate *e, const char *token)
{
    return e->policy != NULL ? policy_token(e->policy, token) : NULL;
}

void promotions_apply(struct policy *p, const struct state *s)
{
    for (size_t i = 0; i < p->token_count; i++) {
        const struct state_token *t = state_token(s, p->tokens[i].id);

        if (t != NULL)
            token_promote(&p->tokens[i], t->promoted);
    }
}

const char *token_primary(const struct estate *e, const char *token)
{
    const struct token *t = named(e, token);

    return t != NULL ? t->primary : "";
}

bool site_stands(const struct estate *e, const char *token, const char *site)
{
    const struct state_site *known = state_site(&e->state, token, site);

    return known != NULL && !known->away;
}

const char *token_serving(const struct estate *e, const char *token)
{
    const struct token *t = named(e, token);
    const struct state_token *s = state_token(&e->state, token);
    const char *serving = s != NULL ? s->serving : NULL;

    if (t == NULL || !t->failover_use || serving == NULL ||
        (strcmp(serving, t->primary) != 0 && !strings_have(&t->replicas, serving)) || !site_stands(e, token, serving))
        return token_primary(e, token);
    return serving;
}
