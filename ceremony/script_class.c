#include <string.h>

#include "ceremony/script_inner.h"

/* `confidential` of a step. */

/* A word of a list with blanks between, '?' before some. */
static bool listed(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (; *list != '\0'; list += strcspn(list, " "), list += strspn(list, " ")) {
        list += *list == '?';
        if (strcspn(list, " ") == len && strncmp(list, word, len) == 0)
            return true;
    }
    return false;
}

/* The step's people are asked for this, and the log has their answer as such. */
static bool answer_of(const struct step *s, const char *name)
{
    if (strcmp(s->action->answers, "*") == 0)
        return step_with(s, name) != NULL;
    return s->action->kind != ACTION_EXHIBIT && s->action->kind != ACTION_APPROVE &&
           s->action->kind != ACTION_TIMESTAMP && listed(s->action->answers, name);
}

enum outcome confidential_parse(const struct yaml *node, struct step *ret, struct fault *f)
{
    enum outcome o = OK;

    if (step_shown(ret, "answer"))
        return yaml_fault(node, f, "what is said in %s stands in the log for everybody; no class was expected",
                          ret->action->name);
    if (node->kind == YAML_SCALAR)
        return yaml_name(node, &ret->class, f);
    o = classes_parse(node, &ret->answer_classes, f);
    for (size_t i = 0; i < node->count && o == OK; i++)
        if (!answer_of(ret, node->keys[i]->scalar))
            o = yaml_fault(node->keys[i], f,
                           "%s has no answer \"%s\"; the name of one was expected, or a class for all of the step",
                           ret->action->name, node->keys[i]->scalar);
    return o;
}

bool step_shown(const struct step *s, const char *type)
{
    return s->action->kind == ACTION_ARRIVE && strcmp(type, "answer") == 0;
}

const char *step_class(const struct step *s, const char *type, const char *answer)
{
    if (step_shown(s, type))
        return NULL;
    if (s->class == NULL && s->target != NULL)
        return s->target->class; /* what is made ready at the approval belongs to the step that it is for */
    if (s->class != NULL || strcmp(type, "answer") != 0 || answer == NULL)
        return s->class;
    return classes_get(&s->answer_classes, answer);
}
