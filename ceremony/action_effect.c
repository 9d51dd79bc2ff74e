#include <string.h>

#include "ceremony/action_certificate.h"
#include "ceremony/action_perform.h"
#include "ceremony/pkcs11_client.h"
#include "ceremony/run_open.h"

/* Requests for what steps do, and what surrounds a side effect. */

const struct state_key *key_awaited(const struct runner *r, const char *token, const char *label, uint64_t before)
{
    const struct state *s = &r->estate->state;

    for (size_t i = s->awaited_count; i-- > 0;) {
        const struct state_key *k = &s->awaited[i];
        const struct state_intent *intent = state_intent(s, k->intent);
        const char *ceremony = intent != NULL ? state_intent_ceremony(intent) : NULL;

        if (k->seq < before && ceremony != NULL && strcmp(ceremony, r->estate->ceremony) == 0 &&
            strcmp(k->token, token) == 0 && strcmp(k->label, label) == 0)
            return k;
    }
    return NULL;
}

const struct state_key *key_named(const struct runner *r, const char *token, const char *label)
{
    const struct state *s = &r->estate->state;
    const struct state_key *awaited = key_awaited(r, token, label, UINT64_MAX);

    if (awaited != NULL && state_intent(s, awaited->intent)->state != INTENT_PROVISIONAL)
        awaited = NULL;
    for (size_t i = s->key_count; i-- > 0;) {
        const struct state_key *k = &s->keys[i];

        if (!k->destroyed && k->public_key.len > 0 && strcmp(k->token, token) == 0 && strcmp(k->label, label) == 0)
            return awaited != NULL && awaited->seq > k->seq ? awaited : k;
    }
    return awaited;
}

/* Scripts make key pairs and sign with them; what is brought to a site is a living key of whatever class. */
static const char *step_class_name(const struct runner *r, const struct step *s)
{
    const struct state *state = &r->estate->state;

    for (size_t i = 0; s->action->kind == ACTION_REPLICATE && i < state->key_count; i++) {
        const struct state_key *k = &state->keys[i];

        if (!k->destroyed && strcmp(k->token, step_with(s, "token")) == 0 &&
            strcmp(k->label, step_with(s, "label")) == 0)
            return k->class_name;
    }
    return "private-key";
}

/* The rule that judges what the step does. */
static const struct rule *step_rule(const struct runner *r, const struct step *s)
{
    return policy_match(r->estate->policy, (enum operation)s->action->operation, step_with(s, "token"),
                        step_with(s, "label"), step_class_name(r, s), 1);
}

/* The pending request of this ceremony for this step; E_ABSENT: none. */
enum outcome request_pending(struct runner *r, const struct step *s, struct request **ret, struct fault *f)
{
    const struct state *state = &r->estate->state;
    const char *operation = operation_name((enum operation)s->action->operation);

    for (size_t i = state->request_count; i-- > 0;) {
        const struct state_request *known = &state->requests[i];
        struct request *request = NULL;

        if (known->state != REQUEST_PENDING || strcmp(known->operation, operation) != 0 ||
            moment_now() >= known->expires)
            continue;
        if (estate_request(r->estate, &known->id, &request, f) != OK)
            return f->outcome;
        if (request->ceremony != NULL && strcmp(request->ceremony, r->estate->ceremony) == 0 && request->step != NULL &&
            strcmp(request->step, s->id) == 0) {
            *ret = request;
            return OK;
        }
        request_free(request);
    }
    return fault_set(f, E_ABSENT, "no request waits for step %s", s->id);
}

/* Its verdict as of now, were the ceremony at that step. */
enum outcome request_verdict(struct runner *r, const struct step *s, const struct request *request,
                             struct verdict **ret, struct fault *f)
{
    const struct ceremony_fact fact = {r->estate->ceremony, r->script->id, s->id, s->action->operation};
    const struct asking_context context = {.ceremony = &fact};

    return estate_judge(r->estate, request, &context, ret, f);
}

static enum outcome effect_try(struct runner *r, const struct step *s, struct digest *ret_request, struct fault *f)
{
    json_t *result = NULL;
    enum outcome o = OK;

    if (s->action->kind == ACTION_GENERATE_KEY_PAIR)
        return pkcs11_generate(r->client, r->estate, step_with(s, "token"), step_with(s, "label"), step_with(s, "type"),
                               ret_request, f);
    if (s->action->kind == ACTION_REPLICATE)
        return replicate_call(r, s, ret_request, f);
    result = json_object();
    if (result == NULL)
        return fault_memory(f);
    o = certificate_sign(r, s, result, ret_request, f);
    json_decref(result);
    return o;
}

enum outcome request_ahead(struct runner *r, const struct step *s, struct digest *ret, struct fault *f)
{
    static const struct digest none = {{0}};
    const struct rule *rule = step_rule(r, s);
    struct request *pending = NULL;
    struct digest id = none;
    enum outcome o = request_pending(r, s, &pending, f);

    if (pending != NULL) {
        *ret = pending->id;
        request_free(pending);
        return OK;
    }
    if (o != E_ABSENT)
        return o;
    if (rule == NULL || rule->effect != EFFECT_REQUIRE || !rule->has_quorum)
        return fault_set(f, E_REFUSED, "nobody can approve step %s: %s%s%s", s->id,
                         rule == NULL ? "no rule of the policy allows it" : "the rule \"", rule != NULL ? rule->id : "",
                         rule != NULL ? "\" asks for no quorum" : "");
    o = runner_stand(r, s, s->action->operation, NULL, f);
    if (o == OK)
        o = effect_try(r, s, &id, f);
    if (o == OK)
        o = fault_set(f, E_DEVICE, "the module did what step %s does without any approval; look into the log", s->id);
    else if (o == E_REFUSED && !digest_equal(&id, &none))
        o = runner_follow(r, f);
    if (o == OK)
        *ret = id;
    return o;
}

