#include "module/arrival.h"

#include <stdlib.h>
#include <string.h>

#include "audit/document.h"
#include "core/encode.h"
#include "module/replica.h"
#include "module/site_keys.h"

static enum outcome elsewhere_parse(const char *elsewhere, char ret_latitude[20], char ret_longitude[20],
                                    struct fault *f)
{
    const char *comma = strchr(elsewhere, ',');
    size_t len = comma != NULL ? (size_t)(comma - elsewhere) : 0;
    ret_latitude[0] = ret_longitude[0] = '\0';
    if (comma != NULL && len < 20 && strlen(comma + 1) < 20) {
        memcpy(ret_latitude, elsewhere, len);
        ret_latitude[len] = '\0';
        memcpy(ret_longitude, comma + 1, strlen(comma + 1) + 1);
    }
    if (!degrees_parse(ret_latitude, 90, NULL) || !degrees_parse(ret_longitude, 180, NULL))
        return fault_set(f, E_INVALID, "\"%s\" is not a place: LAT,LON in degrees is expected, as 51.51,-0.59",
                         elsewhere);
    return OK;
}

enum outcome place_check(const char *elsewhere, struct fault *f)
{
    char ignored[2][20];
    return elsewhere != NULL ? elsewhere_parse(elsewhere, ignored[0], ignored[1], f) : OK;
}

enum outcome arrival_log(struct estate *e, const char *token, const char *site, const char *elsewhere, json_t *more,
                         struct fault *f)
{
    const struct site *declared = policy_site(e->policy, site);
    char latitude[20] = "", longitude[20] = "";
    bool home = elsewhere == NULL;
    json_t *body = json_object(), *tags = json_array();
    bool good = body != NULL && tags != NULL;
    enum outcome outcome = OK;

    if (declared == NULL)
        outcome = fault_set(f, E_ABSENT, "the policy %s knows no site %s", e->policy->file, site);
    if (outcome == OK && !home)
        outcome = elsewhere_parse(elsewhere, latitude, longitude, f);
    if (outcome != OK)
        goto out;
    for (size_t i = 0; home && good && i < declared->at.tags.count; i++)
        good = json_array_append_new(tags, json_string(declared->at.tags.items[i])) == 0;
    good = good && (more == NULL || json_object_update(body, more) == 0) &&
           json_put_string(body, "country", home ? declared->at.country : "") &&
           json_put_string(body, "latitude", home ? declared->at.latitude_text : latitude) &&
           json_put_string(body, "longitude", home ? declared->at.longitude_text : longitude) &&
           json_put_string(body, "place", home ? site : "elsewhere") && json_put_string(body, "site", site) &&
           json_put_string(body, "token", token) && json_put(body, "tags", json_incref(tags));
    outcome = good ? estate_append(e, ENTRY_ARRIVED, body, NULL, f) : fault_memory(f);
out:
    json_decref(tags);
    json_decref(body);
    return outcome;
}

/* Token and site of the question, and what the log knows of them now. */
static enum outcome target_find(struct world *w, const json_t *question, const char **ret_token, const char **ret_site,
                                const struct state_site **ret_known, struct fault *f)
{
    enum outcome outcome = json_want_string(question, "token", ret_token, f);
    if (outcome == OK)
        outcome = json_want_string(question, "site", ret_site, f);
    if (outcome == OK)
        outcome = estate_refresh(w->estate, f);
    if (outcome == OK)
        outcome = estate_policy_in_force(w->estate, f);
    if (outcome != OK)
        return outcome;
    *ret_known = state_site(&w->estate->state, *ret_token, *ret_site);
    if (*ret_known == NULL)
        return fault_set(f, E_ABSENT, "%s at %s is not enrolled: see `quorate status`", *ret_token, *ret_site);
    return OK;
}

/* why: NULL where nothing is to be said. */
static enum outcome status_answer(const char *status, const char *why, json_t **ret, struct fault *f)
{
    json_t *report = json_object();
    if (json_put_string(report, "status", status) && (why == NULL || json_put_string(report, "why", why))) {
        *ret = report;
        return OK;
    }
    json_decref(report);
    return fault_memory(f);
}

