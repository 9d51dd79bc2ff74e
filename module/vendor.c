#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "module/arrival.h"
#include "module/birth.h"
#include "module/carried.h"
#include "module/drill.h"
#include "module/enrolment.h"
#include "module/failover.h"
#include "module/far.h"
#include "module/head.h"
#include "module/inventory.h"
#include "module/person.h"
#include "module/promote.h"
#include "module/replicate.h"
#include "module/retire.h"
#include "module/trusted.h"
#include "module/vendor_table.h"

typedef enum outcome verb_run(struct world *w, const json_t *question, json_t **ret, struct fault *f);

/* Where people have to approve first, or to carry files, the answer says who and of what. */
static enum outcome pending_or_ok(const json_t *answer, struct fault *f)
{
    const char *status = json_string_or_null(answer, "status"), *missing = json_string_or_null(answer, "missing");
    if (status == NULL ||
        (strcmp(status, "pending") != 0 && strcmp(status, "provisional") != 0 && strcmp(status, "waiting") != 0))
        return OK;
    return fault_set(f, E_PENDING, "%s", missing != NULL ? missing : "people have to approve");
}

/* The sites of a token or their keys may have changed, and that was logged: what its keys may leave under follows. */
static enum outcome trust_after(struct world *w, const char *token, struct fault *f)
{
    bool made = false;
    enum outcome outcome = trusted_provide(w, token, &made, f);
    return outcome == OK ? OK
                         : fault_context(f, "it is done and logged, but the keys that others may leave under are not "
                                            "as they should be; `quorate settle` tries again");
}

/* The vendor's, of an HSM's keys: a PEM file as it is. */
static struct span certificates_of(const json_t *question)
{
    const char *pem = json_string_or_null(question, "attestation");
    return pem != NULL ? span_str(pem) : (struct span){NULL, 0};
}

static enum outcome verb_enrol(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    const char *token = NULL, *site = NULL;
    enum outcome outcome = json_want_string(question, "token", &token, f);
    if (outcome == OK)
        outcome = json_want_string(question, "site", &site, f);
    const char *introduction = json_string_or_null(question, "introduction");
    struct enrol_with with = {json_string_or_null(question, "elsewhere"), certificates_of(question)};
    if (outcome == OK)
        outcome = introduction != NULL ? enrol_carried(w, token, site, &with, span_str(introduction), ret, f)
                                       : enrol_run(w, token, site, &with, ret, f);
    if (outcome == OK)
        outcome = pending_or_ok(*ret, f);
    return outcome == OK ? trust_after(w, token, f) : outcome;
}

static enum outcome answer_report(const struct buf *answer, const char *refused, json_t **ret, struct fault *f)
{
    json_t *report = json_object();
    bool good = json_put_string(report, "answer", buf_str(answer)) &&
                (refused == NULL || json_put_string(report, "refused", refused));
    if (!good) {
        json_decref(report);
        return fault_memory(f);
    }
    *ret = report;
    return OK;
}

static enum outcome verb_introduce(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    struct buf answer = BUF(LIMIT_ANSWER);
    enum outcome outcome = far_introduce(w, certificates_of(question), &answer, f);
    if (outcome == OK)
        outcome = answer_report(&answer, NULL, ret, f);
    buf_free(&answer);
    return outcome;
}

static enum outcome verb_accept(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    struct buf answer = BUF(LIMIT_ANSWER);
    const char *message = NULL;
    bool refused = false;
    struct fault why = {OK, ""};
    enum outcome outcome = json_want_string(question, "message", &message, f);
    if (outcome == OK && (outcome = far_accept(w, span_str(message), &answer, &refused, &why)) != OK)
        *f = why;
    if (outcome == OK)
        outcome = answer_report(&answer, refused ? why.text : NULL, ret, f);
    buf_free(&answer);
    return outcome;
}

static enum outcome verb_import(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    const char *answer = NULL;
    enum outcome outcome = json_want_string(question, "answer", &answer, f);
    if (outcome == OK)
        outcome = carried_import(w, span_str(answer), ret, f);
    const char *token = outcome == OK ? json_string_or_null(*ret, "token") : NULL;
    return token != NULL ? trust_after(w, token, f) : outcome;
}

