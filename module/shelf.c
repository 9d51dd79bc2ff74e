#include "module/shelf.h"

#include <stdlib.h>
#include <string.h>

#include "module/head.h"
#include "module/objects.h"
#include "module/site_keys.h"
#include "module/trusted.h"

enum outcome shelf_make(struct world *w, const struct state *state, const char *token, const char *site,
                        struct shelf *ret, struct fault *f)
{
    struct shelf h = {
        .world = w, .state = state, .token = token, .site = site, .objects = json_array(), .missing = json_array()};
    h.found = calloc(state->key_count + 1, sizeof *h.found);
    h.found_public = calloc(state->key_count + 1, sizeof *h.found_public);
    if (h.objects != NULL && h.missing != NULL && h.found != NULL && h.found_public != NULL) {
        *ret = h;
        return OK;
    }
    shelf_clear(&h);
    return fault_memory(f);
}

void shelf_clear(struct shelf *h)
{
    free(h->found);
    free(h->found_public);
    json_decref(h->objects);
    json_decref(h->missing);
    *h = (struct shelf){.world = NULL};
}

static bool hex_is(const struct thing *t, const char *hex)
{
    return hex != NULL && hex[0] != '\0' && strcmp(buf_str(&t->id), hex) == 0;
}

static bool class_is(const struct thing *t, const char *class)
{
    return strcmp(t->class, class) == 0;
}

static bool thing_secret(const struct thing *t)
{
    return class_is(t, "private-key") || class_is(t, "secret-key") || class_is(t, THING_UNREADABLE);
}

/* A public half whose value is not the one that the log has, where both are known. */
static bool public_differs(const struct thing *t, struct span spki)
{
    struct digest known;
    return t->has_public && spki.len > 0 && digest_one(&known, spki) && !digest_equal(&known, &t->public_key);
}

/* Between `born` and `accepted` a key may still have the CKA_ID that derives from its intent. */
static bool key_has_id(const struct state *s, const struct state_key *k, const struct thing *t)
{
    const struct state_intent *i = k->intent != 0 ? state_intent(s, k->intent) : NULL;
    char derived[41] = "";
    if (i != NULL && i->state == INTENT_BORN)
        estate_key_id(&i->digest, derived);
    return strcmp(k->id, buf_str(&t->id)) == 0 || hex_is(t, derived);
}

/* The place in the state of the living key of this site that it is, or key_count; *ret_differs: there is one under its
 * CKA_ID whose public half is another. */
static size_t key_place(const struct shelf *h, const struct thing *t, bool *ret_differs)
{
    const struct state *s = h->state;
    size_t i = 0;
    *ret_differs = false;
    for (; i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];
        bool half = class_is(t, "public-key") && strcmp(k->class_name, "private-key") == 0 && t->id.len > 0;
        bool named = class_is(t, k->class_name) && span_equal(span_str(k->label), buf_span(&t->label));
        if (k->destroyed || strcmp(k->token, h->token) != 0 || !strings_have(&k->sites, h->site) || !(half || named) ||
            !key_has_id(s, k, t))
            continue;
        if (!public_differs(t, buf_span(&k->public_key)))
            break;
        *ret_differs = true;
    }
    *ret_differs = *ret_differs && i == s->key_count;
    return i;
}

/* The birth that did not come to its end and left it, or NULL. */
static const struct state_intent *intent_of(const struct shelf *h, const struct thing *t)
{
    const struct state *s = h->state;
    char derived[41];
    for (size_t i = 0; i < s->intent_count; i++) {
        const struct state_intent *n = &s->intents[i];
        estate_key_id(&n->digest, derived);
        if (n->token != NULL && strcmp(n->token, h->token) == 0 && hex_is(t, derived))
            return n;
    }
    return NULL;
}

/* The public half of a key that was destroyed: the application's to remove. */
static bool half_left(const struct shelf *h, const struct thing *t)
{
    const struct state *s = h->state;
    for (size_t i = 0; class_is(t, "public-key") && !t->session && i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];
        if (k->destroyed && strcmp(k->token, h->token) == 0 && hex_is(t, k->id))
            return true;
    }
    return false;
}