/* Members of the question that stand in the entry as they are. */
static bool members_copy(const json_t *question, const char *const *names, json_t *body)
{
    bool good = body != NULL;
    for (size_t i = 0; names[i] != NULL && good; i++) {
        const char *value = json_string_or_null(question, names[i]);
        good = value == NULL || json_put_string(body, names[i], value);
    }
    return good;
}

enum outcome depart_run(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    static const char *const names[] = {"bag", "carrier", "site", "token", NULL};
    const struct state_site *known = NULL;
    const char *token = NULL, *site = NULL, *bag = NULL;
    json_t *body = json_object();

    enum outcome outcome = target_find(w, question, &token, &site, &known, f);
    if (outcome == OK)
        outcome = json_want_string(question, "bag", &bag, f);
    if (outcome == OK && known->away)
        outcome = fault_set(f, E_REFUSED, "the HSM of %s at %s left already, in bag %s: `quorate arrive` ends its way",
                            token, site, known->bag);
    if (outcome == OK)
        outcome = members_copy(question, names, body) ? estate_append(w->estate, ENTRY_DEPARTED, body, NULL, f)
                                                      : fault_memory(f);
    json_decref(body);
    return outcome == OK ? status_answer("on its way", NULL, ret, f) : outcome;
}

static enum outcome answer_put(json_t *more, struct span answer, const struct digest *challenge, struct fault *f)
{
    return json_put_bytes_hex(more, "answer", answer) && json_put_digest(more, "challenge", challenge)
               ? OK
               : fault_memory(f);
}

static enum outcome courier_answer(struct world *w, const struct state_site *known, json_t *more, struct fault *f)
{
    struct replicas at = {.count = 0};
    struct replica *r = NULL;
    enum outcome outcome = replicas_want(&at, w, known->token, known->site, &r, f);
    if (outcome == OK)
        outcome = replica_visit(r, VISIT_READY, f);
    if (outcome == OK)
        outcome = answer_put(more, buf_span(&r->visit->answer), &r->visit->challenge, f);
    replicas_end(&at);
    return outcome;
}

static enum outcome module_answer(struct world *w, const struct state_site *known, json_t *more, struct fault *f)
{
    const struct token *named = policy_token(w->estate->policy, known->token);
    bool primary = named != NULL && strcmp(named->primary, known->site) == 0;
    const struct digest *estate = &w->estate->state.estate;
    struct site_link link = {0};
    struct site_keys pinned = SITE_KEYS;
    struct digest challenge = {0};
    struct buf answer = BUF(2048);

    enum outcome outcome = site_keys_pinned(known, &pinned, f);
    if (outcome == OK)
        outcome = site_open(w, known->token, known->site, primary ? SITE_EITHER : SITE_MODULE, &link, f);
    if (outcome == OK)
        outcome = site_ready(&link, estate, known->serial, &pinned, f);
    if (outcome == OK && !random_bytes(challenge.bytes, sizeof challenge.bytes))
        outcome = fault_set(f, E_IO, "no random bytes from the system");
    if (outcome == OK)
        outcome = site_challenge(&link, estate, buf_span(&pinned.identity_id), buf_span(&pinned.identity), &challenge,
                                 &answer, f);
    if (outcome == OK)
        outcome = answer_put(more, buf_span(&answer), &challenge, f);
    site_close(&link);
    site_keys_clear(&pinned);
    buf_free(&answer);
    return outcome;
}

/* Whom files are carried to is asked now, and answers when somebody comes back. */
static enum outcome arrival_carried(struct world *w, const struct state_site *known, const char *elsewhere,
                                    json_t *arrival, json_t **ret, struct fault *f)
{
    struct fault text = {OK, ""};
    enum outcome outcome = elsewhere == NULL || json_put_string(arrival, "elsewhere", elsewhere) ? OK : fault_memory(f);
    if (outcome == OK && !known->away)
        outcome = fault_set(f, E_REFUSED, "%s at %s is nowhere yet: `quorate enrol` says that it is there",
                            known->token, known->site);
    if (outcome == OK)
        outcome = inquiry_want(w->estate, MESSAGE_CHALLENGE, known->token, known->site, arrival, NULL, &text, f);
    return outcome == OK ? status_answer("asked", text.text, ret, f) : outcome;
}

