#include <stdlib.h>
#include <string.h>

#include "ceremony/run_cosign.h"
#include "ceremony/verify_inner.h"
#include "core/limits.h"

struct verified_ceremony *verified_ceremony(struct verifier *v, const char *id)
{
    for (size_t i = 0; id != NULL && i < v->ceremony_count; i++)
        if (strcmp(v->ceremonies[i].id, id) == 0)
            return &v->ceremonies[i];
    return NULL;
}

bool verify_ceremony_fact(struct verifier *v, const char *ceremony, const char *step, struct ceremony_fact *ret)
{
    const struct verified_ceremony *c = verified_ceremony(v, ceremony);
    const struct step *s = c != NULL && step != NULL ? script_step(c->script, step) : NULL;

    if (s == NULL || c->closed)
        return false;
    *ret =
        (struct ceremony_fact){.id = c->id, .script = c->script->id, .step = s->id, .operation = s->action->operation};
    return true;
}

bool person_holds(const struct verified_ceremony *c, const char *person, const char *role)
{
    size_t index = 0;
    json_t *one = NULL;

    json_array_foreach(c->people, index, one)
    {
        const char *who = json_string_or_null(one, "person"), *what = json_string_or_null(one, "role");

        if (who != NULL && what != NULL && strcmp(who, person) == 0 && strcmp(what, role) == 0)
            return true;
    }
    return false;
}

bool person_present(const struct verified_ceremony *c, const char *person)
{
    return strings_have(&c->present, person);
}

static size_t role_holders(const struct verified_ceremony *c, const char *role)
{
    size_t index = 0, count = 0;
    json_t *one = NULL;

    json_array_foreach(c->people, index, one) count += strcmp(json_string_or_null(one, "role"), role) == 0;
    return count;
}

/* Roles as the script asks: enough holders, of the policy's role and valid, one person one role, organisations apart. */
static bool opening_role(struct verifier *v, const struct verified_ceremony *c, const struct role *role, moment at)
{
    size_t index = 0;
    json_t *one = NULL;

    if (role_holders(c, role->id) < role->at_least)
        return claim_fails(&v->claims, CLAIM_OPENING, "%s: the role %s has fewer than %u people", c->id, role->id,
                           role->at_least);
    json_array_foreach(c->people, index, one)
    {
        const char *id = json_string_or_null(one, "person");
        const struct person *p = policy_person(v->judge, id);
        size_t other = 0;
        json_t *two = NULL;

        if (strcmp(json_string_or_null(one, "role"), role->id) != 0)
            continue;
        if (p == NULL || !strings_have(&p->roles, role->of) || at < p->from || at >= p->until)
            return claim_fails(&v->claims, CLAIM_OPENING, "%s: %s could not be %s", c->id, id, role->id);
        json_array_foreach(c->people, other, two)
        {
            const char *other_role = json_string_or_null(two, "role");
            const struct person *q = policy_person(v->judge, json_string_or_null(two, "person"));

            if (other != index && strcmp(json_string_or_null(two, "person"), id) == 0)
                return claim_fails(&v->claims, CLAIM_OPENING, "%s: %s is in two roles", c->id, id);
            if (role->organisation_not_of != NULL && strcmp(other_role, role->organisation_not_of) == 0 && q != NULL &&
                strcmp(q->organisation, p->organisation) == 0)
                return claim_fails(&v->claims, CLAIM_OPENING, "%s: %s is of the organisation of %s", c->id, id,
                                   role->organisation_not_of);
        }
    }
    return true;
}

static bool people_well_formed(const json_t *people, const struct script *script)
{
    size_t index = 0;
    json_t *one = NULL;

    json_array_foreach(people, index, one)
    {
        struct fault f = {OK, ""};

        if (json_members(one, "person role", &f) != OK || json_string_or_null(one, "person") == NULL ||
            json_string_or_null(one, "role") == NULL || script_role(script, json_string_or_null(one, "role")) == NULL)
            return false;
    }
    return json_array_size(people) != 0;
}

