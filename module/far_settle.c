#include <string.h>

#include "audit/document.h"
#include "core/encode.h"
#include "core/limits.h"
#include "module/far.h"
#include "module/recovery.h"

/* What becomes of a key that was taken in: born, withdrawn, destroyed. */

static enum outcome settled_log(struct far *x, const struct digest *intent, const char *what, struct fault *f)
{
    json_t *body = json_object();
    if (json_put_string(body, "outcome", what))
        return far_log(x, ENTRY_SETTLED, intent, body, f);
    json_decref(body);
    return fault_memory(f);
}

enum outcome far_withdraw(struct far *x, const struct state_taken *t, struct fault *f)
{
    struct digest intent = t->intent; /* the state moves */
    struct buf id = BUF(32);
    enum outcome outcome = intent_key_id(&intent, &id, f);
    if (outcome == OK)
        outcome = site_destroy(&x->link, buf_span(&id), f);
    if (outcome == OK)
        outcome = settled_log(x, &intent, "withdrawn", f);
    buf_free(&id);
    return outcome;
}

/* The CKA_ID that what came by this intent has here: the caller's, or the one that derives from the intent. */
static enum outcome id_here(const struct state_intent *way, struct buf *ret, struct fault *f)
{
    const char *caller = json_string_or_null(way->body, "caller-id");
    enum outcome outcome = caller != NULL ? hex_parse_buf(caller, ret, f) : intent_key_id(&way->digest, ret, f);

    if (outcome == OK && ret->len == 0)
        outcome =
            fault_set(f, E_REFUSED, "entry %llu of the host's log gives a key no CKA_ID", (unsigned long long)way->seq);
    return outcome;
}

static const char *class_here(const struct far *x, const struct state_intent *way)
{
    const char *class = json_string_or_null(way->body, "class");
    const json_t *born = json_object_get(way->body, "born");
    const struct state_key *key =
        json_is_integer(born) ? state_key_ever(&x->host->copy->state, (uint64_t)json_integer_value(born)) : NULL;

    return key != NULL ? key->class_name : class != NULL ? class : "";
}

bool far_key_named(const struct subject *asked, const struct state_key *key)
{
    const char *fingerprint = json_string_or_null(asked->json, "key");
    const json_t *born = json_object_get(asked->json, "born");

    if (key == NULL)
        return false;
    return fingerprint != NULL ? strcmp(fingerprint, digest_hex(&key->fingerprint).hex) == 0
                               : json_is_integer(born) && (uint64_t)json_integer_value(born) == key->seq;
}

static bool id_is_own(const struct state_host *h, const char *id)
{
    const char *const own[] = {h->identity_id, h->transport_id, h->transport_before_id};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i] != NULL && strcmp(own[i], id) == 0)
            return true;
    return false;
}

enum outcome far_id_free(const struct far *x, const struct state_intent *way, struct fault *f)
{
    const struct state *own = &x->own->state;
    const char *caller = json_string_or_null(way->body, "caller-id");
    struct buf id = BUF(LIMIT_LABEL);
    enum outcome outcome = id_here(way, &id, f);

    if (outcome == OK && caller != NULL && id_is_own(own->host, caller))
        outcome = fault_set(f, E_REFUSED, "the CKA_ID %s is that of a key of this site's own", caller);
    for (size_t i = 0; outcome == OK && i < own->taken_count; i++) {
        const struct state_taken *t = &own->taken[i];
        const struct state_intent *other = state_intent_named(&x->host->copy->state, &t->intent);
        struct buf taken = BUF(LIMIT_LABEL);

        bool given_up = t->state == TAKEN_PENDING && other != NULL && other->state == INTENT_ROLLED_BACK;
        if ((t->state != TAKEN_PENDING && t->state != TAKEN_BORN) || given_up || digest_equal(&t->intent, &way->digest))
            continue;
        outcome = other != NULL ? id_here(other, &taken, f)
                                : fault_set(f, E_REFUSED, "the host's log does not have the intent of a key here");
        if (outcome == OK && span_equal(buf_span(&id), buf_span(&taken)) &&
            strcmp(class_here(x, other), class_here(x, way)) == 0)
            outcome = fault_set(f, E_REFUSED, "the key \"%s\" that came here has the CKA_ID of entry %llu too",
                                other->label != NULL ? other->label : "", (unsigned long long)way->seq);
        buf_free(&taken);
    }
    buf_free(&id);
    return outcome;
}

