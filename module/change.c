#include <string.h>

#include "core/encode.h"
#include "module/creation.h"
#include "module/functions.h"
#include "module/key_sites.h"
#include "module/made.h"

/* C_SetAttributeValue. */
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
    struct grant old, new; /* under the label that it has, under the one that it gets */
    struct key_sites key;  /* token NULL: no key of the log */
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
    const struct state_key *key = object_key(c->world, c->view.slot, &c->facts);

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
    if (!key)
        return c->facts.on_token ? site_id_free(&c->world->estate->state, c->world->tokens[c->view.slot].bound->id,
                                                buf_str(&c->new_id), f)
                                 : OK;
    return id_check(c->world, c->view.slot, c->facts.class, buf_str(&c->new_id), key, f);
}

/* A key with replicas is changed at all its sites together, which only an intent makes safe. */
static CK_RV change_sites(struct change *c)
{
    const struct state_key *key = object_key(c->world, c->view.slot, &c->facts);
    struct fault f = {0};

    if (!key || c->key.token)
        return CKR_OK; /* no key of the log; done before the question */
    if (key_sites_of(c->world, key, &c->key, &f) != OK)
        return gate_fault(&f);
    if (c->key.left.count) {
        fault_set(&f, E_REFUSED, "C_SetAttributeValue: %s holds a replica of \"%s\" and is not reached from here",
                  c->key.left.items[0], c->key.label);
        return gate_refuse(OP_MODIFY, &f);
    }
    return key_sites_ready(c->world, &c->key, &f) == OK ? CKR_OK : gate_fault(&f);
}

/* One of the two questions. Where nobody need approve, a key with replicas gets its request all the same, under the label that
 * it has: without an intent a death would leave the sites different. */
static CK_RV change_ask_label(struct change *c, const char *label, struct grant *ret)
{
    const struct state_key *key = object_key(c->world, c->view.slot, &c->facts);
    struct question q = {.operation = OP_MODIFY,
                         .slot = c->view.slot,
                         .function = "C_SetAttributeValue",
                         .label = label ? label
                                  : key ? key->label
                                        : c->facts.label,
                         .class_name = class_name(c->facts.class),
                         .object = c->facts.on_token,
                         .key = key,
                         .written = !label && key && !key_alone(key)};
    const struct rule *rule = NULL;
    json_t *templates = NULL;
    struct fault f = {0};
    bool plain = false;
    CK_RV rv;

    rule = gate_rule(c->world, &q, &plain);
    q.written = q.written && plain;
    if (q.written && (rv = change_sites(c)) != CKR_OK)
        return rv; /* before anything is asked */
    if (plain && !q.written)
        return CKR_OK;
    if (!plain && (!rule || rule->effect != EFFECT_REQUIRE))
        return gate_ask(c->world, &q, NULL);
    if (creation_templates(c->world->estate, &c->template, c->facts.class, &templates, &f) != OK) {
        gate_log_finding(c->world, &q, f.text);
        return gate_fault(&f);
    }
    q.templates = templates;
    rv = grant_ask(c->world, &q, ret);
    json_decref(templates);
    return rv;
}

static CK_RV change_ask(struct change *c)
{
    CK_RV rv, second = CKR_OK;

    c->old.answer.plain = c->new.answer.plain = true;
    if (c->facts.label_bad)
        return CKR_ACTION_PROHIBITED;
    rv = change_ask_label(c, NULL, &c->old);
    /* Both are asked, so that people find both requests at once. */
    if ((rv == CKR_OK || rv == CKR_ACTION_PROHIBITED) && c->new_label)
        second = change_ask_label(c, c->new_label, &c->new);
    rv = rv == CKR_OK ? second : rv;
    return rv == CKR_OK ? change_sites(c) : rv;
}

static CK_RV change_log(struct change *c)
{
    json_t *body = c->key.token ? key_sites_body(&c->key) : NULL;
    struct fault f = {0};
    bool good = body != NULL;
    CK_RV rv = grant_end(c->world, &c->new, ENTRY_USED, grant_used(&c->new, (struct span){NULL, 0}));

    if (rv != CKR_OK || !c->key.token) {
        json_decref(body);
        return rv == CKR_OK ? grant_end(c->world, &c->old, ENTRY_USED, grant_used(&c->old, (struct span){NULL, 0}))
                            : rv;
    }
    if (good && c->new_label)
        good = json_put_string(body, "new-label", c->new_label);
    if (good && c->has_new_id)
        good = json_put_string(body, "new-id", buf_str(&c->new_id));
    if (!good) {
        json_decref(body);
        return CKR_HOST_MEMORY;
    }
    if (!c->old.answer.plain)
        return grant_end(c->world, &c->old, ENTRY_MODIFIED, body);
    rv = estate_append(c->world->estate, ENTRY_MODIFIED, body, NULL, &f) == OK ? CKR_OK : gate_fault(&f);
    json_decref(body);
    return rv;
}

