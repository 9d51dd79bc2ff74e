#include "module/birth_work.h"

static enum outcome copy_make(struct birth_work *k, CK_OBJECT_HANDLE from, bool secret, CK_OBJECT_HANDLE *ret,
                              struct fault *f)
{
    struct template t = {0};
    CK_RV rv = CKR_OK;
    enum outcome outcome = template_set_bool(&t, CKA_TOKEN, true, f);
    if (outcome == OK && secret && !template_bool(&k->b->template->secret, CKA_EXTRACTABLE, false))
        outcome = template_set_bool(&t, CKA_EXTRACTABLE, false, f);
    if (outcome == OK)
        outcome = template_set(&t, CKA_ID, k->id.data, (CK_ULONG)k->id.len, f);
    if (outcome == OK && (rv = k->primary.f->C_CopyObject(k->primary.session, from, t.items, t.count, ret)) != CKR_OK)
        outcome = site_fault(&k->primary, "C_CopyObject to the token", rv, f);
    template_clear(&t);
    return outcome;
}

/* A session original can still be wrapped: none may outlive the birth. */
static enum outcome original_destroy(struct birth_work *k, CK_OBJECT_HANDLE *handle, struct fault *f)
{
    if (*handle == CK_INVALID_HANDLE)
        return OK;
    CK_RV rv = k->primary.f->C_DestroyObject(k->primary.session, *handle);
    if (rv != CKR_OK)
        return site_fault(&k->primary, "destroying the session original", rv, f);
    *handle = CK_INVALID_HANDLE;
    return OK;
}

/* What wrapped the key is tidied away beside the copying. All are waited for. */
static enum outcome wrappings_end(struct birth_work *k, enum outcome so_far, struct fault *f)
{
    struct fault why = {0};
    enum outcome outcome = so_far, one = OK;
    while (replicas_next(&k->replicas, &one, &why) != NULL)
        if (one != OK && outcome == OK) {
            outcome = one;
            *f = why;
        }
    return outcome;
}

enum outcome birth_keep(struct birth_work *k, struct fault *f)
{
    const struct key_template *want = k->b->template;
    enum outcome outcome = OK;
    if (k->direct) { /* birth_make compared it */
        k->public = k->session_public;
        k->secret = k->session_secret;
        k->session_public = k->session_secret = CK_INVALID_HANDLE;
        k->held = true;
        return OK;
    }
    for (size_t i = 0; i < k->replicas.count && outcome == OK; i++)
        if (k->replicas.items[i].place != NULL)
            outcome = replica_begin(&k->replicas.items[i], VISIT_WRAP_END, f);
    if (outcome != OK)
        return wrappings_end(k, outcome, f);
    /* The public half first: the private one is what recovery goes by. */
    if (want->pair)
        outcome = copy_make(k, k->session_public, false, &k->public, f);
    if (outcome == OK && want->pair)
        outcome = site_made(&k->primary, k->public, CKO_PUBLIC_KEY, buf_span(&k->id), f);
    if (outcome == OK)
        outcome = copy_make(k, k->session_secret, true, &k->secret, f);
    if (outcome == OK)
        outcome = site_compare(&k->primary, k->secret, &want->secret, f);
    if (outcome == OK)
        outcome = original_destroy(k, &k->session_secret, f);
    if (outcome == OK)
        outcome = original_destroy(k, &k->session_public, f);
    outcome = wrappings_end(k, outcome, f);
    k->held = outcome == OK;
    return outcome;
}
