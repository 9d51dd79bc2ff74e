#include <string.h>

#include "core/encode.h"
#include "module/governed_inner.h"
#include "module/grant.h"
#include "module/lease.h"
#include "module/provisional.h"
#include "module/use.h"

/* Mechanisms that sign what they are given without hashing it. */
static bool signs_digest(const struct governed *g)
{
    CK_MECHANISM_TYPE m = g->mechanism.m.mechanism;

    return (g->kind == GOVERNED_SIGN || g->kind == GOVERNED_SIGN_MESSAGE) &&
           (m == CKM_ECDSA || m == CKM_RSA_PKCS || m == CKM_RSA_PKCS_PSS || m == CKM_RSA_X_509);
}

/* parameter: of the message, gets what comes out in it. */
static CK_RV finish_below(const struct world *w, const struct session_view *view, const struct governed *g,
                          const struct governed_end *end, struct message_parameter *parameter)
{
    struct governed_end whole = *end;
    CK_ULONG room = end->out_len ? *end->out_len : 0;
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_RV rv = governed_own(w, view, g, &session);

    if (rv != CKR_OK && rv != CKR_USER_NOT_LOGGED_IN)
        rv = rv_inner(rv); /* the application began its operation long ago */
    if (rv != CKR_OK)
        return rv;
    whole.data = g->data.len ? g->data.data : (const unsigned char *)"";
    whole.data_len = g->data.len;
    if (g->kind < GOVERNED_ENCRYPT_MESSAGE)
        rv = below_once(view->below, session, g->kind, &whole);
    else
        rv = below_message(session_below_3_0(view), session, g, &whole, parameter);
    if (rv == CKR_OK && end->out && end->out_len && *end->out_len > room)
        rv = CKR_DEVICE_ERROR; /* more than there was room for: what it says of itself is not true */
    view->below->C_CloseSession(session);
    return rv;
}

/* *ret_done: that was all; else *ret_need bytes may come out. */
static CK_RV approved_size(const struct world *w, const struct session_view *view, const struct governed *g,
                           const struct governed_end *end, bool *ret_done, CK_ULONG *ret_need)
{
    CK_ULONG need = 0;
    struct governed_end ask = {.out_len = &need};
    struct message_parameter unused = g->parameter;
    CK_RV rv;

    if (!end->out_len) {
        *ret_done = false;
        return CKR_OK;
    }
    rv = finish_below(w, view, g, &ask, &unused);
    *ret_done = true;
    if (rv != CKR_OK)
        return rv;
    *ret_done = !end->out || *end->out_len < need;
    rv = end->out && *end->out_len < need ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    if (*ret_done)
        *end->out_len = need;
    *ret_need = need;
    return rv;
}

/* A MAC that does not verify was verified, too. */
static bool was_verified(const struct governed *g, CK_RV rv)
{
    return (g->kind == GOVERNED_VERIFY || g->kind == GOVERNED_VERIFY_MESSAGE) &&
           (rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE);
}

/* What a ceremony's step signs stands in the entry itself: a runner that dies before it kept the signature finds it there. */
static json_t *used_body(const struct world *w, const struct governed *g, const struct grant *grant, struct span out)
{
    const struct ceremony_fact *c = w->context.ceremony;
    json_t *body = grant_used(grant, out);

    if (!body || !c || c->operation != OP_USE || g->kind != GOVERNED_SIGN || json_put_bytes_hex(body, "value", out))
        return body;
    json_decref(body);
    return NULL;
}

