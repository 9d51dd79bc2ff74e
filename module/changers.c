#include <string.h>

#include "core/encode.h"
#include "module/functions.h"
#include "module/made.h"
#include "module/mechanisms.h"
#include "module/use.h"

/* What changes, exports or ends objects: C_SetAttributeValue, C_WrapKey, C_DestroyObject. */

/* A key with replicas is changed and destroyed at all its sites together, which no rule can ask for yet. */
static CK_RV alone_check(enum operation operation, const char *function, const struct state_key *key)
{
    struct fault f = {0};

    if (!key || key->sites.count <= 1)
        return CKR_OK;
    fault_set(&f, E_REFUSED,
              "%s: \"%s\" on %s has replicas at other sites; changing or destroying it at one of them "
              "alone is not possible, at all together not yet",
              function, key->label, key->token);
    return gate_refuse(operation, &f);
}

/* The members that name a key in `modified` and `destroyed`. */
static json_t *key_body(const struct state_key *key)
{
    json_t *body = json_object();

    if (json_put_string(body, "class", key->class_name) && json_put_string(body, "id", key->id) &&
        json_put_string(body, "label", key->label) && json_put_string(body, "token", key->token))
        return body;
    json_decref(body);
    return NULL;
}

struct change {
    struct world *world;
    struct session_view view;
    CK_OBJECT_HANDLE object, lower;
    struct object_facts facts;
    struct template template;
    const char *new_label; /* NULL: as before */
    struct buf new_id;     /* hex */
    bool has_new_id;
    struct asked asked;
};

/* What an object is cannot be changed (PKCS#11 2.40, section 4.1.2), whatever a lower module thinks: a session key
 * that became a token key would be born unseen. */
static bool change_possible(const struct template *t)
{
    return !template_find(t, CKA_CLASS) && !template_find(t, CKA_TOKEN) && !template_find(t, CKA_KEY_TYPE);
}

static enum outcome change_read(struct change *c, struct fault *f)
{
    const CK_ATTRIBUTE *id = template_find(&c->template, CKA_ID);
    const struct state_key *key = object_key(c->world, c->view.slot, &c->facts), *other = NULL;

    if (asked_read(&c->template, c->facts.class, &c->asked, f) != OK)
        return f->outcome;
    if (template_find(&c->template, CKA_LABEL))
        c->new_label = c->asked.label;
    if (!id)
        return OK;
    if (id->ulValueLen > LIMIT_LABEL || (id->ulValueLen && !id->pValue))
        return fault_set(f, E_INVALID, "CKA_ID is longer than %d bytes", LIMIT_LABEL);
    c->has_new_id = true;
    hex_put(&c->new_id, span_of(id->pValue, id->ulValueLen));
    if (!key || !c->new_id.len)
        return OK;
    other = state_key(&c->world->estate->state, key->token, key->class_name, buf_str(&c->new_id), NULL);
    if (other && other != key)
        return fault_set(f, E_INVALID, "CKA_ID %s is that of the key \"%s\": choose another", buf_str(&c->new_id),
                         other->label);
    return OK;
}

static CK_RV change_ask(struct change *c)
{
    struct object_facts renamed = c->facts;
    CK_RV rv = gate_ask_object(c->world, OP_MODIFY, "C_SetAttributeValue", c->view.slot, &c->facts);

    if (rv == CKR_OK)
        rv = alone_check(OP_MODIFY, "C_SetAttributeValue", object_key(c->world, c->view.slot, &c->facts));
    if (rv != CKR_OK || !c->new_label)
        return rv;
    /* Under the new label too; without an id it is not taken for the key that it is now. */
    memcpy(renamed.label, c->asked.label, sizeof(renamed.label));
    renamed.id[0] = '\0';
    return gate_ask_object(c->world, OP_MODIFY, "C_SetAttributeValue", c->view.slot, &renamed);
}

static enum outcome change_log(const struct change *c, struct fault *f)
{
    /* Looked up again: the questions may have refreshed the state. */
    const struct state_key *key = object_key(c->world, c->view.slot, &c->facts);
    json_t *body = key ? key_body(key) : NULL;
    bool good = body != NULL;
    enum outcome result;

