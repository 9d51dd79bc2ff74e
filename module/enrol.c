#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/file.h"
#include "core/hardware.h"
#include "core/limits.h"
#include "module/arrival.h"
#include "module/birth.h"
#include "module/enrolment.h"
#include "module/head.h"
#include "module/recovery.h"
#include "policy/attestation.h"

/* Is this a site of this token, and its HSM nobody else's? */
static enum outcome target_check(const struct enrolment *n, struct fault *f)
{
    const struct estate *e = n->estate;
    const struct binding *binding = NULL;
    const char *serial = n->device.serial;
    enum outcome outcome = estate_policy_in_force(n->estate, f);
    if (outcome != OK)
        return outcome;
    const struct token *token = policy_token(e->policy, n->token);
    if (token == NULL)
        return fault_set(f, E_ABSENT, "the policy %s knows no token %s", e->policy->file, n->token);
    if (strcmp(token->primary, n->site) != 0 && !strings_have(&token->replicas, n->site))
        return fault_set(f, E_ABSENT, "%s:%u: %s is neither primary nor replica of the token %s", e->policy->file,
                         token->line, n->site, n->token);
    outcome = n->given != NULL ? given_bound(n, f) : site_bound(n->world, n->token, n->site, &binding, f);
    if (outcome != OK)
        return outcome;
    if (binding != NULL)
        serial = binding->serial;
    for (size_t i = 0; i < e->state.site_count; i++) {
        const struct state_site *s = &e->state.sites[i];
        bool same = strcmp(s->token, n->token) == 0 && strcmp(s->site, n->site) == 0;
        if (!s->retired && !same && strcmp(s->serial, serial) == 0)
            return fault_set(f, E_REFUSED,
                             "the HSM with serial number %s is enrolled as %s at %s: every site needs its "
                             "own",
                             serial, s->token, s->site);
    }
    return OK;
}

/* The keys that the request names, where they are on the HSM with this serial number still. */
static enum outcome request_keys(struct enrolment *n, const struct request *r, struct fault *f)
{
    struct buf identity = BUF(4096), transport = BUF(4096);
    const char *serial = NULL, *identity_hex = NULL, *transport_hex = NULL;
    const json_t *subject = r->subject->json;

    enum outcome outcome = json_want_string(subject, "serial", &serial, f);
    if (outcome == OK)
        outcome = json_want_string(subject, "identity", &identity_hex, f);
    if (outcome == OK)
        outcome = json_want_string(subject, "transport", &transport_hex, f);
    if (outcome == OK && strcmp(serial, n->device.serial) != 0)
        outcome = fault_set(f, E_ABSENT, "the request is about another HSM");
    if (outcome == OK)
        outcome = hex_parse_buf(identity_hex, &identity, f);
    if (outcome == OK)
        outcome = hex_parse_buf(transport_hex, &transport, f);
    if (outcome == OK && n->given == NULL)
        outcome = site_keys_find(&n->link, buf_span(&identity), buf_span(&transport), &n->keys, f);
    else if (outcome == OK && (!span_equal(buf_span(&identity), buf_span(&n->keys.identity)) ||
                               !span_equal(buf_span(&transport), buf_span(&n->keys.transport))))
        outcome = fault_set(f, E_ABSENT, "the request is about other keys");
    buf_free(&identity);
    buf_free(&transport);
    return outcome;
}

/* Keys that people are being asked about: those of the newest living request for this site. E_ABSENT: none. */
static enum outcome pending_keys(struct enrolment *n, struct fault *f)
{
    const struct state *state = &n->estate->state;
    enum outcome outcome = E_ABSENT;
    for (size_t i = state->request_count; i-- > 0 && outcome == E_ABSENT;) {
        const struct state_request *known = &state->requests[i];
        struct request *r = NULL;
        if (known->state != REQUEST_PENDING || known->expires <= log_time(n->estate->log) || known->token == NULL ||
            strcmp(known->operation, operation_name(OP_ENROL_SITE)) != 0 || strcmp(known->token, n->token) != 0)
            continue;
        outcome = estate_request(n->estate, &known->id, &r, f);
        if (outcome == OK && (r->subject->site == NULL || strcmp(r->subject->site, n->site) != 0))
            outcome = E_ABSENT;
        if (outcome == OK)
            outcome = request_keys(n, r, f);
        request_free(r);
    }
    return outcome;
}

