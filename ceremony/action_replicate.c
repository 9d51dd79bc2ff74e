#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/action_perform.h"
#include "core/encode.h"

/* replicate: the module brings a key to a site that does not hold it; the log says, by the intent, that it happened. */

enum outcome replicate_call(struct runner *r, const struct step *s, struct digest *ret_request, struct fault *f)
{
    json_t *question = json_object(), *answer = NULL;
    const char *status = NULL, *missing = NULL;
    enum outcome o = OK;

    *ret_request = (struct digest){{0}};
    if (!json_put_string(question, "key", step_with(s, "label")) ||
        !json_put_string(question, "site", step_with(s, "site")) ||
        !json_put_string(question, "token", step_with(s, "token"))) {
        json_decref(question);
        return fault_memory(f);
    }
    o = client_call(r->client, "replicate", question, &answer, f);
    status = json_string_or_null(answer, "status");
    missing = json_string_or_null(answer, "missing");
    if (o == E_PENDING && status != NULL && strcmp(status, "provisional") == 0)
        fault_set(f, o, "%s", missing != NULL ? missing : "its receipt is awaited");
    else if (o == E_PENDING && json_object_get(answer, "request") != NULL)
        o = json_want_digest(answer, "request", ret_request, f) == OK
                ? fault_set(f, E_REFUSED, "%s", missing != NULL ? missing : "people have to approve it")
                : f->outcome;
    else if (o == OK && status != NULL && strcmp(status, "held") == 0)
        o = fault_set(f, E_REFUSED, "%s holds \"%s\" of %s already, and no step of this ceremony brought it there",
                      step_with(s, "site"), step_with(s, "label"), step_with(s, "token"));
    json_decref(answer);
    return o;
}

/* Or on its way there, by files: clones are waited for. */
static bool at_the_site(const struct runner *r, const struct state_intent *i)
{
    return i->state == INTENT_BORN || i->state == INTENT_SETTLED ||
           (i->state == INTENT_PROVISIONAL && !clone_awaited(r, i));
}

static enum outcome replicated_find(struct runner *r, const struct step *s, uint64_t begun, json_t *result,
                                    bool *ret_found, struct fault *f)
{
    static const char *const names[] = {"label", "site", "token"};
    const struct state *state = &r->estate->state;
    const struct state_intent *found = NULL;
    char born[24], intent[24];
    bool good = true;

    for (size_t i = state->intent_count; i-- > 0 && found == NULL && state->intents[i].seq > begun;)
        if (at_the_site(r, &state->intents[i]) && intent_of_step(r, s, &state->intents[i]))
            found = &state->intents[i];
    if (found == NULL)
        return OK;
    snprintf(born, sizeof born, "%" PRId64, (int64_t)json_integer_value(json_object_get(found->body, "born")));
    snprintf(intent, sizeof intent, "%" PRIu64, found->seq);
    good = json_put_string(result, "born", born) && json_put_string(result, "intent", intent);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        good = good && json_put_string(result, names[i], step_with(s, names[i]));
    *ret_found = good;
    return good ? OK : fault_memory(f);
}

const struct state_key *replicate_held(const struct runner *r, const struct step *s)
{
    return state_key_held(&r->estate->state, step_with(s, "token"), step_with(s, "label"), step_with(s, "site"));
}

static enum outcome held_put(const struct state_key *k, const struct step *s, json_t *result, struct fault *f)
{
    char born[24];

    snprintf(born, sizeof born, "%" PRIu64, k->seq);
    return json_put_string(result, "born", born) && json_put_string(result, "label", step_with(s, "label")) &&
                   json_put_string(result, "site", step_with(s, "site")) &&
                   json_put_string(result, "token", step_with(s, "token"))
               ? OK
               : fault_memory(f);
}

static enum outcome replicate_once(struct runner *r, const struct step *s, json_t *result, struct fault *f)
{
    struct digest request;
    struct fault why = {.outcome = OK};
    uint64_t begun = 0;
    bool found = false, pending = false;
    enum outcome o = runner_follow(r, f);

    if (o == OK && !record_begun(&r->record, s->id, &begun) && replicate_held(r, s) != NULL)
        return held_put(replicate_held(r, s), s, result, f);
    if (o == OK)
        o = effect_begin(r, s, replicated_find, result, &found, f);
    if (o != OK || found)
        return o;
    o = replicate_call(r, s, &request, &why);
    if (o != OK && o != E_PENDING)
        return fault_set(f, o, "%s", why.text);
    pending = o == E_PENDING;
    o = runner_follow(r, f);
    if (o == OK && record_begun(&r->record, s->id, &begun))
        o = replicated_find(r, s, begun, result, &found, f);
    if (o == OK && !found && pending)
        o = fault_set(f, E_REFUSED, "%s", why.text);
    else if (o == OK && !found)
        o = fault_set(f, E_DEVICE, "the module brought the key to %s, but the log does not show it in this step",
                      step_with(s, "site"));
    return o;
}

/* Files are carried there: the receipt is yet to come. NULL: it is not awaited. */
static const struct state_intent *awaited_find(const struct runner *r, const json_t *result)
{
    const char *intent = json_string_or_null(result, "intent");
    const struct state_intent *i = NULL;
    uint64_t seq = 0;

    if (intent != NULL && decimal_parse(span_str(intent), &seq))
        i = state_intent(&r->estate->state, seq);
    return i != NULL && i->state == INTENT_PROVISIONAL ? i : NULL;
}

enum outcome perform_replicate(struct runner *r, const struct step *s, json_t *result, bool *ret_undone,
                               struct fault *f)
{
    const struct state_intent *awaited = NULL;
    enum outcome o = effect_repeat(r, s, replicate_once, result, ret_undone, f);

    if (o == OK && !*ret_undone && json_string_or_null(result, "intent") == NULL)
        talk_note(TONE_GOOD, "Held: %s of %s is at %s already; nothing is done", step_with(s, "label"),
                  step_with(s, "token"), step_with(s, "site"));
    else if (o == OK && !*ret_undone && (awaited = awaited_find(r, result)) != NULL)
        talk_note(
            TONE_WAIT,
            "Provisional: %s of %s at %s. Its receipt is awaited until %s (quorate offer export); it counts there "
            "from then on",
            step_with(s, "label"), step_with(s, "token"), step_with(s, "site"), moment_format(awaited->until).text);
    else if (o == OK && !*ret_undone && r->answers == NULL)
        talk_note(TONE_GOOD, "Replicated: %s of %s is at %s, which has proven it", step_with(s, "label"),
                  step_with(s, "token"), step_with(s, "site"));
    return o;
}
