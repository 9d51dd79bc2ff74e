#include "module/replicate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "estate/serving.h"
#include "module/birth_work.h"
#include "module/cloned.h"
#include "module/head.h"
#include "module/resolution.h"
#include "module/trusted.h"

struct replication {
    struct world *world;
    struct estate *estate;
    const char *token, *label, *site;
    const char *vendor; /* people clone keys to the site with its tools; NULL: they are wrapped for it */
    /* Of the key: a copy of what the state says, for the state moves. */
    uint64_t born;
    struct buf id, spki; /* spki: empty for secret keys */
    struct key_template template;
    struct resolution resolution;
    struct birth birth;
    struct birth_work work;
    struct request *request;
};

/* The one living key of that name. */
static enum outcome key_choose(const struct replication *r, const struct state_key **ret, struct fault *f)
{
    const struct state *s = &r->estate->state;
    const struct state_key *found = NULL;
    for (size_t i = 0; i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];
        if (k->destroyed || strcmp(k->token, r->token) != 0 || strcmp(k->label, r->label) != 0)
            continue;
        if (found != NULL)
            return fault_set(f, E_REFUSED, "more than one key of %s is called \"%s\": rename all but one", r->token,
                             r->label);
        found = k;
    }
    if (found == NULL)
        return fault_set(f, E_ABSENT, "the log knows no living key \"%s\" of %s", r->label, r->token);
    *ret = found;
    return OK;
}

/* People bring it there, by files or by a vendor's tools: the rule of such births lets receipts come later. */
static enum outcome reach_check(const struct replication *r, const struct state_key *k, struct fault *f)
{
    const struct binding *carried = NULL;
    const struct rule *rule = policy_match(r->estate->policy, OP_GENERATE, r->token, k->label, k->class_name, 1);
    bool later = rule != NULL && (rule->replicas.deferred.seconds != 0 || rule->replicas.deferred.months != 0);
    if (later || (r->vendor == NULL && !site_carried(r->world, r->token, r->site, &carried)))
        return OK;
    return fault_set(
        f, E_REFUSED,
        "%s %s by people, and the rule for births of such keys does not say `deferred`: no receipt may come "
        "later",
        r->vendor != NULL ? "keys come with a vendor's tools to" : "files are carried to", r->site);
}

/* What can be known to fail before anybody is asked. */
static enum outcome site_check(const struct replication *r, const struct state_key *k, struct fault *f)
{
    const struct token *t = policy_token(r->estate->policy, r->token);
    const struct binding *binding = NULL;
    enum outcome outcome = OK;
    if (t == NULL || !strings_have(&t->replicas, r->site))
        return fault_set(f, E_ABSENT, "%s is no replica site of %s in the policy in force", r->site, r->token);
    if (state_site(&r->estate->state, r->token, r->site) == NULL)
        return fault_set(f, E_REFUSED, "%s at %s is not enrolled: run `quorate enrol`", r->token, r->site);
    if (state_key_left_at(&r->estate->state, k, r->site))
        return fault_set(f, E_REFUSED,
                         "what %s held of \"%s\" before it retired is not destroyed yet: run `quorate settle`", r->site,
                         r->label);
    if (!strings_have(&k->sites, t->primary))
        return fault_set(f, E_REFUSED, "the primary %s does not hold \"%s\" itself", t->primary, r->label);
    outcome = site_bound(r->world, r->token, t->primary, &binding, f);
    if (outcome == OK)
        outcome = reach_check(r, k, f);
    return outcome != OK || replica_is_far(r->world, r->token, r->site) ||
                   site_carried(r->world, r->token, r->site, &binding)
               ? outcome
               : site_bound(r->world, r->token, r->site, &binding, f);
}

static enum outcome label_now(struct template *t, const char *label, struct fault *f)
{
    return template_find(t, CKA_LABEL) == NULL && label[0] == '\0'
               ? OK
               : template_set(t, CKA_LABEL, label, (CK_ULONG)strlen(label), f);
}