static enum outcome keys_provide(struct enrolment *n, struct fault *f)
{
    enum outcome outcome = n->given != NULL ? OK : pending_keys(n, f);
    if (outcome != E_ABSENT)
        return outcome;
    outcome = site_keys_sweep(&n->link, &n->estate->state.estate, f);
    if (outcome == OK)
        outcome = site_keys_make(&n->link, &n->estate->state.estate, &n->keys, f);
    return outcome;
}

/* What the vendor says of the keys, by what came with the command, or with what a site elsewhere says of itself. It must hold
 * for a while yet, since the record is judged by the time of its entry. */
static enum outcome attestation_provide(struct enrolment *n, struct fault *f)
{
    json_t *told = n->given != NULL ? json_object_get(n->given->json, "attestation") : NULL;
    struct attested a = {.policy = n->estate->policy,
                         .site = n->site,
                         .identity = buf_span(&n->keys.identity),
                         .transport = buf_span(&n->keys.transport),
                         .at = log_time(n->estate->log)};
    enum outcome outcome = OK;
    if (n->with.certificates.data != NULL) {
        outcome = attestation_make(n->with.certificates, &a, &n->attestation, f);
    } else if (told != NULL) {
        outcome = attestation_verify(told, &a, f);
        n->attestation = outcome == OK ? json_incref(told) : NULL;
    }
    a.at += LIMIT_CLOCK;
    if (outcome == OK && n->attestation != NULL && attestation_verify(n->attestation, &a, f) != OK)
        outcome = fault_context(f, "in a quarter of an hour");
    return outcome == OK ? OK : fault_context(f, "%s at %s", n->token, n->site);
}

/* What request and site-enrolled have in common. */
static bool facts_put(const struct enrolment *n, json_t *body)
{
    return (n->attestation == NULL || json_put(body, "attestation", json_incref(n->attestation))) &&
           json_put_string(body, "firmware", n->device.firmware) &&
           json_put_string(body, "hardware", n->attestation != NULL ? HARDWARE_BY_VENDOR : HARDWARE_BY_PEOPLE) &&
           json_put_bytes_hex(body, "identity", buf_span(&n->keys.identity)) &&
           json_put_string(body, "manufacturer", n->device.manufacturer) &&
           json_put_string(body, "model", n->device.model) && json_put_string(body, "serial", n->device.serial) &&
           json_put_string(body, "site", n->site) && json_put_string(body, "token", n->token) &&
           json_put_bytes_hex(body, "transport", buf_span(&n->keys.transport));
}

/* The one that the intent was written with. */
static enum outcome verdict_copy(const struct estate *e, uint64_t intent, json_t *body, struct fault *f)
{
    const struct state_intent *i = state_intent(&e->state, intent);
    const json_t *verdict = i != NULL ? json_object_get(i->body, "verdict") : NULL;
    return json_put(body, "verdict", json_deep_copy(verdict)) ? OK : fault_memory(f);
}

/* The HSM answers a challenge of ours with the key that people approved; one that is elsewhere has done so. */
static enum outcome challenge_put(struct enrolment *n, struct digest *ret_challenge, struct buf *ret_answer,
                                  struct fault *f)
{
    if (n->given != NULL) {
        *ret_challenge = n->challenge;
        buf_put(ret_answer, n->answer.data, n->answer.len);
        return ret_answer->failed ? fault_memory(f) : OK;
    }
    if (!random_bytes(ret_challenge->bytes, sizeof ret_challenge->bytes))
        return fault_set(f, E_IO, "no random bytes from the system");
    return site_challenge(&n->link, &n->estate->state.estate, buf_span(&n->keys.identity_id),
                          buf_span(&n->keys.identity), ret_challenge, ret_answer, f);
}

