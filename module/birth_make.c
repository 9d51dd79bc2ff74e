#include "module/birth_work.h"

/* The session original differs from the final key in TOKEN, EXTRACTABLE and CKA_ID only (design, section 7, step 1); a key
 * that is made where it stays in CKA_ID alone. */
static enum outcome original_template(const struct birth_work *k, const struct template *final, bool secret,
                                      struct template *ret, struct fault *f)
{
    struct span id = buf_span(&k->id);
    struct template t = {0};
    enum outcome outcome = template_copy(final->items, final->count, &t, f);
    if (outcome == OK && !k->direct)
        outcome = template_set_bool(&t, CKA_TOKEN, false, f);
    if (outcome == OK && secret && !k->direct)
        outcome = template_set_bool(&t, CKA_EXTRACTABLE, true, f);
    if (outcome == OK)
        outcome = template_set(&t, CKA_ID, id.data, (CK_ULONG)id.len, f);
    if (outcome == OK) {
        *ret = t;
        t = (struct template){0}; /* taken by *ret */
    }
    template_clear(&t);
    return outcome;
}

enum outcome birth_make(struct birth_work *k, struct fault *f)
{
    struct template secret = {0}, public = {0};
    const struct key_template *want = k->b->template;
    CK_MECHANISM mechanism = *k->b->mechanism;
    CK_FUNCTION_LIST *p11 = k->primary.f;
    CK_SESSION_HANDLE session = k->primary.session;
    CK_RV rv = CKR_OK;

    enum outcome outcome = original_template(k, &want->secret, true, &secret, f);
    if (outcome == OK && want->pair)
        outcome = original_template(k, &want->public, false, &public, f);
    if (outcome != OK)
        goto out;
    if (want->pair)
        rv = p11->C_GenerateKeyPair(session, &mechanism, public.items, public.count, secret.items, secret.count,
                                    &k->session_public, &k->session_secret);
    else
        rv = p11->C_GenerateKey(session, &mechanism, secret.items, secret.count, &k->session_secret);
    if (rv != CKR_OK) {
        outcome = site_fault(&k->primary, want->pair ? "C_GenerateKeyPair" : "C_GenerateKey", rv, f);
        goto out;
    }
    outcome = site_compare(&k->primary, k->session_secret, &secret, f);
    if (outcome == OK && want->pair)
        outcome = site_spki(&k->primary, k->session_public, &k->spki, f);
out:
    template_clear(&secret);
    template_clear(&public);
    return outcome;
}
