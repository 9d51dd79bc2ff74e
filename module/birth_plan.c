#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/birth_work.h"
#include "module/head.h"
#include "module/trusted.h"

static enum outcome verdict_refuse(const struct verdict *v, struct fault *f)
{
    struct buf why = BUF(900);
    enum outcome outcome = v->decision == DECISION_PENDING ? E_PENDING : E_REFUSED;
    verdict_put_short(v, &why);
    fault_set(f, outcome, "%s", buf_str(&why));
    buf_free(&why);
    return outcome;
}

static enum outcome rule_keep(struct birth_work *k, const struct verdict *v, struct fault *f)
{
    if (v->rule == NULL || v->rule->effect != EFFECT_REQUIRE)
        return fault_set(f, E_REFUSED, "no rule that requires something governs this birth");
    k->rule_id = strdup(v->rule_id);
    k->rule_line = v->line;
    k->at_least = v->rule->replicas.present ? v->rule->replicas.at_least : 0;
    k->prove_signature = v->rule->replicas.present && v->rule->replicas.prove_signature;
    k->sha1_allowed = strings_have(&v->rule->transport, "oaep-sha1");
    k->clones_allowed = strings_have(&v->rule->transport, "cloned");
    k->while_suspended = v->rule->while_suspended;
    k->deferred = v->rule->replicas.deferred;
    k->spares = v->rule->replicas.spares;
    return k->rule_id != NULL ? OK : fault_memory(f);
}

/* The keys that a key may leave under are there for every site that takes part. */
static enum outcome trusted_ready(const struct birth_work *k, struct fault *f)
{
    CK_OBJECT_HANDLE wrapping = CK_INVALID_HANDLE, transport = CK_INVALID_HANDLE;
    enum outcome outcome = OK;
    if (!template_bool(&k->b->template->secret, CKA_WRAP_WITH_TRUSTED, false))
        return OK;
    for (size_t i = 0; i < k->replicas.count && outcome == OK; i++)
        outcome = trusted_find(&k->primary, &k->estate->state.estate,
                               buf_span(&k->replicas.items[i].visit->pinned.transport), &wrapping, &transport, f);
    return outcome;
}

/* The HSM at the primary is the enrolled one, and says so. */
static enum outcome primary_prepare(struct birth_work *k, struct fault *f)
{
    struct site_keys pinned = SITE_KEYS;
    const char *site = k->b->token->primary;
    const struct state_site *enrolled = state_site(&k->estate->state, k->token, site);
    if (enrolled == NULL)
        return fault_set(f, E_REFUSED, "site %s is not ready: %s at %s is not enrolled: run `quorate enrol`", site,
                         k->token, site);
    enum outcome outcome = site_keys_pinned(enrolled, &pinned, f);
    if (outcome == OK && k->primary.binding == NULL)
        outcome = site_open(k->world, k->token, site, SITE_APPLICATION, &k->primary, f);
    if (outcome == OK)
        outcome = site_ready(&k->primary, &k->estate->state.estate, enrolled->serial, &pinned, f);
    if (outcome != OK)
        fault_context(f, "site %s is not ready", site);
    site_keys_clear(&pinned);
    return outcome;
}

static void missing_put(struct buf *missing, const char *site, const struct fault *why)
{
    buf_putf(missing, "%ssite %s is not ready: %s", missing->len > 0 ? "; " : "", site, why->text);
}

/* One that files are carried to is ready where its receipt may come later: nobody can ask it now. */
static enum outcome carried_prepare(const struct birth_work *k, struct replica *r, struct fault *f)
{
    if (k->deferred.seconds == 0 && k->deferred.months == 0)
        return fault_set(f, E_REFUSED,
                         "files are carried there by people, and rule \"%s\" (line %u) does not say "
                         "`deferred`: no receipt may come later",
                         k->rule_id, k->rule_line);
    if (r->visit->serial == NULL)
        return fault_set(f, E_REFUSED, "%s at %s is not enrolled: run `quorate enrol --carried`", r->token, r->site);
    r->ready = true;
    return OK;
}

