#include <stdlib.h>
#include <string.h>

#include "audit/confidential.h"
#include "ceremony/verify_inner.h"
#include "core/file.h"
#include "core/limits.h"

/* Entries that only commit to their bodies: opened where the transcript has these, and what is left to say where it has
 * not. */

static const struct step *step_at_hand(const struct verified_ceremony *c)
{
    return c != NULL && !c->closed && c->next < c->script->step_count ? &c->script->steps[c->next] : NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The class is the one that the step at hand gives, or else the policy in force. Which answer it is stands in its body. */
static bool class_given(const struct verifier *v, const struct step *s, const struct entry *e)
{
    const char *type = entry_type_name(e->type), *of_policy = NULL, *of_step = NULL;

    if (v->judge != NULL && (s == NULL || !step_shown(s, type)))
        of_policy = classes_get(&v->judge->confidential, type);
    if (s != NULL && s->class == NULL && e->type == ENTRY_ANSWER && e->body == NULL)
        return strings_have(&s->answer_classes.classes, e->class) || same_text(of_policy, e->class);
    if (s != NULL)
        of_step = step_class(s, type, json_string_or_null(e->body, "name"));
    return same_text(of_step != NULL ? of_step : of_policy, e->class);
}

/* One more of this class: "here" or "withheld". */
static bool class_count(struct verifier *v, const char *class, const char *where)
{
    json_t *counts = json_object_get(v->classes, class);
    int64_t n = 0;

    if (v->classes == NULL)
        v->classes = json_object();
    if (counts == NULL) {
        counts = json_object();
        if (!json_put(v->classes, class, counts))
            return false;
    }
    n = json_integer_value(json_object_get(counts, where));
    return json_put_integer(counts, where, n + 1);
}

static void body_open(struct verifier *v, struct entry *e)
{
    struct fault f = {OK, ""};
    struct buf document = BUF(LIMIT_CONFIDENTIAL);
    char name[128], *path = NULL;
    bool here = false;

    snprintf(name, sizeof name, "confidential/%s.json", digest_hex(&e->commit).hex);
    path = path_join(v->folder, name);
    here = path != NULL && file_exists(path);
    if (here && verify_file(v, name, LIMIT_CONFIDENTIAL, &document) &&
        confidential_open(e, buf_span(&document), &f) != OK)
        claim_fails(&v->claims, CLAIM_CONFIDENTIAL, "%s: %s", name, f.text);
    if (path == NULL || !class_count(v, e->class, here ? "here" : "withheld"))
        claim_fails(&v->claims, CLAIM_CONFIDENTIAL, "out of memory");
    free(path);
    buf_free(&document);
}

void verify_confidential(struct verifier *v, struct entry *e)
{
    const struct step *s = NULL;

    if (!confidential_type(e->type))
        return;
    if (e->class != NULL)
        body_open(v, e);
    s = step_at_hand(verified_ceremony(v, e->ceremony));
    if (!class_given(v, s, e))
        claim_fails(&v->claims, CLAIM_CONFIDENTIAL, "entry %llu (%s) is %s%s, which neither step nor policy says",
                    (unsigned long long)e->seq, entry_type_name(e->type),
                    e->class != NULL ? "of class " : "not confidential", e->class != NULL ? e->class : "");
    else if (e->class != NULL)
        claim_holds(&v->claims, CLAIM_CONFIDENTIAL);
}

void verify_classes(struct verifier *v)
{
    struct buf told = BUF(1024);
    const char *class = NULL;
    json_t *counts = NULL;

    json_object_foreach(v->classes, class, counts)
    {
        long long here = json_integer_value(json_object_get(counts, "here")),
                  withheld = json_integer_value(json_object_get(counts, "withheld"));

        if (here != 0 && withheld != 0)
            claim_fails(&v->claims, CLAIM_CONFIDENTIAL,
                        "of class %s %lld bodies are here and %lld are missing; a class is withheld as a whole", class,
                        here, withheld);
        buf_putf(&told, "%s%s: %lld %s", told.len > 0 ? ", " : "", class, here != 0 ? here : withheld,
                 here != 0 ? "shown" : "withheld");
        v->withheld += (size_t)withheld;
    }
    claim_evidence(&v->claims, CLAIM_CONFIDENTIAL, "%s", buf_str(&told));
    buf_free(&told);
}

/* The step's withheld entries are known by how results show them. */
static bool withheld_keep(struct verified_ceremony *c, const struct step *s, const struct entry *e)
{
    json_t *what = json_object();
    bool good = json_put_string(what, "step", s->id) && json_put_string(what, "type", entry_type_name(e->type)) &&
                json_put_string(what, "class", e->class);

    if (c->withheld == NULL)
        c->withheld = json_object();
    if (good)
        return json_put(c->withheld, commit_show(&e->commit).text, what);
    json_decref(what);
    return false;
}

bool verified_withheld(const struct verified_ceremony *c, const struct step *s, enum entry_type type, const char *shown)
{
    const json_t *what = shown != NULL ? json_object_get(c->withheld, shown) : NULL;

    return what != NULL && same_text(json_string_or_null(what, "type"), entry_type_name(type)) &&
           (type == ENTRY_ARTIFACT || same_text(json_string_or_null(what, "step"), s->id));
}

bool verified_withheld_artifacts(const struct verified_ceremony *c)
{
    const char *shown = NULL;
    json_t *what = NULL;

    json_object_foreach(c->withheld, shown, what) if (same_text(json_string_or_null(what, "type"),
                                                                entry_type_name(ENTRY_ARTIFACT))) return true;
    return false;
}

bool verified_withheld_answer(const struct verifier *v, const struct verified_ceremony *c, const struct step *s,
                              const char *name, const char *shown)
{
    const char *class = step_class(s, entry_type_name(ENTRY_ANSWER), name);

    if (class == NULL && v->judge != NULL && !step_shown(s, entry_type_name(ENTRY_ANSWER)))
        class = classes_get(&v->judge->confidential, entry_type_name(ENTRY_ANSWER));
    return class != NULL && verified_withheld(c, s, ENTRY_ANSWER, shown) &&
           same_text(class, json_string_or_null(json_object_get(c->withheld, shown), "class"));
}

/* What of an entry stands although its body is withheld: that there is one, of this type, while this step was at hand. */
void verify_withheld(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    const struct step *s = step_at_hand(c);
    enum claim_id claim = e->type == ENTRY_ARTIFACT || e->type == ENTRY_EXHIBIT ? CLAIM_ARTIFACTS : CLAIM_STEPS;
    char told[256];
    bool good = true;

    if (s == NULL) {
        claim_fails(&v->claims, claim, "entry %llu (%s) is of no step", (unsigned long long)e->seq,
                    entry_type_name(e->type));
        return;
    }
    if (e->type == ENTRY_DEVIATION) {
        snprintf(told, sizeof told, "deviation at step %s: withheld, of class %s", s->id, e->class);
        good = deviation_note(c, s->id, e->seq, told);
    } else {
        good = withheld_keep(c, s, e);
    }
    if (!good)
        claim_fails(&v->claims, claim, "out of memory");
    claim_unseen(&v->claims, claim, "entry %llu, %s %s of step %s, is withheld (class %s)", (unsigned long long)e->seq,
                 e->type == ENTRY_DEVIATION ? "a" : "an", entry_type_name(e->type), s->id, e->class);
}

bool verified_value(struct verifier *v, enum claim_id claim, const struct verified_ceremony *c, const struct step *s,
                    const char *name, const json_t *result, const char **ret)
{
    const json_t *said = verified_answer(c, s->id, name);
    const char *value = json_string_or_null(result, name);
    struct commit_text commit;

    if (value == NULL)
        return false;
    if (verified_withheld_answer(v, c, s, name, value)) {
        claim_unseen(&v->claims, claim, "%s of step %s is withheld", name, s->id);
        value = NULL;
    } else if (commit_shown(said, &commit) && strcmp(commit.text, value) == 0) {
        value = json_string_or_null(json_object_get(said, "body"), "value");
    }
    *ret = value;
    return true;
}
