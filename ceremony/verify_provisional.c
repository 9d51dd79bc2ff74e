#include <stdlib.h>
#include <string.h>

#include "ceremony/verify_inner.h"
#include "core/encode.h"
#include "core/limits.h"
#include "estate/to_be_signed.h"

/* Keys that are made and wait for receipts: what they are, what they signed before they were born, and what became of it. */

/* The key that it names is the one that the sites were offered. */
static bool awaited_key(struct verifier *v, const struct entry *e, const struct state_intent *intent)
{
    struct fault f = {OK, ""};
    struct buf spki = BUF(LIMIT_CERTIFICATE);
    bool good = true;

    if (json_object_get(e->body, "public-key") == NULL)
        return true;
    good = hex_parse_buf(entry_text(e, "public-key"), &spki, &f) == OK;
    for (size_t i = 0; good && i < v->offer_count; i++)
        good = v->offers[i].intent != intent->seq || span_equal(buf_span(&v->offers[i].public_key), buf_span(&spki));
    buf_free(&spki);
    return good ||
           claim_fails(&v->claims, CLAIM_BIRTHS, "the key of entry %llu is not the one that the sites were offered",
                       (unsigned long long)e->seq);
}

/* Of a key that goes to one more site, not of one that is born. */
static bool brought(const struct state_intent *i)
{
    return strcmp(i->operation, operation_name(OP_REPLICATE)) == 0;
}

void verify_provisional(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    const struct verified_request *request = NULL;
    const struct state_intent *intent = NULL;
    const struct rule *rule = NULL;
    moment until = 0;
    int64_t seq = 0;

    if (json_want_integer(e->body, "intent", &seq, &f) == OK && seq >= 0)
        intent = state_intent(&v->state, (uint64_t)seq);
    if (intent != NULL)
        request = verified_end(v, e, brought(intent) ? OP_REPLICATE : OP_GENERATE);
    if (request != NULL && v->judge != NULL)
        rule = policy_rule(v->judge, request->request->rule);
    if (rule != NULL)
        rule = policy_receipts(v->judge, rule, request->request->subject);
    if (rule == NULL || intent == NULL || json_want_moment(e->body, "until", &until, &f) != OK ||
        until != moment_add(intent->at, rule->replicas.deferred))
        claim_fails(&v->claims, CLAIM_BIRTHS, "entry %llu waits for receipts as no rule lets it",
                    (unsigned long long)e->seq);
    else if (awaited_key(v, e, intent))
        claim_holds(&v->claims, CLAIM_BIRTHS);
}

const struct state_key *verified_awaited(const struct verifier *v, const char *token, const char *label)
{
    for (size_t i = v->state.awaited_count; i-- > 0;) {
        const struct state_key *k = &v->state.awaited[i];

        if (strcmp(k->token, token) == 0 && strcmp(k->label, label) == 0)
            return k;
    }
    return NULL;
}

/* The key that the request names, where it is provisional now; NULL: it is a born one. */
static const struct state_key *key_awaited(const struct verifier *v, const struct subject *s)
{
    const char *named = s->operation == OP_USE ? json_string_or_null(s->json, "key") : NULL;

    for (size_t i = 0; named != NULL && i < v->state.awaited_count; i++) {
        const struct state_key *k = &v->state.awaited[i];
        const struct state_intent *intent = state_intent(&v->state, k->intent);

        if (strcmp(digest_hex(&k->fingerprint).hex, named) == 0 && intent != NULL &&
            intent->state == INTENT_PROVISIONAL)
            return k;
    }
    return NULL;
}

static bool artifact_signed(struct verifier *v, const struct artifact_record *a, const struct state_key *key,
                            const struct digest *data)
{
    struct fault f = {OK, ""};
    struct buf tbs = BUF(LIMIT_ARTIFACT);
    char name[128];
    bool good = false;

    snprintf(name, sizeof name, "artifacts/%s", digest_hex(&a->digest).hex);
    good = verify_file_digest(v, name, LIMIT_ARTIFACT, &a->digest, &tbs) &&
           self_signed_check(buf_span(&tbs), buf_span(&key->public_key), data, &f) == OK;
    buf_free(&tbs);
    return good;
}

