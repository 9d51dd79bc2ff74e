#include "module/slots.h"

#include <string.h>

#include "module/failover.h"
#include "module/functions.h"
#include "module/sessions.h"

void text_pad(unsigned char *ret, size_t size, const char *text)
{
    size_t len = strlen(text);

    memset(ret, ' ', size);
    memcpy(ret, text, len < size ? len : size);
}

static bool slot_shown(const struct world *w, CK_SLOT_ID slot)
{
    return slot < w->token_count && w->tokens[slot].primary && w->tokens[slot].primary[0];
}

CK_RV slot_token(const struct world *w, CK_SLOT_ID slot, struct shown_token **ret)
{
    if (!slot_shown(w, slot))
        return CKR_SLOT_ID_INVALID;
    if (!w->tokens[slot].lower)
        return CKR_TOKEN_NOT_PRESENT;
    *ret = &w->tokens[slot];
    return CKR_OK;
}

/* What questions about a slot's token need: bound, binding, lower and its slot; the lock is held only while the token is
 * looked up, for lower modules and their slots last as long as the world does. */
static CK_RV slot_lower(CK_SLOT_ID slot, struct shown_token *ret)
{
    struct world *w = world_current();
    struct shown_token *t = NULL;
    CK_RV rv;

    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    rv = slot_token(w, slot, &t);
    if (rv == CKR_OK) /* not the whole of it: a login is marked there without the lock */
        *ret = (struct shown_token){
            .bound = t->bound, .binding = t->binding, .lower = t->lower, .lower_slot = t->lower_slot};
    pthread_mutex_unlock(&w->lock);
    return rv;
}

/* Only where the lower module says that it is not there: one that fails may answer again. */
static bool token_gone(struct shown_token *t)
{
    struct fault f = {0};
    CK_SLOT_ID slot = t->lower_slot;

    if (lower_find(t->lower, t->serving->serial, &slot, &f) == E_ABSENT)
        return true;
    t->lower_slot = slot;
    return false;
}

void slots_look(struct world *w)
{
    struct fault ignored = {0};

    if (log_changed(w->estate->log) && estate_refresh(w->estate, &ignored) != OK)
        return;
    primaries_follow(w);
    for (size_t i = 0; i < w->token_count; i++)
        if (!w->tokens[i].lower) {
            if (world_look(w, &w->tokens[i], &ignored) != OK)
                failover_find(w, i, ignored.text);
        } else if (token_gone(&w->tokens[i])) {
            if (failover_find(w, i, "its token is gone"))
                continue;
            w->tokens[i].lower = NULL;
            sessions_lost(w, i);
        } else {
            failover_align(w, i);
        }
}

CK_RV our_C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count)
{
    struct world *w = world_current();
    CK_ULONG found = 0;
    CK_RV rv = CKR_OK;

    if (!count)
        return CKR_ARGUMENTS_BAD;
    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    if (!slots)
        slots_look(w);
    for (CK_SLOT_ID i = 0; i < w->token_count; i++) {
        if (!slot_shown(w, i) || (token_present && !w->tokens[i].lower))
            continue;
        if (slots && found < *count)
            slots[found] = i;
        found++;
    }
    if (slots && found > *count)
        rv = CKR_BUFFER_TOO_SMALL;
    *count = found;
    pthread_mutex_unlock(&w->lock);
    return rv;
}

CK_RV our_C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info)
{
    struct shown_token t;
    CK_RV rv;

    if (!info)
        return CKR_ARGUMENTS_BAD;
    rv = slot_lower(slot, &t);
    if (rv == CKR_OK)
        return t.lower->f->C_GetSlotInfo(t.lower_slot, info);
    if (rv != CKR_TOKEN_NOT_PRESENT)
        return rv;
    memset(info, 0, sizeof(*info));
    text_pad(info->slotDescription, sizeof(info->slotDescription), "Quorate: no HSM answers for this token");
    text_pad(info->manufacturerID, sizeof(info->manufacturerID), "Quorate");
    info->flags = CKF_REMOVABLE_DEVICE | CKF_HW_SLOT;
    return CKR_OK;
}

CK_RV our_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
    struct shown_token t;
    CK_RV rv;

    if (!info)
        return CKR_ARGUMENTS_BAD;
    rv = slot_lower(slot, &t);
    if (rv == CKR_OK)
        rv = t.lower->f->C_GetTokenInfo(t.lower_slot, info);
    if (rv == CKR_OK) {
        text_pad(info->label, sizeof(info->label), t.bound->id);
        info->flags &= ~CKF_ASYNC_SESSION_SUPPORTED;
        /* Applications then log in without a PIN (PKCS#11 2.40, section 5.6, C_Login). */
        if (t.binding && t.binding->login_by_module)
            info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
    }
    return rv;
}

CK_RV our_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR mechanisms, CK_ULONG_PTR count)
{
    struct shown_token t;
    CK_RV rv;

    if (!count)
        return CKR_ARGUMENTS_BAD;
    rv = slot_lower(slot, &t);
    return rv == CKR_OK ? t.lower->f->C_GetMechanismList(t.lower_slot, mechanisms, count) : rv;
}

CK_RV our_C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info)
{
    struct shown_token t;
    CK_RV rv;

    if (!info)
        return CKR_ARGUMENTS_BAD;
    rv = slot_lower(slot, &t);
    return rv == CKR_OK ? t.lower->f->C_GetMechanismInfo(t.lower_slot, type, info) : rv;
}
