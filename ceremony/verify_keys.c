#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/document.h"
#include "ceremony/certificate_key.h"
#include "ceremony/verify_inner.h"
#include "core/encode.h"
#include "core/limits.h"

static struct state_intent *intent_of(struct verifier *v, const struct entry *e)
{
    int64_t seq = 0;
    struct fault f = {OK, ""};

    return json_want_integer(e->body, "intent", &seq, &f) == OK ? state_intent(&v->state, (uint64_t)seq) : NULL;
}

/* A site may have been offered a key in more than one way. NULL for the digest: the offer that it answered. */
static struct offer_record *offer_find(struct verifier *v, uint64_t intent, const char *site,
                                       const struct digest *digest)
{
    for (size_t i = 0; i < v->offer_count; i++) {
        struct offer_record *o = &v->offers[i];
        if (o->intent == intent && strcmp(o->site, site) == 0 &&
            (digest != NULL ? digest_equal(&o->digest, digest) : o->receipted))
            return o;
    }
    return NULL;
}

/* The key went there as its rule lets it. */
static bool transport_holds(struct verifier *v, const struct entry *e, const struct state_intent *intent,
                            struct fault *f)
{
    static const struct strings none = {.count = 0};
    const struct verified_request *request = verified_request(v, &intent->request);
    const struct rule *rule =
        request != NULL && v->judge != NULL ? policy_rule(v->judge, request->request->rule) : NULL;

    return offer_mechanism_allowed(entry_text(e, "mechanism"), rule != NULL ? &rule->transport : &none, f) == OK;
}

void verify_offer(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    const struct state_intent *intent = intent_of(v, e);
    struct offer_record *grown = realloc(v->offers, (v->offer_count + 1) * sizeof *grown), *o = NULL;
    bool good = grown != NULL && intent != NULL;

    if (grown != NULL)
        v->offers = grown;
    if (good) {
        o = &v->offers[v->offer_count];
        *o = (struct offer_record){
            .intent = intent->seq, .site = strdup(entry_text(e, "site")), .public_key = BUF(LIMIT_CERTIFICATE)};
        good = o->site != NULL && json_want_digest(e->body, "offer", &o->digest, &f) == OK &&
               json_want_digest(e->body, "challenge", &o->challenge, &f) == OK &&
               hex_parse_buf(entry_text(e, "public-key"), &o->public_key, &f) == OK;
        if (offer_is_clone(entry_text(e, "mechanism")))
            snprintf(o->vendor, sizeof o->vendor, "%s", entry_text(e, "mechanism") + strlen(OFFER_CLONED));
        v->offer_count++;
    }
    if (!good)
        claim_fails(&v->claims, CLAIM_BIRTHS, "offer %llu cannot be read", (unsigned long long)e->seq);
    else if (!transport_holds(v, e, intent, &f))
        claim_fails(&v->claims, CLAIM_BIRTHS, "offer %llu: %s", (unsigned long long)e->seq, f.text);
}

/* The receipt answers the offer: identity, fields, the replica's own signature. */
static bool receipt_holds(struct verifier *v, const struct entry *e, const struct state_intent *intent,
                          struct offer_record *o, struct span bytes)
{
    struct fault f = {OK, ""};
    struct receipt r = {0};
    struct offer offer = {.estate = v->state.estate, .intent = intent->digest, .challenge = o->challenge};
    const struct state_site *site = state_site(&v->state, intent->token, o->site);
    bool good = false;

    snprintf(offer.token, sizeof offer.token, "%s", intent->token);
    snprintf(offer.site, sizeof offer.site, "%s", o->site);
    offer.public_key = o->public_key; /* borrowed */
    if (site == NULL)
        claim_fails(&v->claims, CLAIM_BIRTHS, "receipt %llu is of a site that was not enrolled",
                    (unsigned long long)e->seq);
    else if (receipt_parse(bytes, &r, &f) != OK ||
             receipt_verify(&r, &offer, &o->digest, buf_span(&site->identity), site->serial, &f) != OK)
        claim_fails(&v->claims, CLAIM_BIRTHS, "the receipt of %s (entry %llu): %s", o->site, (unsigned long long)e->seq,
                    f.text);
    else
        good = true;
    if (good && o->public_key.len == 0)
        claim_holds(&v->claims, CLAIM_SECRETS);
    receipt_clear(&r);
    return good;
}

