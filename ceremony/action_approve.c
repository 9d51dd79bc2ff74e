#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/action_perform.h"
#include "ceremony/run_child.h"
#include "ceremony/run_open.h"
#include "core/limits.h"

/* approve: the request of a later step is made ahead of it, then people sign, each with their own card, in a process of
 * its own. */

#define TYPED_MAX 4096u

struct polling {
    struct runner *runner;
    const struct step *step;
    struct digest request;
};

enum ballot { BALLOT_NONE, BALLOT_APPROVED, BALLOT_REJECTED };

/* A rejection outweighs the same person's approval. */
static enum ballot ballot_of(const struct polling *p, const char *person)
{
    const struct state_request *known = state_request(&p->runner->estate->state, &p->request);
    enum ballot found = BALLOT_NONE;

    for (size_t i = 0; known != NULL && i < known->vote_count; i++) {
        if (strcmp(known->votes[i].person, person) == 0 && found != BALLOT_REJECTED)
            found = known->votes[i].rejection ? BALLOT_REJECTED : BALLOT_APPROVED;
    }
    return found;
}

/* reason NULL: an approval. */
static enum outcome vote(struct polling *p, const char *person, const char *key, const char *reason, struct fault *f)
{
    struct runner *r = p->runner;
    struct digest_text id = digest_hex(&p->request);
    bool quiet = r->answers != NULL;
    const char *words[16] = {
        reason != NULL ? "reject" : "approve", id.hex, "--as", person, "--bindings", r->estate->bindings->path};
    size_t count = 6;
    struct fault ignored = {.outcome = OK};
    enum outcome o = OK, followed = OK;

    if (reason != NULL) {
        words[count++] = "--reason";
        words[count++] = reason;
    }
    if (quiet)
        words[count++] = "--yes";
    o = child_run(words, key, quiet, f);
    followed = runner_follow(r, o == OK ? f : &ignored);
    return o == OK ? followed : o;
}

/* Who rejected cannot approve: where the script leaves the people open, somebody else stands in. */
static enum outcome replace_rejecters(struct polling *p, struct fault *f)
{
    struct runner *r = p->runner;
    const struct step *s = p->step;

    for (size_t i = 0; i < r->actors.count; i++) {
        const char *other = NULL;
        char *copy = NULL;

        if (ballot_of(p, r->actors.items[i]) != BALLOT_REJECTED)
            continue;
        for (size_t n = 0; (other = cast_holder(&r->cast, s->role->id, n)) != NULL; n++) {
            if (record_present(&r->record, other) && !strings_have(&r->actors, other) &&
                ballot_of(p, other) != BALLOT_REJECTED)
                break;
        }
        if (other == NULL || s->by == BY_EACH || s->by == BY_HOLDER)
            return fault_set(f, E_REFUSED,
                             "%s has rejected request %.16s, and nobody else is here who may approve in "
                             "their place",
                             r->actors.items[i], digest_hex(&p->request).hex);
        copy = strdup(other);
        if (copy == NULL)
            return fault_memory(f);
        free(r->actors.items[i]);
        r->actors.items[i] = copy;
    }
    return OK;
}

static enum outcome request_want(struct polling *p, struct fault *f)
{
    enum outcome o = request_ahead(p->runner, p->step->target, &p->request, f);

    if (o == OK)
        o = runner_stand(p->runner, p->step, -1, NULL, f);
    return o == OK ? replace_rejecters(p, f) : o;
}

/* An attempt that says who rejects, and why. */
static enum outcome rejection_answer(struct polling *p, const struct yaml *attempt, struct fault *f)
{
    const struct yaml *who = yaml_get(attempt, "reject"), *reason = yaml_get(attempt, "reason");
    char *key = NULL;
    enum outcome o = OK;

    if (who == NULL)
        return OK;
    if (reason == NULL)
        return yaml_fault(attempt, f, "a rejection needs its \"reason\"");
    o = answers_key(p->runner->answers, who->scalar, &key, f);
    if (o == OK)
        o = vote(p, who->scalar, key, reason->scalar, f);
    if (o == OK)
        o = request_want(p, f);
    free(key);
    return o;
}

