#include <string.h>

#include "core/encode.h"
#include "module/governed_inner.h"
#include "module/grant.h"

/* Mechanisms that sign what they are given without hashing it. */
static bool signs_digest(const struct governed *g)
{
    CK_MECHANISM_TYPE m = g->mechanism.m.mechanism;

    return g->kind == GOVERNED_SIGN &&
           (m == CKM_ECDSA || m == CKM_RSA_PKCS || m == CKM_RSA_PKCS_PSS || m == CKM_RSA_X_509);
}

static CK_RV finish_below(const struct world *w, const struct session_view *view, const struct governed *g,
                          const struct governed_end *end)
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
    rv = below_once(view->below, session, g->kind, &whole);
    if (rv == CKR_OK && end->out && end->out_len && *end->out_len > room)
        rv = CKR_DEVICE_ERROR; /* more than there was room for: what it says of itself is not true */
    view->below->C_CloseSession(session);
    return rv;
}

CK_RV approved_size(const struct world *w, const struct session_view *view, const struct governed *g,
                    const struct governed_end *end, bool *ret_done, CK_ULONG *ret_need)
{
    CK_ULONG need = 0;
    struct governed_end ask = {.out_len = &need};
    CK_RV rv;

    if (!end->out_len) {
        *ret_done = false;
        return CKR_OK;
    }
    rv = finish_below(w, view, g, &ask);
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

/* Approved: the intent, the HSM, the entry that says so, and only then the application. */
static CK_RV approved_do(struct world *w, const struct session_view *view, const struct governed *g,
                         struct grant *grant, const struct governed_end *end, CK_ULONG need)
{
    struct buf out = BUF(need ? need : 1);
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
        rv = finish_below(w, view, g, &kept);
    /* A MAC that does not verify was verified, too. */
    if (rv == CKR_OK ||
        (g->kind == GOVERNED_VERIFY && (rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE))) {
        CK_RV ended = grant_end(w, grant, ENTRY_USED, grant_used(grant, span_of(kept.out, end->out_len ? len : 0)));

        rv = ended == CKR_OK ? rv : ended;
    }
    grant_undo(w, grant, governed_function(g->kind), rv);
    if (rv == CKR_OK && end->out_len) {
        memcpy(end->out, kept.out, len);
        *end->out_len = len;
    }
out:
    buf_free(&out);
    return rv;
}

/* What is fed, as people see it. */
static json_t *data_json(const struct governed *g)
{
    json_t *json = json_object();
    struct digest digest = {0};

    if (digest_one(&digest, buf_span(&g->data)) &&
        json_put_string(json, "kind", signs_digest(g) ? "digest" : "message") &&
        json_put_digest(json, "sha256", &digest))
        return json;
    json_decref(json);
    return NULL;
}

CK_RV approved_finish(struct world *w, const struct session_view *view, struct governed *g,
                      const struct governed_end *end, CK_ULONG need)
{
    struct governed_target t;
    struct grant grant = {.lock = NULL};
    json_t *data = NULL;
    CK_RV rv = governed_target(w, view, g, &t);

    if (rv != CKR_OK)
        return rv_inner(rv);
    data = data_json(g);
    t.question.data = data;
    rv = data ? grant_ask(w, &t.question, &grant) : CKR_HOST_MEMORY;
    if (rv == CKR_OK)
        rv = approved_do(w, view, g, &grant, end, need);
    grant_clear(&grant);
    json_decref(data);
    return rv;
}
