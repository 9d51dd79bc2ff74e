#include "ceremony/run.h"

#include <stdlib.h>
#include <string.h>

#include "audit/confidential.h"
#include "ceremony/action_certificate.h"
#include "ceremony/action_perform.h"
#include "ceremony/run_actors.h"
#include "ceremony/run_close.h"
#include "ceremony/run_open.h"
#include "ceremony/run_talk.h"
#include "ceremony/terminal.h"
#include "ceremony/tool.h"
#include "core/encode.h"

enum outcome runner_follow(struct runner *r, struct fault *f)
{
    enum outcome o = estate_refresh(r->estate, f);

    return o == OK ? record_follow(&r->record, r->estate->log, f) : o;
}

enum outcome runner_append(struct runner *r, enum entry_type type, json_t *body_taken, struct fault *f)
{
    const struct step *s = r->index < r->script->step_count ? &r->script->steps[r->index] : NULL;
    const char *type_name = entry_type_name(type), *name = json_string_or_null(body_taken, "name");
    const char *class = NULL;
    enum outcome o = OK;

    if (s != NULL && confidential_type(type))
        class = step_shown(s, type_name) ? "" : step_class(s, type_name, name);
    o = body_taken != NULL ? estate_append_as(r->estate, type, class, body_taken, NULL, f) : fault_memory(f);

    json_decref(body_taken);
    return o == OK ? runner_follow(r, f) : o;
}

enum outcome runner_deviate(struct runner *r, const struct step *s, const char *cause, const char *accepted_by,
                            struct fault *f)
{
    json_t *body = NULL;

    if (cause[0] == '\0' || !utf8_printable(span_str(cause)))
        return fault_set(f, E_INVALID, "the cause must be one line of printable text");
    if (cast_role(&r->cast, accepted_by) == NULL)
        return fault_set(f, E_INVALID, "a deviation is accepted by somebody of this ceremony, not by \"%s\"",
                         accepted_by);
    if (!record_present(&r->record, accepted_by))
        return fault_set(f, E_INVALID, "%s has not entered and cannot accept a deviation", accepted_by);
    if (r->actors.count == 1 && strcmp(r->actors.items[0], accepted_by) == 0)
        return fault_set(f, E_INVALID, "%s does the step; somebody else must accept its deviation", accepted_by);
    body = json_object();
    if (json_put_string(body, "accepted-by", accepted_by) && json_put_string(body, "cause", cause) &&
        json_put_string(body, "step", s->id))
        return runner_append(r, ENTRY_DEVIATION, body, f);
    json_decref(body);
    return fault_memory(f);
}

enum outcome runner_stand(struct runner *r, const struct step *s, int operation, const struct digest *tbs,
                          struct fault *f)
{
    json_t *question = json_object(), *answer = NULL;
    bool good = json_put_string(question, "step", s->id);
    enum outcome o = OK;

    if (good && operation >= 0)
        good = json_put_string(question, "operation", operation_name((enum operation)operation)) &&
               json_put_string(question, "actor", cast_holder(&r->cast, s->role->id, 0));
    if (good && tbs != NULL)
        good = json_put_digest(question, "tbs", tbs);
    o = good ? client_call(r->client, "step", json_incref(question), &answer, f) : fault_memory(f);
    json_decref(answer);
    json_decref(question);
    return o;
}

static enum outcome done_log(struct runner *r, const struct step *s, json_t *result, struct fault *f)
{
    json_t *body = json_object(), *actors = json_array(), *shown = record_result(&r->record, s->id, result);
    bool good = actors != NULL && shown != NULL;
    enum outcome o = OK;

    for (size_t i = 0; i < r->actors.count && good; i++)
        good = json_array_append_new(actors, json_string(r->actors.items[i])) == 0;
    good = good && json_put_string(body, "action", s->action->name) && json_put(body, "actors", json_incref(actors)) &&
           json_put(body, "result", json_incref(shown)) && json_put_string(body, "step", s->id);
    o = good ? runner_append(r, ENTRY_STEP, json_incref(body), f) : fault_memory(f);
    json_decref(actors);
    json_decref(shown);
    json_decref(body);
    return o;
}

static enum outcome step_run(struct runner *r, const struct step *s, struct fault *f)
{
    json_t *result = NULL;
    bool undone = false, open = s->by == BY_ANY || s->by == BY_COUNT;
    enum outcome o = OK;

    /* Whoever is asked who does it sees first what it is. */
    strings_free(&r->actors);
    if (open && r->answers == NULL)
        o = talk_step(r, s, f);
    if (o == OK)
        o = actors_choose(r, s, f);
    if (o == OK && !open && r->answers == NULL)
        o = talk_step(r, s, f);
    if (o == OK)
        o = runner_stand(r, s, s->action->operation, NULL, f);
    if (o == OK)
        o = step_perform(r, s, &result, f);
    if (o == OK) {
        undone = json_object_size(result) == 0 && s->action->skippable && record_deviated(&r->record, s->id, 0);
        o = done_log(r, s, result, f);
    }
    if (o == OK)
        o = talk_done(r, s, undone ? "under a deviation" : "done", f);
    json_decref(result);
    return o;
}

