#include "ceremony/run_cast.h"

#include <stdlib.h>
#include <string.h>

#define ADMINISTRATOR "ceremony-administrator"

void cast_clear(struct cast *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->items[i].person);
        free(c->items[i].role);
    }
    free(c->items);
    *c = (struct cast){0};
}

const char *cast_role(const struct cast *c, const char *person)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->items[i].person, person) == 0)
            return c->items[i].role;
    }
    return NULL;
}

const char *cast_holder(const struct cast *c, const char *role, size_t index)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->items[i].role, role) == 0 && index-- == 0)
            return c->items[i].person;
    }
    return NULL;
}

size_t cast_holders(const struct cast *c, const char *role)
{
    size_t count = 0;

    while (cast_holder(c, role, count) != NULL)
        count++;
    return count;
}

enum outcome cast_add(struct cast *c, const char *person, const char *role, struct fault *f)
{
    const char *other = cast_role(c, person);
    struct holder *items = NULL, added = {NULL, NULL};
    size_t at = c->count;

    if (other != NULL && strcmp(other, role) == 0)
        return fault_set(f, E_REFUSED, "%s is named twice as %s", person, role);
    if (other != NULL)
        return fault_set(f, E_REFUSED, "%s is named as %s and as %s: one person holds one role", person, other, role);
    items = realloc(c->items, (c->count + 1) * sizeof *items);
    if (items == NULL)
        return fault_memory(f);
    c->items = items;
    added = (struct holder){strdup(person), strdup(role)};
    if (added.person == NULL || added.role == NULL) {
        free(added.person);
        free(added.role);
        return fault_memory(f);
    }
    for (; at > 0 && strcmp(items[at - 1].person, person) > 0; at--)
        items[at] = items[at - 1];
    items[at] = added;
    c->count++;
    return OK;
}

enum outcome cast_from_yaml(const struct yaml *people, const struct script *s, struct cast *ret, struct fault *f)
{
    struct cast c = {0};
    enum outcome o = OK;

    if (people->kind != YAML_MAP)
        return yaml_fault(people, f, "a map was expected: ROLE: PERSON, or ROLE: [PERSON, ...]");
    for (size_t i = 0; i < people->count && o == OK; i++) {
        struct strings names = {0};

        if (script_role(s, people->keys[i]->scalar) == NULL)
            o = yaml_fault(people->keys[i], f, "the script %s has no role \"%s\"", s->id, people->keys[i]->scalar);
        if (o == OK)
            o = yaml_strings(people->items[i], &names, f);
        for (size_t j = 0; j < names.count && o == OK; j++) {
            o = cast_add(&c, names.items[j], people->keys[i]->scalar, f);
            if (o != OK)
                yaml_fault_at(people->items[i], f);
        }
        strings_free(&names);
    }
    if (o == OK) {
        *ret = c;
        c = (struct cast){0}; /* the caller's */
    }
    cast_clear(&c);
    return o;
}

enum outcome cast_from_json(const json_t *people, struct cast *ret, struct fault *f)
{
    struct cast c = {0};
    enum outcome o = OK;

    for (size_t i = 0; i < json_array_size(people) && o == OK; i++) {
        const char *person = NULL, *role = NULL;

        o = json_want_string(json_array_get(people, i), "person", &person, f);
        if (o == OK)
            o = json_want_string(json_array_get(people, i), "role", &role, f);
        if (o == OK)
            o = cast_add(&c, person, role, f);
    }
    if (o == OK) {
        *ret = c;
        c = (struct cast){0}; /* the caller's */
    }
    cast_clear(&c);
    return o;
}

json_t *cast_json(const struct cast *c)
{
    json_t *people = json_array();
    bool good = people != NULL;

    for (size_t i = 0; i < c->count && good; i++) {
        json_t *one = json_object();

        good = json_put_string(one, "person", c->items[i].person) && json_put_string(one, "role", c->items[i].role) &&
               json_array_append(people, one) == 0;
        json_decref(one);
    }
    if (good)
        return people;
    json_decref(people);
    return NULL;
}

