#ifndef QUORATE_POLICY_PARSE_H
#define QUORATE_POLICY_PARSE_H

#include "policy/policy.h"

/* The parts of policy_parse. Each fills what policy_free frees, however far it came; errors carry positions. */
enum outcome parse_people(struct policy *p, const struct yaml *list, struct fault *f);
enum outcome parse_sites(struct policy *p, const struct yaml *list, struct fault *f);
enum outcome parse_tokens(struct policy *p, const struct yaml *list, struct fault *f);
enum outcome parse_rules(struct policy *p, const struct yaml *list, struct fault *f);
enum outcome parse_require(const struct policy *p, const struct yaml *map, struct rule *rule, struct fault *f);
enum outcome parse_quorum(const struct yaml *map, struct quorum *q, struct fault *f);

/* Keys that the design knows and the code does not carry out. */
enum outcome parse_not_yet(const struct yaml *map, struct fault *f);
/* The node of the i-th string of what yaml_strings read. */
const struct yaml *parse_item(const struct yaml *node, size_t i);
enum outcome parse_list(const struct yaml *node, const char *what, struct fault *f);

/* A POSIX extended expression in the C locale. E_INVALID without a position; *ret is set only on success. */
enum outcome label_compile(const char *expression, regex_t *ret, struct fault *f);

#endif
