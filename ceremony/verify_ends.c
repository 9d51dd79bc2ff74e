#include <string.h>

#include "ceremony/verify_inner.h"

/* What operations on keys end in: `used`, `modified`, `destroyed`. Each is what its request asked for, or, without one,
 * what a rule plainly allowed. */

const struct verified_request *verified_end(struct verifier *v, const struct entry *e, enum operation op)
{
    struct fault f = {OK, ""};
    int64_t seq = 0;
    const struct state_intent *intent = NULL;
    const struct verified_request *request = NULL;
    struct digest named;

    if (json_want_integer(e->body, "intent", &seq, &f) == OK)
        intent = state_intent(&v->state, (uint64_t)seq);
    if (intent != NULL && (intent->state == INTENT_OPEN || intent->state == INTENT_PROVISIONAL))
        request = verified_request(v, &intent->request);
    if (request == NULL || request->verdict == NULL || request->request->subject->operation != op)
        return NULL;
    /* `born` names the intent alone. */
    if (json_object_get(e->body, "request") != NULL &&
        (json_want_digest(e->body, "request", &named, &f) != OK || !digest_equal(&named, &intent->request)))
        return NULL;
    return request;
}

static bool same(const json_t *a, const json_t *b)
{
    return a == NULL || b == NULL ? a == b : json_equal(a, b);
}

static bool same_label(const struct entry *e, const struct subject *s)
{
    return strcmp(entry_text(e, "label"), s->label) == 0 && strcmp(entry_text(e, "token"), s->token) == 0;
}

/* The number of uses that the rule grants is the one that was used up. */
static bool use_count_holds(const struct verifier *v, const struct entry *e, const struct request *r)
{
    const struct rule *rule = policy_rule(v->judge, r->rule);
    const json_t *count = json_object_get(e->body, "count");
    unsigned granted = rule != NULL && r->subject->operation == OP_USE ? rule->uses_at_most : 0;

    return granted == 0 ? count == NULL : json_is_integer(count) && json_integer_value(count) == (json_int_t)granted;
}

void verify_use(struct verifier *v, const struct entry *e)
{
    const char *named = json_string_or_null(e->body, "operation"), *data = json_string_or_null(e->body, "data");
    int op = named != NULL ? operation_parse(named) : OP_USE;
    const struct verified_request *request = op < 0 ? NULL : verified_end(v, e, (enum operation)op);
    const struct subject *s = request != NULL ? request->request->subject : NULL;
    const char *approved = s != NULL ? json_string_or_null(json_object_get(s->json, "data"), "sha256") : NULL;
    /* A process that died: the approval is spent, whatever was done. */
    bool interrupted = json_object_get(e->body, "interrupted") != NULL && op != OP_USE && op != OP_WRAP;
    bool good = s != NULL && same_label(e, s);

    if (good && !interrupted)
        good = strcmp(entry_text(e, "function"), s->function) == 0 &&
               same(json_object_get(e->body, "mechanism"), json_object_get(s->json, "mechanism")) &&
               (data == NULL || approved == NULL ? data == approved : strcmp(data, approved) == 0) &&
               use_count_holds(v, e, request->request) && verified_provisional_use(v, e, request->request);
    if (good)
        claim_holds(&v->claims, CLAIM_USES);
    else
        claim_fails(&v->claims, CLAIM_USES, "use %llu of %s is not the one that was approved",
                    (unsigned long long)e->seq, entry_text(e, "label"));
}

/* Without a request: only where a rule plainly allows, and of a key that is at one site only. */
static bool plainly_allowed(const struct verifier *v, const struct entry *e, enum operation op,
                            const struct state_key *key)
{
    const struct rule *rule =
        policy_match(v->judge, op, entry_text(e, "token"), entry_text(e, "label"), entry_text(e, "class"), 1);

    return rule != NULL && rule->effect == EFFECT_ALLOW && (op == OP_DESTROY || key->sites.count <= 1) &&
           json_object_get(e->body, "request") == NULL;
}

/* The key is the one that the request names: by the fingerprint, or by the entry that it was born with. */
bool verified_same_key(const struct subject *s, const struct state_key *key)
{
    const char *fingerprint = json_string_or_null(s->json, "key");
    const json_t *born = json_object_get(s->json, "born");

    return fingerprint != NULL ? strcmp(fingerprint, digest_hex(&key->fingerprint).hex) == 0
                               : json_is_integer(born) && (uint64_t)json_integer_value(born) == key->seq;
}

