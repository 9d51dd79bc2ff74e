#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/action_perform.h"
#include "ceremony/run_file.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "policy/match.h"
#include "policy/parse.h"

/* What happens in the room: people, clocks, words, papers. */

#define DAY_SECONDS 86400

enum outcome result_take(json_t *result, const json_t *given, struct fault *f)
{
    json_t *copy = json_deep_copy(given);
    bool good = copy != NULL && json_object_update(result, copy) == 0;

    json_decref(copy);
    return good ? OK : fault_memory(f);
}

/* Waits for the word that it is done. */
static enum outcome done_ask(struct runner *r, const struct step *s, bool *ret_undone, struct fault *f)
{
    json_t *given = NULL;
    enum outcome o = runner_ask(r, s, NULL, 0, &given, ret_undone, f);

    json_decref(given);
    return o;
}

/* An entry for each actor who is not yet where they go. */
static enum outcome presence_log(struct runner *r, const struct step *s, enum entry_type type, struct fault *f)
{
    enum outcome o = OK;

    for (size_t i = 0; i < r->actors.count && o == OK; i++) {
        json_t *body = NULL;

        if (record_present(&r->record, r->actors.items[i]) == (type == ENTRY_ENTERED))
            continue;
        body = json_object();
        if (json_put_string(body, "person", r->actors.items[i]) && json_put_string(body, "step", s->id) &&
            (type == ENTRY_LEFT || json_put_string(body, "role", s->role->id)))
            o = runner_append(r, type, json_incref(body), f);
        else
            o = fault_memory(f);
        json_decref(body);
    }
    return o;
}

enum outcome perform_enter(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    enum outcome o = done_ask(r, s, ret_undone, f);

    (void)result;
    return o == OK && !*ret_undone ? presence_log(r, s, ENTRY_ENTERED, f) : o;
}

enum outcome perform_leave(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    enum outcome o = done_ask(r, s, ret_undone, f);

    (void)result;
    return o == OK && !*ret_undone ? presence_log(r, s, ENTRY_LEFT, f) : o;
}

enum outcome perform_confirm(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    (void)result;
    return done_ask(r, s, ret_undone, f);
}

/* "now", a whole time, or HH:MM:SS of the day (UTC) that makes it nearest to ours. */
static enum outcome clock_take(const void *context, const char *typed, struct buf *ret_value, struct fault *why)
{
    moment now = moment_now(), said = now;
    char today[64];

    (void)context;
    if (strcmp(typed, "now") != 0 && moment_parse(typed, &said, why) != OK) {
        snprintf(today, sizeof today, "%.10sT%.20sZ", moment_format(now).text, typed);
        if (moment_parse(today, &said, why) != OK)
            return fault_set(why, E_INVALID, "\"%s\" is no time; HH:MM:SS (UTC) was expected", typed);
        if (said - now > DAY_SECONDS / 2)
            said -= DAY_SECONDS;
        else if (now - said > DAY_SECONDS / 2)
            said += DAY_SECONDS;
    }
    buf_puts(ret_value, moment_format(said).text);
    if (llabs(said - now) > LIMIT_ROOM_CLOCK)
        return fault_set(why, E_REFUSED,
                         "that clock says %s, this computer %s; more than %d seconds apart: look again, or note a "
                         "deviation",
                         moment_format(said).text, moment_format(now).text, LIMIT_ROOM_CLOCK);
    return OK;
}

enum outcome perform_check_clock(struct runner *r, const struct step *s, json_t *result, bool *ret_undone,
                                 struct fault *f)
{
    const struct question clocks[] = {{"clock-1", false, false, clock_take, NULL},
                                      {"clock-2", false, false, clock_take, NULL}};
    json_t *given = NULL;
    enum outcome o = OK;

    if (r->answers == NULL)
        talk_note(TONE_PLAIN, "This computer says %s.", moment_format(moment_now()).text);
    o = runner_ask(r, s, clocks, 2, &given, ret_undone, f);
    if (o == OK && !*ret_undone)
        o = result_take(result, given, f);
    json_decref(given);
    return o;
}

/* context: the pattern, a POSIX extended expression, anchored by its author. */
static enum outcome pattern_take(const void *context, const char *typed, struct buf *ret_value, struct fault *why)
{
    const char *pattern = context;
    enum label_match match = LABEL_BROKEN;
    regex_t compiled;

