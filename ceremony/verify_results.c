#include <stdlib.h>
#include <string.h>

#include "ceremony/verify_inner.h"
#include "core/encode.h"
#include "core/limits.h"
#include "policy/match.h"
#include "policy/parse.h"

/* That what a step says it did is in the record. */

static bool result_digest(const json_t *result, const char *name, struct digest *ret)
{
    struct fault f = {OK, ""};

    return json_want_digest(result, name, ret, &f) == OK;
}

const struct state_key *verified_key(const struct verifier *v, const char *token, const char *label)
{
    const struct state_key *found = NULL, *awaited = NULL;

    for (size_t i = 0; token != NULL && label != NULL && i < v->state.key_count; i++)
        if (strcmp(v->state.keys[i].token, token) == 0 && strcmp(v->state.keys[i].label, label) == 0)
            found = &v->state.keys[i];
    awaited = token != NULL && label != NULL ? verified_awaited(v, token, label) : NULL;
    return awaited != NULL && (found == NULL || awaited->seq > found->seq) ? awaited : found;
}

static bool result_key(struct verifier *v, const json_t *result)
{
    const struct state_key *key =
        verified_key(v, json_string_or_null(result, "token"), json_string_or_null(result, "label"));
    struct digest fingerprint;

    return key != NULL && result_digest(result, "fingerprint", &fingerprint) &&
           digest_equal(&fingerprint, &key->fingerprint);
}

static bool result_number(const json_t *result, const char *name, uint64_t *ret)
{
    const char *text = json_string_or_null(result, name);

    return text != NULL && decimal_parse(span_str(text), ret);
}

static bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool verified_held(const struct step *s, const json_t *result)
{
    return s->action->kind == ACTION_REPLICATE && json_is_object(result) && json_object_size(result) > 0 &&
           json_object_get(result, "intent") == NULL;
}

/* The step's site holds its key now, and not by this step. */
static const struct state_key *held_before(const struct verifier *v, const struct verified_ceremony *c,
                                           const struct step *s)
{
    for (size_t i = 0; i < v->state.intent_count; i++) {
        const json_t *evidence = json_object_get(v->state.intents[i].body, "evidence");

        if (same_text(json_string_or_null(evidence, "ceremony"), c->id) &&
            same_text(json_string_or_null(evidence, "step"), s->id))
            return NULL;
    }
    return state_key_held(&v->state, step_with(s, "token"), step_with(s, "label"), step_with(s, "site"));
}

/* Brought to that site, or on its way there, under an intent of this very step. */
static bool result_replicated(const struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                              const json_t *result)
{
    uint64_t seq = 0, born = 0;
    bool held = verified_held(s, result), named = result_number(result, "born", &born);

    if (held) {
        const struct state_key *key = held_before(v, c, s);

        return named && key != NULL && key->seq == born && !strings_have(&c->begun, s->id);
    }
    named = named && result_number(result, "intent", &seq);
    const struct state_intent *i = named ? state_intent(&v->state, seq) : NULL;
    const json_t *evidence = i != NULL ? json_object_get(i->body, "evidence") : NULL;
    const json_t *sites = i != NULL ? json_object_get(i->body, "sites") : NULL;

    return i != NULL && same_text(i->operation, operation_name(OP_REPLICATE)) &&
           (i->state == INTENT_BORN || i->state == INTENT_SETTLED || i->state == INTENT_PROVISIONAL) &&
           same_text(json_string_or_null(evidence, "ceremony"), c->id) &&
           same_text(json_string_or_null(evidence, "step"), s->id) &&
           (uint64_t)json_integer_value(json_object_get(i->body, "born")) == born &&
           same_text(i->label, json_string_or_null(result, "label")) &&
           same_text(i->token, json_string_or_null(result, "token")) &&
           same_text(json_string_value(json_array_get(sites, 1)), json_string_or_null(result, "site"));
}

/* The log as it was before this entry, the step before in it. */
static bool result_checkpoint(struct verifier *v, const struct verified_ceremony *c, const struct entry *e,
                              const json_t *result, struct checkpoint *ret)
{
    const char *text = json_string_or_null(result, "size");

    return text != NULL && decimal_parse(span_str(text), &ret->size) && ret->size > c->done_seq &&
           ret->size <= e->seq && result_digest(result, "root", &ret->root) && verify_root(v, ret->size, &ret->root);
}