static enum outcome enrolled_log(struct enrolment *n, const struct answer *a, struct fault *f)
{
    struct digest challenge = {0};
    struct buf answer = BUF(2048);
    json_t *body = json_object(), *more = json_object();
    uint64_t intent = 0;

    enum outcome outcome = request_keys(n, a->request, f);
    if (outcome == OK)
        outcome = challenge_put(n, &challenge, &answer, f);
    if (outcome != OK)
        goto out;
    if (!json_put_string(more, "site", n->site) || !facts_put(n, body) ||
        !json_put_bytes_hex(body, "answer", buf_span(&answer)) || !json_put_digest(body, "challenge", &challenge) ||
        !json_put_bytes_hex(body, "identity-id", buf_span(&n->keys.identity_id)) ||
        !json_put_bytes_hex(body, "transport-id", buf_span(&n->keys.transport_id)) ||
        !json_put_digest(body, "request", &a->request->id)) {
        outcome = fault_memory(f);
        goto out;
    }
    outcome = estate_intend(n->estate, a->request, &n->world->context, more, &intent, f);
    if (outcome == OK)
        outcome = verdict_copy(n->estate, intent, body, f);
    if (outcome == OK)
        outcome = estate_append(n->estate, ENTRY_SITE_ENROLLED, body, NULL, f);
out:
    json_decref(body);
    json_decref(more);
    buf_free(&answer);
    return outcome;
}

static enum outcome pending_report(const struct enrolment *n, const struct answer *a, json_t *report, struct fault *f)
{
    const struct site *declared = policy_site(n->estate->policy, n->site);
    bool attestable = declared != NULL && declared->root_count > 0 && n->attestation == NULL;
    struct buf missing = BUF(4096);
    verdict_put_short(a->verdict, &missing);
    bool good = (!attestable || (json_put_bytes_hex(report, "identity-id", buf_span(&n->keys.identity_id)) &&
                                 json_put_bytes_hex(report, "transport-id", buf_span(&n->keys.transport_id)))) &&
                json_put_string(report, "missing", buf_str(&missing)) &&
                json_put_digest(report, "request", &a->request->id) && json_put_string(report, "status", "pending");
    buf_free(&missing);
    return good ? OK : fault_memory(f);
}

static enum outcome people_ask(struct enrolment *n, json_t *report, bool *ret_enrolled, struct fault *f)
{
    struct answer a = {0};
    struct buf why = BUF(1024);
    json_t *subject = asking_subject(n->estate, OP_ENROL_SITE, n->world->requester);
    enum outcome outcome = OK;

    if (subject == NULL || !facts_put(n, subject)) {
        json_decref(subject);
        return fault_memory(f);
    }
    outcome = estate_ask(n->estate, subject, &n->world->context, &a, f);
    if (outcome != OK)
        goto out;
    if (a.plain) {
        outcome = fault_set(f, E_REFUSED, "the rule for enrol-site allows everybody: it must require people");
    } else if (a.verdict->decision == DECISION_ALLOW && a.request != NULL) {
        outcome = enrolled_log(n, &a, f);
        *ret_enrolled = outcome == OK;
    } else if (a.verdict->decision == DECISION_PENDING && a.request != NULL) {
        outcome = pending_report(n, &a, report, f);
    } else {
        verdict_put_short(a.verdict, &why);
        outcome = fault_set(f, E_REFUSED, "enrolment of %s at %s: %s", n->token, n->site, buf_str(&why));
    }
out:
    buf_free(&why);
    answer_clear(&a);
    return outcome;
}

