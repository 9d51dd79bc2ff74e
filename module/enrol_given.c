#include <stdio.h>
#include <string.h>

#include "audit/document.h"
#include "core/encode.h"
#include "module/enrolment.h"
#include "module/replica.h"
#include "module/site_exchange.h"

/* Enrolment of a site that is elsewhere: what it says of itself, and the proof that its identity key answered. */

enum outcome given_bound(const struct enrolment *n, struct fault *f)
{
    const struct bindings *all = n->estate->bindings;
    const struct binding *b = bindings_site(all, n->token, n->site);
    if (b == NULL)
        return fault_set(f, E_ABSENT, "%s at %s is not in the bindings %s: add it there", n->token, n->site, all->path);
    if (b->reach == REACH_MODULE)
        return fault_set(f, E_REFUSED, "%s:%u: %s at %s is reached by a module here: it is enrolled without a file",
                         all->path, b->line, n->token, n->site);
    return OK;
}

static enum outcome text_read(const json_t *json, const char *name, char *ret, size_t size, struct fault *f)
{
    const char *text = NULL;
    enum outcome outcome = json_want_string(json, name, &text, f);
    if (outcome == OK && (strlen(text) >= size || !utf8_printable(span_str(text))))
        outcome = fault_set(f, E_INVALID, "the member \"%s\" is too long, or not printable", name);
    if (outcome == OK)
        memcpy(ret, text, strlen(text) + 1);
    return outcome;
}

static enum outcome device_read(struct enrolment *n, struct fault *f)
{
    json_t *device = NULL;
    enum outcome outcome = json_want_object(n->given->json, "device", &device, f);
    if (outcome == OK)
        outcome = json_members(device, "firmware manufacturer model serial", f);
    if (outcome == OK)
        outcome = text_read(device, "firmware", n->device.firmware, sizeof n->device.firmware, f);
    if (outcome == OK)
        outcome = text_read(device, "manufacturer", n->device.manufacturer, sizeof n->device.manufacturer, f);
    if (outcome == OK)
        outcome = text_read(device, "model", n->device.model, sizeof n->device.model, f);
    if (outcome == OK)
        outcome = text_read(device, "serial", n->device.serial, sizeof n->device.serial, f);
    if (outcome == OK && n->device.serial[0] == '\0')
        outcome = fault_set(f, E_INVALID, "it names no serial number");
    return outcome;
}

static enum outcome hex_read(const struct enrolment *n, const char *name, struct buf *ret, struct fault *f)
{
    const char *text = NULL;
    enum outcome outcome = json_want_string(n->given->json, name, &text, f);
    if (outcome == OK)
        outcome = hex_parse_buf(text, ret, f);
    if (outcome == OK && ret->len == 0)
        outcome = fault_set(f, E_INVALID, "the member \"%s\" is empty", name);
    return outcome;
}

static enum outcome keys_read(struct enrolment *n, struct fault *f)
{
    enum outcome outcome = hex_read(n, "identity", &n->keys.identity, f);
    if (outcome == OK)
        outcome = hex_read(n, "identity-id", &n->keys.identity_id, f);
    if (outcome == OK)
        outcome = hex_read(n, "transport", &n->keys.transport, f);
    if (outcome == OK)
        outcome = hex_read(n, "transport-id", &n->keys.transport_id, f);
    if (outcome == OK)
        outcome = hex_read(n, "answer", &n->answer, f);
    return outcome;
}

static enum outcome answer_check(struct enrolment *n, const struct digest *challenge, struct fault *f)
{
    struct digest root, digest;
    enum outcome outcome = json_want_digest(n->given->json, "challenge", &n->challenge, f);
    if (outcome == OK && challenge == NULL) {
        if (n->given->seen == 0 || n->given->seen > log_size(n->estate->log))
            return fault_set(f, E_REFUSED, "it knows nothing of this log, or another one");
        outcome = log_root_at(n->estate->log, n->given->seen, &root, f);
        challenge = &root;
    }
    if (outcome == OK && !digest_equal(&n->challenge, challenge))
        outcome = fault_set(f, E_REFUSED, "it answers another challenge than the one that was put");
    if (outcome == OK && !challenge_digest(&n->estate->state.estate, n->token, n->site, &n->challenge, &digest))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = digest_signature_verify(buf_span(&n->keys.identity), &digest, buf_span(&n->answer), f);
    return outcome;
}

/* Enrols a site that is elsewhere by its answer to the message `challenge` with `enrol`. challenge: the one that it must
 * answer; NULL: the root that our log had when it was as long as the site says it has seen, which shows that the answer is
 * not older than that. ret as of enrol_run. */
static enum outcome enrol_given(struct world *w, const char *token, const char *site, const struct enrol_with *with,
                                const struct site_answer *given, const struct digest *challenge, json_t **ret,
                                struct fault *f)
{
    struct enrolment n = {.world = w,
                          .estate = w->estate,
                          .token = token,
                          .site = site,
                          .with = with != NULL ? *with : (struct enrol_with){0},
                          .given = given,
                          .keys = SITE_KEYS,
                          .answer = BUF(2048)};
    enum outcome outcome = estate_refresh(w->estate, f);
    if (outcome == OK)
        outcome = device_read(&n, f);
    if (outcome == OK)
        outcome = keys_read(&n, f);
    if (outcome == OK)
        outcome = answer_check(&n, challenge, f);
    if (outcome != OK)
        fault_context(f, "%s at %s: what it says of itself", token, site);
    else
        outcome = enrolment_run(&n, ret, f);
    site_keys_clear(&n.keys);
    buf_free(&n.answer);
    return outcome;
}

enum outcome enrol_carried(struct world *w, const char *token, const char *site, const struct enrol_with *with,
                           struct span introduction, json_t **ret, struct fault *f)
{
    struct site_answer given = {.kind = MESSAGE_KINDS};
    enum outcome outcome =
        answer_read(introduction, &w->estate->state.estate, MESSAGE_CHALLENGE, token, site, &given, f);
    if (outcome == OK)
        outcome = enrol_given(w, token, site, with, &given, NULL, ret, f);
    site_answer_clear(&given);
    return outcome;
}

enum outcome enrol_by_courier(struct world *w, const char *token, const char *site, const struct enrol_with *with,
                              json_t **ret, struct fault *f)
{
    const struct binding *b = bindings_site(w->estate->bindings, token, site);
    struct site_answer given = {.kind = MESSAGE_KINDS};
    struct buf message = BUF(LIMIT_MESSAGE);
    struct digest challenge;
    json_t *more = json_object();
    enum outcome outcome = OK;

    if (!random_bytes(challenge.bytes, sizeof challenge.bytes))
        outcome = fault_set(f, E_IO, "no random bytes from the system");
    else if (!json_put_digest(more, "challenge", &challenge) || !json_put_string(more, "enrol", "true"))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = message_compose(w->estate, MESSAGE_CHALLENGE, token, site, 0, more, &message, f);
    if (outcome == OK)
        outcome = site_exchange(&b->courier, buf_span(&message), site_answers_within(w, site), &w->estate->state.estate,
                                MESSAGE_CHALLENGE, token, site, &given, f);
    if (outcome == OK)
        outcome = enrol_given(w, token, site, with, &given, &challenge, ret, f);
    site_answer_clear(&given);
    json_decref(more);
    buf_free(&message);
    return outcome;
}
