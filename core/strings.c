#include <stdlib.h>
#include <string.h>

#include "core/yaml.h"

void strings_free(struct strings *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->items[i]);
    free(s->items);
    *s = (struct strings){0};
}

bool strings_have(const struct strings *s, const char *text)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->items[i], text) == 0)
            return true;
    }
    return false;
}

bool strings_add(struct strings *s, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        return false;
    if ((s->count & (s->count - 1)) == 0) { /* 0 or a power of two: full */
        char **grown = reallocarray(s->items, s->count == 0 ? 1 : s->count * 2, sizeof *grown);
        if (grown == NULL) {
            free(copy);
            return false;
        }
        s->items = grown;
    }
    s->items[s->count++] = copy; /* taken by s */
    return true;
}
