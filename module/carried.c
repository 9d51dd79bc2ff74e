#include "module/carried.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "estate/message.h"
#include "estate/rejudge.h"
#include "module/birth.h"
#include "module/key_sites.h"
#include "module/recovery.h"
#include "module/retire.h"

struct import {
    struct world *world;
    struct estate *estate;
    char token[LIMIT_NAME + 1], site[LIMIT_NAME + 1];
    struct site_answer answer;
    uint64_t intent;
    const char *status;
    json_t *more; /* members of the report beyond site, status and token; owned */
};

/* Which message it answers, and whose answer it is; nothing of it is believed yet. */
static enum outcome answer_peek(struct import *n, struct span bytes, struct fault *f)
{
    static const enum message_kind kinds[] = {MESSAGE_OFFER, MESSAGE_BORN,  MESSAGE_WITHDRAW, MESSAGE_CHALLENGE,
                                              MESSAGE_END,   MESSAGE_DRILL, MESSAGE_INVENTORY};
    const char *type = NULL, *token = NULL, *site = NULL;
    enum message_kind kind = MESSAGE_OFFER;
    json_t *json = NULL;
    enum outcome outcome = json_parse_canonical(bytes, &json, f);
    if (outcome == OK)
        outcome = json_want_string(json, "type", &type, f);
    if (outcome == OK)
        outcome = json_want_string(json, "token", &token, f);
    if (outcome == OK)
        outcome = json_want_string(json, "site", &site, f);
    if (outcome == OK && (!name_valid(token) || !name_valid(site)))
        outcome = fault_set(f, E_INVALID, "it names no token and no site");
    for (size_t i = 0; outcome == OK && i < sizeof kinds / sizeof *kinds; i++) {
        char known[64];
        snprintf(known, sizeof known, "quorate/answer/%s/v1", message_kind_name(kinds[i]));
        if (strcmp(type, known) == 0)
            kind = kinds[i];
    }
    if (outcome == OK) {
        snprintf(n->token, sizeof n->token, "%s", token);
        snprintf(n->site, sizeof n->site, "%s", site);
        outcome = answer_read(bytes, &n->estate->state.estate, kind, n->token, n->site, &n->answer, f);
    }
    json_decref(json);
    return outcome == OK ? OK : fault_context(f, "this is no answer that is awaited");
}

/* The offer that a receipt answers, as it was carried away. */
static enum outcome offer_find(const struct import *n, const struct receipt *r, struct offer *ret, uint64_t *ret_intent,
                               struct fault *f)
{
    const struct state *s = &n->estate->state;
    struct buf bytes = BUF(LIMIT_OFFER);
    const struct state_intent *i = state_intent_named(s, &r->intent);
    if (i == NULL || i->token == NULL || strcmp(i->token, n->token) != 0)
        return fault_set(f, E_REFUSED, "the receipt is for a birth that this log does not know");
    if (i->state != INTENT_PROVISIONAL)
        return fault_set(f, E_REFUSED, "nobody waits for this receipt: the birth of entry %llu has ended",
                         (unsigned long long)i->seq);
    if (strings_have(&i->receipted, n->site))
        return fault_set(f, E_REFUSED, "%s has answered the birth of entry %llu already", n->site,
                         (unsigned long long)i->seq);
    enum outcome outcome = estate_kept(n->estate, "offers", ".json", &r->offer, &bytes, f);
    if (outcome == E_ABSENT)
        fault_set(f, E_REFUSED, "the receipt is for an offer that was not made here");
    if (outcome == OK)
        outcome = offer_parse(buf_span(&bytes), ret, f);
    if (outcome == OK)
        *ret_intent = i->seq;
    buf_free(&bytes);
    return outcome;
}

