#include <stdio.h>

#include "audit/listing.h"
#include "core/encode.h"
#include "core/limits.h"
#include "module/far.h"
#include "module/things.h"

/* An inventory at the far end: all that lies on the HSM, for the host to hold against its log. */

json_t *far_transports(const struct state_host *h)
{
    json_t *list = json_array();
    if (list != NULL && json_array_append_new(list, json_string(h->transport_id)) == 0 &&
        (h->transport_before.len == 0 || json_array_append_new(list, json_string(h->transport_before_id)) == 0))
        return list;
    json_decref(list);
    return NULL;
}

static enum outcome listing_sign(struct far *x, struct listing *l, struct fault *f)
{
    CK_OBJECT_HANDLE identity = CK_INVALID_HANDLE;
    struct digest digest;
    enum outcome outcome = listing_digest(l, &digest, f);
    if (outcome == OK)
        outcome = site_identity(&x->link, buf_span(&x->keys.identity_id), &identity, f);
    return outcome == OK ? site_sign(&x->link, identity, &digest, &l->signature, f) : outcome;
}

enum outcome far_inventory(struct far *x, const struct message *m, json_t *more, struct fault *f)
{
    const struct state_host *h = x->own->state.host;
    struct listing l = {.estate = h->estate, .signature = BUF(LIMIT_ATTRIBUTE)};
    struct things things = {.items = NULL};
    enum outcome outcome = json_want_digest(m->json, "challenge", &l.challenge, f);

    snprintf(l.token, sizeof l.token, "%s", h->token);
    snprintf(l.site, sizeof l.site, "%s", h->site);
    if (outcome == OK && (size_t)snprintf(l.serial, sizeof l.serial, "%s", x->link.binding->serial) >= sizeof l.serial)
        outcome = fault_set(f, E_INVALID, "%s at %s: the serial number is too long", h->token, h->site);
    if (outcome == OK)
        outcome = things_read(&x->link, LIMIT_LISTED, &things, f);
    if (outcome == OK) {
        l.objects = things_json(&things);
        l.transports = far_transports(h);
        outcome = l.objects != NULL && l.transports != NULL ? listing_sign(x, &l, f) : fault_memory(f);
    }
    if (outcome == OK && !json_put(more, "receipt", listing_json(&l)))
        outcome = fault_memory(f);
    things_clear(&things);
    listing_clear(&l);
    return outcome;
}
