#include "module/visit.h"

#include <stdlib.h>
#include <string.h>

#include "module/drill.h"
#include "module/site_accept.h"

enum outcome visit_open(struct visit *v, struct fault *f)
{
    if (v->link.binding != NULL)
        return OK;
    return site_link_open(v->lower, v->token, &v->bound, v->how, &v->link, f);
}

enum outcome visit_ready(struct visit *v, struct fault *f)
{
    if (v->serial == NULL)
        return fault_set(f, E_REFUSED, "%s at %s is not enrolled: run `quorate enrol`", v->token, v->bound.site);
    enum outcome outcome = visit_open(v, f);
    if (outcome == OK)
        outcome = site_ready(&v->link, &v->estate, v->serial, &v->pinned, f);
    v->takes_rsa_aes = outcome == OK && wrapping_offered(&v->link, CKF_UNWRAP);
    return outcome;
}

enum outcome visit_take(struct visit *v, struct fault *f)
{
    enum outcome outcome = visit_open(v, f);
    receipt_clear(&v->receipt);
    v->wrapping_unknown = false;
    if (outcome == OK)
        outcome = site_accept(&v->link, &v->pinned, &v->estate, &v->offer, &v->offer_digest, span_of(NULL, 0),
                              &v->receipt, &v->wrapping_unknown, f);
    return outcome;
}

enum outcome visit_clone(struct visit *v, struct fault *f)
{
    enum outcome outcome = visit_open(v, f);
    receipt_clear(&v->receipt);
    v->clone_wrong = false;
    if (outcome == OK)
        outcome = site_accept_clone(&v->link, &v->pinned, &v->estate, &v->offer, &v->offer_digest, buf_span(&v->id),
                                    &v->receipt, &v->clone_wrong, f);
    return outcome;
}

enum outcome visit_name(struct visit *v, struct fault *f)
{
    enum outcome outcome = visit_open(v, f);
    return outcome == OK ? site_rename(&v->link, buf_span(&v->id), buf_span(&v->wanted), v->label, f) : outcome;
}

enum outcome visit_withdraw(struct visit *v, struct fault *f)
{
    enum outcome outcome = visit_open(v, f);
    return outcome == OK ? site_destroy(&v->link, buf_span(&v->id), f) : outcome;
}

enum outcome visit_destroy(struct visit *v, struct fault *f)
{
    enum outcome outcome = visit_open(v, f);
    return outcome == OK ? site_key_destroy(&v->link, v->class, buf_span(&v->id), buf_span(&v->public_key), f)
                         : outcome;
}

/* The key by the id that it had, else by the one that it may have got already. */
static enum outcome key_find(const struct visit *v, CK_OBJECT_HANDLE *ret, struct fault *f)
{
    const CK_ATTRIBUTE *other = template_find(&v->attributes, CKA_ID);
    enum outcome outcome = site_find_one(&v->link, v->class, buf_span(&v->id), ret, f);
    if (outcome == E_ABSENT && other != NULL)
        outcome = site_find_one(&v->link, v->class, span_of(other->pValue, other->ulValueLen), ret, f);
    return outcome;
}

enum outcome visit_holds(struct visit *v, struct fault *f)
{
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    enum outcome outcome = visit_open(v, f);
    return outcome == OK ? key_find(v, &key, f) : outcome;
}

enum outcome visit_change(struct visit *v, struct fault *f)
{
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    enum outcome outcome = visit_open(v, f);
    if (outcome == OK)
        outcome = key_find(v, &key, f);
    if (outcome == OK) {
        CK_RV rv = v->link.f->C_SetAttributeValue(v->link.session, key, v->attributes.items, v->attributes.count);
        if (rv != CKR_OK)
            outcome = site_fault(&v->link, "C_SetAttributeValue", rv, f);
    }
    return outcome == OK ? site_compare(&v->link, key, &v->attributes, f) : outcome;
}

enum outcome visit_compare(struct visit *v, struct fault *f)
{
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    enum outcome outcome = visit_open(v, f);
    if (outcome == OK)
        outcome = key_find(v, &key, f);
    return outcome == OK ? site_compare(&v->link, key, &v->attributes, f) : outcome;
}

enum outcome visit_heads(struct visit *v, struct fault *f)
{
    heads_clear(&v->heads);
    if (visit_open(v, f) != OK)
        return fault_set(f, E_ABSENT, "%s at %s is not reached", v->token, v->bound.site);
    return heads_read(&v->link, v->origin, &v->heads, f);
}

/* Without a login first, as public objects need none by the standard. */
static enum outcome head_put(struct visit *v, struct fault *f)
{
    CK_RV rv = CKR_OK;
    enum outcome outcome = head_make(&v->link, v->origin, buf_span(&v->note), &rv, f);
    if (outcome == OK || rv != CKR_USER_NOT_LOGGED_IN || v->how == SITE_EITHER)
        return outcome;
    site_close(&v->link);
    v->how = SITE_EITHER;
    outcome = visit_open(v, f);
    return outcome == OK ? head_make(&v->link, v->origin, buf_span(&v->note), &rv, f) : outcome;
}

enum outcome visit_head_put(struct visit *v, struct fault *f)
{
    enum outcome outcome = visit_open(v, f);
    if (outcome == OK && v->note.len > 0)
        outcome = head_put(v, f);
    if (outcome != OK)
        return outcome;
    for (size_t i = 0; i < v->heads.count; i++) {
        CK_RV rv = v->link.f->C_DestroyObject(v->link.session, v->heads.items[i].object);
        if (rv != CKR_OK && rv != CKR_OBJECT_HANDLE_INVALID) /* another process was quicker */
            outcome = site_fault(&v->link, "deleting an older head of the log", rv, f);
    }
    return outcome;
}

enum outcome visit_drill(struct visit *v, struct fault *f)
{
    enum outcome outcome = visit_ready(v, f);
    drill_clear(&v->drill);
    if (outcome == OK)
        outcome = site_drill(&v->link, &v->pinned, &v->estate, &v->challenge, v->asked->targets, v->asked->count,
                             &v->drill, f);
    return outcome;
}

enum outcome visit_close(struct visit *v, struct fault *f)
{
    (void)f;
    site_close(&v->link);
    return OK;
}

void visit_free(struct visit *v)
{
    if (v == NULL)
        return;
    site_close(&v->link);
    wrapping_place_free(v->place);
    if (v->lower != NULL)
        lower_drop(v->lower);
    lock_release(v->lock);
    binding_clear(&v->bound);
    site_keys_clear(&v->pinned);
    offer_clear(&v->offer);
    receipt_clear(&v->receipt);
    drill_clear(&v->drill);
    listing_clear(&v->listing);
    json_decref(v->drill_keys);
    drill_asked_free(v->asked);
    template_clear(&v->attributes);
    buf_free(&v->id);
    buf_free(&v->wanted);
    buf_free(&v->public_key);
    buf_free(&v->message);
    buf_free(&v->answer);
    buf_free(&v->note);
    heads_clear(&v->heads);
    free(v->origin);
    free(v->label);
    free(v->rule);
    free(v->token);
    free(v->serial);
    free(v);
}

void visit_late(void *visit)
{
    struct visit *v = visit;
    struct lower *in = v->in;
    struct fault ignored = {0};
    if (v->place != NULL)
        wrapping_place_close(v->place, &ignored);
    if (v->run == visit_take && v->link.binding != NULL)
        site_destroy(&v->link, buf_span(&v->id), &ignored);
    if (in == NULL) {
        visit_free(v);
        return;
    }
    lower_hold(in);
    visit_free(v);
    lower_overdue(in, false);
    lower_drop(in);
}
