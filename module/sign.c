#include "module/sign.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/functions.h"
#include "module/template.h"
#include "module/use.h"

struct signing {
    CK_MECHANISM mechanism; /* its parameter is a copy */
    CK_OBJECT_HANDLE key;
    struct buf data;
};

void signing_end(struct session *s)
{
    struct signing *g = s->signing;

    atomic_store(&s->governed, false);
    s->signing = NULL;
    if (!g)
        return;
    free(g->mechanism.pParameter);
    buf_free(&g->data);
    free(g);
}

/* RSA-PSS parameters are three numbers (PKCS#11 2.40, mechanisms, section 2.1.10), so their bytes say all; others may
 * hold pointers, and what people sign would not say what is done. */
static bool parameter_says_all(const CK_MECHANISM *m)
{
    if (!m->pParameter || !m->ulParameterLen)
        return true;
    switch (m->mechanism) {
    case CKM_RSA_PKCS_PSS:
    case CKM_SHA1_RSA_PKCS_PSS:
    case CKM_SHA224_RSA_PKCS_PSS:
    case CKM_SHA256_RSA_PKCS_PSS:
    case CKM_SHA384_RSA_PKCS_PSS:
    case CKM_SHA512_RSA_PKCS_PSS:
        return m->ulParameterLen == sizeof(CK_RSA_PKCS_PSS_PARAMS);
    default:
        return false;
    }
}

/* Mechanisms that sign what they are given without hashing it. */
static bool signs_digest(CK_MECHANISM_TYPE m)
{
    return m == CKM_ECDSA || m == CKM_RSA_PKCS || m == CKM_RSA_PKCS_PSS || m == CKM_RSA_X_509;
}

/* A session of the key's own, with C_SignInit done: it never becomes the application's. */
static CK_RV own_session(const struct world *w, const struct session_view *view, CK_MECHANISM *mechanism,
                         CK_OBJECT_HANDLE key, CK_SESSION_HANDLE *ret)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_RV rv;

    if (!object_lower(&key, view->slot))
        return CKR_KEY_HANDLE_INVALID;
    rv = view->below->C_OpenSession(w->tokens[view->slot].lower_slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
    if (rv != CKR_OK)
        return rv;
    rv = view->below->C_SignInit(session, mechanism, key);
    if (rv == CKR_OK)
        *ret = session;
    else
        view->below->C_CloseSession(session);
    return rv;
}

CK_RV signing_begin(struct world *w, const struct session_view *view, const CK_MECHANISM *mechanism,
                    CK_OBJECT_HANDLE key)
{
    struct signing *g = NULL;
    CK_SESSION_HANDLE probe = CK_INVALID_HANDLE;
    struct fault f = {0};
    CK_MECHANISM asked = *mechanism;
    CK_RV rv;

    if (view->session->signing)
        return CKR_OPERATION_ACTIVE;
    if (!parameter_says_all(&asked)) {
        fault_set(&f, E_REFUSED, "C_Sign: a mechanism with this parameter is not yet carried out under approvals");
        return gate_refuse(OP_USE, &f);
    }
    /* Whether key and mechanism go together is the HSM's to say; nothing is signed. */
    rv = own_session(w, view, &asked, key, &probe);
    if (rv != CKR_OK)
        return rv;
    view->below->C_CloseSession(probe);
    g = calloc(1, sizeof(*g));
    if (!g)
        return CKR_HOST_MEMORY;
    *g = (struct signing){.mechanism = {asked.mechanism, NULL, 0}, .key = key, .data = BUF(LIMIT_DOCUMENT)};
    if (asked.pParameter && asked.ulParameterLen) {
        g->mechanism.pParameter = malloc(asked.ulParameterLen);
        if (!g->mechanism.pParameter) {
            free(g);
            return CKR_HOST_MEMORY;
        }
        memcpy(g->mechanism.pParameter, asked.pParameter, asked.ulParameterLen);
        g->mechanism.ulParameterLen = asked.ulParameterLen;
    }
    view->session->signing = g; /* taken by the session */
    atomic_store(&view->session->governed, true);
    return CKR_OK;
}

