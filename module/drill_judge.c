#include <string.h>

#include "core/limits.h"
#include "module/drill_inner.h"

/* What of a site's answer holds, and what the log and the report say of it. */

/* As it was born; where that cannot be read it has to sign. */
static bool key_signs(const struct exercise *x, uint64_t born)
{
    const struct state_key *k = state_key_born(&x->estate->state, born);
    const struct state_intent *i = k != NULL && k->intent != 0 ? state_intent(&x->estate->state, k->intent) : NULL;
    struct request *r = NULL;
    struct fault ignored = {0};
    if (i == NULL) /* a rule plainly allowed it: nobody approved what it is for */
        return false;
    if (estate_request(x->estate, &i->request, &r, &ignored) != OK)
        return true;
    const json_t *private = json_object_get(json_object_get(r->subject->json, "templates"), "private");
    const char *sign = json_string_or_null(private, "CKA_SIGN");
    bool signs = sign != NULL && strcmp(sign, "true") == 0;
    request_free(r);
    return signs;
}

enum outcome exercise_fits(const struct exercise *x, struct fault *f)
{
    const struct state_site *enrolled = state_site(&x->estate->state, x->token, x->site);
    if (enrolled == NULL)
        return fault_set(f, E_REFUSED, "%s at %s is not enrolled: run `quorate enrol`", x->token, x->site);
    struct site_question asked = {.estate = x->estate->state.estate,
                                  .token = x->token,
                                  .site = x->site,
                                  .serial = enrolled->serial,
                                  .identity = buf_span(&enrolled->identity)};
    asked.challenge = x->challenge;
    enum outcome outcome = drill_verify(&x->answer, &asked, f);
    if (outcome == OK && x->answer.key_count != x->count)
        outcome = fault_set(f, E_REFUSED, "%s at %s answered for %zu keys instead of %zu", x->token, x->site,
                            x->answer.key_count, x->count);
    for (size_t i = 0; i < x->count && outcome == OK; i++)
        if (x->answer.keys[i].born != x->targets[i].born)
            outcome = fault_set(f, E_REFUSED, "%s at %s answered for another key", x->token, x->site);
    return outcome;
}

static bool failure_tell(struct exercise *x, const struct drill_target *t, const char *why)
{
    json_t *line = json_object();
    if (json_put_integer(line, "born", (int64_t)t->born) && json_put_string(line, "label", t->label) &&
        json_put_string(line, "why", why))
        return json_array_append_new(x->told, line) == 0;
    json_decref(line);
    return false;
}

static enum outcome answer_judge(struct exercise *x, struct fault *f)
{
    bool good = true;
    for (size_t i = 0; i < x->count && good; i++) {
        const struct drill_target *t = &x->targets[i];
        struct fault why = x->absence;
        bool proved = x->answered && drill_key_verify(&x->answer, &x->answer.keys[i], t->public_key,
                                                      key_signs(x, t->born), &why) == OK;
        good = json_array_append_new(proved ? x->proven : x->failed, json_integer((json_int_t)t->born)) == 0 &&
               (proved || failure_tell(x, t, why.text));
    }
    return good ? OK : fault_memory(f);
}

static enum outcome drill_log(struct exercise *x, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DRILL);
    struct digest digest = {0};
    json_t *body = json_object();
    enum outcome outcome = OK;
    bool good = json_put_digest(body, "challenge", &x->challenge) && json_put(body, "failed", json_incref(x->failed)) &&
                json_put(body, "proven", json_incref(x->proven)) && json_put_string(body, "site", x->site) &&
                json_put_string(body, "token", x->token);
    if (x->answered) {
        outcome = drill_compose(&x->answer, &bytes, f);
        if (outcome == OK)
            outcome = estate_keep(x->estate, "receipts", ".json", buf_span(&bytes), &digest, f);
        good = good && (outcome != OK || json_put_digest(body, "receipt", &digest));
    } else {
        good = good && json_put_string(body, "reason", x->absence.text);
    }
    if (outcome == OK)
        outcome = good ? estate_append(x->estate, ENTRY_DRILL, body, NULL, f) : fault_memory(f);
    json_decref(body);
    buf_free(&bytes);
    return outcome;
}

static enum outcome drill_report(const struct exercise *x, bool whole, json_t *line, struct fault *f)
{
    size_t attested = 0;
    for (size_t i = 0; i < x->answer.key_count; i++)
        attested += strcmp(x->answer.keys[i].proof, "attested") == 0;
    if (line == NULL)
        return OK;
    if (json_put_integer(line, "attested", (int64_t)attested) && json_put(line, "failed", json_incref(x->told)) &&
        json_put_integer(line, "proven", (int64_t)json_array_size(x->proven)) &&
        json_put_string(line, "site", x->site) &&
        json_put_string(line, "state",
                        whole         ? "proven"
                        : x->asked    ? "asked"
                        : x->answered ? "failed"
                                      : "absent") &&
        json_put_string(line, "token", x->token) && (x->answered || json_put_string(line, "why", x->absence.text)))
        return OK;
    return fault_memory(f);
}

enum outcome exercise_judge(struct exercise *x, struct fault *f)
{
    if (x->asked)
        return OK;
    x->answered = x->answered && exercise_fits(x, &x->absence) == OK;
    if (!x->answered)
        drill_clear(&x->answer);
    return answer_judge(x, f);
}

enum outcome exercise_end(struct exercise *x, json_t *line, bool *ret_whole, struct fault *f)
{
    enum outcome outcome = OK;
    if (!x->asked && state_site(&x->estate->state, x->token, x->site) != NULL)
        outcome = drill_log(x, f);
    bool whole = outcome == OK && x->answered && json_array_size(x->failed) == 0;
    if (outcome == OK)
        outcome = drill_report(x, whole, line, f);
    if (outcome == OK)
        *ret_whole = whole;
    return outcome;
}
