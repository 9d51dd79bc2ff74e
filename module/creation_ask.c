#include <string.h>

#include "core/encode.h"
#include "module/creation.h"
#include "module/mechanisms.h"
#include "module/site.h"

/* What a creation asks the policy, and what people then sign. */

static bool value_is_secret(CK_ATTRIBUTE_TYPE type, CK_OBJECT_CLASS class)
{
    switch (type) {
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT:
        return true;
    default:
        return type == CKA_VALUE && (class == CKO_PRIVATE_KEY || class == CKO_SECRET_KEY);
    }
}

/* CKA_VALUE and the parts of an RSA key have no place in a template of attributes.def: they stand as hashes. */
static enum outcome value_put(const struct estate *e, const CK_ATTRIBUTE *a, bool secret, json_t *json, struct fault *f)
{
    const char *name = attribute_name(a->type);
    struct digest digest = {0}, salt = {0};
    struct buf text = BUF(80), number = BUF(24);
    enum outcome outcome = secret ? estate_salt(e, &salt, f) : OK;
    bool good = outcome == OK;

    buf_putf(&number, "CKA_0x%lx", a->type);
    good = good && (secret ? digest_of(&digest, 3, span_str("quorate secret v1\n"),
                                       span_of(salt.bytes, sizeof(salt.bytes)), span_of(a->pValue, a->ulValueLen))
                           : digest_one(&digest, span_of(a->pValue, a->ulValueLen)));
    buf_putf(&text, "sha256:%s", digest_hex(&digest).hex);
    good = good && json_put_string(json,
                                   a->type == CKA_VALUE ? "CKA_VALUE"
                                   : name               ? name
                                                        : buf_str(&number),
                                   buf_str(&text));
    explicit_bzero(&salt, sizeof(salt));
    buf_free(&number);
    buf_free(&text);
    return outcome != OK ? outcome : good ? OK : fault_memory(f);
}

enum outcome creation_templates(const struct estate *e, const struct template *t, CK_OBJECT_CLASS class, json_t **ret,
                                struct fault *f)
{
    struct template shown = {0};
    json_t *key = NULL, *json = json_object();
    enum outcome outcome = template_copy(t->items, t->count, &shown, f);

    for (CK_ULONG i = 0; i < t->count && outcome == OK; i++)
        if (t->items[i].type == CKA_VALUE || value_is_secret(t->items[i].type, class))
            template_remove(&shown, t->items[i].type);
    if (outcome == OK)
        outcome = template_to_json(&shown, &key, f);
    for (CK_ULONG i = 0; i < t->count && outcome == OK; i++) {
        bool secret = value_is_secret(t->items[i].type, class);

        if (t->items[i].type == CKA_VALUE || secret)
            outcome = value_put(e, &t->items[i], secret, key, f);
    }
    template_clear(&shown);
    if (outcome == OK && json_put(json, "key", json_incref(key))) {
        *ret = json;
        json = NULL; /* taken by the caller */
    } else if (outcome == OK) {
        outcome = fault_memory(f);
    }
    json_decref(key);
    json_decref(json);
    return outcome;
}

static enum outcome public_key_put(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE lower,
                                   json_t *json, struct fault *f)
{
    struct site_link link = made_link(w, view);
    struct buf spki = BUF(LIMIT_ATTRIBUTE);
    struct digest fingerprint = {0};
    enum outcome outcome = site_spki(&link, lower, &spki, f);

    if (outcome == OK && !(digest_one(&fingerprint, buf_span(&spki)) && json_put_digest(json, "key", &fingerprint)))
        outcome = fault_memory(f);
    buf_free(&spki);
    return outcome;
}

enum outcome other_key_json(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE handle,
                            json_t **ret, struct fault *f)
{
    const struct state_key *key = NULL;
    struct object_facts facts;
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    json_t *json = json_object();
    enum outcome outcome = OK;
    bool good = false;

    if (!gate_object(w, view, handle, &facts, &lower) || facts.label_bad) {
        json_decref(json);
        return fault_set(f, E_REFUSED, "the other key cannot be named");
    }
    key = object_key(w, view->slot, &facts);
    good = json_put_string(json, "class", class_name(facts.class)) &&
           json_put_string(json, "label", key ? key->label : facts.label);
    if (key)
        good = good && (key->public_key.len ? json_put_digest(json, "key", &key->fingerprint)
                                            : json_put_integer(json, "born", (int64_t)key->seq));
    else if (facts.class == CKO_PUBLIC_KEY)
        outcome = public_key_put(w, view, lower, json, f);
    else
        outcome = fault_set(f, E_REFUSED,
                            "the other key is a session's own: what people approve must name one that the "
                            "log knows, or a public key");
    if (outcome == OK && !good)
        outcome = fault_memory(f);
    if (outcome == OK) {
        *ret = json;
        json = NULL; /* taken by the caller */
    }
    json_decref(json);
    return outcome;
}

