#include "module/made.h"

#include <string.h>

#include "core/encode.h"
#include "module/key_sites.h"

enum outcome asked_read(const struct template *t, CK_OBJECT_CLASS class_otherwise, struct asked *ret, struct fault *f)
{
    const CK_ATTRIBUTE *class = template_find(t, CKA_CLASS), *label = template_find(t, CKA_LABEL);
    struct asked a = {.class = class_otherwise, .on_token = template_bool(t, CKA_TOKEN, false)};

    if (class && (!class->pValue || class->ulValueLen != sizeof(a.class)))
        return fault_set(f, E_INVALID, "CKA_CLASS is not a CK_ULONG");
    if (class)
        memcpy(&a.class, class->pValue, sizeof(a.class));
    if (label && label->pValue) {
        if (label->ulValueLen > LIMIT_LABEL)
            return fault_set(f, E_INVALID, "CKA_LABEL is longer than %d bytes", LIMIT_LABEL);
        if (memchr(label->pValue, '\0', label->ulValueLen))
            return fault_set(f, E_INVALID, "CKA_LABEL holds a NUL");
        memcpy(a.label, label->pValue, label->ulValueLen);
    }
    /* Whatever it could wrap would leave the HSM for whoever knows it. */
    if (template_bool(t, CKA_TRUSTED, false) && a.class != CKO_CERTIFICATE)
        return fault_set(f, E_INVALID, "CKA_TRUSTED: Quorate alone makes keys that other keys may leave under");
    if (label_is_own(a.label))
        return fault_set(f, E_INVALID, "CKA_LABEL must not begin with \"" OWN_LABEL "\": that is Quorate's own");
    *ret = a;
    return OK;
}

/* Where nobody approves, ids may be as they like. */
static bool used_freely(const struct world *w, CK_SLOT_ID slot, const struct state_key *key)
{
    struct question q = {
        .operation = OP_USE, .slot = slot, .label = key->label, .class_name = key->class_name, .object = 1};
    bool plain = false;

    gate_rule(w, &q, &plain);
    return plain;
}

enum outcome id_check(const struct world *w, CK_SLOT_ID slot, CK_OBJECT_CLASS class, const char *id_hex,
                      const struct state_key *except, struct fault *f)
{
    const struct state *s = &w->estate->state;
    const char *token = w->tokens[slot].bound->id;

    if (!id_hex[0])
        return OK;
    if (class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
        return site_id_free(s, token, id_hex, f);
    for (size_t i = 0; i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];

        if (k != except && !k->destroyed && !strcmp(k->id, id_hex) && !strcmp(k->token, token) &&
            !strcmp(k->class_name, class_name(class)) &&
            (!used_freely(w, slot, k) || !key_alone(k) || (except && !key_alone(except))))
            return fault_set(f, E_INVALID, "CKA_ID %s is that of the key \"%s\" on %s: choose another, or none", id_hex,
                             k->label, token);
    }
    return key_id_free(s, token, id_hex, f);
}

enum outcome asked_id_check(const struct world *w, CK_SLOT_ID slot, const struct template *t, const struct asked *asked,
                            struct fault *f)
{
    const CK_ATTRIBUTE *id = template_find(t, CKA_ID);
    struct buf hex = BUF(2 * LIMIT_LABEL);
    enum outcome result = OK;

    if (!id || !id->pValue || !asked->on_token)
        return OK;
    hex_put(&hex, span_of(id->pValue, id->ulValueLen));
    result = hex.failed ? fault_set(f, E_INVALID, "CKA_ID is longer than %d bytes", LIMIT_LABEL)
                        : id_check(w, slot, asked->class, buf_str(&hex), NULL, f);
    buf_free(&hex);
    return result;
}

struct question asked_question(enum operation operation, const char *function, CK_SLOT_ID slot,
                               const CK_MECHANISM *mechanism, const struct asked *asked)
{
    return (struct question){.operation = operation,
                             .slot = slot,
                             .function = function,
                             .mechanism = mechanism,
                             .label = asked->label,
                             .class_name = class_name(asked->class),
                             .object = asked->on_token};
}

