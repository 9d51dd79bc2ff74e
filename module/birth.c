#include "module/birth.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/birth_work.h"
#include "module/cloned.h"
#include "module/head.h"
#include "module/key_sites.h"

static bool members_put(const struct birth_work *k, json_t *more)
{
    const struct subject *s = k->b->request->subject;
    json_t *sites = json_array(), *later = json_array();
    bool good = sites != NULL && json_array_append_new(sites, json_string(k->b->token->primary)) == 0;
    for (size_t i = 0; i < k->replicas.count && good; i++) {
        const struct replica *r = &k->replicas.items[i];
        good = json_array_append_new(sites, json_string(r->site)) == 0 &&
               (!replica_later(r) || json_array_append_new(later, json_string(r->site)) == 0);
    }
    good = good && (json_array_size(later) == 0 || json_put(more, "later", json_incref(later))) &&
           json_put(more, "sites", json_incref(sites)) && json_put_string(more, "function", s->function) &&
           json_put_string(more, "class", k->b->template->pair ? "private-key" : "secret-key") &&
           json_put_string(more, "type", s->key_type);
    if (good && k->b->template->id.len > 0)
        good = json_put_bytes_hex(more, "caller-id", buf_span(&k->b->template->id));
    json_decref(later);
    json_decref(sites);
    return good;
}

/* Step 4. */
static enum outcome birth_intend(struct birth_work *k, struct fault *f)
{
    json_t *more = json_object();
    enum outcome outcome = more != NULL && members_put(k, more) ? OK : fault_memory(f);
    if (outcome == OK)
        outcome = estate_intend(k->estate, k->b->request, k->b->context, more, &k->intent, f);
    json_decref(more);
    if (outcome != OK)
        return outcome;
    k->intended = true;
    const struct state_intent *i = state_intent(&k->estate->state, k->intent);
    if (i == NULL)
        return fault_set(f, E_IO, "the log does not show the intent that was just written");
    k->intent_digest = i->digest;
    return intent_key_id(&i->digest, &k->id, f);
}

/* Sites may have been suspended, or the policy changed, while keys travelled (design, section 7, step 8). */
enum outcome birth_recheck(struct birth_work *k, struct fault *f)
{
    enum outcome outcome = estate_refresh(k->estate, f);
    if (outcome != OK)
        return outcome;
    const struct state *s = &k->estate->state;
    const struct state_intent *i = state_intent(s, k->intent);
    if (i == NULL || i->state != INTENT_OPEN)
        return fault_set(f, E_REFUSED, "the birth was rolled back by somebody else meanwhile");
    if (!digest_equal(&s->policy, &k->b->request->policy))
        return fault_set(f, E_REFUSED, "another policy was adopted during the birth: ask again under it");
    if (!k->while_suspended && state_suspended(s, k->token, k->b->template->label))
        return fault_set(f, E_REFUSED, "%s was suspended during the birth", k->token);
    if (primary_was(k->world, k->token, k->primary.binding->site))
        return fault_set(f, E_REFUSED, "another site than %s was promoted during the birth", k->primary.binding->site);
    for (size_t n = 0; n < k->replicas.count; n++) {
        const struct replica *r = &k->replicas.items[n];
        const struct state_site *site = state_site(s, k->token, r->site);
        if (site == NULL || !span_equal(buf_span(&site->identity), buf_span(&r->visit->pinned.identity)) ||
            !span_equal(buf_span(&site->transport), buf_span(&r->visit->pinned.transport)))
            return fault_set(f, E_REFUSED, "%s is no longer the site that the birth began with", r->site);
    }
    size_t answered = i->receipted.count;
    for (size_t n = 0; n < k->replicas.count; n++)
        answered += replica_later(&k->replicas.items[n]);
    if (answered < k->at_least)
        return fault_set(f, E_REFUSED, "%zu of %u replicas answered", answered, k->at_least);
    return OK;
}

bool replica_later(const struct replica *r)
{
    return r->carried || r->cloned != NULL;
}

