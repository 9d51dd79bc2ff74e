#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"

/* `alternate-for: ID` or `alternate-for: {person: ID, from: DATE, until: DATE}`. */
static enum outcome parse_alternate(const struct yaml *node, struct person *h, struct fault *f)
{
    const struct yaml *from = NULL, *until = NULL;
    enum outcome o = OK;

    if (node->kind != YAML_MAP)
        return yaml_name(node, &h->alternate_for, f);
    if ((o = yaml_members(node, "person ?from ?until", f)) != OK ||
        (o = yaml_name(yaml_get(node, "person"), &h->alternate_for, f)) != OK)
        return o;
    from = yaml_get(node, "from");
    until = yaml_get(node, "until");
    if ((from != NULL && (o = yaml_moment(from, &h->alternate_from, f)) != OK) ||
        (until != NULL && (o = yaml_moment(until, &h->alternate_until, f)) != OK))
        return o;
    if (h->alternate_from >= h->alternate_until)
        return yaml_fault(node, f, "from must be before until, which is exclusive");
    return OK;
}

static enum outcome parse_dates(const struct yaml *map, struct person *h, struct fault *f)
{
    const struct yaml *from = yaml_get(map, "from"), *until = yaml_get(map, "until");
    enum outcome o = OK;

    h->until = h->alternate_until = MOMENT_NEVER;
    if ((from != NULL && (o = yaml_moment(from, &h->from, f)) != OK) ||
        (until != NULL && (o = yaml_moment(until, &h->until, f)) != OK))
        return o;
    if (h->from >= h->until)
        return yaml_fault(until, f, "until is exclusive and must be after from");
    return OK;
}

static enum outcome parse_person(struct policy *p, const struct yaml *map, struct person *h, struct fault *f)
{
    const struct yaml *alternate = NULL, *certificate = NULL;
    const struct person *other = NULL;
    enum outcome o = OK;

    if ((o = yaml_members(map,
                          "id name organisation roles fingerprint ?certificate ?from ?until "
                          "?alternate-for",
                          f)) != OK ||
        (o = yaml_name(yaml_get(map, "id"), &h->id, f)) != OK)
        return o;
    h->line = map->line;
    if (policy_person(p, h->id) != h)
        return yaml_fault(yaml_get(map, "id"), f, "%s is declared twice; every person needs an id of their own", h->id);
    certificate = yaml_get(map, "certificate");
    alternate = yaml_get(map, "alternate-for");
    if ((o = yaml_text(yaml_get(map, "name"), &h->name, f)) != OK ||
        (o = yaml_text(yaml_get(map, "organisation"), &h->organisation, f)) != OK ||
        (o = yaml_strings(yaml_get(map, "roles"), &h->roles, f)) != OK ||
        (o = yaml_fingerprint(yaml_get(map, "fingerprint"), &h->fingerprint, f)) != OK ||
        (certificate != NULL && (o = yaml_text(certificate, &h->certificate, f)) != OK) ||
        (o = parse_dates(map, h, f)) != OK || (alternate != NULL && (o = parse_alternate(alternate, h, f)) != OK))
        return o;
    other = policy_person_by_fingerprint(p, &h->fingerprint);
    if (other != h)
        return yaml_fault(yaml_get(map, "fingerprint"), f,
                          "%s and %s have one certificate; every person needs a key of their own", other->id, h->id);
    return OK;
}

/* Principals may be declared after their alternates. */
static enum outcome check_alternates(const struct policy *p, const struct yaml *list, struct fault *f)
{
    for (size_t i = 0; i < p->person_count; i++) {
        const struct person *h = &p->people[i], *principal = NULL;
        const struct yaml *at = yaml_get(list->items[i], "alternate-for");

        if (h->alternate_for == NULL)
            continue;
        principal = policy_person(p, h->alternate_for);
        if (principal == NULL)
            return yaml_fault(at, f, "no person %s is declared", h->alternate_for);
        if (principal == h)
            return yaml_fault(at, f, "nobody is an alternate for themselves");
        if (principal->alternate_for != NULL)
            return yaml_fault(at, f, "%s is an alternate for %s; name the principal", principal->id,
                              principal->alternate_for);
    }
    return OK;
}

enum outcome parse_people(struct policy *p, const struct yaml *list, struct fault *f)
{
    enum outcome o = parse_list(list, "people", f);

    if (o != OK)
        return o;
    if (list->count == 0)
        return yaml_fault(list, f, "an empty list of people: nobody could approve anything; name who may");
    p->people = calloc(list->count + 1, sizeof *p->people);
    if (p->people == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < list->count; i++) {
        p->person_count = i + 1;
        if ((o = parse_person(p, list->items[i], &p->people[i], f)) != OK)
            return o;
    }
    return check_alternates(p, list, f);
}
