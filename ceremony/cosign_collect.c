#include "ceremony/cosign_collect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/cosigner.h"
#include "ceremony/http.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/cosigned.h"

struct round {
    struct estate *estate;
    const struct cosigners *cosigners;
    const char *ceremony; /* over whose closing checkpoint; NULL: over the newest */
    struct buf note;      /* the checkpoint as the log signed it */
    struct checkpoint checkpoint;
    struct strings lines; /* that hold */
    struct buf missing;   /* who, and why */
    bool behind;          /* somebody has signed a larger checkpoint of this log since */
};

static char *round_path(const struct estate *e, const char *name, const char *suffix)
{
    char file[LIMIT_NAME + 32];

    snprintf(file, sizeof file, "%s%s", name, suffix);
    return estate_path(e, "cosign", file);
}

static enum outcome round_write(const struct estate *e, const char *name, const char *suffix, struct span bytes,
                                struct fault *f)
{
    char *path = round_path(e, name, suffix);
    enum outcome o = path != NULL ? file_replace(path, bytes, 0644, f) : fault_memory(f);

    free(path);
    return o;
}

static enum outcome round_remove(const struct estate *e, const char *name, const char *suffix, struct fault *f)
{
    char *path = round_path(e, name, suffix);
    enum outcome o = path != NULL ? file_remove(path, f) : fault_memory(f);

    free(path);
    return o;
}

enum outcome cosign_collected(const struct estate *e, struct fault *f)
{
    static const char *const suffixes[] = {".request", ".cosignature", ".line"};
    const struct cosigners *c = &e->policy->cosigners;
    enum outcome o = round_remove(e, "checkpoint", "", f);

    for (size_t i = 0; i < c->count && o == OK; i++)
        for (size_t k = 0; k < 3 && o == OK; k++)
            o = round_remove(e, c->items[i].name, suffixes[k], f);
    return o;
}

/* The note is a checkpoint that this log has signed, of a size that will do. */
static bool note_fits(struct round *r, uint64_t at_least)
{
    struct fault f = {OK, ""};
    struct digest root;

    return log_checkpoint_open(r->estate->log, buf_span(&r->note), &r->checkpoint, &f) == OK &&
           r->checkpoint.size >= at_least && log_root_at(r->estate->log, r->checkpoint.size, &root, &f) == OK &&
           digest_equal(&root, &r->checkpoint.root);
}

/* The checkpoint that this round is to be about, where it does not go on with an earlier one. */
static enum outcome note_choose(struct round *r, uint64_t at_least, struct fault *f)
{
    char *folder = r->ceremony != NULL ? estate_path(r->estate, "ceremonies", r->ceremony) : NULL;
    char *path = folder != NULL ? path_join(folder, "checkpoint") : NULL;
    enum outcome o = OK;

    buf_clear(&r->note);
    if (r->ceremony == NULL)
        o = log_checkpoint_bytes(r->estate->log, &r->note, f);
    else
        o = path != NULL ? file_read(path, false, &r->note, f) : fault_memory(f);
    if (o == E_ABSENT)
        o = fault_set(f, E_REFUSED, "ceremony %s is not closed: finish it with `quorate run`", r->ceremony);
    if (o == OK && !note_fits(r, at_least))
        o = fault_set(f, E_REFUSED, "%s of the log does not hold",
                      r->ceremony != NULL ? "the closing checkpoint" : "the newest checkpoint");
    free(path);
    free(folder);
    return o;
}

/* A round that was begun goes on, unless it is about another checkpoint than the one that is wanted. */
static enum outcome round_resume(struct round *r, const char *path, uint64_t at_least, bool *ret_goes_on,
                                 struct fault *f)
{
    struct buf wanted = BUF(LIMIT_NOTE);
    bool carried = false;
    enum outcome o = OK;

