#include <stdlib.h>
#include <string.h>

#include "ceremony/verify_inner.h"

/* Whether a real run is the one that was rehearsed: all that differs is listed, and what may not differ fails. May:
 * environment, serial numbers, people's certificates, bindings, answers; deviations are told. */

struct comparison {
    struct verifier *real;
    const struct verifier *rehearsal;
    struct strings *told, *refused;
};

static void tell(struct comparison *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct comparison *c, const char *format, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (!strings_add(c->told, text))
        claim_fails(&c->real->claims, CLAIM_REHEARSAL, "out of memory");
}

static void must_equal(struct comparison *c, bool equal, const char *what, const char *name)
{
    char text[256];

    if (equal) {
        claim_holds(&c->real->claims, CLAIM_REHEARSAL);
        return;
    }
    claim_fails(&c->real->claims, CLAIM_REHEARSAL, "%s %s: not as it was rehearsed", what, name);
    snprintf(text, sizeof text, "%s %s", what, name);
    if (!strings_have(c->refused, text) && !strings_add(c->refused, text))
        claim_fails(&c->real->claims, CLAIM_REHEARSAL, "out of memory");
}

/* The policy's canonical form without what people bring: fingerprints and certificates' files. */
static json_t *policy_bare(const struct policy *p, struct fault *f)
{
    json_t *form = NULL, *person = NULL;
    size_t index = 0;

    if (json_parse_canonical(buf_span(&p->canonical_json), &form, f) != OK)
        return NULL;
    json_array_foreach(json_object_get(form, "people"), index, person)
    {
        json_object_del(person, "fingerprint");
        json_object_del(person, "certificate");
    }
    return form;
}

static void policies_compare(struct comparison *c)
{
    const struct policy *a = c->real->judge, *b = c->rehearsal->judge;
    struct fault f = {OK, ""};
    json_t *one = policy_bare(a, &f), *two = policy_bare(b, &f);

    must_equal(c, one != NULL && two != NULL && json_equal(one, two), "policy", a->name);
    for (size_t i = 0; i < a->person_count && i < b->person_count; i++)
        if (!digest_equal(&a->people[i].fingerprint, &b->people[i].fingerprint))
            tell(c, "certificate of %s", a->people[i].id);
    json_decref(one);
    json_decref(two);
}

static void sites_compare(struct comparison *c)
{
    const struct state *a = &c->real->state, *b = &c->rehearsal->state;

    must_equal(c, a->site_count == b->site_count, "the number of", "enrolled sites");
    for (size_t i = 0; i < a->site_count; i++) {
        const struct state_site *s = &a->sites[i], *t = state_site(b, s->token, s->site);

        must_equal(c,
                   t != NULL && strcmp(s->manufacturer, t->manufacturer) == 0 && strcmp(s->model, t->model) == 0 &&
                       strcmp(s->firmware, t->firmware) == 0 && strcmp(s->hardware, t->hardware) == 0,
                   "the HSM of", s->site);
        if (t != NULL && strcmp(s->serial, t->serial) != 0)
            tell(c, "serial of the HSM of %s: %s, rehearsed with %s", s->site, s->serial, t->serial);
    }
}

static void key_compare(struct comparison *c, const char *token, const char *label)
{
    const struct state_key *k = verified_key(c->real, token, label), *l = verified_key(c->rehearsal, token, label);

    must_equal(c,
               k != NULL && l != NULL && strcmp(k->type, l->type) == 0 && strcmp(k->class_name, l->class_name) == 0 &&
                   k->sites.count == l->sites.count,
               "the key", label);
}

/* What the ceremony made: keys, whether a certificate is made of them or not, and certificates, in their order. */
static void keys_compare(struct comparison *c, const struct verified_ceremony *a, const struct verified_ceremony *b)
{
    for (size_t i = 0; i < a->script->step_count; i++) {
        const struct step *s = &a->script->steps[i];

        if (s->action->kind == ACTION_GENERATE_KEY_PAIR || s->action->kind == ACTION_REPLICATE)
            key_compare(c, step_with(s, "token"), step_with(s, "label"));
    }
    must_equal(c, a->signed_count == b->signed_count, "the number of", "certificates");
    for (size_t i = 0; i < a->signed_count && i < b->signed_count; i++) {
        const struct verified_signed *s = &a->signed_things[i], *t = &b->signed_things[i];
        bool same_key = strcmp(s->label, t->label) == 0 && strcmp(s->token, t->token) == 0;

        if (s->withheld || t->withheld)
            claim_unseen(&c->real->claims, CLAIM_REHEARSAL, "the certificate profile of %s is withheld", s->label);
        else
            must_equal(c, s->certificate == t->certificate && digest_equal(&s->profile, &t->profile),
                       "the certificate profile of", s->label);
        must_equal(c, same_key, "the key", s->label);
        if (same_key)
            key_compare(c, s->token, s->label);
    }
}

