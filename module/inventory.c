#include "module/inventory.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/encode.h"
#include "module/head.h"
#include "module/objects.h"
#include "module/recovery.h"
#include "module/site_keys.h"
#include "module/trusted.h"

/* What lies on one site's HSM against what the log says of it. */
struct shelf {
    struct world *world;
    const struct state *state;
    struct site_link link;
    const char *token, *site;
    json_t *objects, *missing;
    bool *found, *found_public; /* by the place of a key in the state */
    bool found_identity, found_transport, found_head;
    uint64_t differences;
};

struct thing {
    CK_OBJECT_CLASS class;
    bool on_token, trusted;
    struct buf id, label; /* the id in hex */
};

/* An attribute that an object does not have reads as empty. */
static void attribute_read(const struct site_link *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, struct buf *ret)
{
    struct fault none = {0};
    if (site_attribute(s, object, type, ret, &none) != OK)
        buf_clear(ret);
}

static enum outcome thing_read(const struct site_link *s, CK_OBJECT_HANDLE object, struct thing *t, struct fault *f)
{
    struct buf raw = BUF(LIMIT_ATTRIBUTE);
    enum outcome outcome = site_attribute_ulong(s, object, CKA_CLASS, &t->class, f);
    if (outcome == OK) {
        attribute_read(s, object, CKA_TOKEN, &raw);
        t->on_token = raw.len == sizeof(CK_BBOOL) && raw.data[0] != CK_FALSE;
        attribute_read(s, object, CKA_TRUSTED, &raw);
        t->trusted = raw.len == sizeof(CK_BBOOL) && raw.data[0] != CK_FALSE;
        attribute_read(s, object, CKA_ID, &raw);
        hex_put(&t->id, buf_span(&raw));
        attribute_read(s, object, CKA_LABEL, &t->label);
        outcome = t->id.failed || t->label.failed ? fault_memory(f) : OK;
    }
    buf_free(&raw);
    return outcome;
}

