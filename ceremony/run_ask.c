#include "ceremony/run_ask.h"

#include <string.h>

#include "ceremony/run_talk.h"
#include "core/encode.h"
#include "core/limits.h"

static enum outcome answer_log(struct runner *r, const struct step *s, const struct question *q, const char *value,
                               struct fault *f)
{
    json_t *body = json_object();

    if (q->unlogged) {
        json_decref(body);
        return OK;
    }
    if (json_put_string(body, "name", q->name) && json_put_string(body, "person", r->actors.items[0]) &&
        json_put_string(body, "step", s->id) && json_put_string(body, "value", value))
        return runner_append(r, ENTRY_ANSWER, body, f);
    json_decref(body);
    return fault_memory(f);
}

static enum outcome text_take(const void *context, const char *typed, struct buf *ret_value, struct fault *why)
{
    (void)context;
    if (typed[0] == '\0' || !utf8_printable(span_str(typed)))
        return fault_set(why, E_INVALID, "one line of printable text was expected");
    buf_puts(ret_value, typed);
    return ret_value->failed ? fault_set(why, E_INVALID, "that is too long") : OK;
}

/* Takes what was said for one question. OK with *ret_fits: the value stands, in given and in the log. */
static enum outcome answer_take(struct runner *r, const struct step *s, const struct question *q, const char *typed,
                                json_t *given, bool *ret_fits, struct fault *why, struct fault *f)
{
    struct buf value = BUF(LIMIT_SAID);
    enum outcome o = OK, taken = (q->take != NULL ? q->take : text_take)(q->context, typed, &value, why);
    bool fits = taken == OK || (taken == E_REFUSED && record_deviated(&r->record, s->id, 0));

    if (taken == OK || taken == E_REFUSED)
        o = answer_log(r, s, q, buf_str(&value), f);
    if (o == OK && fits && !json_put_string(given, q->name, buf_str(&value)))
        o = fault_memory(f);
    if (o == OK)
        *ret_fits = fits;
    buf_free(&value);
    return o;
}

static enum outcome attempt_deviation(struct runner *r, const struct step *s, const struct yaml *attempt,
                                      struct fault *f)
{
    const struct yaml *deviation = yaml_get(attempt, "deviation");

    return deviation == NULL ? OK
                             : runner_deviate(r, s, yaml_get(deviation, "cause")->scalar,
                                              yaml_get(deviation, "accepted-by")->scalar, f);
}

static enum outcome attempt_take(struct runner *r, const struct step *s, const struct question *questions, size_t count,
                                 const struct yaml *attempt, json_t *given, bool *ret_fits, struct fault *why,
                                 struct fault *f)
{
    bool all = true;
    enum outcome o = OK;

    for (size_t i = 0; i < count && o == OK && all; i++) {
        const struct yaml *node = yaml_get(attempt, questions[i].name);

        if (node != NULL)
            o = answer_take(r, s, &questions[i], node->scalar, given, &all, why, f);
        else
            all = questions[i].optional;
    }
    if (o == OK)
        *ret_fits = all;
    return o;
}

static enum outcome ask_answers(struct runner *r, const struct step *s, const struct question *questions, size_t count,
                                json_t *given, bool *ret_undone, struct fault *f)
{
    const struct yaml *attempt = NULL;
    struct fault why = {.outcome = OK};
    bool fits = count == 0;
    enum outcome o = OK;

    while (o == OK && (!fits || count == 0) && (attempt = answers_next(r->answers, s)) != NULL) {
        json_object_clear(given);
        o = attempt_deviation(r, s, attempt, f);
        if (o == OK && count > 0)
            o = attempt_take(r, s, questions, count, attempt, given, &fits, &why, f);
    }
    if (o != OK || fits)
        return o;
    if (s->action->skippable && why.text[0] == '\0' && record_deviated(&r->record, s->id, 0)) {
        *ret_undone = true;
        return OK;
    }
    return fault_set(f, E_REFUSED, "step %s: %s; %s has no further attempt for it", s->id,
                     why.text[0] != '\0' ? why.text : "not answered", r->answers->file);
}

static enum outcome stop(struct runner *r, struct fault *f)
{
    r->stopped = true;
    return fault_set(f, E_REFUSED, "%s", "");
}

/* One line; "b" and the end of the input are a break. */
static enum outcome line_read(struct runner *r, const char *prompt, struct buf *ret, struct fault *f)
{
    enum outcome o = talk_read(prompt, ret, f);

    if (o == E_REFUSED || (o == OK && strcmp(buf_str(ret), "b") == 0))
        return stop(r, f);
    return o;
}

/* Cause and acceptance, until they can be logged. */
static enum outcome deviation_read(struct runner *r, const struct step *s, struct fault *f)
{
    struct buf cause = BUF(LIMIT_SAID), who = BUF(LIMIT_SAID);
    enum outcome o = OK;