    for (size_t i = 0; i < r->cosigners->count; i++)
        carried = carried || r->cosigners->items[i].url == NULL;
    if (r->ceremony != NULL && (o = note_choose(r, at_least, f)) == OK)
        buf_put(&wanted, r->note.data, r->note.len);
    if (o == OK && carried && file_exists(path) && file_read(path, false, &r->note, f) == OK && note_fits(r, at_least))
        *ret_goes_on = r->ceremony == NULL || span_equal(buf_span(&wanted), buf_span(&r->note));
    buf_free(&wanted);
    return o;
}

/* Goes on with the checkpoint that files were carried for, or begins with the one that is wanted. */
static enum outcome round_begin(struct round *r, uint64_t at_least, struct fault *f)
{
    char *folder = estate_path(r->estate, "cosign", NULL), *path = round_path(r->estate, "checkpoint", "");
    enum outcome o = folder != NULL && path != NULL ? folder_make(folder, 0755, f) : fault_memory(f);
    bool goes_on = false;

    if (o == OK)
        o = round_resume(r, path, at_least, &goes_on, f);
    if (o == OK && !goes_on)
        o = cosign_collected(r->estate, f);
    if (o == OK && !goes_on)
        o = note_choose(r, at_least, f);
    if (o == OK && !goes_on)
        o = round_write(r->estate, "checkpoint", "", buf_span(&r->note), f);
    free(path);
    free(folder);
    return o;
}

static enum outcome request_make(const struct round *r, uint64_t old, struct buf *ret, struct fault *f)
{
    struct cosign_request request = {.old = old, .note = buf_span(&r->note)};
    enum outcome o = OK;

    if (old > 0 && old < r->checkpoint.size)
        o = log_consistency(r->estate->log, old, r->checkpoint.size, &request.proof, f);
    buf_clear(ret);
    cosign_request_put(&request, ret);
    return o == OK && ret->failed ? fault_memory(f) : o;
}

/* The body of a 409: a size in decimal and a newline. */
static bool size_read(const struct buf *answer, uint64_t *ret)
{
    size_t digits = answer->len > 0 ? strspn(buf_str(answer), "0123456789") : 0;

    if (digits == 0 || digits > 18 || answer->len != digits + 1 || answer->data[digits] != '\n')
        return false;
    *ret = strtoull(buf_str(answer), NULL, 10);
    return true;
}

static void miss(struct round *r, size_t index, const char *why)
{
    buf_putf(&r->missing, "%s%s: %s", r->missing.len > 0 ? "; " : "", r->cosigners->items[index].name, why);
}

/* Takes the cosigner's line out of an answer and keeps it beside the checkpoint, so that a later round has it too. */
static enum outcome line_take(struct round *r, size_t index, struct buf *answer, bool *ret_taken, struct fault *f)
{
    struct note_key key;
    struct buf text = BUF(LIMIT_NOTE);
    char *rest = NULL;
    moment at = 0;
    enum outcome o = note_key_parse_as(COSIGNATURE_ALGORITHM, r->cosigners->items[index].vkey, &key, f);

    checkpoint_put(&r->checkpoint, &text);
    for (char *line = answer->len > 0 ? strtok_r((char *)answer->data, "\n", &rest) : NULL;
         o == OK && line != NULL && !*ret_taken; line = strtok_r(NULL, "\n", &rest)) {
        if (cosignature_check(buf_span(&text), &key, span_str(line), &at, f) != OK)
            continue;
        *ret_taken = true;
        o = strings_add(&r->lines, line)
                ? round_write(r->estate, r->cosigners->items[index].name, ".line", span_str(line), f)
                : fault_memory(f);
    }
    buf_free(&text);
    return o;
}

static const char *status_means(long status)
{
    switch (status) {
    case 200:
        return "its answer holds no cosignature by its key over this checkpoint";
    case 403:
        return "it does not trust this log's key (quorate cosign trust)";
    case 404:
        return "it does not know this log (quorate cosign trust)";
    case 409:
        return "it has signed another root or a larger log under this name: if the home was not restored from an old "
               "copy, somebody forks the log";
    case 422:
        return "it does not find that this log extends the one that it signed before";
    default:
        return "it answered with an error";
    }
}

