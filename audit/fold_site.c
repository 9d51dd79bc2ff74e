#include <stdlib.h>
#include <string.h>

#include "audit/fold.h"
#include "core/encode.h"
#include "core/hardware.h"
#include "core/limits.h"

static bool has_key(const struct state_site *s, const struct buf *key)
{
    return span_equal(buf_span(&s->identity), buf_span(key)) || span_equal(buf_span(&s->transport), buf_span(key));
}

/* One HSM answers for one site: neither a serial number nor a key may stand for two. */
static void check_unique(struct fold *x, const char *token, const char *site, const char *serial,
                         const struct buf *identity, const struct buf *transport)
{
    for (size_t i = 0; i < x->look->site_count; i++) {
        const struct state_site *o = &x->look->sites[i];
        if (o->retired || (!strcmp(o->token, token) && !strcmp(o->site, site)))
            continue;
        if (!strcmp(o->serial, serial) || has_key(o, identity) || has_key(o, transport))
            fold_fail(x, "serial number or a key are those of the site \"%s\" of token \"%s\"", o->site, o->token);
    }
}

/* The vendor's certificates of one key; whether they hold is for whoever judges. */
static void check_certificates(struct fold *x, const json_t *list)
{
    size_t i = 0, sum = 0;
    json_t *item = NULL;
    if (!json_is_array(list) || json_array_size(list) < 2 || json_array_size(list) > LIMIT_CHAIN)
        fold_fail(x, "an attestation has from 2 to %u certificates", LIMIT_CHAIN);
    json_array_foreach(list, i, item)
    {
        size_t length = json_is_string(item) ? json_string_length(item) : 0;
        if (length == 0 || length % 2 != 0 || strspn(json_string_value(item), "0123456789abcdef") != length)
            fold_fail(x, "a certificate of the attestation is not in hex");
        sum += length / 2;
    }
    if (sum > LIMIT_ATTESTATION)
        fold_fail(x, "the certificates of an attestation have more than %u bytes", LIMIT_ATTESTATION);
}

/* Who says that the hardware is the vendor's has the vendor's certificates, and nobody else has. */
static void check_attestation(struct fold *x)
{
    json_t *attestation = NULL;
    if (x->rc)
        return;
    if (fold_has(x, "attestation") != (strcmp(fold_text(x, "hardware"), HARDWARE_BY_VENDOR) == 0))
        fold_fail(x, "an attestation stands with hardware that is " HARDWARE_BY_VENDOR ", and with no other");
    if (x->rc || !fold_has(x, "attestation"))
        return;
    x->rc = json_want_object(x->body, "attestation", &attestation, x->f);
    if (!x->rc)
        x->rc = json_members(attestation, "identity ?transport", x->f);
    if (x->rc)
        return;
    check_certificates(x, json_object_get(attestation, "identity"));
    if (json_object_get(attestation, "transport"))
        check_certificates(x, json_object_get(attestation, "transport"));
}

static void read_enrolled(struct fold *x, struct buf *identity, struct buf *transport)
{
    struct buf raw = BUF(LIMIT_ATTRIBUTE);
    fold_members(
        x,
        "answer ?attestation challenge firmware hardware identity identity-id manufacturer model request serial site "
        "token transport transport-id verdict");
    fold_hex(x, "identity", identity);
    fold_hex(x, "transport", transport);
    if (identity->len == 0 || transport->len == 0 || span_equal(buf_span(identity), buf_span(transport)))
        fold_fail(x, "identity and transport must be two public keys");
    fold_digest(x, "challenge");
    fold_verdict(x);
    check_attestation(x);
    static const char *const hex[] = {"answer", "identity-id", "transport-id"};
    for (size_t i = 0; i < sizeof hex / sizeof *hex; i++) {
        buf_clear(&raw);
        fold_hex(x, hex[i], &raw);
        if (raw.len == 0)
            fold_fail(x, "the member \"%s\" is empty", hex[i]);
    }
    buf_free(&raw);
}

void fold_site_enrolled(struct fold *x)
{
    struct buf identity = BUF(LIMIT_ATTRIBUTE), transport = BUF(LIMIT_ATTRIBUTE);
    read_enrolled(x, &identity, &transport);
    const char *token = fold_text(x, "token"), *site = fold_text(x, "site"), *serial = fold_text(x, "serial");
    const char *manufacturer = fold_label(x, "manufacturer"), *model = fold_label(x, "model");
    const char *firmware = fold_label(x, "firmware"), *hardware = fold_text(x, "hardware");
    struct state_request *r = fold_live_request(x, "enrol-site");
    check_unique(x, token, site, serial, &identity, &transport);
    if (!fold_goes(x))
        goto out;
    struct state *s = x->s;
    struct state_site *before = state_site(s, token, site);
    if (before)
        before->retired = true; /* another HSM, or other keys, in its place */
    fold_spend(x, r);
    struct state_site *items = fold_room(x, s->sites, s->site_count, sizeof *items);
    if (!items)
        goto out;
    s->sites = items;
    items[s->site_count++] = (struct state_site){
        .token = fold_copy(x, token),
        .site = fold_copy(x, site),
        .serial = fold_copy(x, serial),
        .manufacturer = fold_copy(x, manufacturer),
        .model = fold_copy(x, model),
        .firmware = fold_copy(x, firmware),
        .hardware = fold_copy(x, hardware),
        .identity = identity,
        .transport = transport,
        .identity_id = fold_copy(x, fold_text(x, "identity-id")),
        .transport_id = fold_copy(x, fold_text(x, "transport-id")),
        .seq = x->e->seq,
    };
    identity = transport = BUF(0); /* taken by the site */
out:
    buf_free(&identity);
    buf_free(&transport);
}

