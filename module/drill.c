#include "module/drill.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/replica.h"

/* One site's drill at the host: what it is asked, what it answered, what of that holds. */
struct exercise {
    struct world *world;
    struct estate *estate;
    const char *token, *site;
    struct drill_target *targets;
    char (*other_ids)[41];
    size_t count;
    struct digest challenge;
    struct drill answer;
    struct replica *replica; /* NULL: it cannot be asked */
    bool answered;
    struct fault absence; /* why it did not */
    json_t *proven, *failed, *told;
};

static void exercise_clear(struct exercise *x)
{
    free(x->targets);
    free(x->other_ids);
    drill_clear(&x->answer);
    json_decref(x->proven);
    json_decref(x->failed);
    json_decref(x->told);
}

/* The keys that the site holds by the log; everything borrowed from the state, which stands still until the end. */
static enum outcome targets_gather(struct exercise *x, struct fault *f)
{
    const struct state *s = &x->estate->state;
    size_t count = 0;
    for (size_t i = 0; i < s->key_count; i++)
        count += state_key_at(&s->keys[i], x->token, x->site);
    if (count > LIMIT_DRILL_KEYS)
        return fault_set(f, E_MEMORY, "%s at %s holds %zu keys, a drill proves at most %u", x->token, x->site, count,
                         LIMIT_DRILL_KEYS);
    x->targets = calloc(count + 1, sizeof *x->targets);
    x->other_ids = calloc(count + 1, sizeof *x->other_ids);
    if (x->targets == NULL || x->other_ids == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];
        const struct state_intent *n = k->intent != 0 ? state_intent(s, k->intent) : NULL;
        if (!state_key_at(k, x->token, x->site))
            continue;
        if (n != NULL && n->state == INTENT_BORN) /* it may not have the caller's CKA_ID yet */
            estate_key_id(&n->digest, x->other_ids[x->count]);
        x->targets[x->count] = (struct drill_target){.born = k->seq,
                                                     .class_name = k->class_name,
                                                     .label = k->label,
                                                     .id = k->id,
                                                     .other_id = x->other_ids[x->count],
                                                     .public_key = buf_span(&k->public_key)};
        x->count++;
    }
    return OK;
}

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

/* By a courier the site judges by itself which keys it has to hold. */
static enum outcome keys_tell(struct exercise *x, struct visit *v, struct fault *f)
{
    bool good = (v->drill_keys = json_array()) != NULL;
    for (size_t i = 0; i < x->count && good; i++)
        good = json_array_append_new(v->drill_keys, json_integer((json_int_t)x->targets[i].born)) == 0;
    return good ? OK : fault_memory(f);
}

/* The question goes out, by the way in which the site is reached. */
static enum outcome site_ask(struct exercise *x, struct replicas *at, struct fault *f)
{
    const struct token *named = x->estate->policy != NULL ? policy_token(x->estate->policy, x->token) : NULL;
    bool primary = named != NULL && strcmp(named->primary, x->site) == 0;
    struct replica *r = NULL;
    enum outcome outcome =
        state_site(&x->estate->state, x->token, x->site) != NULL
            ? replicas_want(at, x->world, x->token, x->site, &r, f)
            : fault_set(f, E_REFUSED, "%s at %s is not enrolled: run `quorate enrol`", x->token, x->site);
    if (outcome == OK && r->far) {
        outcome = keys_tell(x, r->visit, f);
    } else if (outcome == OK) {
        r->visit->challenge = x->challenge;
        r->visit->how = primary ? SITE_EITHER : SITE_MODULE;
        r->answer_within *= 1 + (unsigned)x->count; /* LIMIT_DRILL_KEYS times LIMIT_WAIT_MOST at most */
        outcome = drill_asked_copy(x->targets, x->count, &r->visit->asked, f);
    }
    if (outcome == OK)
        outcome = replica_begin(r, VISIT_DRILL, f);
    if (outcome == OK)
        x->replica = r;
    return outcome;
}

static enum outcome site_answer(struct exercise *x, struct fault *f)
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
                        : x->answered ? "failed"
                                      : "absent") &&
        json_put_string(line, "token", x->token) && (x->answered || json_put_string(line, "why", x->absence.text)))
        return OK;
    return fault_memory(f);
}

static enum outcome exercise_begin(struct exercise *x, struct replicas *at, struct fault *f)
{
    enum outcome outcome = targets_gather(x, f);
    x->proven = json_array();
    x->failed = json_array();
    x->told = json_array();
    if (outcome == OK && (x->proven == NULL || x->failed == NULL || x->told == NULL))
        outcome = fault_memory(f);
    if (outcome == OK && !random_bytes(x->challenge.bytes, sizeof x->challenge.bytes))
        outcome = fault_set(f, E_IO, "no random bytes from the system");
    if (outcome == OK)
        site_ask(x, at, &x->absence);
    return outcome;
}

/* Waits for all; how each did. */
static void answers_await(struct exercise *list, size_t count, struct replicas *at)
{
    struct replica *r = NULL;
    struct fault why = {0};
    enum outcome outcome = OK;
    while ((r = replicas_next(at, &outcome, &why)) != NULL)
        for (size_t i = 0; i < count; i++) {
            struct exercise *x = &list[i];
            if (x->replica != r)
                continue;
            x->absence = why;
            x->answered = outcome == OK;
            if (!x->answered)
                break;
            x->challenge = r->visit->challenge;
            x->answer = r->visit->drill;
            r->visit->drill = (struct drill){.keys = NULL}; /* taken by x */
        }
}

