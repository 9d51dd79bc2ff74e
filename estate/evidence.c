#include "estate/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "estate/cosigned.h"

static void site_fact_fill(const struct state *s, const char *token, const char *site, struct site_fact *ret)
{
    const struct state_site *known = state_site(s, token, site);

    *ret = (struct site_fact){.token = token, .site = site, .country = ""};
    if (known == NULL)
        return;
    ret->enrolled = true;
    ret->hardware = known->hardware;
    ret->drilled = known->drilled;
    ret->placed = known->placed;
    ret->away = known->away;
    if (!known->placed)
        return;
    /* As the fold read them when they arrived. */
    ret->placed =
        degrees_parse(known->latitude, 90, &ret->latitude) && degrees_parse(known->longitude, 180, &ret->longitude);
    ret->country = known->country;
    ret->tags = &known->tags;
    ret->at_home = strcmp(known->place, site) == 0;
}

/* A provisional key: the request names it by its fingerprint, which no other has. */
static void awaited_fill(const struct state *s, const struct subject *subject, struct evidence_base *ret)
{
    const char *named = subject->operation == OP_USE ? json_string_or_null(subject->json, "key") : NULL;

    for (size_t i = 0; named != NULL && subject->token != NULL && i < s->awaited_count; i++) {
        const struct state_key *k = &s->awaited[i];
        const struct state_intent *intent = state_intent(s, k->intent);

        if (intent == NULL || intent->state != INTENT_PROVISIONAL || strcmp(k->token, subject->token) != 0 ||
            strcmp(k->label, subject->label) != 0 || strcmp(digest_hex(&k->fingerprint).hex, named) != 0)
            continue;
        ret->key = (struct key_fact){.born = k->born,
                                     .seq = k->seq,
                                     .sites = &k->sites,
                                     .provisional = true,
                                     .until = intent->until,
                                     .ceremony = state_intent_ceremony(intent)};
        ret->has_key = true;
    }
}

enum outcome evidence_gather(const struct state *s, const struct policy *p, const struct subject *subject,
                             struct evidence_base *ret, struct fault *f)
{
    struct evidence_base base = {0};
    size_t count = 0;

    for (size_t i = 0; i < p->token_count; i++)
        count += 1 + p->tokens[i].replicas.count;
    base.sites = calloc(count + 1, sizeof *base.sites);
    if (base.sites == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < p->token_count; i++) {
        const struct token *t = &p->tokens[i];

        site_fact_fill(s, t->id, t->primary, &base.sites[base.site_count++]);
        for (size_t j = 0; j < t->replicas.count; j++)
            site_fact_fill(s, t->id, t->replicas.items[j], &base.sites[base.site_count++]);
    }
    for (size_t i = 0; subject->operation == OP_USE && subject->token != NULL && i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];

        if (k->destroyed || strcmp(k->token, subject->token) != 0 || strcmp(k->label, subject->label) != 0)
            continue;
        base.key = (struct key_fact){.born = k->born, .seq = k->seq, .sites = &k->sites};
        base.has_key = true;
    }
    awaited_fill(s, subject, &base);
    base.suspended = state_suspended(s, subject->token, subject->label);
    base.cosigned = cosigned_size(s, &p->cosigners);
    *ret = base;
    return OK;
}

void evidence_clear(struct evidence_base *b)
{
    free(b->sites);
    *b = (struct evidence_base){0};
}
