#include "module/plain.h"

#include <string.h>

#include "core/encode.h"
#include "module/made.h"
#include "module/recovery.h"

static bool id_read(const struct template *t, struct buf *ret)
{
    const CK_ATTRIBUTE *id = template_find(t, CKA_ID);

    buf_clear(ret);
    if (id && id->pValue)
        buf_put(ret, id->pValue, id->ulValueLen);
    return !ret->failed;
}

/* What a copy has that says nothing else. */
static bool inherits(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE from,
                     const struct template *key, struct plain_birth *b)
{
    struct site_link link = made_link(w, view);
    struct buf modifiable = BUF(1);
    struct fault ignored = {0};
    bool fits = template_find(key, CKA_ID) || site_attribute(&link, from, CKA_ID, &b->wanted, &ignored) == OK;

    if (fits && !template_find(key, CKA_MODIFIABLE))
        fits = site_attribute(&link, from, CKA_MODIFIABLE, &modifiable, &ignored) == OK && modifiable.len == 1 &&
               modifiable.data[0] != CK_FALSE;
    buf_free(&modifiable);
    return fits;
}

static bool fits(const struct world *w, const struct session_view *view, const struct question *q,
                 CK_OBJECT_HANDLE from, const struct template *key, const struct template *public,
                 struct plain_birth *b)
{
    const char *class = q->class_name ? q->class_name : "";

    return q->object == 1 && (strcmp(class, "private-key") == 0 || strcmp(class, "secret-key") == 0) &&
           (view->session->flags & CKF_RW_SESSION) && template_bool(key, CKA_MODIFIABLE, true) &&
           (!public || template_bool(public, CKA_MODIFIABLE, true)) && id_read(key, &b->wanted) &&
           (!public || id_read(public, &b->wanted_public)) &&
           (from == CK_INVALID_HANDLE || inherits(w, view, from, key, b));
}

/* What recovery must know. */
static json_t *intent_more(const struct world *w, const struct session_view *view, const struct question *q, bool pair,
                           const struct plain_birth *b)
{
    json_t *more = json_object();
    bool other = pair && !span_equal(buf_span(&b->wanted), buf_span(&b->wanted_public));

    if (json_put_string(more, "plain", "true") && json_put_string(more, "class", q->class_name) &&
        json_put_string(more, "function", q->function) &&
        json_put(more, "sites", json_pack("[s]", w->tokens[view->slot].primary)) &&
        json_put_bytes_hex(more, "caller-id", buf_span(&b->wanted)) &&
        (!other || json_put_bytes_hex(more, "public-id", buf_span(&b->wanted_public))))
        return more;
    json_decref(more);
    return NULL;
}

/* A request of its own, for two may ask for the same at once. Parameters may hold pointers, and passwords. */
static CK_RV plain_ask(struct world *w, const struct question *q, struct plain_birth *b)
{
    CK_MECHANISM bare = {q->mechanism ? q->mechanism->mechanism : 0, NULL, 0};
    struct question asked = {.operation = q->operation,
                             .slot = q->slot,
                             .function = q->function,
                             .mechanism = q->mechanism ? &bare : NULL,
                             .label = q->label,
                             .class_name = q->class_name,
                             .object = q->object,
                             .key = q->key,
                             .written = true,
                             .anew = true};

    b->grant.operation = q->operation;
    return gate_ask(w, &asked, &b->grant.answer);
}

static CK_RV plain_intend(struct world *w, const struct session_view *view, const struct question *q, bool pair,
                          struct plain_birth *b)
{
    struct grant *g = &b->grant;
    const struct state_intent *i = NULL;
    struct fault f = {0};
    json_t *more = intent_more(w, view, q, pair, b);
    enum outcome outcome = more ? birth_lock(w->estate, &g->answer.request->id, &g->lock, &f) : fault_memory(&f);

    if (outcome == OK)
        outcome = estate_intend(w->estate, g->answer.request, &w->context, more, &g->intent, &f);
    g->open = outcome == OK;
    if (outcome == OK) {
        i = state_intent(&w->estate->state, g->intent);
        outcome = i ? intent_key_id(&i->digest, &b->id, &f) : fault_set(&f, E_IO, "the intent is not in the log");
    }
    json_decref(more);
    return outcome == OK ? CKR_OK : gate_fault(&f);
}

CK_RV plain_begin(struct world *w, const struct session_view *view, const struct question *q, CK_OBJECT_HANDLE from,
                  struct template *key, struct template *public, struct plain_birth *ret)
{
    struct fault f = {0};
    enum outcome outcome = OK;
    CK_RV rv;

