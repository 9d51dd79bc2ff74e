#include <stdlib.h>
#include <string.h>

#include "ceremony/script_inner.h"
#include "core/encode.h"
#include "core/limits.h"

void variables_clear(struct variables *v)
{
    strings_free(&v->names);
    strings_free(&v->values);
}

static const char *variable(const struct variables *v, const char *name)
{
    for (size_t i = 0; i < v->names.count; i++) {
        if (strcmp(v->names.items[i], name) == 0)
            return v->values.items[i];
    }
    return NULL;
}

/* The length of "{name}" at the beginning of text, the name copied; 0 where there is none. A brace before anything but
 * a lower-case letter stands for itself, as in the pattern "[0-9]{6}". */
static size_t reference(const char *text, char ret_name[65])
{
    size_t len = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    if (text[0] != '{' || text[1] < 'a' || text[1] > 'z' || len > 64 || text[1 + len] != '}')
        return 0;
    memcpy(ret_name, text + 1, len);
    ret_name[len] = '\0';
    return len + 2;
}

static enum outcome text_expand(const struct yaml *node, const char *text, const struct variables *v, struct buf *ret,
                                struct fault *f)
{
    while (*text != '\0') {
        char name[65];
        size_t len = reference(text, name), blanks = strspn(text, " \t\r\n");

        if (blanks > 0) {
            buf_puts(ret, " ");
            text += blanks;
        } else if (len > 0) {
            const char *value = variable(v, name);

            if (value == NULL)
                return yaml_fault(node, f, "{%s} is neither a parameter nor the name in `for-each`", name);
            buf_puts(ret, value);
            text += len;
        } else {
            buf_put(ret, text++, 1);
        }
    }
    return ret->failed ? yaml_fault(node, f, "this text is longer than %u bytes", LIMIT_STEP_TEXT) : OK;
}

enum outcome text_fill(const struct yaml *node, const struct variables *v, char **ret, struct fault *f)
{
    struct buf filled = BUF(LIMIT_STEP_TEXT);
    char *text = NULL, *made = NULL;
    enum outcome o = yaml_text(node, &text, f);

    if (o == OK)
        o = text_expand(node, text, v, &filled, f);
    if (o == OK && !utf8_printable(buf_span(&filled)))
        o = yaml_fault(node, f, "this text holds control characters; printable text was expected");
    if (o == OK && (made = buf_take(&filled)) == NULL)
        o = fault_memory(f);
    if (o == OK)
        *ret = made; /* the caller's */
    buf_free(&filled);
    free(text);
    return o;
}

/* "a, b, c" up to the closing bracket. */
static enum outcome loop_values(const struct yaml *node, char *list, struct strings *ret, struct fault *f)
{
    char *rest = NULL;

    for (char *item = strtok_r(list, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
        char *end = NULL;

        item += strspn(item, " ");
        end = item + strlen(item);
        while (end > item && end[-1] == ' ')
            *--end = '\0';
        if (*item == '\0')
            return yaml_fault(node, f, "an empty value in the list; \"NAME in [A, B]\" was expected");
        if (strings_have(ret, item))
            return yaml_fault(node, f, "\"%s\" stands twice in the list", item);
        if (!strings_add(ret, item))
            return fault_memory(f);
    }
    return ret->count > 0 ? OK : yaml_fault(node, f, "an empty list; \"NAME in [A, B]\" was expected");
}

enum outcome loop_parse(const struct yaml *node, const struct variables *v, char **ret_name, struct strings *ret_values,
                        struct fault *f)
{
    char *text = NULL, *in = NULL, *close = NULL, *name = NULL;
    struct strings values = {0};
    enum outcome o = text_fill(node, v, &text, f);

    if (o != OK)
        return o;
    in = strstr(text, " in [");
    close = in != NULL ? strchr(in, ']') : NULL;
    if (close == NULL || close[1] != '\0') {
        o = yaml_fault(node, f, "\"%s\" is no loop; \"NAME in [A, B]\" was expected", text);
        goto out;
    }
    *in = '\0';
    *close = '\0';
    if (!name_valid(text) || text[0] < 'a')
        o = yaml_fault(node, f, "\"%s\" is no name for `for-each`; it begins with a letter from a to z", text);
    else if (variable(v, text) != NULL)
        o = yaml_fault(node, f, "{%s} is a parameter already; another name was expected", text);
    if (o == OK)
        o = loop_values(node, in + strlen(" in ["), &values, f);
    if (o == OK && (name = strdup(text)) == NULL)
        o = fault_memory(f);
    if (o == OK) {
        *ret_name = name;
        *ret_values = values;
        values = (struct strings){0}; /* the caller's */
    }
out:
    strings_free(&values);
    free(text);
    return o;
}