static enum outcome steps_run(struct runner *r, struct fault *f)
{
    enum outcome o = record_position(&r->record, r->script, &r->index, f);

    while (o == OK && r->index < r->script->step_count) {
        o = step_run(r, &r->script->steps[r->index], f);
        r->index += o == OK;
    }
    return o;
}

/* Who fills the roles, asked for one after the other. */
static enum outcome people_ask(struct runner *r, struct fault *f)
{
    struct buf prompt = BUF(4096), line = BUF(4096);
    enum outcome o = OK;

    for (size_t i = 0; i < r->script->role_count && o == OK; i++) {
        const struct role *role = &r->script->roles[i];
        char *rest = NULL;

        buf_clear(&prompt);
        buf_putf(&prompt, "%s (%s, %u at least), ids with blanks between:", role->id, role->of, role->at_least);
        o = talk_read(buf_str(&prompt), &line, f);
        for (char *name = o == OK && line.len > 0 ? strtok_r((char *)line.data, " ,", &rest) : NULL;
             name != NULL && o == OK; name = strtok_r(NULL, " ,", &rest))
            o = cast_add(&r->cast, name, role->id, f);
    }
    buf_free(&line);
    buf_free(&prompt);
    return o;
}

static enum outcome people_get(struct runner *r, const struct arguments *a, struct fault *f)
{
    const char *people = argument(a, "people"), *answers = argument(a, "answers");

    if (answers != NULL && people != NULL)
        return fault_set(f, E_INVALID, "--answers names the people too; --people is for a run at the terminal");
    if (answers != NULL && strcmp(r->estate->state.environment, "production") == 0)
        return fault_set(f, E_REFUSED,
                         "this estate is a production estate: ceremonies are held by people; --answers is "
                         "for test and rehearsal");
    if (answers != NULL)
        return answers_read(answers, r->script, &r->answers, &r->cast, f);
    if (!terminal_present())
        return fault_set(f, E_INVALID, "there is no terminal to ask people at; run it on one, or give --answers");
    if (people != NULL)
        return people_read(people, r->script, &r->cast, f);
    return ceremony_running(&r->estate->state, r->script->id) == NULL ? people_ask(r, f) : OK;
}

static enum outcome mended(struct runner *r, bool *ret_mended, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    char *id = NULL;
    enum outcome o = ceremony_mend(r->estate, r->script->id, &id, f);

    if (o == OK && id != NULL) {
        *ret_mended = true;
        buf_putf(&b, "Ceremony %s was closed; its checkpoint is kept now.\n", id);
        o = print_out(&b, f);
    }
    free(id);
    buf_free(&b);
    return o;
}

/* What to do after it stopped short. */
static void resume_tell(const struct runner *r, const struct arguments *a)
{
    struct buf b = BUF(OUTPUT_MAX);

    if (r->estate == NULL || r->estate->ceremony == NULL || r->record.ceremony == NULL)
        return;
    buf_puts(&b, "\nCeremony ");
    print_text(&b, r->estate->ceremony);
    if (r->index < r->script->step_count)
        buf_putf(&b, " stands at step %s", r->script->steps[r->index].id);
    else
        buf_puts(&b, " is not closed yet");
    buf_puts(&b, r->stopped ? ", for a break" : "");
    buf_puts(&b, ". It goes on there with the same command: quorate run ");
    print_text(&b, a->operands[0]);
    buf_puts(&b, "\n");
    fflush(stdout);
    print_aside(&b);
    buf_free(&b);
}

static void runner_clear(struct runner *r)
{
    client_close(r->client);
    answers_free(r->answers);
    cast_clear(&r->cast);
    record_clear(&r->record);
    strings_free(&r->actors);
    script_free(r->script);
    estate_close(r->estate);
}

enum outcome run_run(const struct arguments *a, struct fault *f)
{
    struct runner r = {.module = argument(a, "module")};
    bool only_mended = false;
    enum outcome o = script_read(a->operands[0], &r.script, f);

    if (o == OK)
        o = estate_open(argument(a, "bindings"), &r.estate, f);
    if (o == OK)
        o = estate_policy_in_force(r.estate, f);
    if (o == OK)
        o = mended(&r, &only_mended, f);
    if (o != OK || only_mended)
        goto out;
    if (ceremony_running(&r.estate->state, r.script->id) == NULL)
        o = certificate_steps_check(r.script, f);
    if (o != OK)
        goto out;
    o = people_get(&r, a, f);
    if (o == OK)
        o = client_open(r.module, argument(a, "bindings"), &r.client, f);
    if (o == OK)
        o = ceremony_open(&r, f);
    if (o == OK)
        o = steps_run(&r, f);
    if (o == OK)
        o = ceremony_close(&r, f);
    if (o != OK)
        resume_tell(&r, a);
out:
    runner_clear(&r);
    return o;
}
