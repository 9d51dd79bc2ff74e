#include "module/resolution.h"

#include "core/encode.h"

static enum outcome pending_report(const struct answer *a, const char *missing, json_t *report, struct fault *f)
{
    bool good = json_put_string(report, "missing", missing) && json_put_digest(report, "request", &a->request->id) &&
                json_put_string(report, "status", "pending");
    return good ? OK : fault_memory(f);
}

enum outcome resolution_ask(struct world *w, json_t *subject_taken, const char *what, struct resolution *ret,
                            json_t *report, bool *ret_go, struct fault *f)
{
    struct answer a = {0};
    struct buf why = BUF(900);
    struct lock *lock = NULL;
    bool go = false;

    enum outcome outcome =
        subject_taken != NULL ? estate_ask(w->estate, subject_taken, &w->context, &a, f) : fault_memory(f);
    if (outcome == OK && a.plain)
        outcome = fault_set(f, E_REFUSED, "a rule allows %s to everybody: it must require people", what);
    if (outcome != OK)
        goto out;
    verdict_put_short(a.verdict, &why);
    go = a.verdict->decision == DECISION_ALLOW && a.request != NULL;
    if (go)
        outcome = birth_lock(w->estate, &a.request->id, &lock, f);
    else if (a.verdict->decision == DECISION_PENDING && a.request != NULL)
        outcome = pending_report(&a, buf_str(&why), report, f);
    else
        outcome = fault_set(f, E_REFUSED, "%s: %s", what, buf_str(&why));
    if (outcome == OK) {
        if (go)
            *ret = (struct resolution){.world = w, .request = a.request->id, .lock = lock};
        *ret_go = go;
        lock = NULL; /* taken by *ret */
    }
out:
    lock_release(lock);
    buf_free(&why);
    answer_clear(&a);
    return outcome;
}

enum outcome resolution_begin(struct resolution *d, const json_t *more, struct fault *f)
{
    struct request *r = NULL;
    enum outcome outcome = estate_request(d->world->estate, &d->request, &r, f);
    if (outcome == OK)
        outcome = estate_intend(d->world->estate, r, &d->world->context, more, &d->intent, f);
    d->open = outcome == OK;
    request_free(r);
    return outcome;
}

/* What was decided is still so: other HSMs may have been asked since. */
static enum outcome stands(const struct estate *e, const struct request *r, struct fault *f)
{
    const struct rule *rule = e->policy != NULL ? policy_rule(e->policy, r->rule) : NULL;
    if (!digest_equal(&e->state.policy, &r->policy))
        return fault_set(f, E_REFUSED, "another policy was adopted meanwhile: ask again under it");
    if (state_suspended(&e->state, r->subject->token, r->subject->label) && (rule == NULL || !rule->while_suspended))
        return fault_set(f, E_REFUSED, "%s was suspended meanwhile", r->subject->token);
    return OK;
}

enum outcome resolution_end(struct resolution *d, enum entry_type type, json_t *body_taken, struct fault *f)
{
    struct estate *e = d->world->estate;
    const struct state_intent *i = state_intent(&e->state, d->intent);
    struct request *r = NULL;
    bool good = i != NULL && json_put_digest(body_taken, "request", &d->request) &&
                json_put(body_taken, "verdict", json_deep_copy(json_object_get(i->body, "verdict")));
    enum outcome outcome = good ? estate_request(e, &d->request, &r, f) : fault_memory(f);
    if (outcome == OK)
        outcome = log_begin(e->log, f);
    if (outcome == OK) {
        outcome = stands(e, r, f); /* the state is as new as the lock */
        if (outcome == OK)
            outcome = log_append(e->log, type, e->ceremony, body_taken, NULL, f);
        log_end(e->log);
    }
    d->open = d->open && outcome != OK;
    request_free(r);
    json_decref(body_taken);
    return outcome == OK ? estate_refresh(e, f) : outcome;
}

void resolution_clear(struct resolution *d, const char *reason)
{
    struct fault ignored = {0};
    if (d->open)
        intent_roll_back(d->world->estate, d->intent, reason, &ignored);
    lock_release(d->lock);
    *d = (struct resolution){.open = false};
}

enum outcome resolution_settle(struct world *w, uint64_t intent, const char **ret_text, struct fault *f)
{
    struct lock *lock = NULL;
    struct digest request = state_intent(&w->estate->state, intent)->request;
    enum outcome outcome = birth_lock(w->estate, &request, &lock, f);

    *ret_text = "";
    if (outcome == E_BUSY) {
        *ret_text = "being carried out by another process";
        return OK;
    }
    if (outcome == OK)
        outcome = estate_refresh(w->estate, f);
    if (outcome == OK && state_intent(&w->estate->state, intent)->state == INTENT_OPEN) {
        *ret_text = "rolled back";
        outcome = intent_roll_back(w->estate, intent, "it was interrupted", f);
    }
    lock_release(lock);
    return outcome;
}