/* What is to be signed, as people see it. */
static json_t *data_json(const struct signing *g)
{
    json_t *json = json_object();
    struct digest digest = {0};

    if (digest_one(&digest, buf_span(&g->data)) &&
        json_put_string(json, "kind", signs_digest(g->mechanism.mechanism) ? "digest" : "message") &&
        json_put_digest(json, "sha256", &digest))
        return json;
    json_decref(json);
    return NULL;
}

static CK_RV sign_below(const struct world *w, const struct session_view *view, struct signing *g,
                        unsigned char *signature, CK_ULONG *len)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_RV rv = own_session(w, view, &g->mechanism, g->key, &session);

    if (rv != CKR_OK)
        return rv;
    rv = view->below->C_Sign(session, g->data.data, g->data.len, signature, len);
    view->below->C_CloseSession(session);
    return rv;
}

/* What was signed stands in the entry as it stood in the request (docs/FORMAT.md). */
static enum outcome used_log(struct estate *e, uint64_t intent, const struct request *r, const struct state_key *key,
                             struct span signature, struct fault *f)
{
    const json_t *subject = r->subject->json;
    json_t *body = json_object();
    struct digest digest = {0};
    bool good = digest_one(&digest, signature) && json_put_integer(body, "intent", (int64_t)intent) &&
                json_put_digest(body, "request", &r->id) && json_put_string(body, "label", key->label) &&
                json_put_string(body, "token", key->token) && json_put_digest(body, "signature", &digest) &&
                json_put_string(body, "data", json_string_or_null(json_object_get(subject, "data"), "sha256")) &&
                json_put_string(body, "function", r->subject->function) &&
                json_put(body, "mechanism", json_deep_copy(json_object_get(subject, "mechanism")));
    enum outcome result = good ? estate_append(e, ENTRY_USED, body, NULL, f) : fault_memory(f);

    json_decref(body);
    return result;
}

static void unused_log(struct estate *e, uint64_t intent, CK_RV rv)
{
    json_t *body = json_object();
    char reason[64];
    struct fault ignored = {0};

    snprintf(reason, sizeof(reason), "C_Sign: %s", rv_name(rv));
    if (json_put_integer(body, "intent", (int64_t)intent) && json_put_string(body, "reason", reason))
        estate_append(e, ENTRY_ROLLED_BACK, body, NULL, &ignored);
    json_decref(body);
}

/* Approved: the intent, the signature, the entry that says so, and only then the application. */
static CK_RV sign_approved(struct world *w, const struct session_view *view, struct signing *g, const struct request *r,
                           const struct object_facts *facts, unsigned char *signature, CK_ULONG *len)
{
    const struct state_key *key = NULL;
    CK_ULONG room = *len;
    uint64_t intent = 0;
    struct fault f = {0};
    CK_RV rv;

    if (estate_intend(w->estate, r, &w->context, NULL, &intent, &f) != OK)
        return gate_fault(&f);
    rv = sign_below(w, view, g, signature, &room);
    if (rv != CKR_OK) {
        unused_log(w->estate, intent, rv);
        return rv;
    }
    key = object_key(w, view->slot, facts);
    if (!key || used_log(w->estate, intent, r, key, span_of(signature, room), &f) != OK) {
        explicit_bzero(signature, room);
        return key ? gate_fault(&f) : CKR_KEY_HANDLE_INVALID;
    }
    *len = room;
    return CKR_OK;
}

/* The buffer conventions of PKCS#11 2.40, section 5.2: a question for the length leaves the operation as it is, and
 * asks nobody. */
static CK_RV sign_sized(const struct world *w, const struct session_view *view, struct signing *g,
                        const unsigned char *signature, CK_ULONG *len, bool *ret_done)
{
    CK_ULONG need = 0;
    CK_RV rv = sign_below(w, view, g, NULL, &need);

    *ret_done = true;
    if (rv != CKR_OK)
        return rv;
    *ret_done = !signature || *len < need;
    rv = signature && *len < need ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    if (*ret_done)
        *len = need;
    return rv;
}