/* Approved: the intent, the HSM, the entry that says so, and only then the application. */
static CK_RV approved_do(struct world *w, const struct session_view *view, struct governed *g, struct grant *grant,
                         const struct governed_end *end, CK_ULONG need)
{
    struct buf out = BUF(need + 1 + MESSAGE_IV + MESSAGE_TAG);
    CK_ULONG len = need;
    struct governed_end kept = *end;
    CK_RV rv;

    buf_zeros(&out, need ? need : 1); /* never NULL: that would ask for a length again */
    if (out.failed) {
        rv = CKR_HOST_MEMORY;
        goto out;
    }
    if (end->out_len) {
        kept.out = out.data;
        kept.out_len = &len;
    }
    rv = grant_begin(w, grant, NULL);
    if (rv == CKR_OK)
        rv = finish_below(w, view, g, &kept, &g->parameter);
    if (rv == CKR_OK || was_verified(g, rv)) {
        CK_RV ended = CKR_HOST_MEMORY;

        out.len = end->out_len ? len : 0;
        message_parameter_result(&g->parameter, &out);
        if (!out.failed)
            ended = grant_end(w, grant, ENTRY_USED, used_body(w, g, grant, buf_span(&out)));
        rv = ended == CKR_OK ? rv : ended;
    }
    grant_undo(w, grant, governed_function(g->kind), rv);
    if (rv == CKR_OK && end->out_len) {
        memcpy(end->out, out.data, len);
        *end->out_len = len;
        message_parameter_give(&g->parameter);
    }
out:
    buf_free(&out);
    return rv;
}

/* What is fed, and what else belongs to a message, as people see it. */
static json_t *data_json(const struct governed *g)
{
    struct buf parameter = BUF(LIMIT_ATTRIBUTE), hex = BUF(2 * LIMIT_ATTRIBUTE + 8);
    json_t *json = json_object();
    struct digest digest = {0}, associated = {0};
    bool good = digest_one(&digest, buf_span(&g->data)) && digest_one(&associated, buf_span(&g->associated)) &&
                json_put_string(json, "kind", signs_digest(g) ? "digest" : "message") &&
                json_put_digest(json, "sha256", &digest);

    if (good && g->associated.len)
        good = json_put_digest(json, "associated", &associated);
    if (good && g->parameter.layout) {
        message_parameter_put(&g->parameter, &parameter);
        buf_puts(&hex, "hex:");
        hex_put(&hex, buf_span(&parameter));
        good = !parameter.failed && !hex.failed && json_put_string(json, "parameter", buf_str(&hex));
    }
    buf_free(&parameter);
    buf_free(&hex);
    if (good)
        return json;
    json_decref(json);
    return NULL;
}

/* Messages draw one by one from a rule that grants uses in number. */
static CK_RV approved_ask(struct world *w, const struct governed *g, struct governed_target *t, struct grant *ret)
{
    const struct lease_want want = {g->key, g->kind, g->mechanism.m.mechanism, true};
    bool message = g->kind >= GOVERNED_ENCRYPT_MESSAGE;
    json_t *data = NULL;
    CK_RV rv = message && t->plain ? use_key_in_order(w, &t->question, t->key) : CKR_OK;

    if (rv != CKR_OK)
        return rv;
    if (message && rule_leases(t->rule)) {
        ret->answer.plain = true;
        return lease_use(w, &t->question, t->rule, &want);
    }
    rv = provisional_data(w, &t->question, buf_span(&g->data));
    if (rv != CKR_OK)
        return rv;
    data = data_json(g);
    t->question.data = data;
    rv = data ? grant_ask(w, &t->question, ret) : CKR_HOST_MEMORY;
    json_decref(data);
    t->question.data = NULL;
    return rv;
}

CK_RV approved_finish(struct world *w, const struct session_view *view, struct governed *g,
                      const struct governed_end *end, bool *ret_again)
{
    struct governed_target t;
    struct grant grant = {.operation = OP_USE};
    size_t before = g->data.len;
    CK_ULONG need = 0;
    bool done = false;
    CK_RV rv;

    *ret_again = false;
    buf_put(&g->data, end->data, end->data_len);
    if (g->data.failed)
        return CKR_DATA_LEN_RANGE;
    rv = approved_size(w, view, g, end, &done, &need);
    if (done) {
        *ret_again = comes_again(rv, end);
        if (*ret_again)
            g->data.len = before; /* the caller will pass it again */
        return rv;
    }
    rv = governed_target(w, view, g, &t);
    if (rv != CKR_OK)
        return rv == CKR_FUNCTION_REJECTED ? rv : rv_inner(rv);
    rv = approved_ask(w, g, &t, &grant);
    if (rv == CKR_OK)
        rv = approved_do(w, view, g, &grant, end, need);
    grant_clear(&grant);
    return rv;
}
