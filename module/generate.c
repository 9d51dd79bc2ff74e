#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/birth.h"
#include "module/cloned.h"
#include "module/functions.h"
#include "module/key_sites.h"
#include "module/made.h"
#include "module/mechanisms.h"

/* C_GenerateKey and C_GenerateKeyPair. `public` is all zero for a secret key. */
struct generation {
    struct world *world;
    struct session_view view;
    const char *function;
    CK_MECHANISM mechanism;
    bool pair;
    struct template public, secret; /* as the caller gave them, read once */
    struct asked asked;             /* what the private or secret half says */
    CK_OBJECT_HANDLE *ret_public, *ret_secret;
    struct plain_birth birth; /* of what a rule plainly allows */
};

static CK_RV generation_read(struct generation *g, const CK_ATTRIBUTE *public, CK_ULONG public_count,
                             const CK_ATTRIBUTE *secret, CK_ULONG secret_count)
{
    CK_OBJECT_CLASS class = g->pair ? CKO_PRIVATE_KEY : CKO_SECRET_KEY;
    struct fault f = {0};

    if (mechanism_carries_handles(&g->mechanism))
        return gate_unfit(g->view.slot, OP_GENERATE, g->function, STRAY_MECHANISM, CKR_MECHANISM_INVALID);
    if (template_snapshot(secret, secret_count, &g->secret, &f) != OK ||
        template_snapshot(public, public_count, &g->public, &f) != OK ||
        asked_read(&g->secret, class, &g->asked, &f) != OK)
        return gate_unfit(g->view.slot, OP_GENERATE, g->function, f.text, gate_fault(&f));
    g->asked.class = class; /* whatever the template says, this is what the function makes */
    return CKR_OK;
}

/* The public half has a rule of its own only where it would go by another name or to another place. */
static CK_RV generation_plain_public(const struct generation *g, bool *ret_plain)
{
    struct asked public = {0};
    struct question q;
    struct fault f = {0};

    *ret_plain = true;
    if (!g->pair)
        return CKR_OK;
    if (asked_read(&g->public, CKO_PUBLIC_KEY, &public, &f) != OK) {
        gate_log_unfit(g->world, g->view.slot, OP_GENERATE, g->function, f.text);
        return gate_fault(&f);
    }
    public.class = g->asked.class;
    q = asked_question(OP_GENERATE, g->function, g->view.slot, &g->mechanism, &public);
    if (strcmp(public.label, g->asked.label) != 0 || (public.on_token && !g->asked.on_token))
        gate_rule(g->world, &q, ret_plain);
    return CKR_OK;
}

/* The public half gets its handle first: what fails here is a pair that nobody has seen or logged yet. */
static CK_RV pair_show(struct generation *g, const struct made *m)
{
    CK_OBJECT_HANDLE shown_public = CK_INVALID_HANDLE, shown_secret = CK_INVALID_HANDLE;
    struct object_facts facts;
    CK_RV rv = object_read(&g->view, m->public, &facts);

    if (rv == CKR_OK) {
        plain_id_put(&g->birth, &g->birth.wanted_public, &facts);
        rv = object_add(&g->view, m->public, &facts, &shown_public);
    }
    if (rv != CKR_OK) {
        g->view.below->C_DestroyObject(g->view.lower, m->lower);
        g->view.below->C_DestroyObject(g->view.lower, m->public);
        plain_undo(&g->view, &g->birth, g->function, rv);
        return rv;
    }
    rv = made_show(m, &shown_secret);
    if (rv != CKR_OK) {
        object_forget(shown_public);
        return rv;
    }
    *g->ret_public = shown_public;
    *g->ret_secret = shown_secret;
    return CKR_OK;
}

/* What a rule plainly allows goes down as it came, but for the CKA_ID until it is born. */
static CK_RV generate_plain(struct generation *g)
{
    struct made m = {.view = &g->view,
                     .operation = OP_GENERATE,
                     .function = g->function,
                     .asked = &g->asked,
                     .lower = CK_INVALID_HANDLE,
                     .public = CK_INVALID_HANDLE,
                     .birth = &g->birth};
    CK_FUNCTION_LIST *below = g->view.below;
    CK_RV rv = g->pair ? below->C_GenerateKeyPair(g->view.lower, &g->mechanism, g->public.items, g->public.count,
                                                  g->secret.items, g->secret.count, &m.public, &m.lower)
                       : below->C_GenerateKey(g->view.lower, &g->mechanism, g->secret.items, g->secret.count, &m.lower);

    if (rv != CKR_OK) {
        plain_undo(&g->view, &g->birth, g->function, rv);
        return rv;
    }
    return g->pair ? pair_show(g, &m) : made_show(&m, g->ret_secret);
}