static struct script *opening_script(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    const json_t *script = json_object_get(e->body, "script"), *bindings = json_object_get(e->body, "bindings");
    struct digest digest, canonical, bindings_digest, bindings_canonical;
    struct buf bytes = BUF(LIMIT_DOCUMENT), bindings_bytes = BUF(LIMIT_DOCUMENT);
    struct script *result = NULL;

    if (json_want_digest(script, "digest", &digest, &f) != OK ||
        json_want_digest(script, "canonical", &canonical, &f) != OK ||
        json_want_digest(bindings, "digest", &bindings_digest, &f) != OK ||
        json_want_digest(bindings, "canonical", &bindings_canonical, &f) != OK)
        claim_fails(&v->claims, CLAIM_OPENING, "entry %llu: %s", (unsigned long long)e->seq, f.text);
    else if (!verify_document(v, "scripts", &digest, &canonical, &bytes, NULL) ||
             !verify_document(v, "bindings", &bindings_digest, &bindings_canonical, &bindings_bytes, NULL))
        claim_fails(&v->claims, CLAIM_OPENING, "script or bindings are not the ones that were approved");
    else if (script_parse("script", buf_span(&bytes), &result, &f) != OK)
        claim_fails(&v->claims, CLAIM_OPENING, "%s", f.text);
    buf_free(&bindings_bytes);
    buf_free(&bytes);
    return result;
}