/* The key as people approved it when it was born, under the name that it has now. */
static enum outcome key_read(struct replication *r, const struct state_key *k, struct fault *f)
{
    const struct state_intent *birth = k->intent != 0 ? state_intent(&r->estate->state, k->intent) : NULL;
    struct request *asked = NULL;
    json_t *templates = NULL;
    bool pair = strcmp(k->class_name, "private-key") == 0;
    enum outcome outcome = OK;
    if (birth == NULL || state_intent_plain(birth) || strcmp(birth->operation, operation_name(OP_GENERATE)) != 0 ||
        k->id[0] == '\0')
        return fault_set(f, E_REFUSED, "\"%s\" was not born under a rule that requires something", r->label);
    outcome = estate_request(r->estate, &birth->request, &asked, f);
    if (outcome == OK)
        outcome = json_want_object(asked->subject->json, "templates", &templates, f);
    if (outcome == OK)
        outcome = template_from_json(json_object_get(templates, pair ? "private" : "key"), &r->template.secret, f);
    if (outcome == OK && pair)
        outcome = template_from_json(json_object_get(templates, "public"), &r->template.public, f);
    if (outcome == OK && r->vendor == NULL && !template_bool(&r->template.secret, CKA_WRAP_WITH_TRUSTED, false))
        outcome =
            fault_set(f, E_REFUSED,
                      "\"%s\" cannot leave its HSM: it was not born under `extractable: trusted-wrap-only`", r->label);
    if (outcome == OK)
        outcome = label_now(&r->template.secret, k->label, f);
    if (outcome == OK && pair)
        outcome = label_now(&r->template.public, k->label, f);
    if (outcome == OK)
        outcome = hex_parse_buf(k->id, &r->id, f);
    r->template.pair = pair;
    r->template.label = strdup(k->label);
    buf_put(&r->spki, k->public_key.data, k->public_key.len);
    r->born = k->seq;
    if (outcome == OK && (r->template.label == NULL || r->spki.failed))
        outcome = fault_memory(f);
    request_free(asked);
    return outcome;
}

static enum outcome people_ask(struct replication *r, const struct state_key *k, json_t *report, bool *ret_go,
                               struct fault *f)
{
    char what[2 * LIMIT_NAME + LIMIT_LABEL + 32];
    json_t *subject = asking_subject(r->estate, OP_REPLICATE, r->world->requester);
    bool good = json_put_string(subject, "class", k->class_name) && json_put_string(subject, "label", k->label) &&
                json_put_string(subject, "site", r->site) && json_put_string(subject, "token", r->token) &&
                (k->public_key.len > 0 ? json_put_digest(subject, "key", &k->fingerprint)
                                       : json_put_integer(subject, "born", (int64_t)k->seq));
    snprintf(what, sizeof what, "bringing \"%s\" of %s to %s", r->label, r->token, r->site);
    if (!good) {
        json_decref(subject);
        return fault_memory(f);
    }
    return resolution_ask(r->world, subject, what, &r->resolution, report, ret_go, f);
}

/* The rule that lets it travel, as it was judged a moment ago. */
static enum outcome work_begin(struct replication *r, struct fault *f)
{
    struct birth_work *k = &r->work;
    enum outcome outcome = estate_request(r->estate, &r->resolution.request, &r->request, f);
    const struct rule *rule = outcome == OK ? policy_rule(r->estate->policy, r->request->rule) : NULL;
    if (outcome == OK && rule == NULL)
        outcome = fault_set(f, E_REFUSED, "another policy was adopted: ask again under it");
    if (outcome != OK)
        return outcome;
    const struct rule *receipts = policy_receipts(r->estate->policy, rule, r->request->subject);
    r->birth = (struct birth){.world = r->world,
                              .token = world_token(r->world, r->token),
                              .template = &r->template,
                              .request = r->request,
                              .context = &r->world->context,
                              .rule = rule};
    *k = (struct birth_work){.b = &r->birth,
                             .world = r->world,
                             .estate = r->estate,
                             .token = r->token,
                             .rule_id = strdup(rule->id),
                             .rule_line = rule->line,
                             .at_least = 1,
                             .prove_signature = template_bool(&r->template.secret, CKA_SIGN, false),
                             .sha1_allowed = strings_have(&rule->transport, "oaep-sha1"),
                             .clones_allowed = strings_have(&rule->transport, "cloned"),
                             .while_suspended = rule->while_suspended,
                             .deferred = receipts->replicas.deferred,
                             .spares = receipts->replicas.spares,
                             .id = BUF(32),
                             .spki = BUF(LIMIT_ATTRIBUTE)};
    buf_put(&k->spki, r->spki.data, r->spki.len);
    return k->rule_id != NULL && !k->spki.failed ? OK : fault_memory(f);
}