static json_t *wrapped_json(struct span wrapped)
{
    struct digest digest = {0};
    json_t *json = json_object();

    if (digest_one(&digest, wrapped) && json_put_string(json, "kind", "message") &&
        json_put_digest(json, "sha256", &digest))
        return json;
    json_decref(json);
    return NULL;
}

/* It is born under this id, whatever it carries until then. */
static enum outcome caller_id_check(const struct world *w, const struct creation *c, const struct creation_grants *g,
                                    struct fault *f)
{
    struct buf hex = BUF(2 * LIMIT_LABEL);
    enum outcome outcome = OK;

    hex_put(&hex, buf_span(&g->caller_id));
    if (c->asked.on_token)
        outcome = id_check(w, c->view.slot, c->asked.class, buf_str(&hex), NULL, f);
    buf_free(&hex);
    return outcome;
}

/* Under a rule that requires something: completed, and described to people in full. */
static CK_RV self_governed(struct world *w, struct creation *c, struct question *q, struct creation_grants *g)
{
    json_t *templates = NULL, *with = NULL, *data = NULL;
    bool other = c->base != CK_INVALID_HANDLE && c->operation != OP_COPY;
    struct fault f = {0};
    enum outcome outcome = OK;
    CK_RV rv;

    if (c->opaque)
        outcome = fault_set(&f, E_REFUSED, "a mechanism with this parameter is not carried out under approvals");
    if (outcome == OK)
        outcome = object_template_complete(&c->template, c->asked.class, c->operation == OP_COPY, c->asked.on_token,
                                           &g->caller_id, &f);
    if (outcome == OK)
        outcome = caller_id_check(w, c, g, &f);
    if (outcome == OK)
        outcome = creation_templates(w->estate, &c->template, c->asked.class, &templates, &f);
    if (outcome == OK && other)
        outcome = other_key_json(w, &c->view, c->base, &with, &f);
    if (outcome == OK && c->wrapped.len) {
        data = wrapped_json(c->wrapped);
        outcome = data ? OK : fault_memory(&f);
    }
    q->templates = templates;
    q->with = with;
    q->data = data;
    if (outcome == OK) {
        rv = grant_ask(w, q, &g->self);
    } else {
        gate_log_finding(w, q, f.text);
        fault_context(&f, "%s", c->function);
        rv = gate_fault(&f);
    }
    json_decref(templates);
    json_decref(with);
    json_decref(data);
    q->templates = q->with = q->data = NULL;
    return rv;
}

static CK_RV self_ask(struct world *w, struct creation *c, struct question *q, struct creation_grants *g)
{
    bool plain = false;
    const struct rule *rule = gate_rule(w, q, &plain);

    if (!plain && rule && rule->effect == EFFECT_REQUIRE)
        return self_governed(w, c, q, g);
    return plain ? CKR_OK : gate_ask(w, q, NULL);
}

/* Of what a rule plainly allows: approved, it has been shown to people, and its id comes from its intent. A copy
 * without a CKA_ID of its own gets that of what it is copied from. */
static CK_RV id_ask(struct world *w, const struct creation *c, const struct question *q, const char *inherited)
{
    struct fault f = {0};

    if (asked_id_check(w, c->view.slot, &c->template, &c->asked, &f) == OK &&
        (!c->asked.on_token || template_find(&c->template, CKA_ID) ||
         id_check(w, c->view.slot, c->asked.class, inherited, NULL, &f) == OK))
        return CKR_OK;
    gate_log_finding(w, q, f.text);
    fault_context(&f, "%s", c->function);
    return gate_fault(&f);
}

/* A copy must be allowed as what it is copied from, and, where it gets another label or goes to the token, as what it
 * becomes. */