void verify_receipt(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    const struct state_intent *intent = intent_of(v, e);
    struct offer_record *o = NULL;
    struct buf bytes = BUF(LIMIT_OFFER);
    struct digest digest, offer;
    char name[128];

    if (intent != NULL && json_want_digest(e->body, "offer", &offer, &f) == OK)
        o = offer_find(v, intent->seq, entry_text(e, "site"), &offer);
    if (o == NULL || json_want_digest(e->body, "receipt", &digest, &f) != OK) {
        claim_fails(&v->claims, CLAIM_BIRTHS, "receipt %llu answers no offer", (unsigned long long)e->seq);
        return;
    }
    snprintf(name, sizeof name, "receipts/%s.json", digest_hex(&digest).hex);
    if (o->vendor[0] != '\0' && intent->state != INTENT_PROVISIONAL)
        claim_fails(&v->claims, CLAIM_BIRTHS, "receipt %llu: people brought the key to %s before it was provisional",
                    (unsigned long long)e->seq, o->site);
    else if (!verify_file_digest(v, name, LIMIT_OFFER, &digest, &bytes))
        claim_fails(&v->claims, CLAIM_BIRTHS, "the receipt of %s cannot be read", entry_text(e, "site"));
    else
        o->receipted = receipt_holds(v, e, intent, o, buf_span(&bytes));
    buf_free(&bytes);
}

/* People brought it there: their word. */
static void clone_say(struct verifier *v, const struct entry *e, const struct offer_record *o)
{
    if (o->vendor[0] == '\0')
        return;
    claim_holds(&v->claims, CLAIM_CLONES);
    claim_evidence(&v->claims, CLAIM_CLONES, "\"%s\" to %s by %s", entry_text(e, "label"), o->site, o->vendor);
}

/* Every site that holds the key, the primary aside, has a receipt that holds, and there are enough of them. */
static bool birth_replicas(struct verifier *v, const struct entry *e, const struct state_intent *intent,
                           const struct rule *rule)
{
    const char *primary = json_string_value(json_array_get(json_object_get(intent->body, "sites"), 0));
    json_t *sites = json_object_get(e->body, "sites"), *site = NULL;
    size_t index = 0, replicas = 0;

    json_array_foreach(sites, index, site)
    {
        const char *id = json_string_value(site);
        const struct offer_record *o = id != NULL ? offer_find(v, intent->seq, id, NULL) : NULL;

        if (id != NULL && primary != NULL && strcmp(id, primary) == 0)
            continue;
        if (o == NULL)
            return claim_fails(&v->claims, CLAIM_BIRTHS,
                               "the key of entry %llu is said to be at %s, but there is no receipt",
                               (unsigned long long)e->seq, id != NULL ? id : "?");
        replicas++;
        clone_say(v, e, o);
    }
    if (rule == NULL || replicas < rule->replicas.at_least)
        return claim_fails(&v->claims, CLAIM_BIRTHS, "the key of entry %llu has %zu replicas, its rule asks for %u",
                           (unsigned long long)e->seq, replicas, rule != NULL ? rule->replicas.at_least : 0);
    return true;
}

/* Fingerprint and public key belong together, and are the ones that the sites were offered. */
static bool birth_key(struct verifier *v, const struct entry *e, const struct state_intent *intent)
{
    struct fault f = {OK, ""};
    struct buf spki = BUF(LIMIT_CERTIFICATE);
    struct digest fingerprint, found;
    bool good = true;

    if (json_string_or_null(e->body, "public-key") != NULL)
        good = hex_parse_buf(entry_text(e, "public-key"), &spki, &f) == OK &&
               json_want_digest(e->body, "fingerprint", &fingerprint, &f) == OK &&
               digest_one(&found, buf_span(&spki)) && digest_equal(&found, &fingerprint);
    for (size_t i = 0; good && i < v->offer_count; i++)
        if (v->offers[i].intent == intent->seq && v->offers[i].receipted)
            good = span_equal(buf_span(&v->offers[i].public_key), buf_span(&spki));
    buf_free(&spki);
    if (!good)
        claim_fails(&v->claims, CLAIM_BIRTHS, "the public key of entry %llu is not the one that the sites proved",
                    (unsigned long long)e->seq);
    return good;
}

