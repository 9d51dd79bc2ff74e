#include <stdlib.h>
#include <string.h>

#include "audit/fold.h"

void fold_site_add(struct fold *x, struct strings *sites, const char *site)
{
    if (!strings_have(sites, site) && !strings_add(sites, site))
        fold_memory(x);
}

void fold_site_remove(struct strings *sites, const char *site)
{
    for (size_t i = 0; i < sites->count; i++) {
        if (strcmp(sites->items[i], site) != 0)
            continue;
        free(sites->items[i]);
        sites->items[i] = sites->items[--sites->count];
        return;
    }
}

void fold_cleared(struct fold *x, struct state_intent *i, const char *site)
{
    fold_site_remove(&i->orphans, site);
    for (size_t k = 0; !strcmp(i->operation, "retire-site") && k < x->s->key_count; k++)
        if (!strcmp(x->s->keys[k].token, i->token))
            fold_site_remove(&x->s->keys[k].retired, site);
}

/* Since people decided, every other site of the token has proven every key that it holds. */
static void check_others(struct fold *x, const struct state_site *s, uint64_t since)
{
    for (size_t i = 0; i < x->look->site_count; i++) {
        const struct state_site *o = &x->look->sites[i];
        if (o != s && !o->retired && !strcmp(o->token, s->token) && (o->drilled == 0 || o->drill < since))
            fold_fail(x, "the site \"%s\" was not drilled since that was decided", o->site);
    }
}

static void check_keys(struct fold *x, const struct state_site *s)
{
    for (size_t i = 0; i < x->look->key_count; i++) {
        const struct state_key *k = &x->look->keys[i];
        size_t elsewhere = 0;
        for (size_t n = 0; n < k->sites.count; n++)
            elsewhere +=
                strcmp(k->sites.items[n], s->site) != 0 && state_site(x->look, k->token, k->sites.items[n]) != NULL;
        if (state_key_at(k, s->token, s->site) && elsewhere == 0)
            fold_fail(x, "no other site holds the key \"%s\"", k->label);
    }
}

void fold_site_retired(struct fold *x)
{
    fold_members(x, "request site token verdict");
    fold_verdict(x);
    struct state_site *s = fold_site(x, fold_text(x, "token"), fold_text(x, "site"));
    struct state_request *r = fold_live_request(x, "retire-site");
    struct state_intent *i = r && r->state == REQUEST_INTENT ? state_intent(x->look, r->intent) : NULL;
    const char *named = i ? json_string_or_null(i->body, "site") : NULL;
    if (!i || i->state != INTENT_OPEN || !s || !named || strcmp(named, s->site) != 0 || !i->token ||
        strcmp(i->token, s->token) != 0)
        fold_fail(x, "no open intent is to retire this site");
    if (!x->rc && s && i) {
        check_others(x, s, i->seq);
        check_keys(x, s);
    }
    if (!fold_goes(x) || !s || !i)
        return;
    fold_spend(x, r);
    s->retired = true;
    for (size_t k = 0; k < x->s->key_count; k++) {
        struct state_key *key = &x->s->keys[k];
        bool left = key->destroyed && !strcmp(key->token, s->token) && strings_have(&key->retired, s->site);
        if (!left && !state_key_at(key, s->token, s->site))
            continue;
        fold_site_remove(&key->sites, s->site);
        fold_site_add(x, &key->retired, s->site);
        fold_site_add(x, &i->orphans, s->site);
    }
}
