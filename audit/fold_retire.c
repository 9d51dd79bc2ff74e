#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/drill.h"
#include "audit/fold.h"
#include "core/digest.h"
#include "core/limits.h"

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

/* Another HSM retired from there too, and nobody knows yet that nothing is left on it. */
static bool others_left(const struct state *s, const char *token, const char *site)
{
    for (size_t n = 0; n < s->intent_count; n++)
        if (!strcmp(s->intents[n].operation, "retire-site") && s->intents[n].token &&
            !strcmp(s->intents[n].token, token) && strings_have(&s->intents[n].orphans, site))
            return true;
    return false;
}

void fold_cleared(struct fold *x, struct state_intent *i, const char *site)
{
    fold_site_remove(&i->orphans, site);
    if (strcmp(i->operation, "retire-site") != 0 || others_left(x->s, i->token, site))
        return;
    for (size_t k = 0; k < x->s->key_count; k++)
        if (!strcmp(x->s->keys[k].token, i->token))
            fold_site_remove(&x->s->keys[k].retired, site);
}

bool state_retirement_challenge(const struct state *s, const struct state_intent *i, const char *site,
                                struct digest *ret)
{
    struct buf keys = BUF(LIMIT_DRILL);
    struct digest where, which;
    buf_puts(&keys, "[");
    for (size_t k = 0; k < s->key_count; k++)
        if (state_key_at(&s->keys[k], i->token, site))
            buf_putf(&keys, "%s%" PRIu64, keys.len > 1 ? "," : "", s->keys[k].seq);
    buf_puts(&keys, "]");
    bool good = !keys.failed && digest_one(&which, buf_span(&keys)) &&
                digest_of(&where, 3, span_str(i->token), span_str("/"), span_str(site)) &&
                digest_of(ret, 5, span_str(RETIREMENT_PREFIX "\n"), span_of(s->estate.bytes, sizeof s->estate.bytes),
                          span_of(where.bytes, sizeof where.bytes), span_of(i->digest.bytes, sizeof i->digest.bytes),
                          span_of(which.bytes, sizeof which.bytes));
    buf_free(&keys);
    return good;
}

static struct state_offer *answer_of(const struct state_intent *i, const char *site)
{
    for (size_t n = 0; n < i->offer_count; n++)
        if (!strcmp(i->offers[n].site, site))
            return &i->offers[n];
    return NULL;
}

bool state_retirement_proven(const struct state *s, const struct state_intent *i, const char *site)
{
    const struct state_offer *answer = answer_of(i, site);
    struct digest wanted;
    return answer && answer->answered && state_retirement_challenge(s, i, site, &wanted) &&
           digest_equal(&wanted, &answer->offer);
}

moment fold_retirement_until(struct fold *x, const char *operation)
{
    if (!fold_has(x, "until"))
        return 0;
    moment until = fold_moment(x, "until");
    if (strcmp(operation, "retire-site") != 0 || !fold_optional(x, "token"))
        fold_fail(x, "it is no retirement, which could wait");
    if (until <= x->e->time || until > x->e->time + (moment)LIMIT_INQUIRY)
        fold_fail(x, "what it waits for may come until then, which is too early or too late");
    return until;
}

static void answer_keep(struct fold *x, struct state_intent *i, const char *site, const struct digest *challenge)
{
    struct state_offer *known = answer_of(i, site),
                       *items = known ? i->offers : fold_room(x, i->offers, i->offer_count, sizeof *items);
    if (!items)
        return;
    i->offers = items;
    if (!known) {
        known = &items[i->offer_count++];
        *known = (struct state_offer){.site = fold_copy(x, site)};
    }
    known->offer = *challenge;
    known->answered = true;
}

void fold_retirements_drilled(struct fold *x, const struct state_site *s, const struct digest *challenge, bool failed)
{
    for (size_t n = 0; n < x->s->intent_count; n++) {
        struct state_intent *i = &x->s->intents[n];
        struct digest wanted;
        if (i->until == 0 || i->state != INTENT_OPEN || strcmp(i->token, s->token) != 0)
            continue; /* only a retirement is open and has until */
        if (failed && answer_of(i, s->site))
            answer_of(i, s->site)->answered = false;
        else if (!failed && state_retirement_challenge(x->s, i, s->site, &wanted) && digest_equal(&wanted, challenge))
            answer_keep(x, i, s->site, challenge);
    }
}

/* Since people decided, every other site of the token has proven every key that it holds: where the intent says until when, for
 * the challenge that derives from it and these keys. */
static void check_others(struct fold *x, const struct state_site *s, const struct state_intent *by)
{
    for (size_t i = 0; i < x->look->site_count; i++) {
        const struct state_site *o = &x->look->sites[i];
        if (o == s || o->retired || strcmp(o->token, s->token) != 0)
            continue;
        if (o->drilled == 0 || o->drill < by->seq || (by->until != 0 && !state_retirement_proven(x->look, by, o->site)))
            fold_fail(x, "the site \"%s\" was not drilled since that was decided, for all that it holds", o->site);
    }
    if (by->until != 0 && x->e->time > by->until)
        fold_fail(x, "its time was over");
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
        check_others(x, s, i);
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