static bool hex_is(const struct thing *t, const char *hex)
{
    return hex != NULL && hex[0] != '\0' && strcmp(buf_str(&t->id), hex) == 0;
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

/* The place in the state of the living key of this site that it is, or key_count. */
static size_t key_place(const struct shelf *h, const struct thing *t)
{
    const char *class = class_name(t->class);
    size_t i = 0;
    for (; i < h->state->key_count; i++) {
        const struct state_key *k = &h->state->keys[i];
        bool half = t->class == CKO_PUBLIC_KEY && strcmp(k->class_name, "private-key") == 0 && t->id.len > 0;
        bool named =
            class != NULL && strcmp(k->class_name, class) == 0 && span_equal(span_str(k->label), buf_span(&t->label));
        if (!k->destroyed && strcmp(k->token, h->token) == 0 && strings_have(&k->sites, h->site) && (half || named) &&
            key_has_id(h->state, k, t))
            break;
    }
    return i;
}

/* The birth that did not come to its end and left it, or NULL. */
static const struct state_intent *intent_of(const struct shelf *h, const struct thing *t)
{
    char derived[41];
    for (size_t i = 0; i < h->state->intent_count; i++) {
        const struct state_intent *n = &h->state->intents[i];
        estate_key_id(&n->digest, derived);
        if (n->token != NULL && strcmp(n->token, h->token) == 0 && hex_is(t, derived))
            return n;
    }
    return NULL;
}

/* The public half of a key that was destroyed: the application's to remove. */
static bool half_left(const struct shelf *h, const struct thing *t)
{
    for (size_t i = 0; t->class == CKO_PUBLIC_KEY && t->on_token && i < h->state->key_count; i++) {
        const struct state_key *k = &h->state->keys[i];
        if (k->destroyed && strcmp(k->token, h->token) == 0 && hex_is(t, k->id))
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

/* One word for programs; see estate/vendor.h. */
static const char *thing_kind(struct shelf *h, const struct thing *t, bool *ret_differs)
{
    const struct state_site *site = state_site(h->state, h->token, h->site);
    bool secret = t->class == CKO_PRIVATE_KEY || t->class == CKO_SECRET_KEY;
    size_t place = key_place(h, t);

    *ret_differs = false;
    if (site != NULL && (hex_is(t, site->identity_id) || hex_is(t, site->transport_id))) {
        bool *found = hex_is(t, site->identity_id) ? &h->found_identity : &h->found_transport;
        *ret_differs = t->class == CKO_PRIVATE_KEY && *found;
        *found = *found || t->class == CKO_PRIVATE_KEY;
        return *ret_differs ? "unknown" : "own";
    }
    if (t->on_token && place < h->state->key_count && (!secret || !h->found[place])) {
        h->found[place] = h->found[place] || secret;
        h->found_public[place] = h->found_public[place] || t->class == CKO_PUBLIC_KEY;
        return "key";
    }
    if (t->on_token && t->class == CKO_DATA && head_label_is(h->world->estate, buf_str(&t->label))) {
        h->found_head = true;
        return "own";
    }
    if (t->on_token && t->trusted && trusted_is_own(h->world, h->token, h->site, buf_str(&t->label), buf_str(&t->id)))
        return "own";
    const struct state_intent *intent = intent_of(h, t);
    if (t->on_token && intent != NULL && intent->state == INTENT_PROVISIONAL)
        return "provisional";
    if (site == NULL && t->on_token && retired_own(h, t))
        return "own";
    *ret_differs = true;
    if (!t->on_token)
        return "session";
    if ((intent != NULL && !half_left(h, t)) || label_is_own(buf_str(&t->label)))
        return "abandoned";
    *ret_differs = secret;
    return secret ? "unknown" : "other";
}

static bool label_put(json_t *line, const struct buf *label)
{
    bool text = memchr(label->data != NULL ? label->data : (const uint8_t *)"", 0, label->len) == NULL;
    if (text && json_put_string(line, "label", buf_str(label)))
        return true;
    return json_put_bytes_hex(line, "label-hex", buf_span(label));
}

static enum outcome thing_list(struct shelf *h, CK_OBJECT_HANDLE object, struct fault *f)
{
    struct thing t = {.id = BUF(2 * LIMIT_ATTRIBUTE + 1), .label = BUF(LIMIT_ATTRIBUTE)};
    json_t *line = json_object();
    bool differs = true;
    enum outcome outcome = thing_read(&h->link, object, &t, f);
    if (outcome == OK) {
        const char *kind = thing_kind(h, &t, &differs), *class = class_name(t.class);
        bool good = json_put_string(line, "class", class != NULL ? class : "other") &&
                    json_put_string(line, "id", buf_str(&t.id)) && json_put_string(line, "kind", kind) &&
                    label_put(line, &t.label) && json_array_append(h->objects, line) == 0;
        outcome = good ? OK : fault_memory(f);
        h->differences += differs;
    }
    json_decref(line);
    buf_free(&t.id);
    buf_free(&t.label);
    return outcome;
}

/* Handles of all that the session sees; the caller frees them. */
static enum outcome things_find(const struct site_link *s, CK_OBJECT_HANDLE **ret, size_t *ret_count, struct fault *f)
{
    CK_OBJECT_HANDLE *list = calloc(LIMIT_OBJECTS, sizeof *list);
    size_t count = 0;
    enum outcome outcome = OK;
    CK_RV rv = list != NULL ? s->f->C_FindObjectsInit(s->session, NULL, 0) : CKR_HOST_MEMORY;
    if (rv != CKR_OK) {
        outcome = list != NULL ? site_fault(s, "C_FindObjectsInit", rv, f) : fault_memory(f);
        goto out;
    }
    for (CK_ULONG got = 1; got > 0 && count < LIMIT_OBJECTS && rv == CKR_OK; count += got) {
        CK_ULONG room = (CK_ULONG)(LIMIT_OBJECTS - count);
        got = 0;
        rv = s->f->C_FindObjects(s->session, list + count, room, &got);
        if (rv == CKR_OK && got > room)
            rv = CKR_DEVICE_ERROR;
        got = rv == CKR_OK ? got : 0;
    }
    CK_RV ended = s->f->C_FindObjectsFinal(s->session);
    if (rv != CKR_OK || ended != CKR_OK)
        outcome = site_fault(s, "C_FindObjects", rv != CKR_OK ? rv : ended, f);
    else if (count == LIMIT_OBJECTS)
        outcome = fault_set(f, E_MEMORY, "%s at %s: more than %u objects", s->token, s->binding->site, LIMIT_OBJECTS);
    if (outcome == OK) {
        *ret = list;
        *ret_count = count;
        list = NULL; /* taken by *ret */
    }
out:
    free(list);
    return outcome;
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
    return state_key_at(k, h->token, h->site) && k->intent != 0 && k->public_key.len > 0;
}

static enum outcome missing_list(struct shelf *h, struct fault *f)
{
    const struct state_site *site = state_site(h->state, h->token, h->site);
    enum outcome outcome = OK;
    for (size_t i = 0; i < h->state->key_count && outcome == OK; i++) {
        const struct state_key *k = &h->state->keys[i];
        if (!k->destroyed && !h->found[i] && strcmp(k->token, h->token) == 0 && strings_have(&k->sites, h->site))
            outcome = missing_add(h, k->class_name, k->id, k->label, f);
        if (outcome == OK && !h->found_public[i] && born_with_public(h, k))
            outcome = missing_add(h, "public-key", k->id, k->label, f);
    }
    if (outcome == OK && site != NULL && !h->found_identity)
        outcome = missing_add(h, "private-key", site->identity_id, "quorate:identity", f);
    if (outcome == OK && site != NULL && !h->found_transport)
        outcome = missing_add(h, "private-key", site->transport_id, "quorate:transport", f);
    if (outcome == OK && site != NULL && site->headed && !h->found_head)
        outcome = missing_add(h, "data", "", HEAD_LABEL, f);
    return outcome;
}

static enum outcome shelf_look(struct shelf *h, bool primary, struct fault *f)
{
    CK_OBJECT_HANDLE *things = NULL;
    size_t count = 0;
    enum outcome outcome = site_open(h->world, h->token, h->site, primary ? SITE_EITHER : SITE_MODULE, &h->link, f);
    if (outcome == OK)
        outcome = things_find(&h->link, &things, &count, f);
    for (size_t i = 0; i < count && outcome == OK; i++)
        outcome = thing_list(h, things[i], f);
    if (outcome == OK)
        outcome = missing_list(h, f);
    site_close(&h->link);
    free(things);
    return outcome;
}

/* Another process may be at work there, and a search and the reading of what it found are several calls: something is wrong
 * only where it stays so. */
static enum outcome shelf_look_again(struct shelf *h, bool primary, struct fault *f)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    enum outcome outcome = OK;
    for (unsigned looks = 1; looks <= LIMIT_SHELF_LOOKS; looks++) {
        json_array_clear(h->objects);
        json_array_clear(h->missing);
        memset(h->found, 0, (h->state->key_count + 1) * sizeof *h->found);
        memset(h->found_public, 0, (h->state->key_count + 1) * sizeof *h->found_public);
        h->found_identity = h->found_transport = h->found_head = false;
        h->differences = 0;
        outcome = shelf_look(h, primary, f);
        if (outcome != OK || h->differences == 0)
            break;
        if (looks < LIMIT_SHELF_LOOKS)
            nanosleep(&pause, NULL);
    }
    return outcome;
}

/* A site that could not be looked at is a difference: nothing can be said of it. */
static enum outcome site_list(struct world *w, const struct bound_token *t, const struct binding *b, json_t *list,
                              uint64_t *differences, struct fault *f)
{
    const struct token *named = w->estate->policy != NULL ? policy_token(w->estate->policy, t->id) : NULL;
    struct shelf h = {.world = w, .state = &w->estate->state, .token = t->id, .site = b->site};
    struct fault why = {0};
    const char *state = "elsewhere";
    json_t *line = json_object();
    enum outcome outcome = OK;

    h.objects = json_array();
    h.missing = json_array();
    h.found = calloc(h.state->key_count + 1, sizeof *h.found);
    h.found_public = calloc(h.state->key_count + 1, sizeof *h.found_public);
    bool good = h.objects != NULL && h.missing != NULL && h.found != NULL && h.found_public != NULL;
    if (good && b->reach == REACH_MODULE) {
        outcome = shelf_look_again(&h, named != NULL && strcmp(named->primary, b->site) == 0, &why);
        state = outcome == OK ? "looked-at" : "absent";
        h.differences += outcome != OK;
        good = outcome == OK || json_put_string(line, "why", why.text);
    }
    good = good && json_put(line, "missing", json_incref(h.missing)) &&
           json_put(line, "objects", json_incref(h.objects)) && json_put_string(line, "site", b->site) &&
           json_put_string(line, "state", state) && json_put_string(line, "token", t->id) &&
           json_array_append(list, line) == 0;
    *differences += h.differences;
    free(h.found);
    free(h.found_public);
    json_decref(h.objects);
    json_decref(h.missing);
    json_decref(line);
    return good ? OK : fault_memory(f);
}

enum outcome inventory_run(struct world *w, const char *token, json_t **ret, struct fault *f)
{
    json_t *report = json_object(), *list = json_array();
    const struct bindings *b = w->estate->bindings;
    uint64_t differences = 0;
    bool any = false;
    enum outcome outcome = report != NULL && list != NULL ? estate_refresh(w->estate, f) : fault_memory(f);
    for (size_t i = 0; i < b->token_count && outcome == OK; i++) {
        if (token != NULL && strcmp(token, b->tokens[i].id) != 0)
            continue;
        any = true;
        for (size_t j = 0; j < b->tokens[i].site_count && outcome == OK; j++)
            outcome = site_list(w, &b->tokens[i], &b->tokens[i].sites[j], list, &differences, f);
    }
    if (outcome == OK && !any)
        outcome = fault_set(f, E_ABSENT, "the bindings %s name no token \"%s\"", b->path, token != NULL ? token : "");
    if (outcome == OK && (!json_put_integer(report, "differences", (int64_t)differences) ||
                          !json_put(report, "sites", json_incref(list))))
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret = json_incref(report);
    json_decref(list);
    json_decref(report);
    return outcome;
}
