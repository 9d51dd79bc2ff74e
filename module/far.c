#include "module/far.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/file.h"
#include "module/site_device.h"
#include "policy/attestation.h"

#define ATTESTATION "attestation.json" /* in the site's home */

static enum outcome keys_known(struct far *x, struct fault *f)
{
    const struct state_host *h = x->own->state.host;

    if (h->identity.len == 0)
        return fault_set(f, E_REFUSED, "this site has no keys yet: run `quorate introduce` again");
    buf_put(&x->keys.identity, h->identity.data, h->identity.len);
    buf_put(&x->keys.transport, h->transport.data, h->transport.len);
    if (x->keys.identity.failed || x->keys.transport.failed)
        return fault_memory(f);
    enum outcome outcome = hex_parse_buf(h->identity_id, &x->keys.identity_id, f);
    return outcome == OK ? hex_parse_buf(h->transport_id, &x->keys.transport_id, f) : outcome;
}

static void far_close(struct far *x)
{
    site_close(&x->link);
    site_keys_clear(&x->keys);
    host_close(x->host);
    x->host = NULL;
}

static enum outcome far_link(struct far *x, struct fault *f)
{
    const struct state_host *h = x->own->state.host;

    return site_open(x->world, h->token, h->site, SITE_EITHER, &x->link, f);
}

enum outcome far_log(struct far *x, enum entry_type type, const struct digest *intent, json_t *more_taken,
                     struct fault *f)
{
    bool good = more_taken != NULL && host_seen_put(x->host, more_taken) &&
                (intent == NULL || json_put_digest(more_taken, "intent", intent));
    enum outcome outcome = good ? estate_append(x->own, type, more_taken, NULL, f) : fault_memory(f);
    json_decref(more_taken);
    return outcome;
}

static enum outcome transport_take(struct far *x, struct span spki, const char *id, struct fault *f)
{
    buf_clear(&x->keys.transport);
    buf_clear(&x->keys.transport_id);
    buf_put(&x->keys.transport, spki.data, spki.len);
    return x->keys.transport.failed ? fault_memory(f) : hex_parse_buf(id, &x->keys.transport_id, f);
}

/* The HSM is the one that the host's log has enrolled for this site (or had, before it retired); x->keys are those that it has
 * pinned. */
static enum outcome far_enrolled(struct far *x, bool retired_too, struct fault *f)
{
    const struct state_host *h = x->own->state.host;
    const struct state *s = &x->host->copy->state;
    const struct state_site *enrolled = state_site(s, h->token, h->site);

    if (enrolled == NULL && retired_too)
        enrolled = state_site_retired(s, h->token, h->site);
    if (enrolled == NULL)
        return fault_set(f, E_REFUSED, "the host's log has not enrolled %s at %s", h->token, h->site);
    bool next = span_equal(buf_span(&enrolled->transport), buf_span(&h->transport));
    if (!span_equal(buf_span(&enrolled->identity), buf_span(&h->identity)) ||
        (!next && !span_equal(buf_span(&enrolled->transport), buf_span(&h->transport_before))))
        return fault_set(f, E_REFUSED, "the host's log has enrolled %s at %s with other keys than those made here",
                         h->token, h->site);
    if (!next && transport_take(x, buf_span(&h->transport_before), h->transport_before_id, f) != OK)
        return f->outcome;
    return site_ready(&x->link, &h->estate, enrolled->serial, &x->keys, f);
}

/* What the vendor says of the keys, for an enrolment: as the last introduction kept it. */
static enum outcome attestation_put(struct far *x, json_t *more, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_ENTRY);
    json_t *kept = NULL;
    char *path = estate_path(x->own, NULL, ATTESTATION);
    enum outcome outcome = path != NULL ? file_read(path, true, &bytes, f) : fault_memory(f);
    if (outcome == OK)
        outcome = json_parse_canonical(buf_span(&bytes), &kept, f);
    if (outcome == OK && !json_put(more, "attestation", kept))
        outcome = fault_memory(f);
    free(path);
    buf_free(&bytes);
    return outcome == E_ABSENT ? OK : outcome;
}