static enum outcome exercise_judge(struct exercise *x, struct fault *f)
{
    x->answered = x->answered && site_answer(x, &x->absence) == OK;
    if (!x->answered)
        drill_clear(&x->answer);
    return answer_judge(x, f);
}

/* In the log, and in the report. */
static enum outcome exercise_end(struct exercise *x, json_t *line, bool *ret_whole, struct fault *f)
{
    enum outcome outcome = OK;
    if (state_site(&x->estate->state, x->token, x->site) != NULL)
        outcome = drill_log(x, f);
    bool whole = outcome == OK && x->answered && json_array_size(x->failed) == 0;
    if (outcome == OK)
        outcome = drill_report(x, whole, line, f);
    if (outcome == OK)
        *ret_whole = whole;
    return outcome;
}

/* Sites of one token, side by side: all are judged before the log moves, for what they are judged by is the state's. lines: an
 * object for each, or NULL. */
static enum outcome sites_drill(struct world *w, const char *token, char *const *sites, size_t count, json_t *lines,
                                bool *ret_whole, struct fault *f)
{
    struct replicas at = {.count = 0};
    struct exercise *list = calloc(count + 1, sizeof *list);
    enum outcome outcome = list != NULL ? OK : fault_memory(f);
    size_t begun = 0;

    for (; begun < count && outcome == OK; begun++) {
        list[begun] = (struct exercise){.world = w, .estate = w->estate, .token = token, .site = sites[begun]};
        outcome = exercise_begin(&list[begun], &at, f);
    }
    if (list != NULL)
        answers_await(list, begun, &at);
    replicas_end(&at);
    for (size_t i = 0; i < begun && outcome == OK; i++)
        outcome = exercise_judge(&list[i], f);
    for (size_t i = 0; i < begun && outcome == OK; i++)
        outcome = exercise_end(&list[i], json_array_get(lines, i), &ret_whole[i], f);
    for (size_t i = 0; i < begun; i++)
        exercise_clear(&list[i]);
    free(list);
    return outcome;
}

enum outcome drill_site(struct world *w, const char *token, const char *site, json_t *line, bool *ret_whole,
                        struct fault *f)
{
    char *sites[] = {strdup(site)};
    json_t *lines = json_array();
    bool whole = false;
    enum outcome outcome = sites[0] != NULL && lines != NULL && (line == NULL || json_array_append(lines, line) == 0)
                               ? OK
                               : fault_memory(f);
    if (outcome == OK)
        outcome = sites_drill(w, token, sites, 1, lines, &whole, f);
    if (outcome == OK)
        *ret_whole = whole;
    json_decref(lines);
    free(sites[0]);
    return outcome;
}

/* Those of one token; each has a line in the list. */
static enum outcome token_lines(struct world *w, const char *token, char *const *sites, size_t count, json_t *list,
                                uint64_t *unproven, struct fault *f)
{
    bool whole[LIMIT_SITES] = {false};
    json_t *lines = json_array();
    bool good = lines != NULL && count <= LIMIT_SITES;
    for (size_t i = 0; i < count && good; i++)
        good = json_array_append_new(lines, json_object()) == 0;
    enum outcome outcome = good ? sites_drill(w, token, sites, count, lines, whole, f) : fault_memory(f);
    if (outcome == OK && json_array_extend(list, lines) != 0)
        outcome = fault_memory(f);
    for (size_t i = 0; i < count && good; i++)
        *unproven += !whole[i];
    json_decref(lines);
    return outcome;
}

/* The sites of the tokens as they stand now: entries move the state while they are drilled. */
static enum outcome sites_gather(const struct world *w, const char *token, const char *site, struct strings *ret_tokens,
                                 struct strings *ret_sites, struct fault *f)
{
    const struct state *s = &w->estate->state;
    bool good = true;
    for (size_t i = 0; i < s->site_count && good; i++) {
        const struct state_site *k = &s->sites[i];
        if (!k->retired && (token == NULL || strcmp(token, k->token) == 0) &&
            (site == NULL || strcmp(site, k->site) == 0))
            good = strings_add(ret_tokens, k->token) && strings_add(ret_sites, k->site);
    }
    if (good && ret_sites->count == 0)
        return fault_set(f, E_ABSENT, "no such site is enrolled: see `quorate status`");
    return good ? OK : fault_memory(f);
}

enum outcome drill_run(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f)
{
    struct strings tokens = {0}, sites = {0};
    json_t *report = json_object(), *list = json_array();
    uint64_t unproven = 0;
    enum outcome outcome = report != NULL && list != NULL ? estate_refresh(w->estate, f) : fault_memory(f);

    if (outcome == OK)
        outcome = sites_gather(w, token, site, &tokens, &sites, f);
    for (size_t i = 0, next = 0; i < sites.count && outcome == OK; i = next) {
        for (next = i; next < sites.count && strcmp(tokens.items[next], tokens.items[i]) == 0;)
            next++;
        outcome = token_lines(w, tokens.items[i], sites.items + i, next - i, list, &unproven, f);
    }
    if (outcome == OK &&
        (!json_put(report, "sites", json_incref(list)) || !json_put_integer(report, "unproven", (int64_t)unproven)))
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret = json_incref(report);
    strings_free(&tokens);
    strings_free(&sites);
    json_decref(report);
    json_decref(list);
    return outcome;
}