struct site_link made_link(const struct world *w, const struct session_view *view)
{
    const struct shown_token *t = &w->tokens[view->slot];

    return (struct site_link){
        .token = t->bound->id, .binding = t->serving, .f = view->below, .slot = t->lower_slot, .session = view->lower};
}

static enum outcome size_text(const struct site_link *s, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type,
                              const char *prefix, struct buf *ret, struct fault *f)
{
    struct buf value = BUF(LIMIT_ATTRIBUTE);
    CK_ULONG bytes = 0;
    enum outcome result;

    if (type == CKA_VALUE_LEN) {
        result = site_attribute_ulong(s, key, type, &bytes, f);
    } else {
        result = site_attribute(s, key, type, &value, f);
        bytes = value.len;
    }
    if (result == OK)
        buf_putf(ret, "%s:%lu", prefix, bytes * 8);
    buf_free(&value);
    return result;
}

static enum outcome curve_text(const struct site_link *s, CK_OBJECT_HANDLE key, struct buf *ret, struct fault *f)
{
    struct buf value = BUF(LIMIT_ATTRIBUTE), hex = BUF(2 * LIMIT_ATTRIBUTE);
    enum outcome result = site_attribute(s, key, CKA_EC_PARAMS, &value, f);
    const char *curve = NULL;

    if (result == OK) {
        hex_put(&hex, buf_span(&value));
        curve = ec_curve_name(buf_str(&hex));
        buf_putf(ret, "EC:%s", curve ? curve : buf_str(&hex));
    }
    buf_free(&hex);
    buf_free(&value);
    return result;
}

/* "EC:P-384", as rules name types; an HSM that does not tell leaves the key type alone: "CKK_AES", "0x15". */
static void type_text(const struct site_link *s, CK_OBJECT_HANDLE key, struct buf *ret)
{
    struct fault ignored = {0};
    CK_ULONG type = 0;
    enum outcome result = site_attribute_ulong(s, key, CKA_KEY_TYPE, &type, &ignored);

    if (result == OK)
        switch (type) {
        case CKK_EC:
        case CKK_EC_EDWARDS:
            result = curve_text(s, key, ret, &ignored);
            break;
        case CKK_RSA:
            result = size_text(s, key, CKA_MODULUS, "RSA", ret, &ignored);
            break;
        case CKK_AES:
            result = size_text(s, key, CKA_VALUE_LEN, "AES", ret, &ignored);
            break;
        case CKK_GENERIC_SECRET:
            result = size_text(s, key, CKA_VALUE_LEN, "GENERIC", ret, &ignored);
            break;
        default:
            result = E_ABSENT;
        }
    if (result != OK)
        buf_putf(ret, "0x%lx", type);
}

/* The public half's members; an HSM that does not tell leaves them out. */
static bool public_half_put(const struct site_link *link, CK_OBJECT_HANDLE public, json_t *body)
{
    struct buf spki = BUF(LIMIT_ATTRIBUTE);
    struct digest fingerprint = {0};
    struct fault ignored = {0};
    bool good = true;

    if (public != CK_INVALID_HANDLE && site_spki(link, public, &spki, &ignored) == OK)
        good = digest_one(&fingerprint, buf_span(&spki)) && json_put_bytes_hex(body, "public-key", buf_span(&spki)) &&
               json_put_digest(body, "fingerprint", &fingerprint);
    buf_free(&spki);
    return good;
}

json_t *made_body(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE lower,
                  CK_OBJECT_HANDLE public, const char *function, const struct object_facts *facts)
{
    struct site_link link = made_link(w, view);
    struct buf type = BUF(LIMIT_LABEL);
    json_t *body = json_object(), *sites = json_pack("[s]", w->tokens[view->slot].primary);
    bool good = json_put(body, "sites", json_incref(sites)) &&
                json_put_string(body, "class", class_name(facts->class)) && json_put_string(body, "id", facts->id) &&
                json_put_string(body, "label", facts->label) && json_put_string(body, "token", link.token) &&
                json_put_string(body, "function", function);

    type_text(&link, lower, &type);
    good = good && json_put_string(body, "type", buf_str(&type)) && public_half_put(&link, public, body);
    json_decref(sites);
    buf_free(&type);
    if (good)
        return body;
    json_decref(body);
    return NULL;
}