    if (typed[0] == '\0' || !utf8_printable(span_str(typed)))
        return fault_set(why, E_INVALID, "one line of printable text was expected");
    if (label_compile(pattern, &compiled, why) != OK)
        return E_INVALID;
    match = label_match(&compiled, typed);
    regfree(&compiled);
    buf_puts(ret_value, typed);
    if (ret_value->failed || match == LABEL_BROKEN)
        return fault_set(why, E_INVALID, "that is too long");
    return match == LABEL_MATCHES ? OK : fault_set(why, E_REFUSED, "\"%s\" does not fit %s", typed, pattern);
}

enum outcome perform_record(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    struct question *questions = calloc(s->with_count, sizeof *questions);
    json_t *given = NULL;
    enum outcome o = questions != NULL ? OK : fault_memory(f);

    for (size_t i = 0; i < s->with_count && o == OK; i++)
        questions[i] = (struct question){s->with[i].name, false, false, pattern_take, s->with[i].value};
    if (o == OK)
        o = runner_ask(r, s, questions, s->with_count, &given, ret_undone, f);
    if (o == OK && !*ret_undone)
        o = result_take(result, given, f);
    json_decref(given);
    free(questions);
    return o;
}

/* A file that is there; its digest becomes the value. context: the answers, or NULL. */
static enum outcome file_take(const void *context, const char *typed, struct buf *ret_value, struct fault *why)
{
    const struct answers *answers = context;
    struct digest digest;
    char *path = path_join(answers != NULL ? answers->folder : ".", typed);
    enum outcome o = path != NULL ? file_digest(path, &digest, why) : fault_memory(why);

    if (o == OK)
        buf_puts(ret_value, digest_hex(&digest).hex);
    free(path);
    return o == OK ? OK : E_INVALID;
}

enum outcome perform_exhibit(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    static const char *const optional[] = {"device", "end", "gaps", "start"};
    struct question questions[5] = {{"file", false, true, file_take, r->answers}};
    json_t *given = NULL, *body = json_object();
    const char *digest = NULL;
    bool good = json_put_string(body, "kind", step_with(s, "kind")) &&
                json_put_string(body, "person", r->actors.items[0]) && json_put_string(body, "step", s->id);
    enum outcome o = good ? OK : fault_memory(f);

    for (size_t i = 0; i < 4; i++)
        questions[i + 1] = (struct question){optional[i], true, true, NULL, NULL};
    if (o == OK)
        o = runner_ask(r, s, questions, 5, &given, ret_undone, f);
    if (o != OK || *ret_undone)
        goto out;
    digest = json_string_or_null(given, "file");
    good = json_put_string(body, "digest", digest) && json_put_string(result, "digest", digest);
    for (size_t i = 0; i < 4 && good; i++) {
        const char *value = json_string_or_null(given, optional[i]);

        good = value == NULL || json_put_string(body, optional[i], value);
    }
    o = good ? runner_append(r, ENTRY_EXHIBIT, json_incref(body), f) : fault_memory(f);
out:
    json_decref(given);
    json_decref(body);
    return o;
}

/* The checkpoint as it is when the words are read. */
enum outcome perform_read_aloud(struct runner *r, const struct step *s, json_t *result, bool *ret_undone,
                                struct fault *f)
{
    struct buf words = BUF(4096), out = BUF(OUTPUT_MAX);
    struct digest root;
    char size[24];
    enum outcome o = runner_follow(r, f);

    if (o != OK)
        return o;
    log_root(r->estate->log, &root);
    snprintf(size, sizeof size, "%" PRIu64, log_size(r->estate->log));
    words_put(&words, span_of(root.bytes, sizeof root.bytes));
    if (r->answers == NULL) {
        print_field(&out, "size", "%s", size);
        print_words(&out, &root);
        o = print_out(&out, f);
    }
    if (o == OK)
        o = done_ask(r, s, ret_undone, f);
    if (o == OK && !*ret_undone &&
        (words.failed || !json_put_digest(result, "root", &root) || !json_put_string(result, "size", size) ||
         !json_put_string(result, "words", buf_str(&words))))
        o = fault_memory(f);
    buf_free(&out);
    buf_free(&words);
    return o;
}