/* The key on the primary is the one of the log, and as it was judged. */
static enum outcome key_find(struct replication *r, struct fault *f)
{
    struct birth_work *k = &r->work;
    struct buf spki = BUF(LIMIT_ATTRIBUTE);
    bool pair = r->template.pair;
    CK_OBJECT_HANDLE public = CK_INVALID_HANDLE;
    enum outcome outcome =
        site_find_one(&k->primary, pair ? CKO_PRIVATE_KEY : CKO_SECRET_KEY, buf_span(&r->id), &k->session_secret, f);
    if (outcome == OK)
        outcome = site_compare(&k->primary, k->session_secret, &r->template.secret, f);
    if (outcome == OK && pair)
        outcome = site_find_one(&k->primary, CKO_PUBLIC_KEY, buf_span(&r->id), &public, f);
    if (outcome == OK && pair)
        outcome = site_spki(&k->primary, public, &spki, f);
    if (outcome == OK && pair && !span_equal(buf_span(&spki), buf_span(&r->spki)))
        outcome = fault_set(f, E_REFUSED, "another public key than the log knows lies beside it");
    if (outcome != OK)
        fault_context(f, "\"%s\" on %s at the primary", r->label, r->token);
    buf_free(&spki);
    return outcome;
}

/* It may leave for that site: under the keys of the primary's security officer, or as the rule lets a vendor's tools. */
static enum outcome leave_check(struct replication *r, const struct replica *replica, struct fault *f)
{
    const struct birth_work *k = &r->work;
    CK_OBJECT_HANDLE wrapping = CK_INVALID_HANDLE, transport = CK_INVALID_HANDLE;
    if (r->vendor == NULL)
        return trusted_find(&k->primary, &r->estate->state.estate, buf_span(&replica->visit->pinned.transport),
                            &wrapping, &transport, f);
    return k->clones_allowed ? OK
                             : fault_set(f, E_REFUSED,
                                         "keys come to %s by the tools of %s, and rule \"%s\" (line %u) does not say "
                                         "`transport: {allow: [cloned]}`",
                                         r->site, r->vendor, k->rule_id, k->rule_line);
}

/* Both HSMs answer, the log's heads are where they should be, and the key may leave for that site. */
static enum outcome sites_prepare(struct replication *r, struct fault *f)
{
    struct birth_work *k = &r->work;
    const char *primary = token_primary(r->estate, r->token);
    struct replica *replica = NULL;
    bool made = false;
    enum outcome outcome = r->vendor == NULL ? trusted_provide(r->world, r->token, &made, f) : OK;
    if (outcome == OK)
        outcome = heads_check(r->world, r->token, NULL, f);
    if (outcome == OK)
        outcome = replicas_want(&k->replicas, r->world, r->token, r->site, &replica, f);
    if (outcome == OK && !replica->carried)
        outcome = replica_visit(replica, VISIT_READY, f);
    if (outcome == OK)
        outcome = site_answers(r->world, r->token, primary, &k->primary, f);
    if (outcome == OK)
        outcome = world_lower_want(r->world, k->primary.binding->module, &k->below, f);
    if (outcome == OK)
        outcome = leave_check(r, replica, f);
    return outcome == OK ? key_find(r, f) : outcome;
}

