#include "module/governed_inner.h"
#include "module/messages.h"

/* Messages under approvals. */

static void message_clear(struct governed *g)
{
    g->begun = false;
    g->parameter = (struct message_parameter){.layout = NULL};
    buf_clear(&g->data);
    buf_clear(&g->associated);
}

void messages_new(struct session *s)
{
    atomic_store(&s->spoken, 0);
    for (size_t kind = 0; kind < MESSAGE_KINDS; kind++) {
        s->messages_kept[kind] = NULL;
        atomic_store(&s->messages[kind], CK_INVALID_HANDLE);
    }
}

void messages_end(struct session *s, unsigned kinds)
{
    for (unsigned kind = 0; kind < MESSAGE_KINDS; kind++) {
        struct governed *g = s->messages_kept[kind];

        if (!(kinds >> kind & 1) || !g)
            continue;
        atomic_fetch_and(&s->spoken, ~(1U << kind));
        s->messages_kept[kind] = NULL;
        governed_free(g);
    }
}

/* The parameter of a mechanism whose messages have one comes with each of them. */
static bool parameter_misplaced(const CK_MECHANISM *m)
{
    return m->pParameter && m->ulParameterLen && message_parameter_known(m->mechanism);
}

CK_RV message_begin(CK_SESSION_HANDLE session, enum message_kind kind, const CK_MECHANISM *mechanism,
                    CK_OBJECT_HANDLE key)
{
    CK_SESSION_HANDLE tried = CK_INVALID_HANDLE;
    struct session_view view;
    struct governed *g = NULL;
    struct world *w = NULL;
    struct fault f = {0};
    CK_RV rv = gate_open(&w);

    if (rv != CKR_OK)
        return rv;
    if (!session_view(session, &view)) {
        rv = CKR_SESSION_HANDLE_INVALID;
    } else if (view.session->messages_kept[kind]) {
        rv = CKR_OPERATION_ACTIVE;
    } else if (parameter_misplaced(mechanism)) {
        fault_set(&f, E_REFUSED, "%s: under approvals the parameter comes with each message, none with the beginning",
                  governed_function(message_use(kind)));
        rv = gate_refuse(OP_USE, &f);
    } else {
        g = governed_make(&view, message_use(kind), mechanism, key, &rv);
    }
    /* Whether key and mechanism go together is the HSM's to say. */
    if (g)
        rv = governed_own(w, &view, g, &tried);
    if (g && rv == CKR_OK) {
        view.below->C_CloseSession(tried);
        view.session->messages_kept[kind] = g;
        atomic_fetch_or(&view.session->spoken, 1U << kind);
        g = NULL; /* taken by the session */
    }
    governed_free(g);
    gate_close(w);
    return rv;
}

static CK_RV parameter_fault(const struct fault *f)
{
    refusal_set(f);
    return f->outcome == E_INVALID ? CKR_MECHANISM_PARAM_INVALID : gate_refuse(OP_USE, f);
}

/* Reads what comes with the first and with the last part. A tag to be verified is that of the last. */
static CK_RV parameter_take(struct governed *g, const struct message_part *part)
{
    struct message_parameter p;
    struct fault f = {0};
    enum outcome outcome = message_parameter_read(g->mechanism.m.mechanism, part->parameter, part->parameter_len,
                                                  part->kind == MESSAGE_ENCRYPT, &p, &f);

    if (outcome == OK && part->begins && !part->ends && p.makes_iv)
        outcome =
            fault_set(&f, E_REFUSED,
                      "C_EncryptMessageBegin: under approvals nothing comes out before the end of a message, thus "
                      "no IV either; C_EncryptMessage gives both at once");
    if (outcome == OK && !part->begins && !message_parameter_same(&p, &g->parameter))
        outcome = fault_set(&f, E_INVALID, "%s: the parameter at the end is not that of the beginning",
                            governed_function(g->kind));
    if (outcome != OK)
        return parameter_fault(&f);
    g->parameter = p;
    return CKR_OK;
}

/* With the world's lock held. A question for the length leaves a message that was begun as it is. */
static CK_RV part_take(struct world *w, const struct session_view *view, struct governed *g,
                       const struct message_part *part)
{
    bool again = false;
    CK_RV rv = CKR_OK;

    if (part->begins && g->begun)
        return CKR_OPERATION_ACTIVE;
    if (!part->begins && !g->begun)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (part->begins)
        buf_put(&g->associated, part->associated, part->associated_len);
    if (part->begins || part->ends)
        rv = parameter_take(g, part);
    if (rv == CKR_OK && part->ends) {
        rv = approved_finish(w, view, g, &part->end, &again);
    } else if (rv == CKR_OK && (!part->end.out_len || part->end.out)) {
        buf_put(&g->data, part->end.data, part->end.data_len); /* a question for the length is no part */
        g->begun = true;
    }
    if (rv == CKR_OK && (g->data.failed || g->associated.failed))
        rv = CKR_DATA_LEN_RANGE;
    if (rv == CKR_OK && !part->ends && part->end.out_len)
        *part->end.out_len = 0;
    if (part->ends ? !again || part->begins : rv != CKR_OK)
        message_clear(g);
    return rv;
}

CK_RV message_part(CK_SESSION_HANDLE session, const struct message_part *part)
{
    struct session_view view;
    struct world *w = NULL;
    CK_RV rv = CKR_OK;

    if ((!part->associated && part->associated_len) || (!part->end.data && part->end.data_len))
        return CKR_ARGUMENTS_BAD;
    rv = gate_open(&w);
    if (rv != CKR_OK)
        return rv;
    if (!session_view(session, &view))
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (!view.session->messages_kept[part->kind])
        rv = CKR_OPERATION_NOT_INITIALIZED;
    else
        rv = part_take(w, &view, view.session->messages_kept[part->kind], part);
    gate_close(w);
    return rv;
}
