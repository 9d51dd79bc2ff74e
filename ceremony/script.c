#include "ceremony/script.h"

#include <stdlib.h>
#include <string.h>

#include "ceremony/script_inner.h"
#include "core/file.h"
#include "core/json.h"
#include "core/limits.h"

#define SCRIPT_KEYS "acts ceremony ?classification id ?parameters roles"

void script_free(struct script *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->role_count; i++) {
        free(s->roles[i].id);
        free(s->roles[i].of);
        free(s->roles[i].organisation_not_of);
    }
    for (size_t i = 0; i < s->act_count; i++)
        free(s->acts[i].title);
    for (size_t i = 0; i < s->step_count; i++)
        step_clear(&s->steps[i]);
    free(s->roles);
    free(s->acts);
    free(s->steps);
    free(s->file);
    free(s->id);
    free(s->title);
    free(s->classification);
    buf_free(&s->source);
    buf_free(&s->canonical_json);
    free(s);
}

const struct role *script_role(const struct script *s, const char *id)
{
    for (size_t i = 0; i < s->role_count; i++) {
        if (strcmp(s->roles[i].id, id) == 0)
            return &s->roles[i];
    }
    return NULL;
}

const struct step *script_step(const struct script *s, const char *id)
{
    for (size_t i = 0; i < s->step_count; i++) {
        if (strcmp(s->steps[i].id, id) == 0)
            return &s->steps[i];
    }
    return NULL;
}

const struct step *script_saved(const struct script *s, const char *name)
{
    for (size_t i = 0; i < s->step_count; i++) {
        if (s->steps[i].saves != NULL && strcmp(s->steps[i].saves, name) == 0)
            return &s->steps[i];
    }
    return script_step(s, name);
}

const char *step_with(const struct step *s, const char *name)
{
    for (size_t i = 0; i < s->with_count; i++) {
        if (strcmp(s->with[i].name, name) == 0)
            return s->with[i].value;
    }
    return NULL;
}

void step_by_put(const struct step *s, struct buf *b)
{
    if (s->by == BY_ANY)
        buf_puts(b, "any ");
    else if (s->by == BY_EACH)
        buf_puts(b, "each ");
    else if (s->by == BY_COUNT)
        buf_putf(b, "%u ", s->count);
    buf_puts(b, s->role->id);
}

static enum outcome role_parse(const struct yaml *name, const struct yaml *map, struct role *ret, struct fault *f)
{
    const struct yaml *at_least = yaml_get(map, "at-least"), *not_of = yaml_get(map, "organisation-not-of"),
                      *card = yaml_get(map, "card");
    unsigned choice = 0;
    enum outcome o = yaml_members(map, "?at-least ?card of ?organisation-not-of", f);

    ret->line = name->line;
    ret->column = name->column;
    ret->at_least = 1;
    if (o == OK)
        o = yaml_name(name, &ret->id, f);
    if (o == OK)
        o = yaml_name(yaml_get(map, "of"), &ret->of, f);
    if (o == OK && at_least != NULL)
        o = yaml_count(at_least, 1, 100, &ret->at_least, f);
    if (o == OK && not_of != NULL)
        o = yaml_name(not_of, &ret->organisation_not_of, f);
    if (o == OK && card != NULL)
        o = yaml_choice(card, "required optional", &choice, f);
    ret->card_optional = choice == 1;
    return o;
}

static enum outcome roles_parse(struct script *s, const struct yaml *map, struct fault *f)
{
    enum outcome o = OK;

    if (map->kind != YAML_MAP || map->count == 0)
        return yaml_fault(map, f, "a map of roles was expected: NAME: {of: ROLE OF THE POLICY}");
    s->roles = calloc(map->count, sizeof *s->roles);
    if (s->roles == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < map->count && o == OK; i++)
        o = role_parse(map->keys[i], map->items[i], &s->roles[s->role_count++], f);
    for (size_t i = 0; i < map->count && o == OK; i++) {
        const char *other = s->roles[i].organisation_not_of;

        if (other != NULL && (script_role(s, other) == NULL || strcmp(other, s->roles[i].id) == 0))
            o = yaml_fault(yaml_get(map->items[i], "organisation-not-of"), f,
                           "\"%s\" names no other role of this script", other);
    }
    return o;
}

static enum outcome parameters_parse(const struct yaml *map, struct variables *ret, struct fault *f)
{
    const struct variables none = {0};
    enum outcome o = OK;

    if (map->kind != YAML_MAP)
        return yaml_fault(map, f, "a map of parameters was expected: NAME: VALUE");
    for (size_t i = 0; i < map->count && o == OK; i++) {
        char *name = NULL, *value = NULL;

        o = yaml_name(map->keys[i], &name, f);
        if (o == OK && name[0] < 'a')
            o = yaml_fault(map->keys[i], f, "\"%s\" is no name of a parameter; it begins with a letter from a to z",
                           name);
        if (o == OK)
            o = text_fill(map->items[i], &none, &value, f);
        if (o == OK && (!strings_add(&ret->names, name) || !strings_add(&ret->values, value)))
            o = fault_memory(f);
        free(name);
        free(value);
    }
    return o;
}