/* Keeps it, judged by the host's policy as the host will; without certificates nothing is kept. */
static enum outcome attestation_keep(struct far *x, struct span certificates, struct fault *f)
{
    struct attested a = {.policy = x->host->copy->policy,
                         .site = x->own->state.host->site,
                         .identity = buf_span(&x->keys.identity),
                         .transport = buf_span(&x->keys.transport),
                         .at = log_time(x->own->log)};
    struct buf bytes = BUF(LIMIT_ENTRY);
    json_t *made = NULL;
    char *path = estate_path(x->own, NULL, ATTESTATION);
    enum outcome outcome = path != NULL ? OK : fault_memory(f);
    if (outcome == OK && certificates.data == NULL) {
        outcome = file_remove(path, f);
    } else if (outcome == OK) {
        outcome = a.policy != NULL ? attestation_make(certificates, &a, &made, f)
                                   : fault_set(f, E_REFUSED, "the host's log has no policy in force");
        if (outcome == OK)
            outcome = json_canonical(made, &bytes, f);
        if (outcome == OK)
            outcome = file_replace(path, buf_span(&bytes), 0644, f);
    }
    json_decref(made);
    free(path);
    buf_free(&bytes);
    return outcome;
}

/* Members of the answer to a challenge: the identity key's signature and, for an enrolment, all that the host wants to
 * know of the device. */
static enum outcome challenge_answer(struct far *x, const struct digest *challenge, bool enrol, json_t *more,
                                     struct fault *f)
{
    struct buf signature = BUF(2048);
    struct site_device device;
    enum outcome outcome = site_challenge(&x->link, &x->own->state.host->estate, buf_span(&x->keys.identity_id),
                                          buf_span(&x->keys.identity), challenge, &signature, f);
    if (outcome == OK && enrol)
        outcome = site_device_read(&x->link, &device, f);
    bool good = outcome != OK || (json_put_bytes_hex(more, "answer", buf_span(&signature)) &&
                                  json_put_digest(more, "challenge", challenge));
    if (good && outcome == OK && enrol)
        good = json_put(more, "device", site_device_json(&device)) &&
               json_put_bytes_hex(more, "identity", buf_span(&x->keys.identity)) &&
               json_put_bytes_hex(more, "identity-id", buf_span(&x->keys.identity_id)) &&
               json_put_bytes_hex(more, "transport", buf_span(&x->keys.transport)) &&
               json_put_bytes_hex(more, "transport-id", buf_span(&x->keys.transport_id));
    if (good && outcome == OK && enrol)
        outcome = attestation_put(x, more, f);
    buf_free(&signature);
    return outcome == OK && !good ? fault_memory(f) : outcome;
}

enum outcome far_keys_log(struct far *x, struct fault *f)
{
    json_t *body = json_object();
    bool good = json_put_bytes_hex(body, "identity", buf_span(&x->keys.identity)) &&
                json_put_bytes_hex(body, "identity-id", buf_span(&x->keys.identity_id)) &&
                json_put_bytes_hex(body, "transport", buf_span(&x->keys.transport)) &&
                json_put_bytes_hex(body, "transport-id", buf_span(&x->keys.transport_id));
    enum outcome outcome = good ? estate_append(x->own, ENTRY_SITE_KEYS, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return outcome;
}

/* The keys that our log names, or new ones where they are not on the HSM: what an attempt that died left is swept. */
static enum outcome keys_provide(struct far *x, struct fault *f)
{
    const struct state_host *h = x->own->state.host;
    enum outcome outcome = E_ABSENT;

    if (h->identity.len != 0)
        outcome = site_keys_find(&x->link, buf_span(&h->identity), buf_span(&h->transport), &x->keys, f);
    if (outcome != E_ABSENT)
        return outcome;
    if (state_site(&x->host->copy->state, h->token, h->site) != NULL)
        return fault_set(f, E_DEVICE,
                         "%s at %s is enrolled, but its keys are no longer on the HSM with serial number %s", h->token,
                         h->site, x->link.binding->serial);
    outcome = site_keys_sweep(&x->link, &h->estate, f);
    if (outcome == OK)
        outcome = site_keys_make(&x->link, &h->estate, &x->keys, f);
    return outcome == OK ? far_keys_log(x, f) : outcome;
}

static enum outcome answer_put(struct far *x, enum message_kind kind, const json_t *more, struct buf *ret,
                               struct fault *f)
{
    const struct state_host *h = x->own->state.host;
    struct digest root = {{0}};
    uint64_t seen = x->host != NULL && !x->host->broken ? log_size(x->host->copy->log) : 0;