/* The type is that of the public key, where there is one of a type that is known here. */
static bool type_holds(const struct entry *e)
{
    struct fault ignored = {OK, ""};
    struct buf spki = BUF(LIMIT_CERTIFICATE);
    char type[16] = "";
    EVP_PKEY *key = NULL;
    bool good = true;

    if (json_string_or_null(e->body, "public-key") != NULL &&
        hex_parse_buf(entry_text(e, "public-key"), &spki, &ignored) == OK &&
        spki_open(buf_span(&spki), &key, type, &ignored) == OK)
        good = strcmp(entry_text(e, "type"), type) == 0;
    EVP_PKEY_free(key);
    buf_free(&spki);
    return good;
}

/* What is generated is new. A copy, or what is imported, may be a key that was there. */
static bool new_enough(const struct verifier *v, const struct entry *e, int op)
{
    struct digest fingerprint;
    struct fault ignored = {OK, ""};

    if (op != OP_GENERATE || json_want_digest(e->body, "fingerprint", &fingerprint, &ignored) != OK)
        return true;
    for (size_t i = 0; i < v->state.key_count; i++)
        if (v->state.keys[i].public_key.len > 0 && digest_equal(&v->state.keys[i].fingerprint, &fingerprint))
            return false;
    return true;
}

/* By the function; -1: by none that makes a key. */
static int creator_of(const struct entry *e)
{
    static const struct {
        const char *function;
        enum operation operation;
    } creators[] = {{"C_GenerateKeyPair", OP_GENERATE}, {"C_GenerateKey", OP_GENERATE}, {"C_CreateObject", OP_IMPORT},
                    {"C_UnwrapKey", OP_IMPORT},         {"C_DeriveKey", OP_DERIVE},     {"C_CopyObject", OP_COPY}};

    for (size_t i = 0; i < sizeof creators / sizeof *creators; i++)
        if (strcmp(entry_text(e, "function"), creators[i].function) == 0)
            return (int)creators[i].operation;
    return -1;
}

/* It stands at the primary in force, and nowhere else. */
static bool at_primary(const struct verifier *v, const struct entry *e)
{
    const struct token *token = policy_token(v->judge, entry_text(e, "token"));
    const json_t *sites = json_object_get(e->body, "sites");
    const char *first = json_string_value(json_array_get(sites, 0));

    return token != NULL && json_array_size(sites) == 1 && first != NULL && strcmp(first, token->primary) == 0;
}

/* Nobody was asked, and nothing stood in the log before it. */
static void verify_born_freely(struct verifier *v, const struct entry *e, int op)
{
    const struct rule *rule = op < 0 ? NULL
                                     : policy_match(v->judge, (enum operation)op, entry_text(e, "token"),
                                                    entry_text(e, "label"), entry_text(e, "class"), 1);

    if (rule == NULL || rule->effect != EFFECT_ALLOW || !at_primary(v, e))
        claim_fails(&v->claims, CLAIM_BIRTHS, "key %s of entry %llu was born without an intent", entry_text(e, "label"),
                    (unsigned long long)e->seq);
}

/* A key that came in otherwise than by generation, or that a rule plainly allows, stands at its primary alone, as it was asked
 * for. */
static void verify_arrived_key(struct verifier *v, const struct entry *e, enum operation op)
{
    const struct verified_request *request = verified_end(v, e, op);
    const struct subject *s = request != NULL ? request->request->subject : NULL;

    if (s == NULL || strcmp(entry_text(e, "label"), s->label) != 0 || strcmp(entry_text(e, "token"), s->token) != 0 ||
        strcmp(entry_text(e, "function"), s->function) != 0 || s->class_name == NULL ||
        strcmp(entry_text(e, "class"), s->class_name) != 0 || !at_primary(v, e))
        claim_fails(&v->claims, CLAIM_BIRTHS, "key %s of entry %llu is not the one that was approved",
                    entry_text(e, "label"), (unsigned long long)e->seq);
    else
        claim_holds(&v->claims, CLAIM_BIRTHS);
}

