#include <stdio.h>
#include <string.h>

#include "ceremony/action_perform.h"

/* drill: a site proves every key that it holds; the module's entry says how it went. */

/* The newest answer of that site to a drill since the step before was done; NULL: none. */
static const json_t *drill_find(const struct runner *r, const struct step *s)
{
    for (size_t i = json_array_size(r->record.entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->record.entries, i), *body = json_object_get(entry, "body");
        const char *type = json_string_or_null(entry, "type"), *token = json_string_or_null(body, "token"),
                   *site = json_string_or_null(body, "site");

        if (type != NULL && strcmp(type, entry_type_name(ENTRY_STEP)) == 0 && json_object_get(body, "begun") == NULL)
            break;
        if (type != NULL && strcmp(type, entry_type_name(ENTRY_DRILL)) == 0 && token != NULL && site != NULL &&
            strcmp(token, step_with(s, "token")) == 0 && strcmp(site, step_with(s, "site")) == 0)
            return body;
    }
    return NULL;
}

static bool count_put(json_t *result, const char *name, const json_t *body)
{
    char text[24];

    snprintf(text, sizeof text, "%zu", json_array_size(json_object_get(body, name)));
    return json_put_string(result, name, text);
}

/* The module has it asked. *ret_carried: by a file. */
static enum outcome drill_call(struct runner *r, const struct step *s, bool *ret_carried, struct fault *f)
{
    json_t *question = json_object(), *answer = NULL;
    const char *state = NULL;
    enum outcome o = OK;

    if (!json_put_string(question, "site", step_with(s, "site")) ||
        !json_put_string(question, "token", step_with(s, "token"))) {
        json_decref(question);
        return fault_memory(f);
    }
    o = client_call(r->client, "drill", question, &answer, f);
    if (o == OK)
        o = runner_follow(r, f);
    if (o == OK) {
        state = json_string_or_null(json_array_get(json_object_get(answer, "sites"), 0), "state");
        *ret_carried = state != NULL && strcmp(state, "asked") == 0;
    }
    json_decref(answer);
    return o;
}

/* A runner that died after the drill goes on with it, where no key failed. */
static bool drill_whole(const json_t *body)
{
    return body != NULL && json_string_or_null(body, "receipt") != NULL &&
           json_array_size(json_object_get(body, "failed")) == 0;
}

static enum outcome drill_once(struct runner *r, const struct step *s, json_t *result, bool *ret_undone,
                               struct fault *f)
{
    const json_t *body = drill_find(r, s);
    bool carried = false;
    enum outcome o = drill_whole(body) ? OK : drill_call(r, s, &carried, f);

    if (o == OK && carried)
        o = step_carry(r, s, MESSAGE_DRILL, ret_undone, f);
    if (o != OK || *ret_undone)
        return o;
    body = drill_find(r, s);
    if (body == NULL)
        return fault_set(f, E_DEVICE, "the module drilled the site, but the log of this ceremony does not show it");
    if (json_string_or_null(body, "receipt") == NULL)
        return fault_set(f, E_DEVICE, "the site did not answer: %.900s", json_string_or_null(body, "reason"));
    if (json_put_string(result, "receipt", json_string_or_null(body, "receipt")) &&
        json_put_string(result, "site", step_with(s, "site")) &&
        json_put_string(result, "token", step_with(s, "token")) && count_put(result, "failed", body) &&
        count_put(result, "proven", body))
        return OK;
    return fault_memory(f);
}

/* A key that failed stands in the record; that the ceremony goes on all the same is a deviation. */
static enum outcome failure_accept(struct runner *r, const struct step *s, const json_t *result, struct fault *f)
{
    const char *failed = json_string_or_null(result, "failed");
    char why[128];

    if (strcmp(failed, "0") == 0 || record_deviated(&r->record, s->id, 0))
        return OK;
    snprintf(why, sizeof why, "%.20s %s; the log says which", failed,
             strcmp(failed, "1") == 0 ? "key did not prove itself" : "keys did not prove themselves");
    return runner_want_deviation(r, s, why, f);
}

enum outcome perform_drill(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    json_t *given = NULL;
    enum outcome o = r->answers == NULL ? runner_ask(r, s, NULL, 0, &given, ret_undone, f) : OK;

    json_decref(given);
    while (o == OK && !*ret_undone) {
        o = drill_once(r, s, result, ret_undone, f);
        if (o == OK || r->stopped)
            break;
        json_object_clear(result);
        o = runner_again(r, s, o, f);
    }
    if (o == OK && !*ret_undone)
        o = failure_accept(r, s, result, f);
    if (o == OK && !*ret_undone && r->answers == NULL)
        talk_note(TONE_GOOD, "Proven: %s keys of %s at %s", json_string_or_null(result, "proven"),
                  step_with(s, "token"), step_with(s, "site"));
    return o;
}