bool verified_provisional_use(struct verifier *v, const struct entry *e, const struct request *r)
{
    const struct state_key *key = key_awaited(v, r->subject);
    const struct verified_ceremony *c = verified_ceremony(v, e->ceremony);
    const struct step *s = c != NULL && r->step != NULL ? script_step(c->script, r->step) : NULL;
    struct fault f = {OK, ""};
    struct digest data;
    bool withheld = false;

    if (key == NULL)
        return true;
    if (s == NULL || s->action->kind != ACTION_ISSUE_CERTIFICATE || json_want_digest(e->body, "data", &data, &f) != OK)
        return false;
    for (size_t i = 0; i < c->artifact_count; i++) {
        const struct artifact_record *a = &c->artifacts[i];

        if (strcmp(a->kind, "tbs") == 0 && strcmp(a->step, s->id) == 0 && artifact_signed(v, a, key, &data))
            return true;
    }
    withheld = verified_withheld_artifacts(c);
    if (withheld)
        claim_unseen(&v->claims, CLAIM_USES, "that the provisional key of entry %llu signed its own certificate",
                     (unsigned long long)e->seq);
    return withheld;
}

uint64_t verified_use_awaits(const struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    int64_t seq = 0;
    const struct state_intent *intent = NULL;
    const struct verified_request *request = NULL;
    const struct state_key *key = NULL;

    if (json_want_integer(e->body, "intent", &seq, &f) == OK)
        intent = state_intent(&v->state, (uint64_t)seq);
    if (intent != NULL)
        request = verified_request((struct verifier *)(uintptr_t)v, &intent->request);
    key = request != NULL ? key_awaited(v, request->request->subject) : NULL;
    return key != NULL ? key->intent : 0;
}

static const struct state_key *key_of(const struct verifier *v, uint64_t intent)
{
    for (size_t i = 0; i < v->state.key_count; i++)
        if (v->state.keys[i].intent == intent)
            return &v->state.keys[i];
    return NULL;
}

/* A certificate that a provisional key signed counts from the key's birth on. */
static void released_say(struct verifier *v, const struct artifact_record *a)
{
    const struct state_intent *t = state_intent(&v->state, a->awaits);
    const struct state_key *born = key_of(v, a->awaits);
    const char *shown = a->shown.text;

    if (t == NULL)
        return;
    if (t->state == INTENT_PROVISIONAL)
        claim_evidence(&v->claims, CLAIM_CERTIFICATES,
                       "certificate %.16s is unreleased: its key \"%s\" is provisional until %s", shown, t->label,
                       moment_format(t->until).text);
    else if (t->state == INTENT_ROLLED_BACK)
        claim_evidence(&v->claims, CLAIM_CERTIFICATES, "certificate %.16s is void: its key \"%s\" was undone unborn",
                       shown, t->label);
    else if (born != NULL)
        claim_evidence(&v->claims, CLAIM_CERTIFICATES,
                       "certificate %.16s is released: its key \"%s\" was born in entry %llu", shown, t->label,
                       (unsigned long long)born->seq);
}

void verify_awaited(struct verifier *v)
{
    for (size_t i = 0; i < v->state.intent_count; i++) {
        const struct state_intent *t = &v->state.intents[i];

        if (t->state == INTENT_PROVISIONAL && brought(t))
            claim_evidence(
                &v->claims, CLAIM_BIRTHS,
                "the key \"%s\" goes to %s (entry %llu), whose receipt is awaited until %s: it does not count "
                "there yet",
                t->label != NULL ? t->label : "", t->offered.count > 0 ? t->offered.items[0] : "a site",
                (unsigned long long)t->seq, moment_format(t->until).text);
        else if (t->state == INTENT_OPEN && t->until != 0)
            claim_evidence(&v->claims, CLAIM_SITES,
                           "the retirement of %s at %s (entry %llu) waits until %s for what other sites are to prove",
                           t->token, json_string_or_null(t->body, "site"), (unsigned long long)t->seq,
                           moment_format(t->until).text);
        else if (t->state == INTENT_PROVISIONAL)
            claim_evidence(&v->claims, CLAIM_BIRTHS,
                           "the key \"%s\" (entry %llu) is provisional until %s: not born yet",
                           t->label != NULL ? t->label : "", (unsigned long long)t->seq, moment_format(t->until).text);
    }
    for (size_t i = 0; i < v->ceremony_count; i++)
        for (size_t k = 0; k < v->ceremonies[i].artifact_count; k++)
            if (v->ceremonies[i].artifacts[k].awaits != 0)
                released_say(v, &v->ceremonies[i].artifacts[k]);
}
