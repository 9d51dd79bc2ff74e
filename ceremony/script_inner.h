#ifndef QUORATE_CEREMONY_SCRIPT_INNER_H
#define QUORATE_CEREMONY_SCRIPT_INNER_H

#include "ceremony/script.h"
#include "core/yaml.h"

/* Inside of the script's parser. */

struct variables { /* what {NAME} stands for; two lists of one length */
    struct strings names, values;
};
void variables_clear(struct variables *v);

/* The text of a node with every {NAME} replaced; white space runs become one blank. */
enum outcome text_fill(const struct yaml *node, const struct variables *v, char **ret, struct fault *f);

/* "X in [a, b]": the name and the values. */
enum outcome loop_parse(const struct yaml *node, const struct variables *v, char **ret_name, struct strings *ret_values,
                        struct fault *f);

/* One expanded step; `s` has roles. What it fills is freed by step_clear, however far it came. */
enum outcome step_parse(const struct script *s, const struct yaml *map, const struct variables *v, struct step *ret,
                        struct fault *f);
void step_clear(struct step *s);
/* `confidential` of a step whose action and `with` are known. */
enum outcome confidential_parse(const struct yaml *node, struct step *ret, struct fault *f);

/* What can only be said of all the steps together: `for`, `saves`, who has entered, the last one. */
enum outcome script_check_steps(struct script *s, struct fault *f);

#endif