/* What the HSM shows counts, whatever it answered. *ret_done: it has the new values, or may have. */
static CK_RV change_primary(struct change *c, bool *ret_done)
{
    struct site_link link = made_link(c->world, &c->view);
    struct fault f = {0};
    CK_RV rv = c->view.below->C_SetAttributeValue(c->view.lower, c->lower, c->template.items, c->template.count);
    CK_ULONG class = CK_UNAVAILABLE_INFORMATION;
    enum outcome holds = OK;

    *ret_done = rv == CKR_OK;
    if (!c->key.token)
        return rv;
    holds = site_compare(&link, c->lower, &c->template, &f);
    if (holds == E_REFUSED && rv == CKR_OK)
        rv = CKR_DEVICE_ERROR;
    if (holds == OK || holds == E_REFUSED)
        *ret_done = holds == OK;
    else if (site_attribute_ulong(&link, c->lower, CKA_CLASS, &class, &f) != OK)
        *ret_done = !c->old.answer.plain; /* lost: recovery will look, where there is an intent to go by */
    return rv;
}

/* A change that nobody had to approve has no intent that recovery could go by: it is logged although the HSM failed. */
static CK_RV change_ends(struct change *c, CK_RV below)
{
    CK_RV rv = change_log(c);

    return below == CKR_OK ? rv : below;
}

/* The primary first: what it holds after a death says how recovery goes on. */
static CK_RV change_carry(struct change *c)
{
    json_t *more = key_sites_more(&c->key);
    struct fault f = {0};
    bool done = false;
    CK_RV rv = grant_begin(c->world, &c->old, more);

    json_decref(more);
    if (rv == CKR_OK)
        rv = grant_begin(c->world, &c->new, NULL);
    if (rv == CKR_OK)
        rv = change_primary(c, &done);
    for (size_t i = 1; done && rv == CKR_OK && i < c->key.sites.count; i++)
        if (key_set_at(c->world, &c->key, c->key.sites.items[i], &c->template, &f) != OK)
            rv = gate_fault(&f); /* the intent stays open: recovery goes on with the other sites */
    if (rv == CKR_OK || (done && c->old.answer.plain))
        rv = change_ends(c, rv);
    if (!done) {
        grant_undo(c->world, &c->old, "C_SetAttributeValue", rv);
        grant_undo(c->world, &c->new, "C_SetAttributeValue", rv);
    }
    return rv;
}

static CK_RV change(struct change *c)
{
    struct fault f = {0};
    CK_RV rv;

    if (!gate_object(c->world, &c->view, c->object, &c->facts, &c->lower)) {
        gate_log_unfit(c->world, c->view.slot, OP_MODIFY, "C_SetAttributeValue", STRAY_HANDLE);
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (!change_possible(&c->template)) {
        gate_log_unfit(c->world, c->view.slot, OP_MODIFY, "C_SetAttributeValue",
                       "CKA_CLASS, CKA_KEY_TYPE and CKA_TOKEN do not change");
        return CKR_ATTRIBUTE_READ_ONLY;
    }
    if (change_read(c, &f) != OK) {
        gate_log_unfit(c->world, c->view.slot, OP_MODIFY, "C_SetAttributeValue", f.text);
        return gate_fault(&f);
    }
    rv = change_ask(c);
    if (rv == CKR_OK)
        rv = change_carry(c);
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
    rv = template_snapshot(items, count, &c.template, &f) == OK
             ? gate_open(&c.world)
             : gate_unfit(c.view.slot, OP_MODIFY, "C_SetAttributeValue", f.text, gate_fault(&f));
    if (rv == CKR_OK) {
        rv = change(&c);
        grant_clear(&c.old);
        grant_clear(&c.new);
        gate_close(c.world);
    }
    key_sites_clear(&c.key);
    template_clear(&c.template);
    buf_free(&c.new_id);
    return rv;
}
