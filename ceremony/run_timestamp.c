#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/action_perform.h"
#include "ceremony/stamp.h"
#include "core/file.h"
#include "core/limits.h"

/* The step `timestamp`: a query over the log's checkpoint as it is then, and the authority's response where it is there already. */

struct stamping {
    struct runner *runner;
    struct checkpoint checkpoint;
    struct buf text;
    struct digest of; /* the text's */
};

/* home/ceremonies/ID/STEP+suffix, the caller's. */
static char *stamping_path(const struct stamping *t, const struct step *s, const char *suffix)
{
    char name[2 * LIMIT_NAME + 64];

    snprintf(name, sizeof name, "%s/%s%s", t->runner->estate->ceremony, s->id, suffix);
    return estate_path(t->runner->estate, "ceremonies", name);
}

static bool text_is_of_log(const struct log *l, struct span text, struct checkpoint *ret)
{
    struct fault ignored = {OK, ""};
    struct digest root;

    return checkpoint_parse(text, ret, &ignored) == OK && strcmp(ret->origin, log_origin(l)) == 0 &&
           log_root_at(l, ret->size, &root, &ignored) == OK && digest_equal(&root, &ret->root);
}

/* After a break the query is the one that was made before: its answer may be on its way. */
static enum outcome stamping_begin(struct stamping *t, const struct step *s, const char *query_path, struct fault *f)
{
    const struct log *l = t->runner->estate->log;
    struct buf query = BUF(LIMIT_NOTE);
    char *path = stamping_path(t, s, ".checkpoint");
    enum outcome o = path != NULL ? runner_follow(t->runner, f) : fault_memory(f);
    bool before = o == OK && file_exists(path) && file_exists(query_path) && file_read(path, true, &t->text, f) == OK &&
                  text_is_of_log(l, buf_span(&t->text), &t->checkpoint);

    if (o != OK || before)
        goto out;
    buf_clear(&t->text);
    t->checkpoint = (struct checkpoint){.size = log_size(l)};
    snprintf(t->checkpoint.origin, sizeof t->checkpoint.origin, "%s", log_origin(l));
    log_root(l, &t->checkpoint.root);
    checkpoint_put(&t->checkpoint, &t->text);
    if (t->text.failed || !digest_one(&t->of, buf_span(&t->text)))
        o = fault_memory(f);
    if (o == OK)
        o = stamp_query(&t->of, &query, f);
    if (o == OK)
        o = file_replace(query_path, buf_span(&query), 0644, f);
    if (o == OK)
        o = file_replace(path, buf_span(&t->text), 0644, f);
out:
    if (o == OK && !digest_one(&t->of, buf_span(&t->text)))
        o = fault_memory(f);
    buf_free(&query);
    free(path);
    return o;
}

/* A response over this checkpoint; kept, its digest becomes the value. */
static enum outcome response_take(const void *context, const char *typed, struct buf *ret_value, struct fault *why)
{
    const struct stamping *t = context;
    const struct answers *answers = t->runner->answers;
    struct buf response = BUF(LIMIT_SIGNATURE);
    struct digest kept;
    moment at = 0;
    char *path = path_join(answers != NULL ? answers->folder : ".", typed);
    enum outcome o = path != NULL ? file_read(path, false, &response, why) : fault_memory(why);

    if (o == OK)
        o = stamp_read(buf_span(&response), &t->of, &at, why);
    if (o == OK)
        o = estate_keep(t->runner->estate, "artifacts", "", buf_span(&response), &kept, why);
    if (o == OK)
        buf_puts(ret_value, digest_hex(&kept).hex);
    buf_free(&response);
    free(path);
    return o == OK ? OK : E_INVALID;
}

static enum outcome stamping_ask(struct stamping *t, const struct step *s, const char *query_path, json_t *result,
                                 bool *ret_undone, struct fault *f)
{
    const struct question question = {"response", true, true, response_take, t};
    struct digest stamp;
    json_t *given = NULL;
    enum outcome o = OK;

    if (artifact_find(t->runner, s, "timestamp", &stamp)) /* before a break */
        return json_put_digest(result, "stamp", &stamp) ? OK : fault_memory(f);
    if (t->runner->answers == NULL)
        talk_note(TONE_PLAIN, "For the time stamping authority: %s (%" PRIu64 " entries, SHA-256 %s)", query_path,
                  t->checkpoint.size, digest_hex(&t->of).hex);
    o = runner_ask(t->runner, s, &question, 1, &given, ret_undone, f);
    if (o == OK && !*ret_undone && json_string_or_null(given, "response") != NULL) {
        o = json_want_digest(given, "response", &stamp, f);
        if (o == OK)
            o = artifact_log(t->runner, s, &(struct artifact_made){"timestamp", "checkpoint", ".tsr", .digest = &stamp},
                             f);
        if (o == OK && !json_put_digest(result, "stamp", &stamp))
            o = fault_memory(f);
    }
    json_decref(given);
    return o;
}

enum outcome perform_timestamp(struct runner *r, const struct step *s, json_t *result, bool *ret_undone,
                               struct fault *f)
{
    struct stamping t = {.runner = r, .text = BUF(LIMIT_NOTE)};
    char size[24], *query_path = stamping_path(&t, s, ".tsq");
    enum outcome o = query_path != NULL ? stamping_begin(&t, s, query_path, f) : fault_memory(f);

    if (o == OK)
        o = stamping_ask(&t, s, query_path, result, ret_undone, f);
    snprintf(size, sizeof size, "%" PRIu64, t.checkpoint.size);
    if (o == OK && !*ret_undone &&
        !(json_put_digest(result, "root", &t.checkpoint.root) && json_put_string(result, "size", size)))
        o = fault_memory(f);
    buf_free(&t.text);
    free(query_path);
    return o;
}
