#include "module/creation.h"

#include <string.h>

#include "core/encode.h"
#include "module/recovery.h"

/* Both are: it goes down as it came. */
static bool creation_plain(const struct creation_grants *g)
{
    return g->base.grant.answer.plain && g->self.answer.plain;
}

void creation_grants_clear(struct creation_grants *g)
{
    grant_clear(&g->base.grant);
    grant_clear(&g->self);
    buf_free(&g->caller_id);
}

static bool is_key_of_log(const struct creation *c)
{
    return c->asked.on_token && (c->asked.class == CKO_PRIVATE_KEY || c->asked.class == CKO_SECRET_KEY);
}

/* What recovery must know of a key that is to be born. */
static json_t *intent_more(const struct world *w, const struct creation *c, const struct creation_grants *g)
{
    json_t *more = json_object();

    if (json_put_string(more, "class", class_name(c->asked.class)) &&
        json_put(more, "sites", json_pack("[s]", w->tokens[c->view.slot].primary)) &&
        json_put_string(more, "function", c->function) &&
        (!g->caller_id.len || json_put_bytes_hex(more, "caller-id", buf_span(&g->caller_id))))
        return more;
    json_decref(more);
    return NULL;
}

/* The key carries an id that derives from the intent until it is born, so that recovery finds it. */
static CK_RV id_derive(const struct world *w, struct creation *c, const struct creation_grants *g)
{
    const struct state_intent *i = state_intent(&w->estate->state, g->self.intent);
    struct buf id = BUF(32);
    struct fault f = {0};
    enum outcome outcome = i ? intent_key_id(&i->digest, &id, &f) : fault_set(&f, E_IO, "the intent is not in the log");

    if (outcome == OK)
        outcome = template_set(&c->template, CKA_ID, id.data, id.len, &f);
    buf_free(&id);
    return outcome == OK ? CKR_OK : gate_fault(&f);
}

static CK_RV creation_begin(struct world *w, struct creation *c, struct creation_grants *g)
{
    json_t *more = NULL;
    bool born = is_key_of_log(c) && !g->self.answer.plain;
    CK_RV rv = grant_begin(w, &g->base.grant, NULL);

    if (rv == CKR_OK && born) {
        more = intent_more(w, c, g);
        if (!more)
            rv = CKR_HOST_MEMORY;
    }
    if (rv == CKR_OK)
        rv = grant_begin(w, &g->self, more);
    json_decref(more);
    return rv == CKR_OK && born ? id_derive(w, c, g) : rv;
}

/* The entries, the base's first: where nothing is made, nothing was used. */
static CK_RV creation_end(struct world *w, const struct creation *c, struct creation_grants *g,
                          const struct object_facts *facts, CK_OBJECT_HANDLE made)
{
    struct fault ignored = {0}; /* what is not completed now is by recovery */
    struct object_facts born = *facts;
    struct buf hex = BUF(2 * LIMIT_LABEL);
    uint64_t intent = g->self.intent;
    CK_RV rv = grant_end(w, &g->base.grant, ENTRY_USED, grant_used(&g->base.grant, (struct span){NULL, 0}));

    if (rv != CKR_OK || g->self.answer.plain)
        return rv;
    if (!is_key_of_log(c))
        return grant_end(w, &g->self, ENTRY_USED, grant_used(&g->self, (struct span){NULL, 0}));
    if (g->caller_id.len) {
        hex_put(&hex, buf_span(&g->caller_id));
        snprintf(born.id, sizeof(born.id), "%s", buf_str(&hex));
    }
    buf_free(&hex);
    rv = grant_end(w, &g->self, ENTRY_BORN, made_body(w, &c->view, made, CK_INVALID_HANDLE, c->function, &born));
    if (rv == CKR_OK)
        intent_complete(w, intent, NULL, &ignored);
    return rv;
}