    if (seen != 0)
        log_root(x->host->copy->log, &root);
    return answer_compose(x->own, &h->estate, kind, h->token, h->site, seen, &root, more, ret, f);
}

enum outcome far_introduce(struct world *w, struct span certificates, struct buf *ret_answer, struct fault *f)
{
    struct far x = {.world = w, .own = w->estate, .keys = SITE_KEYS};
    struct digest root;
    json_t *more = json_object();

    enum outcome outcome = estate_refresh(w->estate, f);
    if (outcome == OK)
        outcome = host_open(w->estate, &x.host, f);
    if (outcome == OK)
        outcome = far_link(&x, f);
    if (outcome == OK)
        outcome = keys_provide(&x, f);
    if (outcome == OK)
        outcome = attestation_keep(&x, certificates, f);
    if (outcome == OK) {
        log_root(x.host->copy->log, &root);
        outcome = challenge_answer(&x, &root, true, more, f);
    }
    if (outcome == OK)
        outcome = answer_put(&x, MESSAGE_CHALLENGE, more, ret_answer, f);
    json_decref(more);
    far_close(&x);
    return outcome;
}

static enum outcome far_challenge(struct far *x, const struct message *m, json_t *more, struct fault *f)
{
    struct digest challenge;
    enum outcome outcome = json_want_digest(m->json, "challenge", &challenge, f);
    return outcome == OK ? challenge_answer(x, &challenge, json_object_get(m->json, "enrol") != NULL, more, f)
                         : outcome;
}

/* Nothing but the log: that it was taken in stands in our own. */
static enum outcome far_policy(struct far *x, struct fault *f)
{
    if (x->own->state.host->size == log_size(x->host->copy->log))
        return OK;
    return far_log(x, ENTRY_SEEN, NULL, json_object(), f);
}

static enum outcome message_act(struct far *x, const struct message *m, json_t *more, struct fault *f)
{
    enum outcome outcome = host_open(x->own, &x->host, f);
    if (outcome == OK)
        outcome = host_follow(x->host, m, f);
    if (outcome == OK && m->kind == MESSAGE_POLICY)
        return far_policy(x, f);
    if (outcome == OK)
        outcome = keys_known(x, f);
    if (outcome == OK)
        outcome = far_link(x, f);
    if (outcome == OK && m->kind != MESSAGE_CHALLENGE)
        outcome = far_enrolled(x, m->kind == MESSAGE_WITHDRAW, f);
    if (outcome == OK && m->kind != MESSAGE_CHALLENGE)
        outcome = far_transport_retire(x, f);
    if (outcome != OK)
        return outcome;
    switch (m->kind) {
    case MESSAGE_CHALLENGE:
        return far_challenge(x, m, more, f);
    case MESSAGE_OFFER:
        return far_offer(x, m, more, f);
    case MESSAGE_BORN:
    case MESSAGE_WITHDRAW:
        return far_settle(x, m, more, f);
    case MESSAGE_END:
        return far_key_end(x, m, more, f);
    case MESSAGE_DRILL:
        return far_drill(x, m, more, f);
    case MESSAGE_INVENTORY:
        return far_inventory(x, m, more, f);
    default:
        return fault_set(f, E_REFUSED, "messages of the kind %s are not answered here yet", message_kind_name(m->kind));
    }
}

enum outcome far_accept(struct world *w, struct span message, struct buf *ret_answer, bool *ret_refused,
                        struct fault *f)
{
    struct far x = {.world = w, .own = w->estate, .keys = SITE_KEYS};
    struct message m = {.kind = MESSAGE_KINDS};
    json_t *more = json_object();
    struct fault why = {OK, ""};

    enum outcome outcome = estate_refresh(w->estate, f);
    if (outcome == OK && w->estate->state.host == NULL)
        outcome = fault_set(f, E_REFUSED, "%s belongs to no site of an estate: run `quorate introduce`",
                            w->estate->bindings->home);
    if (outcome != OK)
        goto out;
    *ret_refused = false;
    if (message_read(message, &m, &why) != OK || message_act(&x, &m, more, &why) != OK) {
        *ret_refused = true;
        *f = why;
        json_object_clear(more);
        m.kind = MESSAGE_KINDS;
        if (!json_put_string(more, "text", why.text))
            outcome = fault_memory(f);
    }
    if (outcome == OK) {
        struct fault also = {OK, ""};
        outcome = answer_put(&x, m.kind, more, ret_answer, &also);
        if (outcome != OK)
            *f = also;
    }
out:
    message_clear(&m);
    json_decref(more);
    far_close(&x);
    return outcome;
}