/* What people have to do now. */
static enum outcome birth_waits(const struct birth_work *k, const char *names, moment until, struct fault *f)
{
    struct buf todo = BUF(900);
    for (size_t n = 0; n < k->replicas.count; n++) {
        const struct replica *r = &k->replicas.items[n];
        if (r->cloned != NULL)
            cloned_todo(&todo, buf_span(&k->id), k->b->token->primary, r->site, r->cloned);
        else if (r->carried)
            buf_putf(&todo,
                     "; `quorate offer export %s` makes the files to carry, `quorate receipt import` takes in "
                     "what comes back",
                     r->site);
    }
    fault_set(f, E_PENDING, "the key is provisional: the receipt of %s is awaited until %s%s", names,
              moment_format(until).text, buf_str(&todo));
    buf_free(&todo);
    return E_PENDING;
}

/* Step 9: the key is there, and nobody can use it before the sites that can only answer later have done so. */
static enum outcome birth_await(struct birth_work *k, struct fault *f)
{
    const struct state_intent *i = state_intent(&k->estate->state, k->intent);
    struct strings awaited = {0};
    struct buf names = BUF(512);
    moment until = i != NULL ? moment_add(i->at, k->deferred) : 0;
    enum outcome outcome = OK;
    for (size_t n = 0; n < k->replicas.count && outcome == OK; n++) {
        const struct replica *r = &k->replicas.items[n];
        if (!replica_later(r))
            continue;
        buf_putf(&names, "%s%s", names.len > 0 ? ", " : "", r->site);
        if (!strings_add(&awaited, r->site))
            outcome = fault_memory(f);
    }
    if (outcome == OK && awaited.count > 0) {
        outcome = intent_provisional(k->estate, k->intent, &awaited, until, buf_span(&k->spki), f);
        k->awaited = outcome == OK;
        if (outcome == OK)
            outcome = birth_waits(k, buf_str(&names), until, f);
    }
    strings_free(&awaited);
    buf_free(&names);
    return outcome;
}

/* Steps 4 to 8, up to the point of no return. */
static enum outcome birth_carry(struct birth_work *k, struct fault *f)
{
    enum outcome outcome = birth_intend(k, f);
    if (outcome == OK)
        outcome = birth_prepare(k, f);
    if (outcome == OK)
        outcome = birth_make(k, f);
    if (outcome == OK)
        outcome = birth_send(k, 0, k->replicas.count, f);
    if (outcome == OK)
        outcome = lower_answers(k->below, f);
    if (outcome == OK)
        outcome = birth_recheck(k, f);
    if (outcome == OK)
        outcome = birth_keep(k, f);
    return outcome;
}

/* Step 10. The session objects end here in any case; what cannot be withdrawn now is left to recovery. */
static void birth_withdraw(struct birth_work *k, struct fault *f)
{
    struct fault also = {0};
    struct fault reason = *f;
    enum outcome visit = OK;
    while (replicas_next(&k->replicas, &visit, &also) != NULL)
        ; /* what is still out, its site is not asked for anything else before */
    /* In a library that hangs it ends with its session. */
    if (k->session_secret != CK_INVALID_HANDLE && lower_answers(k->below, &also) == OK)
        k->primary.f->C_DestroyObject(k->primary.session, k->session_secret);
    k->session_secret = CK_INVALID_HANDLE;
    /* A log that cannot be written says nothing of what it holds: recovery will read it afresh. */
    if (reason.outcome == E_IO || estate_refresh(k->estate, &also) != OK) {
        fault_context(f, "the birth stopped; `quorate settle` ends it");
        return;
    }
    if (intent_withdraw(k->world, k->intent, reason.text, &k->replicas, &also) != OK)
        fault_set(f, reason.outcome, "%.480s; and %.480s", reason.text, also.text);
}

struct leaving {
    struct site_link link;
    struct lower *lower; /* held */
};

static void leaving_close(void *work)
{
    struct leaving *l = work;
    site_close(&l->link);
}

static void leaving_end(void *work)
{
    struct leaving *l = work;
    lower_drop(l->lower);
    free(l);
}

