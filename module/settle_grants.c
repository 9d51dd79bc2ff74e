#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "module/birth.h"
#include "module/grant.h"
#include "module/key_sites.h"
#include "module/plain.h"
#include "module/recovery.h"
#include "module/token_keys.h"

/* What an intent that a death left open means, by operation:
 *   use, wrap                  nothing came out, for the entry comes first: rolled back
 *   import, derive, copy, a    birth that a rule plainly allows: the key is destroyed by the id that derives from the intent, rolled back; born: completed
 *   modify                     the primary has the new values: finished at the other sites; else rolled back
 *   destroy                    finished
 *   either, of a key that another process ended or renamed meanwhile: rolled back
 *   initialise, of a token     the keys that it no longer holds are ended; then as all else
 *   all else                   whether it was done cannot be known: the approval is spent */

static bool settles_here(const struct state_intent *i)
{
    int op = operation_parse(i->operation);

    return (op > OP_GENERATE || state_intent_plain(i)) && op <= OP_SET_PIN &&
           (i->state == INTENT_OPEN || i->state == INTENT_BORN);
}

static enum outcome spend(struct world *w, const struct state_intent *i, struct fault *f)
{
    json_t *body = json_object();
    bool good = json_put_integer(body, "intent", (int64_t)i->seq) && json_put_digest(body, "request", &i->request) &&
                json_put_string(body, "operation", i->operation) &&
                json_put_string(body, "label", i->label ? i->label : "") && json_put_string(body, "token", i->token) &&
                json_put_string(body, "interrupted", "true");
    enum outcome outcome = good ? estate_append(w->estate, ENTRY_USED, body, NULL, f) : fault_memory(f);

    json_decref(body);
    return outcome;
}

/* The key that the intent names, while it lives. */
static enum outcome key_of(const struct world *w, const struct state_intent *i, struct key_sites *ret, struct fault *f)
{
    const char *class = json_string_or_null(i->body, "class"), *id = json_string_or_null(i->body, "id");
    const struct state_key *key = class && id ? state_key(&w->estate->state, i->token, class, id, NULL) : NULL;

    return key ? key_sites_of(w, key, ret, f) : fault_set(f, E_ABSENT, "no key");
}

static enum outcome end_append(struct world *w, uint64_t intent, enum entry_type type, json_t *body, struct fault *f)
{
    bool good = json_put_integer(body, "intent", (int64_t)intent) &&
                json_put_digest(body, "request", &state_intent(&w->estate->state, intent)->request);
    enum outcome outcome = good ? estate_append(w->estate, type, body, NULL, f) : fault_memory(f);

    json_decref(body);
    return outcome;
}

static enum outcome destroy_settle(struct world *w, uint64_t intent, struct key_sites *k, struct fault *f)
{
    enum outcome outcome = OK;

    for (size_t n = 0; n < k->sites.count && outcome == OK; n++)
        outcome = key_destroy_at(w, k, k->sites.items[n], f);
    if (outcome == OK)
        outcome = key_destroy_far(w, k, f);
    return outcome == OK ? end_append(w, intent, ENTRY_DESTROYED, destroyed_body(k), f) : outcome;
}

static enum outcome change_template(const struct estate *e, const struct digest *id, struct template *ret,
                                    struct fault *f)
{
    struct request *r = NULL;
    json_t *templates = NULL, *key = NULL;
    enum outcome outcome = estate_request(e, id, &r, f);

    if (outcome == OK)
        outcome = json_want_object(r->subject->json, "templates", &templates, f);
    if (outcome == OK)
        outcome = json_want_object(templates, "key", &key, f);
    if (outcome == OK)
        outcome = template_from_json(key, ret, f);
    request_free(r);
    return outcome;
}

static json_t *modified_body(const struct key_sites *k, const struct template *t)
{
    const CK_ATTRIBUTE *label = template_find(t, CKA_LABEL), *id = template_find(t, CKA_ID);
    struct buf text = BUF(2 * LIMIT_LABEL), name = BUF(LIMIT_LABEL);
    json_t *body = key_sites_body(k);
    bool good = body != NULL;

    if (good && label) {
        buf_put(&name, label->pValue, label->ulValueLen);
        good = json_put_string(body, "new-label", buf_str(&name));
    }
    if (good && id) {
        hex_put(&text, span_of(id->pValue, id->ulValueLen));
        good = json_put_string(body, "new-id", buf_str(&text));
    }
    buf_free(&text);
    buf_free(&name);
    if (good)
        return body;
    json_decref(body);
    return NULL;
}

static enum outcome modify_settle(struct world *w, uint64_t intent, const struct key_sites *k, const char **ret_text,
                                  struct fault *f)
{
    struct template t = {0};
    struct digest request = state_intent(&w->estate->state, intent)->request;
    bool holds = false;
    enum outcome outcome = change_template(w->estate, &request, &t, f);