/* As the HSM itself would answer for a private token object. */
static CK_RV generation_login(const struct generation *g)
{
    CK_SESSION_INFO info = {0};
    CK_RV rv = g->view.below->C_GetSessionInfo(g->view.lower, &info);

    if (rv != CKR_OK)
        return rv_inner(rv);
    if (info.state == CKS_RO_PUBLIC_SESSION || info.state == CKS_RO_USER_FUNCTIONS)
        return CKR_SESSION_READ_ONLY;
    return info.state == CKS_RW_USER_FUNCTIONS ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

static enum outcome id_unused(const struct generation *g, const struct key_template *t, struct fault *f)
{
    const char *token = g->world->tokens[g->view.slot].bound->id;
    struct buf hex = BUF(2 * LIMIT_LABEL);
    const struct state_key *key = NULL;
    enum outcome result = OK;

    hex_put(&hex, buf_span(&t->id));
    if (t->id.len)
        key = state_key(&g->world->estate->state, token, class_name(g->asked.class), buf_str(&hex), NULL);
    if (key)
        result = fault_set(f, E_INVALID, "CKA_ID %s is that of the key \"%s\" on %s: choose another, or none",
                           buf_str(&hex), key->label, token);
    else if (t->id.len)
        result = key_id_free(&g->world->estate->state, token, buf_str(&hex), f);
    buf_free(&hex);
    return result;
}

static enum outcome templates_json(const struct key_template *t, json_t **ret, struct fault *f)
{
    json_t *json = json_object(), *secret = NULL, *public = NULL;
    enum outcome result = template_to_json(&t->secret, &secret, f);
    bool good = result == OK;

    if (good && t->pair) {
        result = template_to_json(&t->public, &public, f);
        good = result == OK && json_put(json, "public", public);
    }
    if (good)
        good = json_put(json, t->pair ? "private" : "key", json_incref(secret));
    json_decref(secret);
    if (good) {
        *ret = json;
        return OK;
    }
    json_decref(json);
    return result == OK ? fault_memory(f) : result;
}

static CK_RV generation_show(struct generation *g, CK_OBJECT_HANDLE secret, CK_OBJECT_HANDLE public)
{
    struct object_facts facts;
    CK_RV rv = object_read(&g->view, secret, &facts);

    if (rv == CKR_OK)
        rv = object_add(&g->view, secret, &facts, g->ret_secret);
    if (rv == CKR_OK && g->pair)
        rv = object_read(&g->view, public, &facts);
    if (rv == CKR_OK && g->pair)
        rv = object_add(&g->view, public, &facts, g->ret_public);
    return rv;
}

/* The very call whose key waits for people to clone it: *ret_intent. */
static bool generation_awaited(const struct generation *g, const struct question *q, uint64_t *ret_intent)
{
    const struct state_request *known = NULL;
    struct digest subject;

    if (gate_subject_digest(g->world, q, &subject))
        known = state_request_by_subject(&g->world->estate->state, &subject);
    if (known == NULL || known->state != REQUEST_INTENT || !cloned_awaited(g->world, known->intent))
        return false;
    *ret_intent = known->intent;
    return true;
}

/* Made before, looked at now, and born where every site has answered. */
static CK_RV generation_collected(struct generation *g, uint64_t intent)
{
    CK_OBJECT_HANDLE secret = CK_INVALID_HANDLE, public = CK_INVALID_HANDLE;
    struct fault f = {0};

    if (cloned_collect(g->world, intent, &f) != OK || cloned_key(g->world, intent, &secret, &public, &f) != OK)
        return gate_fault(&f);
    return generation_show(g, secret, public);
}

static CK_RV generation_born(struct generation *g, const struct question *q, const struct key_template *t,
                             const struct answer *answer)
{
    struct birth b = {.world = g->world,
                      .token = &g->world->tokens[g->view.slot],
                      .mechanism = &g->mechanism,
                      .template = t,
                      .request = answer->request,
                      .context = &g->world->context,
                      .rule = answer->verdict->rule};
    CK_OBJECT_HANDLE secret = CK_INVALID_HANDLE, public = CK_INVALID_HANDLE;
    struct fault f = {0};
    size_t intents = g->world->estate->state.intent_count;

    if (birth_run(&b, &secret, &public, &f) != OK) {
        /* What ended a birth stands in its rolled-back entry; what kept one from beginning would be said nowhere. */
        if (g->world->estate->state.intent_count == intents)
            gate_log_finding(g->world, q, f.text);
        return gate_fault(&f);
    }
    return generation_show(g, secret, public);
}

static CK_RV generation_unfit(struct generation *g, const struct question *q, struct fault *f)
{
    if (f->outcome == E_INVALID)
        gate_log_finding(g->world, q, f->text);
    fault_context(f, "%s on %s", g->function, g->world->tokens[g->view.slot].bound->id);
    return gate_fault(f);
}

/* Under a rule that requires something: completed, judged, born at every site that the rule asks for. */
static CK_RV generate_governed(struct generation *g, struct question *q, const struct rule *rule)
{
    struct key_template t = {0};
    struct answer answer = {0};
    json_t *templates = NULL;
    uint64_t intent = 0;
    struct fault f = {0};
    /* A secret key has no public half; a pair has one even where its template is empty. */
    static const CK_ATTRIBUTE none;
    const CK_ATTRIBUTE *public = !g->pair ? NULL : g->public.items ? g->public.items : &none;
    CK_RV rv = generation_login(g);

    if (rv != CKR_OK)
        return rv;
    bool trusted = rule && rule->trusted_wrap_only;
    if (key_template_complete(&g->mechanism, public, g->public.count, g->secret.items, g->secret.count, trusted, &t,
                              &f) != OK ||
        templates_json(&t, &templates, &f) != OK) {
        rv = generation_unfit(g, q, &f);
        goto out;
    }
    q->templates = templates;
    if (generation_awaited(g, q, &intent)) {
        rv = generation_collected(g, intent);
        goto out;
    }
    /* What a process that died left half done keeps its request busy: settled before anybody is asked. */
    if (settle_token(g->world, g->world->tokens[g->view.slot].bound->id, NULL, &f) != OK) {
        rv = gate_fault(&f);
        goto out;
    }
    if (id_unused(g, &t, &f) != OK) {
        rv = generation_unfit(g, q, &f);
        goto out;
    }
    rv = gate_ask(g->world, q, &answer);
    if (rv == CKR_OK && answer.plain) {
        fault_set(&f, E_BUSY, "the policy changed during the call: call again");
        rv = gate_refuse(OP_GENERATE, &f);
    } else if (rv == CKR_OK) {
        rv = generation_born(g, q, &t, &answer);
    }
out:
    answer_clear(&answer);
    json_decref(templates);
    key_template_clear(&t);
    return rv;
}

/* The CKA_ID of a key that a rule plainly allows, and its intent. */
static CK_RV generation_plain_begin(struct generation *g, const struct question *q)
{
    const struct asked public = {.class = CKO_PUBLIC_KEY,
                                 .on_token = g->pair && template_bool(&g->public, CKA_TOKEN, false)};
    struct fault f = {0};

    if (asked_id_check(g->world, g->view.slot, &g->secret, &g->asked, &f) == OK &&
        asked_id_check(g->world, g->view.slot, &g->public, &public, &f) == OK)
        return plain_begin(g->world, &g->view, q, CK_INVALID_HANDLE, &g->secret, g->pair ? &g->public : NULL,
                           &g->birth);
    gate_log_finding(g->world, q, f.text);
    fault_context(&f, "%s", g->function);
    return gate_fault(&f);
}

static CK_RV generate(struct generation *g)
{
    struct question q = asked_question(OP_GENERATE, g->function, g->view.slot, &g->mechanism, &g->asked);
    const struct rule *rule = NULL;
    bool plain = false, plain_public = false, held = false;
    CK_RV rv = gate_open(&g->world);

    if (rv != CKR_OK)
        return rv;
    rv = gate_waits(g->world, &q);
    if (rv != CKR_OK) {
        gate_close(g->world);
        return rv;
    }
    rule = gate_rule(g->world, &q, &plain);
    rv = generation_plain_public(g, &plain_public);
    if (rv == CKR_OK && !(plain && plain_public))
        rv = plain || (rule && rule->effect == EFFECT_REQUIRE) ? generate_governed(g, &q, rule)
                                                               : gate_ask(g->world, &q, NULL);
    else if (rv == CKR_OK && !(held = session_hold(&g->view)))
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (rv == CKR_OK)
        rv = generation_plain_begin(g, &q);
    gate_close(g->world);
    if (held && rv == CKR_OK)
        rv = generate_plain(g);
    if (held)
        session_release(&g->view);
    plain_clear(&g->birth);
    return rv;
}

CK_RV our_C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR items, CK_ULONG count,
                        CK_OBJECT_HANDLE_PTR key)
{
    struct generation g = {.function = "C_GenerateKey", .ret_secret = key, .birth = PLAIN_BIRTH};
    CK_RV rv;

    if (!session_view(session, &g.view))
        return session_unknown();
    if (!mechanism || !key || (count && !items))
        return CKR_ARGUMENTS_BAD;
    g.mechanism = *mechanism;
    rv = generation_read(&g, NULL, 0, items, count);
    if (rv == CKR_OK)
        rv = generate(&g);
    template_clear(&g.secret);
    template_clear(&g.public);
    return rv;
}

CK_RV our_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public_items,
                            CK_ULONG public_count, CK_ATTRIBUTE_PTR private_items, CK_ULONG private_count,
                            CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key)
{
    struct generation g = {.function = "C_GenerateKeyPair",
                           .pair = true,
                           .ret_public = public_key,
                           .ret_secret = private_key,
                           .birth = PLAIN_BIRTH};
    CK_RV rv;

    if (!session_view(session, &g.view))
        return session_unknown();
    if (!mechanism || !public_key || !private_key || (public_count && !public_items) ||
        (private_count && !private_items))
        return CKR_ARGUMENTS_BAD;
    g.mechanism = *mechanism;
    rv = generation_read(&g, public_items, public_count, private_items, private_count);
    if (rv == CKR_OK)
        rv = generate(&g);
    template_clear(&g.secret);
    template_clear(&g.public);
    return rv;
}
