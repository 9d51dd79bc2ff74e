#include <stdio.h>
#include <string.h>

#include "audit/drill.h"
#include "ceremony/verify_inner.h"
#include "core/limits.h"

/* Drills: the site's answer is the one that the entry says, and each key that is said to be proven is. */

/* As it was approved: a key that was to sign must sign. */
static bool key_signs(struct verifier *v, const struct state_key *key)
{
    const struct state_intent *i = key->intent != 0 ? state_intent(&v->state, key->intent) : NULL;
    const struct verified_request *r = i != NULL ? verified_request(v, &i->request) : NULL;
    const json_t *templates = r != NULL ? json_object_get(r->request->subject->json, "templates") : NULL;
    const char *sign = json_string_or_null(json_object_get(templates, "private"), "CKA_SIGN");

    return sign != NULL && strcmp(sign, "true") == 0;
}

static bool listed(const json_t *list, size_t *next, uint64_t born)
{
    if ((uint64_t)json_integer_value(json_array_get(list, *next)) != born || *next >= json_array_size(list))
        return false;
    (*next)++;
    return true;
}

/* Both lists of the entry together are the document's keys; those that are said to be proven are living keys that the site
 * holds, and proved it. */
static bool keys_hold(struct verifier *v, const struct entry *e, const struct drill *d, struct fault *f)
{
    const json_t *proven = json_object_get(e->body, "proven"), *failed = json_object_get(e->body, "failed");
    size_t next_proven = 0, next_failed = 0;
    enum outcome o = OK;

    for (size_t i = 0; i < d->key_count && o == OK; i++) {
        const struct drill_key *k = &d->keys[i];
        const struct state_key *known = state_key_born(&v->state, k->born);

        if (listed(failed, &next_failed, k->born))
            continue;
        if (!listed(proven, &next_proven, k->born) || known == NULL ||
            !state_key_at(known, entry_text(e, "token"), entry_text(e, "site")))
            o = fault_set(f, E_REFUSED, "the entry's keys are not those that the site answered for");
        else
            o = drill_key_verify(d, k, buf_span(&known->public_key), key_signs(v, known), f);
        if (o == OK && strcmp(k->proof, "attested") == 0)
            claim_holds(&v->claims, CLAIM_SECRETS);
        else if (o == OK)
            v->drilled++;
    }
    if (o == OK && (next_proven != json_array_size(proven) || next_failed != json_array_size(failed)))
        o = fault_set(f, E_REFUSED, "the entry's keys are not those that the site answered for");
    v->undrilled += next_failed;
    return o == OK;
}

static bool answer_holds(struct verifier *v, const struct entry *e, struct fault *f)
{
    const char *token = entry_text(e, "token"), *site = entry_text(e, "site");
    const struct state_site *known = state_site(&v->state, token, site);
    struct site_question asked = {.estate = v->state.estate, .token = token, .site = site};
    struct buf bytes = BUF(LIMIT_DRILL);
    struct drill d = {.key_count = 0};
    struct digest digest;
    char name[128];
    bool good = known != NULL && json_want_digest(e->body, "receipt", &digest, f) == OK &&
                json_want_digest(e->body, "challenge", &asked.challenge, f) == OK;

    if (good) {
        snprintf(name, sizeof name, "receipts/%s.json", digest_hex(&digest).hex);
        asked.serial = known->serial;
        asked.identity = buf_span(&known->identity);
        good = verify_file_digest(v, name, LIMIT_DRILL, &digest, &bytes) &&
               drill_parse(buf_span(&bytes), &d, f) == OK && drill_verify(&d, &asked, f) == OK &&
               keys_hold(v, e, &d, f);
    }
    if (good && !verified_once(v, e, digest_hex(&d.nonce).hex))
        good = !fault_set(f, E_REFUSED, "its answer was given before");
    drill_clear(&d);
    buf_free(&bytes);
    return good;
}

void verify_drill(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, "it cannot be read"};

    if (json_object_get(e->body, "receipt") == NULL) { /* the site did not answer: nothing is said to be proven */
        v->undrilled += json_array_size(json_object_get(e->body, "failed"));
        claim_holds(&v->claims, CLAIM_DRILLS);
    } else if (answer_holds(v, e, &f)) {
        claim_holds(&v->claims, CLAIM_DRILLS);
    } else {
        claim_fails(&v->claims, CLAIM_DRILLS, "the drill of %s at %s (entry %llu): %s", entry_text(e, "token"),
                    entry_text(e, "site"), (unsigned long long)e->seq, f.text);
        return;
    }
    claim_evidence(&v->claims, CLAIM_DRILLS, "%zu replicas signed, %zu times a key did not", v->drilled, v->undrilled);
}

void verify_drill_noted(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    if (c->drills == NULL)
        c->drills = json_array();
    if (c->drills == NULL || json_array_append(c->drills, e->json) != 0)
        claim_fails(&v->claims, CLAIM_STEPS, "out of memory");
}

static bool count_is(const json_t *result, const char *name, const json_t *body)
{
    const char *said = json_string_or_null(result, name);
    char text[24];

    snprintf(text, sizeof text, "%zu", json_array_size(json_object_get(body, name)));
    return said != NULL && strcmp(said, text) == 0;
}

bool verified_drill(const struct verified_ceremony *c, const struct step *s, const json_t *result)
{
    static const char *const names[] = {"receipt", "site", "token"};
    size_t index = 0;
    json_t *one = NULL;

    json_array_foreach(c->drills, index, one)
    {
        const json_t *body = json_object_get(one, "body");
        bool same = count_is(result, "failed", body) && count_is(result, "proven", body);

        for (size_t i = 0; i < sizeof names / sizeof *names && same; i++)
            same = json_object_get(body, names[i]) != NULL &&
                   json_equal(json_object_get(body, names[i]), json_object_get(result, names[i]));
        if (same)
            return json_array_size(json_object_get(body, "failed")) == 0 || deviation_on(c, s->id);
    }
    return false;
}
