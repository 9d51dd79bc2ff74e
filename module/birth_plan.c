#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/birth_work.h"

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
    k->while_suspended = v->rule->while_suspended;
    return k->rule_id != NULL ? OK : fault_memory(f);
}

/* The HSM there is the enrolled one, and says so. */
static enum outcome site_prepare(struct birth_work *k, const char *site, struct site_link *link,
                                 struct site_keys *ret_pinned, struct fault *f)
{
    const struct state_site *enrolled = state_site(&k->estate->state, k->token, site);
    if (enrolled == NULL)
        return fault_set(f, E_REFUSED, "%s at %s is not enrolled: run `quorate enrol`", k->token, site);
    enum outcome outcome = site_keys_pinned(enrolled, ret_pinned, f);
    if (outcome == OK && link->binding == NULL)
        outcome = site_open(k->world, k->token, site, SITE_MODULE, link, f);
    if (outcome == OK)
        outcome = site_ready(link, &k->estate->state.estate, enrolled->serial, ret_pinned, f);
    return outcome;
}

static enum outcome replica_prepare(struct birth_work *k, const char *site, struct fault *f)
{
    struct birth_site s = {.pinned = SITE_KEYS, .link = {.token = k->token}};
    enum outcome outcome = site_prepare(k, site, &s.link, &s.pinned, f);
    if (outcome == OK && ((s.site = strdup(site)) == NULL || (s.serial = strdup(s.link.binding->serial)) == NULL))
        outcome = fault_memory(f);
    if (outcome == OK && k->site_count == LIMIT_SITES - 1)
        outcome = fault_set(f, E_MEMORY, "more than %d replicas", LIMIT_SITES - 1);
    if (outcome == OK) {
        k->sites[k->site_count++] = s;
        return OK;
    }
    free(s.site);
    free(s.serial);
    site_close(&s.link);
    site_keys_clear(&s.pinned);
    return outcome;
}

/* All that qualify take part where they are ready; fewer than the rule asks for: no birth begins. The sites that qualify
 * lie apart from each other as the rule asks, so any of them do. */
static enum outcome replicas_prepare(struct birth_work *k, const struct strings *sites, struct fault *f)
{
    struct buf missing = BUF(700);
    for (size_t i = 0; i < sites->count; i++) {
        struct fault why = {0};
        if (replica_prepare(k, sites->items[i], &why) != OK)
            buf_putf(&missing, "%ssite %s is not ready: %s", missing.len > 0 ? "; " : "", sites->items[i], why.text);
    }
    enum outcome outcome = OK;
    if (k->site_count < k->at_least)
        outcome = fault_set(f, E_DEVICE, "rule \"%s\" (line %u) asks for %u replicas, %zu are ready: %s", k->rule_id,
                            k->rule_line, k->at_least, k->site_count, buf_str(&missing));
    buf_free(&missing);
    return outcome;
}

enum outcome birth_plan(struct birth_work *k, struct fault *f)
{
    struct verdict *verdict = NULL;
    struct site_keys primary = SITE_KEYS;

    enum outcome outcome = estate_judge(k->estate, k->b->request, k->b->context, &verdict, f);
    if (outcome == OK && verdict->decision != DECISION_ALLOW)
        outcome = verdict_refuse(verdict, f);
    if (outcome == OK)
        outcome = rule_keep(k, verdict, f);
    if (outcome != OK)
        goto out;
    outcome = site_prepare(k, k->b->token->primary, &k->primary, &primary, f);
    if (outcome != OK) {
        fault_context(f, "site %s is not ready", k->b->token->primary);
        goto out;
    }
    outcome = replicas_prepare(k, &verdict->sites, f);
out:
    verdict_free(verdict);
    site_keys_clear(&primary);
    return outcome;
}