static enum outcome born(struct far *x, const struct state_intent *i, struct fault *f)
{
    const struct state_taken *t = state_taken(&x->own->state, &i->digest);
    const struct digest none = {{0}};
    const char *caller = json_string_or_null(i->body, "caller-id");
    struct buf id = BUF(32), wanted = BUF(255);
    enum outcome outcome = OK;

    if (i->state != INTENT_BORN && i->state != INTENT_SETTLED)
        return fault_set(f, E_REFUSED, "the host's log does not say that the key of entry %llu is born",
                         (unsigned long long)i->seq);
    if (t != NULL && t->state == TAKEN_BORN)
        return OK;
    if (t == NULL || t->state != TAKEN_PENDING || digest_equal(&t->receipt, &none))
        return fault_set(f, E_REFUSED, "no key of entry %llu of the host's log waits here to be born",
                         (unsigned long long)i->seq);
    outcome = far_id_free(x, i, f);
    if (outcome == OK)
        outcome = intent_key_id(&i->digest, &id, f);
    if (outcome == OK)
        outcome = id_here(i, &wanted, f);
    if (outcome == OK && caller != NULL)
        outcome = site_rename(&x->link, buf_span(&id), buf_span(&wanted), i->label != NULL ? i->label : "", f);
    if (outcome == OK)
        outcome = settled_log(x, &i->digest, "born", f);
    buf_free(&id);
    buf_free(&wanted);
    return outcome;
}

static enum outcome withdrawn(struct far *x, const struct state_intent *i, struct fault *f)
{
    const struct state_taken *t = state_taken(&x->own->state, &i->digest);
    struct buf id = BUF(32);
    enum outcome outcome = OK;

    if (i->state != INTENT_ROLLED_BACK)
        return fault_set(f, E_REFUSED,
                         "the host's log does not say that entry %llu was rolled back: nothing of it is destroyed here",
                         (unsigned long long)i->seq);
    if (t != NULL && t->state == TAKEN_PENDING)
        return far_withdraw(x, t, f);
    /* It never came here, or went before: that nothing is left is looked at, not remembered. */
    outcome = intent_key_id(&i->digest, &id, f);
    if (outcome == OK)
        outcome = site_destroy(&x->link, buf_span(&id), f);
    buf_free(&id);
    return outcome;
}

/* The intent under which this key came here: that of its birth, or one to bring it here later. */
static const struct state_intent *way_of(const struct far *x, const struct state_key *k)
{
    const struct state *s = &x->host->copy->state;

    for (size_t i = s->intent_count; i-- > 0;) {
        const json_t *born = json_object_get(s->intents[i].body, "born");

        if (strcmp(s->intents[i].operation, operation_name(OP_REPLICATE)) == 0 && json_is_integer(born) &&
            (uint64_t)json_integer_value(born) == k->seq && s->intents[i].state != INTENT_ROLLED_BACK &&
            state_taken(&x->own->state, &s->intents[i].digest) != NULL)
            return &s->intents[i];
    }
    return state_intent(s, k->intent);
}

/* The key that an approved `destroy` names: the intent under which it came here; NULL: none that came through an offer. */
static const struct state_intent *birth_of(const struct far *x, const struct state_intent *end,
                                           const struct state_key **ret_key)
{
    const struct state *s = &x->host->copy->state;
    const char *id = json_string_or_null(end->body, "id"), *class = json_string_or_null(end->body, "class");

    for (size_t i = s->key_count; id != NULL && class != NULL && i-- > 0;) {
        const struct state_key *k = &s->keys[i];

        if (k->intent == 0 || k->seq > end->seq || strcmp(k->id, id) != 0 || strcmp(k->class_name, class) != 0 ||
            end->token == NULL || strcmp(k->token, end->token) != 0 ||
            strcmp(k->label, end->label != NULL ? end->label : "") != 0)
            continue;
        *ret_key = k;
        return way_of(x, k);
    }
    return NULL;
}