static enum outcome intent_begin(struct replication *r, struct fault *f)
{
    struct birth_work *k = &r->work;
    json_t *more = json_object();
    const struct state_intent *i = NULL;
    bool good = json_put_integer(more, "born", (int64_t)r->born) &&
                json_put_bytes_hex(more, "caller-id", buf_span(&r->id)) &&
                json_put(more, "sites", json_pack("[s, s]", k->primary.binding->site, r->site)) &&
                (!replica_later(&k->replicas.items[0]) || json_put(more, "later", json_pack("[s]", r->site)));
    enum outcome outcome = good ? resolution_begin(&r->resolution, more, f) : fault_memory(f);
    json_decref(more);
    if (outcome != OK)
        return outcome;
    k->intent = r->resolution.intent;
    k->intended = true;
    r->resolution.open = false; /* from here on what ends it withdraws first */
    i = state_intent(&r->estate->state, k->intent);
    if (i == NULL)
        return fault_set(f, E_IO, "the log does not show the intent that was just written");
    k->intent_digest = i->digest;
    return intent_key_id(&i->digest, &k->id, f);
}

/* What people have to do now: the receipt of this site is awaited. */
static enum outcome awaited_report(const struct replication *r, const struct state_intent *i, json_t *report,
                                   struct fault *f)
{
    const char *primary = json_string_value(json_array_get(json_object_get(i->body, "sites"), 0));
    struct buf todo = BUF(1200), id = BUF(LIMIT_LABEL);
    enum outcome outcome = intent_id_at(r->world, i, r->site, &id, f);
    buf_putf(&todo, "the receipt of %s is awaited until %s", r->site, moment_format(i->until).text);
    if (r->vendor != NULL)
        cloned_todo(&todo, buf_span(&id), primary != NULL ? primary : "", r->site, r->vendor);
    else
        buf_putf(
            &todo,
            "; `quorate offer export %s` makes the files to carry, `quorate receipt import` takes in what comes back",
            r->site);
    if (outcome == OK &&
        (todo.failed || !json_put_string(report, "missing", buf_str(&todo)) ||
         !json_put_digest(report, "request", &i->request) || !json_put_string(report, "status", "provisional")))
        outcome = fault_memory(f);
    buf_free(&todo);
    buf_free(&id);
    return outcome;
}

/* It is on its way there already: a clone is looked for, of what is carried it is said how. */
static enum outcome awaited_collect(const struct replication *r, const struct state_intent *i, json_t *report,
                                    struct fault *f)
{
    enum outcome outcome = r->vendor != NULL ? cloned_collect(r->world, i->seq, f) : E_PENDING;
    if (outcome == E_PENDING)
        return awaited_report(r, i, report, f);
    return outcome == OK && !json_put_string(report, "status", "replicated") ? fault_memory(f) : outcome;
}

/* People bring it there: the offers are in the log, the receipt comes later. */
static enum outcome receipt_await(struct replication *r, json_t *report, struct fault *f)
{
    struct birth_work *k = &r->work;
    const struct state_intent *i = state_intent(&r->estate->state, k->intent);
    struct strings sites = {0};
    moment until = i != NULL ? moment_add(i->at, k->deferred) : 0;
    enum outcome outcome = strings_add(&sites, r->site) ? OK : fault_memory(f);
    if (outcome == OK)
        outcome = intent_provisional(r->estate, k->intent, &sites, until, span_of(NULL, 0), f);
    k->awaited = outcome == OK;
    if (outcome == OK)
        outcome = awaited_report(r, state_intent(&r->estate->state, k->intent), report, f);
    strings_free(&sites);
    return outcome;
}

static enum outcome replicated_log(struct replication *r, json_t *report, struct fault *f)
{
    enum outcome outcome = intent_replicated(r->estate, r->work.intent, f);
    r->work.held = outcome == OK;
    return outcome == OK && !json_put_string(report, "status", "replicated") ? fault_memory(f) : outcome;
}

/* It is on its way there already. */
static const struct state_intent *awaited_find(const struct replication *r, const struct state_key *k)
{
    const struct state *s = &r->estate->state;
    for (size_t n = s->intent_count; n-- > 0;) {
        const struct state_intent *i = &s->intents[n];
        if (i->state == INTENT_PROVISIONAL && strcmp(i->operation, operation_name(OP_REPLICATE)) == 0 &&
            (uint64_t)json_integer_value(json_object_get(i->body, "born")) == k->seq &&
            strings_have(&i->offered, r->site))
            return i;
    }
    return NULL;
}