/* The step's request must be allowed before anything is begun. */
static enum outcome effect_allowed(struct runner *r, const struct step *s, struct fault *f)
{
    const struct rule *rule = step_rule(r, s);
    struct verdict *verdict = NULL;
    struct request *request = NULL;
    struct buf why = BUF(4096);
    struct digest id;
    enum outcome o = OK;

    if (rule != NULL && rule->effect == EFFECT_ALLOW)
        return OK;
    o = request_ahead(r, s, &id, f);
    if (o == OK)
        o = estate_request(r->estate, &id, &request, f);
    if (o == OK)
        o = voters_check(r, &id, f);
    if (o == OK)
        o = request_verdict(r, s, request, &verdict, f);
    if (o == OK && verdict->decision != DECISION_ALLOW) {
        verdict_put_short(verdict, &why);
        o = fault_set(f, E_REFUSED, "step %s is not approved: %s; request %.16s", s->id, buf_str(&why),
                      digest_hex(&id).hex);
    }
    verdict_free(verdict);
    request_free(request);
    buf_free(&why);
    return o;
}

static enum outcome begun_log(struct runner *r, const struct step *s, struct fault *f)
{
    json_t *body = json_object(), *actors = json_array();
    bool good = actors != NULL;
    enum outcome o = OK;

    for (size_t i = 0; i < r->actors.count && good; i++)
        good = json_array_append_new(actors, json_string(r->actors.items[i])) == 0;
    good = good && json_put_string(body, "action", s->action->name) && json_put(body, "actors", json_incref(actors)) &&
           json_put_string(body, "begun", "true") && json_put_string(body, "step", s->id);
    o = good ? runner_append(r, ENTRY_STEP, json_incref(body), f) : fault_memory(f);
    json_decref(actors);
    json_decref(body);
    return o;
}

bool intent_of_step(const struct runner *r, const struct step *s, const struct state_intent *i)
{
    const json_t *evidence = json_object_get(i->body, "evidence");
    const char *ceremony = json_string_or_null(evidence, "ceremony"), *step = json_string_or_null(evidence, "step");

    return ceremony != NULL && strcmp(ceremony, r->estate->ceremony) == 0 && step != NULL && strcmp(step, s->id) == 0;
}

/* What the step began waits for receipts: nothing went wrong, and it is asked again when they may be there. */
static enum outcome effect_awaited(const struct runner *r, const struct step *s, const json_t *settled, struct fault *f)
{
    const struct state *state = &r->estate->state;

    for (size_t i = state->intent_count; i-- > 0;) {
        const struct state_intent *t = &state->intents[i];
        const json_t *line = NULL;
        const char *text = NULL;
        size_t n = 0;

        if (t->state != INTENT_PROVISIONAL || !intent_of_step(r, s, t))
            continue;
        json_array_foreach(settled, n, line) if ((uint64_t)json_integer_value(json_object_get(line, "intent")) ==
                                                 t->seq) text = json_string_or_null(line, "outcome");
        return fault_set(f, E_PENDING, "%s",
                         text != NULL ? text : "the key is provisional: receipts are awaited (quorate status)");
    }
    return OK;
}

/* It was begun before: what a crash left half done is settled, then the log is asked whether it happened. */
static enum outcome effect_resume(struct runner *r, const struct step *s, uint64_t begun, effect_find *find,
                                  json_t *result, bool *ret_found, struct fault *f)
{
    json_t *answer = NULL;
    enum outcome o = client_call(r->client, "settle", json_object(), &answer, f);

    if (o == OK)
        o = runner_follow(r, f);
    if (o == OK)
        o = find(r, s, begun, result, ret_found, f);
    if (o == OK && !*ret_found)
        o = effect_awaited(r, s, json_object_get(answer, "settled"), f);
    json_decref(answer);
    if (o != OK || *ret_found || record_deviated(&r->record, s->id, begun))
        return o;
    return runner_want_deviation(r, s, "it was begun before, and the log does not show that it happened", f);
}

enum outcome effect_begin(struct runner *r, const struct step *s, effect_find *find, json_t *result, bool *ret_found,
                          struct fault *f)
{
    uint64_t begun = 0;
    enum outcome o = OK;

    *ret_found = false;
    if (record_begun(&r->record, s->id, &begun))
        o = effect_resume(r, s, begun, find, result, ret_found, f);
    if (o != OK || *ret_found)
        return o;
    o = effect_allowed(r, s, f);
    if (o == OK)
        o = runner_stand(r, s, s->action->operation, NULL, f);
    return o == OK ? begun_log(r, s, f) : o;
}

enum outcome effect_repeat(struct runner *r, const struct step *s, effect_once *once, json_t *result, bool *ret_undone,
                           struct fault *f)
{
    json_t *given = NULL;
    enum outcome o = r->answers == NULL ? runner_ask(r, s, NULL, 0, &given, ret_undone, f) : OK;

    json_decref(given);
    while (o == OK) {
        o = once(r, s, result, f);
        if (o == OK)
            break;
        json_object_clear(result);
        o = runner_again(r, s, o, f);
    }
    return o;
}