/* A key that was born here goes, and our log says so; `way`: the intent under which it came. */
static enum outcome key_go(struct far *x, const struct state_key *key, const struct state_intent *way, struct fault *f)
{
    const struct state_taken *t = way != NULL ? state_taken(&x->own->state, &way->digest) : NULL;
    struct buf id = BUF(255);
    enum outcome outcome = OK;

    if (t == NULL || (t->state != TAKEN_BORN && t->state != TAKEN_DESTROYED))
        return fault_set(f, E_REFUSED, "the key that is to be destroyed was never born here");
    /* What is elsewhere nobody renames: where the host's log says so, another key is meant than people, or a rule, let go. */
    if (strcmp(way->label != NULL ? way->label : "", key->label) != 0)
        return fault_set(f, E_REFUSED, "the key that is to be destroyed came here as \"%s\", not as \"%s\"",
                         way->label != NULL ? way->label : "", key->label);
    outcome = far_id_free(x, way, f);
    if (outcome == OK)
        outcome = id_here(way, &id, f);
    if (outcome == OK)
        outcome = site_key_destroy(&x->link, site_key_class(class_here(x, way)), buf_span(&id),
                                   buf_span(&key->public_key), f);
    if (outcome == OK && t->state == TAKEN_BORN)
        outcome = settled_log(x, &way->digest, "destroyed", f);
    buf_free(&id);
    return outcome;
}

static enum outcome destroyed(struct far *x, const struct state_intent *end, const struct state_intent **ret_birth,
                              struct fault *f)
{
    const struct state_key *key = NULL;
    const struct state_intent *birth = birth_of(x, end, &key);
    struct request *r = NULL;
    enum outcome outcome = OK;

    if (end->state == INTENT_ROLLED_BACK)
        return fault_set(f, E_REFUSED, "what entry %llu wanted destroyed was given up", (unsigned long long)end->seq);
    outcome = estate_request(x->host->copy, &end->request, &r, f);
    if (outcome == OK && birth != NULL && !far_key_named(r->subject, key))
        outcome = fault_set(f, E_REFUSED, "people approved the end of another key than entry %llu names",
                            (unsigned long long)end->seq);
    if (outcome == OK)
        outcome = key_go(x, key, birth, f);
    request_free(r);
    if (outcome == OK)
        *ret_birth = birth;
    return outcome;
}

/* One key of a site that retired: born here or waiting for that, it goes. */
static enum outcome retired_go(struct far *x, const struct state_key *key, struct fault *f)
{
    const struct state_intent *way = way_of(x, key);
    const struct state_taken *t = way != NULL ? state_taken(&x->own->state, &way->digest) : NULL;

    return t != NULL && t->state == TAKEN_PENDING ? far_withdraw(x, t, f) : key_go(x, key, way, f);
}

/* The site retired: every key that the host's log has left here. */
static enum outcome retired(struct far *x, const struct state_intent *i, struct fault *f)
{
    const struct state *s = &x->host->copy->state;
    const struct state_host *h = x->own->state.host;
    enum outcome outcome = OK;

    if (i->token == NULL || strcmp(i->token, h->token) != 0 || !strings_have(&i->orphans, h->site))
        return fault_set(f, E_REFUSED, "the host's log does not say that %s at %s retired by entry %llu", h->token,
                         h->site, (unsigned long long)i->seq);
    for (size_t k = 0; outcome == OK && k < s->key_count; k++)
        if (strcmp(s->keys[k].token, h->token) == 0 && strings_have(&s->keys[k].retired, h->site))
            outcome = retired_go(x, &s->keys[k], f);
    return outcome;
}

