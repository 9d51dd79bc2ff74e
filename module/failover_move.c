#include "module/failover_move.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/governed.h"

struct left_session {
    const struct binding *site;
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE session;
    struct session *of; /* whose calls may still be on it, as of that place */
    CK_ULONG place;
    bool alive; /* its HSM answered when it was left */
};

static void left_keep(struct shown_token *t, const struct left_session *one)
{
    struct left_session *grown = reallocarray(t->left, t->left_count + 1, sizeof(*grown));

    if (!grown)
        return; /* open until the HSM's module is finalised */
    t->left = grown;
    grown[t->left_count++] = *one;
}

void left_close(struct shown_token *t, const char *site)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->left_count; i++) {
        const struct left_session *l = &t->left[i];
        bool wanted = l->alive || (site && strcmp(l->site->site, site) == 0);

        if (wanted && !session_making(l->of) && atomic_load(session_busy(l->of, l->place)) == 0)
            l->f->C_CloseSession(l->session);
        else
            t->left[kept++] = *l;
    }
    t->left_count = kept;
}

void left_forget(struct shown_token *t)
{
    free(t->left);
    t->left = NULL;
    t->left_count = 0;
}

/* A private or secret key must be one that the log knows at that site; a public key its half. */
static bool object_expected(const struct world *w, const char *token, const char *site, const struct object_facts *o)
{
    const char *class = o->class == CKO_PUBLIC_KEY ? "private-key" : class_name(o->class);
    const struct state_key *key = NULL;

    if (o->class != CKO_PUBLIC_KEY && !object_is_secret(o))
        return true;
    if (class)
        key = state_key(&w->estate->state, token, class, o->id, o->id[0] ? NULL : o->label);
    return key && strings_have(&key->sites, site);
}

/* CK_INVALID_HANDLE: not exactly one such object is there. */
static CK_OBJECT_HANDLE object_there(const struct world *w, const struct site_link *link, const struct object_facts *o)
{
    CK_BBOOL on_token = CK_TRUE;
    CK_OBJECT_CLASS class = o->class;
    struct buf id = BUF(LIMIT_LABEL), label = BUF(LIMIT_LABEL);
    CK_ATTRIBUTE match[4] = {{CKA_TOKEN, &on_token, sizeof(on_token)}, {CKA_CLASS, &class, sizeof(class)}};
    CK_ULONG parts = 2;
    CK_OBJECT_HANDLE found[2] = {CK_INVALID_HANDLE, CK_INVALID_HANDLE};
    struct fault ignored = {0};
    size_t count = 0;

    if (!o->on_token || o->label_bad || !object_expected(w, link->token, link->binding->site, o) ||
        hex_parse_buf(o->id, &id, &ignored) != OK)
        goto out;
    if (id.len)
        match[parts++] = (CK_ATTRIBUTE){CKA_ID, id.data, id.len};
    /* A key is known by its id, whatever others call it on the HSM. */
    if (!id.len || !(object_is_secret(o) || o->class == CKO_PUBLIC_KEY)) {
        buf_puts(&label, o->label);
        match[parts++] = (CK_ATTRIBUTE){CKA_LABEL, label.data, label.len};
    }
    if (site_find(link, match, parts, found, 2, &count, &ignored) != OK || count != 1)
        found[0] = CK_INVALID_HANDLE;
out:
    buf_free(&id);
    buf_free(&label);
    return found[0];
}

static void session_move(struct shown_token *t, struct session *s, const struct site_link *link, CK_ULONG place,
                         const struct lower *lower, bool alive)
{
    struct left_session old = {t->serving, atomic_load(&s->below), atomic_load(&s->lower),
                               s,          atomic_load(&s->place), alive};
    CK_SESSION_HANDLE fresh = CK_INVALID_HANDLE; /* where it cannot be opened, calls get CKR_SESSION_HANDLE_INVALID */

    session_reopen(s, link->f, link->slot, &fresh);
    governed_moved(s, link->f);
    atomic_store(&s->place, place | PLACE_MOVING);
    atomic_store(&s->below, link->f);
    atomic_store(&s->below_3_0, &lower->list_3_0);
    atomic_store(&s->lower, fresh);
    atomic_store(&s->place, place);
    if (old.site)
        left_keep(t, &old);
}

void slot_move(struct world *w, CK_SLOT_ID slot, struct site_link *link, bool alive)
{
    struct shown_token *t = &w->tokens[slot];
    struct lower *lower = world_lower(w, link->binding->module);
    struct object_facts facts;
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_ULONG place;
    struct session *s;
    uint32_t at = 0;

    t->turn++;
    place = slot | (CK_ULONG)t->turn << PLACE_TURN_SHIFT;
    objects_forget_sessions(slot); /* session objects are nowhere else */
    while (objects_next(slot, &at, &handle, &facts)) {
        CK_OBJECT_HANDLE there = object_there(w, link, &facts);

        if (there != CK_INVALID_HANDLE)
            object_move(handle, place, there);
    }
    if (atomic_load(&t->user_in))
        link->log_out = false; /* the application's from now on */
    for (at = 0; (s = sessions_next(slot, &at));)
        session_move(t, s, link, place | PLACE_WATCHED, lower, alive);
    t->lower = lower;
    t->lower_slot = link->slot;
    t->serving = link->binding;
    left_close(t, NULL);
}