/* Begins both, makes, ends both. */
static CK_RV creation_carry(struct world *w, struct creation *c, struct creation_grants *g, CK_OBJECT_HANDLE *ret)
{
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    struct object_facts facts = {0};
    CK_RV rv = creation_begin(w, c, g);

    if (rv == CKR_OK)
        rv = c->make(c, g->base.lower, &made);
    if (rv == CKR_OK)
        rv = object_read(&c->view, made, &facts);
    if (rv == CKR_OK && (facts.label_bad || strcmp(facts.label, c->asked.label) != 0 || facts.class != c->asked.class ||
                         facts.on_token != c->asked.on_token))
        rv = CKR_TEMPLATE_INCONSISTENT; /* the HSM made another object than was judged */
    if (rv == CKR_OK)
        rv = creation_end(w, c, g, &facts, made);
    if (rv == CKR_OK && object_read(&c->view, made, &facts) == CKR_OK)
        rv = object_add(&c->view, made, &facts, ret);
    /* A key that may be born by now is left to recovery, which finds it by the id that derives from the intent. */
    if (rv != CKR_OK && made != CK_INVALID_HANDLE && (g->self.open || g->base.grant.open || g->self.answer.plain) &&
        !(g->self.unknown && is_key_of_log(c)) && c->view.below->C_DestroyObject(c->view.lower, made) != CKR_OK &&
        is_key_of_log(c))
        g->self.open = false; /* so is one that will not go: its intent stays */
    grant_undo(w, &g->self, c->function, rv);
    grant_undo(w, &g->base.grant, c->function, rv);
    return rv;
}

/* The use of the base is logged first, where people approved it; then the birth begins as any that a rule plainly allows. */
static CK_RV creation_plain_begin(struct world *w, struct creation *c, struct creation_grants *g, struct plain_birth *b)
{
    struct question q = asked_question(c->operation, c->function, c->view.slot, c->mechanism, &c->asked);
    CK_OBJECT_HANDLE from = c->operation == OP_COPY ? g->base.lower : CK_INVALID_HANDLE;
    CK_RV rv = grant_begin(w, &g->base.grant, NULL);

    if (rv == CKR_OK && !g->base.grant.answer.plain)
        rv = grant_end(w, &g->base.grant, ENTRY_USED, grant_used(&g->base.grant, (struct span){NULL, 0}));
    grant_undo(w, &g->base.grant, c->function, rv);
    return rv == CKR_OK ? plain_begin(w, &c->view, &q, from, &c->template, NULL, b) : rv;
}

static CK_RV creation_plain_make(struct creation *c, CK_OBJECT_HANDLE base, struct plain_birth *b,
                                 CK_OBJECT_HANDLE *ret)
{
    struct made m = {.view = &c->view,
                     .operation = c->operation,
                     .function = c->function,
                     .asked = &c->asked,
                     .lower = CK_INVALID_HANDLE,
                     .public = CK_INVALID_HANDLE,
                     .birth = b};
    CK_RV rv = c->make(c, base, &m.lower);

    if (rv == CKR_OK)
        return made_show(&m, ret);
    plain_undo(&c->view, b, c->function, rv);
    return rv;
}

CK_RV creation_run(struct creation *c, CK_OBJECT_HANDLE *ret)
{
    struct creation_grants g = {.caller_id = BUF(LIMIT_LABEL)};
    struct plain_birth birth = PLAIN_BIRTH;
    struct world *w = NULL;
    bool held = false;
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    rv = creation_ask(w, c, &g);
    if (rv == CKR_OK && !creation_plain(&g) && (!g.self.answer.plain || !is_key_of_log(c)))
        rv = creation_carry(w, c, &g, ret);
    else if (rv == CKR_OK && !(held = session_hold(&c->view)))
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (rv == CKR_OK)
        rv = creation_plain_begin(w, c, &g, &birth);
    gate_close(w);
    if (held && rv == CKR_OK)
        rv = creation_plain_make(c, g.base.lower, &birth, ret);
    if (held)
        session_release(&c->view);
    plain_clear(&birth);
    creation_grants_clear(&g);
    return rv;
}
