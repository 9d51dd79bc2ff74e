#ifndef QUORATE_POLICY_CLASSES_H
#define QUORATE_POLICY_CLASSES_H

#include "core/yaml.h"

/* Classes of confidentiality: what a policy or a script lets a transcript withhold, and under which name. */
struct classes {
    struct strings names, classes; /* of one length */
};

/* A map NAME: CLASS, not empty; classes are names. */
enum outcome classes_parse(const struct yaml *map, struct classes *ret, struct fault *f);
/* A policy's: by the type of entry, of those that may be confidential. */
enum outcome classes_parse_types(const struct yaml *map, struct classes *ret, struct fault *f);
const char *classes_get(const struct classes *c, const char *name); /* NULL: none */
void classes_clear(struct classes *c);

#endif
