#include "module/drill_inner.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

void exercise_clear(struct exercise *x)
{
    free(x->targets);
    free(x->other_ids);
    drill_clear(&x->answer);
    json_decref(x->proven);
    json_decref(x->failed);
    json_decref(x->told);
}

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

enum outcome exercise_make(struct exercise *x, struct fault *f)
{
    enum outcome outcome = targets_gather(x, f);
    x->proven = json_array();
    x->failed = json_array();
    x->told = json_array();
    if (outcome == OK && (x->proven == NULL || x->failed == NULL || x->told == NULL))
        outcome = fault_memory(f);
    return outcome;
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
        r->visit->challenge = x->challenge;
        r->visit->challenged = true;
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

static enum outcome exercise_begin(struct exercise *x, struct replicas *at, struct fault *f)
{
    const struct binding *carried = NULL;
    enum outcome outcome = exercise_make(x, f);
    if (outcome == OK && state_site(&x->estate->state, x->token, x->site) != NULL &&
        site_carried(x->world, x->token, x->site, &carried))
        return exercise_carried(x, f);
    if (outcome == OK && !x->given && !random_bytes(x->challenge.bytes, sizeof x->challenge.bytes))
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

/* Sites of one token, side by side: all are judged before the log moves, for what they are judged by is the state's. lines: an
 * object for each, or NULL. */
static enum outcome sites_drill(struct world *w, const char *token, char *const *sites, size_t count,
                                const struct digest *challenge, json_t *lines, bool *ret_whole, struct fault *f)
{
    struct replicas at = {.count = 0};
    struct exercise *list = calloc(count + 1, sizeof *list);
    enum outcome outcome = list != NULL ? OK : fault_memory(f);
    size_t begun = 0;

    for (; begun < count && outcome == OK; begun++) {
        list[begun] = (struct exercise){.world = w, .estate = w->estate, .token = token, .site = sites[begun]};
        list[begun].given = challenge != NULL;
        if (challenge != NULL)
            list[begun].challenge = *challenge;
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

enum outcome drill_site(struct world *w, const char *token, const char *site, const struct digest *challenge,
                        json_t *line, bool *ret_whole, struct fault *f)
{
    char *sites[] = {strdup(site)};
    json_t *lines = json_array();
    bool whole = false;
    enum outcome outcome = sites[0] != NULL && lines != NULL && (line == NULL || json_array_append(lines, line) == 0)
                               ? OK
                               : fault_memory(f);
    if (outcome == OK)
        outcome = sites_drill(w, token, sites, 1, challenge, lines, &whole, f);
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
    enum outcome outcome = good ? sites_drill(w, token, sites, count, NULL, lines, whole, f) : fault_memory(f);
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