    do {
        o = line_read(r, "Deviation, its cause:", &cause, f);
        if (o == OK)
            o = line_read(r, "Accepted by:", &who, f);
        if (o != OK)
            break;
        o = runner_deviate(r, s, buf_str(&cause), buf_str(&who), f);
        if (o == E_INVALID)
            talk_note(TONE_BAD, "%s", f->text);
    } while (o == E_INVALID);
    if (o == OK)
        talk_note(TONE_WAIT, "The deviation is in the log.");
    buf_free(&who);
    buf_free(&cause);
    return o;
}

/* A deviation, and whether the step is then left undone. */
static enum outcome deviation_ask(struct runner *r, const struct step *s, bool *ret_undone, struct fault *f)
{
    struct buf line = BUF(LIMIT_SAID);
    enum outcome o = deviation_read(r, s, f);

    if (o == OK && s->action->skippable) {
        o = line_read(r, "[Enter] go on with the step  [u] leave it undone  [b] break:", &line, f);
        if (o == OK && strcmp(buf_str(&line), "u") == 0)
            *ret_undone = true;
    }
    buf_free(&line);
    return o;
}

static void prompt_put(const struct question *q, struct buf *b)
{
    if (q == NULL)
        buf_puts(b, "[Enter] done  [d] deviation  [b] break:");
    else
        buf_putf(b, "%s%s  [d] deviation  [b] break:", q->name, q->optional ? " (may be empty)" : "");
}

/* One question until it is answered; q NULL: the word that the step is done. */
static enum outcome ask_one(struct runner *r, const struct step *s, const struct question *q, json_t *given,
                            bool *ret_undone, struct fault *f)
{
    struct buf prompt = BUF(LIMIT_SAID), line = BUF(LIMIT_SAID);
    struct fault why = {.outcome = OK};
    bool fits = false;
    enum outcome o = OK;

    prompt_put(q, &prompt);
    while (o == OK && !fits && !*ret_undone) {
        o = line_read(r, buf_str(&prompt), &line, f);
        if (o != OK)
            break;
        if (strcmp(buf_str(&line), "d") == 0) {
            o = deviation_ask(r, s, ret_undone, f);
        } else if (q == NULL || (q->optional && line.len == 0)) {
            fits = q != NULL || line.len == 0;
        } else {
            o = answer_take(r, s, q, buf_str(&line), given, &fits, &why, f);
            if (o == OK && !fits)
                talk_note(TONE_BAD, "%s", why.text);
        }
    }
    buf_free(&line);
    buf_free(&prompt);
    return o;
}

enum outcome runner_ask(struct runner *r, const struct step *s, const struct question *questions, size_t count,
                        json_t **ret_given, bool *ret_undone, struct fault *f)
{
    json_t *given = json_object();
    bool undone = false;
    enum outcome o = given != NULL ? OK : fault_memory(f);

    if (o == OK && r->answers != NULL)
        o = ask_answers(r, s, questions, count, given, &undone, f);
    else if (o == OK && count == 0)
        o = ask_one(r, s, NULL, given, &undone, f);
    for (size_t i = 0; r->answers == NULL && i < count && o == OK && !undone; i++)
        o = ask_one(r, s, &questions[i], given, &undone, f);
    if (o == OK) {
        *ret_given = given;
        *ret_undone = undone;
        given = NULL; /* the caller's */
    }
    json_decref(given);
    return o;
}

enum outcome runner_want_deviation(struct runner *r, const struct step *s, const char *why, struct fault *f)
{
    const struct yaml *attempt = NULL;

    if (r->answers == NULL) {
        talk_note(TONE_BAD, "%s", why);
        return deviation_read(r, s, f);
    }
    attempt = answers_next(r->answers, s);
    if (attempt == NULL || yaml_get(attempt, "deviation") == NULL)
        return fault_set(f, E_REFUSED, "step %s: %s; it goes on only under a deviation, and %s has none for it", s->id,
                         why, r->answers->file);
    return attempt_deviation(r, s, attempt, f);
}

enum outcome runner_again(struct runner *r, const struct step *s, enum outcome failed, struct fault *f)
{
    struct buf line = BUF(LIMIT_SAID);
    enum outcome o = failed;

    if (r->answers != NULL || r->stopped)
        return failed;
    talk_note(TONE_BAD, "%s", f->text);
    do {
        o = line_read(r, "[Enter] try again  [d] deviation  [b] break:", &line, f);
        if (o == OK && strcmp(buf_str(&line), "d") == 0)
            o = deviation_read(r, s, f);
        else if (o == OK)
            break;
    } while (o == OK);
    buf_free(&line);
    return o;
}