/* The site destroys what it took in; what cannot be done now is left to recovery. */
static void withdraw(struct replication *r, struct fault *f)
{
    struct fault also = {0}, reason = *f;
    if (reason.outcome == E_IO || estate_refresh(r->estate, &also) != OK)
        fault_context(f, "it stopped; `quorate settle` ends it");
    else if (intent_withdraw(r->world, r->work.intent, reason.text, &r->work.replicas, &also) != OK)
        fault_set(f, reason.outcome, "%.480s; and %.480s", reason.text, also.text);
}

static enum outcome carry(struct replication *r, json_t *report, struct fault *f)
{
    struct birth_work *k = &r->work;
    struct fault later = {0};
    r->world->carried = r->resolution.lock;
    enum outcome outcome = sites_prepare(r, f);
    if (outcome == OK)
        outcome = intent_begin(r, f);
    if (outcome == OK)
        outcome = birth_send(k, 0, k->replicas.count, f);
    if (outcome == OK)
        outcome = birth_recheck(k, f);
    if (outcome == OK)
        outcome = replica_later(&k->replicas.items[0]) ? receipt_await(r, report, f) : replicated_log(r, report, f);
    if (outcome != OK && k->intended && !k->held && !k->awaited)
        withdraw(r, f);
    if (outcome == OK && k->held) {
        /* It is there, and the log says so: what is not completed now is by recovery. */
        intent_complete(r->world, k->intent, &k->replicas, &later);
        heads_renew(r->world, r->token, &later);
    }
    replicas_end(&k->replicas);
    site_close(&k->primary);
    r->world->carried = NULL;
    return outcome;
}

static enum outcome replicate(struct replication *r, json_t *report, struct fault *f)
{
    const struct state_key *key = NULL;
    bool go = false;
    enum outcome outcome = estate_refresh(r->estate, f);
    if (outcome == OK)
        outcome = estate_policy_in_force(r->estate, f);
    if (outcome == OK)
        outcome = settle_token(r->world, r->token, NULL, f);
    if (outcome == OK)
        outcome = key_choose(r, &key, f);
    if (outcome == OK && strings_have(&key->sites, r->site))
        return json_put_string(report, "status", "held") ? OK : fault_memory(f);
    if (outcome == OK && awaited_find(r, key) != NULL)
        return awaited_collect(r, awaited_find(r, key), report, f);
    if (outcome == OK)
        outcome = site_check(r, key, f);
    if (outcome == OK)
        outcome = key_read(r, key, f);
    if (outcome == OK)
        outcome = people_ask(r, key, report, &go, f);
    if (outcome != OK || !go)
        return outcome;
    outcome = work_begin(r, f);
    if (outcome == OK)
        outcome = carry(r, report, f);
    return outcome;
}

enum outcome replicate_run(struct world *w, const char *token, const char *label, const char *site, json_t **ret,
                           struct fault *f)
{
    struct replication r = {.world = w,
                            .estate = w->estate,
                            .token = token,
                            .label = label,
                            .site = site,
                            .id = BUF(LIMIT_LABEL),
                            .spki = BUF(LIMIT_ATTRIBUTE)};
    const struct binding *b = bindings_site(w->estate->bindings, token, site);
    json_t *report = json_object();
    r.vendor = b != NULL ? b->cloned : NULL;
    enum outcome outcome = report != NULL ? replicate(&r, report, f) : fault_memory(f);
    resolution_clear(&r.resolution, outcome == OK ? "" : f->text);
    if (outcome == OK)
        *ret = json_incref(report);
    json_decref(report);
    key_template_clear(&r.template);
    request_free(r.request);
    buf_free(&r.id);
    buf_free(&r.spki);
    buf_free(&r.work.id);
    buf_free(&r.work.spki);
    free(r.work.rule_id);
    return outcome;
}