static bool result_stamped(struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                           const struct entry *e, const json_t *result)
{
    const struct artifact_record *made = NULL;
    struct checkpoint of = {.size = 0};

    if (!result_checkpoint(v, c, e, result, &of))
        return false;
    if (json_object_get(result, "stamp") == NULL)
        return true;
    if (!verified_artifact(c, s, "timestamp", result, "stamp", &made))
        return false;
    if (made != NULL)
        return strcmp(made->step, s->id) == 0 && verify_step_stamp(v, c, e, &of, &made->digest);
    claim_unseen(&v->claims, CLAIM_TIMESTAMP, "the time stamp of step %s is withheld", s->id);
    return true;
}

static bool result_root(struct verifier *v, const struct verified_ceremony *c, const struct entry *e,
                        const json_t *result)
{
    const char *words = json_string_or_null(result, "words");
    struct buf expected = BUF(1024);
    struct checkpoint of = {.size = 0};
    bool good = words != NULL && result_checkpoint(v, c, e, result, &of);

    if (good) {
        words_put(&expected, (struct span){of.root.bytes, sizeof of.root.bytes});
        good = strcmp(buf_str(&expected), words) == 0;
    }
    buf_free(&expected);
    return good;
}

/* A clock was right when it was read, which is when its answer was written. */
static bool result_clock(struct verifier *v, const struct verified_ceremony *c, const struct step *s, const char *name,
                         const json_t *result)
{
    struct fault f = {OK, ""};
    const char *value = NULL;
    moment said = 0, at = 0;

    if (!verified_value(v, CLAIM_STEPS, c, s, name, result, &value) || value == NULL)
        return value != NULL || json_string_or_null(result, name) != NULL;
    return moment_parse(value, &said, &f) == OK &&
           json_want_moment(verified_answer(c, s->id, name), "time", &at, &f) == OK &&
           llabs(said - at) <= LIMIT_ROOM_CLOCK;
}

/* Every value that was asked for is there and fits its pattern. */
static bool result_record(struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                          const json_t *result)
{
    bool good = json_object_size(result) == s->with_count;

    for (size_t i = 0; good && i < s->with_count; i++) {
        const char *value = NULL;
        struct fault f = {OK, ""};
        regex_t compiled;

        if (!verified_value(v, CLAIM_STEPS, c, s, s->with[i].name, result, &value))
            return false;
        if (value == NULL)
            continue; /* withheld */
        if (label_compile(s->with[i].value, &compiled, &f) != OK)
            return false;
        good = label_match(&compiled, value) == LABEL_MATCHES;
        regfree(&compiled);
    }
    return good;
}

/* The actors of an approve step voted on the request that it names; none where the key that it is for is at its site already. */
static bool result_votes(const struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                         const struct entry *e, const json_t *result)
{
    if (json_object_get(result, "request") == NULL)
        return s->target->action->kind == ACTION_REPLICATE && held_before(v, c, s->target) != NULL;
    struct digest id;
    const struct state_request *request = result_digest(result, "request", &id) ? state_request(&v->state, &id) : NULL;
    json_t *actors = json_object_get(e->body, "actors"), *actor = NULL;
    size_t index = 0;

    json_array_foreach(actors, index, actor)
    {
        bool voted = false;

        for (size_t i = 0; request != NULL && i < request->vote_count; i++)
            voted = voted || strcmp(request->votes[i].person, json_string_value(actor)) == 0;
        if (!voted)
            return false;
    }
    return request != NULL;
}

