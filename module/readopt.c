#include "module/head.h"

/* `quorate readopt`: people have looked at what the HSMs hold in place of the log's head, and the log goes on from where
 * it is. What was found stands in the log for ever. */

static json_t *readopt_subject(const struct estate *e, json_t *heads)
{
    json_t *subject = asking_subject(e, OP_READOPT_LOG, NULL);
    if (json_put(subject, "heads", json_incref(heads)))
        return subject;
    json_decref(subject);
    return NULL;
}

/* A decision that a crash kept from being told. */
static enum outcome readopt_left(const struct estate *e, const json_t *subject, uint64_t *ret, struct fault *f)
{
    struct digest digest;
    enum outcome outcome = json_digest(subject, &digest, f);
    const struct state_request *known = outcome == OK ? state_request_by_subject(&e->state, &digest) : NULL;
    if (known != NULL && known->state == REQUEST_INTENT)
        *ret = known->intent;
    return outcome;
}

static enum outcome readopt_ask(struct world *w, json_t *subject_taken, uint64_t *ret, json_t *report, struct fault *f)
{
    struct answer a = {0};
    struct buf why = BUF(900);
    enum outcome outcome = estate_ask(w->estate, subject_taken, &w->context, &a, f);
    if (outcome != OK)
        goto out;
    if (a.plain) {
        outcome = fault_set(f, E_REFUSED, "the rule for readopt-log allows everybody: it must require people");
        goto out;
    }
    verdict_put_short(a.verdict, &why);
    if (a.verdict->decision == DECISION_ALLOW && a.request != NULL)
        outcome = estate_intend(w->estate, a.request, &w->context, NULL, ret, f);
    else if (a.verdict->decision != DECISION_PENDING || a.request == NULL)
        outcome = fault_set(f, E_REFUSED, "the log may not be taken up again: %s", buf_str(&why));
    else if (!json_put_string(report, "missing", buf_str(&why)) ||
             !json_put_string(report, "request", digest_hex(&a.request->id).hex) ||
             !json_put_string(report, "status", "pending"))
        outcome = fault_memory(f);
out:
    buf_free(&why);
    answer_clear(&a);
    return outcome;
}

static enum outcome readopt_tell(struct world *w, uint64_t seq, json_t *heads, struct fault *f)
{
    const struct state_intent *i = state_intent(&w->estate->state, seq);
    json_t *body = json_object();
    bool good = i != NULL && json_put(body, "heads", json_incref(heads)) &&
                json_put_digest(body, "request", &i->request) &&
                json_put(body, "verdict", json_deep_copy(json_object_get(i->body, "verdict")));
    enum outcome outcome = good ? estate_append(w->estate, ENTRY_READOPTED, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return outcome;
}

/* What all HSMs that answer hold, token by token. */
static enum outcome heads_list(struct world *w, json_t *list, struct fault *f)
{
    const struct bindings *all = w->estate->bindings;
    enum outcome outcome = OK;
    for (size_t i = 0; i < all->token_count && outcome == OK; i++)
        outcome = heads_look(w, all->tokens[i].id, NULL, list, f);
    return outcome;
}

enum outcome readopt_run(struct world *w, json_t **ret, struct fault *f)
{
    json_t *heads = json_array(), *report = json_object(), *subject = NULL;
    uint64_t intent = 0;
    bool going = true;
    enum outcome outcome = heads != NULL && report != NULL ? estate_policy_in_force(w->estate, f) : fault_memory(f);
    if (outcome == OK)
        outcome = heads_list(w, heads, f);
    if (outcome == OK && json_array_size(heads) > 0) {
        subject = readopt_subject(w->estate, heads);
        outcome = subject != NULL ? readopt_left(w->estate, subject, &intent, f) : fault_memory(f);
        if (outcome == OK && intent == 0) {
            outcome = readopt_ask(w, subject, &intent, report, f);
            subject = NULL; /* taken by the question */
        }
        going = intent != 0;
        if (outcome == OK && going)
            outcome = readopt_tell(w, intent, heads, f);
    }
    if (outcome == OK && going)
        outcome = heads_renew(w, NULL, f);
    if (outcome == OK && going && !json_put_string(report, "status", intent != 0 ? "readopted" : "as it should be"))
        outcome = fault_memory(f);
    if (outcome == OK && !json_put(report, "heads", json_incref(heads)))
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret = json_incref(report);
    json_decref(subject);
    json_decref(heads);
    json_decref(report);
    return outcome;
}
