#ifndef QUORATE_CEREMONY_RUN_CAST_H
#define QUORATE_CEREMONY_RUN_CAST_H

#include "ceremony/script.h"
#include "core/json.h"
#include "core/yaml.h"
#include "policy/policy.h"

/* Who fills which role. */
struct holder {
    char *person, *role;
};
struct cast { /* sorted by person */
    struct holder *items;
    size_t count;
};
void cast_clear(struct cast *c);

/* `people: {ROLE: PERSON | [PERSON, ...]}`; an unknown role, or a person named twice, with position. */
enum outcome cast_from_yaml(const struct yaml *people, const struct script *s, struct cast *ret, struct fault *f);
enum outcome cast_from_json(const json_t *people, struct cast *ret, struct fault *f); /* of ceremony-opened */
enum outcome cast_add(struct cast *c, const char *person, const char *role, struct fault *f);
json_t *cast_json(const struct cast *c); /* [{person, role}]; NULL on memory */

const char *cast_role(const struct cast *c, const char *person);               /* NULL: not of this ceremony */
size_t cast_holders(const struct cast *c, const char *role);                   /* how many */
const char *cast_holder(const struct cast *c, const char *role, size_t index); /* NULL past the last */

/* Whether these people may hold this ceremony, each refusal in its own words: everybody on the roster with the role
 * that theirs is `of` and within their dates; enough of each; one person one role; organisations; nobody who approves
 * is an administrator. E_REFUSED. */
enum outcome cast_check(const struct cast *c, const struct script *s, const struct policy *p, moment at,
                        struct fault *f);

#endif