static CK_RV sign_finish(struct world *w, const struct session_view *view, struct signing *g, unsigned char *signature,
                         CK_ULONG *len)
{
    struct object_facts facts;
    struct answer answer = {0};
    const struct state_key *key = NULL;
    json_t *data = NULL;
    CK_RV rv = CKR_KEY_HANDLE_INVALID;

    if (gate_object(w, view, g->key, &facts, NULL))
        key = object_key(w, view->slot, &facts);
    if (!key)
        return rv;
    data = data_json(g);
    struct question q = {.operation = OP_USE,
                         .slot = view->slot,
                         .function = "C_Sign",
                         .mechanism = &g->mechanism,
                         .label = key->label,
                         .class_name = class_name(facts.class),
                         .object = 1,
                         .key = key,
                         .data = data};
    rv = data ? gate_ask(w, &q, &answer) : CKR_HOST_MEMORY;
    if (rv == CKR_OK && answer.plain)
        rv = sign_below(w, view, g, signature, len);
    else if (rv == CKR_OK)
        rv = sign_approved(w, view, g, answer.request, &facts, signature, len);
    answer_clear(&answer);
    json_decref(data);
    return rv;
}

/* C_Sign and C_SignFinal end alike; `data` is what C_Sign adds. */
static CK_RV signing_finish(CK_SESSION_HANDLE session, const unsigned char *data, CK_ULONG data_len,
                            unsigned char *signature, CK_ULONG *len)
{
    struct world *w = NULL;
    struct session_view view;
    size_t before = 0;
    bool done = false;
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    rv = CKR_OPERATION_NOT_INITIALIZED;
    if (!session_view(session, &view) || !view.session->signing)
        goto out;
    before = view.session->signing->data.len;
    buf_put(&view.session->signing->data, data, data_len);
    if (view.session->signing->data.failed) {
        rv = CKR_DATA_LEN_RANGE;
        signing_end(view.session);
        goto out;
    }
    rv = sign_sized(w, &view, view.session->signing, signature, len, &done);
    if (done && (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)) {
        view.session->signing->data.len = before; /* the caller will pass it again */
        goto out;
    }
    if (!done)
        rv = sign_finish(w, &view, view.session->signing, signature, len);
    signing_end(view.session);
out:
    gate_close(w);
    return rv;
}

CK_RV our_C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    struct session_view view;
    CK_MECHANISM once; /* what is judged is what goes down */
    struct world *w = NULL;
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    enum use_way way = USE_WAY_GOVERNED;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!mechanism)
        return CKR_ARGUMENTS_BAD;
    if (atomic_load_explicit(&view.session->governed, memory_order_acquire))
        return CKR_OPERATION_ACTIVE;
    once = *mechanism;
    rv = use_judge(&view, key, "C_Sign", &once, true, &lower, &way);
    if (rv != CKR_OK)
        return rv;
    if (way == USE_WAY_PLAIN)
        return view.below->C_SignInit(view.lower, &once, lower);
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = session_view(session, &view) ? signing_begin(w, &view, &once, key) : CKR_SESSION_HANDLE_INVALID;
    gate_close(w);
    return rv;
}

CK_RV our_C_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
                 CK_ULONG_PTR signature_len)
{
    struct session_view view;

    if (!session_view(session, &view))
        return session_unknown();
    if (!atomic_load_explicit(&view.session->governed, memory_order_acquire))
        return view.below->C_Sign(view.lower, data, data_len, signature, signature_len);
    if ((!data && data_len) || !signature_len)
        return CKR_ARGUMENTS_BAD;
    return signing_finish(session, data, data_len, signature, signature_len);
}

CK_RV our_C_SignUpdate(CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_len)
{
    struct session_view view;
    struct world *w = NULL;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    if (!atomic_load_explicit(&view.session->governed, memory_order_acquire))
        return view.below->C_SignUpdate(view.lower, part, part_len);
    if (!part && part_len)
        return CKR_ARGUMENTS_BAD;
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = CKR_OPERATION_NOT_INITIALIZED;
    if (session_view(session, &view) && view.session->signing) {
        buf_put(&view.session->signing->data, part, part_len);
        rv = view.session->signing->data.failed ? CKR_DATA_LEN_RANGE : CKR_OK;
        if (rv != CKR_OK)
            signing_end(view.session);
    }
    gate_close(w);
    return rv;
}

CK_RV our_C_SignFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG_PTR signature_len)
{
    struct session_view view;

    if (!session_view(session, &view))
        return session_unknown();
    if (!atomic_load_explicit(&view.session->governed, memory_order_acquire))
        return view.below->C_SignFinal(view.lower, signature, signature_len);
    if (!signature_len)
        return CKR_ARGUMENTS_BAD;
    return signing_finish(session, NULL, 0, signature, signature_len);
}
