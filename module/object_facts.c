#include <string.h>

#include "core/encode.h"
#include "module/objects.h"

/* Only what is known to be no secret is none: one-time password keys and classes of vendors do work with secrets too. */
bool object_is_secret(const struct object_facts *o)
{
    switch (o->class) {
    case CKO_DATA:
    case CKO_CERTIFICATE:
    case CKO_PUBLIC_KEY:
    case CKO_HW_FEATURE:
    case CKO_DOMAIN_PARAMETERS:
    case CKO_MECHANISM:
        return false;
    default:
        return true;
    }
}

bool label_is_own(const char *label)
{
    return strncmp(label, OWN_LABEL, strlen(OWN_LABEL)) == 0;
}

const char *class_name(CK_OBJECT_CLASS class)
{
    switch (class) {
    case CKO_PRIVATE_KEY:
        return "private-key";
    case CKO_SECRET_KEY:
        return "secret-key";
    case CKO_PUBLIC_KEY:
        return "public-key";
    case CKO_CERTIFICATE:
        return "certificate";
    case CKO_DATA:
        return "data";
    default:
        return NULL;
    }
}

static bool value_there(const CK_ATTRIBUTE *a)
{
    return a->ulValueLen <= LIMIT_LABEL;
}

/* A length that a lower module makes up. */
static bool value_long(const CK_ATTRIBUTE *a)
{
    return a->ulValueLen != CK_UNAVAILABLE_INFORMATION && !value_there(a);
}

static CK_RV object_read_names(const struct session_view *view, CK_OBJECT_HANDLE lower, struct object_facts *o)
{
    uint8_t label[LIMIT_LABEL], id[LIMIT_LABEL];
    CK_ATTRIBUTE items[] = {{CKA_LABEL, label, sizeof(label)}, {CKA_ID, id, sizeof(id)}};
    struct buf hex = BUF(2 * LIMIT_LABEL);
    CK_RV rv = view->below->C_GetAttributeValue(view->lower, lower, items, 2);

    /* Data objects have no CKA_ID, some classes no label. */
    if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_BUFFER_TOO_SMALL)
        return rv_inner(rv);
    o->label_bad = rv == CKR_BUFFER_TOO_SMALL || value_long(&items[0]) || value_long(&items[1]);
    if (value_there(&items[0])) {
        memcpy(o->label, label, items[0].ulValueLen);
        o->label_bad |= memchr(label, '\0', items[0].ulValueLen) != NULL;
    }
    if (value_there(&items[1])) {
        hex_put(&hex, span_of(id, items[1].ulValueLen));
        memcpy(o->id, buf_str(&hex), hex.len);
        o->label_bad |= hex.failed;
    }
    buf_free(&hex);
    return CKR_OK;
}

CK_RV object_read(const struct session_view *view, CK_OBJECT_HANDLE lower, struct object_facts *ret)
{
    struct object_facts o = {.class = CK_UNAVAILABLE_INFORMATION};
    CK_BBOOL on_token = CK_TRUE, is_private = CK_TRUE;
    CK_ATTRIBUTE items[] = {{CKA_CLASS, &o.class, sizeof(o.class)},
                            {CKA_TOKEN, &on_token, sizeof(on_token)},
                            {CKA_PRIVATE, &is_private, sizeof(is_private)}};
    CK_RV rv = view->below->C_GetAttributeValue(view->lower, lower, items, 3);

    if (rv != CKR_OK)
        return rv_inner(rv);
    /* What is said to be told and is not must not be taken for the answer. */
    if (items[0].ulValueLen != sizeof(o.class) || items[1].ulValueLen != 1 || items[2].ulValueLen != 1)
        return CKR_DEVICE_ERROR;
    o.on_token = on_token != CK_FALSE;
    o.is_private = is_private != CK_FALSE;
    rv = object_read_names(view, lower, &o);
    if (rv == CKR_OK)
        *ret = o;
    return rv;
}

/* Born, but for the CKA_ID that was asked for: it has the one that derives from its intent. */
static const struct state_key *key_to_be_named(const struct state *s, const char *token, const char *class,
                                               const char *id)
{
    char derived[41];

    if (strlen(id) + 1 != sizeof(derived))
        return NULL;
    for (size_t i = s->key_count; i-- > 0;) {
        const struct state_key *k = &s->keys[i];
        const struct state_intent *birth = k->intent && !k->destroyed ? state_intent(s, k->intent) : NULL;

        if (!birth || birth->state != INTENT_BORN || strcmp(k->token, token) != 0 || strcmp(k->class_name, class) != 0)
            continue;
        estate_key_id(&birth->digest, derived);
        if (strcmp(derived, id) == 0)
            return k;
    }
    return NULL;
}

const struct state_key *object_key(const struct world *w, CK_SLOT_ID slot, const struct object_facts *o)
{
    const char *token = w->tokens[slot].bound->id, *name = class_name(o->class);
    const struct state *s = &w->estate->state;
    const struct state_key *key = NULL;

    if (!object_is_secret(o) || !name || !o->on_token || o->label_bad)
        return NULL;
    key = state_key(s, token, name, o->id, o->label);
    /* Renamed on the token by other means: it is still that key, and the log's label counts. */
    if (!key && o->id[0])
        key = state_key(s, token, name, o->id, NULL);
    if (!key)
        key = key_to_be_named(s, token, name, o->id);
    /* What is there under its name without being known to be there is another key. */
    if (key && w->tokens[slot].serving && !strings_have(&key->sites, w->tokens[slot].serving->site))
        key = NULL;
    return key;
}

const struct state_key *object_key_awaited(const struct world *w, CK_SLOT_ID slot, const struct object_facts *o)
{
    const struct state *s = &w->estate->state;
    const struct ceremony_fact *c = w->context.ceremony;
    const struct binding *serving = w->tokens[slot].serving;

    if (c == NULL || c->operation != OP_USE || o->class != CKO_PRIVATE_KEY || !o->on_token || o->label_bad)
        return NULL;
    for (size_t i = 0; i < s->awaited_count; i++) {
        const struct state_key *k = &s->awaited[i];
        const struct state_intent *intent = state_intent(s, k->intent);
        const char *ceremony = intent != NULL ? state_intent_ceremony(intent) : NULL;

        if (ceremony != NULL && intent->state == INTENT_PROVISIONAL && strcmp(ceremony, c->id) == 0 &&
            strcmp(k->id, o->id) == 0 && strcmp(k->token, w->tokens[slot].bound->id) == 0 &&
            (serving == NULL || strings_have(&k->sites, serving->site)))
            return k;
    }
    return NULL;
}

bool object_shown(const struct world *w, CK_SLOT_ID slot, const struct object_facts *o)
{
    if (label_is_own(o->label))
        return false;
    if (o->id[0] && state_site_of_id(&w->estate->state, w->tokens[slot].bound->id, o->id))
        return false;
    return !object_is_secret(o) || !o->on_token || object_key(w, slot, o);
}