    if (!key)
        return OK;
    if (good && c->new_label)
        good = json_put_string(body, "new-label", c->new_label);
    if (good && c->has_new_id)
        good = json_put_string(body, "new-id", buf_str(&c->new_id));
    result = good ? estate_append(c->world->estate, ENTRY_MODIFIED, body, NULL, f) : fault_memory(f);
    json_decref(body);
    return result;
}

static CK_RV change(struct change *c)
{
    struct fault f = {0};
    CK_RV rv;

    if (!gate_object(c->world, &c->view, c->object, &c->facts, &c->lower))
        return CKR_OBJECT_HANDLE_INVALID;
    if (!change_possible(&c->template))
        return CKR_ATTRIBUTE_READ_ONLY;
    if (change_read(c, &f) != OK)
        return gate_fault(&f);
    rv = change_ask(c);
    if (rv == CKR_OK)
        rv = c->view.below->C_SetAttributeValue(c->view.lower, c->lower, c->template.items, c->template.count);
    if (rv != CKR_OK)
        return rv;
    if (change_log(c, &f) != OK)
        rv = gate_fault(&f);
    object_judged(c->object, 0, USE_UNKNOWN); /* it may be another key now, to the rules */
    return rv;
}

CK_RV our_C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR items,
                              CK_ULONG count)
{
    struct change c = {.object = object, .new_id = BUF(2 * LIMIT_LABEL)};
    struct fault f = {0};
    CK_RV rv;

    if (!session_view(session, &c.view))
        return session_unknown();
    if (!items)
        return CKR_ARGUMENTS_BAD;
    rv = template_snapshot(items, count, &c.template, &f) == OK ? gate_open(&c.world) : gate_fault(&f);
    if (rv == CKR_OK) {
        rv = change(&c);
        gate_close(c.world);
    }
    template_clear(&c.template);
    buf_free(&c.new_id);
    return rv;
}

static CK_RV destroy(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE object)
{
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    const struct state_key *key = NULL;
    struct object_facts facts;
    struct fault f = {0};
    json_t *body = NULL;
    CK_RV rv;

    if (!gate_object(w, view, object, &facts, &lower))
        return CKR_OBJECT_HANDLE_INVALID;
    rv = gate_ask_object(w, OP_DESTROY, "C_DestroyObject", view->slot, &facts);
    if (rv == CKR_OK)
        rv = alone_check(OP_DESTROY, "C_DestroyObject", object_key(w, view->slot, &facts));
    if (rv == CKR_OK)
        rv = view->below->C_DestroyObject(view->lower, lower);
    if (rv != CKR_OK)
        return rv;
    object_forget(object);
    key = object_key(w, view->slot, &facts);
    if (!key)
        return CKR_OK;
    body = key_body(key);
    if (!body)
        rv = CKR_HOST_MEMORY;
    else if (estate_append(w->estate, ENTRY_DESTROYED, body, NULL, &f) != OK)
        rv = gate_fault(&f);
    json_decref(body);
    return rv;
}

CK_RV our_C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    struct session_view view;
    struct world *w = NULL;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = destroy(w, &view, object);
    gate_close(w);
    return rv;
}

CK_RV our_C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping,
                    CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_len)
{
    CK_OBJECT_HANDLE lower_wrapping = CK_INVALID_HANDLE, lower_key = CK_INVALID_HANDLE;
    CK_MECHANISM once; /* what is checked is what goes down */
    struct session_view view;
    struct object_facts facts;
    struct world *w = NULL;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!mechanism || !wrapped_len)
        return CKR_ARGUMENTS_BAD;
    once = *mechanism;
    if (mechanism_carries_handles(once.mechanism))
        return CKR_MECHANISM_INVALID;
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = use_judge_locked(w, &view, wrapping, "C_WrapKey", &once, &lower_wrapping);
    if (rv == CKR_KEY_HANDLE_INVALID)
        rv = CKR_WRAPPING_KEY_HANDLE_INVALID;
    else if (rv == CKR_OK && !gate_object(w, &view, key, &facts, &lower_key))
        rv = CKR_KEY_HANDLE_INVALID;
    else if (rv == CKR_OK)
        rv = gate_ask_object(w, OP_WRAP, "C_WrapKey", view.slot, &facts);
    if (rv == CKR_OK)
        rv = view.below->C_WrapKey(view.lower, &once, lower_wrapping, lower_key, wrapped, wrapped_len);
    gate_close(w);
    return rv;
}
