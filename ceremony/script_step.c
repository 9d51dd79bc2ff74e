#include <stdlib.h>
#include <string.h>

#include "ceremony/pkcs11_client.h"
#include "ceremony/script_inner.h"
#include "core/limits.h"
#include "policy/parse.h"

/* One step, expanded. */

#define STEP_KEYS "by ?confidential do ?expect ?for ?for-each ?minutes ?saves ?say step ?with"

void step_clear(struct step *s)
{
    free(s->text);
    free(s->expect);
    free(s->say);
    free(s->saves);
    free(s->waiting);
    for (size_t i = 0; i < s->with_count; i++) {
        free(s->with[i].name);
        free(s->with[i].value);
    }
    free(s->with);
    free(s->class);
    classes_clear(&s->answer_classes);
    *s = (struct step){0};
}

/* "administrator", "any custodian", "each custodian", "3 custodian". */
static enum outcome by_parse(const struct script *s, const struct yaml *node, const struct variables *v,
                             struct step *ret, struct fault *f)
{
    char *text = NULL, *role = NULL;
    enum outcome o = text_fill(node, v, &text, f);

    if (o != OK)
        return o;
    role = text;
    ret->by = BY_HOLDER;
    if (strncmp(text, "any ", 4) == 0) {
        ret->by = BY_ANY;
        role = text + 4;
    } else if (strncmp(text, "each ", 5) == 0) {
        ret->by = BY_EACH;
        role = text + 5;
    } else if (text[0] >= '1' && text[0] <= '9') {
        unsigned long count = strtoul(text, &role, 10);

        ret->by = BY_COUNT;
        ret->count = count <= 1000 ? (unsigned)count : 0;
        role += *role == ' ';
    }
    ret->role = script_role(s, role);
    if (ret->role == NULL)
        o = yaml_fault(node, f,
                       "\"%s\" names no role of this script; ROLE, \"any ROLE\", \"each ROLE\" or \"N ROLE\" was "
                       "expected",
                       text);
    else if (ret->by == BY_COUNT && (ret->count == 0 || ret->count > ret->role->at_least))
        o = yaml_fault(node, f, "\"%s\" asks for more people than the role has for certain (at-least: %u)", text,
                       ret->role->at_least);
    free(text);
    return o;
}

static enum outcome do_parse(const struct yaml *node, struct step *ret, struct fault *f)
{
    char *name = NULL;
    enum outcome o = yaml_name(node, &name, f);

    if (o != OK)
        return o;
    ret->action = action_find(name);
    if (ret->action == NULL)
        o = yaml_fault(node, f, "there is no action \"%s\"; docs/FORMAT.md lists those there are", name);
    else if (ret->action->kind == ACTION_UNBUILT)
        o = yaml_fault(node, f, "not yet: %s", name);
    free(name);
    return o;
}

/* What the answer must look like. */
static enum outcome pattern_check(const struct yaml *node, const char *pattern, struct fault *f)
{
    regex_t compiled;

    if (label_compile(pattern, &compiled, f) != OK)
        return yaml_fault_at(node, f);
    regfree(&compiled);
    return OK;
}

static enum outcome with_parse(const struct yaml *map, const struct variables *v, struct step *ret, struct fault *f)
{
    enum outcome o = OK;

    if (strcmp(ret->action->with, "*") != 0)
        o = yaml_members(map, ret->action->with, f);
    else if (map->kind != YAML_MAP || map->count == 0)
        o = yaml_fault(map, f, "a map of names and values was expected");
    if (o != OK)
        return o;
    ret->with = calloc(map->count + 1, sizeof *ret->with);
    if (ret->with == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < map->count && o == OK; i++) {
        struct step_value *value = &ret->with[ret->with_count++];

        o = yaml_name(map->keys[i], &value->name, f);
        if (o == OK)
            o = text_fill(map->items[i], v, &value->value, f);
        if (o == OK && ret->action->kind == ACTION_RECORD)
            o = pattern_check(map->items[i], value->value, f);
        if (o == OK && ret->action->kind == ACTION_GENERATE_KEY_PAIR && strcmp(value->name, "type") == 0 &&
            !key_type_known(value->value))
            o = yaml_fault(map->items[i], f, "\"%s\" is no type of key pair; " KEY_TYPES_EXPECTED, value->value);
    }
    return o;
}

/* Whether an action can do without `with`. */
static bool with_optional(const char *names)
{
    for (bool start = true; *names != '\0'; start = *names == ' ', names++) {
        if (start && *names != '?')
            return false;
    }
    return true;
}

static enum outcome optional_text(const struct yaml *map, const char *key, const struct variables *v, char **ret,
                                  struct fault *f)
{
    const struct yaml *node = yaml_get(map, key);

    return node != NULL ? text_fill(node, v, ret, f) : OK;
}

/* What the members say together. */
static enum outcome step_check(const struct yaml *map, const struct step *s, struct fault *f)
{
    const struct yaml *by = yaml_get(map, "by"), *waiting = yaml_get(map, "for"), *with = yaml_get(map, "with");
    bool approve = s->action->kind == ACTION_APPROVE;

    if (with == NULL && !with_optional(s->action->with))
        return yaml_fault(map, f, "%s needs `with`: %s", s->action->name,
                          strcmp(s->action->with, "*") == 0 ? "names and patterns" : s->action->with);
    if (approve && waiting == NULL)
        return yaml_fault(map, f,
                          "approve needs `for`: the step whose request is approved, by number or by what it saves");
    if (!approve && waiting != NULL)
        return yaml_fault(waiting, f, "`for` belongs to approve, not to %s", s->action->name);
    if (approve && strcmp(s->role->of, "ceremony-administrator") == 0)
        return yaml_fault(by, f, "an administrator approves nothing; another role was expected");
    if (s->action->operation >= 0 && s->by != BY_HOLDER)
        return yaml_fault(by, f,
                          "%s is asked for by one person, whom the approvals name; a role with one holder was expected",
                          s->action->name);
    if (s->action->kind == ACTION_SAY && s->say == NULL)
        return yaml_fault(map, f, "the action say needs `say`: the words that are read aloud");
    return OK;
}

enum outcome step_parse(const struct script *s, const struct yaml *map, const struct variables *v, struct step *ret,
                        struct fault *f)
{
    const struct yaml *with = yaml_get(map, "with"), *minutes = yaml_get(map, "minutes"),
                      *confidential = yaml_get(map, "confidential");
    enum outcome o = yaml_members(map, STEP_KEYS, f);

    if (o != OK)
        return o;
    ret->line = map->line;
    ret->column = map->column;
    o = text_fill(yaml_get(map, "step"), v, &ret->text, f);
    if (o == OK)
        o = by_parse(s, yaml_get(map, "by"), v, ret, f);
    if (o == OK)
        o = do_parse(yaml_get(map, "do"), ret, f);
    if (o == OK && with != NULL)
        o = with_parse(with, v, ret, f);
    if (o == OK && confidential != NULL)
        o = confidential_parse(confidential, ret, f);
    if (o == OK && minutes != NULL)
        o = yaml_count(minutes, 0, LIMIT_STEP_MINUTES, &ret->minutes, f);
    if (o == OK)
        o = optional_text(map, "expect", v, &ret->expect, f);
    if (o == OK)
        o = optional_text(map, "say", v, &ret->say, f);
    if (o == OK)
        o = optional_text(map, "saves", v, &ret->saves, f);
    if (o == OK)
        o = optional_text(map, "for", v, &ret->waiting, f);
    return o == OK ? step_check(map, ret, f) : o;
}
