#include "module/functions.h"
#include "module/head.h"
#include "module/key_sites.h"

/* C_DestroyObject. A key with replicas dies at every site that is reached from here, which only an intent makes safe. */

static CK_RV destroy_sites(struct world *w, const struct session_view *view, const struct object_facts *facts,
                           bool plain, struct key_sites *ret)
{
    const struct state_key *key = object_key(w, view->slot, facts);
    struct fault f = {0};

    if (!key)
        return CKR_OK;
    if (key_sites_of(w, key, ret, &f) != OK || ((!plain || !key_alone(key)) && key_sites_ready(w, ret, &f) != OK))
        return gate_fault(&f);
    return CKR_OK;
}

static CK_RV destroy_log(struct world *w, struct grant *g, const struct key_sites *key)
{
    json_t *body = NULL;
    struct fault f = {0};
    CK_RV rv;

    if (!key->token)
        return grant_end(w, g, ENTRY_USED, grant_used(g, (struct span){NULL, 0}));
    body = destroyed_body(key);
    if (!g->answer.plain)
        return grant_end(w, g, ENTRY_DESTROYED, body);
    if (!body)
        return CKR_HOST_MEMORY;
    rv = estate_append(w->estate, ENTRY_DESTROYED, body, NULL, &f) == OK ? CKR_OK : gate_fault(&f);
    json_decref(body);
    return rv;
}

/* A key's end is logged when the HSM no longer knows it, not when it says so. */
static CK_RV destroyed_look(const struct session_view *view, CK_OBJECT_HANDLE lower, const struct key_sites *key)
{
    CK_OBJECT_CLASS class = 0;
    CK_ATTRIBUTE a = {CKA_CLASS, &class, sizeof class};
    struct fault f = {0};
    CK_RV rv = view->below->C_GetAttributeValue(view->lower, lower, &a, 1);

    if (rv == CKR_OBJECT_HANDLE_INVALID)
        return CKR_OK;
    fault_set(&f, E_DEVICE, "%s: the HSM says that it destroyed \"%s\", but not that it is gone (%s)", key->token,
              key->label, rv_name(rv));
    return gate_fault(&f);
}

/* The replicas first, by the CKA_ID; what a death leaves is finished by recovery. Sites that judge by themselves are told
 * when nothing here can be given up any more, for they take nothing back; where one is away the key is left. */
static CK_RV destroy_carry(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE object,
                           CK_OBJECT_HANDLE lower, struct grant *g, struct key_sites *key)
{
    json_t *more = key_sites_more(key);
    struct fault f = {0};
    size_t tried = 0;
    CK_RV rv = grant_begin(w, g, more);

    json_decref(more);
    for (size_t i = 1; rv == CKR_OK && i < key->sites.count; i++) {
        tried++; /* from here on only forward */
        if (key_destroy_at(w, key, key->sites.items[i], &f) != OK)
            rv = gate_fault(&f);
    }
    if (rv == CKR_OK)
        rv = view->below->C_DestroyObject(view->lower, lower);
    tried += rv == CKR_OK;
    if (rv == CKR_OK && key->token)
        rv = destroyed_look(view, lower, key);
    if (rv == CKR_OK)
        object_forget(object);
    /* The public half too, as everywhere; its own handle finds nothing from then on. */
    if (rv == CKR_OK && key->token && key->id[0] && !g->answer.plain &&
        key_destroy_at(w, key, key->sites.items[0], &f) != OK)
        rv = gate_fault(&f);
    if (rv == CKR_OK && key->token && !g->answer.plain && key_destroy_far(w, key, &f) != OK)
        rv = gate_fault(&f);
    if (rv == CKR_OK)
        rv = destroy_log(w, g, key);
    if (rv == CKR_OK && key->token && !g->answer.plain)
        heads_renew(w, key->token, &f); /* what is gone is gone: an older head will do */
    if (rv != CKR_OK && tried == 0)
        grant_undo(w, g, "C_DestroyObject", rv);
    return rv;
}

/* The same where a rule plainly allows it: nobody's approval binds the sites together, so the log's word comes first. */
static CK_RV destroy_freely(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE object,
                            CK_OBJECT_HANDLE lower, struct key_sites *key)
{
    struct strings cleared = {0};
    struct fault f = {0}, ignored = {0};
    size_t here = key->sites.count;
    CK_RV rv = key_end_log(w, key, &f) == OK ? CKR_OK : gate_fault(&f);

    if (rv != CKR_OK)
        return rv;
    object_forget(object);
    rv = view->below->C_DestroyObject(view->lower, lower);
    for (size_t i = 0; i < here; i++)
        if (key_destroy_at(w, key, key->sites.items[i], &ignored) == OK && !strings_add(&cleared, key->sites.items[i]))
            rv = CKR_HOST_MEMORY;
    if (key_destroy_far(w, key, &f) != OK)
        rv = gate_fault(&f);
    for (size_t i = here; i < key->sites.count; i++)
        if (!strings_add(&cleared, key->sites.items[i]))
            rv = CKR_HOST_MEMORY;
    if (key_cleared_log(w, key->born, &cleared, &f) != OK)
        rv = gate_fault(&f);
    else
        heads_renew(w, key->token, &ignored);
    strings_free(&cleared);
    return rv;
}

static CK_RV destroy(struct world *w, const struct session_view *view, CK_OBJECT_HANDLE object)
{
    CK_OBJECT_HANDLE lower = CK_INVALID_HANDLE;
    struct grant grant = {.answer = {.plain = true}};
    struct key_sites sites = {.token = NULL};
    const struct state_key *key = NULL;
    struct object_facts facts;
    CK_RV rv;

    if (!gate_object(w, view, object, &facts, &lower)) {
        gate_log_unfit(w, view->slot, OP_DESTROY, "C_DestroyObject", STRAY_HANDLE);
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (facts.label_bad)
        return CKR_ACTION_PROHIBITED;
    key = object_key(w, view->slot, &facts);
    struct question q = {.operation = OP_DESTROY,
                         .slot = view->slot,
                         .function = "C_DestroyObject",
                         .label = key ? key->label : facts.label,
                         .class_name = class_name(facts.class),
                         .object = facts.on_token,
                         .key = key};
    rv = grant_ask(w, &q, &grant);
    if (rv == CKR_OK)
        rv = destroy_sites(w, view, &facts, grant.answer.plain, &sites);
    if (rv == CKR_OK && grant.answer.plain && sites.token && sites.sites.count + sites.left.count > 1)
        rv = destroy_freely(w, view, object, lower, &sites);
    else if (rv == CKR_OK)
        rv = destroy_carry(w, view, object, lower, &grant, &sites);
    grant_clear(&grant);
    key_sites_clear(&sites);
    return rv;
}

CK_RV our_C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    struct session_view view;
    struct world *w = NULL;
    CK_RV rv;

    if (!session_view(session, &view))
        return session_unknown();
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    rv = destroy(w, &view, object);
    gate_close(w);
    return rv;
}