static bool role_approves(const struct script *s, const struct role *role)
{
    for (size_t i = 0; i < s->step_count; i++) {
        if (s->steps[i].role == role && s->steps[i].action->kind == ACTION_APPROVE)
            return true;
    }
    return false;
}

/* A step that is "by: ROLE" needs one holder, no more. */
static const struct step *single_step(const struct script *s, const struct role *role)
{
    for (size_t i = 0; i < s->step_count; i++) {
        if (s->steps[i].role == role && s->steps[i].by == BY_HOLDER)
            return &s->steps[i];
    }
    return NULL;
}

static enum outcome person_check(const struct script *s, const struct role *role, const struct policy *p,
                                 const char *id, moment at, struct fault *f)
{
    const struct person *person = policy_person(p, id);

    if (person == NULL)
        return fault_set(f, E_REFUSED, "%s, named as %s, is nobody in the policy %s version %u", id, role->id, p->name,
                         p->version);
    if (!strings_have(&person->roles, role->of))
        return fault_set(f, E_REFUSED, "%s may not be %s: by the policy they are no %s", id, role->id, role->of);
    if (at < person->from)
        return fault_set(f, E_REFUSED, "%s may not be %s yet: they are on the roster from %s", id, role->id,
                         moment_format(person->from).text);
    if (at >= person->until)
        return fault_set(f, E_REFUSED, "%s may not be %s any more: they were on the roster until %s", id, role->id,
                         moment_format(person->until).text);
    if (strings_have(&person->roles, ADMINISTRATOR) && role_approves(s, role))
        return fault_set(f, E_REFUSED,
                         "%s may not be %s, who approves: they are an administrator by the policy, and an "
                         "administrator approves nothing",
                         id, role->id);
    return OK;
}

static enum outcome organisations_check(const struct cast *c, const struct role *role, const struct policy *p,
                                        const char *id, struct fault *f)
{
    const struct person *person = policy_person(p, id);
    const char *other_id = NULL;

    for (size_t i = 0; (other_id = cast_holder(c, role->organisation_not_of, i)) != NULL; i++) {
        const struct person *other = policy_person(p, other_id);

        if (other != NULL && strcmp(other->organisation, person->organisation) == 0)
            return fault_set(f, E_REFUSED, "%s may not be %s: they are of the organisation %s, as %s, who is %s", id,
                             role->id, person->organisation, other_id, role->organisation_not_of);
    }
    return OK;
}

static enum outcome role_check(const struct cast *c, const struct script *s, const struct role *role,
                               const struct policy *p, moment at, struct fault *f)
{
    size_t count = cast_holders(c, role->id);
    const struct step *single = single_step(s, role);
    enum outcome o = OK;

    if (count == 0)
        return fault_set(f, E_REFUSED, "the role %s is not filled: the script asks for %u of %s", role->id,
                         role->at_least, role->of);
    if (count < role->at_least)
        return fault_set(f, E_REFUSED, "the role %s is filled by %zu, but the script asks for %u at least", role->id,
                         count, role->at_least);
    if (single != NULL && count > 1)
        return fault_set(f, E_REFUSED, "the role %s is filled by %zu people, but step %s asks for its one holder",
                         role->id, count, single->id);
    for (size_t i = 0; i < count && o == OK; i++) {
        o = person_check(s, role, p, cast_holder(c, role->id, i), at, f);
        if (o == OK && role->organisation_not_of != NULL)
            o = organisations_check(c, role, p, cast_holder(c, role->id, i), f);
    }
    return o;
}

enum outcome cast_check(const struct cast *c, const struct script *s, const struct policy *p, moment at,
                        struct fault *f)
{
    enum outcome o = OK;

    for (size_t i = 0; i < s->role_count && o == OK; i++)
        o = role_check(c, s, &s->roles[i], p, at, f);
    return o;
}
