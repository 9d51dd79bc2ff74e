#include "core/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/encode.h"

#define FAULT_UNPRINTABLE "\xEF\xBF\xBD" /* U+FFFD */

enum outcome fault_set(struct fault *f, enum outcome outcome, const char *format, ...)
{
    char text[sizeof f->text]; /* the arguments may point into f->text */
    struct span rest = {0};
    size_t len = 0;
    va_list ap;

    va_start(ap, format);
    if (vsnprintf(text, sizeof text, format, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    /* names and labels of strangers are in it: what could deceive a terminal, or was cut in half, is not shown */
    for (rest = span_str(text); rest.len > 0;) {
        struct span shown = span_str(FAULT_UNPRINTABLE);
        uint32_t code = 0;
        size_t n = utf8_next(rest, &code);

        if (n > 0 && !code_control(code) && !code_deceptive(code))
            shown = span_of(rest.data, n);
        if (len + shown.len >= sizeof f->text)
            break;
        memcpy(f->text + len, shown.data, shown.len);
        len += shown.len;
        n = n == 0 ? 1 : n;
        rest = span_of(rest.data + n, rest.len - n);
    }
    f->text[len] = '\0';
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

    fault_set(f, E_IO, "%s %s: %s", what, path, strerror_r(error, reason, sizeof reason));
    errno = error; /* the caller may want to look at it */
    return E_IO;
}