void verify_birth(struct verifier *v, const struct entry *e)
{
    int op = creator_of(e);
    const struct state_intent *intent = NULL;
    const struct verified_request *request = NULL;
    const struct rule *rule = NULL;

    if (v->judge == NULL)
        return; /* said already */
    if (!type_holds(e))
        claim_fails(&v->claims, CLAIM_BIRTHS, "key %s of entry %llu is of another type than its public key",
                    entry_text(e, "label"), (unsigned long long)e->seq);
    if (!new_enough(v, e, op))
        claim_fails(&v->claims, CLAIM_BIRTHS, "key %s of entry %llu was generated before", entry_text(e, "label"),
                    (unsigned long long)e->seq);
    if (json_object_get(e->body, "intent") == NULL) {
        verify_born_freely(v, e, op);
        return;
    }
    intent = intent_of(v, e);
    if (op >= 0 && (op != OP_GENERATE || (intent != NULL && state_intent_plain(intent)))) {
        verify_arrived_key(v, e, (enum operation)op);
        return;
    }
    if (intent != NULL)
        request = verified_request(v, &intent->request);
    if (request == NULL || request->verdict == NULL || request->request->subject->operation != OP_GENERATE ||
        strcmp(entry_text(e, "label"), request->request->subject->label) != 0 ||
        strcmp(entry_text(e, "token"), request->request->subject->token) != 0 ||
        strcmp(entry_text(e, "type"), request->request->subject->key_type) != 0) {
        claim_fails(&v->claims, CLAIM_BIRTHS, "key %s of entry %llu is not the one that was approved",
                    entry_text(e, "label"), (unsigned long long)e->seq);
        return;
    }
    rule = policy_rule(v->judge, request->request->rule);
    if (birth_key(v, e, intent) && birth_replicas(v, e, intent, rule))
        claim_holds(&v->claims, CLAIM_BIRTHS);
}

/* Who is told of a birth takes part in it. */
void verify_accepted(struct verifier *v, const struct entry *e)
{
    const struct state_intent *intent = intent_of(v, e);
    const json_t *part = intent != NULL ? json_object_get(intent->body, "sites") : NULL;
    size_t index = 0, at = 0;
    json_t *site = NULL, *one = NULL;

    json_array_foreach(json_object_get(e->body, "sites"), index, site)
    {
        bool here = intent == NULL || intent->state != INTENT_BORN;

        json_array_foreach(part, at, one) here = here || json_equal(one, site);
        if (!here)
            claim_fails(&v->claims, CLAIM_BIRTHS, "entry %llu tells %s of a birth that it has no part in",
                        (unsigned long long)e->seq, json_string_value(site));
    }
}

void verify_replicated(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    int64_t born = 0;
    const struct verified_request *request = verified_end(v, e, OP_REPLICATE);
    const struct subject *s = request != NULL ? request->request->subject : NULL;
    const struct state_intent *intent = intent_of(v, e);
    const struct state_key *key =
        json_want_integer(e->body, "born", &born, &f) == OK ? state_key_born(&v->state, (uint64_t)born) : NULL;
    const struct offer_record *o = intent != NULL ? offer_find(v, intent->seq, entry_text(e, "site"), NULL) : NULL;

    if (s == NULL || key == NULL || strcmp(entry_text(e, "label"), s->label) != 0 ||
        strcmp(entry_text(e, "token"), s->token) != 0 || s->site == NULL ||
        strcmp(entry_text(e, "site"), s->site) != 0 || !verified_same_key(s, key)) {
        claim_fails(&v->claims, CLAIM_BIRTHS, "key %s of entry %llu was not to come to %s", entry_text(e, "label"),
                    (unsigned long long)e->seq, entry_text(e, "site"));
    } else if (o == NULL || !span_equal(buf_span(&o->public_key), buf_span(&key->public_key))) {
        claim_fails(&v->claims, CLAIM_BIRTHS, "%s did not prove that it holds the key %s of entry %llu",
                    entry_text(e, "site"), entry_text(e, "label"), (unsigned long long)e->seq);
    } else {
        claim_holds(&v->claims, CLAIM_BIRTHS);
        clone_say(v, e, o);
    }
}

void verify_offers_free(struct verifier *v)
{
    for (size_t i = 0; i < v->offer_count; i++) {
        free(v->offers[i].site);
        buf_free(&v->offers[i].public_key);
    }
    free(v->offers);
}
