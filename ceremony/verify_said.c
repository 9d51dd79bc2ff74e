#include <string.h>

#include "ceremony/verify_inner.h"

/* That entries and results of a ceremony say what docs/FORMAT.md lets them say, what the script asks for, and what the
 * people answered. */

bool verify_members(struct verifier *v, const struct entry *e)
{
    static const struct {
        enum entry_type type;
        enum claim_id claim;
        const char *names;
    } shapes[] = {
        {ENTRY_ENVIRONMENT, CLAIM_SOFTWARE, "boot-command-line clock-source kernel machine software"},
        {ENTRY_CEREMONY_OPENED, CLAIM_OPENING, "bindings ceremony people request script verdict"},
        {ENTRY_ENTERED, CLAIM_STEPS, "person role step"},
        {ENTRY_LEFT, CLAIM_STEPS, "person step"},
        {ENTRY_STEP, CLAIM_STEPS, "action actors ?begun ?result step"},
        {ENTRY_ANSWER, CLAIM_STEPS, "name person step value"},
        {ENTRY_DEVIATION, CLAIM_STEPS, "accepted-by cause step"},
        {ENTRY_EXHIBIT, CLAIM_ARTIFACTS, "?device digest ?end ?gaps kind person ?start step"},
        {ENTRY_ARTIFACT, CLAIM_ARTIFACTS, "?awaits ?canonical digest kind name ?person ?signature ?step"},
        {ENTRY_CEREMONY_CLOSED, CLAIM_CLOSING, "ceremony deviations steps"},
    };
    struct fault f = {OK, ""};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (shapes[i].type == e->type && json_members(e->body, shapes[i].names, &f) != OK)
            return claim_fails(&v->claims, shapes[i].claim, "entry %llu (%s): %s", (unsigned long long)e->seq,
                               entry_type_name(e->type), f.text);
    return true;
}

bool verify_at_step(struct verifier *v, const struct verified_ceremony *c, const struct entry *e)
{
    const struct step *now = c->next < c->script->step_count ? &c->script->steps[c->next] : NULL;

    if (now != NULL && strcmp(entry_text(e, "step"), now->id) == 0)
        return true;
    return claim_fails(&v->claims, CLAIM_STEPS, "entry %llu (%s) is of step %s, when %s was at step %s",
                       (unsigned long long)e->seq, entry_type_name(e->type), entry_text(e, "step"), c->id,
                       now != NULL ? now->id : "none");
}

void verify_answer(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    json_t *of_step = NULL;
    bool good = true;

    if (!verify_at_step(v, c, e))
        return;
    if (!person_present(c, entry_text(e, "person"))) {
        claim_fails(&v->claims, CLAIM_STEPS, "answer %llu of %s is by %s, who was not there",
                    (unsigned long long)e->seq, c->id, entry_text(e, "person"));
        return;
    }
    if (c->answers == NULL)
        c->answers = json_object();
    of_step = json_object_get(c->answers, entry_text(e, "step"));
    if (of_step == NULL) {
        of_step = json_object();
        good = json_put(c->answers, entry_text(e, "step"), of_step);
    }
    /* The last of a name stands. */
    good = good && json_object_set(of_step, entry_text(e, "name"), e->json) == 0;
    if (!good)
        claim_fails(&v->claims, CLAIM_STEPS, "out of memory");
}

void verify_exhibit(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    const struct step *s = script_step(c->script, entry_text(e, "step"));
    const char *kind = s != NULL ? step_with(s, "kind") : NULL;
    struct commit_text shown;

    if (!verify_at_step(v, c, e))
        return;
    if (kind == NULL || strcmp(kind, entry_text(e, "kind")) != 0 || !person_present(c, entry_text(e, "person")))
        claim_fails(&v->claims, CLAIM_ARTIFACTS, "exhibit %llu is not what step %s of %s asks for",
                    (unsigned long long)e->seq, entry_text(e, "step"), c->id);
    else if (!strings_add(&c->exhibits, commit_shown(e->json, &shown) ? shown.text : entry_text(e, "digest")))
        claim_fails(&v->claims, CLAIM_ARTIFACTS, "out of memory");
}

const json_t *verified_answer(const struct verified_ceremony *c, const char *step, const char *name)
{
    return json_object_get(json_object_get(c->answers, step), name);
}

/* By somebody in this step; of a confidential answer the result has the commitment. */
static bool value_said(const struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                       const char *name, const char *value)
{
    const json_t *said = verified_answer(c, s->id, name);
    const char *plain = json_string_or_null(json_object_get(said, "body"), "value");
    struct commit_text shown;

    if (value == NULL || verified_withheld_answer(v, c, s, name, value))
        return value != NULL;
    if (commit_shown(said, &shown))
        return strcmp(value, shown.text) == 0;
    return plain != NULL && strcmp(value, plain) == 0;
}

/* Every member but those that the script says was said by somebody in this step. */
static bool result_answered(const struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                            json_t *result)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach(result, name, value)
    {
        if (strcmp(name, "item") != 0 && strcmp(name, "site") != 0 && strcmp(name, "token") != 0 &&
            !value_said(v, c, s, name, json_string_value(value)))
            return false;
    }
    return true;
}

/* What the script says of a step stands in its result too. */
static bool result_as_asked(const struct step *s, const json_t *result)
{
    static const char *const names[] = {"item", "label", "site", "token"};
    const char *target = json_string_or_null(result, "for");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *asked = step_with(s, names[i]), *found = json_string_or_null(result, names[i]);

        if (asked != NULL && found != NULL && strcmp(asked, found) != 0)
            return false;
    }
    return s->target == NULL || (target != NULL && strcmp(target, s->target->id) == 0);
}

static bool record_names(const struct step *s, const json_t *result)
{
    bool good = json_object_size(result) == s->with_count;

    for (size_t i = 0; i < s->with_count; i++)
        good = good && json_string_or_null(result, s->with[i].name) != NULL;
    return good;
}

bool verify_result_said(const struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                        const json_t *actors, json_t *result)
{
    const char *names = "";
    struct fault f = {OK, ""};
    bool answered = false;

    switch (s->action->kind) {
    case ACTION_ATTEST:
        return json_object_size(result) == json_array_size(actors);
    case ACTION_RECORD:
        return record_names(s, result) && result_answered(v, c, s, result);
    case ACTION_CHECK_CLOCK:
        names = "clock-1 clock-2";
        answered = true;
        break;
    case ACTION_OPEN_BAG:
    case ACTION_SEAL_BAG:
        names = "bag item";
        answered = true;
        break;
    case ACTION_APPROVE:
        names = "for ?request";
        break;
    case ACTION_GENERATE_KEY_PAIR:
        names = "fingerprint intent label token";
        break;
    case ACTION_REPLICATE:
        names = "born ?intent label site token";
        break;
    case ACTION_MAKE_CSR:
    case ACTION_ISSUE_CERTIFICATE:
        names = "artifact label profile tbs";
        break;
    case ACTION_EXHIBIT:
        names = "digest";
        break;
    case ACTION_READ_ALOUD:
        names = "root size words";
        break;
    case ACTION_ARRIVE:
        names = "bag safe site token";
        answered = true;
        break;
    case ACTION_DRILL:
        names = "failed proven receipt site token";
        break;
    case ACTION_COSIGN:
        names = "root size";
        break;
    case ACTION_TIMESTAMP:
        names = "root size ?stamp";
        break;
    default:
        break;
    }
    return json_is_object(result) && json_members(result, names, &f) == OK && result_as_asked(s, result) &&
           (!answered || result_answered(v, c, s, result));
}