static CK_RV copy_ask(struct world *w, struct creation *c, struct creation_grants *g)
{
    struct object_facts from;
    const struct state_key *key = NULL;
    struct creation_grants first = {.caller_id = BUF(LIMIT_LABEL), .self = {.answer = {.plain = true}}};
    struct question q;
    struct fault f = {0};
    bool same;
    CK_RV rv, second;

    if (!gate_object(w, &c->view, c->base, &from, &g->base.lower)) {
        gate_log_unfit(w, c->view.slot, OP_COPY, c->function, STRAY_HANDLE);
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (from.label_bad)
        return CKR_ACTION_PROHIBITED;
    c->asked.class = from.class;
    c->asked.on_token = template_bool(&c->template, CKA_TOKEN, from.on_token);
    if (!template_find(&c->template, CKA_LABEL))
        memcpy(c->asked.label, from.label, sizeof(c->asked.label));
    key = object_key(w, c->view.slot, &from);
    same = c->asked.on_token == from.on_token && strcmp(c->asked.label, key ? key->label : from.label) == 0;
    q = (struct question){.operation = OP_COPY,
                          .slot = c->view.slot,
                          .function = c->function,
                          .label = key ? key->label : from.label,
                          .class_name = class_name(from.class),
                          .object = from.on_token,
                          .key = key};
    rv = self_ask(w, c, &q, same ? g : &first);
    /* Both are asked, so that people find both requests at once. */
    if ((rv == CKR_OK || rv == CKR_ACTION_PROHIBITED) && !same) {
        key = object_key(w, c->view.slot, &from); /* the state may have moved */
        q = asked_question(OP_COPY, c->function, c->view.slot, NULL, &c->asked);
        q.key = key;
        g->base.grant = first.self;
        first.self = (struct grant){.lock = NULL}; /* taken by the base */
        second = self_ask(w, c, &q, g);
        rv = rv == CKR_OK ? second : rv;
        if (rv == CKR_OK && !g->caller_id.len)
            buf_put(&g->caller_id, first.caller_id.data, first.caller_id.len);
    }
    /* The first question took it out for an intent, which the copy itself has none of. */
    if (rv == CKR_OK && g->self.answer.plain && g->caller_id.len &&
        template_set(&c->template, CKA_ID, g->caller_id.data, g->caller_id.len, &f) != OK)
        rv = gate_fault(&f);
    if (rv == CKR_OK && g->self.answer.plain)
        rv = id_ask(w, c, &q, from.id);
    creation_grants_clear(&first);
    return rv;
}

/* A derivation that gives the base away must be allowed as wrapping it is. */
static CK_RV reveal_ask(struct world *w, const struct creation *c)
{
    struct object_facts base;

    if (c->operation != OP_DERIVE || !mechanism_reveals_base(c->mechanism->mechanism))
        return CKR_OK;
    if (!gate_object(w, &c->view, c->base, &base, NULL))
        return CKR_KEY_HANDLE_INVALID;
    return gate_ask_object(w, OP_WRAP, c->function, c->view.slot, &base);
}

CK_RV creation_ask(struct world *w, struct creation *c, struct creation_grants *ret)
{
    struct question q = asked_question(c->operation, c->function, c->view.slot, c->mechanism, &c->asked);
    json_t *data = NULL;
    CK_RV base = CKR_OK, self;

    ret->base.grant.answer.plain = ret->self.answer.plain = true;
    if (c->operation == OP_COPY)
        return copy_ask(w, c, ret);
    if (c->base != CK_INVALID_HANDLE) {
        if (c->wrapped.len)
            data = wrapped_json(c->wrapped);
        base =
            use_ask(w, &c->view, c->base,
                    &(struct use_asked){.function = c->function, .mechanism = c->mechanism, .data = data}, &ret->base);
        json_decref(data);
        if (base == CKR_KEY_HANDLE_INVALID && c->operation == OP_IMPORT)
            base = CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    }
    if (base == CKR_OK)
        base = reveal_ask(w, c);
    /* Both are asked, so that people find both requests at once. */
    if (base != CKR_OK && base != CKR_FUNCTION_REJECTED)
        return base;
    self = self_ask(w, c, &q, ret);
    if (base == CKR_OK && self == CKR_OK && ret->self.answer.plain)
        self = id_ask(w, c, &q, "");
    return base != CKR_OK ? base : self;
}