enum outcome arrival_import(struct world *w, const struct inquiry *q, const json_t *answer, struct fault *f)
{
    static const char *const names[] = {"bag", "received-by", "safe", NULL};
    const struct state_site *known = state_site(&w->estate->state, q->token, q->site);
    const char *hex = NULL;
    struct buf signature = BUF(2048);
    struct digest challenge, digest;
    json_t *more = json_object();
    enum outcome outcome = inquiry_stands(&w->estate->state, q, f);
    if (outcome == OK)
        outcome = json_want_digest(answer, "challenge", &challenge, f);
    if (outcome == OK && !digest_equal(&challenge, &q->challenge))
        outcome = fault_set(f, E_REFUSED, "the answer of %s at %s is for another challenge than the one asked last",
                            q->token, q->site);
    if (outcome == OK)
        outcome = json_want_string(answer, "answer", &hex, f);
    if (outcome == OK)
        outcome = hex_parse_buf(hex, &signature, f);
    if (outcome == OK && !challenge_digest(&w->estate->state.estate, q->token, q->site, &challenge, &digest))
        outcome = fault_memory(f);
    if (outcome == OK && digest_signature_verify(buf_span(&known->identity), &digest, buf_span(&signature), f) != OK)
        outcome = fault_context(f, "%s at %s: the HSM does not answer with its identity key", q->token, q->site);
    if (outcome == OK)
        outcome = members_copy(q->arrival, names, more) ? answer_put(more, buf_span(&signature), &challenge, f)
                                                        : fault_memory(f);
    if (outcome == OK)
        outcome = arrival_log(w->estate, q->token, q->site, json_string_or_null(q->arrival, "elsewhere"), more, f);
    json_decref(more);
    buf_free(&signature);
    return outcome;
}

enum outcome arrive_run(struct world *w, const json_t *question, json_t **ret, struct fault *f)
{
    static const char *const names[] = {"bag", "received-by", "safe", NULL};
    const struct state_site *known = NULL;
    const char *token = NULL, *site = NULL, *elsewhere = json_string_or_null(question, "elsewhere"),
               *bag = json_string_or_null(question, "bag");
    const struct binding *bound = NULL;
    json_t *more = json_object();

    enum outcome outcome = target_find(w, question, &token, &site, &known, f);
    if (outcome == OK)
        outcome = place_check(elsewhere, f);
    if (outcome == OK && known->placed)
        outcome = fault_set(f, E_REFUSED, "%s at %s has not left (it is at %s): `quorate move` says that it does",
                            token, site, known->place);
    if (outcome == OK && known->away && bag == NULL)
        outcome =
            fault_set(f, E_REFUSED, "%s at %s left in a sealed bag: say the number of the one that it came in, --bag",
                      token, site);
    if (outcome == OK && known->away && strcmp(bag, known->bag) != 0)
        outcome = fault_set(f, E_REFUSED,
                            "%s at %s left in another bag than %s: look at its number again; if the seal was broken, "
                            "`quorate retire` ends it",
                            token, site, bag);
    if (outcome == OK && !members_copy(question, names, more))
        outcome = fault_memory(f);
    if (outcome == OK && site_carried(w, token, site, &bound)) {
        outcome = arrival_carried(w, known, elsewhere, more, ret, f);
        goto out;
    }
    if (outcome == OK)
        outcome = replica_is_far(w, token, site) ? courier_answer(w, known, more, f) : module_answer(w, known, more, f);
    if (outcome == OK)
        outcome = arrival_log(w->estate, token, site, elsewhere, more, f);
    if (outcome == OK)
        outcome = status_answer("arrived", NULL, ret, f);
out:
    json_decref(more);
    return outcome;
}