/* Where a call of ours hangs in the primary's library, closing may hang too: that is nobody's concern but its own. */
static void primary_leave(struct birth_work *k)
{
    struct fault f = {0};
    struct errand *e = NULL;
    struct leaving *l = NULL;
    if (k->below == NULL || lower_answers(k->below, &f) == OK) {
        site_close(&k->primary);
    } else if ((l = malloc(sizeof *l)) != NULL) {
        *l = (struct leaving){k->primary, k->below};
        lower_hold(k->below);
        if (errand_begin(leaving_close, leaving_end, l, 0, &e, &f) != OK || errand_end(e))
            leaving_end(l);
    }
}

static void work_clear(struct birth_work *k)
{
    replicas_close(&k->heads);
    replicas_close(&k->replicas);
    primary_leave(k);
    replicas_end(&k->heads);
    replicas_end(&k->replicas);
    k->world->carried = NULL;
    lock_release(k->lock);
    buf_free(&k->id);
    buf_free(&k->spki);
    free(k->rule_id);
}

/* What can be known to fail before anybody is asked. */
static enum outcome birth_check(const struct birth_work *k, struct fault *f)
{
    const struct key_template *t = k->b->template;
    const char *class = t->pair ? "private-key" : "secret-key";
    struct buf id = BUF(511);
    enum outcome outcome = OK;
    if (k->b->token->primary[0] == '\0' || k->b->request->subject->function == NULL)
        return fault_set(f, E_INVALID, "no primary is known for %s", k->token);
    if (t->id.len > 0) {
        hex_put(&id, buf_span(&t->id));
        if (id.failed)
            outcome = fault_memory(f);
        else if (state_key(&k->estate->state, k->token, class, buf_str(&id), NULL) != NULL)
            outcome = fault_set(f, E_REFUSED, "a key with CKA_ID %s lives on %s already: choose another", buf_str(&id),
                                k->token);
        else
            outcome = key_id_free(&k->estate->state, k->token, buf_str(&id), f);
    }
    buf_free(&id);
    return outcome;
}

enum outcome birth_run(const struct birth *b, CK_OBJECT_HANDLE *ret_secret, CK_OBJECT_HANDLE *ret_public,
                       struct fault *f)
{
    struct birth_work k = {.b = b,
                           .world = b->world,
                           .estate = b->world->estate,
                           .token = b->token->bound->id,
                           .id = BUF(32),
                           .spki = BUF(4096)};
    struct fault later = {0};

    const struct binding *primary = NULL;
    enum outcome outcome = site_bound(b->world, k.token, b->token->primary, &primary, f);
    if (outcome == OK)
        outcome = world_lower_want(b->world, primary->module, &k.below, f);
    if (outcome == OK)
        outcome = settle_token(b->world, k.token, NULL, f);
    if (outcome == OK)
        outcome = birth_lock(k.estate, &b->request->id, &k.lock, f);
    if (outcome == OK)
        outcome = birth_check(&k, f);
    b->world->carried = k.lock;
    if (outcome == OK)
        outcome = birth_plan(&k, f);
    if (outcome == OK)
        outcome = birth_carry(&k, f);
    if (outcome == OK)
        outcome = birth_await(&k, f);
    if (outcome == OK)
        outcome = intent_born(k.estate, k.intent, buf_span(&k.spki), f);
    if (outcome != OK && k.intended && !k.held)
        birth_withdraw(&k, f);
    else if (outcome != OK && k.held && !k.awaited)
        fault_context(f, "the key is made, but not yet in the log as born; `quorate settle` ends it");
    if (outcome == OK) {
        /* Born is born: sites that cannot be told now are told by recovery, and an older head is as good. One after the other, for
         * there are HSMs that fail one of two threads that make objects on them, and keep what it had begun. */
        intent_complete(b->world, k.intent, &k.replicas, &later);
        heads_again(&k.heads, &later);
        heads_put(b->world, &k.heads, &later);
        heads_wait(b->world, &k.heads, &later);
        *ret_secret = k.secret;
        *ret_public = k.public;
    }
    work_clear(&k);
    return outcome;
}