    if (!fits(w, view, q, from, key, public, ret))
        return CKR_OK;
    rv = plain_ask(w, q, ret);
    if (rv == CKR_OK)
        rv = plain_intend(w, view, q, public != NULL, ret);
    if (rv == CKR_OK)
        outcome = template_set(key, CKA_ID, ret->id.data, ret->id.len, &f);
    if (rv == CKR_OK && outcome == OK && public)
        outcome = template_set(public, CKA_ID, ret->id.data, ret->id.len, &f);
    if (outcome != OK)
        rv = gate_fault(&f);
    if (rv != CKR_OK)
        grant_undo(w, &ret->grant, q->function, rv);
    return rv;
}

void plain_id_put(const struct plain_birth *b, const struct buf *wanted, struct object_facts *facts)
{
    struct buf hex = BUF(2 * LIMIT_LABEL);

    if (!b->grant.open)
        return;
    hex_put(&hex, buf_span(wanted));
    snprintf(facts->id, sizeof(facts->id), "%s", buf_str(&hex));
    buf_free(&hex);
}

enum outcome plain_born(struct world *w, struct plain_birth *b, json_t *body, struct fault *f)
{
    bool good = body && (!b->grant.open || json_put_integer(body, "intent", (int64_t)b->grant.intent));
    enum outcome outcome = good ? estate_append(w->estate, ENTRY_BORN, body, NULL, f) : fault_memory(f);

    json_decref(body);
    return outcome;
}

static bool id_set(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE object, const struct buf *id)
{
    struct site_link link = made_link(w, view);
    struct fault ignored = {0};

    return object == CK_INVALID_HANDLE || site_put_id(&link, object, buf_span(id), &ignored) == OK;
}

void plain_complete(struct world *w, const struct session_view *view, const struct plain_birth *b, CK_OBJECT_HANDLE key,
                    CK_OBJECT_HANDLE public)
{
    struct fault ignored = {0}; /* recovery sees to it */

    if (b->grant.open && id_set(w, view, key, &b->wanted) && id_set(w, view, public, &b->wanted_public))
        intent_accept(w->estate, b->grant.intent, &ignored);
}

CK_RV plain_leave(struct world *w, const struct session_view *view, struct plain_birth *b, const char *function,
                  CK_OBJECT_HANDLE key, CK_OBJECT_HANDLE public)
{
    if (!b->grant.open)
        return CKR_OK;
    if (!id_set(w, view, key, &b->wanted) || !id_set(w, view, public, &b->wanted_public))
        return CKR_DEVICE_ERROR;
    grant_undo(w, &b->grant, function, CKR_TEMPLATE_INCONSISTENT);
    return CKR_OK;
}

void plain_undo(const struct session_view *view, struct plain_birth *b, const char *function, CK_RV why)
{
    struct world *w = b->grant.open ? world_current() : NULL;
    struct site_link link;
    struct fault ignored = {0};

    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    link = made_link(w, view);
    if (site_destroy(&link, buf_span(&b->id), &ignored) == OK)
        grant_undo(w, &b->grant, function, why);
    gate_close(w);
}

static enum outcome id_asked(const struct state_intent *i, const char *member, struct buf *ret, struct fault *f)
{
    const char *hex = json_string_or_null(i->body, member);

    return hex ? hex_parse_buf(hex, ret, f) : OK;
}

enum outcome plain_finish(struct world *w, uint64_t intent, struct fault *f)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKO_PUBLIC_KEY};
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    const char *site = json_string_value(json_array_get(json_object_get(i->body, "sites"), 0));
    struct buf id = BUF(32), wanted = BUF(LIMIT_LABEL), wanted_public = BUF(LIMIT_LABEL);
    bool other = json_object_get(i->body, "public-id") != NULL;
    struct site_link link = {0};
    enum outcome outcome = intent_key_id(&i->digest, &id, f);

    if (outcome == OK)
        outcome = id_asked(i, "caller-id", &wanted, f);
    if (outcome == OK)
        outcome = id_asked(i, "public-id", &wanted_public, f);
    if (outcome == OK)
        outcome = site_open(w, i->token, site ? site : "", SITE_EITHER, &link, f);
    for (size_t k = 0; k < sizeof(classes) / sizeof(*classes) && outcome == OK; k++)
        outcome = site_set_id(&link, classes[k], buf_span(&id),
                              buf_span(other && classes[k] == CKO_PUBLIC_KEY ? &wanted_public : &wanted), f);
    site_close(&link);
    if (outcome == OK)
        outcome = intent_accept(w->estate, intent, f);
    buf_free(&id);
    buf_free(&wanted);
    buf_free(&wanted_public);
    return outcome;
}

void plain_clear(struct plain_birth *b)
{
    grant_clear(&b->grant);
    buf_free(&b->id);
    buf_free(&b->wanted);
    buf_free(&b->wanted_public);
}