/* Of a key that ended, or whose site retired, and of which nobody knows yet that it is gone here. */
static bool end_left(const struct shelf *h, const struct thing *t)
{
    const struct state *s = h->state;
    for (size_t i = 0; i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];
        bool half = class_is(t, "public-key") && !public_differs(t, buf_span(&k->public_key));
        if (strings_have(&k->retired, h->site) && strcmp(k->token, h->token) == 0 && hex_is(t, k->id) &&
            (half || class_is(t, k->class_name)))
            return true;
    }
    return false;
}

/* Of an enrolment that ended since. */
static bool retired_own(const struct shelf *h, const struct thing *t)
{
    for (size_t i = 0; i < h->state->site_count; i++) {
        const struct state_site *s = &h->state->sites[i];
        if (strcmp(s->token, h->token) == 0 && strcmp(s->site, h->site) == 0 &&
            (hex_is(t, s->identity_id) || hex_is(t, s->transport_id)))
            return true;
    }
    return false;
}

/* A site that judges by itself has a next transport key before our log pins it, and keeps the one before while it is needed. */
static bool renewed_own(const struct shelf *h, const struct thing *t)
{
    const json_t *id = NULL;
    size_t i = 0;
    if (t->session || strcmp(buf_str(&t->label), TRANSPORT_LABEL) != 0)
        return false;
    json_array_foreach((json_t *)(uintptr_t)h->transports, i, id) if (hex_is(t, json_string_value(id))) return true;
    return false;
}

/* The enrolled site's identity or transport key, either half. */
static const char *pinned_kind(struct shelf *h, const struct state_site *site, const struct thing *t, bool *ret_differs)
{
    bool identity = hex_is(t, site->identity_id), private = class_is(t, "private-key");
    bool *found = identity ? &h->found_identity : &h->found_transport;
    *ret_differs = (private && *found) || public_differs(t, buf_span(identity ? &site->identity : &site->transport));
    *found = *found || private;
    return *ret_differs ? "unknown" : "own";
}

/* Taken in at this site that is elsewhere, where nobody knows yet whether it was born. */
static bool pending_here(const struct shelf *h, const struct state_intent *intent)
{
    const struct state_taken *taken = state_taken(&h->world->estate->state, &intent->digest);
    return taken != NULL && taken->state == TAKEN_PENDING;
}

/* One word for programs; see estate/vendor.h. */
static const char *thing_kind(struct shelf *h, const struct thing *t, bool *ret_differs)
{
    const struct state_site *site = state_site(h->state, h->token, h->site);
    bool other_public = false;
    size_t place = key_place(h, t, &other_public);

    *ret_differs = false;
    if (site != NULL && (hex_is(t, site->identity_id) || hex_is(t, site->transport_id)))
        return pinned_kind(h, site, t, ret_differs);
    if (!t->session && place < h->state->key_count && (!thing_secret(t) || !h->found[place])) {
        h->found[place] = h->found[place] || thing_secret(t);
        h->found_public[place] = h->found_public[place] || class_is(t, "public-key");
        return "key";
    }
    if (!t->session && class_is(t, "data") && head_label_is(h->world->estate, buf_str(&t->label))) {
        h->found_head = true;
        return "own";
    }
    if (!t->session && t->trusted && trusted_is_own(h->world, h->token, h->site, buf_str(&t->label), buf_str(&t->id)))
        return "own";
    const struct state_intent *intent = intent_of(h, t);
    if (!t->session && intent != NULL && (intent->state == INTENT_PROVISIONAL || pending_here(h, intent)))
        return "provisional";
    if (renewed_own(h, t) || (site == NULL && !t->session && retired_own(h, t)))
        return "own";
    *ret_differs = true;
    if (t->session && (class_is(t, "data") || class_is(t, "certificate"))) {
        *ret_differs = false;
        return "other";
    }
    if (t->session)
        return "session";
    if (end_left(h, t))
        return "left";
    if (other_public)
        return "unknown";
    if ((intent != NULL && !half_left(h, t)) || label_is_own(buf_str(&t->label)))
        return "abandoned";
    *ret_differs = thing_secret(t);
    return thing_secret(t) ? "unknown" : "other";
}