static enum outcome verb_settle(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    json_t *list = json_array(), *report = json_object();
    (void)question;
    enum outcome outcome = list != NULL ? settle_run(w, list, f) : fault_memory(f);
    if (outcome == OK)
        outcome = failover_settle(w, list, f);
    if (outcome == OK)
        outcome = trusted_settle(w, list, f);
    if (outcome == OK)
        outcome = heads_renew(w, NULL, f);
    if (outcome == OK && !json_put(report, "settled", json_incref(list)))
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret = json_incref(report);
    json_decref(list);
    json_decref(report);
    return outcome;
}

static enum outcome empty_answer(enum outcome outcome, json_t **ret, struct fault *f)
{
    json_t *empty = outcome == OK ? json_object() : NULL;
    if (outcome == OK && empty == NULL)
        return fault_memory(f);
    if (outcome == OK)
        *ret = empty;
    return outcome;
}

static enum outcome verb_ceremony(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    return empty_answer(world_ceremony(w, json_string_or_null(question, "ceremony"), f), ret, f);
}

static enum outcome verb_step(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    const char *step = NULL, *name = json_string_or_null(question, "operation");
    int operation = name != NULL ? operation_parse(name) : -1;
    bool named = json_object_get(question, "tbs") != NULL;
    struct digest tbs = {{0}};
    enum outcome outcome = json_want_string(question, "step", &step, f);
    if (outcome == OK && named)
        outcome = json_want_digest(question, "tbs", &tbs, f);
    if (outcome == OK && name != NULL && operation < 0)
        outcome = fault_set(f, E_INVALID, "\"%s\" is no operation", name);
    if (outcome == OK)
        outcome = world_step(w, step, operation, json_string_or_null(question, "actor"), named ? &tbs : NULL, f);
    return empty_answer(outcome, ret, f);
}

static enum outcome verb_inventory(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    return inventory_run(w, json_string_or_null(question, "token"), json_string_or_null(question, "site"), ret, f);
}

static enum outcome verb_heads(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    (void)question;
    enum outcome outcome = estate_refresh(w->estate, f);
    if (outcome == OK)
        outcome = heads_renew(w, NULL, f);
    return empty_answer(outcome, ret, f);
}

static enum outcome verb_readopt(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    (void)question;
    enum outcome outcome = readopt_run(w, ret, f);
    return outcome == OK ? pending_or_ok(*ret, f) : outcome;
}

static enum outcome verb_drill(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    return drill_run(w, json_string_or_null(question, "token"), json_string_or_null(question, "site"), ret, f);
}

static enum outcome verb_retire(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    const char *token = NULL, *site = NULL;
    enum outcome outcome = json_want_string(question, "token", &token, f);
    if (outcome == OK)
        outcome = json_want_string(question, "site", &site, f);
    if (outcome == OK)
        outcome = retire_run(w, token, site, ret, f);
    if (outcome == OK)
        outcome = pending_or_ok(*ret, f);
    return outcome == OK ? trust_after(w, token, f) : outcome;
}

static enum outcome verb_promote(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    const char *token = NULL, *site = NULL;
    enum outcome outcome = json_want_string(question, "token", &token, f);
    if (outcome == OK)
        outcome = json_want_string(question, "site", &site, f);
    if (outcome == OK)
        outcome = promote_run(w, token, site, ret, f);
    if (outcome == OK)
        outcome = pending_or_ok(*ret, f);
    return outcome == OK ? trust_after(w, token, f) : outcome;
}

static enum outcome verb_replicate(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    const char *token = NULL, *key = NULL, *site = NULL;
    enum outcome outcome = json_want_string(question, "token", &token, f);
    if (outcome == OK)
        outcome = json_want_string(question, "key", &key, f);
    if (outcome == OK)
        outcome = json_want_string(question, "site", &site, f);
    if (outcome == OK)
        outcome = replicate_run(w, token, key, site, ret, f);
    return outcome == OK ? pending_or_ok(*ret, f) : outcome;
}

static enum outcome verb_tokens(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    (void)question;
    return inspect_run(w, ret, f);
}

/* The calling thread's own: needs no world and no lock. */
static enum outcome verb_refusal(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    json_t *report = json_object();
    (void)w;
    (void)question;
    bool good = json_put_string(report, "text", refusal_text());
    if (good && refusal_request()[0] != '\0')
        good = json_put_string(report, "request", refusal_request());
    if (!good) {
        json_decref(report);
        return fault_memory(f);
    }
    *ret = report;
    return OK;
}

enum verb_place {
    VERB_ALONE,        /* needs no world and not its lock */
    VERB_ANYWHERE,     /* needs them */
    VERB_OF_AN_ESTATE, /* and a home that is no site's of another estate */
};