/* One that keys are cloned to must be there now too. */
static enum outcome cloned_prepare(const struct birth_work *k, struct replica *r, struct fault *f)
{
    if (!k->clones_allowed)
        return fault_set(f, E_REFUSED,
                         "keys come there by the tools of %s, and rule \"%s\" (line %u) does not say "
                         "`transport: {allow: [cloned]}`",
                         r->cloned, k->rule_id, k->rule_line);
    if (k->deferred.seconds == 0 && k->deferred.months == 0)
        return fault_set(f, E_REFUSED,
                         "keys come there by people, once they are made, and rule \"%s\" (line %u) does not say "
                         "`deferred`: no receipt may come later",
                         k->rule_id, k->rule_line);
    return replica_begin(r, VISIT_READY, f);
}

static enum outcome replica_prepare(const struct birth_work *k, struct replica *r, struct fault *f)
{
    if (r->cloned != NULL)
        return cloned_prepare(k, r, f);
    return r->carried ? carried_prepare(k, r, f) : replica_begin(r, VISIT_READY, f);
}

/* All that qualify take part where they are ready. They are asked first and waited for last, the primary meanwhile. */
static void replicas_ask(struct birth_work *k, const struct strings *sites, struct buf *missing)
{
    struct replica *r = NULL;
    struct fault why = {0};
    for (size_t i = 0; i < sites->count; i++)
        if (replicas_want(&k->replicas, k->world, k->token, sites->items[i], &r, &why) != OK ||
            replica_prepare(k, r, &why) != OK)
            missing_put(missing, sites->items[i], &why);
}

/* Fewer than the rule asks for: no birth begins. The sites that qualify lie apart from each other as the rule asks, so any
 * of them do. */
static enum outcome replicas_count(struct birth_work *k, struct buf *missing, struct fault *f)
{
    struct replicas *all = &k->replicas;
    struct replica *r = NULL;
    struct fault why = {0};
    enum outcome outcome = OK;
    while ((r = replicas_next(all, &outcome, &why)) != NULL) {
        r->ready = outcome == OK;
        if (outcome != OK)
            missing_put(missing, r->site, &why);
    }
    for (size_t i = all->count; i-- > 0;)
        if (!all->items[i].ready)
            replica_drop(all, i);
    k->direct = true;
    for (size_t i = 0; i < all->count; i++)
        k->direct = k->direct && all->items[i].cloned != NULL;
    if (all->count < k->at_least)
        return fault_set(f, E_DEVICE, "rule \"%s\" (line %u) asks for %u replicas, %zu are ready: %s", k->rule_id,
                         k->rule_line, k->at_least, all->count, buf_str(missing));
    return OK;
}

/* Both were waited for; the first that failed says why. */
static enum outcome first_of(enum outcome first, enum outcome second, const struct fault *why, struct fault *f)
{
    if (first == OK && second != OK)
        *f = *why;
    return first != OK ? first : second;
}

enum outcome birth_plan(struct birth_work *k, struct fault *f)
{
    struct verdict *verdict = NULL;
    struct buf missing = BUF(700);
    struct fault why = {0};

    enum outcome outcome = estate_judge(k->estate, k->b->request, k->b->context, &verdict, f);
    if (outcome == OK && verdict->decision != DECISION_ALLOW)
        outcome = verdict_refuse(verdict, f);
    if (outcome == OK)
        outcome = rule_keep(k, verdict, f);
    if (outcome != OK)
        goto out;
    outcome = heads_ask(k->world, k->token, NULL, &k->heads, f);
    replicas_ask(k, &verdict->sites, &missing);
    if (outcome == OK)
        outcome = primary_prepare(k, f);
    outcome = first_of(outcome, replicas_count(k, &missing, &why), &why, f);
    outcome = first_of(outcome, heads_asked(k->world, &k->heads, &why), &why, f);
    /* What hangs in the library of a replica may have the primary's too. */
    if (outcome == OK)
        outcome = lower_answers(k->below, f);
    if (outcome == OK)
        outcome = trusted_ready(k, f);
out:
    verdict_free(verdict);
    buf_free(&missing);
    return outcome;
}