/* Another step at the end; its id is ACT.STEP, or ACT.STEP.TURN where turn is not 0. */
static enum outcome step_add(struct script *s, const struct yaml *map, const struct variables *v, unsigned number,
                             unsigned turn, struct fault *f)
{
    struct step *steps = NULL, *step = NULL;
    struct act *act = &s->acts[s->act_count - 1];

    if (s->step_count == LIMIT_STEPS)
        return yaml_fault(map, f, "a script has at most %u steps", LIMIT_STEPS);
    steps = realloc(s->steps, (s->step_count + 1) * sizeof *steps);
    if (steps == NULL)
        return fault_memory(f);
    s->steps = steps;
    step = &steps[s->step_count++];
    *step = (struct step){.act = act->title, .act_number = (unsigned)s->act_count};
    if (turn != 0)
        snprintf(step->id, sizeof step->id, "%zu.%u.%u", s->act_count, number, turn);
    else
        snprintf(step->id, sizeof step->id, "%zu.%u", s->act_count, number);
    if (step_parse(s, map, v, step, f) != OK)
        return f->outcome;
    act->steps++;
    act->minutes += step->minutes;
    return OK;
}

/* A step as written: one, or one for each value of its `for-each`. */
static enum outcome step_expand(struct script *s, const struct yaml *map, struct variables *v, unsigned number,
                                struct fault *f)
{
    const struct yaml *loop = yaml_get(map, "for-each");
    struct variables inner = {0};
    struct strings values = {0};
    char *name = NULL;
    enum outcome o = OK;

    if (loop == NULL)
        return step_add(s, map, v, number, 0, f);
    o = loop_parse(loop, v, &name, &values, f);
    for (size_t i = 0; i < values.count && o == OK; i++) {
        bool copied = strings_add(&inner.names, name) && strings_add(&inner.values, values.items[i]);

        for (size_t j = 0; j < v->names.count && copied; j++)
            copied = strings_add(&inner.names, v->names.items[j]) && strings_add(&inner.values, v->values.items[j]);
        o = copied ? step_add(s, map, &inner, number, (unsigned)i + 1, f) : fault_memory(f);
        variables_clear(&inner);
    }
    strings_free(&values);
    free(name);
    return o;
}

static enum outcome acts_parse(struct script *s, const struct yaml *list, struct variables *v, struct fault *f)
{
    enum outcome o = OK;

    if (list->kind != YAML_LIST || list->count == 0)
        return yaml_fault(list, f, "a list of acts was expected: - act: TITLE, steps: [...]");
    s->acts = calloc(list->count, sizeof *s->acts);
    if (s->acts == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < list->count && o == OK; i++) {
        const struct yaml *map = list->items[i], *steps = yaml_get(map, "steps");

        o = yaml_members(map, "act steps", f);
        if (o != OK)
            break;
        if (steps->kind != YAML_LIST || steps->count == 0)
            return yaml_fault(steps, f, "a list of steps was expected");
        o = text_fill(yaml_get(map, "act"), v, &s->acts[s->act_count].title, f);
        s->act_count++;
        for (size_t j = 0; j < steps->count && o == OK; j++)
            o = step_expand(s, steps->items[j], v, (unsigned)j + 1, f);
    }
    return o;
}

static enum outcome script_fill(struct script *s, const struct yaml *root, struct fault *f)
{
    const struct yaml *parameters = yaml_get(root, "parameters"), *classification = yaml_get(root, "classification");
    struct variables v = {0};
    json_t *json = NULL;
    enum outcome o = yaml_members(root, SCRIPT_KEYS, f);

    if (o == OK)
        o = yaml_name(yaml_get(root, "id"), &s->id, f);
    if (o == OK && parameters != NULL)
        o = parameters_parse(parameters, &v, f);
    if (o == OK)
        o = text_fill(yaml_get(root, "ceremony"), &v, &s->title, f);
    if (o == OK && classification != NULL)
        o = text_fill(classification, &v, &s->classification, f);
    if (o == OK)
        o = roles_parse(s, yaml_get(root, "roles"), f);
    if (o == OK)
        o = acts_parse(s, yaml_get(root, "acts"), &v, f);
    if (o == OK)
        o = script_check_steps(s, f);
    if (o == OK)
        o = yaml_to_json(root, &json, f);
    if (o == OK)
        o = json_canonical(json, &s->canonical_json, f);
    if (o == OK && !digest_one(&s->canonical, buf_span(&s->canonical_json)))
        o = fault_set(f, E_IO, "libcrypto does not hash");
    json_decref(json);
    variables_clear(&v);
    return o;
}

enum outcome script_parse(const char *file, struct span bytes, struct script **ret, struct fault *f)
{
    struct script *s = calloc(1, sizeof *s);
    struct yaml *root = NULL;
    enum outcome o = OK;

    if (s == NULL || (s->file = strdup(file)) == NULL) {
        o = fault_memory(f);
        goto out;
    }
    s->source = BUF(LIMIT_DOCUMENT);
    s->canonical_json = BUF(2 * LIMIT_DOCUMENT);
    buf_put(&s->source, bytes.data, bytes.len);
    if (s->source.failed || !digest_one(&s->digest, bytes)) {
        o = fault_memory(f);
        goto out;
    }
    o = yaml_parse(s->file, bytes, &root, f);
    if (o == OK)
        o = script_fill(s, root, f);
    if (o == OK) {
        *ret = s;
        s = NULL; /* the caller's */
    }
out:
    yaml_free(root);
    script_free(s);
    return o;
}

enum outcome script_read(const char *path, struct script **ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    enum outcome o = file_read(path, false, &bytes, f);

    if (o == OK)
        o = script_parse(path, buf_span(&bytes), ret, f);
    buf_free(&bytes);
    return o;
}