/* Asks at the address; where the size it signed last is another than the log knows, once more from there. */
static enum outcome ask_online(struct round *r, size_t index, struct fault *f)
{
    const struct cosigner *c = &r->cosigners->items[index];
    struct buf request = BUF(LIMIT_NOTE), answer = BUF(LIMIT_NOTE);
    uint64_t old = cosigned_size_by(&r->estate->state, r->cosigners, index);
    long status = 0;
    bool taken = false, again = true;
    enum outcome o = OK;

    if (old > r->checkpoint.size)
        old = 0;
    while (o == OK && again) {
        uint64_t theirs = 0;

        o = request_make(r, old, &request, f);
        if (o == OK && http_post(c->url, "add-checkpoint", "text/plain", buf_span(&request), &status, &answer, f) != OK)
            break;
        again =
            o == OK && status == 409 && size_read(&answer, &theirs) && theirs != old && theirs <= r->checkpoint.size;
        r->behind = r->behind || (theirs > r->checkpoint.size && theirs <= log_size(r->estate->log));
        old = theirs;
    }
    if (o == OK && status == 200)
        o = line_take(r, index, &answer, &taken, f);
    if (o == OK && !taken)
        miss(r, index, status == 0 ? f->text : status_means(status));
    buf_free(&answer);
    buf_free(&request);
    return o;
}

/* Reads the answer that was carried back, or writes the request to carry. */
static enum outcome ask_carried(struct round *r, size_t index, struct fault *f)
{
    const char *name = r->cosigners->items[index].name;
    struct buf request = BUF(LIMIT_NOTE), answer = BUF(LIMIT_NOTE), why = BUF(8192);
    uint64_t old = cosigned_size_by(&r->estate->state, r->cosigners, index);
    char *answer_path = round_path(r->estate, name, ".cosignature"),
         *request_path = round_path(r->estate, name, ".request");
    bool taken = false, there = answer_path != NULL && file_exists(answer_path), size = false;
    enum outcome o = answer_path != NULL && request_path != NULL ? OK : fault_memory(f);

    if (o == OK && there)
        o = file_read(answer_path, false, &answer, f);
    size = there && o == OK && size_read(&answer, &old) && old <= log_size(r->estate->log);
    r->behind = r->behind || (size && old > r->checkpoint.size);
    if (o == OK && there && !size)
        o = line_take(r, index, &answer, &taken, f);
    if (o == OK && !taken && (size || !file_exists(request_path))) {
        if (old > r->checkpoint.size)
            old = 0;
        o = request_make(r, old, &request, f);
        if (o == OK)
            o = round_write(r->estate, name, ".request", buf_span(&request), f);
    }
    if (o == OK && there && (taken || size))
        o = file_remove(answer_path, f);
    if (o == OK && !taken) {
        buf_putf(&why, "%s%s to it and its answer back as %s",
                 there && !size ? "the file that came back holds no cosignature of it; carry " : "carry ", request_path,
                 answer_path);
        miss(r, index, buf_str(&why));
    }
    free(request_path);
    free(answer_path);
    buf_free(&why);
    buf_free(&answer);
    buf_free(&request);
    return o;
}

/* What an earlier round has already. */
static enum outcome ask_earlier(struct round *r, size_t index, bool *ret_taken, struct fault *f)
{
    struct buf line = BUF(LIMIT_NOTE);
    char *path = round_path(r->estate, r->cosigners->items[index].name, ".line");
    enum outcome o = path != NULL ? OK : fault_memory(f);

    if (o == OK && file_exists(path))
        o = file_read(path, false, &line, f);
    if (o == OK && line.len > 0)
        o = line_take(r, index, &line, ret_taken, f);
    free(path);
    buf_free(&line);
    return o;
}

static enum outcome body_make(const struct round *r, const char *step, json_t **ret, struct fault *f)
{
    json_t *body = json_object(), *lines = json_array();
    bool good = lines != NULL;