/* After an append that failed: whether whoever opens the log next may find the key born in it, as one of the entries from
 * `size` on. */
static bool born_perhaps(const struct estate *e, uint64_t size, const char *token, const struct object_facts *facts)
{
    struct estate *again = NULL;
    struct fault ignored = {0};
    bool perhaps = estate_open(e->bindings->path, &again, &ignored) != OK;

    for (size_t i = 0; !perhaps && i < again->state.key_count; i++) {
        const struct state_key *k = &again->state.keys[i];

        perhaps = k->seq >= size && !strcmp(k->token, token) && !strcmp(k->class_name, class_name(facts->class)) &&
                  !strcmp(k->id, facts->id) && !strcmp(k->label, facts->label);
    }
    estate_close(again);
    return perhaps;
}

/* *ret_recorded: the key stands in the log, or may: then it is not to be destroyed any more. */
static CK_RV made_log(const struct made *m, struct object_facts *facts, bool *ret_recorded)
{
    struct world *w = NULL;
    struct fault f = {0};
    json_t *body = NULL;
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    uint64_t size = log_size(w->estate->log);
    plain_id_put(m->birth, &m->birth->wanted, facts);
    body = made_body(w, m->view, m->lower, m->public, m->function, facts);
    if (id_check(w, m->view->slot, facts->class, facts->id, NULL, &f) != OK) { /* an HSM may choose an id by itself */
        fault_context(&f, "%s: the new key was destroyed", m->function);
        rv = gate_fault(&f);
        json_decref(body);
    } else if (plain_born(w, m->birth, body, &f) != OK) {
        *ret_recorded = born_perhaps(w->estate, size, w->tokens[m->view->slot].bound->id, facts);
        fault_context(&f,
                      *ret_recorded
                          ? "%s: the log may say that the new key is born, so it was left: see `quorate inventory`"
                          : "%s: the new key could not be logged and was destroyed",
                      m->function);
        rv = gate_fault(&f);
    } else {
        *ret_recorded = true;
        plain_complete(w, m->view, m->birth, m->lower, m->public);
    }
    gate_close(w);
    return rv;
}

/* What was made must be what was judged: a template may say one thing to us and another to the HSM. */
static CK_RV made_judge(const struct made *m, const struct object_facts *facts)
{
    const struct asked *asked = m->asked;
    struct object_facts made = *facts;
    struct world *w = NULL;
    CK_RV rv;

    if (facts->class == asked->class && facts->on_token == asked->on_token && strcmp(facts->label, asked->label) == 0)
        return CKR_OK;
    if (label_is_own(facts->label))
        return CKR_TEMPLATE_INCONSISTENT;
    made.id[0] = '\0'; /* it is no key of the log yet */
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = gate_ask_object(w, m->operation, m->function, m->view->slot, &made);
    if (rv == CKR_OK)
        rv = plain_leave(w, m->view, m->birth, m->function, m->lower, m->public);
    gate_close(w);
    return rv;
}

CK_RV made_show(const struct made *m, CK_OBJECT_HANDLE *ret)
{
    const struct session_view *view = m->view;
    struct object_facts facts;
    struct fault f = {0};
    bool recorded = false;
    CK_RV rv = object_read(view, m->lower, &facts);

    if (rv == CKR_OK && facts.label_bad) {
        fault_set(&f, E_REFUSED, "%s: the new object's label is too long or holds a NUL", m->function);
        rv = gate_refuse(m->operation, &f);
    }
    if (rv == CKR_OK)
        rv = made_judge(m, &facts);
    if (rv == CKR_OK && object_is_secret(&facts) && facts.on_token)
        rv = made_log(m, &facts, &recorded);
    if (rv == CKR_OK)
        rv = object_add(view, m->lower, &facts, ret);
    if (rv != CKR_OK && !recorded) {
        view->below->C_DestroyObject(view->lower, m->lower);
        if (m->public != CK_INVALID_HANDLE)
            view->below->C_DestroyObject(view->lower, m->public);
        plain_undo(view, m->birth, m->function, rv);
    }
    return rv;
}
