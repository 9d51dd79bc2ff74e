#include <string.h>

#include "audit/document.h"
#include "core/encode.h"
#include "module/far.h"

enum outcome far_sign(struct far *x, const struct digest *digest, const char *name, json_t *more, struct fault *f)
{
    CK_OBJECT_HANDLE identity = CK_INVALID_HANDLE;
    struct buf signature = BUF(2048);
    enum outcome outcome = site_find_one(&x->link, CKO_PRIVATE_KEY, buf_span(&x->keys.identity_id), &identity, f);
    if (outcome == OK)
        outcome = site_sign(&x->link, identity, digest, &signature, f);
    if (outcome == OK && !json_put_bytes_hex(more, name, buf_span(&signature)))
        outcome = fault_memory(f);
    buf_free(&signature);
    return outcome;
}

static const struct state_site *pinned_site(const struct far *x)
{
    const struct state_host *h = x->own->state.host;
    return state_site(&x->host->copy->state, h->token, h->site);
}

/* The host's log has the newest key: nothing is under way. */
static bool pinned_is_newest(const struct far *x)
{
    const struct state_site *pinned = pinned_site(x);
    return pinned != NULL && span_equal(buf_span(&pinned->transport), buf_span(&x->own->state.host->transport));
}

/* A birth that began before the next key was pinned, and was offered here. */
static bool before_needed(const struct far *x)
{
    const struct state *s = &x->host->copy->state;
    const struct state_site *pinned = pinned_site(x);
    for (size_t i = 0; pinned != NULL && i < s->intent_count; i++) {
        const struct state_intent *birth = &s->intents[i];
        if ((birth->state == INTENT_OPEN || birth->state == INTENT_PROVISIONAL) && birth->seq < pinned->renewed &&
            strings_have(&birth->offered, x->own->state.host->site))
            return true;
    }
    return false;
}

static enum outcome transports_sweep(struct far *x, struct fault *f)
{
    const struct state_host *h = x->own->state.host;
    struct buf keep = BUF(255);
    enum outcome outcome = hex_parse_buf(h->transport_id, &keep, f);
    if (outcome == OK)
        outcome = site_transport_sweep(&x->link, &h->estate, buf_span(&keep), f);
    buf_free(&keep);
    return outcome;
}

enum outcome far_transport_retire(struct far *x, struct fault *f)
{
    if (x->own->state.host->transport_before.len == 0 || !pinned_is_newest(x) || before_needed(x))
        return OK;
    return transports_sweep(x, f);
}

/* Two at most: while the one before is needed, no third is made. What an attempt that died left is swept. */
static enum outcome next_make(struct far *x, struct fault *f)
{
    const struct state_host *h = x->own->state.host;
    struct site_keys made = SITE_KEYS;
    enum outcome outcome = transports_sweep(x, f);
    if (outcome == OK)
        outcome = site_transport_make(&x->link, &h->estate, &made, f);
    if (outcome == OK) {
        buf_put(&made.identity, x->keys.identity.data, x->keys.identity.len);
        buf_put(&made.identity_id, x->keys.identity_id.data, x->keys.identity_id.len);
        outcome = made.identity.failed || made.identity_id.failed ? fault_memory(f) : OK;
    }
    if (outcome == OK) {
        site_keys_clear(&x->keys);
        x->keys = made;
        made = SITE_KEYS; /* taken by x */
        outcome = far_keys_log(x, f);
    }
    site_keys_clear(&made);
    return outcome;
}

enum outcome far_renew(struct far *x, const struct state_intent *birth, json_t *more, struct fault *f)
{
    json_t *renewal = NULL;
    struct digest digest;
    enum outcome outcome = OK;

    if (birth->until == 0 || (pinned_is_newest(x) && before_needed(x)))
        return OK;
    if (pinned_is_newest(x))
        outcome = next_make(x, f);
    if (outcome != OK)
        return outcome;
    const struct state_host *h = x->own->state.host;
    renewal = json_object();
    if (!transport_digest(&h->estate, h->token, h->site, buf_span(&pinned_site(x)->transport), buf_span(&h->transport),
                          &digest) ||
        !json_put_bytes_hex(renewal, "transport", buf_span(&h->transport)) ||
        !json_put_string(renewal, "transport-id", h->transport_id))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = far_sign(x, &digest, "signature", renewal, f);
    if (outcome == OK && !json_put(more, "renewal", json_incref(renewal)))
        outcome = fault_memory(f);
    json_decref(renewal);
    return outcome;
}

enum outcome far_transport_for(struct far *x, const struct state_intent *birth, struct fault *f)
{
    const struct state_host *h = x->own->state.host;
    const struct state_site *pinned = pinned_site(x);

    if (pinned == NULL || birth->seq > pinned->renewed || h->transport_before.len == 0 || !pinned_is_newest(x))
        return OK;
    x->link.transport = CK_INVALID_HANDLE;
    buf_clear(&x->keys.transport_id);
    return hex_parse_buf(h->transport_before_id, &x->keys.transport_id, f);
}