static enum outcome thing_list(struct shelf *h, const struct thing *t, struct fault *f)
{
    json_t *line = json_object();
    bool differs = true;
    const char *kind = thing_kind(h, t, &differs);
    bool good = thing_put(t, line) && json_put_string(line, "kind", kind) && json_array_append(h->objects, line) == 0;
    h->differences += differs;
    json_decref(line);
    return good ? OK : fault_memory(f);
}

static enum outcome missing_add(struct shelf *h, const char *class, const char *id, const char *label, struct fault *f)
{
    json_t *line = json_object();
    bool good = json_put_string(line, "class", class) && json_put_string(line, "id", id) &&
                json_put_string(line, "label", label) && json_array_append(h->missing, line) == 0;
    json_decref(line);
    h->differences++;
    return good ? OK : fault_memory(f);
}

/* A birth that people approved puts the public half beside each replica. */
static bool born_with_public(const struct shelf *h, const struct state_key *k)
{
    const struct state_intent *i = k->intent != 0 ? state_intent(h->state, k->intent) : NULL;
    return state_key_at(k, h->token, h->site) && i != NULL && !state_intent_plain(i) && k->public_key.len > 0;
}

static enum outcome missing_list(struct shelf *h, struct fault *f)
{
    const struct state *s = h->state;
    const struct state_site *site = state_site(s, h->token, h->site);
    enum outcome outcome = OK;
    for (size_t i = 0; i < s->key_count && outcome == OK; i++) {
        const struct state_key *k = &s->keys[i];
        if (!k->destroyed && !h->found[i] && strcmp(k->token, h->token) == 0 && strings_have(&k->sites, h->site))
            outcome = missing_add(h, k->class_name, k->id, k->label, f);
        if (outcome == OK && !h->found_public[i] && born_with_public(h, k))
            outcome = missing_add(h, "public-key", k->id, k->label, f);
    }
    if (outcome == OK && site != NULL && !h->found_identity)
        outcome = missing_add(h, "private-key", site->identity_id, IDENTITY_LABEL, f);
    if (outcome == OK && site != NULL && !h->found_transport)
        outcome = missing_add(h, "private-key", site->transport_id, TRANSPORT_LABEL, f);
    if (outcome == OK && site != NULL && site->headed && !h->found_head)
        outcome = missing_add(h, "data", "", HEAD_LABEL, f);
    return outcome;
}

void shelf_empty(struct shelf *h)
{
    size_t keys = h->state->key_count + 1;
    json_array_clear(h->objects);
    json_array_clear(h->missing);
    memset(h->found, 0, keys * sizeof *h->found);
    memset(h->found_public, 0, keys * sizeof *h->found_public);
    h->found_identity = h->found_transport = h->found_head = false;
    h->differences = 0;
}

enum outcome shelf_judge(struct shelf *h, const struct things *t, struct fault *f)
{
    enum outcome outcome = OK;
    shelf_empty(h);
    for (size_t i = 0; i < t->count && outcome == OK; i++)
        outcome = thing_list(h, &t->items[i], f);
    return outcome == OK ? missing_list(h, f) : outcome;
}

enum outcome shelf_judge_listing(struct shelf *h, const struct listing *l, struct fault *f)
{
    struct things things = {.items = NULL};
    enum outcome outcome = things_parse(l->objects, &things, f);
    h->transports = l->transports;
    if (outcome == OK)
        outcome = shelf_judge(h, &things, f);
    h->transports = NULL;
    things_clear(&things);
    return outcome == OK ? OK : fault_context(f, "the inventory of %s at %s", h->token, h->site);
}

json_t *shelf_line(const struct shelf *h, const char *state, const char *why)
{
    json_t *line = json_object();
    if (json_put(line, "missing", json_incref(h->missing)) && json_put(line, "objects", json_incref(h->objects)) &&
        json_put_string(line, "site", h->site) && json_put_string(line, "state", state) &&
        json_put_string(line, "token", h->token) && (why == NULL || json_put_string(line, "why", why)))
        return line;
    json_decref(line);
    return NULL;
}