    for (size_t i = 0; i < r->lines.count && good; i++)
        good = json_array_append_new(lines, json_string(r->lines.items[i])) == 0;
    good = good && json_put(body, "cosignatures", json_incref(lines)) &&
           json_put_digest(body, "root", &r->checkpoint.root) &&
           json_put_integer(body, "size", (int64_t)r->checkpoint.size) &&
           (step == NULL || json_put_string(body, "step", step));
    json_decref(lines);
    if (good) {
        *ret = body;
        return OK;
    }
    json_decref(body);
    return fault_memory(f);
}

/* ceremony: see struct round. */
static enum outcome collect(struct estate *e, const char *ceremony, uint64_t at_least, const char *step,
                            json_t **ret_body, struct fault *f)
{
    struct round r = {.estate = e, .ceremony = ceremony, .note = BUF(LIMIT_NOTE), .missing = BUF(sizeof f->text)};
    bool signed_by[LIMIT_COSIGNERS] = {false};
    enum outcome o = estate_policy_in_force(e, f);

    r.cosigners = o == OK ? &e->policy->cosigners : NULL;
    if (o == OK && r.cosigners->count == 0)
        o = fault_set(f, E_REFUSED, "the policy in force names no cosigners");
    if (o == OK)
        o = round_begin(&r, at_least, f);
    for (size_t i = 0; o == OK && i < r.cosigners->count; i++) {
        bool taken = false;

        o = ask_earlier(&r, i, &taken, f);
        if (o == OK && !taken)
            o = r.cosigners->items[i].url != NULL ? ask_online(&r, i, f) : ask_carried(&r, i, f);
    }
    if (o == OK && r.behind)
        o = cosign_collected(e, f);
    if (o == OK)
        o = cosigned_by(r.cosigners, &r.checkpoint, &r.lines, signed_by, f);
    if (o == OK && !cosigners_met(r.cosigners, signed_by))
        o = fault_set(f, E_PENDING, "%" PRIu64 " entries are not cosigned yet. %s%s", r.checkpoint.size,
                      buf_str(&r.missing), r.behind ? "; somebody has signed more since: run it again" : "");
    if (o == OK)
        o = body_make(&r, step, ret_body, f);
    strings_free(&r.lines);
    buf_free(&r.missing);
    buf_free(&r.note);
    return o;
}

enum outcome cosign_collect(struct estate *e, uint64_t at_least, const char *step, json_t **ret_body, struct fault *f)
{
    return collect(e, NULL, at_least, step, ret_body, f);
}

enum outcome cosign_collect_closing(struct estate *e, const char *ceremony, json_t **ret_body, struct fault *f)
{
    return collect(e, ceremony, 0, NULL, ret_body, f);
}

enum outcome run_cosign_collect(const struct arguments *a, struct fault *f)
{
    struct estate *e = NULL;
    struct buf b = BUF(OUTPUT_MAX);
    const char *ceremony = argument(a, "ceremony");
    json_t *body = NULL;
    uint64_t seq = 0;
    enum outcome o = estate_open(argument(a, "bindings"), &e, f);

    if (o == OK && ceremony != NULL && (strchr(ceremony, '/') != NULL || ceremony[0] == '.'))
        o = fault_set(f, E_INVALID, "\"%s\" is no ceremony's id", ceremony);
    if (o == OK)
        o = collect(e, ceremony, 0, NULL, &body, f);
    if (o == OK)
        o = estate_append(e, ENTRY_COSIGNED, body, &seq, f);
    if (o == OK)
        o = cosign_collected(e, f);
    if (o == OK) {
        print_field(&b, "cosigned", "%lld entries", (long long)json_integer_value(json_object_get(body, "size")));
        print_field(&b, "by", "%zu cosigners", json_array_size(json_object_get(body, "cosignatures")));
        print_field(&b, "entry", "%" PRIu64, seq);
        o = print_out(&b, f);
    }
    json_decref(body);
    buf_free(&b);
    estate_close(e);
    return o;
}