static void replace(struct fold *x, char **where, const char *text)
{
    free(*where);
    *where = fold_copy(x, text);
}

/* The signature is for whoever judges. */
void fold_transport_renewed(struct fold *x)
{
    struct buf transport = BUF(LIMIT_ATTRIBUTE), raw = BUF(LIMIT_ATTRIBUTE);
    fold_members(x, "signature site token transport transport-id");
    const char *id = fold_text(x, "transport-id");
    struct state_site *site = fold_site(x, fold_text(x, "token"), fold_text(x, "site"));
    fold_hex(x, "transport", &transport);
    fold_hex(x, "signature", &raw);
    buf_clear(&raw);
    fold_hex(x, "transport-id", &raw);
    for (size_t i = 0; !x->rc && i < x->look->site_count; i++)
        if (has_key(&x->look->sites[i], &transport))
            fold_fail(x, "a transport key is one that no site has yet");
    if (transport.len == 0)
        fold_fail(x, "the member \"transport\" is empty");
    if (fold_goes(x) && site) {
        buf_free(&site->transport);
        site->transport = transport;
        transport = BUF(0); /* taken by the site */
        replace(x, &site->transport_id, id);
        site->renewed = x->e->seq;
    }
    buf_free(&transport);
    buf_free(&raw);
}

static const char *read_degrees(struct fold *x, const char *name, unsigned limit)
{
    const char *text = fold_text(x, name);
    if (!degrees_parse(text, limit, NULL))
        fold_fail(x, "the member \"%s\" is not in decimal degrees from -%u to %u", name, limit, limit);
    return text;
}

/* Where it left from it is no more, and it is in the bag that it left in until it has answered at another place. */
static void check_journey(struct fold *x, const struct state_site *s)
{
    const char *bag = fold_optional(x, "bag");
    struct buf answer = BUF(LIMIT_ATTRIBUTE);
    if (fold_has(x, "answer") != fold_has(x, "challenge"))
        fold_fail(x, "an answer and its challenge stand together or not at all");
    if (fold_has(x, "answer")) {
        fold_digest(x, "challenge");
        fold_hex(x, "answer", &answer);
    }
    buf_free(&answer);
    if (!s || x->rc)
        return;
    if (s->placed)
        fold_fail(x, "it has not left where it is");
    if (s->away && !fold_has(x, "answer"))
        fold_fail(x, "it came from elsewhere and answered no challenge");
    if (s->away && (!bag || strcmp(bag, s->bag ? s->bag : "") != 0))
        fold_fail(x, "it left in another bag");
}

void fold_departed(struct fold *x)
{
    fold_members(x, "bag ?carrier site token");
    const char *bag = fold_text(x, "bag");
    fold_optional(x, "carrier");
    struct state_site *s = fold_site(x, fold_text(x, "token"), fold_text(x, "site"));
    if (s && s->away)
        fold_fail(x, "it is on its way already");
    if (!fold_goes(x) || !s)
        return;
    s->placed = false;
    s->away = true;
    replace(x, &s->bag, bag);
}

void fold_arrived(struct fold *x)
{
    struct strings tags = {.items = NULL};
    fold_members(x, "?answer ?bag ?challenge country latitude longitude place ?received-by ?safe site tags token");
    const char *latitude = read_degrees(x, "latitude", 90), *longitude = read_degrees(x, "longitude", 180);
    const char *country = fold_label(x, "country"), *place = fold_text(x, "place");
    fold_optional(x, "received-by");
    fold_optional(x, "safe");
    fold_strings(x, "tags", &tags);
    struct state_site *s = fold_site(x, fold_text(x, "token"), fold_text(x, "site"));
    check_journey(x, s);
    if (!fold_goes(x) || !s)
        goto out;
    replace(x, &s->latitude, latitude);
    replace(x, &s->longitude, longitude);
    replace(x, &s->country, country);
    replace(x, &s->place, place);
    strings_free(&s->tags);
    s->tags = tags;
    tags = (struct strings){.items = NULL}; /* taken by the site */
    s->placed = true;
    s->away = false;
    s->arrived = x->e->time;
out:
    strings_free(&tags);
}
