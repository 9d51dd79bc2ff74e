#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/action_perform.h"
#include "ceremony/run_child.h"
#include "ceremony/run_open.h"
#include "core/limits.h"

/* approve: the request of a later step is made ahead of it, then people sign, each with their own card, in a process of
 * its own. */

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

/* How often the person voted, and the last approval (NULL: none). */
static size_t votes_of(const struct polling *p, const char *person, const struct state_vote **ret_last)
{
    const struct state_request *known = state_request(&p->runner->estate->state, &p->request);
    size_t count = 0;

    *ret_last = NULL;
    for (size_t i = 0; known != NULL && i < known->vote_count; i++) {
        if (strcmp(known->votes[i].person, person) != 0)
            continue;
        count++;
        *ret_last = known->votes[i].rejection ? *ret_last : &known->votes[i];
    }
    return count;
}

/* Is it people that the request waits for? */
static enum outcome quorum_open(const struct polling *p, bool *ret, struct fault *f)
{
    struct request *request = NULL;
    struct verdict *verdict = NULL;
    enum outcome o = request_pending(p->runner, p->step->target, &request, f);

    if (o == OK)
        o = request_verdict(p->runner, p->step->target, request, &verdict, f);
    if (o == OK)
        *ret = false;
    for (size_t i = 0; o == OK && i < verdict->finding_count; i++)
        *ret =
            *ret || (verdict->findings[i].kind == FINDING_MISSING && strcmp(verdict->findings[i].code, "quorum") == 0);
    verdict_free(verdict);
    request_free(request);
    return o;
}

/* Whose approval lies so far before the newest that the rule does not count them together; *ret NULL: nobody's, or it does
 * without. Is said. */
static enum outcome stale_find(const struct polling *p, const char **ret, struct fault *f)
{
    const struct runner *r = p->runner;
    const struct state_request *known = state_request(&r->estate->state, &p->request);
    const struct rule *rule = known != NULL ? policy_rule(r->estate->policy, known->rule) : NULL;
    const struct state_vote *newest = NULL, *last = NULL;
    const char *who = NULL;
    bool open = false;
    enum outcome o = OK;

    for (size_t i = 0; rule != NULL && rule->quorum.within > 0 && i < known->vote_count; i++)
        newest = known->votes[i].rejection ? newest : &known->votes[i];
    for (size_t i = 0; newest != NULL && who == NULL && i < r->actors.count; i++) {
        votes_of(p, r->actors.items[i], &last);
        if (last != NULL && newest->at - last->at > rule->quorum.within)
            who = r->actors.items[i];
    }
    if (who != NULL)
        o = quorum_open(p, &open, f);
    if (o == OK && open)
        talk_note(TONE_WAIT, "%s approved at %s, more than %s before %s did at %s: once more.", who,
                  moment_format(last->at).text, duration_format(rule->quorum.within).text, newest->person,
                  moment_format(newest->at).text);
    if (o == OK)
        *ret = open ? who : NULL;
    return o;
}

/* reason NULL: an approval. It renews the one before where there is one. */
static enum outcome vote(struct polling *p, const char *person, const char *key, const char *reason, struct fault *f)
{
    struct runner *r = p->runner;
    struct digest_text id = digest_hex(&p->request);
    bool quiet = r->answers != NULL;
    const char *words[16] = {
        reason != NULL ? "reject" : "approve", id.hex, "--as", person, "--bindings", r->estate->bindings->path};
    size_t count = 6;
    const struct state_vote *before = NULL;
    struct fault ignored = {.outcome = OK};
    enum outcome o = OK, followed = OK;

    if (reason != NULL) {
        words[count++] = "--reason";
        words[count++] = reason;
    } else if (votes_of(p, person, &before) > 0 && before != NULL) {
        words[count++] = "--again";
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

static enum outcome approval_answer(struct polling *p, const char *person, struct fault *f)
{
    char *key = NULL;
    enum outcome o = answers_key(p->runner->answers, person, &key, f);

    if (o == OK)
        o = vote(p, person, key, NULL, f);
    free(key);
    return o;
}

/* Nobody is asked for ever: where it takes longer than the rule's time to ask them all, that time is too short. */
static enum outcome renew_answers(struct polling *p, struct fault *f)
{
    const char *who = NULL;
    enum outcome o = OK;

    for (size_t asked = 0; (o = stale_find(p, &who, f)) == OK && who != NULL; asked++) {
        if (asked == 2 * p->runner->actors.count)
            return fault_set(f, E_REFUSED,
                             "step %s: the approvals still lie further apart than the rule's `within`; run this again "
                             "when they can be given sooner after each other",
                             p->step->id);
        if ((o = approval_answer(p, who, f)) != OK)
            break;
    }
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
    for (size_t i = 0; i < r->actors.count && o == OK; i++)
        if (ballot_of(p, r->actors.items[i]) != BALLOT_APPROVED)
            o = approval_answer(p, r->actors.items[i], f);
    return o == OK ? renew_answers(p, f) : o;
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

/* One person at the terminal: approves, once more where they did, or rejects. A wrong key, PIN or card is said, and asked
 * for again. */
static enum outcome poll_person(struct polling *p, const char *person, struct fault *f)
{
    struct buf key = BUF(LIMIT_TYPED), reason = BUF(LIMIT_TYPED);
    const struct state_vote *last = NULL;
    const size_t before = votes_of(p, person, &last);
    char prompt[LIMIT_NAME + 96];
    enum outcome o = OK;

    snprintf(prompt, sizeof prompt,
             "%s: your card (pkcs11: URI without its PIN, or a PEM file)  [r] reject  [b] break:", person);
    while (o == OK && votes_of(p, person, &last) == before) {
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

/* Until everybody has approved. */
static enum outcome poll_actors(struct polling *p, struct fault *f)
{
    struct runner *r = p->runner;
    enum outcome o = OK;

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

static enum outcome poll_terminal(struct polling *p, struct fault *f)
{
    const char *who = NULL;
    enum outcome o = OK;

    talk_note(TONE_PLAIN, "Request %.16s, for step %s: %s", digest_hex(&p->request).hex, p->step->target->id,
              p->step->target->text);
    do {
        o = poll_actors(p, f);
        if (o == OK)
            o = stale_find(p, &who, f);
        if (o == OK && who != NULL)
            o = poll_person(p, who, f);
    } while (o == OK && who != NULL);
    return o;
}

enum outcome perform_approve(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    struct polling p = {.runner = r, .step = s};
    enum outcome o = OK;

    (void)ret_undone;
    o = runner_follow(r, f);
    if (o != OK)
        return o;
    if (s->target->action->kind == ACTION_REPLICATE && replicate_held(r, s->target) != NULL) {
        talk_note(TONE_GOOD, "Nothing to approve: the key of step %s is at its site already", s->target->id);
        return json_put_string(result, "for", s->target->id) ? OK : fault_memory(f);
    }
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
