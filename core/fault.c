#include "core/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Takes half a UTF-8 character off the end, where snprintf cut the text. */
static void cut_cleanly(char *text, size_t size)
{
    size_t len = strlen(text), start = len;

    if (len + 1 < size || len == 0)
        return;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && (unsigned char)text[start - 1] >= 0xC0)
        text[start - 1] = '\0';
}

enum outcome fault_set(struct fault *f, enum outcome outcome, const char *format, ...)
{
    char text[sizeof f->text]; /* the arguments may point into f->text */
    va_list ap;

    va_start(ap, format);
    if (vsnprintf(text, sizeof text, format, ap) < 0)
        snprintf(text, sizeof text, "an error whose text could not be written");
    va_end(ap);
    cut_cleanly(text, sizeof text);
    memcpy(f->text, text, sizeof text);
    f->outcome = outcome;
    return outcome;
}

enum outcome fault_context(struct fault *f, const char *format, ...)
{
    char context[sizeof f->text];
    va_list ap;

    va_start(ap, format);
    if (vsnprintf(context, sizeof context, format, ap) < 0)
        context[0] = '\0';
    va_end(ap);
    return fault_set(f, f->outcome, "%s: %s", context, f->text);
}

enum outcome fault_memory(struct fault *f)
{
    return fault_set(f, E_MEMORY, "out of memory, or a limit of core/limits.h was met");
}

enum outcome fault_errno(struct fault *f, const char *what, const char *path)
{
    char reason[128] = "";
    int error = errno;

    return fault_set(f, E_IO, "%s %s: %s", what, path, strerror_r(error, reason, sizeof reason));
}