/* The programs must be the same; lower modules belong to the bindings. */
static void software_compare(struct comparison *c)
{
    static const char *const ours[] = {"quorate", "quorate-pkcs11.so"};
    const char *name = NULL;
    json_t *digest = NULL;

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        must_equal(c,
                   json_object_get(c->real->software, ours[i]) != NULL &&
                       json_equal(json_object_get(c->real->software, ours[i]),
                                  json_object_get(c->rehearsal->software, ours[i])),
                   "the program", ours[i]);
    json_object_foreach(c->real->software, name, digest)
    {
        if (!json_equal(digest, json_object_get(c->rehearsal->software, name)))
            tell(c, "software %s", name);
    }
}

/* The value of the last entry of that step and name; NULL: none. */
static const char *answer_value(const struct verified_ceremony *c, const char *step, const char *name)
{
    return json_string_or_null(json_object_get(verified_answer(c, step, name), "body"), "value");
}

static void answers_compare(struct comparison *c, const struct verified_ceremony *a, const struct verified_ceremony *b)
{
    const char *step = NULL, *name = NULL;
    json_t *names = NULL, *entry = NULL;

    json_object_foreach(a->answers, step, names) json_object_foreach(names, name, entry)
    {
        const char *said = answer_value(a, step, name), *then = answer_value(b, step, name);

        if (said != NULL && (then == NULL || strcmp(said, then) != 0))
            tell(c, "answer %s at step %s: %s, rehearsed with %s", name, step, said, then != NULL ? then : "none");
    }
    for (size_t i = 0; i < a->deviations_told.count; i++)
        if (!strings_have(&b->deviations_told, a->deviations_told.items[i]))
            tell(c, "%s", a->deviations_told.items[i]);
}

void verify_rehearsal(struct verifier *real, const struct verifier *rehearsal, struct strings *ret_told,
                      struct strings *ret_refused)
{
    struct comparison c = {.real = real, .rehearsal = rehearsal, .told = ret_told, .refused = ret_refused};
    const struct verified_ceremony *a = NULL, *b = NULL;

    if (!claims_hold(&rehearsal->claims) || !claims_hold(&real->claims) || real->ceremony_count == 0 ||
        rehearsal->ceremony_count == 0 || real->judge == NULL || rehearsal->judge == NULL) {
        claim_fails(&real->claims, CLAIM_REHEARSAL,
                    "only two transcripts that hold can be compared: verify each of them");
        return;
    }
    a = &real->ceremonies[real->ceremony_count - 1];
    b = &rehearsal->ceremonies[rehearsal->ceremony_count - 1];
    if (strcmp(rehearsal->state.environment, "rehearsal") != 0 || strcmp(real->state.environment, "rehearsal") == 0)
        claim_fails(&real->claims, CLAIM_REHEARSAL, "the real run's environment is %s, the rehearsal's is %s",
                    real->state.environment, rehearsal->state.environment);
    else
        tell(&c, "environment: %s", real->state.environment);
    must_equal(&c, digest_equal(&a->script->canonical, &b->script->canonical), "script", a->script->id);
    must_equal(&c, json_equal(a->people, b->people), "roles of", a->id);
    policies_compare(&c);
    sites_compare(&c);
    keys_compare(&c, a, b);
    software_compare(&c);
    if (!digest_equal(&a->bindings, &b->bindings))
        tell(&c, "bindings");
    if (real->withheld != 0 || rehearsal->withheld != 0)
        claim_unseen(&real->claims, CLAIM_REHEARSAL,
                     "%zu bodies of the run and %zu of the rehearsal are withheld; whether they differ is not listed",
                     real->withheld, rehearsal->withheld);
    answers_compare(&c, a, b);
    claim_evidence(&real->claims, CLAIM_REHEARSAL, "%zu differences, each listed", ret_told->count);
}