/* A crash between site-enrolled and arrived: the HSM answers once more, then it has arrived. */
static enum outcome arrival_complete(struct enrolment *n, const struct state_site *enrolled, struct fault *f)
{
    if (enrolled->placed)
        return fault_set(f, E_REFUSED, "%s at %s is enrolled already (log entry %llu)", n->token, n->site,
                         (unsigned long long)enrolled->seq);
    if (enrolled->away)
        return fault_set(f, E_REFUSED, "%s at %s is on its way, in bag %s: `quorate arrive` ends that", n->token,
                         n->site, enrolled->bag);
    if (n->given != NULL)
        return span_equal(buf_span(&enrolled->identity), buf_span(&n->keys.identity))
                   ? OK
                   : fault_set(f, E_REFUSED, "%s at %s was enrolled with another identity key", n->token, n->site);
    enum outcome outcome = site_keys_pinned(enrolled, &n->keys, f);
    if (outcome == OK)
        outcome = site_ready(&n->link, &n->estate->state.estate, enrolled->serial, &n->keys, f);
    return outcome;
}

static enum outcome enrol_locked(struct enrolment *n, json_t *report, struct fault *f)
{
    bool enrolled = false;
    enum outcome outcome = estate_refresh(n->estate, f);
    if (outcome == OK)
        outcome = target_check(n, f);
    if (outcome == OK && n->with.elsewhere != NULL)
        outcome = place_check(n->with.elsewhere, f);
    if (outcome == OK)
        outcome = enrol_recover(n->estate, n->token, n->site, NULL, f);
    if (outcome == OK && n->given == NULL)
        outcome = site_open(n->world, n->token, n->site, SITE_EITHER, &n->link, f);
    if (outcome == OK && n->given == NULL)
        outcome = site_device_read(&n->link, &n->device, f);
    if (outcome != OK)
        return outcome;
    const struct state_site *known = state_site(&n->estate->state, n->token, n->site);
    if (known != NULL) {
        outcome = arrival_complete(n, known, f);
        enrolled = outcome == OK;
    } else {
        outcome = keys_provide(n, f);
        if (outcome == OK && site_keys_fit(buf_span(&n->keys.identity), buf_span(&n->keys.transport), f) != OK)
            outcome = fault_context(f, "%s at %s", n->token, n->site);
        if (outcome == OK)
            outcome = attestation_provide(n, f);
        if (outcome == OK)
            outcome = people_ask(n, report, &enrolled, f);
    }
    if (enrolled)
        outcome = arrival_log(n->estate, n->token, n->site, n->with.elsewhere, NULL, f);
    if (enrolled && outcome == OK)
        outcome = heads_renew(n->world, n->token, f);
    if (enrolled && outcome == OK && !json_put_string(report, "status", "enrolled"))
        outcome = fault_memory(f);
    return outcome;
}

enum outcome enrolment_run(struct enrolment *n, json_t **ret, struct fault *f)
{
    struct lock *lock = NULL;
    json_t *report = json_object();

    enum outcome outcome = report != NULL ? enrol_lock(n->estate, n->token, n->site, &lock, f) : fault_memory(f);
    if (outcome == OK)
        outcome = enrol_locked(n, report, f);
    if (outcome == OK)
        *ret = json_incref(report);
    json_decref(n->attestation);
    n->attestation = NULL;
    site_close(&n->link);
    lock_release(lock);
    json_decref(report);
    return outcome;
}

enum outcome enrol_run(struct world *w, const char *token, const char *site, const struct enrol_with *with,
                       json_t **ret, struct fault *f)
{
    struct enrolment n = {.world = w,
                          .estate = w->estate,
                          .token = token,
                          .site = site,
                          .with = with != NULL ? *with : (struct enrol_with){0},
                          .keys = SITE_KEYS};
    const struct binding *b = bindings_site(w->estate->bindings, token, site);
    if (b != NULL && b->reach == REACH_COURIER)
        return enrol_by_courier(w, token, site, with, ret, f);
    if (b != NULL && b->reach == REACH_CARRIED && state_site(&w->estate->state, token, site) == NULL)
        return fault_set(f, E_REFUSED,
                         "files are carried to %s: make one with `quorate policy export %s FILE`, give it to `quorate "
                         "introduce` there, and give what that writes to `quorate enrol %s --carried` here",
                         site, site, site);
    enum outcome outcome = enrolment_run(&n, ret, f);
    site_keys_clear(&n.keys);
    return outcome;
}