/* What may have changed since the key was made. */
enum outcome provisional_stands(const struct world *w, uint64_t intent, struct fault *f)
{
    const struct state *s = &w->estate->state;
    const struct state_intent *i = state_intent(s, intent);
    const struct rule *rule = NULL;
    struct request *r = NULL;
    enum outcome outcome = estate_request(w->estate, &i->request, &r, f);
    if (outcome == OK && !digest_equal(&s->policy, &r->policy))
        outcome = fault_set(f, E_REFUSED,
                            "another policy was adopted meanwhile: the key cannot be born under it, and is "
                            "destroyed when its time is over");
    if (outcome == OK)
        rule = policy_rule(w->estate->policy, r->rule);
    if (outcome == OK && (rule == NULL || !rule->while_suspended) && state_suspended(s, i->token, i->label))
        outcome = fault_set(f, E_REFUSED, "%s is suspended: come back to this when it is resumed", i->token);
    if (outcome == OK && moment_now() > i->until)
        outcome = fault_set(f, E_REFUSED, "receipts were awaited until %s: `quorate settle` undoes the birth",
                            moment_format(i->until).text);
    if (outcome == OK && strcmp(i->operation, operation_name(OP_REPLICATE)) == 0 && !replica_wanted(s, i))
        outcome = fault_set(
            f, E_REFUSED,
            "\"%s\" ended, or became another, since it was offered: `quorate settle` undoes what the site took in",
            i->label != NULL ? i->label : "");
    request_free(r);
    return outcome;
}

static enum outcome receipt_check(const struct import *n, const struct receipt *r, const struct offer *o,
                                  struct fault *f)
{
    const struct state_site *site = state_site(&n->estate->state, n->token, n->site);
    if (site == NULL || !state_intent(&n->estate->state, n->intent))
        return fault_set(f, E_REFUSED, "%s at %s is not enrolled", n->token, n->site);
    return receipt_verify(r, o, &r->offer, buf_span(&site->identity), site->serial, f);
}

static enum outcome receipt_import(struct import *n, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_OFFER);
    struct receipt r = {.proof = ""};
    struct offer o = {.attributes = NULL};
    enum outcome outcome = json_canonical(json_object_get(n->answer.json, "receipt"), &bytes, f);
    if (outcome == OK)
        outcome = receipt_parse(buf_span(&bytes), &r, f);
    if (outcome == OK)
        outcome = offer_find(n, &r, &o, &n->intent, f);
    if (outcome == OK)
        outcome = provisional_stands(n->world, n->intent, f);
    if (outcome == OK)
        outcome = receipt_check(n, &r, &o, f);
    if (outcome == OK)
        outcome = receipt_log(n->estate, n->intent, n->site, &r.offer, &r, f);
    /* Where it was the last one, the birth ends as one that died just before its end. */
    if (outcome == OK)
        outcome = settle_token(n->world, n->token, NULL, f);
    const struct state_intent *i = outcome == OK ? state_intent(&n->estate->state, n->intent) : NULL;
    n->status = i != NULL && i->state == INTENT_PROVISIONAL                            ? "receipt"
                : i != NULL && strcmp(i->operation, operation_name(OP_REPLICATE)) == 0 ? "replicated"
                                                                                       : "born";
    receipt_clear(&r);
    offer_clear(&o);
    buf_free(&bytes);
    return outcome;
}

/* The site signed that this became of what came there under the intent with this digest. */
static enum outcome outcome_verify(const struct import *n, const struct state_site *site, const struct digest *way,
                                   const char *what, struct fault *f)
{
    const struct state *s = &n->estate->state;
    const char *said = json_string_or_null(n->answer.json, "outcome"), *text = NULL;
    struct buf signature = BUF(2048);
    struct digest digest;
    enum outcome outcome = OK;
    if (site == NULL || said == NULL || strcmp(said, what) != 0)
        outcome = fault_set(f, E_REFUSED, "it does not say that what is awaited was %s", what);
    if (outcome == OK)
        outcome = json_want_string(n->answer.json, "signature", &text, f);
    if (outcome == OK)
        outcome = hex_parse_buf(text, &signature, f);
    if (outcome == OK && !settled_digest(&s->estate, n->token, n->site, way, what, &digest))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = digest_signature_verify(buf_span(&site->identity), &digest, buf_span(&signature), f);
    buf_free(&signature);
    return outcome;
}

static bool intent_retires(const struct state_intent *i)
{
    return strcmp(i->operation, operation_name(OP_RETIRE_SITE)) == 0;
}

/* The intent that the answer names; NULL: none of this token. */
static const struct state_intent *answer_intent(const struct import *n)
{
    const json_t *seq = json_object_get(n->answer.json, "intent");
    const struct state_intent *i = json_is_integer(seq) && json_integer_value(seq) >= 0
                                       ? state_intent(&n->estate->state, (uint64_t)json_integer_value(seq))
                                       : NULL;
    return i != NULL && i->token != NULL && strcmp(i->token, n->token) == 0 ? i : NULL;
}

