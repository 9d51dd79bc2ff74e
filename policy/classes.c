#include "policy/classes.h"

#include <stdlib.h>
#include <string.h>

static const char *const types[] = {"answer", "artifact", "deviation", "exhibit"};

static bool type_known(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i], name) == 0)
            return true;
    return false;
}

enum outcome classes_parse(const struct yaml *map, struct classes *ret, struct fault *f)
{
    enum outcome o = OK;

    if (map->kind != YAML_MAP || map->count == 0)
        return yaml_fault(map, f, "a map was expected: NAME: CLASS");
    for (size_t i = 0; i < map->count && o == OK; i++) {
        char *name = NULL, *class = NULL;

        o = yaml_name(map->keys[i], &name, f);
        if (o == OK)
            o = yaml_name(map->items[i], &class, f);
        if (o == OK && (!strings_add(&ret->names, name) || !strings_add(&ret->classes, class)))
            o = fault_memory(f);
        free(name);
        free(class);
    }
    return o;
}

enum outcome classes_parse_types(const struct yaml *map, struct classes *ret, struct fault *f)
{
    enum outcome o = classes_parse(map, ret, f);

    for (size_t i = 0; i < map->count && o == OK; i++)
        if (!type_known(map->keys[i]->scalar))
            o = yaml_fault(map->keys[i], f,
                           "an entry of type \"%s\" is never confidential; answer, artifact, deviation or exhibit was "
                           "expected",
                           map->keys[i]->scalar);
    return o;
}

const char *classes_get(const struct classes *c, const char *name)
{
    for (size_t i = 0; i < c->names.count; i++)
        if (strcmp(c->names.items[i], name) == 0)
            return c->classes.items[i];
    return NULL;
}

void classes_clear(struct classes *c)
{
    strings_free(&c->names);
    strings_free(&c->classes);
}