static bool change_holds(const struct entry *e, const struct subject *s)
{
    const json_t *key = json_object_get(json_object_get(s->json, "templates"), "key");
    const char *id = json_string_or_null(key, "CKA_ID"), *new_id = json_string_or_null(e->body, "new-id");

    return same(json_object_get(e->body, "new-label"), json_object_get(key, "CKA_LABEL")) &&
           (id == NULL || new_id == NULL ? id == new_id : strncmp(id, "hex:", 4) == 0 && strcmp(id + 4, new_id) == 0);
}

/* A key gets no label under which it may not be changed: a rule plainly allows that too, or it was decided, for this key. */
static bool new_label_holds(struct verifier *v, const struct entry *e, const struct state_key *key)
{
    const char *label = json_string_or_null(e->body, "new-label");
    const struct rule *rule =
        label == NULL ? NULL : policy_match(v->judge, OP_MODIFY, key->token, label, key->class_name, 1);

    if (label == NULL || (rule != NULL && rule->effect == EFFECT_ALLOW))
        return true;
    for (size_t i = 0; i < v->state.intent_count; i++) {
        const struct verified_request *request = verified_request(v, &v->state.intents[i].request);
        const struct subject *s = request != NULL && request->verdict != NULL ? request->request->subject : NULL;

        if (s != NULL && s->operation == OP_MODIFY && strcmp(s->token, key->token) == 0 &&
            strcmp(s->label, label) == 0 && verified_same_key(s, key))
            return true;
    }
    return false;
}

static bool listed(const json_t *list, const char *site)
{
    size_t at = 0;
    json_t *item = NULL;

    json_array_foreach(list, at,
                       item) if (json_is_string(item) && strcmp(json_string_value(item), site) == 0) return true;
    return false;
}

/* Sites that held it, or the primary, each named once in both lists together. */
static bool once_each(const struct verifier *v, const struct state_key *key, const json_t *list, const json_t *other)
{
    const struct token *token = policy_token(v->judge, key->token);
    size_t at = 0, again = 0;
    json_t *site = NULL, *same = NULL;

    json_array_foreach(list, at, site)
    {
        const char *id = json_string_value(site);
        size_t times = 0;

        json_array_foreach(list, again, same) times += json_equal(site, same) == 1;
        if (id == NULL || times != 1 || listed(other, id) ||
            (!strings_have(&key->sites, id) && (token == NULL || strcmp(token->primary, id) != 0)))
            return false;
    }
    return true;
}

/* Every site that held the key is said to be without it, or left: one of the two. */
static bool sites_accounted(const struct verifier *v, const struct entry *e, const struct state_key *key)
{
    const json_t *sites = json_object_get(e->body, "sites"), *left = json_object_get(e->body, "left");

    for (size_t i = 0; i < key->sites.count; i++)
        if (!listed(sites, key->sites.items[i]) && !listed(left, key->sites.items[i]))
            return false;
    return once_each(v, key, sites, left) && once_each(v, key, left, sites);
}

/* A token was made new: every key that it held has such an end under the one intent. */
static bool ended_with_token(struct verifier *v, const struct entry *e)
{
    const struct verified_request *request = verified_end(v, e, OP_INITIALISE);
    const struct subject *s = request != NULL ? request->request->subject : NULL;

    return s != NULL && strcmp(s->function, "C_InitToken") == 0 && strcmp(entry_text(e, "token"), s->token) == 0 &&
           json_object_get(e->body, "request") == NULL;
}

void verify_key_end(struct verifier *v, const struct entry *e)
{
    enum operation op = e->type == ENTRY_DESTROYED ? OP_DESTROY : OP_MODIFY;
    const struct state_key *key = state_key(&v->state, entry_text(e, "token"), entry_text(e, "class"),
                                            entry_text(e, "id"), entry_text(e, "label"));
    const struct verified_request *request = NULL;
    bool good = v->judge != NULL && key != NULL;

    if (good && json_object_get(e->body, "intent") == NULL) {
        good = plainly_allowed(v, e, op, key);
    } else if (good && (op != OP_DESTROY || !ended_with_token(v, e))) {
        request = verified_end(v, e, op);
        good = request != NULL && same_label(e, request->request->subject) &&
               verified_same_key(request->request->subject, key) &&
               (op == OP_DESTROY || change_holds(e, request->request->subject));
    }
    if (good)
        good = op == OP_DESTROY ? sites_accounted(v, e, key) : new_label_holds(v, e, key);
    if (good)
        claim_holds(&v->claims, CLAIM_ENDS);
    else
        claim_fails(&v->claims, CLAIM_ENDS, "key %s was %s in entry %llu otherwise than approved or allowed",
                    entry_text(e, "label"), entry_type_name(e->type), (unsigned long long)e->seq);
}