/* The same of the birth that the answer names, or of the site's own retirement: by the HSM that was enrolled there then. */
static enum outcome intent_verify(struct import *n, const char *what, struct fault *f)
{
    const struct state_intent *i = answer_intent(n);
    if (i == NULL)
        return fault_set(f, E_REFUSED, "it says nothing of a birth that this log knows");
    enum outcome outcome =
        outcome_verify(n, state_site_before(&n->estate->state, n->token, n->site, i->seq), &i->digest, what, f);
    if (outcome == OK)
        n->intent = i->seq;
    return outcome;
}

/* The site's next transport key, which its identity key vouches for: from here on nothing is wrapped for the one before. One that
 * is pinned already came with an answer before this one. */
static enum outcome renewal_import(struct import *n, struct fault *f)
{
    json_t *renewal = json_object_get(n->answer.json, "renewal"), *body = NULL;
    const struct state_site *site = state_site(&n->estate->state, n->token, n->site);
    const char *next = NULL, *id = NULL, *signature = NULL;
    struct buf spki = BUF(4096);
    enum outcome outcome = json_members(renewal, "signature transport transport-id", f);
    if (outcome == OK)
        outcome = json_want_string(renewal, "transport", &next, f);
    if (outcome == OK)
        outcome = json_want_string(renewal, "transport-id", &id, f);
    if (outcome == OK)
        outcome = json_want_string(renewal, "signature", &signature, f);
    if (outcome == OK)
        outcome = hex_parse_buf(next, &spki, f);
    if (outcome != OK || (site != NULL && span_equal(buf_span(&site->transport), buf_span(&spki))))
        goto out;
    outcome = rejudge_renewal(&n->estate->state, renewal, n->token, n->site, f);
    body = json_deep_copy(renewal);
    if (outcome == OK && (!json_put_string(body, "site", n->site) || !json_put_string(body, "token", n->token)))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = estate_append(n->estate, ENTRY_TRANSPORT_RENEWED, body, NULL, f);
out:
    json_decref(body);
    buf_free(&spki);
    return outcome;
}

static enum outcome told_import(struct import *n, struct fault *f)
{
    char *path = NULL;
    enum outcome outcome = intent_verify(n, "born", f);
    const struct state_intent *i = outcome == OK ? state_intent(&n->estate->state, n->intent) : NULL;
    if (outcome == OK && (i->state != INTENT_BORN || !strings_have(&i->receipted, n->site)))
        outcome = fault_set(f, E_REFUSED, "that %s knows of the birth of entry %llu is known already", n->site,
                            (unsigned long long)n->intent);
    if (outcome == OK && json_object_get(n->answer.json, "renewal") != NULL)
        outcome = renewal_import(n, f);
    path = outcome == OK ? told_path(n->estate, n->intent, n->site) : NULL;
    if (outcome == OK)
        outcome = path != NULL ? file_replace(path, span_of(NULL, 0), 0600, f) : fault_memory(f);
    if (outcome == OK)
        outcome = settle_token(n->world, n->token, NULL, f);
    n->status = "told";
    free(path);
    return outcome;
}

/* Of what a birth left there, or of all that a site held which retired. */
static enum outcome withdrawal_import(struct import *n, bool retirement, struct fault *f)
{
    json_t *body = json_object();
    enum outcome outcome = intent_verify(n, retirement ? "destroyed" : "withdrawn", f);
    const struct state_intent *i = outcome == OK ? state_intent(&n->estate->state, n->intent) : NULL;
    if (outcome == OK && ((!retirement && i->state != INTENT_ROLLED_BACK) || !strings_have(&i->orphans, n->site)))
        outcome = fault_set(f, E_REFUSED, "nothing of entry %llu waits to be destroyed at %s",
                            (unsigned long long)n->intent, n->site);
    if (outcome == OK &&
        (!json_put_integer(body, "intent", (int64_t)n->intent) || !json_put(body, "sites", json_pack("[s]", n->site))))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = estate_append(n->estate, ENTRY_ACCEPTED, body, NULL, f);
    n->status = retirement ? "destroyed" : "withdrawn";
    json_decref(body);
    return outcome;
}

