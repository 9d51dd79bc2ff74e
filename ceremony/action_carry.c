#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/action_perform.h"
#include "ceremony/carried.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/owed.h"

/* What a step asks of a site that files are carried to: the message goes out as a file, and the step waits for the answer. */

/* After a break it is the same question: its answer may be on its way. */
static enum outcome message_write(const struct runner *r, const struct step *s, enum message_kind kind,
                                  const char *path, struct fault *f)
{
    const char *token = step_with(s, "token"), *site = step_with(s, "site");
    struct buf message = BUF(LIMIT_MESSAGE);
    struct owed_list owed = {.items = NULL};
    const struct owed *question = NULL;
    enum outcome o = owed_gather(r->estate, token, site, &owed, f);

    for (size_t i = 0; o == OK && i < owed.count; i++)
        if (owed.items[i].kind == kind)
            question = &owed.items[i];
    if (o == OK && question == NULL)
        o = fault_set(f, E_DEVICE, "%s at %s is asked by files, but no question to it waits", token, site);
    if (o == OK)
        o = owed_message(r->estate, token, site, question, 0, &message, f);
    if (o == OK)
        o = file_replace(path, buf_span(&message), 0600, f);
    owed_free(&owed);
    buf_free(&message);
    return o;
}

static enum outcome answer_take(const void *context, const char *typed, struct buf *ret_value, struct fault *why)
{
    const struct runner *r = context;
    char *path = path_join(r->answers != NULL ? r->answers->folder : ".", typed);
    json_t *report = NULL;
    enum outcome o = path != NULL ? carried_answer_import(r->client, path, &report, why) : fault_memory(why);

    if (o == OK)
        buf_puts(ret_value, "taken");
    json_decref(report);
    free(path);
    return o == OK ? OK : E_INVALID;
}

/* Where the step asked for more than that, its answers are those of one attempt. */
static enum outcome answer_ask(struct runner *r, const struct step *s, bool *ret_undone, struct fault *f)
{
    const struct question question = {"answer", false, true, answer_take, r};
    const struct yaml *attempt = r->answers != NULL ? answers_last(r->answers, s) : NULL;
    const struct yaml *answer = attempt != NULL ? yaml_get(attempt, question.name) : NULL;
    struct buf value = BUF(64);
    json_t *given = NULL;
    enum outcome o = answer != NULL ? answer_take(r, answer->scalar, &value, f)
                                    : runner_ask(r, s, &question, 1, &given, ret_undone, f);

    if (o != OK && answer != NULL) {
        fault_context(f, "step %s", s->id);
        f->outcome = o = E_REFUSED;
    }
    json_decref(given);
    buf_free(&value);
    return o;
}

enum outcome step_carry(struct runner *r, const struct step *s, enum message_kind kind, bool *ret_undone,
                        struct fault *f)
{
    char name[2 * LIMIT_NAME + 64], *path = NULL;
    enum outcome o = OK;

    snprintf(name, sizeof name, "%s/%s.message", r->estate->ceremony, s->id);
    path = estate_path(r->estate, "ceremonies", name);
    o = path != NULL ? runner_follow(r, f) : fault_memory(f);
    if (o == OK)
        o = message_write(r, s, kind, path, f);
    if (o == OK) {
        talk_note(TONE_WAIT, "For %s of %s, where files are carried: %s", step_with(s, "site"), step_with(s, "token"),
                  path);
        talk_note(TONE_PLAIN, "There: quorate accept FILE --out ANSWER; what comes back is the answer to this step");
        o = answer_ask(r, s, ret_undone, f);
    }
    if (o == OK)
        o = runner_follow(r, f);
    free(path);
    return o;
}
