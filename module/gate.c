#include "module/gate.h"

#include <string.h>
#include <time.h>

#include "module/failover.h"
#include "module/template.h"

/* A suspension, a policy or a destruction elsewhere is seen within this time at a gate. */
#define LOOK_MS 200u
/* Lifetimes and dates of placing pass without an entry; what hangs on them is judged again after this time. */
#define JUDGE_MS 10000u

/* One wrong attempt more is logged each such time. */
#define FINDING_MS 10000u

static _Atomic uint64_t generation = 1;
static _Atomic uint64_t looked_at;      /* milliseconds of CLOCK_MONOTONIC_COARSE; 0: never, or the look failed */
static uint64_t judged_from, seen_size; /* under the world's lock */

static uint64_t clock_ms(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

uint64_t gate_generation(void)
{
    return atomic_load_explicit(&generation, memory_order_acquire);
}

bool gate_fresh(void)
{
    uint64_t then = atomic_load_explicit(&looked_at, memory_order_acquire);

    return then && clock_ms() - then < LOOK_MS;
}

void gate_forget(void)
{
    atomic_store(&looked_at, 0);
    atomic_fetch_add(&generation, 1);
}

static enum outcome gate_look(struct estate *e, struct fault *f)
{
    uint64_t now = clock_ms();

    if (gate_fresh())
        return OK;
    atomic_store(&looked_at, 0);
    if (log_changed(e->log) && estate_refresh(e, f) != OK)
        return f->outcome;
    if (estate_policy_in_force(e, f) != OK)
        return f->outcome;
    if (seen_size != e->state.size || now - judged_from >= JUDGE_MS) {
        atomic_fetch_add(&generation, 1);
        seen_size = e->state.size;
        judged_from = now;
    }
    atomic_store(&looked_at, now);
    return OK;
}

CK_RV gate_open(struct world **ret)
{
    struct world *w = world_current();
    struct fault f = {0};

    refusal_set(NULL);
    if (!w)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    pthread_mutex_lock(&w->lock);
    if (gate_look(w->estate, &f) == OK) {
        primaries_follow(w);
        *ret = w;
        return CKR_OK;
    }
    pthread_mutex_unlock(&w->lock);
    refusal_set(&f);
    return CKR_DEVICE_ERROR;
}

void gate_close(struct world *w)
{
    /* What was done in between (an intent, a birth) may have changed what others cached. */
    if (seen_size != w->estate->state.size)
        atomic_store(&looked_at, 0);
    pthread_mutex_unlock(&w->lock);
}

static const char *question_token(const struct world *w, const struct question *q)
{
    return w->tokens[q->slot].bound->id;
}

bool gate_suspended(const struct world *w, const struct question *q, const struct rule *rule)
{
    return state_suspended(&w->estate->state, question_token(w, q), q->label) && !(rule && rule->while_suspended);
}

/* While a replica serves the token, its keys are used and nothing else. */
static bool question_waits(const struct world *w, const struct question *q)
{
    return q->operation != OP_USE && failover_away(w, q->slot);
}

CK_RV gate_waits(const struct world *w, const struct question *q)
{
    const struct shown_token *t = &w->tokens[q->slot];
    struct fault f = {0};

    if (!question_waits(w, q))
        return CKR_OK;
    fault_set(&f, E_REFUSED,
              "%s on %s: %s serves it, and nothing but uses until the estate is whole again; the next step is "
              "`quorate settle`, when the primary %s answers",
              q->function, t->bound->id, t->serving->site, t->primary);
    return gate_refuse(q->operation, &f);
}

const struct rule *gate_rule(const struct world *w, const struct question *q, bool *ret_plain)
{
    const char *token = question_token(w, q);
    const struct rule *rule = policy_match(w->estate->policy, q->operation, token, q->label, q->class_name, q->object);

    *ret_plain = rule && rule->effect == EFFECT_ALLOW && !gate_suspended(w, q, rule) && !question_waits(w, q);
    return rule;
}

static json_t *question_subject(const struct world *w, const struct question *q)
{
    json_t *s = asking_subject(w->estate, q->operation, w->requester);
    bool good = json_put_string(s, "token", question_token(w, q)) && json_put_string(s, "function", q->function);

    if (good && q->label[0])
        good = json_put_string(s, "label", q->label);
    if (good && q->mechanism)
        good = json_put(s, "mechanism", mechanism_json(q->mechanism));
    if (good && q->class_name)
        good = json_put_string(s, "class", q->class_name);
    if (good && q->object >= 0)
        good = json_put_string(s, "object", q->object ? "token" : "session");
    if (good && q->templates)
        good = json_put(s, "templates", json_deep_copy(q->templates));
    if (good && q->key && q->key->public_key.len)
        good = json_put_digest(s, "key", &q->key->fingerprint);
    if (good && q->key && !q->key->public_key.len)
        good = json_put_integer(s, "born", (int64_t)q->key->seq); /* a secret key's only name for good */
    if (good && q->with)
        good = json_put(s, "with", json_deep_copy(q->with));
    if (good && q->data)
        good = json_put(s, "data", json_deep_copy(q->data));
    if (good)
        return s;
    json_decref(s);
    return NULL;
}

bool gate_subject_digest(const struct world *w, const struct question *q, struct digest *ret)
{
    json_t *subject = question_subject(w, q);
    struct fault ignored = {0};
    bool good = subject && json_digest(subject, ret, &ignored) == OK;

    json_decref(subject);
    return good;
}

CK_RV gate_refuse(enum operation operation, const struct fault *f)
{
    refusal_set(f);
    switch (operation) {
    case OP_COPY:
    case OP_MODIFY:
    case OP_DESTROY:
        return CKR_ACTION_PROHIBITED;
    default:
        return CKR_FUNCTION_REJECTED;
    }
}

CK_RV gate_fault(const struct fault *f)
{
    refusal_set(f);
    switch (f->outcome) {
    case E_MEMORY:
        return CKR_HOST_MEMORY;
    case E_REFUSED:
    case E_PENDING:
    case E_BUSY:
        return CKR_FUNCTION_REJECTED;
    case E_INVALID:
        return CKR_TEMPLATE_INCONSISTENT;
    default:
        return CKR_DEVICE_ERROR;
    }
}

static CK_RV answer_refuse(const struct world *w, const struct question *q, const struct answer *a)
{
    struct buf text = BUF(sizeof(((struct fault *)0)->text));
    struct fault f = {0};
    CK_RV rv;

    verdict_put_short(a->verdict, &text);
    if (a->request && a->verdict->decision == DECISION_PENDING)
        fault_set(&f, E_PENDING, "%s on %s: %s; the next step is `quorate approve %.12s`", q->function,
                  question_token(w, q), buf_str(&text), digest_hex(&a->request->id).hex);
    else if (a->verdict->decision == DECISION_ALLOW)
        fault_set(&f, E_REFUSED,
                  "%s on %s under rule \"%s\": of such objects it is not carried out under approvals; the rule must "
                  "allow or deny it",
                  q->function, question_token(w, q), a->verdict->rule_id);
    else
        fault_set(&f, E_REFUSED, "%s on %s: %s", q->function, question_token(w, q), buf_str(&text));
    rv = gate_refuse(q->operation, &f);
    if (a->request)
        refusal_name(&a->request->id);
    buf_free(&text);
    return rv;
}

CK_RV gate_ask(struct world *w, const struct question *q, struct answer *ret)
{
    struct asking_context context = w->context;
    struct answer answer = {0};
    struct fault f = {0};
    json_t *subject = NULL;
    bool plain = false;
    CK_RV rv = gate_waits(w, q);

    if (rv != CKR_OK)
        return rv;
    gate_rule(w, q, &plain);
    if (plain && !q->written) {
        if (ret)
            *ret = (struct answer){.plain = true};
        return CKR_OK;
    }
    subject = question_subject(w, q);
    if (!subject) {
        fault_set(&f, E_INVALID, "%s on %s: what was asked cannot be written down (a label that is no UTF-8?)",
                  q->function, question_token(w, q));
        return gate_refuse(q->operation, &f);
    }
    context.written = q->written;
    context.anew = q->anew;
    if (estate_ask(w->estate, subject, &context, &answer, &f) != OK)
        return gate_fault(&f);
    if (answer.plain || (ret && answer.verdict->decision == DECISION_ALLOW))
        rv = CKR_OK;
    else
        rv = answer_refuse(w, q, &answer);
    if (rv == CKR_OK && ret) {
        *ret = answer;
        answer = (struct answer){0}; /* taken by the caller */
    }
    answer_clear(&answer);
    return rv;
}

bool gate_object(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE handle,
                 struct object_facts *ret, CK_OBJECT_HANDLE *ret_lower)
{
    if (!object_look(view, handle, ret, ret_lower))
        return false;
    if (object_shown(w, view->slot, ret))
        return true;
    object_forget(handle);
    return false;
}

CK_RV gate_ask_object(struct world *w, enum operation operation, const char *function, CK_SLOT_ID slot,
                      const struct object_facts *o)
{
    const struct state_key *key = object_key(w, slot, o);
    struct question q = {.operation = operation,
                         .slot = slot,
                         .function = function,
                         .label = key ? key->label : o->label,
                         .class_name = class_name(o->class),
                         .object = o->on_token,
                         .key = key};
    struct fault f = {0};

    if (o->label_bad) {
        fault_set(&f, E_REFUSED, "%s: the object's label is too long or holds a NUL, so no rule can name it", function);
        return gate_refuse(operation, &f);
    }
    return gate_ask(w, &q, NULL);
}

/* Takes one of what may be logged; false: none is left. */
static bool finding_take(void)
{
    static uint64_t left = LIMIT_FINDINGS, since; /* under the world's lock */
    uint64_t now = clock_ms(), more = since ? (now - since) / FINDING_MS : 0;

    left = left + more < LIMIT_FINDINGS ? left + more : LIMIT_FINDINGS;
    since = since ? since + more * FINDING_MS : now;
    if (!left)
        return false;
    left--;
    return true;
}

/* Takes subject: what is logged once. */
static void finding_log(struct world *w, const struct question *q, const char *finding, json_t *subject)
{
    struct estate *e = w->estate;
    json_t *body = json_object(), *findings = json_pack("[s]", finding);
    struct digest digest = {0};
    struct fault ignored = {0}; /* the caller is refused whether or not this could be written */
    bool good = subject && json_put(subject, "findings", json_incref(findings)) &&
                json_digest(subject, &digest, &ignored) == OK && !state_was_refused(&e->state, &digest) &&
                finding_take();

    good = good && json_put(body, "findings", json_incref(findings)) && json_put_digest(body, "subject", &digest) &&
           json_put_string(body, "operation", operation_name(q->operation)) &&
           json_put_string(body, "requester", json_string_or_null(subject, "requester")) &&
           json_put_string(body, "token", question_token(w, q));
    if (good && q->label[0])
        good = json_put_string(body, "label", q->label);
    if (good)
        estate_append(e, ENTRY_REFUSED, body, NULL, &ignored);
    json_decref(findings);
    json_decref(body);
    json_decref(subject);
}

void gate_log_finding(struct world *w, const struct question *q, const char *finding)
{
    finding_log(w, q, finding, question_subject(w, q));
}

void gate_log_unfit(struct world *w, CK_SLOT_ID slot, enum operation operation, const char *function,
                    const char *finding)
{
    const struct question q = {.operation = operation, .slot = slot, .function = function, .label = "", .object = -1};
    struct buf text = BUF(sizeof(((struct fault *)0)->text));
    struct moment_text day = moment_format(moment_now());
    json_t *subject = NULL;
    bool plain = false;

    gate_rule(w, &q, &plain);
    buf_putf(&text, "%s: %s", function, finding);
    if (!plain && !text.failed) {
        subject = question_subject(w, &q);
        day.text[strlen("2026-11-22")] = '\0';
        if (json_put_string(subject, "day", day.text)) {
            finding_log(w, &q, buf_str(&text), subject);
            subject = NULL; /* taken by finding_log */
        }
    }
    json_decref(subject);
    buf_free(&text);
}

CK_RV gate_unfit(CK_SLOT_ID slot, enum operation operation, const char *function, const char *finding, CK_RV rv)
{
    struct world *w = NULL;
    struct fault f = {0};

    fault_set(&f, E_REFUSED, "%s: %s", function, finding);
    if (gate_open(&w) == CKR_OK) {
        gate_log_unfit(w, slot, operation, function, finding);
        gate_close(w);
    }
    refusal_set(&f);
    return rv;
}