/* The key whose end the answer speaks of, and which is left there. */
static const struct state_key *ended_key(const struct import *n, uint64_t number, struct key_end *ret)
{
    const struct state *s = &n->estate->state;
    struct fault ignored = {OK, ""};
    for (size_t i = 0; i < s->key_count; i++) {
        const struct state_key *k = &s->keys[i];
        if (k->destroyed && strcmp(k->token, n->token) == 0 && strings_have(&k->retired, n->site) &&
            key_end_find(s, k, n->site, ret, &ignored) == OK && ret->kind == n->answer.kind && ret->number == number)
            return k;
    }
    return NULL;
}

static enum outcome end_import(struct import *n, struct fault *f)
{
    struct strings cleared = {0};
    struct key_end end;
    int64_t number = 0;
    enum outcome outcome =
        json_want_integer(n->answer.json, n->answer.kind == MESSAGE_END ? "born" : "intent", &number, f);
    const struct state_key *k = outcome == OK && number >= 0 ? ended_key(n, (uint64_t)number, &end) : NULL;
    if (outcome == OK && k == NULL)
        outcome = fault_set(f, E_REFUSED,
                            "no key whose end is entry %lld is left at %s: it was answered already, or never ended",
                            (long long)number, n->site);
    if (outcome == OK)
        outcome = outcome_verify(n, state_site(&n->estate->state, n->token, n->site), &end.way, "destroyed", f);
    if (outcome == OK && (!json_put_string(n->more, "key", k->label) || !strings_add(&cleared, n->site)))
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = key_cleared_log(n->world, k->seq, &cleared, f);
    n->status = "destroyed";
    strings_free(&cleared);
    return outcome;
}

/* Of a withdrawal: of what a birth left, or of a key that was born. */
static bool says_destroyed(const struct import *n)
{
    const char *said = json_string_or_null(n->answer.json, "outcome");
    return n->answer.kind == MESSAGE_END || (said != NULL && strcmp(said, "destroyed") == 0);
}

/* A drill, a list, an arrival; a retirement may have waited for the first. */
static enum outcome question_import(struct import *n, struct fault *f)
{
    struct fault retirement = {.outcome = OK};
    bool drill = n->answer.kind == MESSAGE_DRILL;
    enum outcome outcome = carried_answer(n->world, n->token, n->site, &n->answer, n->more, f);
    const char *state = json_string_or_null(json_object_get(n->more, "drill"), "state");
    if (outcome == OK && drill)
        retirement_answered(n->world, n->token, n->site, state != NULL && strcmp(state, "failed") == 0, &retirement);
    if (outcome == OK && retirement.text[0] != '\0' && !json_put_string(n->more, "retirement", retirement.text))
        outcome = fault_memory(f);
    n->status = drill ? "drilled" : n->answer.kind == MESSAGE_CHALLENGE ? "arrived" : "listed";
    return outcome;
}

static enum outcome answer_import(struct import *n, struct fault *f)
{
    const struct state_intent *i = answer_intent(n);
    bool retirement = n->answer.kind == MESSAGE_WITHDRAW && i != NULL && intent_retires(i);
    switch (n->answer.kind) {
    case MESSAGE_OFFER:
        return receipt_import(n, f);
    case MESSAGE_BORN:
        return told_import(n, f);
    case MESSAGE_CHALLENGE:
    case MESSAGE_DRILL:
    case MESSAGE_INVENTORY:
        return question_import(n, f);
    default:
        return says_destroyed(n) && !retirement ? end_import(n, f) : withdrawal_import(n, retirement, f);
    }
}

enum outcome carried_import(struct world *w, struct span answer, json_t **ret, struct fault *f)
{
    struct import n = {.world = w, .estate = w->estate, .answer = {.kind = MESSAGE_KINDS}, .more = json_object()};
    enum outcome outcome = n.more != NULL ? estate_refresh(w->estate, f) : fault_memory(f);
    if (outcome == OK)
        outcome = answer_peek(&n, answer, f);
    if (outcome == OK)
        outcome = answer_import(&n, f);
    if (outcome == OK && (!json_put_string(n.more, "site", n.site) || !json_put_string(n.more, "status", n.status) ||
                          !json_put_string(n.more, "token", n.token) ||
                          (n.intent != 0 && !json_put_integer(n.more, "intent", (int64_t)n.intent))))
        outcome = fault_memory(f);
    if (outcome == OK)
        *ret = json_incref(n.more);
    json_decref(n.more);
    site_answer_clear(&n.answer);
    return outcome;
}