static enum outcome poll_answers(struct polling *p, struct fault *f)
{
    struct runner *r = p->runner;
    const struct yaml *attempt = NULL;
    enum outcome o = OK;

    while (o == OK && (attempt = answers_next(r->answers, p->step)) != NULL) {
        const struct yaml *deviation = yaml_get(attempt, "deviation");

        if (deviation != NULL)
            o = runner_deviate(r, p->step, yaml_get(deviation, "cause")->scalar,
                               yaml_get(deviation, "accepted-by")->scalar, f);
        if (o == OK)
            o = rejection_answer(p, attempt, f);
    }
    for (size_t i = 0; i < r->actors.count && o == OK; i++) {
        char *key = NULL;

        if (ballot_of(p, r->actors.items[i]) == BALLOT_APPROVED)
            continue;
        o = answers_key(r->answers, r->actors.items[i], &key, f);
        if (o == OK)
            o = vote(p, r->actors.items[i], key, NULL, f);
        free(key);
    }
    return o;
}

static enum outcome stop(struct runner *r, struct fault *f)
{
    r->stopped = true;
    return fault_set(f, E_REFUSED, "%s", "");
}

/* A line; the end of the input and "b" are a break. */
static enum outcome line_ask(struct runner *r, const char *prompt, struct buf *ret, struct fault *f)
{
    enum outcome o = talk_read(prompt, ret, f);

    return o == E_REFUSED || (o == OK && strcmp(buf_str(ret), "b") == 0) ? stop(r, f) : o;
}

/* One person at the terminal: approves, or rejects. A wrong key, PIN or card is said, and asked for again. */
static enum outcome poll_person(struct polling *p, const char *person, struct fault *f)
{
    struct buf key = BUF(TYPED_MAX), reason = BUF(TYPED_MAX);
    char prompt[LIMIT_NAME + 96];
    enum outcome o = OK;

    snprintf(prompt, sizeof prompt,
             "%s: your card (pkcs11: URI without its PIN, or a PEM file)  [r] reject  [b] break:", person);
    while (o == OK && ballot_of(p, person) == BALLOT_NONE) {
        bool reject = false;

        buf_clear(&reason);
        o = line_ask(p->runner, prompt, &key, f);
        reject = o == OK && strcmp(buf_str(&key), "r") == 0;
        if (reject)
            o = line_ask(p->runner, "Why is it rejected?", &reason, f);
        if (reject && o == OK)
            o = line_ask(p->runner, "Your card (pkcs11: URI without its PIN, or a PEM file)  [b] break:", &key, f);
        if (o != OK || key.len == 0)
            continue;
        if (vote(p, person, buf_str(&key), reject ? buf_str(&reason) : NULL, f) != OK)
            talk_note(TONE_BAD, "%s", f->text);
    }
    buf_free(&reason);
    buf_free(&key);
    return o;
}

static enum outcome poll_terminal(struct polling *p, struct fault *f)
{
    struct runner *r = p->runner;
    enum outcome o = OK;

    talk_note(TONE_PLAIN, "Request %.16s, for step %s: %s", digest_hex(&p->request).hex, p->step->target->id,
              p->step->target->text);
    for (size_t i = 0; i < r->actors.count && o == OK;) {
        enum ballot ballot = ballot_of(p, r->actors.items[i]);

        if (ballot == BALLOT_APPROVED) {
            i++;
        } else if (ballot == BALLOT_REJECTED) {
            talk_note(TONE_WAIT, "%s has rejected it.", r->actors.items[i]);
            o = request_want(p, f);
            i = 0;
        } else {
            o = poll_person(p, r->actors.items[i], f);
        }
    }
    return o;
}

enum outcome perform_approve(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    struct polling p = {.runner = r, .step = s};
    enum outcome o = OK;

    (void)ret_undone;
    for (;;) {
        o = request_want(&p, f);
        if (o == OK)
            o = r->answers != NULL ? poll_answers(&p, f) : poll_terminal(&p, f);
        if (o == OK)
            o = voters_check(r, &p.request, f);
        if (o == OK)
            break;
        o = runner_again(r, s, o, f);
        if (o != OK)
            return o;
    }
    if (!json_put_string(result, "for", s->target->id) || !json_put_digest(result, "request", &p.request))
        return fault_memory(f);
    return OK;
}