    if (outcome == OK)
        outcome = key_holds(w, k, &t, &holds, f);
    if (outcome == OK && !holds) {
        *ret_text = "rolled back";
        outcome = intent_roll_back(w->estate, intent, "the change was interrupted before it was made", f);
        goto out;
    }
    for (size_t n = 1; n < k->sites.count && outcome == OK; n++)
        outcome = key_set_at(w, k, k->sites.items[n], &t, f);
    if (outcome == OK)
        outcome = end_append(w, intent, ENTRY_MODIFIED, modified_body(k, &t), f);
out:
    template_clear(&t);
    return outcome;
}

/* The keys of a token that was made new, if it was. */
static enum outcome initialise_settle(struct world *w, uint64_t intent, struct fault *f)
{
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    struct request *r = NULL;
    enum outcome outcome = estate_request(w->estate, &i->request, &r, f);

    if (outcome == OK && strcmp(r->subject->function, "C_InitToken") == 0)
        outcome = token_keys_settle(w, r->subject->token, intent, f);
    request_free(r);
    return outcome;
}

static enum outcome one_settle(struct world *w, uint64_t intent, const char **ret_text, struct fault *f)
{
    const struct state_intent *i = state_intent(&w->estate->state, intent);
    int op = operation_parse(i->operation);
    bool makes = op == OP_GENERATE || op == OP_IMPORT || op == OP_DERIVE || op == OP_COPY;
    struct key_sites key = {.token = NULL};
    enum outcome outcome;

    *ret_text = "finished";
    if (i->state == INTENT_BORN)
        return state_intent_plain(i) ? plain_finish(w, intent, f) : intent_complete(w, intent, NULL, f);
    if (makes && json_object_get(i->body, "sites")) {
        *ret_text = "rolled back";
        return intent_withdraw(w, intent, "interrupted before the key was born", NULL, f);
    }
    if (op == OP_USE || op == OP_WRAP) {
        *ret_text = "rolled back";
        return intent_roll_back(w->estate, intent, "interrupted: nothing came out", f);
    }
    if (op == OP_INITIALISE) {
        if (initialise_settle(w, intent, f) != OK)
            return f->outcome;
        i = state_intent(&w->estate->state, intent); /* the state moved */
    }
    if ((op != OP_DESTROY && op != OP_MODIFY) || !json_object_get(i->body, "id")) {
        *ret_text = "spent: whether it was done cannot be known";
        return spend(w, i, f);
    }
    outcome = key_of(w, i, &key, f);
    if (outcome == E_ABSENT) {
        *ret_text = "rolled back";
        return intent_roll_back(w->estate, intent, "interrupted, and the key ended or got another CKA_ID meanwhile", f);
    }
    if (outcome == OK)
        outcome = op == OP_DESTROY ? destroy_settle(w, intent, &key, f) : modify_settle(w, intent, &key, ret_text, f);
    key_sites_clear(&key);
    return outcome;
}

static enum outcome report_put(json_t *report, uint64_t intent, const char *text, struct fault *f)
{
    json_t *line = report ? json_object() : NULL;
    bool good = !report || (json_put_integer(line, "intent", (int64_t)intent) &&
                            json_put_string(line, "outcome", text) && json_array_append(report, line) == 0);

    json_decref(line);
    return good ? OK : fault_memory(f);
}

/* Where nobody is at it. The state may have moved on by the time the lock is ours. */
static enum outcome locked_settle(struct world *w, uint64_t intent, json_t *report, struct fault *f)
{
    struct digest request = state_intent(&w->estate->state, intent)->request;
    struct lock *lock = NULL;
    const char *text = "";
    enum outcome outcome = birth_lock(w->estate, &request, &lock, f);

    if (outcome == E_BUSY)
        return report_put(report, intent, "being carried out by another process", f);
    if (outcome == OK)
        outcome = estate_refresh(w->estate, f);
    if (outcome == OK && settles_here(state_intent(&w->estate->state, intent)))
        outcome = one_settle(w, intent, &text, f);
    if (outcome == OK && text[0])
        outcome = report_put(report, intent, text, f);
    lock_release(lock);
    return outcome;
}

enum outcome grants_settle(struct world *w, const char *token, json_t *report, struct fault *f)
{
    const struct state *s = &w->estate->state;
    uint64_t *list = NULL;
    size_t count = 0;
    struct fault first = {0};

    for (size_t k = 0; k < s->intent_count; k++)
        count += settles_here(&s->intents[k]);
    if (count == 0)
        return OK;
    list = calloc(count, sizeof(*list));
    if (!list)
        return fault_memory(f);
    count = 0;
    for (size_t k = 0; k < s->intent_count; k++)
        if (settles_here(&s->intents[k]) && (!token || strcmp(s->intents[k].token, token) == 0))
            list[count++] = s->intents[k].seq;
    for (size_t k = 0; k < count; k++) {
        struct fault one = {0};

        if (locked_settle(w, list[k], report, &one) == OK)
            continue;
        if (first.outcome == OK)
            first = one;
        report_put(report, list[k], one.text, &one);
    }
    free(list);
    if (first.outcome != OK)
        *f = first;
    return first.outcome;
}