static const struct {
    const char *name, *members;
    enum verb_place where;
    verb_run *run;
} verbs[] = {
    {"enrol", "?attestation ?elsewhere ?introduction site token", VERB_OF_AN_ESTATE, verb_enrol},
    {"introduce", "?attestation", VERB_ANYWHERE, verb_introduce},
    {"accept", "message", VERB_ANYWHERE, verb_accept},
    {"import", "answer", VERB_OF_AN_ESTATE, verb_import},
    {"settle", "", VERB_ANYWHERE, verb_settle},
    {"ceremony", "?ceremony", VERB_ANYWHERE, verb_ceremony},
    {"step", "?actor ?operation step ?tbs", VERB_ANYWHERE, verb_step},
    {"tokens", "", VERB_ANYWHERE, verb_tokens},
    {"inventory", "?site ?token", VERB_ANYWHERE, verb_inventory},
    {"heads", "", VERB_ANYWHERE, verb_heads},
    {"readopt", "", VERB_ANYWHERE, verb_readopt},
    {"depart", "bag ?carrier site token", VERB_OF_AN_ESTATE, depart_run},
    {"arrive", "?bag ?elsewhere ?received-by ?safe site token", VERB_OF_AN_ESTATE, arrive_run},
    {"promote", "site token", VERB_OF_AN_ESTATE, verb_promote},
    {"replicate", "key site token", VERB_OF_AN_ESTATE, verb_replicate},
    {"retire", "site token", VERB_OF_AN_ESTATE, verb_retire},
    {"drill", "?site ?token", VERB_OF_AN_ESTATE, verb_drill},
    {"refusal", "", VERB_ALONE, verb_refusal},
};

/* What concerns an estate's sites is asked of its own home, not at one of them that is elsewhere. */
static enum outcome of_an_estate(const struct world *w, struct fault *f)
{
    const struct state_host *host = w->estate->state.host;
    return host == NULL ? OK
                        : fault_set(f, E_REFUSED,
                                    "%s is the home of %s at %s, a site of another estate: this is asked in that "
                                    "estate's home",
                                    w->estate->bindings->home, host->token, host->site);
}

static enum outcome verb_call(const char *name, const json_t *question, json_t **ret, struct fault *f)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, name) != 0)
            continue;
        enum outcome outcome = json_members(question, verbs[i].members, f);
        if (outcome != OK)
            return outcome;
        if (verbs[i].where == VERB_ALONE)
            return verbs[i].run(NULL, question, ret, f);
        struct world *w = world_current();
        if (w == NULL)
            return fault_set(f, E_REFUSED, "the module is not initialised: call C_Initialize first");
        pthread_mutex_lock(&w->lock);
        outcome = verbs[i].where == VERB_OF_AN_ESTATE ? of_an_estate(w, f) : OK;
        if (outcome == OK)
            outcome = verbs[i].run(w, question, ret, f);
        pthread_mutex_unlock(&w->lock);
        return outcome;
    }
    return fault_set(f, E_INVALID, "the vendor interface has no verb \"%s\"", name);
}

static int vendor_call(const char *verb, const char *json, char **ret_json, char *text, size_t text_size)
{
    struct fault f = {0};
    struct buf written = BUF(2 * LIMIT_ANSWER);
    json_t *question = NULL, *answer = NULL;
    char *taken = NULL;
    enum outcome outcome = E_INVALID;

    if (verb == NULL || json == NULL || ret_json == NULL || (text == NULL && text_size > 0)) {
        outcome = fault_set(&f, E_INVALID, "the vendor interface was called without verb, question or room");
        goto out;
    }
    outcome = json_parse_canonical(span_str(json), &question, &f);
    if (outcome == OK)
        outcome = verb_call(verb, question, &answer, &f);
    if (outcome != OK && outcome != E_PENDING)
        goto out;
    struct fault also = {0};
    if (answer == NULL || json_canonical(answer, &written, &also) != OK || (taken = buf_take(&written)) == NULL)
        outcome = fault_memory(&f);
    else
        *ret_json = taken;
out:
    if (text_size > 0)
        snprintf(text, text_size, "%s", outcome == OK ? "" : f.text);
    json_decref(question);
    json_decref(answer);
    buf_free(&written);
    return (int)outcome;
}

static void vendor_release(char *json)
{
    free(json);
}

const struct quorate_vendor *vendor_interface(void)
{
    static const struct quorate_vendor table = {1, 1, vendor_call, vendor_release, person_set};
    return &table;
}
