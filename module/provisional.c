#include "module/provisional.h"

#include <string.h>

#include "estate/to_be_signed.h"

static bool key_is_awaited(const struct world *w, const struct state_key *key)
{
    const struct state *s = &w->estate->state;

    return key && s->awaited_count && key >= s->awaited && key < s->awaited + s->awaited_count;
}

bool use_object(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE handle,
                struct object_facts *ret, CK_OBJECT_HANDLE *ret_lower, const struct state_key **ret_key)
{
    const struct state_key *awaited = NULL;

    if (!object_look(view, handle, ret, ret_lower))
        return false;
    if (!object_shown(w, view->slot, ret))
        awaited = object_key_awaited(w, view->slot, ret);
    if (!awaited && !gate_object(w, view, handle, ret, ret_lower))
        return false;
    *ret_key = awaited ? awaited : object_key(w, view->slot, ret);
    return true;
}

static CK_RV provisional_refuse(struct world *w, const struct question *q, const char *why)
{
    struct fault f = {0};

    fault_set(&f, E_REFUSED, "%s with \"%s\" on %s: the key is provisional, and %s", q->function, q->label,
              w->tokens[q->slot].bound->id, why);
    gate_log_finding(w, q, f.text);
    return gate_refuse(OP_USE, &f);
}

CK_RV provisional_judge(struct world *w, const struct question *q, const struct rule *rule)
{
    if (!key_is_awaited(w, q->key))
        return CKR_OK;
    if (strcmp(q->function, "C_Sign") != 0)
        return provisional_refuse(w, q, "until it is born it may at most sign its own certificate");
    if (!rule || rule->effect != EFFECT_REQUIRE || rule->uses_at_most)
        return provisional_refuse(w, q, "until it is born each use of it has to be approved by itself");
    return CKR_OK;
}

CK_RV provisional_data(struct world *w, const struct question *q, struct span data)
{
    static const struct digest none = {{0}};
    struct buf tbs = BUF(LIMIT_CERTIFICATE);
    struct digest digest = {0};
    struct fault f = {0};
    CK_RV rv = CKR_OK;

    if (!key_is_awaited(w, q->key))
        return CKR_OK;
    if (digest_equal(&w->tbs, &none))
        rv = provisional_refuse(w, q, "the step does not say which certificate it signs");
    else if (estate_kept(w->estate, "artifacts", "", &w->tbs, &tbs, &f) != OK || !digest_one(&digest, data) ||
             self_signed_check(buf_span(&tbs), buf_span(&q->key->public_key), &digest, &f) != OK)
        rv = provisional_refuse(w, q, f.text[0] ? f.text : "what it signs cannot be read");
    buf_free(&tbs);
    return rv;
}