/* Signed by the identity key, under a prefix of its own: a stranger may keep it as proof. */
static enum outcome settled_sign(struct far *x, const struct state_intent *birth, const char *named, uint64_t seq,
                                 const char *what, json_t *more, struct fault *f)
{
    const struct state_host *h = x->own->state.host;
    struct digest digest;
    if (!settled_digest(&h->estate, h->token, h->site, &birth->digest, what, &digest) ||
        !json_put_integer(more, named, (int64_t)seq) || !json_put_string(more, "outcome", what))
        return fault_memory(f);
    return far_sign(x, &digest, "signature", more, f);
}

enum outcome far_settle(struct far *x, const struct message *m, json_t *more, struct fault *f)
{
    const struct state_intent *i = NULL, *birth = NULL;
    const char *what = m->kind == MESSAGE_BORN ? "born" : "withdrawn";
    int64_t seq = 0;
    enum outcome outcome = json_want_integer(m->json, "intent", &seq, f);
    if (outcome != OK)
        return outcome;
    i = seq >= 0 ? state_intent(&x->host->copy->state, (uint64_t)seq) : NULL;
    if (i == NULL)
        return fault_set(f, E_REFUSED, "entry %lld of the host's log is no intent", (long long)seq);
    bool end = strcmp(i->operation, operation_name(OP_DESTROY)) == 0,
         retirement = strcmp(i->operation, operation_name(OP_RETIRE_SITE)) == 0;
    if (!end && !retirement && strcmp(i->operation, operation_name(OP_GENERATE)) != 0 &&
        strcmp(i->operation, operation_name(OP_REPLICATE)) != 0)
        return fault_set(f, E_REFUSED, "entry %lld of the host's log begins neither a birth nor an end",
                         (long long)seq);
    birth = i;
    if (end && m->kind == MESSAGE_WITHDRAW) {
        what = "destroyed";
        outcome = destroyed(x, i, &birth, f);
    } else if (retirement && m->kind == MESSAGE_WITHDRAW) {
        what = "destroyed";
        outcome = retired(x, i, f);
    } else if (m->kind == MESSAGE_WITHDRAW) {
        outcome = withdrawn(x, i, f);
    } else {
        outcome = born(x, i, f);
    }
    if (outcome == OK)
        outcome = settled_sign(x, birth, "intent", (uint64_t)seq, what, more, f);
    return outcome == OK && m->kind == MESSAGE_BORN ? far_renew(x, birth, more, f) : outcome;
}

/* What nobody approved is judged as the host judged it: by the policy that is in force now, which people here follow too. */
static enum outcome end_allowed(const struct far *x, const struct state_key *key, struct fault *f)
{
    const struct state *s = &x->host->copy->state;
    const struct rule *rule =
        policy_match(x->host->copy->policy, OP_DESTROY, key->token, key->label, key->class_name, 1);

    if (rule == NULL || rule->effect != EFFECT_ALLOW)
        return fault_set(
            f, E_REFUSED,
            "no rule of the policy in force lets the key \"%s\" be destroyed without approvals: nothing of it is "
            "destroyed here; let people do it at this site",
            key->label);
    if (state_suspended(&x->own->state, key->token, key->label) ||
        (!rule->while_suspended && state_suspended(s, key->token, key->label)))
        return fault_set(f, E_REFUSED, "%s is suspended: have it asked again when that is over", key->token);
    return OK;
}

enum outcome far_key_end(struct far *x, const struct message *m, json_t *more, struct fault *f)
{
    const struct state_host *h = x->own->state.host;
    const struct state_key *key = NULL;
    const struct state_intent *way = NULL;
    int64_t born = 0;
    enum outcome outcome = json_want_integer(m->json, "born", &born, f);

    if (outcome != OK)
        return outcome;
    key = born >= 0 ? state_key_ever(&x->host->copy->state, (uint64_t)born) : NULL;
    if (key == NULL || !key->destroyed || strcmp(key->token, h->token) != 0)
        return fault_set(f, E_REFUSED, "the host's log does not say that the key of entry %lld was destroyed",
                         (long long)born);
    outcome = end_allowed(x, key, f);
    if (outcome == OK)
        outcome = key_go(x, key, way = way_of(x, key), f);
    return outcome == OK ? settled_sign(x, way, "born", key->seq, "destroyed", more, f) : outcome;
}
