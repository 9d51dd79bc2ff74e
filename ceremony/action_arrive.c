#include <string.h>

#include "ceremony/action_perform.h"

/* arrive: an HSM that left is at its site, in the bag that it left in, and answers there. */

/* *ret_carried: its HSM answers by a file. */
static enum outcome arrival_call(struct runner *r, const struct step *s, const json_t *given, bool *ret_carried,
                                 struct fault *f)
{
    json_t *question = json_object(), *answer = NULL;
    enum outcome o = OK;

    if (!json_put_string(question, "site", step_with(s, "site")) ||
        !json_put_string(question, "token", step_with(s, "token")) ||
        !json_put_string(question, "received-by", r->actors.items[0])) {
        json_decref(question);
        return fault_memory(f);
    }
    o = result_take(question, given, f);
    if (o == OK) {
        o = client_call(r->client, "arrive", question, &answer, f);
        question = NULL; /* taken by client_call */
    }
    if (o == OK)
        *ret_carried = json_string_or_null(answer, "why") != NULL;
    json_decref(answer);
    json_decref(question);
    return o == OK ? runner_follow(r, f) : o;
}

enum outcome perform_arrive(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    const struct question questions[] = {{.name = "bag"}, {.name = "safe"}};
    json_t *given = NULL;
    bool carried = false;
    enum outcome o = OK;

    do {
        json_decref(given);
        given = NULL;
        o = runner_ask(r, s, questions, sizeof questions / sizeof *questions, &given, ret_undone, f);
        if (o == OK && !*ret_undone)
            o = arrival_call(r, s, given, &carried, f);
        if (o == OK && carried)
            o = step_carry(r, s, MESSAGE_CHALLENGE, ret_undone, f);
    } while (o != OK && !r->stopped && r->answers == NULL && runner_again(r, s, o, f) == OK);
    if (o == OK && !*ret_undone)
        o = result_take(result, given, f);
    if (o == OK && !*ret_undone &&
        (!json_put_string(result, "site", step_with(s, "site")) ||
         !json_put_string(result, "token", step_with(s, "token"))))
        o = fault_memory(f);
    json_decref(given);
    return o;
}