static void verify_opening(struct verifier *v, const struct entry *e)
{
    static const char *const names[] = {"bindings", "ceremony", "people", "script"};
    struct fault f = {OK, ""};
    struct verified_request *request = NULL;
    struct verified_ceremony *grown = NULL, *c = NULL;
    struct script *script = NULL;
    struct digest id;
    bool good = true;

    if (json_want_digest(e->body, "request", &id, &f) == OK)
        request = verified_request(v, &id);
    good = request != NULL && request->verdict != NULL && v->judge != NULL &&
           request->request->subject->operation == OP_OPEN_CEREMONY &&
           json_equal(json_object_get(e->body, "verdict"), request->verdict) &&
           verified_ceremony(v, entry_text(e, "ceremony")) == NULL;
    for (size_t i = 0; good && i < sizeof names / sizeof *names; i++)
        good =
            json_equal(json_object_get(e->body, names[i]), json_object_get(request->request->subject->json, names[i]));
    if (!good) {
        claim_fails(&v->claims, CLAIM_OPENING, "ceremony %s was not opened as approved", entry_text(e, "ceremony"));
        return;
    }
    script = opening_script(v, e);
    grown = script != NULL ? realloc(v->ceremonies, (v->ceremony_count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        script_free(script);
        return;
    }
    v->ceremonies = grown;
    c = &grown[v->ceremony_count++];
    *c = (struct verified_ceremony){.id = strdup(entry_text(e, "ceremony")),
                                    .script = script,
                                    .done = e->time,
                                    .done_seq = e->seq,
                                    .people = json_incref(json_object_get(e->body, "people"))};
    good = c->id != NULL && json_want_digest(json_object_get(e->body, "bindings"), "digest", &c->bindings, &f) == OK &&
           people_well_formed(c->people, script) &&
           strcmp(script->id, json_string_or_null(json_object_get(e->body, "script"), "id")) == 0;
    if (!good)
        claim_fails(&v->claims, CLAIM_OPENING, "%s: people or script id are not what the script has",
                    entry_text(e, "ceremony"));
    for (size_t i = 0; good && i < script->role_count; i++)
        good = opening_role(v, c, &script->roles[i], e->time);
    if (good && !v->environment)
        good = claim_fails(&v->claims, CLAIM_SOFTWARE, "the record does not say what ran when %s was opened", c->id);
    if (good)
        claim_holds(&v->claims, CLAIM_OPENING);
}

/* Who did the step: as many as `by` asks, each once, each holding the role and present. */
static bool step_actors(struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                        const json_t *actors)
{
    size_t index = 0, count = json_array_size(actors), wanted = 1;
    json_t *one = NULL;

    if (s->by == BY_EACH)
        wanted = role_holders(c, s->role->id);
    else if (s->by == BY_COUNT)
        wanted = s->count;
    if (count != wanted || (s->by == BY_HOLDER && role_holders(c, s->role->id) != 1))
        return claim_fails(&v->claims, CLAIM_STEPS, "step %s of %s was done by %zu people, the script asks for %zu",
                           s->id, c->id, count, wanted);
    json_array_foreach(actors, index, one)
    {
        const char *who = json_string_value(one);

        if (who == NULL || !person_holds(c, who, s->role->id))
            return claim_fails(&v->claims, CLAIM_STEPS, "step %s of %s was done by %s, who is not %s", s->id, c->id,
                               who != NULL ? who : "nobody", s->role->id);
        for (size_t i = 0; i < index; i++)
            if (json_equal(json_array_get(actors, i), one))
                return claim_fails(&v->claims, CLAIM_STEPS, "step %s of %s counts %s twice", s->id, c->id, who);
        if (s->action->kind != ACTION_LEAVE && !person_present(c, who))
            return claim_fails(&v->claims, CLAIM_STEPS, "step %s of %s was done by %s, who had not entered", s->id,
                               c->id, who);
    }
    return true;
}

bool deviation_on(const struct verified_ceremony *c, const char *step)
{
    return strings_have(&c->deviated, step);
}

/* Bags: what is opened must be what was sealed last, or a deviation says so. */
static void step_custody(struct verifier *v, struct verified_ceremony *c, const struct step *s, const json_t *result)
{
    const char *item = json_string_or_null(result, "item"), *bag = NULL;
    char *known = NULL;

    if (item == NULL || !verified_value(v, CLAIM_CUSTODY, c, s, "bag", result, &bag)) {
        claim_fails(&v->claims, CLAIM_CUSTODY, "step %s of %s names no item or bag", s->id, c->id);
        return;
    }
    for (size_t i = 0; i + 1 < v->bags.count; i += 2)
        if (strcmp(v->bags.items[i], item) == 0)
            known = v->bags.items[i + 1]; /* the last one counts */
    if (s->action->kind == ACTION_SEAL_BAG) {
        if (!strings_add(&v->bags, item) || !strings_add(&v->bags, bag != NULL ? bag : ""))
            claim_fails(&v->claims, CLAIM_CUSTODY, "out of memory");
    } else if (known == NULL) {
        v->unsealed_bags++;
    } else if (known[0] == '\0') {
        claim_unseen(&v->claims, CLAIM_CUSTODY, "the bag in which %s was sealed is withheld", item);
    } else if (bag == NULL) {
        return;
    } else if (strcmp(known, bag) != 0 && !deviation_on(c, s->id)) {
        claim_fails(&v->claims, CLAIM_CUSTODY, "step %s of %s: %s was sealed in bag %s and opened from bag %s", s->id,
                    c->id, item, known, bag);
        return;
    }
    if (bag != NULL && (known == NULL || known[0] != '\0'))
        claim_holds(&v->claims, CLAIM_CUSTODY);
}

/* In the room a step may be left undone under a deviation; it then says nothing of what it did. */
static bool step_undone(const struct verified_ceremony *c, const struct step *s, const json_t *result)
{
    return s->action->skippable && json_object_size(result) == 0 && deviation_on(c, s->id);
}

static void verify_begun(struct verifier *v, struct verified_ceremony *c, const struct step *s, const struct entry *e)
{
    if (strcmp(entry_text(e, "begun"), "true") != 0 || json_object_get(e->body, "result") != NULL)
        claim_fails(&v->claims, CLAIM_STEPS, "step %s of %s is said to be begun and done at once", s->id, c->id);
    else if (step_actors(v, c, s, json_object_get(e->body, "actors")) && !strings_have(&c->begun, s->id) &&
             !strings_add(&c->begun, s->id))
        claim_fails(&v->claims, CLAIM_STEPS, "out of memory");
}

static void verify_step_done(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    const struct step *s = script_step(c->script, entry_text(e, "step"));
    size_t index = s != NULL ? (size_t)(s - c->script->steps) : 0;

    if (s == NULL || index < c->next || strcmp(s->action->name, entry_text(e, "action")) != 0) {
        claim_fails(&v->claims, CLAIM_STEPS, "entry %llu: step %s (%s) of %s is out of turn",
                    (unsigned long long)e->seq, entry_text(e, "step"), entry_text(e, "action"), c->id);
        return;
    }
    for (size_t i = c->next; i < index; i++)
        if (!deviation_on(c, c->script->steps[i].id) || !c->script->steps[i].action->skippable)
            claim_fails(&v->claims, CLAIM_STEPS, "step %s of %s was left out", c->script->steps[i].id, c->id);
    if (json_object_get(e->body, "begun") != NULL) {
        c->next = index;
        verify_begun(v, c, s, e);
        return;
    }
    c->next = index + 1;
    if (s->action->effect && !strings_have(&c->begun, s->id) && !verified_held(s, json_object_get(e->body, "result")))
        claim_fails(&v->claims, CLAIM_STEPS, "step %s of %s had its effect without having begun", s->id, c->id);
    if (step_actors(v, c, s, json_object_get(e->body, "actors"))) {
        claim_holds(&v->claims, CLAIM_STEPS);
        claim_holds(&v->claims, CLAIM_PRESENCE);
    }
    if (step_undone(c, s, json_object_get(e->body, "result")))
        return;
    if (s->action->kind == ACTION_OPEN_BAG || s->action->kind == ACTION_SEAL_BAG)
        step_custody(v, c, s, json_object_get(e->body, "result"));
    verify_step_result(v, c, s, e);
}

static void verify_presence(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    const char *who = entry_text(e, "person");

    if (!verify_at_step(v, c, e))
        return;
    if (e->type == ENTRY_ENTERED) {
        if (!person_holds(c, who, entry_text(e, "role")))
            claim_fails(&v->claims, CLAIM_STEPS, "%s entered %s as %s, which they are not", who, c->id,
                        entry_text(e, "role"));
        else if (!strings_have(&c->present, who) && !strings_add(&c->present, who))
            claim_fails(&v->claims, CLAIM_STEPS, "out of memory");
        return;
    }
    for (size_t i = 0; i < c->present.count; i++)
        if (strcmp(c->present.items[i], who) == 0) {
            free(c->present.items[i]);
            c->present.items[i] = c->present.items[--c->present.count];
            return;
        }
    claim_fails(&v->claims, CLAIM_STEPS, "%s left %s without having entered", who, c->id);
}

bool deviation_note(struct verified_ceremony *c, const char *step, uint64_t seq, const char *told)
{
    uint64_t *grown = realloc(c->deviations, (c->deviation_count + 1) * sizeof *grown);

    if (grown == NULL)
        return false;
    c->deviations = grown;
    c->deviations[c->deviation_count++] = seq;
    return strings_add(&c->deviated, step) && strings_add(&c->deviations_told, told);
}

static void verify_deviation(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    char told[1024];

    snprintf(told, sizeof told, "deviation at step %s: %s (accepted by %s)", entry_text(e, "step"),
             entry_text(e, "cause"), entry_text(e, "accepted-by"));
    if (!deviation_note(c, entry_text(e, "step"), e->seq, told)) {
        claim_fails(&v->claims, CLAIM_STEPS, "out of memory");
        return;
    }
    verify_at_step(v, c, e);
    if (!person_present(c, entry_text(e, "accepted-by")))
        claim_fails(&v->claims, CLAIM_STEPS, "deviation %llu of %s was accepted by %s, who was not there",
                    (unsigned long long)e->seq, c->id, entry_text(e, "accepted-by"));
}

static void verify_close(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    int64_t deviations = -1, steps = -1;
    struct fault f = {OK, ""};

    for (size_t i = c->next; i < c->script->step_count; i++)
        claim_fails(&v->claims, CLAIM_STEPS, "step %s of %s was never done", c->script->steps[i].id, c->id);
    if (json_want_integer(e->body, "deviations", &deviations, &f) != OK || deviations != (int64_t)c->deviation_count ||
        json_want_integer(e->body, "steps", &steps, &f) != OK || steps != (int64_t)c->script->step_count)
        claim_fails(&v->claims, CLAIM_CLOSING, "%s closes with other counts than its entries have", c->id);
    else
        claim_holds(&v->claims, CLAIM_CLOSING);
    verify_close_cosigned(v, c);
    verify_certificates(v, c);
    verify_attestations_complete(v, c);
    c->closed = true;
}

void verify_ceremony(struct verifier *v, const struct entry *e)
{
    struct verified_ceremony *c = NULL;

    if (e->body != NULL && !verify_members(v, e))
        return;
    if (e->type == ENTRY_CEREMONY_OPENED)
        verify_opening(v, e);
    c = verified_ceremony(v, e->ceremony);
    if (e->ceremony == NULL)
        return;
    if (c == NULL || c->closed) {
        claim_fails(&v->claims, CLAIM_OPENING, "entry %llu belongs to ceremony %s, which is not running",
                    (unsigned long long)e->seq, e->ceremony);
        return;
    }
    if (e->body == NULL)
        verify_withheld(v, c, e);
    else if (e->type == ENTRY_STEP)
        verify_step_done(v, c, e);
    else if (e->type == ENTRY_ENTERED || e->type == ENTRY_LEFT)
        verify_presence(v, c, e);
    else if (e->type == ENTRY_DEVIATION)
        verify_deviation(v, c, e);
    else if (e->type == ENTRY_ANSWER)
        verify_answer(v, c, e);
    else if (e->type == ENTRY_ARTIFACT)
        verify_artifact(v, c, e);
    else if (e->type == ENTRY_EXHIBIT)
        verify_exhibit(v, c, e);
    else if (e->type == ENTRY_USED)
        verify_use_noted(v, c, e);
    else if (e->type == ENTRY_DRILL)
        verify_drill_noted(v, c, e);
    else if (e->type == ENTRY_CEREMONY_CLOSED)
        verify_close(v, c, e);
    if (e->type == ENTRY_STEP && json_object_get(e->body, "result") != NULL) {
        c->done = e->time;
        c->done_seq = e->seq;
        json_array_clear(c->drills);
        json_array_clear(c->arrivals);
    }
    if (!entry_after_cosigning(e->json))
        c->to_cosign = e->seq + 1;
}
