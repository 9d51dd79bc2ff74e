#include "module/replica_message.h"

static enum outcome offer_json(const struct offer *o, json_t *more, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_OFFER);
    json_t *json = NULL;
    enum outcome outcome = offer_compose(o, &bytes, f);
    if (outcome == OK)
        outcome = json_parse_canonical(buf_span(&bytes), &json, f);
    if (outcome == OK && !json_put(more, "offer", json))
        outcome = fault_memory(f);
    buf_free(&bytes);
    return outcome;
}

enum outcome replica_message(struct replica *r, enum visit_kind kind, struct fault *f)
{
    struct visit *v = r->visit;
    enum message_kind asks = MESSAGE_CHALLENGE;
    json_t *more = kind == VISIT_DESTROY ? key_end_json(&v->end) : json_object();
    enum outcome outcome = more != NULL ? OK : fault_memory(f);

    if (outcome == OK && kind == VISIT_DESTROY) {
        asks = v->end.kind;
    } else if (outcome == OK && kind == VISIT_TAKE) {
        asks = MESSAGE_OFFER;
        outcome = offer_json(&v->offer, more, f);
    } else if (outcome == OK && (kind == VISIT_NAME || kind == VISIT_WITHDRAW)) {
        asks = kind == VISIT_NAME ? MESSAGE_BORN : MESSAGE_WITHDRAW;
        outcome = json_put_integer(more, "intent", (int64_t)v->intent) ? OK : fault_memory(f);
    } else if (outcome == OK && !v->challenged && !random_bytes(v->challenge.bytes, sizeof v->challenge.bytes)) {
        outcome = fault_set(f, E_IO, "no random bytes from the system");
    } else if (outcome == OK) {
        asks = kind == VISIT_DRILL ? MESSAGE_DRILL : kind == VISIT_LIST ? MESSAGE_INVENTORY : MESSAGE_CHALLENGE;
        if (!json_put_digest(more, "challenge", &v->challenge) ||
            (kind == VISIT_DRILL && !json_put(more, "keys", json_incref(v->drill_keys))))
            outcome = fault_memory(f);
    }
    buf_clear(&v->message);
    if (outcome == OK)
        outcome = message_compose(r->world->estate, asks, r->token, r->site, r->from, more, &v->message, f);
    json_decref(more);
    return outcome;
}

enum outcome replica_seen(struct replica *r, struct fault *f)
{
    const struct log *log = r->world->estate->log;
    const struct visit *v = r->visit;
    struct digest root;
    enum outcome outcome = OK;

    if (v->seen > log_size(log))
        return fault_set(f, E_REFUSED,
                         "%s at %s has %llu entries of this log, which has %llu: this home is older than what the site "
                         "was shown",
                         r->token, r->site, (unsigned long long)v->seen, (unsigned long long)log_size(log));
    if (v->seen > 0)
        outcome = log_root_at(log, v->seen, &root, f);
    if (outcome == OK && v->seen > 0 && !digest_equal(&root, &v->root))
        return fault_set(f, E_REFUSED, "%s at %s follows another log than this one", r->token, r->site);
    if (outcome == OK) {
        r->from = v->seen;
        r->known = true;
    }
    return outcome;
}