/* What a step says it made, to be judged at the close. */
static bool result_signed(struct verifier *v, struct verified_ceremony *c, const struct step *s, const json_t *result)
{
    const char *label = json_string_or_null(result, "label");
    bool certificate = s->action->kind == ACTION_ISSUE_CERTIFICATE;
    const struct artifact_record *made = NULL, *tbs = NULL, *profile = NULL;
    struct verified_signed *grown = NULL, *t = NULL;

    if (label == NULL || !verified_artifact(c, s, certificate ? "certificate" : "csr", result, "artifact", &made) ||
        !verified_artifact(c, s, "tbs", result, "tbs", &tbs) ||
        !verified_artifact(c, s, "profile", result, "profile", &profile))
        return false;
    grown = realloc(c->signed_things, (c->signed_count + 1) * sizeof *grown);
    if (grown == NULL)
        return claim_fails(&v->claims, CLAIM_CERTIFICATES, "out of memory");
    c->signed_things = grown;
    t = &grown[c->signed_count++];
    *t = (struct verified_signed){.certificate = certificate,
                                  .withheld = made == NULL || tbs == NULL || profile == NULL,
                                  .label = strdup(label),
                                  .token = step_with(s, "token")};
    if (!t->withheld) {
        t->artifact = made->digest;
        t->tbs = tbs->digest;
        t->profile = profile->digest;
    }
    return t->label != NULL && t->token != NULL;
}

static bool result_attested(struct verifier *v, struct verified_ceremony *c, const struct step *s,
                            const struct entry *e, const json_t *result)
{
    json_t *actors = json_object_get(e->body, "actors"), *actor = NULL;
    size_t index = 0;

    json_array_foreach(actors, index, actor)
    {
        const char *who = json_string_value(actor);
        const struct artifact_record *made = NULL;

        if (!verified_artifact(c, s, "attestation", result, who, &made))
            return false;
        if (made != NULL)
            continue;
        claim_unseen(&v->claims, CLAIM_ATTESTATIONS, "the attestation of %s is withheld", who);
        if (!strings_have(&c->attested, who) && !strings_add(&c->attested, who))
            return false;
    }
    return true;
}

void verify_step_result(struct verifier *v, struct verified_ceremony *c, const struct step *s, const struct entry *e)
{
    json_t *result = json_object_get(e->body, "result");
    const char *exhibit = json_string_or_null(result, "digest");
    struct digest digest;
    bool good = true;

    if (!verify_result_said(v, c, s, json_object_get(e->body, "actors"), result)) {
        claim_fails(&v->claims, CLAIM_STEPS, "what step %s of %s says is not what was asked and answered", s->id,
                    c->id);
        return;
    }
    switch (s->action->kind) {
    case ACTION_CHECK_CLOCK:
        good = (result_clock(v, c, s, "clock-1", result) && result_clock(v, c, s, "clock-2", result)) ||
               deviation_on(c, s->id);
        break;
    case ACTION_RECORD:
        good = result_record(v, c, s, result) || deviation_on(c, s->id);
        break;
    case ACTION_APPROVE:
        good = result_votes(v, c, s, e, result);
        break;
    case ACTION_GENERATE_KEY_PAIR:
        good = result_key(v, result);
        break;
    case ACTION_REPLICATE:
        good = result_replicated(v, c, s, result);
        break;
    case ACTION_READ_ALOUD:
        good = result_root(v, c, e, result);
        break;
    case ACTION_TIMESTAMP:
        good = result_stamped(v, c, s, e, result);
        break;
    case ACTION_MAKE_CSR:
    case ACTION_ISSUE_CERTIFICATE:
        good = result_signed(v, c, s, result);
        break;
    case ACTION_EXHIBIT:
        good =
            exhibit != NULL && (strings_have(&c->exhibits, exhibit) || verified_withheld(c, s, ENTRY_EXHIBIT, exhibit));
        break;
    case ACTION_ARRIVE:
        good = verified_arrival(c, result);
        break;
    case ACTION_DRILL:
        good = verified_drill(c, s, result);
        break;
    case ACTION_COSIGN:
        good = json_string_or_null(result, "size") != NULL && result_digest(result, "root", &digest) &&
               verified_cosigned(v, json_string_or_null(result, "size"), &digest);
        break;
    case ACTION_ATTEST:
        good = result_attested(v, c, s, e, result);
        break;
    default:
        break;
    }
    if (!good)
        claim_fails(&v->claims, CLAIM_STEPS, "what step %s of %s says it did is not in the record", s->id, c->id);
}
